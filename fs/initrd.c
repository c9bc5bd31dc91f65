/*
 * fs/initrd.c - unpacks newc archives over the root: the initrd, and the overlay of fw_cfg.
 *
 * Way in: kernel_main, after fs_init. The archive's entries come from fs/cpio.c; names are made
 * with fs/name.h, as a program would make them.
 *
 * A regular file's bytes become its page cache page by page. From memory, a whole page of the
 * archive that lies at a page boundary is not copied: its frame becomes the file's. The rest of
 * the archive's memory goes back through `unused` on the way; entries that were read are not
 * looked at again. From a stream, and for the last part of a file, pages are copied.
 *
 * Rules: what comes later wins; a directory merges with what is there (through a link to a
 * directory too); parents that are missing are made; entries of one (device, inode) with
 * several links are links of one file, whichever of them carries the data. Directories get their
 * times at the end, since filling them changes these.
 *
 * Locks: none of its own; boot only. Tests: every boot; tests/host/test_cpio.c.
 */
#include <fs/cpio.h>
#include <fs/dentry.h>
#include <fs/device.h>
#include <fs/fs.h>
#include <fs/name.h>
#include <fs/path.h>
#include <fs/tmpfs.h>
#include <kernel/base/errno.h>
#include <kernel/base/log.h>
#include <kernel/time.h>
#include <linux/limits.h>
#include <mm/heap.h>
#include <string.h>

#define LINK_BUCKETS 64
#define PARENT_PERMISSIONS 0755
#define PERMISSION_BITS 07777u

/* A file that further entries may link to. */
struct linked_file {
	struct list_node node;
	uint32_t ino, dev_major, dev_minor;
	char path[];
};

/* A directory whose time is set at the end. */
struct directory_time {
	struct list_node node;
	uint64_t mtime_ns;
	char path[];
};

struct unpacker {
	char *path;                 /* of the entry, from the root; PATH_MAX + 1 bytes */
	struct cpio_stream *stream; /* NULL: the archive lies in memory */
	phys_t beg;                 /* in memory: where */
	phys_t used_to;             /* everything before was given away or back */
	void (*unused)(phys_t beg, phys_t end);
	struct list_node *linked;   /* LINK_BUCKETS lists of struct linked_file */
	struct list_node directories;
};

static int unpacker_init(struct unpacker *unpacker)
{
	unpacker->path = kzalloc(PATH_MAX + 1);
	unpacker->linked = kmalloc(LINK_BUCKETS * sizeof(*unpacker->linked));
	if (!unpacker->path || !unpacker->linked) {
		kfree(unpacker->path);
		kfree(unpacker->linked);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < LINK_BUCKETS; i++)
		list_init(&unpacker->linked[i]);
	list_init(&unpacker->directories);
	return 0;
}

/* "./usr/bin/" and "usr/bin" are "/usr/bin"; the root itself is "/". */
static int set_path(struct unpacker *unpacker, const char *name)
{
	size_t length;

	while (name[0] == '/' || (name[0] == '.' && (name[1] == '/' || name[1] == '\0')))
		name++;
	length = strlen(name);
	while (length > 0 && name[length - 1] == '/')
		length--;
	if (length + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	unpacker->path[0] = '/';
	memcpy(unpacker->path + 1, name, length);
	unpacker->path[length + 1] = '\0';
	return 0;
}

/* Names */

/* Makes the directories before the last component that are missing. */
static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int error;

		*slash = '\0';
		error = name_mkdir(AT_FDCWD, path, PARENT_PERMISSIONS);
		*slash = '/';
		if (error && error != -EEXIST)
			return error;
	}
	return 0;
}

/* What is in the way of a new file goes; of directories only empty ones do. */
static int remove_old(const char *path)
{
	int error = name_unlink(AT_FDCWD, path);

	return error == -EISDIR ? name_rmdir(AT_FDCWD, path) : error;
}

/* One way of making a name, tried again after the way was cleared. */
typedef int (*make_name)(struct unpacker *unpacker, const struct cpio_entry *entry,
			 const char *arg);

