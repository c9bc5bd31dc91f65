/*
 * mm/page_gather.h - what was taken out of the tables and is kept until no processor can use it
 * any more: frames whose entries are gone, and tables.
 *
 * For page_table.c and page_range.c alone. It lives on the stack of who takes things out:
 *
 *	gather_begin; gather_entry, gather_frame, gather_note ...; gather_finish
 *
 * A processor that still knows a writable entry of a cache page may store through it until the
 * flush. So such a page becomes DIRTY after that: were it DIRTY before, write-back could clean and
 * copy it in between, finding no entry, and the store would be forgotten.
 */
#pragma once

#include <mm/mem_space.h>

#define GATHER_MAX 64

struct gather {
	struct mem_space *space;
	uintptr_t beg, end; /* has changed since the last flush; both 0: nothing */
	unsigned count;
	uint64_t written; /* bit n: frames[n] had a writable entry */
	struct frame *frames[GATHER_MAX];
};
static_assert(GATHER_MAX <= 64, "one bit each");

void gather_begin(struct gather *gather, struct mem_space *space);
/* An entry of `page` changed. */
void gather_note(struct gather *gather, uintptr_t page);
/* The same, and `frame`'s reference is dropped after the flush; `written`: the entry was writable. */
void gather_frame(struct gather *gather, uintptr_t page, struct frame *frame, bool written);
/* Empties an entry of a locked leaf; its frame is kept until the flush. */
void gather_entry(struct gather *gather, uintptr_t page, struct frame *table, uint64_t *entry);
/* Flushes what has changed; the frames are still kept. */
void gather_flush(struct gather *gather);
/* Flushes, then drops the frames; the gather is empty again. */
void gather_finish(struct gather *gather);

/*
 * A writable entry of a cache page went away: whoever wrote through it must not be forgotten, even
 * if write-back cleaned the frame without seeing this entry's zone any more (munmap takes the zone
 * off the object's list first).
 */
void frame_keep_dirty(struct frame *frame);
