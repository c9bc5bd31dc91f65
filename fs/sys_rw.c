/*
 * fs/sys_rw.c - read, write, pread64, pwrite64, lseek.
 *
 * The fast path of every program: file_borrow (file_table.c), then file_read or file_write
 * (file.c). Only seekable files have a position; it is locked only where somebody else has the
 * same open file.
 *
 * Not here: vectors (sys_vector.c), from file to file (sys_copy.c), what the files do.
 */
#include <fs/file_table.h>
#include <fs/sys_file.h>
#include <fs/sys_rw.h>
#include <linux/fs.h>

/* The user's buffer, cut to Linux's limit; false if it leaves user space (before it is cut). */
static bool user_buffer(struct io_buffer *io, uintptr_t buf, size_t count)
{
	*io = io_user(buf, MIN(count, RW_COUNT_MAX));
	return likely(buf <= USER_SPACE_END && count <= USER_SPACE_END - buf);
}

bool position_lock(struct borrowed_file *borrowed) NO_THREAD_SAFETY_ANALYSIS
{
	if (!borrowed->file->seekable || atomic_load(&borrowed->file->refs) == 1)
		return false;
	mutex_lock(&borrowed->file->pos_lock);
	return true;
}

void position_unlock(struct borrowed_file *borrowed, bool locked) NO_THREAD_SAFETY_ANALYSIS
{
	if (locked)
		mutex_unlock(&borrowed->file->pos_lock);
}

/* Inlined into both, with `writes` known: this is the path that is measured. */
static inline long transfer(int fd, uintptr_t buf, size_t count, bool writes)
{
	struct borrowed_file borrowed;
	struct io_buffer io;
	long done;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (likely(user_buffer(&io, buf, count))) {
		bool locked = position_lock(&borrowed);

		done = (writes ? file_write : file_read)(borrowed.file, &io, &borrowed.file->pos);
		position_unlock(&borrowed, locked);
	} else {
		done = (writes ? borrowed.file->writable : borrowed.file->readable) ? -EFAULT
										    : -EBADF;
	}
	file_return(&borrowed);
	return done;
}

long sys_read(int fd, uintptr_t buf, size_t count)
{
	return transfer(fd, buf, count, false);
}

long sys_write(int fd, uintptr_t buf, size_t count)
{
	return transfer(fd, buf, count, true);
}

/* pread64 and pwrite64, which differ in one call. */
static long at_offset(int fd, uintptr_t buf, size_t count, int64_t offset, bool write)
{
	struct borrowed_file borrowed;
	uint64_t pos = (uint64_t)offset;
	struct io_buffer io;
	long done;

	if (offset < 0)
		return -EINVAL;
	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	if (!borrowed.file->seekable)
		done = atomic_load(&borrowed.file->flags) & O_PATH ? -EBADF : -ESPIPE;
	else if (write ? !borrowed.file->writable : !borrowed.file->readable)
		done = -EBADF;
	else if (!user_buffer(&io, buf, count))
		done = -EFAULT;
	else
		done = write ? file_write(borrowed.file, &io, &pos)
			     : file_read(borrowed.file, &io, &pos);
	file_return(&borrowed);
	return done;
}

long sys_pread64(int fd, uintptr_t buf, size_t count, int64_t offset)
{
	return at_offset(fd, buf, count, offset, false);
}

long sys_pwrite64(int fd, uintptr_t buf, size_t count, int64_t offset)
{
	return at_offset(fd, buf, count, offset, true);
}

/* --- lseek --- */

/*
 * Holes are the pages that a file in memory does not have. Other files are all data to their end,
 * which is a hole: so lseek(2) allows.
 */
static int64_t seek_data_or_hole(const struct file *file, int64_t offset, int whence, int64_t size)
{
	struct mem_object *object = file->inode->object;
	int64_t found;

	if (offset < 0 || offset >= size)
		return -ENXIO;
	if (!object || !object->ops->in_memory)
		return whence == SEEK_DATA ? offset : size;
	if (whence == SEEK_HOLE)
		return (int64_t)mem_object_next_hole(object, (uint64_t)offset);
	found = (int64_t)mem_object_next_data(object, (uint64_t)offset);
	return found < size ? found : -ENXIO;
}

static int64_t seek_default(struct file *file, int64_t offset, int whence)
{
	int64_t size = (int64_t)inode_size(file->inode), base = 0;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (int64_t)file->pos;
		break;
	case SEEK_END:
		if (S_ISDIR(file->inode->mode))
			return -EINVAL;
		base = size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		return seek_data_or_hole(file, offset, whence, size);
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &base) || base < 0)
		return -EINVAL;
	return base;
}

static int64_t seek_locked(struct file *file, int64_t offset, int whence)
{
	int64_t pos;

	if (atomic_load(&file->flags) & O_PATH)
		return -EBADF;
	if (!file->seekable && !file->ops->seek)
		return -ESPIPE;
	if (file->ops->seek)
		pos = file->ops->seek(file, offset, whence);
	else
		pos = seek_default(file, offset, whence);
	if (pos >= 0)
		file->pos = (uint64_t)pos;
	return pos;
}

long sys_lseek(int fd, int64_t offset, int whence)
{
	struct borrowed_file borrowed;
	bool locked;
	long pos;

	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	locked = position_lock(&borrowed);
	pos = seek_locked(borrowed.file, offset, whence);
	position_unlock(&borrowed, locked);
	file_return(&borrowed);
	return pos;
}
