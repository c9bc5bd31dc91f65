/*
 * fs/pipe.c - pipes and FIFOs: pipe(7), fifo(7).
 *
 * Way in: pipe_create makes a nameless pipe with both ends open; opening a FIFO's inode finds
 * or makes inode->pipe and waits for the other end. Reads and writes come through
 * file_operations.
 *
 * The bytes lie in a ring of pages, allocated when first written to and given back when read
 * out (one is kept). When the ring is empty it goes back to the start of its page, so that
 * small messages use one page over and over.
 *
 *	reader                   writer
 *	bytes there: take them   room for PIPE_BUF, or all: put them
 *	empty, no writer: 0      no reader: SIGPIPE, EPIPE
 *	empty: wait or EAGAIN    else: wait or EAGAIN
 *
 * A write of at most PIPE_BUF bytes goes in at once or not at all; longer ones in pieces.
 *
 * Locks: pipe->lock (sleeping; user memory is copied under it, hence RANK_INODE). `used`,
 * `readers`, `writers` are atomic so that poll and wait conditions need no lock. The inode's
 * lock guards inode->pipe and pipe->refs, and is never held together with pipe->lock.
 *
 * Tests: tests/guest/pipe_*.c.
 */
#include <asm/ioctls.h>
#include <fs/file_table.h>
#include <fs/fs.h>
#include <fs/mount.h>
#include <fs/pipe.h>
#include <fs/sys_special.h>
#include <kernel/task.h>
#include <linux/limits.h>
#include <mm/heap.h>

#define PIPE_DEFAULT_PAGES 16u /* pipe(7): 65,536 bytes */
#define PIPE_MAX_PAGES 256u    /* /proc/sys/fs/pipe-max-size: 1 MiB */

struct pipe {
	uint32_t refs;               /* [inode->lock] open files, and opens under way */
	struct mutex lock;
	struct frame **pages;        /* [lock] `page_count` slots; NULL where nothing was written */
	uint32_t page_count;         /* [lock] */
	uint32_t tail;               /* [lock] where the next byte is read: below capacity */
	struct frame *spare;         /* [lock] an empty page kept for the next write */
	_Atomic uint32_t capacity;   /* bytes; changes under lock */
	_Atomic uint32_t used;       /* bytes waiting to be read; changes under lock */
	_Atomic uint32_t readers, writers;           /* open ends */
	_Atomic uint32_t reader_opens, writer_opens; /* ever: whoever waits in open sees a change */
	struct wait_queue readable;  /* bytes came, the last writer went, or a writer came */
	struct wait_queue writable;  /* room came, the last reader went, or a reader came */
};

static struct object_cache pipe_cache;
static const struct inode_operations pipe_inode_operations;
static const struct file_operations pipe_operations;

void pipe_init(void)
{
	object_cache_init(&pipe_cache, "pipe", sizeof(struct pipe), alignof(struct pipe));
}

static struct pipe *pipe_alloc(void)
{
	struct pipe *pipe = object_alloc_zeroed(&pipe_cache);

	if (!pipe)
		return NULL;
	pipe->pages = kzalloc_array(PIPE_DEFAULT_PAGES, sizeof(*pipe->pages));
	if (!pipe->pages) {
		object_free(&pipe_cache, pipe);
		return NULL;
	}
	mutex_init(&pipe->lock, RANK_INODE);
	pipe->page_count = PIPE_DEFAULT_PAGES;
	atomic_init(&pipe->capacity, PIPE_DEFAULT_PAGES * (uint32_t)PAGE_SIZE);
	wait_queue_init(&pipe->readable);
	wait_queue_init(&pipe->writable);
	return pipe;
}

static void pipe_free(struct pipe *pipe)
{
	for (uint32_t i = 0; i < pipe->page_count; i++)
		if (pipe->pages[i])
			frame_put(pipe->pages[i]);
	if (pipe->spare)
		frame_put(pipe->spare);
	kfree(pipe->pages);
	object_free(&pipe_cache, pipe);
}

/* The inode's pipe, made where there is none, with a reference. NULL when memory is out. */
static struct pipe *inode_pipe_get(struct inode *inode)
{
	struct pipe *pipe;

