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

enum fault_result cow_break(struct page_slot *slot, const struct mem_zone *zone, struct frame *frame, enum fault_outcome *outcome)
{
	enum frame_kind kind = frame_kind(frame);
	struct frame *fresh;

	kassert(zone->flags & ZONE_PRIVATE);
	if (kind == FRAME_ANON && frame_refs(frame) == 1) {
		page_slot_make_writable(slot);
		*outcome = OUTCOME_REUSE;
		return FAULT_DONE;
	}
	fresh = kind == FRAME_ZERO ? frame_alloc_zeroed(FRAME_ANON) : cow_copy(frame);
	if (!fresh)
		return FAULT_NEEDS_MEMORY;
	frame_put(page_slot_remove(slot));
	page_slot_install(slot, fresh, zone->prot, true);
	*outcome = kind == FRAME_ZERO ? OUTCOME_FRESH : OUTCOME_COPY;
	return FAULT_DONE;
}