static int make(struct unpacker *unpacker, const struct cpio_entry *entry, make_name make_it,
		const char *arg)
{
	int error = make_it(unpacker, entry, arg);

	if (error == -ENOENT) {
		error = make_parents(unpacker->path);
		if (!error)
			error = make_it(unpacker, entry, arg);
	}
	if (error == -EEXIST) {
		error = remove_old(unpacker->path);
		if (!error)
			error = make_it(unpacker, entry, arg);
	}
	return error;
}

static int make_node(struct unpacker *unpacker, const struct cpio_entry *entry, const char *arg)
{
	(void)arg;
	return name_mknod(AT_FDCWD, unpacker->path, entry->mode,
			  device_number(entry->rdev_major, entry->rdev_minor));
}

static int make_symlink(struct unpacker *unpacker, const struct cpio_entry *entry,
			const char *target)
{
	(void)entry;
	return name_symlink(target, AT_FDCWD, unpacker->path);
}

static int make_link(struct unpacker *unpacker, const struct cpio_entry *entry, const char *old)
{
	(void)entry;
	return name_link(AT_FDCWD, old, AT_FDCWD, unpacker->path, 0);
}

static int make_directory(struct unpacker *unpacker, const struct cpio_entry *entry,
			  const char *arg)
{
	struct path there;
	int error;

	(void)arg;
	error = path_lookup(AT_FDCWD, unpacker->path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &there);
	if (!error) {
		path_put(&there);
		return 0;
	}
	return name_mkdir(AT_FDCWD, unpacker->path, entry->mode & PERMISSION_BITS);
}

/* Attributes */

static uint64_t entry_time_ns(const struct cpio_entry *entry)
{
	return entry->mtime * NS_PER_SEC;
}

static int set_times(const char *path, uint64_t mtime_ns)
{
	struct inode_change change = {
		.set = CHANGE_MTIME | CHANGE_ATIME, .mtime_ns = mtime_ns, .atime_ns = mtime_ns};
	struct path place;
	int error = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &place);

	if (error)
		return error;
	mutex_lock(&place.dentry->inode->lock);
	inode_apply(place.dentry->inode, &change);
	mutex_unlock(&place.dentry->inode->lock);
	path_put(&place);
	return 0;
}

static void set_attributes(struct inode *inode, const struct cpio_entry *entry)
{
	struct inode_change change = {
		.set = CHANGE_UID | CHANGE_GID | CHANGE_ATIME | CHANGE_MTIME,
		.mode = entry->mode & PERMISSION_BITS,
		.uid = entry->uid,
		.gid = entry->gid,
		.atime_ns = entry_time_ns(entry),
		.mtime_ns = entry_time_ns(entry),
	};

	if (!S_ISLNK(entry->mode))
		change.set |= CHANGE_MODE;
	mutex_lock(&inode->lock);
	inode_apply(inode, &change);
	mutex_unlock(&inode->lock);
}

static int remember_directory(struct unpacker *unpacker, const struct cpio_entry *entry)
{
	size_t size = strlen(unpacker->path) + 1;
	struct directory_time *directory = kmalloc(sizeof(*directory) + size);

	if (!directory)
		return -ENOMEM;
	directory->mtime_ns = entry_time_ns(entry);
	memcpy(directory->path, unpacker->path, size);
	list_push_back(&unpacker->directories, &directory->node);
	return 0;
}

/* Hard links */

static struct list_node *link_bucket(struct unpacker *unpacker, const struct cpio_entry *entry)
{
	return &unpacker->linked[entry->ino % LINK_BUCKETS];
}

static struct linked_file *find_linked(struct unpacker *unpacker, const struct cpio_entry *entry)
{
	struct linked_file *file;

	list_for_each_entry(file, link_bucket(unpacker, entry), node)
		if (file->ino == entry->ino && file->dev_major == entry->dev_major &&
		    file->dev_minor == entry->dev_minor)
			return file;
	return NULL;
}