	mutex_lock(&inode->lock);
	if (!inode->pipe)
		inode->pipe = pipe_alloc();
	pipe = inode->pipe;
	if (pipe)
		pipe->refs++;
	mutex_unlock(&inode->lock);
	return pipe;
}

static void inode_pipe_put(struct inode *inode)
{
	struct pipe *last = NULL;

	mutex_lock(&inode->lock);
	if (--inode->pipe->refs == 0) {
		last = inode->pipe;
		inode->pipe = NULL;
	}
	mutex_unlock(&inode->lock);
	if (last)
		pipe_free(last);
}

/* Any lock or none: a moment's value. */
static uint32_t pipe_used(struct pipe *pipe)
{
	return atomic_load_explicit(&pipe->used, memory_order_acquire);
}

/* Without the lock the two numbers may be of different moments, F_SETPIPE_SZ in between. */
static uint32_t pipe_room(struct pipe *pipe)
{
	uint32_t capacity = atomic_load_explicit(&pipe->capacity, memory_order_acquire);

	return capacity - MIN(pipe_used(pipe), capacity);
}

/* The ring */

/* The bytes at `position` up to the end of its page. */
static size_t page_part(uint32_t position, size_t wanted)
{
	return MIN(wanted, PAGE_SIZE - position % PAGE_SIZE);
}

static struct frame *slot_page(struct pipe *pipe, uint32_t slot) REQUIRES(pipe->lock)
{
	if (pipe->pages[slot])
		return pipe->pages[slot];
	if (pipe->spare) {
		pipe->pages[slot] = pipe->spare;
		pipe->spare = NULL;
	} else {
		pipe->pages[slot] = frame_alloc(FRAME_KERNEL);
	}
	return pipe->pages[slot];
}

static void slot_empty(struct pipe *pipe, uint32_t slot) REQUIRES(pipe->lock)
{
	if (pipe->spare)
		frame_put(pipe->pages[slot]);
	else
		pipe->spare = pipe->pages[slot];
	pipe->pages[slot] = NULL;
}

/*
 * Puts up to `size` bytes in, which is at most the room. Bytes put, which is short after a bad
 * address or when memory is out (then *error says which).
 */
static size_t ring_put(struct pipe *pipe, struct io_buffer *io, size_t size, int *error)
	REQUIRES(pipe->lock)
{
	uint32_t capacity = atomic_load(&pipe->capacity);
	size_t done = 0;

	while (done < size) {
		uint32_t head = (pipe->tail + pipe_used(pipe)) % capacity;
		size_t part = page_part(head, size - done);
		struct frame *page = slot_page(pipe, head / PAGE_SIZE);

		if (!page) {
			*error = -ENOMEM;
			break;
		}
		/*
		 * A part that could not be copied whole is not put in: the rest of it is unknown.
		 */
		if (io_get(io, (char *)frame_virt(page) + head % PAGE_SIZE, part) < part) {
			*error = -EFAULT;
			break;
		}
		atomic_fetch_add_explicit(&pipe->used, (uint32_t)part, memory_order_release);
		done += part;
	}
	return done;
}

/* Takes up to `size` bytes out, which is at most what is used. Short only at a bad address. */
static size_t ring_take(struct pipe *pipe, struct io_buffer *io, size_t size) REQUIRES(pipe->lock)
{
	uint32_t capacity = atomic_load(&pipe->capacity);
	size_t done = 0;

	while (done < size) {
		uint32_t slot = pipe->tail / PAGE_SIZE;
		size_t part = page_part(pipe->tail, size - done);
		const char *bytes = (char *)frame_virt(pipe->pages[slot]) + pipe->tail % PAGE_SIZE;
		size_t copied = io_put(io, bytes, part);

		done += copied;
		pipe->tail = (uint32_t)(pipe->tail + copied) % capacity;
		atomic_fetch_sub_explicit(&pipe->used, (uint32_t)copied, memory_order_release);
		/*
		 * Read to its end; but when the ring was full, the newest bytes lie at its start.
		 */
		if (pipe->tail / PAGE_SIZE != slot && pipe_used(pipe) <= capacity - PAGE_SIZE)
			slot_empty(pipe, slot);
		if (copied < part)
			break;
	}
	if (pipe_used(pipe) == 0)
		pipe->tail = ALIGN_DOWN(pipe->tail, (uint32_t)PAGE_SIZE);
	return done;
}

