/*
 * fs/sys_open.c - open, openat, creat, close, close_range.
 *
 * The descriptor is reserved before the name is walked, so that EMFILE creates no file, and
 * filled when all went well. What open does is in open.c.
 */
#include <fs/file_table.h>
#include <fs/fs_context.h>
#include <fs/name.h>
#include <fs/sys_file.h>
#include <linux/close_range.h>
#include <mm/heap.h>

/* Unnamed files are not supported; O_TMPFILE contains O_DIRECTORY. */
static int check_open_flags(uint32_t flags)
{
	if ((flags & __O_TMPFILE) && !(flags & O_PATH))
		return (flags & O_DIRECTORY) && (flags & O_ACCMODE) ? -EOPNOTSUPP : -EINVAL;
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY) && !(flags & O_PATH))
		return -EINVAL;
	return 0;
}

static long open_reserved(int dirfd, const char *name, uint32_t flags, uint32_t mode)
{
	int descriptor = file_table_reserve(flags, 0);
	struct file *file;
	int error;

	if (descriptor < 0)
		return descriptor;
	error = name_open(dirfd, name, flags, fs_context_mask(mode & 07777), &file);
	if (error) {
		file_table_unreserve(descriptor);
		return error;
	}
	file_table_fill(descriptor, file);
	return descriptor;
}

long sys_openat(int dirfd, uintptr_t user_name, uint32_t flags, uint32_t mode)
{
	char *name;
	long result = check_open_flags(flags);

	if (result)
		return result;
	result = path_copy_from_user(user_name, &name);
	if (result)
		return result;
	result = open_reserved(dirfd, name, flags, mode);
	kfree(name);
	return result;
}

long sys_open(uintptr_t name, uint32_t flags, uint32_t mode)
{
	return sys_openat(AT_FDCWD, name, flags, mode);
}

long sys_creat(uintptr_t name, uint32_t mode)
{
	return sys_openat(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

long sys_close(int fd)
{
	return file_table_close(fd);
}

long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	int error;

	if ((flags & ~(unsigned)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		error = file_table_unshare();
		if (error)
			return error;
	}
	file_table_close_range(first, last, flags & CLOSE_RANGE_CLOEXEC);
	return 0;
}
