/*
 * mm/page_visit.c - looking at page tables without changing them.
 *
 * Called by check.c (everything), check_frames.c (all frames, with all processors stopped) and
 * zone_usage.c (one zone's range, for /proc).
 *
 * Locks: a leaf's, while its entries are shown; none with all processors stopped.
 */
#include <mm/page_walk.h>

static void visit_leaf(struct page_table_visitor *visitor, struct frame *table, uintptr_t base,
		       bool writable)
{
	uint64_t *entries = table_entries(table);
	unsigned used = 0;

	spin_lock(&table->lock);
	for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++) {
		if (line_lacks(&entries[i], ENTRY_ANY))
			i += LINE_ENTRIES - 1;
		if (entries[i] == 0)
			continue;
		used++;
		visitor->entry(visitor, base + i * PAGE_SIZE, entry_decode(entries[i]));
	}
	visitor->table(visitor, base, table, (struct table_place){LEVEL_LEAF, used, writable});
	spin_unlock(&table->lock);
}

static void visit_table(struct page_table_visitor *visitor, struct frame *table, unsigned level,
			uintptr_t base, bool writable)
{
	uint64_t *entries = table_entries(table);
	unsigned count = level == LEVEL_ROOT ? PAGE_TABLE_ENTRIES / 2 : PAGE_TABLE_ENTRIES;
	unsigned used = 0;

	for (unsigned i = 0; i < count; i++) {
		bool below_writable;
		uintptr_t address;

		if (line_lacks(&entries[i], ENTRY_ANY))
			i += LINE_ENTRIES - 1;
		if (entries[i] == 0)
			continue;
		address = base + ((uintptr_t)i << (PAGE_SHIFT + 9 * (level - 1)));
		below_writable = (entries[i] & TABLE_RIGHTS) == TABLE_RIGHTS;
		used++;
		if (level == LEVEL_LEAF + 1)
			visit_leaf(visitor, entry_frame(entries[i]), address, below_writable);
		else
			visit_table(visitor, entry_frame(entries[i]), level - 1, address,
				    below_writable);
	}
	visitor->table(visitor, base, table, (struct table_place){level, used, writable});
}

void page_table_visit(struct mem_space *space, struct page_table_visitor *visitor)
{
	visit_table(visitor, phys_to_frame(space->root), LEVEL_ROOT, 0, true);
}

static void each_frame_below(struct frame *table, unsigned level,
			     void (*visit)(struct frame *frame))
{
	const uint64_t *entries = table_entries(table);
	unsigned count = level == LEVEL_ROOT ? PAGE_TABLE_ENTRIES / 2 : PAGE_TABLE_ENTRIES;

	for (unsigned i = 0; i < count; i++) {
		if (line_lacks(&entries[i], ENTRY_ANY))
			i += LINE_ENTRIES - 1;
		if (entries[i] == 0 || (level == LEVEL_LEAF && (entries[i] & PAGE_DEVICE)))
			continue;
		visit(entry_frame(entries[i]));
		if (level > LEVEL_LEAF)
			each_frame_below(entry_frame(entries[i]), level - 1, visit);
	}
}

void page_table_each_frame(const struct mem_space *space, void (*visit)(struct frame *frame))
{
	each_frame_below(phys_to_frame(space->root), LEVEL_ROOT, visit);
}

void page_table_visit_range(struct mem_space *space, uintptr_t beg, uintptr_t end,
			    struct page_table_visitor *visitor)
{
	struct leaf_walk leaf = leaf_walk(space, beg, end);

	while (leaf_walk_next(&leaf)) {
		const uint64_t *entry = leaf.entry;

		spin_lock(&leaf.table->lock);
		for (uintptr_t page = leaf.beg; page < leaf.end; page += PAGE_SIZE, entry++)
			if (*entry)
				visitor->entry(visitor, page, entry_decode(*entry));
		spin_unlock(&leaf.table->lock);
	}
}
