/*
 * mm/page_gather.c - frames and tables between their leaving the tables and the flush.
 *
 * mm/page_gather.h has the contract, and why a written page becomes DIRTY here. Called by
 * page_range.c and page_table.c.
 *
 * Locks: none of its own. gather_entry wants the leaf's; a flush or the dropping of frames may
 * happen under it, and under the space's. A full gather is emptied in between.
 *
 * Not here: which entries go (page_range.c), forgetting (tlb.c).
 * Tests: tests/guest/munmap.c, race_unmap.c, race_writeback.c.
 */
#include <mm/page_gather.h>
#include <mm/page_walk.h>

void frame_keep_dirty(struct frame *frame)
{
	if (frame_kind(frame) == FRAME_CACHE && !(frame_state(frame) & FRAME_DIRTY))
		atomic_fetch_or(&frame->state, FRAME_DIRTY);
}

void gather_begin(struct gather *gather, struct mem_space *space)
{
	gather->space = space;
	gather->beg = gather->end = 0;
	gather->count = 0;
	gather->written = 0;
}

void gather_note(struct gather *gather, uintptr_t page)
{
	gather->beg = gather->end ? MIN(gather->beg, page) : page;
	gather->end = MAX(gather->end, page + PAGE_SIZE);
}

void gather_flush(struct gather *gather)
{
	if (gather->end)
		tlb_flush_range(gather->space, gather->beg, gather->end);
	gather->beg = gather->end = 0;
}

void gather_finish(struct gather *gather)
{
	gather_flush(gather);
	for (unsigned i = 0; i < gather->count; i++) {
		if (gather->written & 1ull << i)
			frame_keep_dirty(gather->frames[i]);
		frame_put(gather->frames[i]);
	}
	gather->count = 0;
	gather->written = 0;
}

void gather_frame(struct gather *gather, uintptr_t page, struct frame *frame, bool written)
{
	if (gather->count == GATHER_MAX)
		gather_finish(gather);
	gather_note(gather, page);
	if (written)
		gather->written |= 1ull << gather->count;
	gather->frames[gather->count++] = frame;
}

void gather_entry(struct gather *gather, uintptr_t page, struct frame *table, uint64_t *entry)
{
	bool written = *entry & PAGE_WRITABLE;
	struct frame *frame = entry_take(gather->space, table, entry);

	if (frame)
		gather_frame(gather, page, frame, written);
	else
		gather_note(gather, page);
}
