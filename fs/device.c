/*
 * fs/device.c - device numbers and the nodes in /dev.
 *
 * Drivers register a number, a name and operations; a node with that number, wherever it lies
 * (mknod(2) makes them anywhere), opens as that device. /dev is a tmpfs of its own in which
 * each registered device gets its node, so that programs may add links and directories there.
 *
 * Locks: registry_lock for the list, which only grows. Nodes are made outside it.
 * Not here: the devices themselves (devfs.c, drivers/).
 */
#include <fs/dentry.h>
#include <fs/device.h>
#include <fs/file.h>
#include <fs/mount.h>
#include <fs/path.h>
#include <fs/tmpfs.h>
#include <mm/heap.h>
#include <string.h>

struct device {
	struct list_node link;
	uint64_t number;
	uint32_t mode;
	const struct file_operations *ops;
	void *data;
	char *name; /* below /dev */
};

static struct spinlock registry_lock = SPINLOCK_INIT(RANK_FILES);
static struct list_node devices GUARDED_BY(registry_lock) = LIST_INIT(devices); /* only grows */
static struct dentry *devfs_root;		      /* [I] once mounted */

static struct device *device_find_locked(uint64_t number, uint32_t type) REQUIRES(registry_lock)
{
	struct device *device;

	list_for_each_entry(device, &devices, link)
		if (device->number == number && (device->mode & S_IFMT) == type)
			return device;
	return NULL;
}

static struct device *device_find(uint64_t number, uint32_t type)
{
	struct device *device;

	spin_lock(&registry_lock);
	device = device_find_locked(number, type);
	spin_unlock(&registry_lock);
	return device;
}

/* --- opening --- */

static int device_open(struct inode *inode, struct file *file)
{
	struct device *device = device_find(inode->device, inode->mode & S_IFMT);

	if (!device)
		return -ENXIO;
	file->ops = device->ops;
	file->data = device->data;
	return file->ops->open ? file->ops->open(inode, file) : 0;
}

const struct file_operations device_node_operations = {
	.open = device_open,
};

/* --- nodes --- */

/* The child `name` of `parent`, made if it is missing. A reference in *child. */
static int make_node(struct dentry *parent, const struct name *name, uint32_t mode, uint64_t number,
		     struct dentry **child)
{
	struct inode *dir = parent->inode;
	struct dentry *dentry;
	int error;

	mutex_lock(&dir->lock);
	error = dentry_lookup_locked(parent, name, child);
	if (error == -ENOENT) {
		error = -ENOMEM;
		dentry = dentry_create(parent, name);
		if (dentry)
			error = dir->ops->create(dir, dentry, mode, number);
		if (error)
			dentry_put(dentry);
		else
			*child = dentry;
	}
	mutex_unlock(&dir->lock);
	return error;
}

/* Makes /dev/NAME, and the directories before it. */
static int device_make_node(const struct device *device)
{
	struct dentry *parent = devfs_root, *child;
	const char *text = device->name, *end;
	struct name name;
	int error;

	dentry_get(parent);
	for (;; text = end + 1) {
		end = strchr(text, '/');
		name.text = text;
		name.length = (uint32_t)(end ? (size_t)(end - text) : strlen(text));
		name.hash = name_hash(text, name.length);
		error = make_node(parent, &name, end ? S_IFDIR | 0755 : device->mode,
				  end ? 0 : device->number, &child);
		dentry_put(parent);
		if (error)
			return error;
		parent = child;
		if (!end)
			break;
	}
	dentry_put(parent);
	return 0;
}

int device_register(unsigned major, unsigned minor, const char *name, uint32_t mode,
		    const struct file_operations *ops, void *data)
{
	struct device *device = kzalloc(sizeof(*device));
	bool taken;

	if (!device)
		return -ENOMEM;
	device->name = kstrdup(name);
	if (!device->name) {
		kfree(device);
		return -ENOMEM;
	}
	device->number = device_number(major, minor);
	device->mode = mode;
	device->ops = ops;
	device->data = data;
	spin_lock(&registry_lock);
	taken = device_find_locked(device->number, mode & S_IFMT);
	if (!taken)
		list_push_back(&devices, &device->link);
	spin_unlock(&registry_lock);
	if (taken) {
		kfree(device->name);
		kfree(device);
		return -EEXIST;
	}
	return devfs_root ? device_make_node(device) : 0;
}

/* --- /dev --- */

static struct super_block *devfs_super;

/* Every mount of this type shows the one tree. */
static int devfs_mount(const struct fs_type *type, const char *source, unsigned long flags,
		       const char *data, struct super_block **super)
{
	(void)type;
	(void)source;
	(void)flags;
	(void)data;
	super_get(devfs_super);
	*super = devfs_super;
	return 0;
}

static struct fs_type devfs_type = {.name = "devtmpfs", .nodev = true, .mount = devfs_mount};

int device_mount_devfs(void)
{
	struct device *device;
	int error = tmpfs_create(0, 0755, &devfs_super);

	if (error)
		return error;
	devfs_super->type = &devfs_type;
	fs_type_register(&devfs_type);
	error = mount_at("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	if (error)
		return error;
	devfs_root = devfs_super->root;
	list_for_each_entry(device, &devices, link) {
		error = device_make_node(device);
		if (error)
			return error;
	}
	return 0;
}
