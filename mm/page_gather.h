/*
 * mm/page_gather.h - what was taken out of the tables and is kept until no processor can use it
 * any more: frames whose entries are gone, and tables.
 *
 * For page_range.c alone. It lives on the stack of who takes things out:
 *
 *	gather_begin; gather_entry, gather_table, gather_note ...; gather_finish
 *
 * A processor that still knows a writable entry of a cache page may store through it until the
 * flush. So such a page becomes DIRTY after that: were it DIRTY before, write-back could clean and
 * copy it in between, finding no entry, and the store would be forgotten.
 */
#pragma once

#include <mm/check.h>
#include <mm/page_walk.h>

#define GATHER_MAX 64

/* Pages counted as resident, by the space's counters. */
struct resident_pages {
	uint64_t anon, file, shmem;
};

struct gather {
	struct mem_space *space;
	uintptr_t beg, end; /* has changed since the last flush; both 0: nothing */
	unsigned count;
	uint64_t written; /* bit n: frames[n] is a cache page that had a writable entry */
	struct resident_pages gone; /* from the leaf that is locked, not yet told to the space */
	struct frame *frames[GATHER_MAX];
};
static_assert(GATHER_MAX <= 64, "one bit each");

static inline void gather_begin(struct gather *gather, struct mem_space *space)
{
	gather->space = space;
	gather->beg = gather->end = 0;
	gather->count = 0;
	gather->written = 0;
	gather->gone = (struct resident_pages){0};
}

/* Flushes what has changed; the frames are still kept. */
void gather_flush(struct gather *gather);
/* Flushes, then drops the frames; the gather is empty again. */
void gather_finish(struct gather *gather);
/* Before a leaf is unlocked whose entries were gathered: the space's counters follow. */
void gather_leaf_end(struct gather *gather);

/* An entry of `page` changed; pages come in ascending order. */
static inline void gather_note(struct gather *gather, uintptr_t page)
{
	if (!gather->end)
		gather->beg = page;
	gather->end = page + PAGE_SIZE;
}

/* A reference to drop after the flush. */
static inline void gather_frame(struct gather *gather, struct frame *frame)
{
	if (unlikely(gather->count == GATHER_MAX))
		gather_finish(gather);
	gather->frames[gather->count++] = frame;
}

/*
 * A table was taken out that maps `page`. A flush of any page makes the processors forget all upper
 * entries (SDM vol. 3, 4.10.4.1); until then their walks may go through the table.
 */
static inline void gather_table(struct gather *gather, uintptr_t page, struct frame *table)
{
	gather_frame(gather, table);
	if (!gather->end)
		gather_note(gather, page);
}

/* Empties an entry of a locked leaf; its frame is kept until the flush. */
static inline void gather_entry(struct gather *gather, uintptr_t page, struct frame *table,
				uint64_t *entry)
{
	uint64_t value = *entry;
	struct frame *frame;

	table->index--;
	entry_store(entry, 0);
	if (value & PAGE_DEVICE) {
		gather_note(gather, page);
		return;
	}
	frame = entry_frame(value);
	mem_check_hold(frame, 1);
	gather_frame(gather, frame);
	gather_note(gather, page);
	if (value & PAGE_ANON) {
		gather->gone.anon++;
	} else if (frame_kind(frame) == FRAME_CACHE) {
		gather->gone.file++;
		gather->gone.shmem += frame_state(frame) & FRAME_SHMEM ? 1 : 0;
		if (value & PAGE_WRITABLE)
			gather->written |= 1ull << (gather->count - 1);
	}
}
