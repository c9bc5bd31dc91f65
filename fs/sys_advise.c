/*
 * fs/sys_advise.c - posix_fadvise (fadvise64) and readahead: what will be needed of a file, or not.
 *
 * Arguments are checked for every kind of file; only a page cache in front of something slower has
 * a use for them (file->ops->advise).
 *
 * Not here: madvise (mm/mem_advise.c). Tests: tests/guest/fsync.c, test_object.c.
 */
#include <fs/file_table.h>
#include <fs/fs_private.h>
#include <fs/sys_file.h>
#include <linux/fadvise.h>

static int file_advise(struct file *file, int64_t offset, int64_t length, int advice)
{
	int64_t end;

	/* A length of 0 reaches to the end, and so does one too large. */
	if (length == 0 || __builtin_add_overflow(offset, length, &end))
		end = INT64_MAX;
	switch (advice) {
	case POSIX_FADV_WILLNEED:
	case POSIX_FADV_DONTNEED:
		if (file->ops->advise && offset >= 0 && offset < end)
			file->ops->advise(file, (uint64_t)offset, (uint64_t)end, advice);
		return 0;
	case POSIX_FADV_NORMAL:
	case POSIX_FADV_RANDOM:
	case POSIX_FADV_SEQUENTIAL:
	case POSIX_FADV_NOREUSE:
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_fadvise64(int fd, int64_t offset, int64_t length, int advice)
{
	struct borrowed_file borrowed;
	long result;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (atomic_load(&borrowed.file->flags) & O_PATH)
		result = -EBADF;
	else if (S_ISFIFO(borrowed.file->inode->mode))
		result = -ESPIPE;
	else
		result = length < 0 ? -EINVAL : file_advise(borrowed.file, offset, length, advice);
	file_return(&borrowed);
	return result;
}

long sys_readahead(int fd, int64_t offset, size_t count)
{
	struct borrowed_file borrowed;
	long result = -EINVAL;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (!borrowed.file->readable)
		result = -EBADF;
	else if ((S_ISREG(borrowed.file->inode->mode) || S_ISBLK(borrowed.file->inode->mode)) &&
		 (int64_t)count >= 0)
		result = file_advise(borrowed.file, offset, (int64_t)count, POSIX_FADV_WILLNEED);
	file_return(&borrowed);
	return result;
}
