/*
 * fs/sys_allocate.c - fallocate: room for bytes to come, and holes where bytes were.
 *
 *   mode                     pages of the range      the size
 *   0                        all are there after it  grows to the range's end
 *   FALLOC_FL_KEEP_SIZE      all are there after it  stays
 *   FALLOC_FL_PUNCH_HOLE     none is there           stays (it goes with KEEP_SIZE only)
 *   FALLOC_FL_ZERO_RANGE     all are there, zeros    grows, but not with KEEP_SIZE
 *
 * The checks are common, the work is the file system's (inode->ops->allocate). madvise(MADV_REMOVE)
 * comes here too.
 *
 * Tests: tests/guest/fallocate.c.
 */
#include <fs/file_table.h>
#include <fs/fs_private.h>
#include <fs/sys_file.h>
#include <linux/falloc.h>

#define MODES_KNOWN (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)

static bool mode_supported(int mode)
{
	if (mode & ~MODES_KNOWN)
		return false;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
	return true;
}

static int check_type(const struct inode *inode)
{
	if (S_ISFIFO(inode->mode))
		return -ESPIPE;
	if (S_ISDIR(inode->mode))
		return -EISDIR;
	return S_ISREG(inode->mode) || S_ISBLK(inode->mode) ? 0 : -ENODEV;
}

/* The order of the errors is Linux's. */
static int check_request(const struct file *file, int mode, int64_t offset, int64_t length,
			 int64_t *end)
{
	int error;

	if (offset < 0 || length <= 0)
		return -EINVAL;
	if (!mode_supported(mode))
		return -EOPNOTSUPP;
	if (!file->writable)
		return -EBADF;
	error = check_type(file->inode);
	if (error)
		return error;
	if (__builtin_add_overflow(offset, length, end))
		return -EFBIG;
	return file->inode->ops->allocate ? 0 : -EOPNOTSUPP;
}

int file_allocate(struct file *file, int mode, int64_t offset, int64_t length)
{
	struct inode *inode = file->inode;
	int64_t end;
	int error = check_request(file, mode, offset, length, &end);

	if (!error && !(mode & FALLOC_FL_KEEP_SIZE))
		error = inode_check_size(inode, (uint64_t)end);
	if (error)
		return error;
	mutex_lock(&inode->lock);
	error = inode->ops->allocate(inode, mode, (uint64_t)offset, (uint64_t)end);
	if (!error) {
		inode_drop_set_id(inode);
		inode_modified(inode);
	}
	mutex_unlock(&inode->lock);
	return error;
}

long sys_fallocate(int fd, int mode, int64_t offset, int64_t length)
{
	struct borrowed_file borrowed;
	long result;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (atomic_load(&borrowed.file->flags) & O_PATH)
		result = -EBADF;
	else
		result = file_allocate(borrowed.file, mode, offset, length);
	file_return(&borrowed);
	return result;
}
