/*
 * mm/page_range.c - what happens to all entries of a range: emptied (their tables freed),
 * protected, forked, moved.
 *
 * Called by zone_life.c, mem_protect.c, mem_remap.c and fork (mem_space.c) with the space locked
 * for writing; by mem_advise.c with it locked for reading, beside faults; by object_range.c
 * (truncate, punch) with the object's zones_lock alone, when no fault finds the pages any more.
 * mm/page_table.h has the contracts. Each walks leaf by leaf (mm/page_walk.h), one leaf's part
 * under that leaf's lock.
 *
 * Locks: a leaf's; fork holds two, the parent's first.
 *
 * Not here: what becomes of the frames taken out (page_gather.c), one entry (page_table.c).
 * Tests: tests/guest/munmap.c, mprotect.c, cow.c, mremap.c and the races of those names.
 */
#include <kernel/base/errno.h>
#include <mm/page_gather.h>
#include <mm/page_walk.h>

static bool is_object_page(uint64_t value)
{
	return !(value & (PAGE_ANON | PAGE_DEVICE)) &&
	       frame_kind(entry_frame(value)) == FRAME_CACHE;
}

static void clear_leaf(struct gather *gather, const struct leaf_walk *leaf, enum clear_what what)
{
	struct frame *table = leaf->table;
	uint64_t *entry = leaf->entry;

	spin_lock(&table->lock);
	for (uintptr_t page = leaf->beg; page < leaf->end; page += PAGE_SIZE, entry++) {
		if (*entry == 0) {
			if (line_lacks(entry, ENTRY_ANY)) {
				page += (LINE_ENTRIES - 1) * PAGE_SIZE;
				entry += LINE_ENTRIES - 1;
			}
			continue;
		}
		if (what != CLEAR_OBJECT_PAGES || is_object_page(*entry))
			gather_entry(gather, page, table, entry);
		if (table->index == 0)
			break;
	}
	gather_leaf_end(gather);
	if (what == CLEAR_BESIDE_FAULTS)
		gather_flush(gather);
	spin_unlock(&table->lock);
}

void page_table_clear_range(struct mem_space *space, uintptr_t beg, uintptr_t end,
			    enum clear_what what)
{
	struct leaf_walk leaf = leaf_walk(space, beg, end);
	struct gather gather;

	mem_space_note_peak(space);
	gather_begin(&gather, space);
	while (leaf_walk_next(&leaf))
		clear_leaf(&gather, &leaf, what);
	gather_finish(&gather);
}

/*
 * Takes out the tables below `table` that map a part of [beg, end) and nothing outside [low, high).
 * Their entries are empty; a level above goes too when it became empty and lies inside.
 */
static void gather_tables(struct gather *gather, struct frame *table, unsigned level, uintptr_t beg,
			  uintptr_t end, uintptr_t low, uintptr_t high)
{
	uint64_t span = 1ull << (PAGE_SHIFT + 9 * (level - 1)); /* of one entry */
	uint64_t *entry = &table_entries(table)[page_table_slot(beg, level)];

	for (uintptr_t from = ALIGN_DOWN(beg, span), to; from < end && table->index > 0;
	     from = to, entry++) {
		struct frame *child;

		to = from + span;
		if (!*entry)
			continue;
		child = entry_frame(*entry);
		if (level > LEVEL_LEAF + 1)
			gather_tables(gather, child, level - 1, MAX(from, beg), MIN(to, end), low,
				      high);
		if (from < low || to > high || child->index > 0)
			continue;
		spin_lock(&table->lock);
		entry_store(entry, 0);
		table->index--;
		mem_check_hold(child, 1);
		spin_unlock(&table->lock);
		atomic_fetch_sub(&gather->space->table_pages, 1);
		gather_table(gather, from, child);
	}
}

