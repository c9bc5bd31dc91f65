/*
 * fs/rename.c - rename(2): one name takes another's place, at once.
 *
 * Called by the rename system calls. The checks come in Linux's order. A directory may not be
 * moved below itself (EINVAL) nor onto one of its ancestors (ENOTEMPTY); with RENAME_EXCHANGE
 * both must hold both ways.
 *
 * Locks: mount_lock when the directories differ, so that the shape of the tree stands still
 * and two renames cannot each make the other's directory their child. Then the directories: an
 * ancestor before what is below it, else by address. Then the inode that loses its name. Whoever
 * has the old or the new name open sees nothing in between: dentry_move is one step under
 * dentry_tree_lock.
 *
 * Not here: the file system's counts (its rename operation). Tests: tests/guest/name_*.c.
 */
#include <fs/dentry.h>
#include <fs/fs_private.h>
#include <fs/name.h>
#include <linux/fs.h>
#include <mm/heap.h>

#define RENAME_KNOWN_FLAGS (RENAME_NOREPLACE | RENAME_EXCHANGE)

struct rename {
	struct walk from_walk, to_walk;
	struct last_name from_last, to_last;
	struct inode *from_dir, *to_dir;
	struct dentry *from, *to; /* references; `to` may be new, without an inode */
	unsigned flags;
};

static bool same_directory(const struct rename *rename)
{
	return rename->from_dir == rename->to_dir;
}

/* --- locks --- */

static void lock_directories(struct rename *rename) NO_THREAD_SAFETY_ANALYSIS
{
	struct dentry *from = rename->from_walk.at.dentry, *to = rename->to_walk.at.dentry;
	struct inode *first = rename->from_dir, *second = rename->to_dir;

	if (same_directory(rename)) {
		mutex_lock(&first->lock);
		return;
	}
	mutex_lock(&mount_lock);
	if (dentry_below(from, to) || (!dentry_below(to, from) && second < first)) {
		first = rename->to_dir;
		second = rename->from_dir;
	}
	mutex_lock(&first->lock);
	mutex_lock(&second->lock);
}

static void unlock_directories(struct rename *rename) NO_THREAD_SAFETY_ANALYSIS
{
	mutex_unlock(&rename->from_dir->lock);
	if (same_directory(rename))
		return;
	mutex_unlock(&rename->to_dir->lock);
	mutex_unlock(&mount_lock);
}

/* --- finding both names; the directories are locked --- */

static int find_target(struct rename *rename)
{
	struct dentry *parent = rename->to_walk.at.dentry;
	int error = dentry_lookup_locked(parent, &rename->to_last.name, &rename->to);

	if (!error)
		return rename->flags & RENAME_NOREPLACE ? -EEXIST : 0;
	if (error != -ENOENT)
		return error;
	if (rename->flags & RENAME_EXCHANGE)
		return -ENOENT;
	if (parent->unlinked)
		return -ENOENT;
	rename->to = dentry_create(parent, &rename->to_last.name);
	return rename->to ? 0 : -ENOMEM;
}

static int check_slashes(const struct rename *rename)
{
	const struct inode *target = rename->to->inode;

	if (rename->flags & RENAME_EXCHANGE) {
		if (rename->to_last.trailing_slash && !S_ISDIR(target->mode))
			return -ENOTDIR;
	} else if (rename->to_last.trailing_slash && !S_ISDIR(rename->from->inode->mode)) {
		return -ENOTDIR;
	}
	if (rename->from_last.trailing_slash && !S_ISDIR(rename->from->inode->mode))
		return -ENOTDIR;
	return 0;
}

