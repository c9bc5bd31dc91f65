/*
 * mm/mem_object.c - page cache objects: finding, loading, reading, writing.
 *
 * Way in: fault.c (mem_object_frame), read(2) and write(2) through the file systems, truncate.
 * A page's life: put in LOCKED and empty; loaded, UPTODATE; written, DIRTY; taken out by truncate
 * or punch, which is where frame->object becomes NULL.
 *
 * Locks: frame LOCKED -> zones_lock -> page tables -> index_lock. Finding needs only
 * index_lock; changing what a frame is needs LOCKED too.
 *
 * Not here: truncating, punching and other ranges (object_range.c), writing back (write_back.c),
 * mapping (fault.c).
 */
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <kernel/base/wait.h>
#include <mm/check.h>
#include <mm/heap.h>
#include <mm/mm_init.h>
#include <mm/mm_private.h>
#include <mm/page_table.h>
#include <mm/pressure.h>
#include <string.h>

#define FRAME_WAIT_QUEUES 64

static struct wait_queue frame_queues[FRAME_WAIT_QUEUES];

void mem_objects_init(void)
{
	for (unsigned i = 0; i < FRAME_WAIT_QUEUES; i++)
		wait_queue_init(&frame_queues[i]);
}

static struct wait_queue *frame_queue(const struct frame *frame)
{
	return &frame_queues[(size_t)(frame - frame_array) % FRAME_WAIT_QUEUES];
}

bool frame_trylock(struct frame *frame)
{
	return !(atomic_fetch_or_explicit(&frame->state, FRAME_LOCKED, memory_order_acquire) &
		 FRAME_LOCKED);
}

/* For the sleeper: asks to be woken, then tries. */
static bool frame_trylock_waiting(struct frame *frame)
{
	atomic_fetch_or(&frame->state, FRAME_WAITERS);
	return frame_trylock(frame);
}

void frame_lock(struct frame *frame)
{
	sleep_check_acquire(frame, RANK_FRAME);
	if (!frame_trylock(frame))
		wait_event(frame_queue(frame), frame_trylock_waiting(frame));
}

void frame_unlock(struct frame *frame)
{
	uint32_t old;

	sleep_check_release(frame, RANK_FRAME);
	old = atomic_fetch_and(&frame->state, ~(FRAME_LOCKED | FRAME_WAITERS));
	kassert(old & FRAME_LOCKED);
	if (old & FRAME_WAITERS)
		wake_up_all(frame_queue(frame));
}

void mem_object_init(struct mem_object *object, const struct mem_operations *ops, uint64_t size)
{
	memset(object, 0, sizeof(*object));
	object->ops = ops;
	atomic_store(&object->refs, 1);
	atomic_store(&object->size, size);
	spin_init(&object->index_lock, RANK_PAGE_INDEX);
	mutex_init(&object->zones_lock, RANK_OBJECT_ZONES);
	list_init(&object->zones);
}

void mem_object_get(struct mem_object *object)
{
	atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
}

void mem_object_put(struct mem_object *object)
{
	if (atomic_fetch_sub(&object->refs, 1) != 1)
		return;
	mem_object_punch(object, 0, UINT64_MAX);
	kassert(atomic_load(&object->cached) == 0 && list_empty(&object->zones));
	object->ops->destroy(object);
}

bool mem_object_writer_get(struct mem_object *object)
{
	int32_t writers = atomic_load(&object->writers);

	do {
		if (writers < 0)
			return false;
	} while (!atomic_compare_exchange_weak(&object->writers, &writers, writers + 1));
	return true;
}

void mem_object_writer_put(struct mem_object *object)
{
	int32_t writers = atomic_fetch_sub(&object->writers, 1);

	kassert(writers > 0);
}

bool mem_object_forbid_writers(struct mem_object *object)
{
	int32_t none = 0;

	return atomic_compare_exchange_strong(&object->writers, &none, -1) || none < 0;
}

/* ---- the cache ---- */

struct frame *mem_object_find_any(struct mem_object *object, uint64_t index)
{
	struct frame *frame;

	spin_lock(&object->index_lock);
	frame = page_index_find(&object->pages, index);
	if (frame)
		frame_get(frame);
	spin_unlock(&object->index_lock);
	return frame;
}

struct frame *mem_object_find(struct mem_object *object, uint64_t index)
{
	struct frame *frame = mem_object_find_any(object, index);

