/*
 * fs/file.c - open files: their life, and reading and writing at a position.
 *
 * System calls find a file by its descriptor (file_table.c) and come here; so does mm for files
 * that are mapped, and the kernel for its own reading and writing. What a kind of file does is
 * in its file_operations; the ones for files with a page cache are here: they hand over to
 * mm/mem_object.c, so that read, write and mappings see the same bytes.
 *
 * Locks: reading takes none; writing a file with a mem_object holds its inode->lock, so that
 * writes do not mix and O_APPEND finds the end. User memory may be faulted in under it.
 * file->pos is guarded by pos_lock, which the system calls take (sys_rw.c).
 *
 * Not here: opening by name (open.c), descriptors (file_table.c).
 */
#include <asm/signal.h>
#include <fs/dentry.h>
#include <fs/file.h>
#include <fs/file_lock.h>
#include <fs/fs_private.h>
#include <fs/path.h>
#include <fs/seal.h>
#include <fs/tmpfs.h>
#include <kernel/signal.h>
#include <mm/heap.h>
#include <string.h>
#include <vsnprintf.h>

static struct object_cache file_cache;

void file_init_cache(void)
{
	object_cache_init(&file_cache, "file", sizeof(struct file), alignof(struct file));
}

struct file *file_create(const struct path *path, struct inode *inode,
			 const struct file_operations *ops, uint32_t flags)
{
	struct file *file = object_alloc_zeroed(&file_cache);
	uint32_t access = flags & O_ACCMODE;

	if (!file)
		return NULL;
	atomic_init(&file->refs, 1);
	file->ops = ops;
	file->inode = inode;
	inode_get(inode);
	if (path) {
		file->path = *path;
		path_get(path);
	}
	atomic_init(&file->flags, flags);
	if (!(flags & O_PATH)) {
		file->readable = access == O_RDONLY || access == O_RDWR;
		file->writable = access == O_WRONLY || access == O_RDWR;
	}
	file->seekable = S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISBLK(inode->mode);
	mutex_init(&file->pos_lock, RANK_POSITION);
	return file;
}

void file_free(struct file *file)
{
	if (atomic_load(&file->locked))
		file_locks_drop(file->inode, file);
	if (file->writer_share)
		atomic_fetch_sub(&file->inode->writers, file->writer_share);
	inode_put(file->inode);
	if (file->path.dentry)
		path_put(&file->path);
	object_free(&file_cache, file);
}

