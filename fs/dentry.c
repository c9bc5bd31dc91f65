/*
 * fs/dentry.c - the tree of names in memory, and the hash that finds a name in it.
 *
 * Path walking (path.c) asks dentry_lookup for each component; the name changing calls (name.c)
 * attach, remove and move dentries; file systems attach inodes to them.
 *
 *   state               hashed  inode  in parent's children
 *   being looked up       no    NULL   no      (only its maker knows it)
 *   in the tree           yes   set    yes
 *   removed               no    set    no      (lives while someone holds it)
 *
 * There are no negative entries: what is not in the hash is asked of the file system, or, where
 * all names are in memory (no lookup operation), does not exist.
 *
 * Locks: dentry_tree_lock guards hash, links, names and parents, for a few instructions each
 * time. A directory's inode->lock makes "look, then make" one step; it is the callers' business.
 * A count falls from 1 to 0 only under dentry_tree_lock, so whoever finds a dentry in the hash
 * may take a reference.
 *
 * Not here: mounts (mount.c), trees of pseudo file systems (tree.c).
 * Tests: tests/host/test_path.c.
 */
#include <fs/dentry.h>
#include <fs/fs_private.h>
#include <fs/mount.h>
#include <kernel/base/panic.h>
#include <mm/heap.h>
#include <string.h>

#define HASH_BUCKETS 2048u
#define FIRST_POSITION 2 /* "." and ".." come before */

struct spinlock dentry_tree_lock = SPINLOCK_INIT(RANK_FILES);
static struct list_node buckets[HASH_BUCKETS]; /* [tree] */
static struct object_cache dentry_cache;

void dentry_init(void)
{
	for (size_t i = 0; i < HASH_BUCKETS; i++)
		list_init(&buckets[i]);
	object_cache_init(&dentry_cache, "dentry", sizeof(struct dentry), alignof(struct dentry));
}

/* FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
uint32_t name_hash(const char *text, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619u;
	return hash;
}

static struct list_node *bucket_of(const struct dentry *parent, uint32_t hash)
{
	uint32_t mix = hash ^ (uint32_t)((uintptr_t)parent >> 6) * 2654435761u;

	return &buckets[(mix ^ mix >> 16) % HASH_BUCKETS];
}

/* --- links; dentry_tree_lock is held --- */

static void insert_child(struct dentry *dentry)
{
	struct dentry *parent = dentry->parent;

	dentry->position = parent->next_position++;
	list_push_back(&parent->children, &dentry->sibling);
}

static void hash_insert(struct dentry *dentry)
{
	dentry->hashed = true;
	list_push_front(bucket_of(dentry->parent, dentry->hash), &dentry->hash_link);
}

static void hash_remove(struct dentry *dentry)
{
	dentry->hashed = false;
	list_remove(&dentry->hash_link);
}

static struct dentry *find_locked(const struct dentry *parent, const struct name *name)
{
	struct dentry *dentry;

	list_for_each_entry(dentry, bucket_of(parent, name->hash), hash_link)
		if (dentry->hash == name->hash && dentry->parent == parent &&
		    dentry->length == name->length &&
		    !memcmp(dentry->name, name->text, name->length))
			return dentry;
	return NULL;
}

/* --- references --- */

/* Drops a reference; true when it was the last, and the dentry is in no list any more. */
static bool drop_reference(struct dentry *dentry)
{
	uint32_t refs = atomic_load_explicit(&dentry->refs, memory_order_relaxed);
	bool last;

	while (refs > 1)
		if (atomic_compare_exchange_weak_explicit(&dentry->refs, &refs, refs - 1,
							  memory_order_release,
							  memory_order_relaxed))
			return false;
	spin_lock(&dentry_tree_lock);
	last = atomic_fetch_sub_explicit(&dentry->refs, 1, memory_order_acq_rel) == 1;
	if (last && dentry->hashed) {
		hash_remove(dentry);
		list_remove(&dentry->sibling);
	}
	spin_unlock(&dentry_tree_lock);
	return last;
}

/* The parent's reference goes with the child, and so on upwards: a loop, not a recursion. */
void dentry_put(struct dentry *dentry)
{
	struct dentry *parent;

	while (dentry && drop_reference(dentry)) {
		parent = dentry->parent == dentry ? NULL : dentry->parent;
		if (dentry->inode)
			inode_put(dentry->inode);
		kfree(dentry->name);
		object_free(&dentry_cache, dentry);
		dentry = parent;
	}
}

