/*
 * fs/inode.c - the life of an inode, who may use it, and changes of its attributes.
 *
 * Called by the file systems (inode_create), by dentries and open files (references), and by
 * the system calls that change attributes. References: one per dentry that is attached, one
 * per open file, and the callers'. A mapping holds its file, so an unlinked file lives while
 * it is open or mapped. The bytes (inode->object) have a count of their own, because a fault
 * under way may outlast the mapping.
 *
 * Locks: inode->lock around changes. Readers of times and permission bits take none: each is
 * one aligned word.
 *
 * Not here: names (dentry.c), opening (open.c), contents (file.c, mm/mem_object.c).
 * Tests: tests/guest/fs_*.c.
 */
#include <fs/device.h>
#include <fs/file.h>
#include <fs/file_lock.h>
#include <fs/fs_private.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <kernel/time.h>
#include <mm/heap.h>

static struct object_cache inode_cache;

void inode_init_cache(void)
{
	object_cache_init(&inode_cache, "inode", sizeof(struct inode), alignof(struct inode));
}

static const struct inode_operations no_operations;
static const struct file_operations no_file_operations;

/* Devices and FIFOs behave alike on every file system. */
static const struct file_operations *file_ops_of_type(uint32_t mode)
{
	if (S_ISCHR(mode) || S_ISBLK(mode))
		return &device_node_operations;
	if (S_ISFIFO(mode))
		return &fifo_file_operations;
	return &no_file_operations;
}

struct inode *inode_create(struct super_block *super, uint32_t mode,
			   const struct inode_operations *ops,
			   const struct file_operations *file_ops)
{
	struct inode *inode = object_alloc_zeroed(&inode_cache);

	if (!inode)
		return NULL;
	atomic_init(&inode->refs, 1);
	inode->super = super;
	inode->ops = ops ? ops : &no_operations;
	inode->file_ops = file_ops ? file_ops : file_ops_of_type(mode);
	inode->number = atomic_fetch_add_explicit(&super->next_inode, 1, memory_order_relaxed);
	inode->mode = mode;
	inode->uid = fs_uid();
	inode->gid = fs_gid();
	inode->links = S_ISDIR(mode) ? 2 : 1;
	mutex_init(&inode->lock, RANK_INODE);
	inode->btime_ns = time_real_ns();
	inode->atime_ns = inode->mtime_ns = inode->ctime_ns = inode->btime_ns;
	return inode;
}

void inode_put(struct inode *inode)
{
	if (atomic_fetch_sub_explicit(&inode->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (inode->ops->release)
		inode->ops->release(inode);
	if (inode->object)
		mem_object_put(inode->object);
	file_locks_free(inode);
	object_free(&inode_cache, inode);
}

/*
 * The first class that matches decides: owner, group, others. Root may read and write all, and
 * execute what anybody may execute.
 */
int inode_permission_as(const struct inode *inode, unsigned want, uint32_t uid, uint32_t gid)
{
	uint32_t granted = inode->mode;

	if (uid == 0) {
		if ((want & MAY_EXEC) && !S_ISDIR(inode->mode) && !(inode->mode & 0111))
			return -EACCES;
		return 0;
	}
	if (uid == inode->uid)
		granted >>= 6;
	else if (gid == inode->gid)
		granted >>= 3;
	return (want & ~granted & 7) ? -EACCES : 0;
}

int inode_permission(const struct inode *inode, unsigned want)
{
	return inode_permission_as(inode, want, fs_uid(), fs_gid());
}

bool inode_owned(const struct inode *inode)
{
	uint32_t uid = fs_uid();

	return uid == 0 || uid == inode->uid;
}

void inode_modified(struct inode *inode)
{
	inode->mtime_ns = inode->ctime_ns = time_real_ns();
}

void inode_accessed(struct inode *inode)
{
	if (inode->atime_ns <= inode->mtime_ns)
		inode->atime_ns = time_real_ns();
}

uint32_t inode_mode_without_set_id(const struct inode *inode)
{
	uint32_t mode = inode->mode & ~(uint32_t)S_ISUID;

	if ((mode & S_IXGRP) || (fs_uid() != 0 && fs_gid() != inode->gid))
		mode &= ~(uint32_t)S_ISGID;
	return mode;
}

void inode_drop_set_id(struct inode *inode)
{
	if (unlikely(inode->mode & (S_ISUID | S_ISGID)) && fs_uid() != 0)
		inode->mode = inode_mode_without_set_id(inode);
}

void inode_apply(struct inode *inode, const struct inode_change *change)
{
	if (change->set & CHANGE_MODE)
		inode->mode = (inode->mode & S_IFMT) | (change->mode & ~(uint32_t)S_IFMT);
	if (change->set & CHANGE_UID)
		inode->uid = change->uid;
	if (change->set & CHANGE_GID)
		inode->gid = change->gid;
	if (change->set & CHANGE_ATIME)
		inode->atime_ns = change->atime_ns;
	if (change->set & CHANGE_MTIME)
		inode->mtime_ns = change->mtime_ns;
	inode->ctime_ns = time_real_ns();
}

int inode_truncate(struct inode *inode, uint64_t size)
{
	int error;

	if (!inode->ops->truncate)
		return -EINVAL;
	mutex_lock(&inode->lock);
	error = inode->ops->truncate(inode, size);
	if (!error) {
		inode_drop_set_id(inode);
		inode_modified(inode);
	}
	mutex_unlock(&inode->lock);
	return error;
}
