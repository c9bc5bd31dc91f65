/*
 * fs/sys_sync.c - fsync, fdatasync, sync_file_range, sync, syncfs: what was written lasts.
 *
 * A file's own operation writes its dirty pages (mm/write_back.c does the work for those with a
 * page cache); an error is told to the caller, and what could not be written stays dirty.
 *
 * Not here: O_SYNC (file.c), msync (mm/mem_sync.c). Tests: tests/guest/fsync.c, test_object.c.
 */
#include <fs/file_table.h>
#include <fs/fs_private.h>
#include <fs/mount.h>
#include <fs/sys_file.h>
#include <linux/fs.h>

/* --- one file --- */

/* Directories live in memory; pipes and terminals have nothing to make durable: EINVAL. */
int file_sync(struct file *file, uint64_t beg, uint64_t end, bool data_only)
{
	if (file->ops->fsync)
		return file->ops->fsync(file, beg, end, data_only);
	return S_ISREG(file->inode->mode) || S_ISDIR(file->inode->mode) ? 0 : -EINVAL;
}

static long sync_descriptor(int fd, bool data_only)
{
	struct borrowed_file borrowed;
	long result = -EBADF;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (!(atomic_load(&borrowed.file->flags) & O_PATH))
		result = file_sync(borrowed.file, 0, UINT64_MAX, data_only);
	file_return(&borrowed);
	return result;
}

long sys_fsync(int fd)
{
	return sync_descriptor(fd, false);
}

long sys_fdatasync(int fd)
{
	return sync_descriptor(fd, true);
}

/* --- part of a file --- */

#define SYNC_FILE_RANGE_ALL                                                                        \
	(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

/*
 * Write-back never goes on behind a caller's back: writing is waiting, and waiting alone is done.
 */
static int sync_range(struct file *file, uint64_t beg, uint64_t end, unsigned flags)
{
	uint32_t mode = file->inode->mode;

	if (!S_ISREG(mode) && !S_ISBLK(mode) && !S_ISDIR(mode))
		return -ESPIPE;
	if (!(flags & SYNC_FILE_RANGE_WRITE) || end == beg)
		return 0;
	return file_sync(file, beg, end, true);
}

/* A length of 0 reaches to the end. */
long sys_sync_file_range(int fd, int64_t offset, int64_t length, unsigned flags)
{
	struct borrowed_file borrowed;
	long result = -EBADF;
	int64_t end;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (atomic_load(&borrowed.file->flags) & O_PATH)
		result = -EBADF;
	else if ((flags & ~SYNC_FILE_RANGE_ALL) || offset < 0 || length < 0 ||
		 __builtin_add_overflow(offset, length, &end))
		result = -EINVAL;
	else
		result = sync_range(borrowed.file, (uint64_t)offset,
				    length ? (uint64_t)end : INT64_MAX, flags);
	file_return(&borrowed);
	return result;
}

/* --- whole file systems --- */

static void sync_super(struct super_block *super)
{
	if (super->ops && super->ops->sync)
		super->ops->sync(super);
}

static bool sync_mount(struct mount *mount, void *arg)
{
	(void)arg;
	sync_super(mount->super);
	return true;
}

long sys_sync(void)
{
	mount_for_each(sync_mount, NULL);
	return 0;
}

long sys_syncfs(int fd)
{
	struct borrowed_file borrowed;
	long result = -EBADF;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (!(atomic_load(&borrowed.file->flags) & O_PATH)) {
		sync_super(borrowed.file->inode->super);
		result = 0;
	}
	file_return(&borrowed);
	return result;
}
