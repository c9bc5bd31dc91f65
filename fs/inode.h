/*
 * fs/inode.h - inodes (files without names) and dentries (names in a tree).
 *
 * An inode is what a file is: type, owner, times, bytes (a mem_object). A dentry binds a name
 * in a directory to an inode; the tree of dentries in memory is the name space, filled on
 * demand by inode_operations.lookup. A memory file system keeps its dentries for good
 * (dentry->pinned); others go when they are unused. Functions on dentries: fs/dentry.h.
 *
 * Locks: inode->lock (a directory's guards its names; a parent before its child; two unrelated
 * directories in address order under the rename lock). The dentry links themselves are guarded
 * by dentry_tree_lock, a spinlock of rank RANK_FILES.
 */
#pragma once

#include <kernel/base/lock.h>
#include <linux/stat.h>
#include <mm/mem_object.h>

struct dentry;
struct file;
struct file_locks;
struct file_operations;
struct inode;
struct mount;
struct pipe;
struct super_block;

/* A place in the name space, with a reference on each. */
struct path {
	struct mount *mount;
	struct dentry *dentry;
};

/*
 * What a kind of inode does. Any may be NULL: lookup then finds nothing beyond the dentries in
 * memory; making, changing or removing names is EPERM; readlink EINVAL.
 */
struct inode_operations {
	/*
	 * Find dentry->name in `dir` and dentry_attach an inode to it; -ENOENT if there is none.
	 * Called only when the name is not in memory. dir locked. Sleeps.
	 */
	int (*lookup)(struct inode *dir, struct dentry *dentry);
	/* A name found in memory is still right; false: it is dropped and looked up again. */
	bool (*revalidate)(struct inode *dir, struct dentry *dentry);
	/*
	 * Make a new inode of `mode` (type and permission bits, directories too) and dentry_attach
	 * it. dir locked.
	 */
	int (*create)(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t device);
	int (*symlink)(struct inode *dir, struct dentry *dentry, const char *target);
	int (*link)(struct inode *dir, struct dentry *dentry, struct inode *inode);
	/* Counts and times; the caller removes the dentry afterwards. dir and the inode locked. */
	int (*unlink)(struct inode *dir, struct dentry *dentry);
	int (*rmdir)(struct inode *dir, struct dentry *dentry);
	/*
	 * All checks are done; `to` is an existing name that is replaced (or exchanged, with
	 * RENAME_EXCHANGE in flags), or a new one without an inode. Counts and times; the caller
	 * moves the dentries afterwards. Both directories and the replaced inode are locked.
	 */
	int (*rename)(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
		      struct dentry *to, unsigned flags);
	/* Bytes of the link into buf, no NUL: length (at most size) or -errno. */
	ssize_t (*readlink)(struct inode *inode, char *buf, size_t size);
	/*
	 * A link that leads straight to a file (/proc/self/exe): a path with references, or -errno.
	 */
	int (*follow)(struct inode *inode, struct path *path);
	/* New size of a regular file; inode locked. */
	int (*truncate)(struct inode *inode, uint64_t size);
	/*
	 * fallocate(2): `mode` is 0 or FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE or
	 * FALLOC_FL_ZERO_RANGE with or without it, others are -EOPNOTSUPP; a new size was checked
	 * against the limits. Inode locked.
	 */
	int (*allocate)(struct inode *inode, int mode, uint64_t beg, uint64_t end);
	/* Brings size, times etc. up to date before stat. */
	void (*refresh)(struct inode *inode);
	/*
	 * The last reference went: let go of inode->data. The rest is inode_put's business. Sleeps.
	 */
	void (*release)(struct inode *inode);
};

struct inode {
	_Atomic uint32_t refs;
	struct super_block *super;      /* [I] */
	const struct inode_operations *ops; /* [I] */
	const struct file_operations *file_ops; /* [I] what open gives */
	uint64_t number;                /* [I] */
	uint32_t mode;                  /* S_IFMT type [I] | permission bits [lock] */
	uint32_t uid, gid;              /* [lock] */
	uint32_t links;                 /* [lock] */
	uint32_t seals;                 /* [lock] F_SEAL_*: what may no more be done (fs/seal.h) */
	uint64_t device;                /* [I] of a device node: see fs/device.h */
	uint64_t size;                  /* [lock] bytes, of what has no object (a link's text) */
	struct mutex lock;
	struct mem_object *object;      /* [I] bytes and size of a regular file, owned; else NULL */
	uint64_t atime_ns, mtime_ns, ctime_ns, btime_ns; /* wall clock */
	void *data;                     /* the file system's own */
	_Atomic int32_t writers;        /* open for writing; < 0: being executed (ETXTBSY) */
	struct pipe *pipe;              /* of a FIFO with open ends [lock] */
	struct file_locks *_Atomic locks; /* fcntl and flock locks; NULL: never had any */
};

