/*
 * fs/sys_fd.c - dup, dup2, dup3, ioctl.
 *
 * Not here: fcntl (sys_fcntl.c), fsync (sys_sync.c), what a device's ioctl means (the file's own
 * operations).
 */
#include <asm/ioctls.h>
#include <fs/file_table.h>
#include <fs/sys_fd.h>
#include <fs/sys_file.h>

/* --- dup --- */

long descriptor_duplicate(int fd, uint32_t flags, unsigned min)
{
	struct file *file = file_from_descriptor(fd);
	int result;

	if (!file)
		return -EBADF;
	result = file_table_install(file, flags, min);
	if (result < 0)
		file_put(file);
	return result;
}

static long duplicate_to(int old_fd, int new_fd, uint32_t flags)
{
	struct file *file = file_from_descriptor(old_fd);
	int result;

	if (!file)
		return -EBADF;
	result = file_table_replace(new_fd, file, flags);
	if (result < 0)
		file_put(file);
	return result;
}

long sys_dup(int fd)
{
	return descriptor_duplicate(fd, 0, 0);
}

long sys_dup2(int old_fd, int new_fd)
{
	struct borrowed_file borrowed;

	if (old_fd != new_fd)
		return duplicate_to(old_fd, new_fd, 0);
	if (!file_borrow(old_fd, &borrowed))
		return -EBADF;
	file_return(&borrowed);
	return new_fd;
}

long sys_dup3(int old_fd, int new_fd, uint32_t flags)
{
	if ((flags & ~(uint32_t)O_CLOEXEC) || old_fd == new_fd)
		return -EINVAL;
	return duplicate_to(old_fd, new_fd, flags);
}

/* --- ioctl --- */

static int set_flag(struct file *file, uint32_t flag, uintptr_t arg)
{
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	if (on)
		atomic_fetch_or(&file->flags, flag);
	else
		atomic_fetch_and(&file->flags, ~flag);
	return 0;
}

/* FIONREAD of a regular file: what is left until its end. */
static int put_bytes_left(struct file *file, uintptr_t arg)
{
	int left =
		(int)MIN((int64_t)INT32_MAX, (int64_t)inode_size(file->inode) - (int64_t)file->pos);

	return put_user(arg, left);
}

static long ioctl_file(struct file *file, int fd, unsigned command, uintptr_t arg)
{
	if (atomic_load(&file->flags) & O_PATH)
		return -EBADF;
	switch (command) {
	case FIOCLEX:
		return file_table_set_cloexec(fd, true);
	case FIONCLEX:
		return file_table_set_cloexec(fd, false);
	case FIONBIO:
		return set_flag(file, O_NONBLOCK, arg);
	case FIONREAD:
		if (file->inode->object)
			return put_bytes_left(file, arg);
	}
	return file->ops->ioctl ? file->ops->ioctl(file, command, arg) : -ENOTTY;
}

long sys_ioctl(int fd, unsigned command, uintptr_t arg)
{
	struct borrowed_file borrowed;
	long result;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	result = ioctl_file(borrowed.file, fd, command, arg);
	file_return(&borrowed);
	return result;
}
