/*
 * fs/sys_fs.c - statfs, fstatfs, mount, umount2.
 *
 * The table of mounts is in mount.c; here are the user's strings and the right to mount (root's).
 */
#include <fs/file_table.h>
#include <fs/fs_private.h>
#include <fs/mount.h>
#include <fs/path.h>
#include <fs/sys_file.h>
#include <linux/limits.h>
#include <mm/heap.h>

/* f_flags of statfs(2); <bits/statvfs.h> has the names, Linux's include/linux/statfs.h the rest. */
#define ST_RDONLY 0x1
#define ST_NOSUID 0x2
#define ST_NODEV 0x4
#define ST_NOEXEC 0x8
#define ST_VALID 0x20
#define ST_NOATIME 0x400
#define ST_NODIRATIME 0x800
#define ST_RELATIME 0x1000

static long statfs_flags(const struct mount *mount)
{
	static const struct {
		uint32_t mount_flag;
		long statfs_flag;
	} pairs[] = {
		{MS_RDONLY, ST_RDONLY},	    {MS_NOSUID, ST_NOSUID},
		{MS_NODEV, ST_NODEV},	    {MS_NOEXEC, ST_NOEXEC},
		{MS_NOATIME, ST_NOATIME},   {MS_NODIRATIME, ST_NODIRATIME},
		{MS_RELATIME, ST_RELATIME},
	};
	uint32_t flags = atomic_load(&((struct mount *)mount)->flags);
	long result = ST_VALID;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (flags & pairs[i].mount_flag)
			result |= pairs[i].statfs_flag;
	return result;
}

/* mount is NULL for files without a path. */
static long put_statfs(struct super_block *super, const struct mount *mount, uintptr_t buf)
{
	struct statfs statfs = {0};

	statfs.f_type = (long)super->magic;
	statfs.f_bsize = statfs.f_frsize = PAGE_SIZE;
	statfs.f_namelen = NAME_MAX_BYTES;
	statfs.f_fsid.val[0] = (int)super->device;
	statfs.f_flags = mount ? statfs_flags(mount) : ST_VALID;
	if (super->ops && super->ops->statfs)
		super->ops->statfs(super, &statfs);
	return copy_to_user(buf, &statfs, sizeof(statfs));
}

long sys_statfs(uintptr_t name, uintptr_t buf)
{
	struct path path;
	long error = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW, &path);

	if (error)
		return error;
	error = put_statfs(path.mount->super, path.mount, buf);
	path_put(&path);
	return error;
}

long sys_fstatfs(int fd, uintptr_t buf)
{
	struct borrowed_file borrowed;
	long error;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	error = put_statfs(borrowed.file->inode->super, borrowed.file->path.mount, buf);
	file_return(&borrowed);
	return error;
}

/* --- mount --- */

/* A string that may be missing: *text is NULL then. */
static int copy_optional(uintptr_t user, char **text)
{
	*text = NULL;
	return user ? path_copy_from_user(user, text) : 0;
}

/* The strings of mount(2). */
struct mount_request {
	char *source, *target, *type, *data;
};

static int copy_request(struct mount_request *request, uintptr_t source, uintptr_t target,
			uintptr_t type, uintptr_t data)
{
	int error = path_copy_from_user(target, &request->target);

	if (!error)
		error = copy_optional(source, &request->source);
	if (!error)
		error = copy_optional(type, &request->type);
	if (!error)
		error = copy_optional(data, &request->data);
	return error;
}

long sys_mount(uintptr_t source, uintptr_t target, uintptr_t type, unsigned long flags,
	       uintptr_t data)
{
	struct mount_request request = {0};
	long error;

	if (fs_uid() != 0)
		return -EPERM;
	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(unsigned long)MS_MGC_MSK;
	error = copy_request(&request, source, target, type, data);
	if (!error)
		error = mount_at(request.source, request.target, request.type, flags, request.data);
	kfree(request.source);
	kfree(request.target);
	kfree(request.type);
	kfree(request.data);
	return error;
}

long sys_umount2(uintptr_t user, int flags)
{
	char *target;
	long error;

	if (fs_uid() != 0)
		return -EPERM;
	error = path_copy_from_user(user, &target);
	if (error)
		return error;
	error = mount_remove(target, flags);
	kfree(target);
	return error;
}
