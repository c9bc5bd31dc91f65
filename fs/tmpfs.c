/*
 * fs/tmpfs.c - the file system in memory: tmpfs(5). The root, /dev and what is mounted as tmpfs.
 *
 * Names are pinned dentries, attributes are the inodes themselves, and the bytes of a regular
 * file are the page cache of its mem_object: there is nothing behind them. So lookup does not
 * exist, `load` just clears a page, and write-back has nothing to do.
 *
 * Limits: each page that enters a file's cache is charged (load, tmpfs_adopt) against the super
 * block's limit, half of RAM unless size= says otherwise, and discharged when it leaves
 * (truncate, fallocate) or when the object goes (destroy). A full file system is ENOSPC in
 * write(2), SIGBUS through a mapping. Inodes are limited likewise, since their memory is the
 * kernel's own.
 *
 *   struct super_block -> struct tmpfs <- struct tmpfs_file (mem_object) <- struct inode
 *
 * A tmpfs_file may outlast its inode and even the super block (a fault under way has a reference
 * on the object), so it holds the struct tmpfs.
 *
 * Locks: names and link counts under the inodes' locks, taken by name.c; charges are atomic.
 * Tests: tests/guest/tmpfs_*.c. Mount options: tmpfs_options.c.
 */
#include <fs/dentry.h>
#include <fs/file.h>
#include <fs/fs_private.h>
#include <fs/seal.h>
#include <fs/tmpfs.h>
#include <fs/tmpfs_options.h>
#include <kernel/base/panic.h>
#include <kernel/signal.h>
#include <kernel/time.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <mm/heap.h>
#include <string.h>

struct tmpfs {
	_Atomic uint32_t refs;	/* the super block + its regular files */
	_Atomic uint64_t pages; /* charged */
	_Atomic uint64_t inodes;
	uint64_t page_limit, inode_limit; /* [I] */
};

struct tmpfs_file {
	struct mem_object object;
	struct tmpfs *tmpfs;	  /* [I] reference */
	_Atomic uint64_t charged; /* pages */
};

static _Atomic uint64_t all_pages;

/* --- charging --- */

static void tmpfs_put(struct tmpfs *tmpfs)
{
	if (atomic_fetch_sub_explicit(&tmpfs->refs, 1, memory_order_acq_rel) == 1)
		kfree(tmpfs);
}

/* One more in *count unless it has reached `limit`. */
static bool count_up(_Atomic uint64_t *count, uint64_t limit)
{
	uint64_t now = atomic_load(count);

	while (now < limit)
		if (atomic_compare_exchange_weak(count, &now, now + 1))
			return true;
	return false;
}

static int charge_page(struct tmpfs_file *file, uint64_t limit)
{
	if (!count_up(&file->tmpfs->pages, limit))
		return -ENOSPC;
	atomic_fetch_add(&file->charged, 1);
	atomic_fetch_add(&all_pages, 1);
	return 0;
}

/*
 * mm counts what leaves a cache while faults may be putting pages in, so its number may be off
 * by those: never more than was charged, and what is missed goes with the object.
 */
static void discharge_pages(struct tmpfs_file *file, uint64_t pages)
{
	uint64_t charged = atomic_load(&file->charged);

	while (!atomic_compare_exchange_weak(&file->charged, &charged,
					     charged - MIN(charged, pages)))
		;
	pages = MIN(charged, pages);
	atomic_fetch_sub(&file->tmpfs->pages, pages);
	atomic_fetch_sub(&all_pages, pages);
}

uint64_t tmpfs_pages(void)
{
	return atomic_load(&all_pages);
}

/* --- the bytes of a regular file --- */

static struct tmpfs_file *file_of(struct mem_object *object)
{
	return container_of(object, struct tmpfs_file, object);
}

static int tmpfs_load(struct mem_object *object, uint64_t index, struct frame *frame)
{
	struct tmpfs_file *file = file_of(object);
	int error = charge_page(file, file->tmpfs->page_limit);

	(void)index;
	if (!error)
		memset(frame_virt(frame), 0, PAGE_SIZE);
	return error;
}

