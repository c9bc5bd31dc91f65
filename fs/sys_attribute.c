/*
 * fs/sys_attribute.c - access, chmod, chown, truncate and their kin.
 *
 * Each finds its inode by name or descriptor, checks the caller's rights, and lets inode.c make
 * the change. An O_PATH descriptor does for the *at calls with AT_EMPTY_PATH only.
 *
 * Locks: the inode's around {check who owns it, change}: else a chmod that was allowed could
 * give a file that another processor is giving to root a set-user-id bit.
 */
#include <asm/signal.h>
#include <fs/file_table.h>
#include <fs/fs_private.h>
#include <fs/path.h>
#include <fs/sys_file.h>
#include <kernel/signal.h>

#define ID_UNCHANGED UINT32_MAX /* chown(2): -1 */

/* --- access --- */

static int check_access(const struct path *path, unsigned want, bool effective)
{
	const struct inode *inode = path->dentry->inode;
	int error;

	if ((want & MAY_EXEC) && S_ISREG(inode->mode) &&
	    (atomic_load(&path->mount->flags) & MS_NOEXEC))
		return -EACCES;
	if (effective)
		error = inode_permission(inode, want);
	else
		error = inode_permission_as(inode, want, fs_real_uid(), fs_real_gid());
	if (!error && (want & MAY_WRITE) &&
	    (S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode)))
		error = mount_want_write(path->mount);
	return error;
}

long sys_faccessat2(int dirfd, uintptr_t name, int mode, int flags)
{
	unsigned lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
			  (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0) |
			  (flags & AT_EACCESS ? 0 : LOOKUP_REAL_IDS);
	struct path path;
	long error;

	if (mode & ~(int)(MAY_READ | MAY_WRITE | MAY_EXEC))
		return -EINVAL;
	if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	error = path_lookup_user(dirfd, name, lookup, &path);
	if (error)
		return error;
	error = check_access(&path, (unsigned)mode, flags & AT_EACCESS);
	path_put(&path);
	return error;
}

long sys_faccessat(int dirfd, uintptr_t name, int mode)
{
	return sys_faccessat2(dirfd, name, mode, 0);
}

long sys_access(uintptr_t name, int mode)
{
	return sys_faccessat2(AT_FDCWD, name, mode, 0);
}

/* --- chmod --- */

static int change_mode_locked(struct inode *inode, uint32_t mode) REQUIRES(inode->lock)
{
	struct inode_change change = {.set = CHANGE_MODE, .mode = mode & 07777};

	if (!inode_owned(inode))
		return -EPERM;
	if (fs_uid() != 0 && fs_gid() != inode->gid)
		change.mode &= ~(uint32_t)S_ISGID;
	inode_apply(inode, &change);
	return 0;
}

static int change_mode(const struct path *path, struct inode *inode, uint32_t mode)
{
	int error = path->mount ? mount_want_write(path->mount) : 0;

	if (error)
		return error;
	mutex_lock(&inode->lock);
	error = change_mode_locked(inode, mode);
	mutex_unlock(&inode->lock);
	return error;
}

long sys_fchmodat(int dirfd, uintptr_t name, uint32_t mode)
{
	struct path path;
	long error = path_lookup_user(dirfd, name, LOOKUP_FOLLOW, &path);

	if (error)
		return error;
	error = change_mode(&path, path.dentry->inode, mode);
	path_put(&path);
	return error;
}

long sys_chmod(uintptr_t name, uint32_t mode)
{
	return sys_fchmodat(AT_FDCWD, name, mode);
}

long sys_fchmod(int fd, uint32_t mode)
{
	struct borrowed_file borrowed;
	long error = -EBADF;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (!(atomic_load(&borrowed.file->flags) & O_PATH))
		error = change_mode(&borrowed.file->path, borrowed.file->inode, mode);
	file_return(&borrowed);
	return error;
}

/* --- chown --- */

/*
 * Only root gives files away; an owner may keep the owner and choose the own group. Who changes
 * neither needs no right.
 */
