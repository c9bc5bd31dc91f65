/*
 * fs/sys_utimes.c - utime, utimes, futimesat, utimensat: four ways to say two times.
 *
 * Each turns what the user gave into a struct new_times; the rest is common. Times are kept as
 * unsigned nanoseconds since 1970: earlier ones become 1970, those after 2554 the last.
 */
#include <fs/file_table.h>
#include <fs/fs_private.h>
#include <fs/path.h>
#include <fs/sys_file.h>
#include <kernel/time.h>
#include <linux/time_types.h>

/* tv_nsec values of utimensat(2); <bits/stat.h>. */
#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe

/* One of the two times. */
struct new_time {
	bool omit, now;
	uint64_t ns;
};

struct new_times {
	struct new_time access, modify;
};

static uint64_t to_ns(int64_t seconds, uint64_t ns)
{
	uint64_t result;

	if (seconds < 0)
		return 0;
	if (__builtin_mul_overflow((uint64_t)seconds, NS_PER_SEC, &result) ||
	    __builtin_add_overflow(result, ns, &result))
		return UINT64_MAX;
	return result;
}

static int check_rights(const struct inode *inode, const struct new_times *times)
{
	if (inode_owned(inode))
		return 0;
	if (!times->access.now || !times->modify.now)
		return -EPERM; /* "now" for both is all that a mere writer may say */
	return inode_permission(inode, MAY_WRITE);
}

static int change_times(const struct path *path, struct inode *inode, const struct new_times *times)
{
	struct inode_change change = {.set = 0};
	uint64_t now = time_real_ns();
	int error = path->mount ? mount_want_write(path->mount) : 0;

	if (error)
		return error;
	if (!times->access.omit) {
		change.set |= CHANGE_ATIME;
		change.atime_ns = times->access.now ? now : times->access.ns;
	}
	if (!times->modify.omit) {
		change.set |= CHANGE_MTIME;
		change.mtime_ns = times->modify.now ? now : times->modify.ns;
	}
	mutex_lock(&inode->lock);
	error = check_rights(inode, times);
	if (!error)
		inode_apply(inode, &change);
	mutex_unlock(&inode->lock);
	return error;
}

static long times_of_name(int dirfd, uintptr_t name, int flags, const struct new_times *times)
{
	struct path path;
	long error = path_lookup_at(dirfd, name, flags, &path);

	if (error)
		return error;
	error = change_times(&path, path.dentry->inode, times);
	path_put(&path);
	return error;
}

static long times_of_descriptor(int fd, const struct new_times *times)
{
	struct borrowed_file borrowed;
	long error = -EBADF;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (!(atomic_load(&borrowed.file->flags) & O_PATH))
		error = change_times(&borrowed.file->path, borrowed.file->inode, times);
	file_return(&borrowed);
	return error;
}

static const struct new_times both_now = {.access = {.now = true}, .modify = {.now = true}};

/* --- struct timespec --- */

static int from_timespec(const struct __kernel_timespec *from, struct new_time *time)
{
	*time = (struct new_time){0};
	if (from->tv_nsec == UTIME_NOW)
		time->now = true;
	else if (from->tv_nsec == UTIME_OMIT)
		time->omit = true;
	else if (from->tv_nsec < 0 || from->tv_nsec >= (long long)NS_PER_SEC)
		return -EINVAL;
	else
		time->ns = to_ns(from->tv_sec, (uint64_t)from->tv_nsec);
	return 0;
}

long sys_utimensat(int dirfd, uintptr_t name, uintptr_t user, int flags)
{
	struct __kernel_timespec pair[2];
	struct new_times times = both_now;

	if (user) {
		if (copy_from_user(pair, user, sizeof(pair)))
			return -EFAULT;
		if (from_timespec(&pair[0], &times.access) ||
		    from_timespec(&pair[1], &times.modify))
			return -EINVAL;
		if (times.access.omit && times.modify.omit)
			return 0;
	}
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (name || dirfd == AT_FDCWD)
		return times_of_name(dirfd, name, flags, &times);
	return flags ? -EINVAL : times_of_descriptor(dirfd, &times);
}

/* --- struct timeval and struct utimbuf --- */

static int from_timeval(const struct __kernel_old_timeval *from, struct new_time *time)
{
	if (from->tv_usec < 0 || from->tv_usec >= (long)(NS_PER_SEC / NS_PER_US))
		return -EINVAL;
	*time = (struct new_time){.ns = to_ns(from->tv_sec, (uint64_t)from->tv_usec * NS_PER_US)};
	return 0;
}

long sys_futimesat(int dirfd, uintptr_t name, uintptr_t user)
{
	struct __kernel_old_timeval pair[2];
	struct new_times times = both_now;

	if (user) {
		if (copy_from_user(pair, user, sizeof(pair)))
			return -EFAULT;
		if (from_timeval(&pair[0], &times.access) || from_timeval(&pair[1], &times.modify))
			return -EINVAL;
	}
	if (!name && dirfd != AT_FDCWD)
		return times_of_descriptor(dirfd, &times);
	return times_of_name(dirfd, name, 0, &times);
}

long sys_utimes(uintptr_t name, uintptr_t times)
{
	return sys_futimesat(AT_FDCWD, name, times);
}

long sys_utime(uintptr_t name, uintptr_t user)
{
	int64_t pair[2]; /* struct utimbuf: actime, modtime in seconds */
	struct new_times times = both_now;

	if (user) {
		if (copy_from_user(pair, user, sizeof(pair)))
			return -EFAULT;
		times.access = (struct new_time){.ns = to_ns(pair[0], 0)};
		times.modify = (struct new_time){.ns = to_ns(pair[1], 0)};
	}
	return times_of_name(AT_FDCWD, name, 0, &times);
}
