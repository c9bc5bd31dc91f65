/*
 * fs/dentry.h - the tree of names in memory.
 *
 * A dentry is in the tree's hash exactly while its name leads to its inode; one that is hashed
 * has an inode for good, so dentry->inode may be read by whoever holds a reference. A child
 * holds a reference on its parent; `pinned` is one more, held by the tree itself.
 */
#pragma once

#include <fs/inode.h>

struct dir_context;

extern struct spinlock dentry_tree_lock; /* RANK_FILES */

/* A component of a path: not NUL-terminated. */
struct name {
	const char *text;
	uint32_t length;
	uint32_t hash; /* name_hash's */
};

uint32_t name_hash(const char *text, size_t length);

static inline void dentry_get(struct dentry *dentry)
{
	atomic_fetch_add_explicit(&dentry->refs, 1, memory_order_relaxed);
}

void dentry_put(struct dentry *dentry); /* NULL is fine; sleeps */

/* The child of that name in memory, with a reference, or NULL. Needs no lock. */
struct dentry *dentry_find(struct dentry *parent, const struct name *name);
/*
 * The child, in memory or by inode_operations.lookup. 0 with a reference in *child, -ENOENT,
 * -ENAMETOOLONG, or lookup's error. The parent's inode is locked.
 */
must_check int dentry_lookup_locked(struct dentry *parent, const struct name *name,
				    struct dentry **child);
/* The same, taking the lock only where the name is not in memory. */
must_check int dentry_lookup(struct dentry *parent, const struct name *name,
			     struct dentry **child);

/* A dentry without an inode, not yet in the tree; the caller has the reference. NULL: no memory. */
must_check struct dentry *dentry_create(struct dentry *parent, const struct name *name);
/* Gives it its inode (takes over the caller's reference) and makes it visible. */
void dentry_attach(struct dentry *dentry, struct inode *inode);
/* The same, and it stays in memory until unlinked. */
void dentry_attach_pinned(struct dentry *dentry, struct inode *inode);
/* The root of a file system: pinned, its own parent. Takes over the inode's reference. */
must_check struct dentry *dentry_create_root(struct super_block *super, struct inode *inode);

/* The name is gone: unhashed, unpinned, `unlinked`. The parent's inode is locked. */
void dentry_remove(struct dentry *dentry);
/*
 * rename: `from` takes the place of `to`, whose name it gets; `to` is removed if it was in the
 * tree, and then keeps a name of its own: `spare`, a kmalloc'ed copy (NULL for a `to` that is
 * not in the tree). Both parents' inodes are locked.
 */
void dentry_move(struct dentry *from, struct dentry *to, char *spare);
/* RENAME_EXCHANGE: each takes the other's place. Both parents' inodes are locked. */
void dentry_exchange(struct dentry *a, struct dentry *b);
/* The parent with a reference (the root's is itself). */
struct dentry *dentry_parent(struct dentry *dentry);

/* `dentry` is `ancestor` or lies below it. Stable only under the rename lock. */
bool dentry_below(const struct dentry *dentry, const struct dentry *ancestor);
/* A directory in memory has no names. Its inode is locked. */
bool dentry_empty(struct dentry *dentry);
/* Unpins everything below (and) the root of a file system that is unmounted. Sleeps. */
void dentry_tree_destroy(struct dentry *root);

/*
 * Simple trees in memory: for pseudo file systems at initialisation. A pinned dentry `name`
 * (may not exist yet) in `parent`; takes over the inode's reference, also on failure. The
 * parent's link count grows by a directory. 0 or -ENOMEM. `child` may be NULL (else a borrowed
 * pointer: the tree keeps it).
 */
must_check int tree_add(struct dentry *parent, const char *name, struct inode *inode,
			struct dentry **child);
/* A directory with the given permission bits whose names are all in memory. */
must_check int tree_add_directory(struct dentry *parent, const char *name, uint32_t permissions,
				  struct dentry **child);
/* A symbolic link with a fixed text (copied). */
must_check int tree_add_symlink(struct dentry *parent, const char *name, const char *target);
/* A regular file of its own file_operations (no mem_object); inode->data = data. */
must_check int tree_add_file(struct dentry *parent, const char *name, uint32_t permissions,
			     const struct file_operations *file_ops, void *data);

/* lookup NULL: what is in memory is all there is. readdir: tree_readdir. */
extern const struct inode_operations tree_directory_operations;
extern const struct file_operations tree_directory_file_operations;
/* Symbolic links whose text is the kmalloc'ed string inode->data. */
extern const struct inode_operations text_link_operations;
/* Their readlink: inode->size bytes at inode->data. */
ssize_t text_link_readlink(struct inode *inode, char *buf, size_t size);

/*
 * readdir of the names in memory: ".", ".." (positions 0 and 1), then the children. Positions
 * are stable cookies: removing names meanwhile skips and repeats nothing. The directory's inode
 * is locked. Returns 0; *end (may be NULL) tells whether all names were put: a directory with
 * further, dynamic names goes on from there, at positions >= TREE_POSITION_END.
 */
int tree_readdir(struct file *file, struct dir_context *context, bool *end);
#define TREE_POSITION_END (1ull << 62)

void dentry_init(void); /* fs_init */
