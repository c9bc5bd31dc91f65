/*
 * fs/tree.c - directories whose names are all in memory: reading them, and building trees of
 * them for pseudo file systems.
 *
 * tmpfs uses the reading half for its own directories; procfs builds its fixed part with
 * tree_add and adds dynamic names by operations of its own.
 *
 * Locks: a directory's names change only under its inode->lock, which readdir holds: the pinned
 * child it stopped at cannot leave the list meanwhile. Unpinned (dynamic) ones can, so the list
 * is followed under dentry_tree_lock, from one pinned child to the next.
 */
#include <fs/dentry.h>
#include <fs/file.h>
#include <fs/mount.h>
#include <mm/heap.h>
#include <string.h>

/* The first pinned child at or after `position`, behind `previous` (or NULL). With a reference. */
static struct dentry *next_child(struct dentry *parent, struct dentry *previous, uint64_t position)
{
	struct list_node *at;
	struct dentry *child, *found = NULL;

	spin_lock(&dentry_tree_lock);
	at = previous ? previous->sibling.next : parent->children.next;
	for (; at != &parent->children; at = at->next) {
		child = list_entry(at, struct dentry, sibling);
		if (child->pinned && child->position >= position) {
			dentry_get(child);
			found = child;
			break;
		}
	}
	spin_unlock(&dentry_tree_lock);
	return found;
}

/* "." and "..": false when there was no more room. */
static bool put_dots(struct dentry *dentry, struct dir_context *context)
{
	struct dentry *parent;
	bool room;

	if (context->position == 0) {
		if (!context->put(context, ".", 1, dentry->inode->number, DT_OF_MODE(S_IFDIR), 1))
			return false;
		context->position = 1;
	}
	if (context->position == 1) {
		parent = dentry_parent(dentry);
		room = context->put(context, "..", 2, parent->inode->number, DT_OF_MODE(S_IFDIR),
				    2);
		dentry_put(parent);
		if (!room)
			return false;
		context->position = 2;
	}
	return true;
}

int tree_readdir(struct file *file, struct dir_context *context, bool *end)
{
	struct dentry *dentry = file->path.dentry, *child = NULL, *next;
	bool room = put_dots(dentry, context);

	while (room) {
		next = next_child(dentry, child, context->position);
		dentry_put(child);
		child = next;
		if (!child)
			break;
		room = context->put(context, child->name, child->length, child->inode->number,
				    DT_OF_MODE(child->inode->mode), child->position + 1);
		if (room)
			context->position = child->position + 1;
	}
	dentry_put(child);
	if (end)
		*end = room;
	return 0;
}

static int tree_directory_readdir(struct file *file, struct dir_context *context)
{
	return tree_readdir(file, context, NULL);
}

const struct inode_operations tree_directory_operations = {0};

const struct file_operations tree_directory_file_operations = {
	.readdir = tree_directory_readdir,
};

ssize_t text_link_readlink(struct inode *inode, char *buf, size_t size)
{
	size_t length = MIN(inode->size, size);

	memcpy(buf, inode->data, length);
	return (ssize_t)length;
}

static void text_link_release(struct inode *inode)
{
	kfree(inode->data);
}

const struct inode_operations text_link_operations = {
	.readlink = text_link_readlink,
	.release = text_link_release,
};

int tree_add(struct dentry *parent, const char *name, struct inode *inode, struct dentry **child)
{
	size_t length = strlen(name);
	struct name component = {name, (uint32_t)length, name_hash(name, length)};
	struct dentry *dentry = dentry_create(parent, &component);

	if (!dentry) {
		inode_put(inode);
		return -ENOMEM;
	}
	mutex_lock(&parent->inode->lock);
	if (S_ISDIR(inode->mode))
		parent->inode->links++;
	dentry_attach_pinned(dentry, inode);
	mutex_unlock(&parent->inode->lock);
	dentry_put(dentry);
	if (child)
		*child = dentry;
	return 0;
}

int tree_add_directory(struct dentry *parent, const char *name, uint32_t permissions,
		       struct dentry **child)
{
	struct inode *inode =
		inode_create(parent->super, S_IFDIR | permissions, &tree_directory_operations,
			     &tree_directory_file_operations);

	return inode ? tree_add(parent, name, inode, child) : -ENOMEM;
}

int tree_add_symlink(struct dentry *parent, const char *name, const char *target)
{
	struct inode *inode =
		inode_create(parent->super, S_IFLNK | 0777, &text_link_operations, NULL);

	if (!inode)
		return -ENOMEM;
	inode->data = kstrdup(target);
	if (!inode->data) {
		inode_put(inode);
		return -ENOMEM;
	}
	inode->size = strlen(target);
	return tree_add(parent, name, inode, NULL);
}

int tree_add_file(struct dentry *parent, const char *name, uint32_t permissions,
		  const struct file_operations *file_ops, void *data)
{
	struct inode *inode = inode_create(parent->super, S_IFREG | permissions, NULL, file_ops);

	if (!inode)
		return -ENOMEM;
	inode->data = data;
	return tree_add(parent, name, inode, NULL);
}
