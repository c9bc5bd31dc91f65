/*
 * mm/cow.c - copy-on-write: who may keep a page, and how the others get their own.
 *
 * Called by fault.c with the leaf table locked.
 *
 * A frame's references are the entries that map it (fork adds one per copy), so a count of one
 * for an ANON frame, seen under the table's lock, means that this entry is the last: nobody else
 * can reach the frame to add another. A passing holder (a peek) only makes us copy needlessly.
 *
 * A copy replaces the entry in three steps: empty it, flush every processor, install the copy. With
 * only the last step, a thread on another processor could read the old page from its TLB after
 * another thread had already seen the new one.
 */
#include <kernel/base/panic.h>
#include <mm/cow.h>
#include <string.h>

struct frame *cow_copy(const struct frame *from)
{
	struct frame *copy = frame_alloc(FRAME_ANON);

	if (copy)
		memcpy(frame_virt(copy), frame_virt(from), PAGE_SIZE);
	return copy;
}

/* Another frame for the entry: the three steps above. */
static __attribute__((noinline)) enum fault_result
cow_replace(struct page_slot *slot, const struct mem_zone *zone, struct frame **frame,
	    enum fault_outcome *outcome)
{
	bool zero = frame_kind(*frame) == FRAME_ZERO;
	struct frame *fresh = zero ? frame_alloc_zeroed(FRAME_ANON) : cow_copy(*frame);

	if (!fresh)
		return FAULT_NEEDS_MEMORY;
	frame_put(page_slot_remove(slot));
	page_slot_install(slot, fresh, zone->prot, true);
	*frame = fresh;
	*outcome = zero ? OUTCOME_FRESH : OUTCOME_COPY;
	return FAULT_DONE;
}

enum fault_result cow_break(struct page_slot *slot, const struct mem_zone *zone,
			    struct frame **frame, enum fault_outcome *outcome)
{
	kassert(zone->flags & ZONE_PRIVATE);
	if (frame_kind(*frame) != FRAME_ANON || frame_refs(*frame) > 1)
		return cow_replace(slot, zone, frame, outcome);
	page_slot_make_writable(slot);
	*outcome = OUTCOME_REUSE;
	return FAULT_DONE;
}
