/*
 * fs/name.c - making and removing names: mkdir, mknod, symlink, link, unlink, rmdir.
 *
 * Called by the system calls (sys_name.c) and by the kernel itself, with kernel strings. All go
 * the same way: walk to the directory of the last component, lock it, look the component up,
 * check in Linux's order (so that the errno is the same when several are due), let the file
 * system do its part, change the tree of dentries, unlock.
 *
 * Locks: the directory's, then the inode's that loses or gains the name (parent before child).
 * Not here: rename (rename.c), creating by open (open.c). Tests: tests/guest/name_*.c.
 */
#include <fs/dentry.h>
#include <fs/fs_private.h>
#include <fs/name.h>

/* The last component of a name, its directory locked. */
struct name_target {
	struct walk walk;
	struct last_name last;
	struct inode *dir;     /* locked */
	struct dentry *dentry; /* the new name without an inode, or the existing one */
};

static void target_end(struct name_target *target) NO_THREAD_SAFETY_ANALYSIS
{
	mutex_unlock(&target->dir->lock);
	dentry_put(target->dentry);
	walk_end(&target->walk);
}

static int target_walk(struct name_target *target, int dirfd, const char *name)
{
	int error;

	target->dentry = NULL;
	error = walk_begin(&target->walk, dirfd, name, 0);
	if (error)
		return error;
	error = walk_to_parent(&target->walk, &target->last);
	if (error)
		walk_end(&target->walk);
	else
		target->dir = target->walk.at.dentry->inode;
	return error;
}

/* --- making --- */

/* The name must not exist; the caller may write in the directory. */
static int check_new(struct name_target *target, bool directory)
{
	struct dentry *parent = target->walk.at.dentry;
	int error;

	if (parent->unlinked)
		return -ENOENT;
	error = dentry_lookup_locked(parent, &target->last.name, &target->dentry);
	if (!error)
		return -EEXIST;
	if (error != -ENOENT)
		return error;
	if (target->last.trailing_slash && !directory)
		return -ENOENT;
	if (!target->dir->ops->create)
		return -ENOENT; /* as Linux in /proc */
	error = mount_want_write(target->walk.at.mount);
	return error ? error : inode_permission(target->dir, MAY_WRITE | MAY_EXEC);
}

/* 0 with the directory locked and target->dentry a new name; `directory`: it may end in '/'. */
static int begin_new(struct name_target *target, int dirfd, const char *name, bool directory)
	NO_THREAD_SAFETY_ANALYSIS
{
	int error = target_walk(target, dirfd, name);

	if (error)
		return error;
	if (target->last.kind != LAST_NAME) {
		walk_end(&target->walk);
		return -EEXIST;
	}
	mutex_lock(&target->dir->lock);
	error = check_new(target, directory);
	if (!error) {
		target->dentry = dentry_create(target->walk.at.dentry, &target->last.name);
		error = target->dentry ? 0 : -ENOMEM;
	}
	if (error)
		target_end(target);
	return error;
}

static int create_node(int dirfd, const char *name, uint32_t mode, uint64_t device)
{
	struct name_target target;
	int error = begin_new(&target, dirfd, name, S_ISDIR(mode));

	if (error)
		return error;
	error = target.dir->ops->create(target.dir, target.dentry, mode, device);
	target_end(&target);
	return error;
}

int name_mkdir(int dirfd, const char *name, uint32_t permissions)
{
	return create_node(dirfd, name, S_IFDIR | (permissions & 01777), 0);
}

