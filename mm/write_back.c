/*
 * mm/write_back.c - dirty pages to where they last: msync, fsync and sync end here.
 *
 * For each run of dirty neighbours: lock the frames; {clear DIRTY, make every mapping of them
 * read-only, flush}, so that a store from now on is seen as a new one; write; unlock. A page that
 * could not be written is DIRTY again. What lies past the file's end is never written. Meanwhile
 * the frames are WRITEBACK, which tells the checking build why a writable entry's frame may be
 * clean.
 *
 * Locks: frames LOCKED in index order, then zones_lock, then page tables. Sleeps.
 */
#include <kernel/base/errno.h>
#include <mm/mem_object.h>
#include <mm/mm_private.h>
#include <mm/page_table.h>

#define RUN_MAX 64 /* pages in one request */

/* The next dirty page at or after *index, LOCKED and with a reference; NULL past `last`. */
static struct frame *next_dirty(struct mem_object *object, uint64_t *index, uint64_t last)
{
	for (;;) {
		struct frame *frame = mem_object_next(object, index, last);

		if (!frame)
			return NULL;
		if (frame_state(frame) & FRAME_DIRTY) {
			frame_lock(frame);
			if (frame->object == object && (frame_state(frame) & FRAME_DIRTY))
				return frame;
			frame_unlock(frame);
		}
		frame_put(frame);
		if (*index == last)
			return NULL;
		(*index)++;
	}
}

/* Page `index` if it is cached and dirty: LOCKED, with a reference. */
static struct frame *dirty_at(struct mem_object *object, uint64_t index)
{
	struct frame *frame = mem_object_find(object, index);

	if (!frame)
		return NULL;
	frame_lock(frame);
	if (frame->object == object && (frame_state(frame) & FRAME_DIRTY))
		return frame;
	frame_unlock(frame);
	frame_put(frame);
	return NULL;
}

static void clean_everywhere(struct mem_object *object, struct frame **frames, size_t count)
{
	struct mem_zone *zone;

	for (size_t i = 0; i < count; i++) /* DIRTY becomes WRITEBACK: no other writer is here */
		atomic_fetch_xor(&frames[i]->state, FRAME_DIRTY | FRAME_WRITEBACK);
	mutex_lock(&object->zones_lock);
	list_for_each_entry(zone, &object->zones, object_link) {
		uint64_t first = zone->offset >> PAGE_SHIFT;
		uint64_t pages = (zone->end - zone->beg) >> PAGE_SHIFT;

		if (!(zone->flags & ZONE_SHARED))
			continue;
		for (size_t i = 0; i < count; i++)
			if (frames[i]->index >= first && frames[i]->index < first + pages)
				page_table_clean_page(
					zone->space,
					zone->beg + ((frames[i]->index - first) << PAGE_SHIFT),
					frames[i]);
	}
	mutex_unlock(&object->zones_lock);
}

/*
 * The part of the run that lies within the file: 0 if none does. Read while the frames are LOCKED,
 * which truncate waits for after it has stored a smaller size.
 */
static size_t bytes_in_file(const struct mem_object *object, uint64_t index, size_t count)
{
	uint64_t size = atomic_load(&((struct mem_object *)object)->size),
		 beg = index << PAGE_SHIFT;

	return size <= beg ? 0 : MIN(size - beg, count << PAGE_SHIFT);
}

static int write_run(struct mem_object *object, struct frame **frames, size_t count,
		     mem_write_run write)
{
	uint64_t index = frames[0]->index;
	size_t bytes;
	int error = 0;

	clean_everywhere(object, frames, count);
	bytes = bytes_in_file(object, index, count);
	if (bytes)
		error = write(object, index, frames, PAGE_ALIGN_UP(bytes) >> PAGE_SHIFT, bytes);
	for (size_t i = 0; i < count; i++) {
		if (error)
			atomic_fetch_or(&frames[i]->state, FRAME_DIRTY);
		atomic_fetch_and(&frames[i]->state, ~FRAME_WRITEBACK);
		frame_unlock(frames[i]);
		frame_put(frames[i]);
	}
	return error;
}

int mem_object_write_back(struct mem_object *object, uint64_t first, uint64_t last,
			  mem_write_run write)
{
	struct frame *frames[RUN_MAX];
	uint64_t index = first;
	int result = 0, error;

	while ((frames[0] = next_dirty(object, &index, last))) {
		size_t count = 1;

		while (count < RUN_MAX && index + count <= last &&
		       (frames[count] = dirty_at(object, index + count)))
			count++;
		index += count;
		error = write_run(object, frames, count, write);
		if (error && !result)
			result = error;
	}
	return result;
}