static __attribute__((noinline)) void unmap_tables(struct mem_space *space, uintptr_t beg,
						   uintptr_t end, uintptr_t low, uintptr_t high)
{
	struct leaf_walk leaf = leaf_walk(space, beg, end);
	struct gather gather;

	mem_space_note_peak(space);
	gather_begin(&gather, space);
	while (leaf_walk_next(&leaf))
		clear_leaf(&gather, &leaf, CLEAR_ALL);
	low = ALIGN_UP(low, PAGE_LEAF_SPAN);
	high = ALIGN_DOWN(high, PAGE_LEAF_SPAN);
	if (MAX(low, ALIGN_DOWN(beg, PAGE_LEAF_SPAN)) < MIN(high, ALIGN_UP(end, PAGE_LEAF_SPAN)))
		gather_tables(&gather, phys_to_frame(space->root), LEVEL_ROOT, beg, end, low, high);
	gather_finish(&gather);
}

/*
 * All of [beg, end) lies behind one empty entry of a table that has others. So that table is
 * needed, as are those above it, and there is nothing to empty and nothing to free.
 */
static bool range_is_bare(const struct mem_space *space, uintptr_t beg, uintptr_t end)
{
	phys_t table = space->root;

	for (unsigned level = LEVEL_ROOT; level > LEVEL_LEAF; level--) {
		const uint64_t *entries = phys_to_virt(table);
		unsigned slot = page_table_slot(beg, level);

		if (page_table_slot(end - 1, level) != slot)
			return false;
		if (!entries[slot])
			return phys_to_frame(table)->index > 0;
		table = entries[slot] & PAGE_FRAME_MASK;
	}
	return false;
}

void page_table_unmap_range(struct mem_space *space, uintptr_t beg, uintptr_t end, uintptr_t low,
			    uintptr_t high)
{
	if (!range_is_bare(space, beg, end))
		unmap_tables(space, beg, end, low, high);
}

/* The entry under a new protection; 0 where the page is better forgotten: it can fault back in. */
static uint64_t entry_protected(uint64_t value, uint32_t prot)
{
	if (value & PAGE_DEVICE || (prot == PROT_NONE && !(value & PAGE_ANON)))
		return 0;
	if (prot == PROT_NONE)
		return (value & PAGE_FRAME_MASK) | PAGE_HELD | PAGE_ANON;
	if (!(prot & PROT_WRITE) || (value & PAGE_HELD))
		value &= ~PAGE_WRITABLE;
	return (value & (PAGE_FRAME_MASK | PAGE_WRITABLE | PAGE_ANON)) | entry_rights(prot);
}

/*
 * Cache pages that were writable are flushed before the lock is dropped: write-back, which finds
 * them read-only under it, relies on there being no store any more.
 */
static void protect_leaf(struct gather *gather, const struct leaf_walk *leaf, uint32_t prot)
{
	struct frame *table = leaf->table;
	uint64_t *entry = leaf->entry;
	bool cleaned = false;

	spin_lock(&table->lock);
	for (uintptr_t page = leaf->beg; page < leaf->end && table->index > 0;
	     page += PAGE_SIZE, entry++) {
		uint64_t now;

		if (*entry == 0)
			continue;
		now = entry_protected(*entry, prot);
		if (now == 0) {
			gather_entry(gather, page, table, entry);
			continue;
		}
		if ((*entry & ~now & PAGE_WRITABLE) && !(*entry & PAGE_ANON)) {
			cache_page_written(entry_frame(*entry));
			cleaned = true;
		}
		entry_store(entry, now);
		gather_note(gather, page);
	}
	gather_leaf_end(gather);
	if (cleaned)
		gather_flush(gather);
	spin_unlock(&table->lock);
}

void page_table_protect_range(struct mem_space *space, uintptr_t beg, uintptr_t end, uint32_t prot)
{
	struct leaf_walk leaf = leaf_walk(space, beg, end);
	struct gather gather;

	gather_begin(&gather, space);
	while (leaf_walk_next(&leaf))
		protect_leaf(&gather, &leaf, prot);
	gather_finish(&gather);
}

