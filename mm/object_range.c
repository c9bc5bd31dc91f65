/*
 * mm/object_range.c - ranges of an object's cache: truncated, punched, fetched, forgotten,
 * searched.
 *
 * Way in: truncate(2) and fallocate(2) through the file systems, madvise(2), posix_fadvise(2),
 * lseek(2) for holes.
 *
 * Taking pages away: first out of the cache, each LOCKED, so that no fault finds it any more; then
 * out of every mapping. A fault holds the table's lock from the look at the cache to its entry, so
 * either it does not find the page, or its entry is found here. Truncate stores the size before.
 *
 * In a hole, faults go on, and may not see a new page while others still see the old one. So there
 * pages stay in the cache, LOCKED and not UPTODATE, as if they were being loaded, until they are
 * out of every mapping: who wants one meanwhile waits.
 *
 *                        cached pages     private copies
 *   past a new end       go               go: SIGBUS
 *   in a punched hole    go               stay
 *
 * Locks: frame LOCKED -> zones_lock -> page tables; index_lock for the look at the cache.
 * Tests: tests/guest/fallocate.c, madvise.c, race_truncate.c, test_object.c.
 */
#include <kernel/signal.h>
#include <kernel/task.h>
#include <linux/fadvise.h>
#include <mm/check.h>
#include <mm/mm_private.h>
#include <string.h>

#define HOLE_BATCH 64    /* pages LOCKED at once */
#define PREFETCH_MAX 512 /* pages read ahead on one piece of advice: 2 MiB */

/* ---- taking pages away ---- */

struct frame *mem_object_next(struct mem_object *object, uint64_t *index, uint64_t last)
{
	struct frame *frame;

	spin_lock(&object->index_lock);
	frame = page_index_next(&object->pages, index);
	if (frame && *index <= last)
		frame_get(frame);
	else
		frame = NULL;
	spin_unlock(&object->index_lock);
	return frame;
}

/*
 * Takes the next cached frame of [*index, last] out of the cache, if it is still there: counts it.
 * False: there is none.
 */
static bool detach_next(struct mem_object *object, uint64_t *index, uint64_t last,
			uint64_t *detached)
{
	struct frame *frame = mem_object_next(object, index, last);
	bool ours;

	if (!frame)
		return false;
	frame_lock(frame);
	ours = frame->object == object;
	if (ours)
		cache_remove(object, frame);
	*detached += ours;
	frame_unlock(frame);
	frame_put(frame);
	return true;
}

/* Removes pages [first, last] from every mapping. They are no longer in the cache. */
static void unmap_everywhere(struct mem_object *object, uint64_t first, uint64_t last,
			     enum clear_what what)
{
	struct mem_zone *zone;

	mutex_lock(&object->zones_lock);
	list_for_each_entry(zone, &object->zones, object_link) {
		uint64_t zone_first = zone->offset >> PAGE_SHIFT;
		uint64_t pages = (zone->end - zone->beg) >> PAGE_SHIFT;
		uint64_t from = MAX(first, zone_first), to = MIN(last, zone_first + pages - 1);

		if (from <= to)
			page_table_clear_range(
				zone->space, zone->beg + ((from - zone_first) << PAGE_SHIFT),
				zone->beg + ((to - zone_first + 1) << PAGE_SHIFT), what);
	}
	mutex_unlock(&object->zones_lock);
}

/* Everything behind the end. */
static uint64_t cut_pages(struct mem_object *object, uint64_t first)
{
	uint64_t detached = 0;

	for (uint64_t index = first; detach_next(object, &index, UINT64_MAX, &detached);)
		;
	unmap_everywhere(object, first, UINT64_MAX, CLEAR_ALL);
	return detached;
}

/*
 * The next cached frames of [*index, last], with references, LOCKED, in order, and not to be had by
 * anybody else: how many. *index moves behind them.
 */
static unsigned hole_begin(struct mem_object *object, uint64_t *index, uint64_t last,
			   struct frame **frames)
{
	unsigned count = 0;

	while (count < HOLE_BATCH && *index <= last) {
		struct frame *frame = mem_object_next(object, index, last);

		if (!frame)
			break;
		(*index)++;
		frame_lock(frame);
		if (frame->object == object) {
			atomic_fetch_and(&frame->state, ~FRAME_UPTODATE);
			frames[count++] = frame;
		} else {
			frame_unlock(frame);
			frame_put(frame);
		}
	}
	return count;
}

uint64_t mem_object_punch(struct mem_object *object, uint64_t first, uint64_t last)
{
	struct frame *frames[HOLE_BATCH];
	uint64_t dropped = 0, index = first;
	unsigned count;

	while ((count = hole_begin(object, &index, last, frames)) > 0) {
		unmap_everywhere(object, frames[0]->index, frames[count - 1]->index,
				 CLEAR_OBJECT_PAGES);
		for (unsigned i = 0; i < count; i++) {
			cache_remove(object, frames[i]);
			frame_unlock(frames[i]);
			frame_put(frames[i]);
		}
		dropped += count;
	}
	return dropped;
}

/* Bytes [beg, end) of one page become zeros, if it is cached; dirty: they are part of the file. */
static void clear_in_page(struct mem_object *object, uint64_t beg, uint64_t end, bool dirty)
{
	struct frame *frame = mem_object_find_any(object, beg >> PAGE_SHIFT);

	if (!frame)
		return; /* load fills zeros there */
	frame_lock(frame); /* a load that began before the size changed is waited for */
	if (frame->object == object) {
		memset((char *)frame_virt(frame) + beg % PAGE_SIZE, 0, end - beg);
		if (dirty)
			atomic_fetch_or(&frame->state, FRAME_DIRTY);
	}
	frame_unlock(frame);
	frame_put(frame);
}