static void tmpfs_destroy_object(struct mem_object *object)
{
	struct tmpfs_file *file = file_of(object);

	discharge_pages(file, atomic_load(&file->charged));
	tmpfs_put(file->tmpfs);
	kfree(file);
}

static const struct mem_operations tmpfs_mem_operations = {
	.load = tmpfs_load,
	.in_memory = true,
	.destroy = tmpfs_destroy_object,
};

static int tmpfs_truncate(struct inode *inode, uint64_t size)
{
	uint64_t gone;
	int error = seal_check_size(inode, size);

	if (error)
		return error;
	gone = mem_object_truncate(inode->object, size);
	discharge_pages(file_of(inode->object), gone);
	return 0;
}

/* Pages [first, last] that are missing are made; all or, but for a race, none. */
static int make_pages(struct tmpfs_file *file, uint64_t first, uint64_t last)
{
	uint64_t missing = last - first + 1 - mem_object_count(&file->object, first, last);
	uint64_t pages = atomic_load(&file->tmpfs->pages);

	if (missing > file->tmpfs->page_limit - MIN(pages, file->tmpfs->page_limit))
		return -ENOSPC;
	for (uint64_t index = first; index <= last; index++) {
		struct frame *frame;
		int error = mem_object_frame(&file->object, index, &frame);

		if (error)
			return error;
		frame_put(frame);
		if (signal_fatal_pending(current_task()))
			return -EINTR;
	}
	return 0;
}

static int check_seals(const struct inode *inode, int mode, uint64_t end)
{
	bool clears = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
	bool grows = !(mode & FALLOC_FL_PUNCH_HOLE) && end > inode_size(inode); /* or KEEP_SIZE */
	int error = clears ? seal_check_clear(inode) : 0;

	return !error && grows ? seal_check_size(inode, end) : error;
}

