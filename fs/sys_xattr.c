/*
 * fs/sys_xattr.c - extended attributes (xattr(7)): no file system here keeps any.
 *
 * Reading or setting one is EOPNOTSUPP, as Linux says of such a file system; the list is empty. The
 * file itself must exist. Programs (ls -l, cp -a) then go on without.
 */
#include <fs/file.h>
#include <fs/path.h>
#include <fs/sys_file.h>
#include <kernel/base/errno.h>

static long by_path(uintptr_t path, unsigned flags, long result)
{
	struct path found;
	int error = path_lookup_user(AT_FDCWD, path, flags, &found);

	if (error)
		return error;
	path_put(&found);
	return result;
}

static long by_descriptor(int fd, long result)
{
	struct file *file = file_from_descriptor(fd);

	if (!file)
		return -EBADF;
	if (atomic_load(&file->flags) & O_PATH)
		result = -EBADF;
	file_put(file);
	return result;
}

long sys_setxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size, int flags)
{
	(void)name;
	(void)value;
	(void)size;
	(void)flags;
	return by_path(path, LOOKUP_FOLLOW, -EOPNOTSUPP);
}

long sys_lsetxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size, int flags)
{
	(void)name;
	(void)value;
	(void)size;
	(void)flags;
	return by_path(path, 0, -EOPNOTSUPP);
}

long sys_fsetxattr(int fd, uintptr_t name, uintptr_t value, size_t size, int flags)
{
	(void)name;
	(void)value;
	(void)size;
	(void)flags;
	return by_descriptor(fd, -EOPNOTSUPP);
}

long sys_getxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size)
{
	(void)name;
	(void)value;
	(void)size;
	return by_path(path, LOOKUP_FOLLOW, -EOPNOTSUPP);
}

long sys_lgetxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size)
{
	(void)name;
	(void)value;
	(void)size;
	return by_path(path, 0, -EOPNOTSUPP);
}

long sys_fgetxattr(int fd, uintptr_t name, uintptr_t value, size_t size)
{
	(void)name;
	(void)value;
	(void)size;
	return by_descriptor(fd, -EOPNOTSUPP);
}

long sys_listxattr(uintptr_t path, uintptr_t list, size_t size)
{
	(void)list;
	(void)size;
	return by_path(path, LOOKUP_FOLLOW, 0);
}

long sys_llistxattr(uintptr_t path, uintptr_t list, size_t size)
{
	(void)list;
	(void)size;
	return by_path(path, 0, 0);
}

long sys_flistxattr(int fd, uintptr_t list, size_t size)
{
	(void)list;
	(void)size;
	return by_descriptor(fd, 0);
}

long sys_removexattr(uintptr_t path, uintptr_t name)
{
	(void)name;
	return by_path(path, LOOKUP_FOLLOW, -EOPNOTSUPP);
}

long sys_lremovexattr(uintptr_t path, uintptr_t name)
{
	(void)name;
	return by_path(path, 0, -EOPNOTSUPP);
}

long sys_fremovexattr(int fd, uintptr_t name)
{
	(void)name;
	return by_descriptor(fd, -EOPNOTSUPP);
}
