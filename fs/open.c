/*
 * fs/open.c - open(2): from a name to an open file.
 *
 * Called by the open system calls, by exec (file_open_exec), and by the kernel itself. With
 * O_CREAT the walk stops at the last component, and under the directory's lock it is found or
 * made, so that O_EXCL is exact; a link found there is walked on from. Then what was found is
 * opened: type, rights, O_TRUNC, and at last the kind's own open operation, which may wait (a
 * FIFO for its other end).
 *
 * inode->writers: > 0 open for writing, < 0 being executed; each shuts the other out (ETXTBSY).
 *
 * Locks: the directory's while looking and making; none across the kind's open.
 * Not here: descriptors (sys_open.c). Tests: tests/guest/open_*.c.
 */
#include <fs/dentry.h>
#include <fs/file.h>
#include <fs/fs_private.h>
#include <fs/name.h>

/* Flags for open and the descriptor only: F_GETFL does not show them, as on Linux. */
#define OPEN_ONLY_FLAGS (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

static const struct file_operations path_only_operations;

/* --- writers against execution --- */

bool inode_take_share(struct inode *inode, int share)
{
	int32_t writers = atomic_load(&inode->writers);

	do {
		if (share > 0 ? writers < 0 : writers > 0)
			return false;
	} while (!atomic_compare_exchange_weak(&inode->writers, &writers, writers + share));
	return true;
}

/* --- opening what was found --- */

static unsigned wanted_rights(uint32_t flags)
{
	unsigned want = 0;

	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		want = MAY_READ;
		break;
	case O_WRONLY:
		want = MAY_WRITE;
		break;
	default: /* 3 asks for both rights and gives neither: open(2), "access mode 3" */
		want = MAY_READ | MAY_WRITE;
	}
	return flags & O_TRUNC ? want | MAY_WRITE : want;
}