static int check_ancestors(const struct rename *rename)
{
	if (dentry_below(rename->to_walk.at.dentry, rename->from))
		return -EINVAL;
	if (rename->to->inode && dentry_below(rename->from_walk.at.dentry, rename->to))
		return rename->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int find_both(struct rename *rename)
{
	int error;

	error = dentry_lookup_locked(rename->from_walk.at.dentry, &rename->from_last.name,
				     &rename->from);
	if (!error)
		error = find_target(rename);
	if (!error)
		error = check_slashes(rename);
	return error ? error : check_ancestors(rename);
}

/* --- rights --- */

/* The name that is replaced, or exchanged, must be removable and of the right type. */
static int check_target(const struct rename *rename)
{
	bool directory = S_ISDIR(rename->from->inode->mode);
	const struct dentry *to = rename->to;
	int error;

	if (!to->inode)
		return inode_permission(rename->to_dir, MAY_WRITE | MAY_EXEC);
	error = name_may_remove(rename->to_dir, to);
	if (error || (rename->flags & RENAME_EXCHANGE))
		return error;
	if (directory && !S_ISDIR(to->inode->mode))
		return -ENOTDIR;
	if (!directory && S_ISDIR(to->inode->mode))
		return -EISDIR;
	return 0;
}

/* A directory that gets another parent is changed itself: its "..". */
static int check_moved_directory(const struct rename *rename, const struct dentry *moved)
{
	if (same_directory(rename) || !S_ISDIR(moved->inode->mode))
		return 0;
	return inode_permission(moved->inode, MAY_WRITE);
}

static int check_rights(const struct rename *rename)
{
	int error = name_may_remove(rename->from_dir, rename->from);

	if (!error)
		error = check_target(rename);
	if (!error)
		error = check_moved_directory(rename, rename->from);
	if (!error && (rename->flags & RENAME_EXCHANGE))
		error = check_moved_directory(rename, rename->to);
	if (!error && !rename->from_dir->ops->rename)
		error = -EPERM;
	return error;
}

/* --- doing it --- */

static int rename_locked(struct rename *rename)
{
	struct dentry *from = rename->from, *to = rename->to;

	if (atomic_load(&from->mounts) || atomic_load(&to->mounts))
		return -EBUSY;
	if (to->inode && !(rename->flags & RENAME_EXCHANGE) && !dentry_empty(to))
		return -ENOTEMPTY;
	return rename->from_dir->ops->rename(rename->from_dir, from, rename->to_dir, to,
					     rename->flags);
}

static int rename_replacing(struct rename *rename) NO_THREAD_SAFETY_ANALYSIS
{
	struct inode *replaced = rename->to->inode;
	char *spare = NULL;
	int error;

	if (replaced) {
		spare = kstrdup(rename->to->name);
		if (!spare)
			return -ENOMEM;
		mutex_lock(&replaced->lock);
	}
	error = rename_locked(rename);
	if (!error)
		dentry_move(rename->from, rename->to, spare);
	else
		kfree(spare);
	if (replaced)
		mutex_unlock(&replaced->lock);
	return error;
}

static int rename_both_found(struct rename *rename)
{
	int error;

	if (rename->from->inode == rename->to->inode)
		return 0; /* two names of one file: nothing to do, says POSIX */
	error = check_rights(rename);
	if (error)
		return error;
	if (!(rename->flags & RENAME_EXCHANGE))
		return rename_replacing(rename);
	error = rename_locked(rename);
	if (!error)
		dentry_exchange(rename->from, rename->to);
	return error;
}

/* --- the way in --- */

static int rename_walked(struct rename *rename)
{
	struct mount *mount = rename->from_walk.at.mount;
	int error;

	if (mount != rename->to_walk.at.mount)
		return -EXDEV;
	if (rename->from_last.kind != LAST_NAME)
		return -EBUSY;
	if (rename->to_last.kind != LAST_NAME)
		return rename->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	error = mount_want_write(mount);
	if (error)
		return error;
	rename->from_dir = rename->from_walk.at.dentry->inode;
	rename->to_dir = rename->to_walk.at.dentry->inode;
	lock_directories(rename);
	error = find_both(rename);
	if (!error)
		error = rename_both_found(rename);
	unlock_directories(rename);
	dentry_put(rename->from);
	dentry_put(rename->to);
	return error;
}

int name_rename(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
		unsigned flags)
{
	struct rename rename = {.flags = flags};
	int error;

	if ((flags & ~RENAME_KNOWN_FLAGS) || flags == RENAME_KNOWN_FLAGS)
		return -EINVAL;
	error = walk_begin(&rename.from_walk, old_dirfd, old_name, 0);
	if (error)
		return error;
	error = walk_to_parent(&rename.from_walk, &rename.from_last);
	if (error)
		goto end_from;
	error = walk_begin(&rename.to_walk, new_dirfd, new_name, 0);
	if (error)
		goto end_from;
	error = walk_to_parent(&rename.to_walk, &rename.to_last);
	if (!error)
		error = rename_walked(&rename);
	walk_end(&rename.to_walk);
end_from:
	walk_end(&rename.from_walk);
	return error;
}