struct dentry {
	_Atomic uint32_t refs;
	bool pinned;               /* [tree] memory file systems: lives until unlinked */
	bool unlinked;             /* [tree and the parent's inode->lock] */
	bool hashed;               /* [tree] can be found */
	_Atomic uint32_t mounts;   /* how many mounts lie on it */
	uint32_t hash;             /* [tree] of the name */
	uint32_t length;           /* [tree] of the name */
	char *name;                /* [tree] owned, NUL-terminated */
	struct dentry *parent;     /* [tree] holds a reference; the root's is itself */
	struct inode *inode;       /* [I] once attached, a reference; before, NULL and not hashed */
	struct list_node children; /* [tree] hashed ones, by position */
	struct list_node sibling;  /* [tree] */
	struct list_node hash_link; /* [tree] */
	struct super_block *super; /* [I] */
	uint64_t position;         /* [tree] in the directory: getdents' cookie, ascending */
	uint64_t next_position;    /* [tree] of the next child */
};

/* readdir(3)'s d_type is the type in st_mode: DT_DIR is S_IFDIR >> 12, and so on. */
#define DT_OF_MODE(mode) (((mode) & S_IFMT) >> 12)
#define DT_UNKNOWN 0u

/*
 * A new inode with one reference, the caller's: number from the super block, owner the calling
 * process's effective ids, all times now, links 1 (2 for a directory). ops and file_ops may be
 * NULL: none (devices and FIFOs get their file_ops here). NULL when memory is out.
 */
must_check struct inode *inode_create(struct super_block *super, uint32_t mode,
				      const struct inode_operations *ops,
				      const struct file_operations *file_ops);

static inline void inode_get(struct inode *inode)
{
	atomic_fetch_add_explicit(&inode->refs, 1, memory_order_relaxed);
}

/* The last reference frees the inode; its object lives on while someone else has it. Sleeps. */
void inode_put(struct inode *inode);

/* Bytes: of the object, or inode->size. */
static inline uint64_t inode_size(const struct inode *inode)
{
	return inode->object ? atomic_load_explicit(&inode->object->size, memory_order_acquire)
			     : inode->size;
}

#define MAY_EXEC 1u /* X_OK, search in a directory */
#define MAY_WRITE 2u /* W_OK */
#define MAY_READ 4u /* R_OK */

/* The calling process (effective ids) may do all of `want` (MAY_*): 0 or -EACCES. */
must_check int inode_permission(const struct inode *inode, unsigned want);
/* The same for the given ids (access(2) asks with the real ones). */
must_check int inode_permission_as(const struct inode *inode, unsigned want, uint32_t uid,
				   uint32_t gid);
/* The calling process owns the inode or is root. */
bool inode_owned(const struct inode *inode);

/* What chmod, chown, utimes, truncate change: the fields named by `set`. */
struct inode_change {
	unsigned set; /* CHANGE_* */
	uint32_t mode; /* permission bits */
	uint32_t uid, gid;
	uint64_t atime_ns, mtime_ns;
};
#define CHANGE_MODE 1u
#define CHANGE_UID 2u
#define CHANGE_GID 4u
#define CHANGE_ATIME 8u
#define CHANGE_MTIME 16u
/* Applies it without any check of rights; ctime becomes now. The inode is locked. */
void inode_apply(struct inode *inode, const struct inode_change *change) REQUIRES(inode->lock);

/* New size: type, rights and limits were checked. Takes the inode's lock. 0 or -errno. */
must_check int inode_truncate(struct inode *inode, uint64_t size);

/* mtime and ctime are now. The inode is locked. */
void inode_modified(struct inode *inode);
/* It was read: relatime, without its daily update: atime becomes now unless later than mtime. */
void inode_accessed(struct inode *inode);
/*
 * Its mode without the bits that give a program its owner's rights. Set-group-id without group
 * execution is no such bit, but goes too where the caller is neither root nor in the group.
 */
uint32_t inode_mode_without_set_id(const struct inode *inode);
/* Someone who is not root changed the contents: set-id bits go. The inode is locked. */
void inode_drop_set_id(struct inode *inode);

void inode_init_cache(void); /* fs_init */
