/*
 * fs/mount.c - file system types, their instances, and the mount table.
 *
 * mount(2), umount2(2) and fs_init come in through mount_at and mount_remove; path walking calls
 * mount_cross at each name that has something mounted on it (dentry->mounts tells cheaply).
 *
 * The table is a list, oldest first. A mount holds its super block, its root dentry, and the
 * place it lies on. Whoever holds a place (open file, working directory) holds its mount, so
 * "busy" is simply: more references than the table's and the asker's, or mounts on top.
 *
 * Locks: mount_lock around changes; dentry_tree_lock around each look at the list. The inode that
 * is mounted on is locked meanwhile, as by whoever removes it.
 * Not here: the rights to mount (sys_fs.c), /proc/mounts (procfs).
 */
#include <fs/dentry.h>
#include <fs/device.h>
#include <fs/mount.h>
#include <fs/path.h>
#include <linux/fcntl.h>
#include <mm/heap.h>
#include <string.h>

/* Flags of umount2(2); <sys/mount.h>. */
#define MNT_DETACH 2
#define UMOUNT_NOFOLLOW 8
#define UMOUNT_FLAGS (1 /* MNT_FORCE */ | MNT_DETACH | UMOUNT_NOFOLLOW)

#define MOUNT_KEPT_FLAGS                                                                           \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME)
#define MS_PROPAGATION (MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED)

struct mutex mount_lock;
struct super_block *anon_super;

static struct list_node mounts = LIST_INIT(mounts);	/* [mount_lock and tree] */
static struct list_node fs_types = LIST_INIT(fs_types); /* [I] after boot */
static _Atomic unsigned next_device = 1;
static _Atomic unsigned next_mount_id = 1;

/* --- types and super blocks --- */

void fs_type_register(struct fs_type *type)
{
	list_push_back(&fs_types, &type->link);
}

void fs_type_for_each(void (*visit)(const struct fs_type *type, void *arg), void *arg)
{
	struct fs_type *type;

	list_for_each_entry(type, &fs_types, link)
		visit(type, arg);
}

static const struct fs_type *fs_type_find(const char *name)
{
	struct fs_type *type;

	list_for_each_entry(type, &fs_types, link)
		if (!strcmp(type->name, name))
			return type;
	return NULL;
}

struct super_block *super_create(const struct fs_type *type, const struct super_operations *ops,
				 uint64_t magic, void *data)
{
	struct super_block *super = kzalloc(sizeof(*super));

	if (!super)
		return NULL;
	atomic_init(&super->refs, 1);
	super->type = type;
	super->ops = ops;
	super->magic = magic;
	super->data = data;
	super->device = device_number(0, atomic_fetch_add(&next_device, 1));
	atomic_init(&super->next_inode, 1);
	return super;
}

