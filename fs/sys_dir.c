/*
 * fs/sys_dir.c - getdents64, getcwd, chdir, fchdir, chroot, umask.
 *
 * getdents64: the file system puts names through a dir_context whose `put` writes records straight
 * to the user; the position it goes on from is a cookie of the last name taken, so names removed
 * between two calls (rm -r) neither hide nor repeat others.
 *
 * Locks: the position, then the directory's inode, while names are put (user memory may be
 * faulted in meanwhile).
 */
#include <fs/file_table.h>
#include <fs/fs_context.h>
#include <fs/fs_private.h>
#include <fs/path.h>
#include <fs/sys_file.h>
#include <linux/limits.h>
#include <mm/heap.h>
#include <string.h>

/* struct linux_dirent64 of getdents64(2); the name follows, NUL-terminated. */
struct dirent64_header {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
} packed_struct;

#define DIRENT_MAX ALIGN_UP(sizeof(struct dirent64_header) + NAME_MAX_BYTES + 1, 8)

struct getdents {
	struct dir_context context;
	uintptr_t buf;
	size_t left, used;
	int error; /* why `put` refused */
};

static bool getdents_put(struct dir_context *context, const char *name, size_t length,
			 uint64_t inode, unsigned type, uint64_t next_position)
{
	struct getdents *dents = container_of(context, struct getdents, context);
	size_t size = ALIGN_UP(sizeof(struct dirent64_header) + length + 1, 8);
	struct dirent64_header header = {inode, (int64_t)next_position, (uint16_t)size,
					 (uint8_t)type};
	char record[DIRENT_MAX];

	if (size > dents->left) {
		dents->error = -EINVAL; /* not even one fits, unless some were put before */
		return false;
	}
	memset(record, 0, size);
	memcpy(record, &header, sizeof(header));
	memcpy(record + sizeof(header), name, length);
	dents->error = copy_to_user(dents->buf + dents->used, record, size);
	if (dents->error)
		return false;
	dents->used += size;
	dents->left -= size;
	return true;
}

static long read_names(struct file *file, struct getdents *dents)
{
	struct inode *inode = file->inode;
	int error;

	if (!S_ISDIR(inode->mode) || !file->ops->readdir)
		return -ENOTDIR;
	mutex_lock(&file->pos_lock);
	dents->context.position = file->pos;
	mutex_lock(&inode->lock);
	if (file->path.dentry->unlinked)
		error = -ENOENT;
	else
		error = file->ops->readdir(file, &dents->context);
	file_accessed(file);
	mutex_unlock(&inode->lock);
	file->pos = dents->context.position;
	mutex_unlock(&file->pos_lock);
	if (dents->used)
		return (long)dents->used;
	return error ? error : dents->error;
}

long sys_getdents64(int fd, uintptr_t buf, unsigned size)
{
	struct getdents dents = {.context = {.put = getdents_put}, .buf = buf, .left = size};
	struct borrowed_file borrowed;
	long result;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (atomic_load(&borrowed.file->flags) & O_PATH)
		result = -EBADF;
	else
		result = read_names(borrowed.file, &dents);
	file_return(&borrowed);
	return result;
}

/* --- where we are --- */

static long cwd_name(const struct path *cwd, char *text, uintptr_t buf, size_t size)
{
	size_t length;

	if (cwd->dentry->unlinked)
		return -ENOENT;
	if (!path_name(cwd, text, PATH_MAX))
		return -ENAMETOOLONG;
	length = strlen(text) + 1;
	if (length > size)
		return -ERANGE;
	return copy_to_user(buf, text, length) ? -EFAULT : (long)length;
}

long sys_getcwd(uintptr_t buf, size_t size)
{
	char *text = kmalloc(PATH_MAX);
	struct path cwd;
	long result;

	if (!text)
		return -ENOMEM;
	fs_context_cwd(&cwd);
	result = cwd_name(&cwd, text, buf, size);
	path_put(&cwd);
	kfree(text);
	return result;
}

long sys_chdir(uintptr_t name)
{
	struct path path;
	long error = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

	if (error)
		return error;
	error = inode_permission(path.dentry->inode, MAY_EXEC);
	if (!error)
		fs_context_set_cwd(&path);
	path_put(&path);
	return error;
}

long sys_fchdir(int fd)
{
	struct borrowed_file borrowed;
	long error = -ENOTDIR;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (S_ISDIR(borrowed.file->inode->mode))
		error = inode_permission(borrowed.file->inode, MAY_EXEC);
	if (!error)
		fs_context_set_cwd(&borrowed.file->path);
	file_return(&borrowed);
	return error;
}

long sys_chroot(uintptr_t name)
{
	struct path path;
	long error = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

	if (error)
		return error;
	error = inode_permission(path.dentry->inode, MAY_EXEC);
	if (!error && fs_uid() != 0)
		error = -EPERM;
	if (!error)
		fs_context_set_root(&path);
	path_put(&path);
	return error;
}

long sys_umask(uint32_t mask)
{
	return atomic_exchange(&current_task()->fs->umask, mask & 0777);
}