int name_mknod(int dirfd, const char *name, uint32_t mode, uint64_t device)
{
	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	mode &= S_IFMT | 07777;
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		return create_node(dirfd, name, mode, 0);
	case S_IFCHR:
	case S_IFBLK:
		return fs_uid() == 0 ? create_node(dirfd, name, mode, device) : -EPERM;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

int name_symlink(const char *target_text, int dirfd, const char *name)
{
	struct name_target target;
	int error;

	if (!*target_text)
		return -ENOENT;
	error = begin_new(&target, dirfd, name, false);
	if (error)
		return error;
	error = -EPERM;
	if (target.dir->ops->symlink)
		error = target.dir->ops->symlink(target.dir, target.dentry, target_text);
	target_end(&target);
	return error;
}

/* The directory is locked, `inode` is not. */
static int link_inode(struct name_target *target, const struct path *old)
{
	struct inode *inode = old->dentry->inode;
	int error;

	if (old->mount != target->walk.at.mount)
		return -EXDEV;
	if (S_ISDIR(inode->mode) || !target->dir->ops->link)
		return -EPERM;
	mutex_lock(&inode->lock);
	if (inode->links == 0)
		error = -ENOENT;
	else
		error = target->dir->ops->link(target->dir, target->dentry, inode);
	mutex_unlock(&inode->lock);
	return error;
}

int name_link(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
	      int at_flags)
{
	unsigned lookup = (at_flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
			  (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	struct name_target target;
	struct path old;
	int error;

	error = path_lookup(old_dirfd, old_name, lookup, &old);
	if (error)
		return error;
	error = begin_new(&target, new_dirfd, new_name, false);
	if (!error) {
		error = link_inode(&target, &old);
		target_end(&target);
	}
	path_put(&old);
	return error;
}

/* --- removing --- */

int name_may_remove(const struct inode *dir, const struct dentry *dentry)
{
	const struct inode *inode = dentry->inode;
	int error = inode_permission(dir, MAY_WRITE | MAY_EXEC);

	if (error)
		return error;
	if ((dir->mode & S_ISVTX) && !inode_owned(inode) && !inode_owned(dir))
		return -EPERM;
	return 0;
}

/* Looks the name up: 0 with target->dentry, the directory locked. */
static int begin_removal(struct name_target *target) NO_THREAD_SAFETY_ANALYSIS
{
	int error = mount_want_write(target->walk.at.mount);

	if (error) {
		walk_end(&target->walk);
		return error;
	}
	mutex_lock(&target->dir->lock);
	error = dentry_lookup_locked(target->walk.at.dentry, &target->last.name, &target->dentry);
	if (error)
		target_end(target);
	return error;
}

static int unlink_checked(struct name_target *target)
{
	struct inode *inode = target->dentry->inode;
	int error;

	if (target->last.trailing_slash)
		return S_ISDIR(inode->mode) ? -EISDIR : -ENOTDIR;
	error = name_may_remove(target->dir, target->dentry);
	if (error)
		return error;
	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!target->dir->ops->unlink)
		return -EPERM;
	mutex_lock(&inode->lock);
	error = -EBUSY;
	if (!atomic_load(&target->dentry->mounts))
		error = target->dir->ops->unlink(target->dir, target->dentry);
	if (!error)
		dentry_remove(target->dentry); /* under the lock: nothing is mounted on it */
	mutex_unlock(&inode->lock);
	return error;
}

int name_unlink(int dirfd, const char *name)
{
	struct name_target target;
	int error = target_walk(&target, dirfd, name);

	if (error)
		return error;
	if (target.last.kind != LAST_NAME) {
		walk_end(&target.walk);
		return -EISDIR;
	}
	error = begin_removal(&target);
	if (error)
		return error;
	error = unlink_checked(&target);
	target_end(&target);
	return error;
}

static int rmdir_checked(struct name_target *target)
{
	struct inode *inode = target->dentry->inode;
	int error = name_may_remove(target->dir, target->dentry);

	if (error)
		return error;
	if (!S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (!target->dir->ops->rmdir)
		return -EPERM;
	mutex_lock(&inode->lock);
	if (atomic_load(&target->dentry->mounts))
		error = -EBUSY;
	else if (!dentry_empty(target->dentry))
		error = -ENOTEMPTY;
	else
		error = target->dir->ops->rmdir(target->dir, target->dentry);
	if (!error)
		dentry_remove(target->dentry);
	mutex_unlock(&inode->lock);
	return error;
}

int name_rmdir(int dirfd, const char *name)
{
	/* What the last component may not be, in the order of enum last_kind: rmdir(2). */
	static const int errors[] = {
		[LAST_ROOT] = -EBUSY, [LAST_DOT] = -EINVAL, [LAST_DOTDOT] = -ENOTEMPTY};
	struct name_target target;
	int error = target_walk(&target, dirfd, name);

	if (error)
		return error;
	if (target.last.kind != LAST_NAME) {
		walk_end(&target.walk);
		return errors[target.last.kind];
	}
	error = begin_removal(&target);
	if (error)
		return error;
	error = rmdir_checked(&target);
	target_end(&target);
	return error;
}