void file_put(struct file *file)
{
	if (atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (file->ops->release)
		file->ops->release(file);
	file_free(file);
}

/* --- reading and writing --- */

ssize_t file_read(struct file *file, struct io_buffer *io, uint64_t *pos)
{
	ssize_t done;

	if (!file->readable)
		return -EBADF;
	if (!file->ops->read)
		return S_ISDIR(file->inode->mode) ? -EISDIR : -EINVAL;
	done = file->ops->read(file, io, *pos);
	if (done > 0)
		*pos += (uint64_t)done;
	return done;
}

/* Through the page cache: the inode is locked, so that the end stays where O_APPEND found it. */
static ssize_t write_cached_at(struct file *file, struct io_buffer *io, uint64_t *pos,
			       uint64_t limit)
{
	struct inode *inode = file->inode;
	ssize_t done;

	mutex_lock(&inode->lock);
	if (atomic_load_explicit(&file->flags, memory_order_relaxed) & O_APPEND)
		*pos = inode_size(inode);
	if (*pos >= limit && io->left) {
		mutex_unlock(&inode->lock);
		return -EFBIG;
	}
	io->left = MIN(io->left, limit - *pos);
	done = seal_check_write(inode, *pos, &io->left);
	if (!done)
		done = file->ops->write(file, io, *pos);
	if (done > 0) {
		*pos += (uint64_t)done;
		inode_drop_set_id(inode);
		inode_modified(inode);
	}
	mutex_unlock(&inode->lock);
	return done;
}

/* RLIMIT_FSIZE: -EFBIG and SIGXFSZ (setrlimit(2)). */
static ssize_t write_cached_limited(struct file *file, struct io_buffer *io, uint64_t *pos)
{
	uint64_t limit = MIN(fs_limit(RLIMIT_FSIZE), (uint64_t)INT64_MAX);
	ssize_t done = write_cached_at(file, io, pos, limit);

	if (done == -EFBIG && limit < INT64_MAX)
		signal_send_task(current_task(), SIGXFSZ, NULL);
	return done;
}

/* O_SYNC and O_DSYNC: what was written just before *pos lasts when write(2) returns. */
static ssize_t write_synced(struct file *file, const uint64_t *pos, ssize_t done, uint32_t flags)
{
	bool data_only = (flags & O_SYNC) != O_SYNC;
	int error = 0;

	if (file->ops->fsync)
		error = file->ops->fsync(file, *pos - (uint64_t)done, *pos, data_only);
	return error ? error : done;
}

ssize_t file_write(struct file *file, struct io_buffer *io, uint64_t *pos)
{
	uint32_t flags = atomic_load_explicit(&file->flags, memory_order_relaxed);
	ssize_t done;

	if (!file->writable)
		return -EBADF;
	if (!file->ops->write)
		return -EINVAL;
	if (file->inode->object) {
		done = write_cached_limited(file, io, pos);
	} else {
		done = file->ops->write(file, io, *pos);
		if (done > 0)
			*pos += (uint64_t)done;
	}
	if (unlikely(flags & O_DSYNC) && done > 0)
		done = write_synced(file, pos, done, flags);
	return done;
}

ssize_t file_read_kernel(struct file *file, void *buf, size_t size, uint64_t pos)
{
	struct io_buffer io = io_kernel(buf, size);

	return file_read(file, &io, &pos);
}

ssize_t file_write_kernel(struct file *file, const void *buf, size_t size, uint64_t pos)
{
	struct io_buffer io = io_kernel((void *)(uintptr_t)buf, size);
	size_t total = 0;
	ssize_t done;

	if (!file->writable)
		return -EBADF;
	if (!file->ops->write)
		return -EINVAL;
	while (total < size) {
		io.left = size - total;
		if (file->inode->object)
			done = write_cached_at(file, &io, &pos, INT64_MAX);
		else
			done = file->ops->write(file, &io, pos + total);
		if (done <= 0)
			return total ? (ssize_t)total : done;
		total += (size_t)done;
	}
	return (ssize_t)total;
}

/* --- files with a page cache --- */

static ssize_t cached_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	ssize_t done = mem_object_read(file->inode->object, io, pos);

	file_accessed(file);
	return done;
}

static ssize_t cached_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	return mem_object_write(file->inode->object, io, pos);
}

/* Shared and private mappings alike show the cache; copying on a private write is mm's business. */
static int cached_mmap(struct file *file, struct mem_zone *zone)
{
	int error = seal_check_map(file->inode, zone);

	if (error)
		return error;
	zone->object = file->inode->object;
	mem_object_get(zone->object);
	zone->ops = zone->object->ops;
	file_accessed(file);
	return 0;
}

static int cached_fsync(struct file *file, uint64_t beg, uint64_t end, bool data_only)
{
	struct mem_object *object = file->inode->object;

	(void)data_only;
	return object->ops->sync
		       ? object->ops->sync(object, beg >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT, 0)
		       : 0;
}

static void cached_advise(struct file *file, uint64_t beg, uint64_t end, int advice)
{
	mem_object_advise(file->inode->object, beg, end, advice);
}

const struct file_operations cached_file_operations = {
	.read = cached_read,
	.write = cached_write,
	.mmap = cached_mmap,
	.fsync = cached_fsync,
	.advise = cached_advise,
};

/* --- names --- */

bool file_forbids_execution(const struct file *file)
{
	return file->path.mount && (atomic_load(&file->path.mount->flags) & MS_NOEXEC);
}

bool file_residency_visible(const struct file *file)
{
	return inode_owned(file->inode) || inode_permission(file->inode, MAY_WRITE) == 0;
}

const char *file_path_name(struct file *file, char *buf, size_t size)
{
	const char *kind = S_ISFIFO(file->inode->mode) ? "pipe" : "anon_inode";

	const char *nameless = tmpfs_nameless(file->inode);

	if (nameless)
		snprintf(buf, size, "/%s (deleted)", nameless);
	else if (file->inode->super == anon_super)
		snprintf(buf, size, "%s:[%llu]", kind, (unsigned long long)file->inode->number);
	else if (!path_name(&file->path, buf, size))
		snprintf(buf, size, "(too long)");
	return buf;
}