/* The private pages of one leaf; both tables are locked. */
static void fork_entries(const struct leaf_walk *leaf, struct page_slot *to)
{
	const uint64_t *end = leaf->entry + ((leaf->end - leaf->beg) >> PAGE_SHIFT);
	uint64_t copied = 0;

	for (uint64_t *entry = leaf->entry; entry < end; entry++) {
		uint64_t value = *entry;

		if (!(value & PAGE_ANON)) {
			if (line_lacks(entry, PAGE_ANON))
				entry += LINE_ENTRIES - 1;
			continue;
		}
		frame_get(entry_frame(value));
		if (value & PAGE_WRITABLE)
			entry_store(entry, value &= ~PAGE_WRITABLE);
		to->entry[entry - leaf->entry] = value;
		mem_check_hold(entry_frame(value), -1);
		copied++;
	}
	to->table->index += copied;
	atomic_fetch_add_explicit(&to->space->anon_pages, copied, memory_order_relaxed);
}

/*
 * Two tables of one level: the parent's first. No task runs in the child's space yet, but truncate
 * finds its tables by the zones of the object.
 */
static int fork_leaf(const struct leaf_walk *leaf, struct mem_space *to, bool has_object)
{
	struct page_slot slot;
	int error = page_slot_lock(to, leaf->beg, has_object, &slot);

	if (error)
		return error;
	page_slot_unlock(&slot);
	spin_lock(&leaf->table->lock);
	spin_lock(&slot.table->lock);
	fork_entries(leaf, &slot);
	spin_unlock(&slot.table->lock);
	spin_unlock(&leaf->table->lock);
	return 0;
}

int page_table_fork_range(struct mem_space *from, struct mem_space *to, uintptr_t beg,
			  uintptr_t end, bool has_object)
{
	struct leaf_walk leaf = leaf_walk(from, beg, end);

	while (leaf_walk_next(&leaf)) {
		int error = leaf.table->index > 0 ? fork_leaf(&leaf, to, has_object) : 0;

		if (error)
			return error;
	}
	return 0;
}

/* The entry's reference is the calling task's for a while. */
static void hold_of_entry(uint64_t value, int64_t change)
{
	if (!(value & PAGE_DEVICE))
		mem_check_hold(entry_frame(value), change);
}

/* The place is made first, so that nothing is lost when memory is out. */
static int move_entry(const struct leaf_walk *leaf, uint64_t *entry, uintptr_t to, bool has_object)
{
	struct page_slot slot;
	uint64_t value;
	int error = page_slot_lock(leaf->space, to, has_object, &slot);

	if (error)
		return error;
	page_slot_unlock(&slot);
	spin_lock(&leaf->table->lock);
	value = *entry;
	if (value) {
		entry_store(entry, 0);
		leaf->table->index--;
		hold_of_entry(value, 1);
	}
	spin_unlock(&leaf->table->lock);
	spin_lock(&slot.table->lock);
	if (value) {
		entry_store(slot.entry, value);
		slot.table->index++;
		hold_of_entry(value, -1);
	}
	spin_unlock(&slot.table->lock);
	return 0;
}

int page_table_move_range(struct mem_space *space, uintptr_t from, uintptr_t to, size_t length,
			  bool has_object)
{
	struct leaf_walk leaf = leaf_walk(space, from, from + length);

	while (leaf_walk_next(&leaf)) {
		uint64_t *entry = leaf.entry;

		for (uintptr_t page = leaf.beg; page < leaf.end; page += PAGE_SIZE, entry++) {
			int error =
				*entry ? move_entry(&leaf, entry, to + (page - from), has_object)
				       : 0;

			if (error)
				return error;
		}
	}
	tlb_flush_range(space, from, from + length);
	return 0;
}