static int check_type(const struct path *path, uint32_t flags, unsigned want)
{
	const struct inode *inode = path->dentry->inode;

	if ((flags & O_DIRECTORY) && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if (S_ISDIR(inode->mode) && (want & MAY_WRITE))
		return -EISDIR;
	if ((S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) &&
	    (atomic_load(&path->mount->flags) & MS_NODEV))
		return -EACCES;
	return 0;
}

static int check_rights(const struct path *path, uint32_t flags, unsigned want)
{
	const struct inode *inode = path->dentry->inode;
	int error = inode_permission(inode, want);

	if (!error && (want & MAY_WRITE) && S_ISREG(inode->mode))
		error = mount_want_write(path->mount);
	if (!error && (flags & O_NOATIME) && !inode_owned(inode))
		error = -EPERM;
	if (!error && S_ISSOCK(inode->mode))
		error = -ENXIO;
	return error;
}

static int truncate_and_open(struct file *file, uint32_t flags)
{
	struct inode *inode = file->inode;
	int error = 0;

	if ((flags & O_TRUNC) && inode->object)
		error = inode_truncate(inode, 0);
	if (!error && file->ops->open)
		error = file->ops->open(inode, file);
	return error;
}

/* Everything is checked but ETXTBSY. */
static int open_inode(const struct path *path, uint32_t flags, unsigned want, struct file **result)
{
	struct inode *inode = path->dentry->inode;
	struct file *file = file_create(path, inode, inode->file_ops, flags | O_LARGEFILE);
	int error = 0;

	if (!file)
		return -ENOMEM;
	if ((want & MAY_WRITE) && S_ISREG(inode->mode)) {
		if (inode_take_share(inode, 1))
			file->writer_share = 1;
		else
			error = -ETXTBSY;
	}
	if (!error)
		error = truncate_and_open(file, flags);
	if (error) {
		file_free(file);
		return error;
	}
	atomic_fetch_and(&file->flags, ~(uint32_t)OPEN_ONLY_FLAGS);
	*result = file;
	return 0;
}

int path_open(const struct path *path, uint32_t flags, struct file **file)
{
	unsigned want = wanted_rights(flags);
	int error;

	if (flags & O_PATH) {
		if ((flags & O_DIRECTORY) && !S_ISDIR(path->dentry->inode->mode))
			return -ENOTDIR;
		*file = file_create(path, path->dentry->inode, &path_only_operations,
				    flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
		return *file ? 0 : -ENOMEM;
	}
	error = check_type(path, flags, want);
	if (!error)
		error = check_rights(path, flags, want);
	return error ? error : open_inode(path, flags, want, file);
}

/* --- O_CREAT --- */

static int create_file(const struct path *parent, const struct name *name, uint32_t mode,
		       struct dentry **child)
{
	struct inode *dir = parent->dentry->inode;
	struct dentry *dentry;
	int error;

	if (!dir->ops->create)
		return -ENOENT; /* as Linux in /proc */
	error = mount_want_write(parent->mount);
	if (!error)
		error = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (error)
		return error;
	dentry = dentry_create(parent->dentry, name);
	if (!dentry)
		return -ENOMEM;
	error = dir->ops->create(dir, dentry, S_IFREG | (mode & 07777), 0);
	if (error)
		dentry_put(dentry);
	else
		*child = dentry;
	return error;
}

/* Finds or makes the last component; a reference in *child. */
static int find_or_create(const struct path *parent, const struct last_name *last, uint32_t flags,
			  uint32_t mode, struct dentry **child, bool *created)
{
	struct inode *dir = parent->dentry->inode;
	int error;

	*created = false;
	mutex_lock(&dir->lock);
	error = parent->dentry->unlinked ? -ENOENT
					 : dentry_lookup_locked(parent->dentry, &last->name, child);
	if (!error && (flags & O_EXCL)) {
		dentry_put(*child);
		error = -EEXIST;
	} else if (error == -ENOENT && !parent->dentry->unlinked) {
		error = create_file(parent, &last->name, mode, child);
		*created = !error;
	}
	mutex_unlock(&dir->lock);
	return error;
}

/*
 * One round of open with O_CREAT, walk->at being the directory of `last`. 0: *file is open;
 * 1: a link was followed, walk on.
 */
static int open_last(struct walk *walk, const struct last_name *last, uint32_t flags, uint32_t mode,
		     struct file **file)
{
	struct path place;
	bool created;
	int result;

	if (last->kind != LAST_NAME && (flags & O_EXCL))
		return -EEXIST;
	if (last->kind != LAST_NAME || last->trailing_slash)
		return -EISDIR;
	result = find_or_create(&walk->at, last, flags, mode, &place.dentry, &created);
	if (result)
		return result;
	place.mount = walk->at.mount;
	mount_get(place.mount);
	if (created) {
		result = open_inode(&place, flags & ~(uint32_t)O_TRUNC, wanted_rights(flags), file);
		path_put(&place);
		return result;
	}
	mount_cross(&place);
	if (S_ISLNK(place.dentry->inode->mode) && !(flags & O_NOFOLLOW)) {
		result = walk_follow(walk, place.dentry, last->trailing_slash);
		if (result == 1)
			result = path_open(&walk->at, flags, file);
		else if (result == 0)
			result = 1;
	} else {
		result = S_ISDIR(place.dentry->inode->mode) ? -EISDIR
							    : path_open(&place, flags, file);
	}
	path_put(&place);
	return result;
}

static int open_creating(int dirfd, const char *name, uint32_t flags, uint32_t mode,
			 struct file **file)
{
	struct last_name last;
	struct walk walk;
	int result;

	result = walk_begin(&walk, dirfd, name, 0);
	if (result)
		return result;
	do {
		result = walk_to_parent(&walk, &last);
		if (!result)
			result = open_last(&walk, &last, flags, mode, file);
	} while (result == 1);
	walk_end(&walk);
	return result;
}

int name_open(int dirfd, const char *name, uint32_t flags, uint32_t mode, struct file **file)
{
	unsigned lookup = flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path path;
	int error;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (flags & O_CREAT)
		return open_creating(dirfd, name, flags, mode, file);
	if (flags & O_DIRECTORY)
		lookup |= LOOKUP_DIRECTORY;
	error = path_lookup(dirfd, name, lookup, &path);
	if (error)
		return error;
	error = path_open(&path, flags, file);
	path_put(&path);
	return error;
}

/* --- exec --- */

static int open_executable(const struct path *path, struct file **result)
{
	struct inode *inode = path->dentry->inode;
	struct file *file;
	int error;

	if (!S_ISREG(inode->mode))
		return -EACCES;
	if (atomic_load(&path->mount->flags) & MS_NOEXEC)
		return -EACCES;
	error = inode_permission(inode, MAY_EXEC);
	if (error)
		return error;
	if (!inode_take_share(inode, -1))
		return -ETXTBSY;
	file = file_create(path, inode, inode->file_ops, O_RDONLY | O_LARGEFILE);
	if (!file) {
		atomic_fetch_add(&inode->writers, 1);
		return -ENOMEM;
	}
	file->writer_share = -1;
	error = file->ops->open ? file->ops->open(inode, file) : 0;
	if (error)
		file_free(file);
	else
		*result = file;
	return error;
}

int file_open_exec(const char *name, struct file **file)
{
	struct path path;
	int error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);

	if (error)
		return error;
	error = open_executable(&path, file);
	path_put(&path);
	return error;
}