/* Reading and writing */

static ssize_t pipe_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct pipe *pipe = file->data;
	ssize_t done = 0;
	int error = 0;

	(void)pos;
	if (io->left == 0)
		return 0;
	mutex_lock(&pipe->lock);
	while (pipe_used(pipe) == 0 && atomic_load(&pipe->writers) > 0 && !error) {
		mutex_unlock(&pipe->lock);
		if (atomic_load(&file->flags) & O_NONBLOCK)
			error = -EAGAIN;
		else
			error = wait_event_interruptible(&pipe->readable,
							 pipe_used(pipe) > 0 ||
								 atomic_load(&pipe->writers) == 0);
		mutex_lock(&pipe->lock);
	}
	if (!error && pipe_used(pipe) > 0) {
		bool was_full = pipe_room(pipe) < PIPE_BUF;

		done = (ssize_t)ring_take(pipe, io, MIN(io->left, pipe_used(pipe)));
		if (done == 0)
			error = -EFAULT;
		/* Writers sleep, and poll says no, only while there is less room than PIPE_BUF. */
		if (was_full && pipe_room(pipe) >= PIPE_BUF)
			wake_up_all(&pipe->writable);
	}
	mutex_unlock(&pipe->lock);
	return done > 0 ? done : error;
}

/* The room a write waits for. */
static size_t write_need(const struct file *file, size_t total, size_t left)
{
	if (total > PIPE_BUF && (atomic_load(&file->flags) & O_NONBLOCK))
		return 1;
	return MIN(left, PIPE_BUF);
}

/* Sleeps without the lock until there is that much room or nobody reads. */
static int write_wait(struct pipe *pipe, struct file *file, size_t need) REQUIRES(pipe->lock)
{
	int error;

	if (atomic_load(&file->flags) & O_NONBLOCK)
		return -EAGAIN;
	mutex_unlock(&pipe->lock);
	error = wait_event_interruptible(&pipe->writable, pipe_room(pipe) >= need ||
								  atomic_load(&pipe->readers) == 0);
	mutex_lock(&pipe->lock);
	return error;
}

static ssize_t pipe_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct pipe *pipe = file->data;
	size_t total = io->left;
	ssize_t done = 0;
	int error = 0;

	(void)pos;
	mutex_lock(&pipe->lock);
	while (io->left > 0 && !error) {
		size_t need = write_need(file, total, io->left);
		bool was_empty = pipe_used(pipe) == 0;

		if (atomic_load(&pipe->readers) == 0) {
			error = -EPIPE;
		} else if (pipe_room(pipe) < need) {
			error = write_wait(pipe, file, need);
		} else {
			done += (ssize_t)ring_put(pipe, io, MIN(io->left, pipe_room(pipe)), &error);
			if (was_empty)
				wake_up_all(&pipe->readable);
		}
	}
	mutex_unlock(&pipe->lock);
	if (error == -EPIPE)
		signal_send_task(current_task(), SIGPIPE, NULL);
	return done > 0 ? done : error;
}

static unsigned pipe_poll(struct file *file, struct poll_table *table)
{
	struct pipe *pipe = file->data;
	unsigned events = 0;

	if (file->readable) {
		poll_wait(table, &pipe->readable);
		/* A FIFO that no writer has opened yet is not hung up. */
		if (atomic_load(&pipe->writers) == 0 && atomic_load(&pipe->writer_opens) > 0)
			events |= POLLHUP;
		/*
		 * Looked at last: whoever is told of the end is told of what was written before it.
		 */
		if (pipe_used(pipe) > 0)
			events |= POLLIN | POLLRDNORM;
	}
	if (file->writable) {
		poll_wait(table, &pipe->writable);
		if (pipe_room(pipe) >= PIPE_BUF)
			events |= POLLOUT | POLLWRNORM;
		if (atomic_load(&pipe->readers) == 0)
			events |= POLLERR;
	}
	return events;
}