	if (frame && !(frame_state(frame) & FRAME_UPTODATE)) {
		frame_put(frame);
		return NULL;
	}
	return frame;
}

unsigned mem_object_find_run(struct mem_object *object, uint64_t index, struct frame **frames,
			     unsigned most)
{
	unsigned cached, count = 0;

	spin_lock(&object->index_lock);
	cached = page_index_find_run(&object->pages, index, frames, most);
	while (count < cached && (frame_state(frames[count]) & FRAME_UPTODATE))
		frame_get(frames[count++]);
	spin_unlock(&object->index_lock);
	return count;
}

/* -EEXIST if another frame is there. The cache takes a reference of its own. */
static int cache_insert(struct mem_object *object, uint64_t index, struct frame *frame)
{
	struct page_index_reserve reserve;
	int error = page_index_reserve(&reserve);

	if (error)
		return error;
	if (object->ops->in_memory)
		atomic_fetch_or(&frame->state, FRAME_SHMEM);
	spin_lock(&object->index_lock);
	if (page_index_find(&object->pages, index)) {
		error = -EEXIST;
	} else {
		frame_get(frame);
		frame->object = object;
		frame->index = index;
		page_index_insert(&object->pages, index, frame, &reserve);
		mem_check_hold(frame, -1);
		atomic_fetch_add(&object->cached, 1);
	}
	spin_unlock(&object->index_lock);
	page_index_unreserve(&reserve);
	return error;
}

void cache_remove(struct mem_object *object, struct frame *frame)
{
	spin_lock(&object->index_lock);
	kassert(page_index_remove(&object->pages, frame->index) == frame);
	atomic_fetch_sub(&object->cached, 1);
	frame->object = NULL;
	mem_check_hold(frame, 1);
	spin_unlock(&object->index_lock);
	frame_put(frame);
}

/* A new page: in the cache, LOCKED, not UPTODATE; the caller gets a reference. */
static int cache_add_locked(struct mem_object *object, uint64_t index, struct frame **result)
{
	struct frame *frame = frame_alloc(FRAME_CACHE);
	int error;

	if (!frame)
		return -ENOMEM;
	frame_lock(frame);
	error = cache_insert(object, index, frame);
	if (error) {
		frame_unlock(frame);
		frame_put(frame);
		return error;
	}
	*result = frame;
	return 0;
}

static int load_locked(struct mem_object *object, struct frame *frame)
{
	int error = object->ops->load(object, frame->index, frame);

	if (error)
		cache_remove(object, frame);
	else
		atomic_fetch_or(&frame->state, FRAME_UPTODATE);
	return error;
}

/* One try: -EAGAIN when another thread was faster or failed. */
static int frame_try_get(struct mem_object *object, uint64_t index, struct frame **result)
{
	struct frame *frame = mem_object_find_any(object, index);
	int error;

	if (!frame) {
		error = cache_add_locked(object, index, &frame);
		if (error)
			return error == -EEXIST ? -EAGAIN : error;
		error = load_locked(object, frame);
		frame_unlock(frame);
	} else if (frame_state(frame) & FRAME_UPTODATE) {
		error = 0;
	} else {
		frame_lock(frame); /* wait for its loader */
		frame_unlock(frame);
		error = -EAGAIN;
	}
	if (error) {
		frame_put(frame);
		return error;
	}
	*result = frame;
	return 0;
}

int mem_object_frame(struct mem_object *object, uint64_t index, struct frame **result)
{
	int error;

	do {
		error = frame_try_get(object, index, result);
		if (error == -ENOMEM && mem_pressure_relieve(true))
			error = -EAGAIN;
	} while (error == -EAGAIN);
	return error;
}

int mem_object_adopt(struct mem_object *object, uint64_t index, struct frame *frame)
{
	int error;

	kassert(frame_kind(frame) == FRAME_CACHE);
	atomic_fetch_or(&frame->state, FRAME_UPTODATE | FRAME_DIRTY);
	error = cache_insert(object, index, frame);
	if (!error)
		frame_put(frame);
	return error;
}

/* ---- read(2) and write(2) ---- */

/*
 * The page to read from, with a reference. Where memory is the file, one that is not there is
 * zeros; but one that is going (mem_object_punch) is waited for, as by faults.
 */
