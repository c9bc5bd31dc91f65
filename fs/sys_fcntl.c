/*
 * fs/sys_fcntl.c - fcntl and flock.
 *
 * Descriptor commands go to the table, lock commands to file_lock.c, what is left to the file's
 * own fcntl operation (pipes have some). An O_PATH descriptor knows only the first kind.
 *
 * The owner of a record lock is the descriptor table, whose address stands for the process; of
 * an OFD lock, the open file. F_SETLKW does not look for deadlocks (Linux: EDEADLK).
 */
#include <fs/file_lock.h>
#include <fs/file_table.h>
#include <fs/fs_private.h>
#include <fs/seal.h>
#include <fs/sys_fd.h>
#include <fs/sys_file.h>
#include <linux/fs.h>

#define SETFL_FLAGS (O_APPEND | O_NONBLOCK | O_NOATIME)

/* --- F_DUPFD, F_SETFL --- */

static long duplicate_from(int fd, uint32_t flags, uintptr_t min)
{
	if (min >= fs_limit(RLIMIT_NOFILE) || min > INT32_MAX)
		return -EINVAL;
	return descriptor_duplicate(fd, flags, (unsigned)min);
}

static int set_flags(struct file *file, uint32_t wanted)
{
	uint32_t flags = atomic_load(&file->flags);

	if ((wanted & ~flags & O_NOATIME) && !inode_owned(file->inode))
		return -EPERM;
	while (!atomic_compare_exchange_weak(
		&file->flags, &flags, (flags & ~(uint32_t)SETFL_FLAGS) | (wanted & SETFL_FLAGS)))
		;
	return 0;
}

/* --- record locks --- */

/* The user's struct flock as a range: EINVAL and EOVERFLOW as in fcntl(2). */
static int range_from_user(const struct file *file, const struct flock *user,
			   struct lock_range *range)
{
	int64_t first = user->l_start, base = 0, last;

	if (user->l_whence == SEEK_CUR)
		base = (int64_t)file->pos;
	else if (user->l_whence == SEEK_END)
		base = (int64_t)inode_size(file->inode);
	else if (user->l_whence != SEEK_SET)
		return -EINVAL;
	if (__builtin_add_overflow(first, base, &first))
		return -EOVERFLOW;
	last = INT64_MAX;
	if (user->l_len > 0 && __builtin_add_overflow(first, user->l_len - 1, &last))
		return -EOVERFLOW;
	if (user->l_len < 0) {
		last = first - 1;
		if (__builtin_add_overflow(first, user->l_len, &first))
			return -EINVAL;
	}
	if (first < 0)
		return -EINVAL;
	range->first = (uint64_t)first;
	range->last = (uint64_t)last;
	range->type = user->l_type;
	return 0;
}

static int check_lock_type(const struct file *file, int type)
{
	switch (type) {
	case F_RDLCK:
		return file->readable ? 0 : -EBADF;
	case F_WRLCK:
		return file->writable ? 0 : -EBADF;
	case F_UNLCK:
		return 0;
	default:
		return -EINVAL;
	}
}

static const void *lock_owner(const struct file *file, bool by_file)
{
	return by_file ? (const void *)file : current_task()->files;
}

/*
 * Another thread closed the descriptor while we took the lock, and may have dropped the table's
 * locks before there was ours: it goes now, as if we had come first.
 */
static int check_still_open(struct file *file, int fd)
{
	struct file *now = file_from_descriptor(fd);

	if (now)
		file_put(now);
	if (now == file)
		return 0;
	file_locks_drop(file->inode, current_task()->files);
	return -EBADF;
}

static int set_lock(struct file *file, int fd, uintptr_t arg, bool by_file, bool wait)
{
	struct lock_range range;
	struct flock user;
	int error;

	if (copy_from_user(&user, arg, sizeof(user)))
		return -EFAULT;
	if (by_file && user.l_pid != 0)
		return -EINVAL;
	error = range_from_user(file, &user, &range);
	if (!error)
		error = check_lock_type(file, user.l_type);
	if (error)
		return error;
	error = file_lock_range(file, lock_owner(file, by_file),
				by_file ? -1 : current_process()->pid, &range, wait);
	return error || by_file ? error : check_still_open(file, fd);
}

static int get_lock(struct file *file, uintptr_t arg, bool by_file)
{
	struct lock_range range, conflict;
	struct flock user;
	int error, pid;

	if (copy_from_user(&user, arg, sizeof(user)))
		return -EFAULT;
	if (user.l_type != F_RDLCK && user.l_type != F_WRLCK)
		return -EINVAL;
	if (by_file && user.l_pid != 0)
		return -EINVAL;
	error = range_from_user(file, &user, &range);
	if (error)
		return error;
	if (file_lock_conflict(file, lock_owner(file, by_file), &range, &conflict, &pid)) {
		user.l_type = conflict.type;
		user.l_whence = SEEK_SET;
		user.l_start = (int64_t)conflict.first;
		user.l_len = conflict.last >= INT64_MAX
				     ? 0
				     : (int64_t)(conflict.last - conflict.first + 1);
		user.l_pid = pid;
	} else {
		user.l_type = F_UNLCK;
	}
	return copy_to_user(arg, &user, sizeof(user));
}

static long lock_command(struct file *file, int fd, unsigned command, uintptr_t arg)
{
	switch (command) {
	case F_GETLK:
	case F_OFD_GETLK:
		return get_lock(file, arg, command == F_OFD_GETLK);
	case F_SETLK:
	case F_OFD_SETLK:
		return set_lock(file, fd, arg, command == F_OFD_SETLK, false);
	case F_SETLKW:
	case F_OFD_SETLKW:
		return set_lock(file, fd, arg, command == F_OFD_SETLKW, true);
	}
	return file->ops->fcntl ? file->ops->fcntl(file, command, arg) : -EINVAL;
}

/* --- the calls --- */

static long fcntl_file(struct file *file, int fd, unsigned command, uintptr_t arg)
{
	switch (command) {
	case F_DUPFD:
		return duplicate_from(fd, 0, arg);
	case F_DUPFD_CLOEXEC:
		return duplicate_from(fd, O_CLOEXEC, arg);
	case F_GETFD:
		return file_table_get_cloexec(fd);
	case F_SETFD:
		return file_table_set_cloexec(fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return atomic_load(&file->flags);
	}
	if (atomic_load(&file->flags) & O_PATH)
		return -EBADF;
	switch (command) {
	case F_SETFL:
		return set_flags(file, (uint32_t)arg);
	case F_ADD_SEALS:
		return file_add_seals(file, (uint32_t)arg);
	case F_GET_SEALS:
		return file_get_seals(file);
	}
	return lock_command(file, fd, command, arg);
}

long sys_fcntl(int fd, unsigned command, uintptr_t arg)
{
	struct borrowed_file borrowed;
	long result;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	result = fcntl_file(borrowed.file, fd, command, arg);
	file_return(&borrowed);
	return result;
}

long sys_flock(int fd, int operation)
{
	struct borrowed_file borrowed;
	long result = -EBADF;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (!(atomic_load(&borrowed.file->flags) & O_PATH))
		result = file_flock(borrowed.file, operation);
	file_return(&borrowed);
	return result;
}