static bool may_change_owner(const struct inode *inode, uint32_t uid, uint32_t gid)
{
	bool owner = fs_uid() == inode->uid;

	if (fs_uid() == 0)
		return true;
	if (uid != ID_UNCHANGED && !(owner && uid == inode->uid))
		return false;
	return gid == ID_UNCHANGED || (owner && (gid == inode->gid || gid == fs_gid()));
}

static int change_owner_locked(struct inode *inode, uint32_t uid, uint32_t gid)
	REQUIRES(inode->lock)
{
	struct inode_change change = {.uid = uid, .gid = gid};

	if (!may_change_owner(inode, uid, gid))
		return -EPERM;
	if (uid != ID_UNCHANGED)
		change.set |= CHANGE_UID;
	if (gid != ID_UNCHANGED)
		change.set |= CHANGE_GID;
	change.mode = inode_mode_without_set_id(inode);
	if (!S_ISDIR(inode->mode) && change.mode != inode->mode) {
		if (!inode_owned(inode))
			return -EPERM;
		change.set |= CHANGE_MODE; /* a program does not run with its old owner's rights */
	}
	inode_apply(inode, &change);
	return 0;
}

static int change_owner(const struct path *path, struct inode *inode, uint32_t uid, uint32_t gid)
{
	int error = path->mount ? mount_want_write(path->mount) : 0;

	if (error)
		return error;
	mutex_lock(&inode->lock);
	error = change_owner_locked(inode, uid, gid);
	mutex_unlock(&inode->lock);
	return error;
}

static long fchown_descriptor(int fd, uint32_t uid, uint32_t gid)
{
	struct borrowed_file borrowed;
	long error = -EBADF;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (!(atomic_load(&borrowed.file->flags) & O_PATH))
		error = change_owner(&borrowed.file->path, borrowed.file->inode, uid, gid);
	file_return(&borrowed);
	return error;
}

long sys_fchownat(int dirfd, uintptr_t name, uint32_t uid, uint32_t gid, int flags)
{
	struct path path;
	long error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	error = path_lookup_at(dirfd, name, flags, &path);
	if (error)
		return error;
	error = change_owner(&path, path.dentry->inode, uid, gid);
	path_put(&path);
	return error;
}

long sys_chown(uintptr_t name, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, name, uid, gid, 0);
}

long sys_lchown(uintptr_t name, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
	return fchown_descriptor(fd, uid, gid);
}

/* --- truncate --- */

int inode_check_size(const struct inode *inode, uint64_t size)
{
	if (size <= inode_size(inode) || size <= fs_limit(RLIMIT_FSIZE))
		return 0;
	signal_send_task(current_task(), SIGXFSZ, NULL);
	return -EFBIG;
}

static int truncate_place(const struct path *path, uint64_t size)
{
	struct inode *inode = path->dentry->inode;
	int error;

	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode))
		return -EINVAL;
	error = mount_want_write(path->mount);
	if (!error)
		error = inode_permission(inode, MAY_WRITE);
	if (error)
		return error;
	if (!inode_take_share(inode, 1))
		return -ETXTBSY;
	error = inode_check_size(inode, size);
	if (!error)
		error = inode_truncate(inode, size);
	atomic_fetch_sub(&inode->writers, 1);
	return error;
}

long sys_truncate(uintptr_t name, int64_t length)
{
	struct path path;
	long error;

	if (length < 0)
		return -EINVAL;
	error = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW, &path);
	if (error)
		return error;
	error = truncate_place(&path, (uint64_t)length);
	path_put(&path);
	return error;
}

static long ftruncate_file(struct file *file, uint64_t size)
{
	int error;

	if (atomic_load(&file->flags) & O_PATH)
		return -EBADF;
	if (!S_ISREG(file->inode->mode) || !file->writable)
		return -EINVAL;
	error = inode_check_size(file->inode, size);
	return error ? error : inode_truncate(file->inode, size);
}

long sys_ftruncate(int fd, int64_t length)
{
	struct borrowed_file borrowed;
	long error;

	if (length < 0)
		return -EINVAL;
	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	error = ftruncate_file(borrowed.file, (uint64_t)length);
	file_return(&borrowed);
	return error;
}
