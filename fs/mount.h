/*
 * fs/mount.h - file systems: types, super blocks (one instance each), and where they are mounted.
 *
 * A file system type registers once; its `mount` makes a super block with a root dentry. A
 * struct mount puts a super block's tree (or a part of it, MS_BIND) on a dentry of another mount.
 * A place is a (mount, dentry) pair everywhere.
 *
 * Locks: mount_lock (sleeping, RANK_MOUNT) for changes of the mount table and for renames across
 * directories; dentry_tree_lock as well for the list itself, which path walking reads.
 */
#pragma once

#include <asm/statfs.h>
#include <fs/inode.h>
#include <kernel/base/errno.h>
#include <linux/magic.h>
#include <linux/mount.h>

struct fs_type {
	const char *name; /* as in mount -t and /proc/filesystems */
	bool nodev;       /* needs no block device */
	/*
	 * A super block with its root, one reference for the caller. flags MS_*; data the mount
	 * options ("size=1m,mode=755"), never NULL. 0 or -errno.
	 */
	int (*mount)(const struct fs_type *type, const char *source, unsigned long flags,
		     const char *data, struct super_block **super);
	struct list_node link;
};

struct super_operations {
	/* Fills what is particular; type, namelen and bsize are set. NULL: all zero. */
	void (*statfs)(struct super_block *super, struct statfs *statfs);
	/* Write everything back. NULL: nothing to do. */
	int (*sync)(struct super_block *super);
	/* Unmounted, the tree is gone: free super->data. NULL: nothing to do. */
	void (*destroy)(struct super_block *super);
};

struct super_block {
	_Atomic uint32_t refs;
	const struct fs_type *type;         /* [I] NULL: internal (pipes) */
	const struct super_operations *ops; /* [I] may be NULL */
	struct dentry *root;                /* [I] set by the type's mount */
	uint64_t device;                    /* [I] st_dev */
	uint64_t magic;                     /* [I] of <linux/magic.h>, for statfs */
	_Atomic uint64_t next_inode;        /* number of the next inode_create */
	void *data;                         /* the file system's own */
};

struct mount {
	_Atomic uint32_t refs;
	struct super_block *super;  /* [I] reference */
	struct dentry *root;        /* [I] reference; what is seen at the mount point */
	struct mount *parent;       /* [tree] reference; NULL: the first mount, or detached */
	struct dentry *mountpoint;  /* [tree] reference, in parent */
	struct list_node link;      /* [tree] mounts, oldest first */
	_Atomic uint32_t flags;     /* MS_RDONLY, MS_NOEXEC, MS_NODEV, MS_NOSUID, MS_NOATIME */
	char *source;               /* [I] as /proc/mounts shows it */
	unsigned id;                /* [I] */
};

extern struct mutex mount_lock; /* RANK_MOUNT */

void fs_type_register(struct fs_type *type);
/* Calls `visit` for each type (for /proc/filesystems). */
void fs_type_for_each(void (*visit)(const struct fs_type *type, void *arg), void *arg);

/* A super block without a root, one reference, a device number of its own. NULL: no memory. */
must_check struct super_block *super_create(const struct fs_type *type,
					    const struct super_operations *ops, uint64_t magic,
					    void *data);
static inline void super_get(struct super_block *super)
{
	atomic_fetch_add_explicit(&super->refs, 1, memory_order_relaxed);
}
void super_put(struct super_block *super); /* sleeps */

/* The super block of files without names: pipes and the like. Lives for good. */
extern struct super_block *anon_super;

/*
 * mount(2) and umount2(2) with kernel strings and no check of the caller's rights. `type` and
 * `data` may be NULL where the flags need none.
 */
must_check int mount_at(const char *source, const char *target, const char *type,
			unsigned long flags, const char *data);
must_check int mount_remove(const char *target, int flags);

static inline void mount_get(struct mount *mount)
{
	atomic_fetch_add_explicit(&mount->refs, 1, memory_order_relaxed);
}
void mount_put(struct mount *mount); /* NULL is fine; sleeps */

/* The mount that lies on (mount, dentry) topmost, with a reference, or NULL. Needs no lock. */
struct mount *mount_on(struct mount *mount, struct dentry *dentry);
/* Steps from a place to what is mounted there, repeatedly. Keeps the references right. */
void mount_cross(struct path *path);

/* Calls `visit` for each mount, oldest first, under mount_lock, until it returns false. */
void mount_for_each(bool (*visit)(struct mount *mount, void *arg), void *arg);
/* "rw,nosuid,..." for /proc/mounts into buf. Returns buf. */
const char *mount_options(const struct mount *mount, char *buf, size_t size);

/* -EROFS where the mount forbids changes. */
static inline must_check int mount_want_write(const struct mount *mount)
{
	return atomic_load_explicit(&mount->flags, memory_order_relaxed) & MS_RDONLY ? -EROFS : 0;
}

/*
 * A place for an inode that has no name (a pipe), outside the name space, so that it can be opened
 * again through /proc/<pid>/fd. Takes its own references. 0 or -ENOMEM.
 */
must_check int mount_detached(struct inode *inode, struct path *path);

/* The first mount, of `super` (takes over its reference): the root of the name space. */
must_check int mount_root_init(struct super_block *super, struct path *root);