static int remember_linked(struct unpacker *unpacker, const struct cpio_entry *entry)
{
	size_t size = strlen(unpacker->path) + 1;
	struct linked_file *file = kmalloc(sizeof(*file) + size);

	if (!file)
		return -ENOMEM;
	file->ino = entry->ino;
	file->dev_major = entry->dev_major;
	file->dev_minor = entry->dev_minor;
	memcpy(file->path, unpacker->path, size);
	list_push_back(link_bucket(unpacker, entry), &file->node);
	return 0;
}

/* The bytes of regular files */

static size_t page_bytes(const struct cpio_entry *entry, uint64_t index)
{
	return MIN(entry->size - index * PAGE_SIZE, PAGE_SIZE);
}

/* Everything of the archive before [beg, end), which is taken, goes back. */
static void take_range(struct unpacker *unpacker, phys_t beg, phys_t end)
{
	if (unpacker->used_to < beg)
		unpacker->unused(unpacker->used_to, beg);
	unpacker->used_to = end;
}

/* The archive's own frame, where the page is whole and aligned; else NULL. */
static struct frame *take_frame(struct unpacker *unpacker, const struct cpio_entry *entry,
				uint64_t index)
{
	phys_t page = unpacker->beg + entry->offset + index * PAGE_SIZE;

	if (unpacker->stream || page_bytes(entry, index) < PAGE_SIZE || page % PAGE_SIZE != 0)
		return NULL;
	take_range(unpacker, page, page + PAGE_SIZE);
	return frame_adopt_reserved(page, FRAME_CACHE);
}

static struct frame *copy_frame(struct unpacker *unpacker, const struct cpio_entry *entry,
				uint64_t index)
{
	struct frame *frame = frame_alloc(FRAME_CACHE);
	size_t length = page_bytes(entry, index);
	char *bytes;

	if (!frame)
		return NULL;
	bytes = frame_virt(frame);
	if (unpacker->stream)
		length = cpio_stream_data(unpacker->stream, bytes, length);
	else
		memcpy(bytes, (const char *)entry->data + index * PAGE_SIZE, length);
	memset(bytes + length, 0, PAGE_SIZE - length);
	return frame;
}

static int fill_file(struct unpacker *unpacker, const struct cpio_entry *entry, struct inode *inode)
{
	int error = inode_truncate(inode, 0);

	if (!error)
		error = inode_truncate(inode, entry->size);
	for (uint64_t index = 0; index * PAGE_SIZE < entry->size && !error; index++) {
		struct frame *frame = take_frame(unpacker, entry, index);

		if (!frame)
			frame = copy_frame(unpacker, entry, index);
		if (!frame)
			return -ENOMEM;
		error = tmpfs_adopt(inode, index, frame);
		if (error)
			frame_put(frame);
	}
	return error;
}

/* Entries */

/* The name is there: contents and attributes. */
static int finish_file(struct unpacker *unpacker, const struct cpio_entry *entry)
{
	struct path place;
	int error = path_lookup(AT_FDCWD, unpacker->path, 0, &place);

	if (error)
		return error;
	/* Of several links, one carries the data: the others' size is 0. */
	if (S_ISREG(entry->mode) && entry->size > 0)
		error = fill_file(unpacker, entry, place.dentry->inode);
	if (!error)
		set_attributes(place.dentry->inode, entry);
	path_put(&place);
	return error;
}

static int unpack_file(struct unpacker *unpacker, const struct cpio_entry *entry)
{
	struct linked_file *first = NULL;
	int error;

	if (S_ISREG(entry->mode) && entry->nlink > 1) {
		first = find_linked(unpacker, entry);
		error = first ? 0 : remember_linked(unpacker, entry);
		if (error)
			return error;
	}
	/* The same name twice: it is its own link already. */
	if (first && strcmp(first->path, unpacker->path) == 0)
		error = 0;
	else if (first)
		error = make(unpacker, entry, make_link, first->path);
	else
		error = make(unpacker, entry, make_node, NULL);
	return error ? error : finish_file(unpacker, entry);
}

