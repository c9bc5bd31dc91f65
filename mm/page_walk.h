/*
 * mm/page_walk.h - entries as the processor reads them, and the walk over a range, leaf by leaf.
 *
 * For page_table.c, page_gather.c, page_range.c and page_visit.c alone: everybody else sees entries
 * through mm/page_table.h.
 */
#pragma once

#include <kernel/base/panic.h>
#include <linux/mman.h>
#include <mm/page_bits.h>
#include <mm/page_table.h>

#define LEVEL_ROOT 4
#define LEVEL_LEAF 1
#define TABLE_RIGHTS (PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER) /* of an entry with a table */

static inline uint64_t *table_entries(struct frame *table)
{
	return frame_virt(table);
}

/* ---- one entry ---- */

static inline uint64_t entry_load(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

static inline void entry_store(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static inline struct frame *entry_frame(uint64_t entry)
{
	return phys_to_frame(entry & PAGE_FRAME_MASK);
}

static inline uint64_t entry_rights(uint32_t prot)
{
	return PAGE_PRESENT | PAGE_USER | (prot & PROT_EXEC ? 0 : PAGE_NX);
}

static inline struct page_entry entry_decode(uint64_t value)
{
	struct page_entry entry = {.kind = ENTRY_EMPTY};

	if (value & PAGE_HELD)
		entry.kind = ENTRY_HELD;
	else if (value & PAGE_DEVICE)
		entry.kind = ENTRY_DEVICE;
	else if (value & PAGE_PRESENT)
		entry.kind = ENTRY_PRESENT;
	else
		return entry;
	if (entry.kind != ENTRY_DEVICE)
		entry.frame = entry_frame(value);
#ifdef STOS_CHECK
	if (!(value & PAGE_ANON) != !(entry.frame && frame_kind(entry.frame) == FRAME_ANON))
		mem_check_failed("entry %#lx is marked wrongly as a private page or not", value);
#endif
	entry.writable = value & PAGE_WRITABLE;
	entry.executable = !(value & PAGE_NX);
	entry.accessed = value & PAGE_ACCESSED;
	return entry;
}

/*
 * A writable entry of a cache page went away: whoever wrote through it must not be forgotten, even
 * if write-back cleaned the frame without seeing this entry's zone any more (munmap takes the zone
 * off the object's list first).
 */
static inline void cache_page_written(struct frame *frame)
{
	if (!(frame_state(frame) & FRAME_DIRTY))
		atomic_fetch_or(&frame->state, FRAME_DIRTY);
}

#define LINE_ENTRIES 8 /* of a table, in a cache line */
#define ENTRY_ANY (~0ull)

/*
 * Most tables are nearly empty: `entry` begins a line of which no entry has any of `bits`, so that
 * the other seven need not be looked at.
 */
static inline bool line_lacks(const uint64_t *entry, uint64_t bits)
{
	if ((uintptr_t)entry % (LINE_ENTRIES * sizeof(*entry)) != 0)
		return false;
	return ((entry[0] | entry[1] | entry[2] | entry[3] | entry[4] | entry[5] | entry[6] |
		 entry[7]) &
		bits) == 0;
}

/* ---- leaf by leaf ---- */

/*
 * The leaf table of `address` in an existing tree, or NULL; then *skip is the span below the
 * missing table, so that a walk of a sparse range costs what is there.
 */
static inline struct frame *leaf_find(struct mem_space *space, uintptr_t address, uint64_t *skip)
{
	uint64_t value = space->root;

#pragma GCC unroll 3
	for (unsigned level = LEVEL_ROOT; level > LEVEL_LEAF; level--) {
		const uint64_t *entries = phys_to_virt(value & PAGE_FRAME_MASK);

		value = entry_load(&entries[page_table_slot(address, level)]);
		if (unlikely(!(value & PAGE_PRESENT))) {
			*skip = 1ull << (PAGE_SHIFT + 9 * (level - 1));
			return NULL;
		}
	}
	*skip = PAGE_LEAF_SPAN;
	return entry_frame(value);
}

static inline uint64_t *leaf_entry(struct frame *leaf, uintptr_t address)
{
	return &table_entries(leaf)[page_table_slot(address, LEVEL_LEAF)];
}

/*
 * The leaf tables there are of a range, in ascending order:
 *
 *	struct leaf_walk walk = leaf_walk(space, beg, end);
 *
 *	while (leaf_walk_next(&walk))
 *		... lock walk.table; from walk.entry on are the entries of [walk.beg, walk.end)
 */
struct leaf_walk {
	struct mem_space *space;
	uintptr_t beg, end; /* what the table maps of the range */
	uintptr_t range_end;
	struct frame *table;
	uint64_t *entry;
};

static inline struct leaf_walk leaf_walk(struct mem_space *space, uintptr_t beg, uintptr_t end)
{
	return (struct leaf_walk){.space = space, .end = beg, .range_end = end};
}

static inline bool leaf_walk_next(struct leaf_walk *walk)
{
	while (walk->end < walk->range_end) {
		uint64_t span;

		walk->beg = walk->end;
		walk->table = leaf_find(walk->space, walk->beg, &span);
		walk->end = MIN(ALIGN_DOWN(walk->beg, span) + span, walk->range_end);
		if (walk->table) {
			walk->entry = leaf_entry(walk->table, walk->beg);
			return true;
		}
	}
	return false;
}