struct dentry *dentry_parent(struct dentry *dentry)
{
	struct dentry *parent;

	spin_lock(&dentry_tree_lock);
	parent = dentry->parent;
	dentry_get(parent);
	spin_unlock(&dentry_tree_lock);
	return parent;
}

/* --- finding --- */

struct dentry *dentry_find(struct dentry *parent, const struct name *name)
{
	struct dentry *dentry;

	spin_lock(&dentry_tree_lock);
	dentry = find_locked(parent, name);
	if (dentry)
		dentry_get(dentry);
	spin_unlock(&dentry_tree_lock);
	return dentry;
}

static bool still_valid(struct dentry *parent, struct dentry *child)
{
	const struct inode_operations *ops = parent->inode->ops;

	return !ops->revalidate || ops->revalidate(parent->inode, child);
}

/* Why a name that is not in memory does not exist. */
static int absent(const struct dentry *parent, const struct name *name)
{
	return !parent->unlinked && name->length > NAME_MAX_BYTES ? -ENAMETOOLONG : -ENOENT;
}

int dentry_lookup_locked(struct dentry *parent, const struct name *name, struct dentry **child)
{
	const struct inode_operations *ops = parent->inode->ops;
	struct dentry *dentry = dentry_find(parent, name);
	int error;

	if (dentry && !still_valid(parent, dentry)) {
		dentry_remove(dentry);
		dentry_put(dentry);
		dentry = NULL;
	}
	if (dentry) {
		*child = dentry;
		return 0;
	}
	if (!ops->lookup || parent->unlinked || name->length > NAME_MAX_BYTES)
		return absent(parent, name);
	dentry = dentry_create(parent, name);
	if (!dentry)
		return -ENOMEM;
	error = ops->lookup(parent->inode, dentry);
	if (error) {
		dentry_put(dentry);
		return error;
	}
	kassert(dentry->inode);
	*child = dentry;
	return 0;
}

int dentry_lookup(struct dentry *parent, const struct name *name, struct dentry **child)
{
	struct dentry *dentry = dentry_find(parent, name);
	int error;

	if (dentry && still_valid(parent, dentry)) {
		*child = dentry;
		return 0;
	}
	if (!dentry && !parent->inode->ops->lookup)
		return absent(parent, name);
	dentry_put(dentry);
	mutex_lock(&parent->inode->lock);
	error = dentry_lookup_locked(parent, name, child);
	mutex_unlock(&parent->inode->lock);
	return error;
}

/* --- making, removing, moving --- */

static char *name_copy(const char *text, size_t length)
{
	char *copy = kmalloc(length + 1);

	if (copy) {
		memcpy(copy, text, length);
		copy[length] = '\0';
	}
	return copy;
}

static struct dentry *dentry_alloc(const struct name *name)
{
	struct dentry *dentry = object_alloc_zeroed(&dentry_cache);

	if (!dentry)
		return NULL;
	dentry->name = name_copy(name->text, name->length);
	if (!dentry->name) {
		object_free(&dentry_cache, dentry);
		return NULL;
	}
	atomic_init(&dentry->refs, 1);
	dentry->length = name->length;
	dentry->hash = name->hash;
	dentry->next_position = FIRST_POSITION;
	list_init(&dentry->children);
	list_init(&dentry->sibling);
	list_init(&dentry->hash_link);
	return dentry;
}

struct dentry *dentry_create(struct dentry *parent, const struct name *name)
{
	struct dentry *dentry = dentry_alloc(name);

	if (!dentry)
		return NULL;
	dentry_get(parent);
	dentry->parent = parent;
	dentry->super = parent->super;
	return dentry;
}

struct dentry *dentry_create_root(struct super_block *super, struct inode *inode)
{
	struct name none = {.text = "", .hash = name_hash("", 0)};
	struct dentry *root = dentry_alloc(&none);

	if (!root) {
		inode_put(inode);
		return NULL;
	}
	root->parent = root;
	root->super = super;
	root->inode = inode;
	root->pinned = true;
	return root;
}

