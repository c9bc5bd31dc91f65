/*
 * fs/sys_copy.c - sendfile and copy_file_range: bytes from one file to another.
 *
 * The bytes go through a buffer of the kernel's, so that a page of one file is never LOCKED while
 * another's is: either file may be mapped, and both may be the same one.
 *
 * Not here: pipes (fs/pipe.c). Tests: tests/guest/files_data.c, file_map_coherence.c.
 */
#include <asm/signal.h>
#include <fs/file_table.h>
#include <fs/fs_private.h>
#include <fs/sys_file.h>
#include <fs/sys_rw.h>
#include <kernel/signal.h>
#include <mm/heap.h>

#define COPY_CHUNK 65536u /* bytes copied through the kernel at a time */

/* `count` bytes from *in_pos to *out_pos, which move; ends at a short read or write. */
static long copy_chunks(struct file *out, uint64_t *out_pos, struct file *in, uint64_t *in_pos,
			size_t count)
{
	void *buffer = kmalloc(COPY_CHUNK);
	ssize_t got = 0, put = 0;
	size_t total = 0;

	if (!buffer)
		return -ENOMEM;
	while (total < count && put == got) {
		struct io_buffer io = io_kernel(buffer, MIN(count - total, COPY_CHUNK));
		uint64_t at = *in_pos;

		got = put = file_read(in, &io, &at);
		if (got <= 0)
			break;
		io = io_kernel(buffer, (size_t)got);
		put = file_write(out, &io, out_pos);
		if (put <= 0)
			break;
		total += (size_t)put;
		*in_pos += (uint64_t)put;
	}
	kfree(buffer);
	return total ? (long)total : put;
}

/* --- sendfile --- */

static int check_sendfile(const struct file *out, const struct file *in)
{
	if (!in->readable || !out->writable)
		return -EBADF;
	if (!in->inode->object || (atomic_load(&out->flags) & O_APPEND))
		return -EINVAL;
	return 0;
}

static long send_to(struct file *out, struct file *in, uint64_t *pos,
		    size_t count) NO_THREAD_SAFETY_ANALYSIS
{
	long done;

	if (out->seekable)
		mutex_lock(&out->pos_lock);
	done = copy_chunks(out, &out->pos, in, pos, MIN(count, RW_COUNT_MAX));
	if (out->seekable)
		mutex_unlock(&out->pos_lock);
	return done;
}

static long sendfile_files(struct file *out, struct file *in, uintptr_t offset, size_t count)
{
	uint64_t pos = in->pos;
	long done = check_sendfile(out, in);

	if (done)
		return done;
	if (offset && get_user(pos, offset))
		return -EFAULT;
	if ((int64_t)pos < 0)
		return -EINVAL;
	done = send_to(out, in, &pos, count);
	if (!offset)
		in->pos = pos;
	else if (put_user(offset, pos))
		return -EFAULT;
	return done;
}

long sys_sendfile(int out_fd, int in_fd, uintptr_t offset, size_t count)
{
	struct borrowed_file in, out;
	long done = -EBADF;

	if (!file_borrow(in_fd, &in))
		return -EBADF;
	if (file_borrow(out_fd, &out)) {
		done = sendfile_files(out.file, in.file, offset, count);
		file_return(&out);
	}
	file_return(&in);
	return done;
}

/* --- copy_file_range --- */

static int check_copy(const struct file *out, const struct file *in)
{
	uint32_t in_mode = in->inode->mode, out_mode = out->inode->mode;

	if (in->inode->super != out->inode->super)
		return -EXDEV;
	if (S_ISDIR(in_mode) || S_ISDIR(out_mode))
		return -EISDIR;
	if (!S_ISREG(in_mode) || !S_ISREG(out_mode))
		return -EINVAL;
	if (!in->readable || !out->writable ||
	    (atomic_load(&((struct file *)out)->flags) & O_APPEND))
		return -EBADF;
	return 0;
}

/* As much of *count as there is and may be: 0 or -errno. */
static int check_ranges(const struct file *out, uint64_t out_pos, const struct file *in,
			uint64_t in_pos, size_t *count)
{
	uint64_t size = inode_size(in->inode),
		 limit = MIN(fs_limit(RLIMIT_FSIZE), (uint64_t)INT64_MAX);

	if (in_pos + *count < in_pos || out_pos + *count < out_pos)
		return -EOVERFLOW;
	if ((int64_t)in_pos < 0 || (int64_t)out_pos < 0)
		return -EINVAL;
	*count = in_pos < size ? MIN(*count, size - in_pos) : 0;
	if (out_pos >= limit) {
		if (limit < INT64_MAX)
			signal_send_task(current_task(), SIGXFSZ, NULL);
		return -EFBIG;
	}
	*count = MIN(*count, RW_COUNT_MAX);
	if (in->inode == out->inode && out_pos < in_pos + *count && in_pos < out_pos + *count)
		return -EINVAL; /* they overlap */
	return 0;
}

/* Where one side of the copy stands: at the user's offset, or the file's own position. */
static int range_begin(struct file *file, uintptr_t offset, uint64_t *pos)
{
	*pos = file->pos;
	return offset && get_user(*pos, offset) ? -EFAULT : 0;
}

static int range_end(struct file *file, uintptr_t offset, uint64_t pos)
{
	if (offset)
		return put_user(offset, pos);
	file->pos = pos;
	return 0;
}

static long copy_range(struct file *out, uintptr_t out_offset, struct file *in, uintptr_t in_offset,
		       size_t count, unsigned flags)
{
	uint64_t in_pos, out_pos;
	long done = range_begin(in, in_offset, &in_pos);

	if (!done)
		done = range_begin(out, out_offset, &out_pos);
	if (!done && flags)
		done = -EINVAL;
	if (!done)
		done = check_copy(out, in);
	if (!done)
		done = check_ranges(out, out_pos, in, in_pos, &count);
	if (!done && count)
		done = copy_chunks(out, &out_pos, in, &in_pos, count);
	if (done <= 0)
		return done;
	if (range_end(in, in_offset, in_pos) || range_end(out, out_offset, out_pos))
		return -EFAULT;
	return done;
}

long sys_copy_file_range(int in_fd, uintptr_t in_offset, int out_fd, uintptr_t out_offset,
			 size_t count, unsigned flags)
{
	struct borrowed_file in, out;
	long done = -EBADF;

	if (!file_borrow(in_fd, &in))
		return -EBADF;
	if (file_borrow(out_fd, &out)) {
		if (!((atomic_load(&in.file->flags) | atomic_load(&out.file->flags)) & O_PATH))
			done = copy_range(out.file, out_offset, in.file, in_offset, count, flags);
		file_return(&out);
	}
	file_return(&in);
	return done;
}