static int read_begin(struct mem_object *object, uint64_t index, struct frame **frame)
{
	if (!object->ops->in_memory)
		return mem_object_frame(object, index, frame);
	while ((*frame = mem_object_find_any(object, index))) {
		if (frame_state(*frame) & FRAME_UPTODATE)
			return 0;
		frame_lock(*frame);
		frame_unlock(*frame);
		frame_put(*frame);
	}
	*frame = frame_zero;
	return 0;
}

ssize_t mem_object_read(struct mem_object *object, struct io_buffer *io, uint64_t pos)
{
	size_t done = 0;
	int error = 0;

	while (io->left > 0) {
		uint64_t size = atomic_load(&object->size);
		size_t offset = pos % PAGE_SIZE, part, copied;
		struct frame *frame;

		if (pos >= size)
			break;
		part = MIN(MIN(PAGE_SIZE - offset, io->left), size - pos);
		error = read_begin(object, pos >> PAGE_SHIFT, &frame);
		if (error)
			break;
		copied = io_put(io, (char *)frame_virt(frame) + offset, part);
		frame_put(frame);
		done += copied;
		pos += copied;
		if (copied < part) {
			error = -EFAULT;
			break;
		}
	}
	return done ? (ssize_t)done : error;
}

/* The page to write to, LOCKED, DIRTY. It is loaded even if all of it will be written: what a
   failed copy leaves unwritten must not be old memory. */
static int write_begin(struct mem_object *object, uint64_t index, struct frame **result)
{
	struct frame *frame;
	int error;

	for (;;) {
		error = mem_object_frame(object, index, &frame);
		if (error)
			return error;
		frame_lock(frame);
		if (frame->object == object)
			break;
		frame_unlock(frame); /* truncated meanwhile */
		frame_put(frame);
	}
	if (object->ops->dirty && !(frame_state(frame) & FRAME_DIRTY))
		error = object->ops->dirty(object, frame);
	if (error) {
		frame_unlock(frame);
		frame_put(frame);
		return error;
	}
	atomic_fetch_or(&frame->state, FRAME_DIRTY);
	*result = frame;
	return 0;
}

/*
 * One page's part: bytes written, or -errno. The buffer is faulted in before the frame is locked.
 */
static ssize_t write_part(struct mem_object *object, struct io_buffer *io, uint64_t pos,
			  size_t part)
{
	struct frame *frame;
	size_t copied;
	int error;

	if (!io->kernel && user_fault_in(io->addr, part, false)) {
		part = MIN(part, PAGE_SIZE - io->addr % PAGE_SIZE);
		if (user_fault_in(io->addr, 1, false))
			return -EFAULT;
	}
	error = write_begin(object, pos >> PAGE_SHIFT, &frame);
	if (error)
		return error;
	user_faults_disable();
	copied = io_get(io, (char *)frame_virt(frame) + pos % PAGE_SIZE, part);
	user_faults_enable();
	if (copied && pos + copied > atomic_load(&object->size))
		atomic_store(&object->size, pos + copied);
	frame_unlock(frame);
	frame_put(frame);
	return (ssize_t)copied; /* 0: the page went away again meanwhile; try once more */
}

ssize_t mem_object_write(struct mem_object *object, struct io_buffer *io, uint64_t pos)
{
	size_t done = 0;
	ssize_t part = 0;

	if (pos > atomic_load(&object->size) && io->left > 0)
		object_zero_tail(object, atomic_load(&object->size));
	while (io->left > 0 && part >= 0) {
		part = write_part(object, io, pos, MIN(PAGE_SIZE - pos % PAGE_SIZE, io->left));
		if (part > 0) {
			done += (size_t)part;
			pos += (uint64_t)part;
		}
	}
	return done ? (ssize_t)done : part;
}

/* ---- shared anonymous memory ---- */

static int anon_load(struct mem_object *object, uint64_t index, struct frame *frame)
{
	(void)object;
	(void)index;
	memset(frame_virt(frame), 0, PAGE_SIZE);
	return 0;
}

static void anon_destroy(struct mem_object *object)
{
	kfree(object);
}

static const struct mem_operations anon_operations = {
	.load = anon_load,
	.in_memory = true,
	.destroy = anon_destroy,
};

int anon_object_create(uint64_t size, struct mem_object **result)
{
	struct mem_object *object = kmalloc(sizeof(*object));

	if (!object)
		return -ENOMEM;
	mem_object_init(object, &anon_operations, size);
	*result = object;
	return 0;
}
