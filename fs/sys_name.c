/*
 * fs/sys_name.c - the system calls that make, remove, rename and read names.
 *
 * They copy the user's strings, apply the umask and check flags; the work is in name.c and
 * rename.c.
 */
#include <fs/fs_context.h>
#include <fs/name.h>
#include <fs/sys_file.h>
#include <kernel/base/errno.h>
#include <linux/limits.h>
#include <mm/heap.h>

/* --- one name --- */

long sys_mkdirat(int dirfd, uintptr_t user, uint32_t mode)
{
	char *name;
	long error = path_copy_from_user(user, &name);

	if (error)
		return error;
	error = name_mkdir(dirfd, name, fs_context_mask(mode));
	kfree(name);
	return error;
}

long sys_mkdir(uintptr_t name, uint32_t mode)
{
	return sys_mkdirat(AT_FDCWD, name, mode);
}

long sys_mknodat(int dirfd, uintptr_t user, uint32_t mode, uint32_t device)
{
	char *name;
	long error = path_copy_from_user(user, &name);

	if (error)
		return error;
	error = name_mknod(dirfd, name, fs_context_mask(mode), device);
	kfree(name);
	return error;
}

long sys_mknod(uintptr_t name, uint32_t mode, uint32_t device)
{
	return sys_mknodat(AT_FDCWD, name, mode, device);
}

long sys_unlinkat(int dirfd, uintptr_t user, int flags)
{
	char *name;
	long error;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	error = path_copy_from_user(user, &name);
	if (error)
		return error;
	error = flags & AT_REMOVEDIR ? name_rmdir(dirfd, name) : name_unlink(dirfd, name);
	kfree(name);
	return error;
}

long sys_unlink(uintptr_t name)
{
	return sys_unlinkat(AT_FDCWD, name, 0);
}

long sys_rmdir(uintptr_t name)
{
	return sys_unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

/* --- two names --- */

static int copy_two(uintptr_t first_user, uintptr_t second_user, char **first, char **second)
{
	int error = path_copy_from_user(first_user, first);

	if (error)
		return error;
	error = path_copy_from_user(second_user, second);
	if (error)
		kfree(*first);
	return error;
}

long sys_symlinkat(uintptr_t target_user, int dirfd, uintptr_t user)
{
	char *target, *name;
	long error = copy_two(target_user, user, &target, &name);

	if (error)
		return error;
	error = name_symlink(target, dirfd, name);
	kfree(target);
	kfree(name);
	return error;
}

long sys_symlink(uintptr_t target, uintptr_t name)
{
	return sys_symlinkat(target, AT_FDCWD, name);
}

long sys_linkat(int old_dirfd, uintptr_t old_user, int new_dirfd, uintptr_t new_user, int flags)
{
	char *old_name, *new_name;
	long error;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	error = copy_two(old_user, new_user, &old_name, &new_name);
	if (error)
		return error;
	error = name_link(old_dirfd, old_name, new_dirfd, new_name, flags);
	kfree(old_name);
	kfree(new_name);
	return error;
}

long sys_link(uintptr_t old_name, uintptr_t new_name)
{
	return sys_linkat(AT_FDCWD, old_name, AT_FDCWD, new_name, 0);
}

long sys_renameat2(int old_dirfd, uintptr_t old_user, int new_dirfd, uintptr_t new_user,
		   unsigned flags)
{
	char *old_name, *new_name;
	long error = copy_two(old_user, new_user, &old_name, &new_name);

	if (error)
		return error;
	error = name_rename(old_dirfd, old_name, new_dirfd, new_name, flags);
	kfree(old_name);
	kfree(new_name);
	return error;
}

long sys_renameat(int old_dirfd, uintptr_t old_name, int new_dirfd, uintptr_t new_name)
{
	return sys_renameat2(old_dirfd, old_name, new_dirfd, new_name, 0);
}

long sys_rename(uintptr_t old_name, uintptr_t new_name)
{
	return sys_renameat2(AT_FDCWD, old_name, AT_FDCWD, new_name, 0);
}

/* --- readlink --- */

static long put_link(struct inode *inode, uintptr_t buf, size_t size)
{
	char *text;
	ssize_t length;

	if (!S_ISLNK(inode->mode) || !inode->ops->readlink)
		return -EINVAL;
	size = MIN(size, (size_t)PATH_MAX);
	text = kmalloc(size);
	if (!text)
		return -ENOMEM;
	length = inode->ops->readlink(inode, text, size);
	if (length > 0 && copy_to_user(buf, text, (size_t)length))
		length = -EFAULT;
	kfree(text);
	inode_accessed(inode);
	return length;
}

/* "" is dirfd itself, which must be a link then (opened with O_PATH | O_NOFOLLOW). */
static long readlink_name(int dirfd, const char *name, uintptr_t buf, size_t size)
{
	struct path path;
	long result = path_lookup(dirfd, name, LOOKUP_EMPTY, &path);

	if (result)
		return result;
	if (!*name && !S_ISLNK(path.dentry->inode->mode))
		result = -ENOENT;
	else
		result = put_link(path.dentry->inode, buf, size);
	path_put(&path);
	return result;
}

long sys_readlinkat(int dirfd, uintptr_t user, uintptr_t buf, int size)
{
	char *name;
	long result;

	if (size <= 0)
		return -EINVAL;
	result = path_copy_from_user(user, &name);
	if (result)
		return result;
	result = readlink_name(dirfd, name, buf, (size_t)size);
	kfree(name);
	return result;
}

long sys_readlink(uintptr_t name, uintptr_t buf, int size)
{
	return sys_readlinkat(AT_FDCWD, name, buf, size);
}