void object_zero_tail(struct mem_object *object, uint64_t size)
{
	if (size % PAGE_SIZE)
		clear_in_page(object, size, PAGE_ALIGN_UP(size), false);
}

uint64_t mem_object_clear(struct mem_object *object, uint64_t beg, uint64_t end)
{
	uint64_t first = PAGE_ALIGN_UP(beg), last = PAGE_ALIGN_DOWN(end);

	if (last < first) { /* within one page */
		clear_in_page(object, beg, end, true);
		return 0;
	}
	if (beg < first)
		clear_in_page(object, beg, first, true);
	if (last < end)
		clear_in_page(object, last, end, true);
	return first < last
		       ? mem_object_punch(object, first >> PAGE_SHIFT, (last >> PAGE_SHIFT) - 1)
		       : 0;
}

uint64_t mem_object_truncate(struct mem_object *object, uint64_t size)
{
	uint64_t old = atomic_load(&object->size);
	uint64_t dropped;

	if (size > old) {
		object_zero_tail(object, old);
		atomic_store(&object->size, size);
		return 0;
	}
	atomic_store(&object->size, size);
	dropped = cut_pages(object, PAGE_ALIGN_UP(size) >> PAGE_SHIFT);
	object_zero_tail(object, size);
	return dropped;
}

/* ---- fetching and forgetting ---- */

void mem_object_prefetch(struct mem_object *object, uint64_t first, uint64_t last)
{
	uint64_t pages = PAGE_ALIGN_UP(atomic_load(&object->size)) >> PAGE_SHIFT;

	if (object->ops->in_memory || object->ops->map_device || first >= pages)
		return;
	last = MIN(last, MIN(pages, first + PREFETCH_MAX) - 1);
	for (uint64_t index = first; index <= last && !signal_fatal_pending(current_task());
	     index++) {
		struct frame *frame;

		if (mem_object_frame(object, index, &frame))
			break; /* whoever needs it will be told */
		frame_put(frame);
	}
}

/*
 * Takes a LOCKED frame out of the cache if only the cache and the caller refer to it. Others find
 * it under index_lock alone, and whoever makes it dirty has a reference or LOCKED.
 */
static void remove_unused(struct mem_object *object, struct frame *frame)
{
	bool unused;

	spin_lock(&object->index_lock);
	unused = frame->object == object && frame_refs(frame) == 2 &&
		 !(frame_state(frame) & FRAME_DIRTY);
	if (unused) {
		(void)page_index_remove(&object->pages, frame->index);
		atomic_fetch_sub(&object->cached, 1);
		frame->object = NULL;
		mem_check_hold(frame, 1);
	}
	spin_unlock(&object->index_lock);
	if (unused)
		frame_put(frame);
}

void mem_object_forget(struct mem_object *object, uint64_t first, uint64_t last)
{
	struct frame *frame;

	if (!object->ops->sync)
		return; /* the cache is all there is */
	for (uint64_t index = first; (frame = mem_object_next(object, &index, last)); index++) {
		frame_lock(frame);
		remove_unused(object, frame);
		frame_unlock(frame);
		frame_put(frame);
		if (index == last)
			break;
	}
}

/* What is not needed is written first, or it could not go; of pages only whole ones go. */
void mem_object_advise(struct mem_object *object, uint64_t beg, uint64_t end, int advice)
{
	uint64_t first = beg >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;

	if (advice == POSIX_FADV_WILLNEED) {
		mem_object_prefetch(object, first, last);
		return;
	}
	if (object->ops->sync && object->ops->sync(object, first, last, 0))
		return; /* what could not be written stays */
	first = PAGE_ALIGN_UP(beg) >> PAGE_SHIFT;
	if (end < atomic_load(&object->size))
		last = end >> PAGE_SHIFT ? (end >> PAGE_SHIFT) - 1 : 0;
	if (first <= last && end >> PAGE_SHIFT)
		mem_object_forget(object, first, last);
}

/* ---- looking ---- */

uint64_t mem_object_count(struct mem_object *object, uint64_t first, uint64_t last)
{
	struct frame *frame;
	uint64_t count = 0;

	for (uint64_t index = first; (frame = mem_object_next(object, &index, last)); index++) {
		frame_put(frame);
		count++;
		if (index == last)
			break;
	}
	return count;
}

uint64_t mem_object_next_data(struct mem_object *object, uint64_t pos)
{
	uint64_t index = pos >> PAGE_SHIFT, size = atomic_load(&object->size);
	struct frame *frame =
		pos < size ? mem_object_next(object, &index, (size - 1) >> PAGE_SHIFT) : NULL;

	if (!frame)
		return size;
	frame_put(frame);
	return MAX(pos, index << PAGE_SHIFT);
}

uint64_t mem_object_next_hole(struct mem_object *object, uint64_t pos)
{
	uint64_t size = atomic_load(&object->size);

	for (uint64_t index = pos >> PAGE_SHIFT; index << PAGE_SHIFT < size; index++) {
		struct frame *frame = mem_object_find_any(object, index);

		if (!frame)
			return MAX(pos, index << PAGE_SHIFT);
		frame_put(frame);
	}
	return size;
}
