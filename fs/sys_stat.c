/*
 * fs/sys_stat.c - stat, fstat, lstat, newfstatat, statx.
 *
 * All end in one inode, whose attributes are copied without its lock: each is one word, and a
 * stat is a moment's picture anyway. `refresh` lets dynamic files bring themselves up to date.
 */
#include <asm/stat.h>
#include <fs/device.h>
#include <fs/file_table.h>
#include <fs/fs_context.h>
#include <fs/mount.h>
#include <fs/path.h>
#include <fs/sys_file.h>
#include <kernel/time.h>

#define BLOCK_BYTES 512u /* st_blocks counts these: stat(2) */

static uint64_t inode_blocks(const struct inode *inode)
{
	uint64_t pages = inode->object ? atomic_load(&inode->object->cached) : 0;

	return pages * (PAGE_SIZE / BLOCK_BYTES);
}

static int put_stat(struct inode *inode, uintptr_t buf)
{
	struct stat stat = {0};

	if (inode->ops->refresh)
		inode->ops->refresh(inode);
	stat.st_dev = inode->super->device;
	stat.st_ino = inode->number;
	stat.st_nlink = inode->links;
	stat.st_mode = inode->mode;
	stat.st_uid = inode->uid;
	stat.st_gid = inode->gid;
	stat.st_rdev = inode->device;
	stat.st_size = (long)inode_size(inode);
	stat.st_blksize = PAGE_SIZE;
	stat.st_blocks = (long)inode_blocks(inode);
	stat.st_atime = inode->atime_ns / NS_PER_SEC;
	stat.st_atime_nsec = inode->atime_ns % NS_PER_SEC;
	stat.st_mtime = inode->mtime_ns / NS_PER_SEC;
	stat.st_mtime_nsec = inode->mtime_ns % NS_PER_SEC;
	stat.st_ctime = inode->ctime_ns / NS_PER_SEC;
	stat.st_ctime_nsec = inode->ctime_ns % NS_PER_SEC;
	return copy_to_user(buf, &stat, sizeof(stat));
}

static struct statx_timestamp statx_time(uint64_t ns)
{
	return (struct statx_timestamp){
		.tv_sec = (int64_t)(ns / NS_PER_SEC),
		.tv_nsec = (uint32_t)(ns % NS_PER_SEC),
	};
}

static int put_statx(struct inode *inode, uintptr_t buf)
{
	struct statx statx = {0};

	if (inode->ops->refresh)
		inode->ops->refresh(inode);
	statx.stx_mask = STATX_BASIC_STATS | STATX_BTIME;
	statx.stx_blksize = PAGE_SIZE;
	statx.stx_nlink = inode->links;
	statx.stx_uid = inode->uid;
	statx.stx_gid = inode->gid;
	statx.stx_mode = (uint16_t)inode->mode;
	statx.stx_ino = inode->number;
	statx.stx_size = inode_size(inode);
	statx.stx_blocks = inode_blocks(inode);
	statx.stx_atime = statx_time(inode->atime_ns);
	statx.stx_btime = statx_time(inode->btime_ns);
	statx.stx_ctime = statx_time(inode->ctime_ns);
	statx.stx_mtime = statx_time(inode->mtime_ns);
	statx.stx_rdev_major = device_major(inode->device);
	statx.stx_rdev_minor = device_minor(inode->device);
	statx.stx_dev_major = device_major(inode->super->device);
	statx.stx_dev_minor = device_minor(inode->super->device);
	return copy_to_user(buf, &statx, sizeof(statx));
}

typedef int (*put_attributes)(struct inode *inode, uintptr_t buf);

static long stat_descriptor(int fd, uintptr_t buf, put_attributes put)
{
	struct borrowed_file borrowed;
	long error;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	error = put(borrowed.file->inode, buf);
	file_return(&borrowed);
	return error;
}

/* The name is "": what fstat(3) of glibc asks, so it is worth not walking. */
static bool name_is_empty(uintptr_t name)
{
	char first;

	return get_user(first, name) == 0 && first == '\0';
}

static long stat_name(int dirfd, uintptr_t name, int flags, uintptr_t buf, put_attributes put)
{
	struct path path;
	long error;

	if ((flags & AT_EMPTY_PATH) && dirfd >= 0 && name_is_empty(name))
		return stat_descriptor(dirfd, buf, put);
	error = path_lookup_at(dirfd, name, flags, &path);
	if (error)
		return error;
	error = put(path.dentry->inode, buf);
	path_put(&path);
	return error;
}

long sys_stat(uintptr_t name, uintptr_t buf)
{
	return stat_name(AT_FDCWD, name, 0, buf, put_stat);
}

long sys_lstat(uintptr_t name, uintptr_t buf)
{
	return stat_name(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, buf, put_stat);
}

long sys_fstat(int fd, uintptr_t buf)
{
	return stat_descriptor(fd, buf, put_stat);
}

long sys_newfstatat(int dirfd, uintptr_t name, uintptr_t buf, int flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	return stat_name(dirfd, name, flags, buf, put_stat);
}

long sys_statx(int dirfd, uintptr_t name, int flags, unsigned mask, uintptr_t buf)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || (mask & STATX__RESERVED))
		return -EINVAL;
	return stat_name(dirfd, name, flags, buf, put_statx);
}