static int unpack_symlink(struct unpacker *unpacker, const struct cpio_entry *entry)
{
	char *target;
	int error;

	if (entry->size == 0 || entry->size >= PATH_MAX)
		return -ENAMETOOLONG;
	target = kmalloc(entry->size + 1);
	if (!target)
		return -ENOMEM;
	if (unpacker->stream)
		(void)cpio_stream_data(unpacker->stream, target, entry->size);
	else
		memcpy(target, entry->data, entry->size);
	target[entry->size] = '\0';
	error = make(unpacker, entry, make_symlink, target);
	kfree(target);
	return error ? error : finish_file(unpacker, entry);
}

static int unpack_directory(struct unpacker *unpacker, const struct cpio_entry *entry)
{
	struct path place;
	int error = make(unpacker, entry, make_directory, NULL);

	if (!error)
		error = path_lookup(AT_FDCWD, unpacker->path, LOOKUP_FOLLOW, &place);
	if (error)
		return error;
	set_attributes(place.dentry->inode, entry);
	path_put(&place);
	return remember_directory(unpacker, entry);
}

static int unpack_entry(struct unpacker *unpacker, const struct cpio_entry *entry)
{
	int error = set_path(unpacker, entry->name);

	if (!error) {
		switch (entry->mode & S_IFMT) {
		case S_IFDIR:
			error = unpack_directory(unpacker, entry);
			break;
		case S_IFLNK:
			error = unpack_symlink(unpacker, entry);
			break;
		default:
			error = unpack_file(unpacker, entry);
			break;
		}
	}
	if (error)
		log_error("initrd: cannot unpack %s: error %d", unpacker->path, -error);
	return error;
}

/* Sets the directories' times and frees what was remembered. */
static void unpacker_finish(struct unpacker *unpacker)
{
	struct directory_time *directory, *next_directory;
	struct linked_file *file, *next_file;

	list_for_each_entry_safe(directory, next_directory, &unpacker->directories, node) {
		/* A later entry may have replaced it: then there is no time to set. */
		(void)set_times(directory->path, directory->mtime_ns);
		kfree(directory);
	}
	for (unsigned i = 0; i < LINK_BUCKETS; i++)
		list_for_each_entry_safe(file, next_file, &unpacker->linked[i], node)
			kfree(file);
	kfree(unpacker->linked);
	kfree(unpacker->path);
}

static int unpack_memory(struct unpacker *unpacker, struct cpio_reader *reader)
{
	struct cpio_entry entry;
	int result;

	while ((result = cpio_reader_next(reader, &entry)) > 0) {
		result = unpack_entry(unpacker, &entry);
		if (result)
			return result;
	}
	if (result)
		log_error("initrd: damaged archive");
	return result;
}

int initrd_unpack(phys_t beg, phys_t end, void (*unused)(phys_t beg, phys_t end))
{
	struct unpacker unpacker = {.beg = beg, .used_to = beg, .unused = unused};
	struct cpio_reader reader;
	int error = unpacker_init(&unpacker);

	if (!error) {
		cpio_reader_init(&reader, phys_to_virt(beg), end - beg);
		error = unpack_memory(&unpacker, &reader);
		unpacker_finish(&unpacker);
	}
	take_range(&unpacker, end, end);
	return error;
}

static int unpack_stream(struct unpacker *unpacker)
{
	struct cpio_entry entry;
	int result;

	while ((result = cpio_stream_next(unpacker->stream, &entry)) > 0) {
		result = unpack_entry(unpacker, &entry);
		if (result)
			return result;
	}
	if (result)
		log_error("overlay: damaged archive");
	return result;
}

int initrd_unpack_stream(void (*read)(void *buf, size_t size), uint64_t total)
{
	struct cpio_stream stream;
	struct unpacker unpacker = {.stream = &stream};
	char *name = kmalloc(CPIO_NAME_SIZE);
	int error = name ? unpacker_init(&unpacker) : -ENOMEM;

	if (!error) {
		cpio_stream_init(&stream, read, total, name);
		error = unpack_stream(&unpacker);
		unpacker_finish(&unpacker);
	}
	kfree(name);
	return error;
}