static int64_t pipe_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
	struct pipe *pipe = file->data;

	if (command != FIONREAD)
		return -ENOTTY;
	return put_user(arg, (int)pipe_used(pipe));
}

/* Capacity */

/* Slots that hold bytes; one more than there are when the first is the last one too. */
static uint32_t slots_used(struct pipe *pipe) REQUIRES(pipe->lock)
{
	return (uint32_t)(PAGE_ALIGN_UP(pipe->tail % PAGE_SIZE + pipe_used(pipe)) / PAGE_SIZE);
}

/* Moves the pages that hold bytes to the start of a ring of `count` slots. */
static int resize_locked(struct pipe *pipe, uint32_t count) REQUIRES(pipe->lock)
{
	uint32_t first = pipe->tail / (uint32_t)PAGE_SIZE, used = slots_used(pipe);
	struct frame **pages;

	if (used > count || used > pipe->page_count)
		return -EBUSY;
	pages = kzalloc_array(count, sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	for (uint32_t i = 0; i < pipe->page_count; i++) {
		struct frame *page = pipe->pages[(first + i) % pipe->page_count];

		if (i < used)
			pages[i] = page;
		else if (page)
			frame_put(page);
	}
	kfree(pipe->pages);
	pipe->pages = pages;
	pipe->page_count = count;
	pipe->tail %= (uint32_t)PAGE_SIZE;
	atomic_store(&pipe->capacity, count * (uint32_t)PAGE_SIZE);
	return 0;
}

/* fcntl(2), F_SETPIPE_SZ: rounds up to a power of two of pages. The new capacity, or -errno. */
static int64_t pipe_resize(struct pipe *pipe, uintptr_t bytes)
{
	uint32_t count = 1;
	int error;

	if (bytes > PIPE_MAX_PAGES * PAGE_SIZE)
		return -EPERM;
	while (count * PAGE_SIZE < bytes)
		count *= 2;
	mutex_lock(&pipe->lock);
	error = resize_locked(pipe, count);
	mutex_unlock(&pipe->lock);
	wake_up_all(&pipe->writable);
	return error ? error : (int64_t)(count * PAGE_SIZE);
}

static int64_t pipe_fcntl(struct file *file, unsigned command, uintptr_t arg)
{
	struct pipe *pipe = file->data;

	switch (command) {
	case F_GETPIPE_SZ:
		return atomic_load(&pipe->capacity);
	case F_SETPIPE_SZ:
		return pipe_resize(pipe, arg);
	default:
		return -EINVAL;
	}
}

/* Opening and closing */

static void end_opened(struct pipe *pipe, const struct file *file)
{
	if (file->readable) {
		atomic_fetch_add(&pipe->readers, 1);
		atomic_fetch_add(&pipe->reader_opens, 1);
		wake_up_all(&pipe->writable);
	}
	if (file->writable) {
		atomic_fetch_add(&pipe->writers, 1);
		atomic_fetch_add(&pipe->writer_opens, 1);
		wake_up_all(&pipe->readable);
	}
}

static void end_closed(struct pipe *pipe, const struct file *file)
{
	if (file->readable && atomic_fetch_sub(&pipe->readers, 1) == 1)
		wake_up_all(&pipe->writable);
	if (file->writable && atomic_fetch_sub(&pipe->writers, 1) == 1)
		wake_up_all(&pipe->readable);
}

static void pipe_release(struct file *file)
{
	end_closed(file->data, file);
	inode_pipe_put(file->inode);
}

/*
 * fifo(7): opening one end waits for the other, without O_NONBLOCK. An opener that comes and
 * goes while we look still counts: its open is what we wait for. So our own end becomes open and
 * the other's opens are read in one step: an opener before it is still there or not meant for us,
 * one after it sees our end and does not wait.
 */
static int fifo_open_and_wait(struct pipe *pipe, const struct file *file)
{
	uint32_t reader_opens, writer_opens, readers, writers;

	mutex_lock(&pipe->lock);
	end_opened(pipe, file);
	reader_opens = atomic_load(&pipe->reader_opens);
	writer_opens = atomic_load(&pipe->writer_opens);
	readers = atomic_load(&pipe->readers);
	writers = atomic_load(&pipe->writers);
	mutex_unlock(&pipe->lock);
	/* A nameless pipe, opened again through /proc/<pid>/fd, is as it is. */
	if ((atomic_load(&file->flags) & O_NONBLOCK) || file->inode->super == anon_super)
		return 0;
	if (file->readable && writers == 0)
		return wait_event_interruptible(&pipe->readable,
						atomic_load(&pipe->writer_opens) != writer_opens);
	if (file->writable && readers == 0)
		return wait_event_interruptible(&pipe->writable,
						atomic_load(&pipe->reader_opens) != reader_opens);
	return 0;
}

static int fifo_open(struct inode *inode, struct file *file)
{
	struct pipe *pipe = inode_pipe_get(inode);
	bool write_only = file->writable && !file->readable;
	int error = 0;

	if (!pipe)
		return -ENOMEM;
	if (write_only && (atomic_load(&file->flags) & O_NONBLOCK) &&
	    atomic_load(&pipe->readers) == 0) {
		error = -ENXIO;
		goto put_pipe;
	}
	error = fifo_open_and_wait(pipe, file);
	if (error)
		goto close_end;
	file->data = pipe;
	file->ops = &pipe_operations;
	return 0;

close_end:
	end_closed(pipe, file);
put_pipe:
	inode_pipe_put(inode);
	return error;
}

static const struct file_operations pipe_operations = {
	.read = pipe_read,
	.write = pipe_write,
	.ioctl = pipe_ioctl,
	.fcntl = pipe_fcntl,
	.poll = pipe_poll,
	.release = pipe_release,
};

const struct file_operations fifo_file_operations = {
	.open = fifo_open,
};

/* One end of a nameless pipe: pipe_release undoes it. NULL when memory is out. */
static struct file *open_end(struct inode *inode, uint32_t flags)
{
	struct file *file = file_create(NULL, inode, &pipe_operations, flags);

	if (!file)
		return NULL;
	file->data = inode_pipe_get(inode);
	end_opened(file->data, file);
	return file;
}

int pipe_create(uint32_t flags, struct file **reader, struct file **writer)
{
	struct inode *inode =
		inode_create(anon_super, S_IFIFO | 0600, &pipe_inode_operations, NULL);

	if (!inode)
		return -ENOMEM;
	/*
	 * This reference keeps the pipe in place, so that open_end cannot run out of memory for it.
	 */
	if (!inode_pipe_get(inode))
		goto put_inode;
	*reader = open_end(inode, O_RDONLY | flags);
	if (!*reader)
		goto put_pipe;
	*writer = open_end(inode, O_WRONLY | flags);
	if (!*writer)
		goto put_reader;
	inode_pipe_put(inode);
	inode_put(inode);
	return 0;

put_reader:
	file_put(*reader);
put_pipe:
	inode_pipe_put(inode);
put_inode:
	inode_put(inode);
	return -ENOMEM;
}

/* The system calls */

/* Reserves both descriptors and tells the program before either can be seen. */
static int install_pair(struct file *reader, struct file *writer, uintptr_t fds, unsigned flags)
{
	int pair[2];

	pair[0] = file_table_reserve(flags, 0);
	if (pair[0] < 0)
		return pair[0];
	pair[1] = file_table_reserve(flags, 0);
	if (pair[1] < 0) {
		file_table_unreserve(pair[0]);
		return pair[1];
	}
	if (copy_to_user(fds, pair, sizeof(pair))) {
		file_table_unreserve(pair[0]);
		file_table_unreserve(pair[1]);
		return -EFAULT;
	}
	file_table_fill(pair[0], reader);
	file_table_fill(pair[1], writer);
	return 0;
}

long sys_pipe2(uintptr_t fds, unsigned flags)
{
	struct file *reader, *writer;
	int error;

	if (flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	error = pipe_create(flags & O_NONBLOCK, &reader, &writer);
	if (error)
		return error;
	error = install_pair(reader, writer, fds, flags);
	if (error) {
		file_put(reader);
		file_put(writer);
	}
	return error;
}

long sys_pipe(uintptr_t fds)
{
	return sys_pipe2(fds, 0);
}