void super_put(struct super_block *super)
{
	if (atomic_fetch_sub_explicit(&super->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (super->root)
		dentry_tree_destroy(super->root);
	if (super->ops && super->ops->destroy)
		super->ops->destroy(super);
	kfree(super);
}

/* --- mounts --- */

void mount_put(struct mount *mount)
{
	if (!mount || atomic_fetch_sub_explicit(&mount->refs, 1, memory_order_acq_rel) != 1)
		return;
	dentry_put(mount->root);
	super_put(mount->super);
	kfree(mount->source);
	kfree(mount);
}

/* Takes over the reference on `super`, on failure too. */
static struct mount *mount_create(struct super_block *super, struct dentry *root,
				  const char *source, unsigned long flags)
{
	struct mount *mount = kzalloc(sizeof(*mount));

	if (!mount)
		goto put_super;
	mount->source = kstrdup(source && *source ? source : "none");
	if (!mount->source)
		goto free_mount;
	atomic_init(&mount->refs, 1);
	mount->super = super;
	mount->root = root;
	dentry_get(root);
	atomic_init(&mount->flags, (uint32_t)(flags & MOUNT_KEPT_FLAGS));
	mount->id = atomic_fetch_add(&next_mount_id, 1);
	list_init(&mount->link);
	return mount;
free_mount:
	kfree(mount);
put_super:
	super_put(super);
	return NULL;
}

/* The newest one lies on top. */
static struct mount *find_on(const struct mount *parent, const struct dentry *dentry)
{
	for (struct list_node *at = mounts.prev; at != &mounts; at = at->prev) {
		struct mount *mount = list_entry(at, struct mount, link);

		if (mount->parent == parent && mount->mountpoint == dentry)
			return mount;
	}
	return NULL;
}

struct mount *mount_on(struct mount *mount, struct dentry *dentry)
{
	struct mount *found;

	if (!atomic_load_explicit(&dentry->mounts, memory_order_acquire))
		return NULL;
	spin_lock(&dentry_tree_lock);
	found = find_on(mount, dentry);
	if (found)
		mount_get(found);
	spin_unlock(&dentry_tree_lock);
	return found;
}

void mount_cross(struct path *path)
{
	struct mount *above;

	while ((above = mount_on(path->mount, path->dentry))) {
		dentry_get(above->root);
		dentry_put(path->dentry);
		mount_put(path->mount);
		path->mount = above;
		path->dentry = above->root;
	}
}

/* The place is in use: not removed, and in a mount that is in the table. */
static int check_place(const struct path *at) REQUIRES(mount_lock)
{
	if (at->dentry->unlinked)
		return -ENOENT;
	return list_empty(&at->mount->link) ? -EINVAL : 0;
}

/* The new mount goes on `at`; the table takes over the caller's reference. */
static int mount_attach(struct mount *mount, const struct path *at)
{
	struct inode *inode = at->dentry->inode;
	int error;

	if (S_ISDIR(mount->root->inode->mode) != S_ISDIR(inode->mode))
		return -ENOTDIR;
	mutex_lock(&mount_lock);
	mutex_lock(&inode->lock);
	error = check_place(at);
	if (!error) {
		path_get(at);
		spin_lock(&dentry_tree_lock);
		mount->parent = at->mount;
		mount->mountpoint = at->dentry;
		list_push_back(&mounts, &mount->link);
		atomic_fetch_add(&at->dentry->mounts, 1);
		spin_unlock(&dentry_tree_lock);
	}
	mutex_unlock(&inode->lock);
	mutex_unlock(&mount_lock);
	return error;
}

int mount_root_init(struct super_block *super, struct path *root)
{
	struct mount *mount;

	mutex_init(&mount_lock, RANK_MOUNT);
	mount = mount_create(super, super->root, "tmpfs", 0);
	if (!mount)
		return -ENOMEM;
	list_push_back(&mounts, &mount->link);
	root->mount = mount;
	root->dentry = mount->root;
	return 0;
}

int mount_detached(struct inode *inode, struct path *path)
{
	struct dentry *dentry;

	inode_get(inode);
	dentry = dentry_create_root(inode->super, inode);
	if (!dentry)
		return -ENOMEM;
	super_get(inode->super);
	path->mount = mount_create(inode->super, dentry, NULL, 0);
	path->dentry = dentry;
	if (!path->mount) {
		dentry_put(dentry);
		return -ENOMEM;
	}
	return 0;
}

/* --- mount(2) --- */

/* What mount_create returned, on `target`. */
static int attach_made(struct mount *mount, const struct path *target)
{
	int error;

	if (!mount)
		return -ENOMEM;
	error = mount_attach(mount, target);
	if (error)
		mount_put(mount);
	return error;
}

static int mount_new(const char *source, const struct path *target, const char *type_name,
		     unsigned long flags, const char *data)
{
	const struct fs_type *type = type_name ? fs_type_find(type_name) : NULL;
	struct super_block *super;
	int error;

	if (!type_name)
		return -EINVAL;
	if (!type)
		return -ENODEV;
	error = type->mount(type, source ? source : "", flags, data ? data : "", &super);
	if (error)
		return error;
	return attach_made(mount_create(super, super->root, source, flags), target);
}

static int mount_bind(const char *source, const struct path *target)
{
	struct path from;
	struct mount *mount;
	int error;

	if (!source)
		return -EINVAL;
	error = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (error)
		return error;
	super_get(from.mount->super);
	mount = mount_create(from.mount->super, from.dentry, from.mount->source,
			     atomic_load(&from.mount->flags));
	path_put(&from);
	return attach_made(mount, target);
}

static int mount_change_flags(const struct path *target, unsigned long flags)
{
	if (target->dentry != target->mount->root)
		return -EINVAL;
	atomic_store(&target->mount->flags, (uint32_t)(flags & MOUNT_KEPT_FLAGS));
	return 0;
}

int mount_at(const char *source, const char *target, const char *type, unsigned long flags,
	     const char *data)
{
	struct path at;
	int error;

	error = path_lookup(AT_FDCWD, target, LOOKUP_FOLLOW, &at);
	if (error)
		return error;
	if (flags & MS_REMOUNT)
		error = mount_change_flags(&at, flags);
	else if (flags & MS_BIND)
		error = mount_bind(source, &at);
	else if (flags & MS_PROPAGATION)
		error = 0; /* there is one name space only: nothing to propagate to */
	else if (flags & MS_MOVE)
		error = -EINVAL;
	else
		error = mount_new(source, &at, type, flags, data);
	path_put(&at);
	return error;
}

/* --- umount2(2) --- */

static bool has_mounts_on_it(const struct mount *mount)
{
	struct mount *other;

	list_for_each_entry(other, &mounts, link)
		if (other->parent == mount)
			return true;
	return false;
}

/*
 * Takes `mount` out of the table; *place is where it lay, with the table's references. The
 * caller's place in it counts two: the table's and the caller's own.
 */
static int mount_detach(struct mount *mount, bool lazy, struct path *place)
{
	int error = 0;

	spin_lock(&dentry_tree_lock);
	if (!mount->parent || list_empty(&mount->link))
		error = -EINVAL;
	else if (!lazy && (has_mounts_on_it(mount) || atomic_load(&mount->refs) > 2))
		error = -EBUSY;
	if (!error) {
		*place = (struct path){mount->parent, mount->mountpoint};
		mount->parent = NULL;
		mount->mountpoint = NULL;
		list_remove(&mount->link);
		atomic_fetch_sub(&place->dentry->mounts, 1);
	}
	spin_unlock(&dentry_tree_lock);
	return error;
}

int mount_remove(const char *target, int flags)
{
	struct super_block *super;
	struct path at, place;
	int error;

	if (flags & ~UMOUNT_FLAGS)
		return -EINVAL;
	error = path_lookup(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &at);
	if (error)
		return error;
	error = -EINVAL;
	if (at.dentry == at.mount->root) {
		super = at.mount->super;
		if (super->ops && super->ops->sync)
			super->ops->sync(super);
		mutex_lock(&mount_lock);
		error = mount_detach(at.mount, flags & MNT_DETACH, &place);
		mutex_unlock(&mount_lock);
	}
	if (!error) {
		path_put(&place);
		mount_put(at.mount); /* the table's */
	}
	path_put(&at);
	return error;
}

/* --- showing --- */

void mount_for_each(bool (*visit)(struct mount *mount, void *arg), void *arg)
{
	struct mount *mount;

	mutex_lock(&mount_lock);
	list_for_each_entry(mount, &mounts, link)
		if (!visit(mount, arg))
			break;
	mutex_unlock(&mount_lock);
}

const char *mount_options(const struct mount *mount, char *buf, size_t size)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} words[] = {
		{MS_NOSUID, ",nosuid"},		{MS_NODEV, ",nodev"},
		{MS_NOEXEC, ",noexec"},		{MS_NOATIME, ",noatime"},
		{MS_NODIRATIME, ",nodiratime"}, {MS_RELATIME, ",relatime"},
	};
	uint32_t flags = atomic_load(&mount->flags);
	size_t used = 2, length;

	memcpy(buf, flags & MS_RDONLY ? "ro" : "rw", used);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		length = strlen(words[i].word);
		if (!(flags & words[i].flag) || used + length >= size)
			continue;
		memcpy(buf + used, words[i].word, length);
		used += length;
	}
	buf[used] = '\0';
	return buf;
}