void dentry_attach(struct dentry *dentry, struct inode *inode)
{
	spin_lock(&dentry_tree_lock);
	kassert(!dentry->inode);
	dentry->inode = inode;
	insert_child(dentry);
	hash_insert(dentry);
	spin_unlock(&dentry_tree_lock);
}

void dentry_attach_pinned(struct dentry *dentry, struct inode *inode)
{
	dentry->pinned = true;
	dentry_get(dentry);
	dentry_attach(dentry, inode);
}

/* Takes it out of the tree; true if the tree's own reference is to be dropped. Tree locked. */
static bool unlink_locked(struct dentry *dentry)
{
	bool pinned = dentry->pinned;

	if (dentry->hashed) {
		hash_remove(dentry);
		list_remove(&dentry->sibling);
	}
	dentry->unlinked = true;
	dentry->pinned = false;
	return pinned;
}

void dentry_remove(struct dentry *dentry)
{
	bool pinned;

	spin_lock(&dentry_tree_lock);
	pinned = unlink_locked(dentry);
	spin_unlock(&dentry_tree_lock);
	if (pinned)
		dentry_put(dentry);
}

static void exchange_names(struct dentry *a, struct dentry *b)
{
	char *name = a->name;
	uint32_t length = a->length, hash = a->hash;

	a->name = b->name;
	a->length = b->length;
	a->hash = b->hash;
	b->name = name;
	b->length = length;
	b->hash = hash;
}

/* In another directory a name comes last; in its own it keeps its position. */
static void set_parent(struct dentry *dentry, struct dentry *parent)
{
	if (dentry->parent == parent)
		return;
	list_remove(&dentry->sibling);
	dentry->parent = parent;
	insert_child(dentry);
}

void dentry_move(struct dentry *from, struct dentry *to, char *spare)
{
	struct dentry *old_parent = from->parent, *new_parent = to->parent;
	bool was_pinned;
	char *old_name;

	dentry_get(new_parent);
	spin_lock(&dentry_tree_lock);
	hash_remove(from);
	was_pinned = unlink_locked(to);
	exchange_names(from, to);
	old_name = to->name;
	if (spare) {
		to->name = spare;
		to->length = from->length;
		to->hash = from->hash;
	}
	set_parent(from, new_parent);
	hash_insert(from);
	spin_unlock(&dentry_tree_lock);
	if (spare)
		kfree(old_name);
	if (was_pinned)
		dentry_put(to);
	dentry_put(old_parent);
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *parent_of_a = a->parent, *parent_of_b = b->parent;

	spin_lock(&dentry_tree_lock);
	hash_remove(a);
	hash_remove(b);
	exchange_names(a, b);
	set_parent(a, parent_of_b);
	set_parent(b, parent_of_a);
	hash_insert(a);
	hash_insert(b);
	spin_unlock(&dentry_tree_lock);
}

/* --- questions --- */

bool dentry_below(const struct dentry *dentry, const struct dentry *ancestor)
{
	bool below = true;

	spin_lock(&dentry_tree_lock);
	while (dentry != ancestor) {
		if (dentry->parent == dentry) {
			below = false;
			break;
		}
		dentry = dentry->parent;
	}
	spin_unlock(&dentry_tree_lock);
	return below;
}

bool dentry_empty(struct dentry *dentry)
{
	bool empty;

	spin_lock(&dentry_tree_lock);
	empty = list_empty(&dentry->children);
	spin_unlock(&dentry_tree_lock);
	return empty;
}

/* A leaf of the tree, taken out of it; NULL when only the root is left. */
static struct dentry *take_leaf(struct dentry *root, bool *pinned)
{
	struct dentry *leaf = root;

	spin_lock(&dentry_tree_lock);
	while (!list_empty(&leaf->children))
		leaf = list_first(&leaf->children, struct dentry, sibling);
	if (leaf == root)
		leaf = NULL;
	else
		*pinned = unlink_locked(leaf);
	spin_unlock(&dentry_tree_lock);
	return leaf;
}

void dentry_tree_destroy(struct dentry *root)
{
	struct dentry *leaf;
	bool pinned;

	while ((leaf = take_leaf(root, &pinned)))
		if (pinned)
			dentry_put(leaf);
	root->pinned = false;
	dentry_put(root);
}
