/*
 * mm/page_gather.c - frames and tables between their leaving the tables and the flush.
 *
 * mm/page_gather.h has the contract, and why a written page becomes DIRTY here. Called by
 * page_range.c.
 *
 * Locks: none of its own. gather_entry wants the leaf's; a flush or the dropping of frames may
 * happen under it, and under the space's. A full gather is emptied in between.
 *
 * Not here: which entries go (page_range.c), forgetting (tlb.c).
 * Tests: tests/guest/munmap.c, race_unmap.c, race_writeback.c.
 */
#include <mm/page_gather.h>
#include <mm/page_walk.h>

void gather_flush(struct gather *gather)
{
	if (gather->end)
		tlb_flush_range(gather->space, gather->beg, gather->end);
	gather->beg = gather->end = 0;
}

void gather_finish(struct gather *gather)
{
	gather_flush(gather);
	for (; gather->written; gather->written &= gather->written - 1)
		cache_page_written(gather->frames[__builtin_ctzl(gather->written)]);
	if (gather->count) /* mprotect takes nothing out */
		frame_put_many(gather->frames, gather->count);
	gather->count = 0;
}

static void resident_sub(_Atomic uint64_t *counter, uint64_t pages)
{
	if (pages)
		atomic_fetch_sub_explicit(counter, pages, memory_order_relaxed);
}

void gather_leaf_end(struct gather *gather)
{
	resident_sub(&gather->space->anon_pages, gather->gone.anon);
	resident_sub(&gather->space->file_pages, gather->gone.file);
	resident_sub(&gather->space->shmem_pages, gather->gone.shmem);
	gather->gone = (struct resident_pages){0};
}
