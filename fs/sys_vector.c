/*
 * fs/sys_vector.c - readv, writev, preadv, pwritev: several buffers in one call.
 *
 * A file with a page cache takes the buffers one after the other. All others (pipes, terminals)
 * must see one transfer: a second read might wait for data though the first was satisfied, and
 * a write of up to PIPE_BUF bytes must not be torn. These go through one kernel buffer, in
 * pieces of at most BOUNCE_MAX bytes; reading stops after the first.
 */
#include <fs/sys_file.h>
#include <fs/sys_rw.h>
#include <linux/uio.h>
#include <mm/heap.h>

#define BOUNCE_MAX 65536u

/* The user's vector, copied in, and where in it the transfer stands. */
struct vector {
	struct iovec *pieces;
	size_t count;
	size_t total; /* bytes, cut to RW_COUNT_MAX */
	size_t at;    /* the piece under way */
	size_t done;  /* bytes of that piece */
	bool write;   /* from the user to the file */
};

/* The lengths must be positive as ssize_t, and their sum too: readv(2). */
static int sum_lengths(struct vector *vector)
{
	size_t total = 0;

	for (size_t i = 0; i < vector->count; i++) {
		size_t length = vector->pieces[i].iov_len;

		if ((ssize_t)length < 0 || __builtin_add_overflow(total, length, &total) ||
		    (ssize_t)total < 0)
			return -EINVAL;
		if ((uintptr_t)vector->pieces[i].iov_base > USER_SPACE_END ||
		    length > USER_SPACE_END - (uintptr_t)vector->pieces[i].iov_base)
			return -EFAULT;
	}
	vector->total = MIN(total, RW_COUNT_MAX);
	return 0;
}

static int vector_copy_in(struct vector *vector, uintptr_t user, size_t count, bool write)
{
	int error;

	*vector = (struct vector){.count = count, .write = write};
	if (count > UIO_MAXIOV)
		return -EINVAL;
	if (count == 0)
		return 0;
	vector->pieces = kmalloc(count * sizeof(struct iovec));
	if (!vector->pieces)
		return -ENOMEM;
	error = copy_from_user(vector->pieces, user, count * sizeof(struct iovec));
	if (!error)
		error = sum_lengths(vector);
	if (error)
		kfree(vector->pieces);
	return error;
}

static ssize_t transfer(struct file *file, struct io_buffer *io, uint64_t *pos, bool write)
{
	return write ? file_write(file, io, pos) : file_read(file, io, pos);
}

/* One transfer for each piece, until one is short. */
static ssize_t each_piece(struct file *file, struct vector *vector, uint64_t *pos)
{
	size_t total = 0;

	for (size_t i = 0; i < vector->count && total < vector->total; i++) {
		size_t length = MIN(vector->pieces[i].iov_len, vector->total - total);
		struct io_buffer io = io_user((uintptr_t)vector->pieces[i].iov_base, length);
		ssize_t done;

		if (!length)
			continue;
		done = transfer(file, &io, pos, vector->write);
		if (done < 0)
			return total ? (ssize_t)total : done;
		total += (size_t)done;
		if ((size_t)done < length)
			break;
	}
	return (ssize_t)total;
}

/* Moves up to `size` bytes between `buffer` and the pieces; short only at a bad address. */
static size_t vector_move(struct vector *vector, char *buffer, size_t size)
{
	size_t moved = 0;

	while (moved < size) {
		const struct iovec *piece = &vector->pieces[vector->at];
		size_t length = MIN(piece->iov_len - vector->done, size - moved), missing;
		uintptr_t user = (uintptr_t)piece->iov_base + vector->done;

		missing = vector->write ? copy_from_user_partial(buffer + moved, user, length)
					: copy_to_user_partial(user, buffer + moved, length);
		moved += length - missing;
		if (missing)
			break;
		vector->done += length;
		if (vector->done == piece->iov_len) {
			vector->at++;
			vector->done = 0;
		}
	}
	return moved;
}

static ssize_t read_bounced(struct file *file, struct vector *vector, uint64_t *pos, char *buffer,
			    size_t size)
{
	struct io_buffer io = io_kernel(buffer, size);
	ssize_t done = file_read(file, &io, pos);
	size_t moved;

	if (done <= 0)
		return done;
	moved = vector_move(vector, buffer, (size_t)done);
	return moved ? (ssize_t)moved : -EFAULT;
}

static ssize_t write_bounced(struct file *file, struct vector *vector, uint64_t *pos, char *buffer,
			     size_t size)
{
	size_t total = 0;

	while (total < vector->total) {
		size_t want = MIN(size, vector->total - total);
		size_t moved = vector_move(vector, buffer, want);
		struct io_buffer io = io_kernel(buffer, moved);
		ssize_t done = moved ? file_write(file, &io, pos) : -EFAULT;

		if (done < 0)
			return total ? (ssize_t)total : done;
		total += (size_t)done;
		if ((size_t)done < want)
			break;
	}
	return (ssize_t)total;
}

static ssize_t vector_run(struct file *file, struct vector *vector, uint64_t *pos)
{
	size_t size = MIN(vector->total, BOUNCE_MAX);
	struct io_buffer nothing = io_kernel(NULL, 0);
	char *buffer;
	ssize_t done;

	if (!size)
		return transfer(file, &nothing, pos, vector->write);
	if (file->inode->object || vector->count == 1)
		return each_piece(file, vector, pos);
	buffer = kmalloc(size);
	if (!buffer)
		return -ENOMEM;
	if (vector->write)
		done = write_bounced(file, vector, pos, buffer, size);
	else
		done = read_bounced(file, vector, pos, buffer, size);
	kfree(buffer);
	return done;
}

static ssize_t vector_copied(struct borrowed_file *borrowed, struct vector *vector,
			     const int64_t *offset)
{
	struct file *file = borrowed->file;
	uint64_t pos;
	ssize_t done;
	bool locked;

	if (offset) {
		pos = (uint64_t)*offset;
		return file->seekable ? vector_run(file, vector, &pos) : -ESPIPE;
	}
	locked = position_lock(borrowed);
	done = vector_run(file, vector, &file->pos);
	position_unlock(borrowed, locked);
	return done;
}

static long vector_call(int fd, uintptr_t user, size_t count, const int64_t *offset, bool write)
{
	struct borrowed_file borrowed;
	struct vector vector;
	long result;

	if (offset && *offset < 0)
		return -EINVAL;
	if (!file_borrow(fd, &borrowed))
		return -EBADF;
	result = -EBADF;
	if (write ? borrowed.file->writable : borrowed.file->readable)
		result = vector_copy_in(&vector, user, count, write);
	if (!result) {
		result = vector_copied(&borrowed, &vector, offset);
		kfree(vector.pieces);
	}
	file_return(&borrowed);
	return result;
}

long sys_readv(int fd, uintptr_t vector, size_t count)
{
	return vector_call(fd, vector, count, NULL, false);
}

long sys_writev(int fd, uintptr_t vector, size_t count)
{
	return vector_call(fd, vector, count, NULL, true);
}

long sys_preadv(int fd, uintptr_t vector, size_t count, int64_t offset, uint64_t unused)
{
	(void)unused;
	return vector_call(fd, vector, count, &offset, false);
}

long sys_pwritev(int fd, uintptr_t vector, size_t count, int64_t offset, uint64_t unused)
{
	(void)unused;
	return vector_call(fd, vector, count, &offset, true);
}
