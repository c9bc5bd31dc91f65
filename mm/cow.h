/* mm/cow.h - copy-on-write of one page. For fault.c. */
#pragma once

#include <mm/fault.h>
#include <mm/page_table.h>

/* A new ANON frame, refs 1, with the same contents; NULL when memory is out. */
must_check struct frame *cow_copy(const struct frame *from);

/*
 * A write to a read-only, present entry of a private zone: the last holder of an ANON frame just
 * becomes writable (OUTCOME_REUSE); the zero frame becomes a fresh one; anything else is copied.
 * *frame is the entry's, before and after. The slot is locked. FAULT_DONE or FAULT_NEEDS_MEMORY.
 */
enum fault_result cow_break(struct page_slot *slot, const struct mem_zone *zone,
			    struct frame **frame, enum fault_outcome *outcome);

/*
 * mem_map.c: a stack grows down to cover addr, if its limit and the gap below allow. FAULT_RETRY or
 * FAULT_NO_ZONE.
 */
enum fault_result stack_grow(struct mem_space *space, uintptr_t addr);