static int tmpfs_allocate(struct inode *inode, int mode, uint64_t beg, uint64_t end)
{
	struct tmpfs_file *file = file_of(inode->object);
	int error = check_seals(inode, mode, end);

	if (error)
		return error;
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		discharge_pages(file, mem_object_clear(inode->object, beg, end));
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return 0;
	error = make_pages(file, beg >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	if (!error && !(mode & FALLOC_FL_KEEP_SIZE) && end > inode_size(inode))
		(void)mem_object_truncate(inode->object, end);
	return error;
}

int tmpfs_adopt(struct inode *inode, uint64_t index, struct frame *frame)
{
	struct tmpfs_file *file;
	int error;

	if (!inode->object || inode->object->ops != &tmpfs_mem_operations)
		return -EINVAL;
	file = file_of(inode->object);
	error = mem_object_adopt(&file->object, index, frame);
	if (!error)
		(void)charge_page(file, UINT64_MAX);
	return error;
}

/* --- inodes --- */

static struct tmpfs *tmpfs_of(struct super_block *super)
{
	return super->data;
}

static void tmpfs_release(struct inode *inode)
{
	kfree(inode->data); /* a link's text, a nameless file's name */
	atomic_fetch_sub(&tmpfs_of(inode->super)->inodes, 1);
}

static const struct inode_operations tmpfs_file_operations = {
	.truncate = tmpfs_truncate,
	.allocate = tmpfs_allocate,
	.release = tmpfs_release,
};

static const struct inode_operations tmpfs_node_operations = {
	.release = tmpfs_release,
};

static const struct inode_operations tmpfs_link_operations = {
	.readlink = text_link_readlink,
	.release = tmpfs_release,
};

static const struct inode_operations tmpfs_directory_operations;

static int give_object(struct inode *inode)
{
	struct tmpfs_file *file = kzalloc(sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->tmpfs = tmpfs_of(inode->super);
	atomic_fetch_add_explicit(&file->tmpfs->refs, 1, memory_order_relaxed);
	mem_object_init(&file->object, &tmpfs_mem_operations, 0);
	inode->object = &file->object;
	inode->seals = F_SEAL_SEAL;
	return 0;
}

/* An inode of any type, counted; a regular file with its object. */
static int tmpfs_new_inode(struct super_block *super, uint32_t mode, struct inode **result)
{
	const struct inode_operations *ops = &tmpfs_node_operations;
	const struct file_operations *file_ops = NULL;
	struct inode *inode;

	if (S_ISREG(mode)) {
		ops = &tmpfs_file_operations;
		file_ops = &cached_file_operations;
	} else if (S_ISDIR(mode)) {
		ops = &tmpfs_directory_operations;
		file_ops = &tree_directory_file_operations;
	} else if (S_ISLNK(mode)) {
		ops = &tmpfs_link_operations;
	}
	if (!count_up(&tmpfs_of(super)->inodes, tmpfs_of(super)->inode_limit))
		return -ENOSPC;
	inode = inode_create(super, mode, ops, file_ops);
	if (!inode) {
		atomic_fetch_sub(&tmpfs_of(super)->inodes, 1);
		return -ENOMEM;
	}
	if (S_ISREG(mode) && give_object(inode)) {
		inode_put(inode);
		return -ENOMEM;
	}
	*result = inode;
	return 0;
}

/* In a set-group-id directory everything belongs to its group, and so on down: inode(7). */
static void inherit_group(const struct inode *dir, struct inode *inode)
{
	if (!(dir->mode & S_ISGID))
		return;
	inode->gid = dir->gid;
	if (S_ISDIR(inode->mode))
		inode->mode |= S_ISGID;
}

/* --- names --- */

static int tmpfs_create_name(struct inode *dir, struct dentry *dentry, uint32_t mode,
			     uint64_t device)
{
	struct inode *inode;
	int error = tmpfs_new_inode(dir->super, mode, &inode);

	if (error)
		return error;
	inode->device = device;
	inherit_group(dir, inode);
	if (S_ISDIR(mode))
		dir->links++;
	inode_modified(dir);
	dentry_attach_pinned(dentry, inode);
	return 0;
}

static int tmpfs_symlink(struct inode *dir, struct dentry *dentry, const char *target)
{
	struct inode *inode;
	int error = tmpfs_new_inode(dir->super, S_IFLNK | 0777, &inode);

	if (error)
		return error;
	inode->data = kstrdup(target);
	if (!inode->data) {
		inode_put(inode);
		return -ENOMEM;
	}
	inode->size = strlen(target);
	inherit_group(dir, inode);
	inode_modified(dir);
	dentry_attach_pinned(dentry, inode);
	return 0;
}

static int tmpfs_link(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	if (inode->links == UINT32_MAX)
		return -EMLINK;
	inode->links++;
	inode_modified(dir);
	inode->ctime_ns = dir->ctime_ns;
	inode_get(inode);
	dentry_attach_pinned(dentry, inode);
	return 0;
}

/* One name of `inode` in `dir` goes; a directory goes with its last. */
static void drop_name(struct inode *dir, struct inode *inode)
{
	if (S_ISDIR(inode->mode)) {
		inode->links = 0;
		dir->links--;
	} else {
		inode->links--;
	}
	inode->ctime_ns = time_real_ns();
}

static int tmpfs_unlink(struct inode *dir, struct dentry *dentry)
{
	drop_name(dir, dentry->inode);
	inode_modified(dir);
	return 0;
}

static int tmpfs_rename(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
			struct dentry *to, unsigned flags)
{
	if (to->inode && !(flags & RENAME_EXCHANGE))
		drop_name(to_dir, to->inode);
	if (from_dir != to_dir && S_ISDIR(from->inode->mode)) {
		from_dir->links--;
		to_dir->links++;
	}
	if (from_dir != to_dir && (flags & RENAME_EXCHANGE) && S_ISDIR(to->inode->mode)) {
		to_dir->links--;
		from_dir->links++;
	}
	inode_modified(from_dir);
	inode_modified(to_dir);
	from->inode->ctime_ns = to_dir->ctime_ns;
	if (to->inode)
		to->inode->ctime_ns = to_dir->ctime_ns;
	return 0;
}

static const struct inode_operations tmpfs_directory_operations = {
	.create = tmpfs_create_name,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_unlink,
	.rename = tmpfs_rename,
	.release = tmpfs_release,
};

/* --- super blocks --- */

static void tmpfs_statfs(struct super_block *super, struct statfs *statfs)
{
	struct tmpfs *tmpfs = tmpfs_of(super);
	uint64_t pages = MIN(atomic_load(&tmpfs->pages), tmpfs->page_limit);

	/* Without a limit there is nothing to tell: zero, as on Linux. */
	if (tmpfs->page_limit != UINT64_MAX) {
		statfs->f_blocks = (long)tmpfs->page_limit;
		statfs->f_bfree = statfs->f_bavail = (long)(tmpfs->page_limit - pages);
	}
	if (tmpfs->inode_limit != UINT64_MAX) {
		statfs->f_files = (long)tmpfs->inode_limit;
		statfs->f_ffree = (long)(tmpfs->inode_limit - atomic_load(&tmpfs->inodes));
	}
}

static void tmpfs_destroy(struct super_block *super)
{
	tmpfs_put(tmpfs_of(super));
}

static const struct super_operations tmpfs_super_operations = {
	.statfs = tmpfs_statfs,
	.destroy = tmpfs_destroy,
};

static struct super_block *tmpfs_new_super(const struct fs_type *type,
					   const struct tmpfs_options *options)
{
	struct tmpfs *tmpfs = kzalloc(sizeof(*tmpfs));
	struct super_block *super;

	if (!tmpfs)
		return NULL;
	atomic_init(&tmpfs->refs, 1);
	tmpfs->page_limit = options->pages;
	tmpfs->inode_limit = options->inodes;
	super = super_create(type, &tmpfs_super_operations, TMPFS_MAGIC, tmpfs);
	if (!super)
		kfree(tmpfs);
	return super;
}

static int tmpfs_make(const struct fs_type *type, const struct tmpfs_options *options,
		      struct super_block **result)
{
	struct super_block *super = tmpfs_new_super(type, options);
	struct inode *inode;
	int error;

	if (!super)
		return -ENOMEM;
	error = tmpfs_new_inode(super, S_IFDIR | options->permissions, &inode);
	if (error)
		goto put_super;
	inode->uid = options->uid;
	inode->gid = options->gid;
	super->root = dentry_create_root(super, inode);
	error = -ENOMEM;
	if (!super->root)
		goto put_super;
	*result = super;
	return 0;
put_super:
	super_put(super);
	return error;
}

static int tmpfs_mount(const struct fs_type *type, const char *source, unsigned long flags,
		       const char *data, struct super_block **super)
{
	struct tmpfs_options options;
	int error;

	(void)source;
	(void)flags;
	error = tmpfs_parse_options(data, &options);
	return error ? error : tmpfs_make(type, &options, super);
}

static struct fs_type tmpfs_type = {.name = "tmpfs", .nodev = true, .mount = tmpfs_mount};

int tmpfs_create(uint64_t pages, uint32_t permissions, struct super_block **super)
{
	struct tmpfs_options options;
	int error = tmpfs_parse_options("", &options);

	if (error)
		return error;
	if (pages)
		options.pages = pages;
	options.permissions = permissions;
	return tmpfs_make(&tmpfs_type, &options, super);
}

/* --- files without names: memfd_create(2), shmget(2) --- */

static struct super_block *nameless_super; /* [I] never mounted, lives for good */

int tmpfs_create_nameless(const char *name, uint32_t permissions, struct inode **result)
{
	struct inode *inode;
	int error = tmpfs_new_inode(nameless_super, S_IFREG | permissions, &inode);

	if (error)
		return error;
	inode->links = 0;
	inode->data = kstrdup(name);
	if (!inode->data) {
		inode_put(inode);
		return -ENOMEM;
	}
	*result = inode;
	return 0;
}

const char *tmpfs_nameless(const struct inode *inode)
{
	return inode->super == nameless_super ? inode->data : NULL;
}

void tmpfs_init(void)
{
	fs_type_register(&tmpfs_type);
}

void tmpfs_init_nameless(void)
{
	struct tmpfs_options options;

	if (tmpfs_parse_options("", &options))
		panic("tmpfs: its default options are bad");
	nameless_super = tmpfs_new_super(&tmpfs_type, &options);
	if (!nameless_super)
		panic("no memory for files without names");
}
