/*
 * mm/zone_usage.c - adds up a zone's pages as Linux's fs/proc/task_mmu.c does.
 *
 * A page counts to its proportional size by one over the number of entries that map it, which its
 * frame's references tell. The zero frame is nobody's. A private page was written, so it is dirty;
 * a cached one is if its frame is.
 *
 * Tests: tests/guest/smaps.c.
 */
#include <mm/page_table.h>
#include <mm/zone_usage.h>

struct usage_visitor {
	struct page_table_visitor visitor;
	struct zone_usage *usage;
};

static void add_shares(struct zone_usage *usage, bool dirty, uint32_t maps)
{
	if (maps > 1)
		*(dirty ? &usage->shared_dirty : &usage->shared_clean) += PAGE_SIZE;
	else
		*(dirty ? &usage->private_dirty : &usage->private_clean) += PAGE_SIZE;
}

static void add_entry(struct page_table_visitor *visitor, uintptr_t address,
		      struct page_entry entry)
{
	struct zone_usage *usage = container_of(visitor, struct usage_visitor, visitor)->usage;
	uint32_t state, maps;
	uint64_t part;
	bool anon, dirty;

	(void)address;
	if (!entry.frame || frame_kind(entry.frame) == FRAME_ZERO)
		return;
	state = frame_state(entry.frame);
	anon = frame_kind(entry.frame) == FRAME_ANON;
	dirty = anon || (state & FRAME_DIRTY);
	maps = MAX(frame_map_count(entry.frame), 1u);
	part = (PAGE_SIZE << PSS_SHIFT) / maps;
	usage->resident += PAGE_SIZE;
	usage->referenced += entry.accessed ? PAGE_SIZE : 0;
	usage->anonymous += anon ? PAGE_SIZE : 0;
	usage->pss += part;
	usage->pss_dirty += dirty ? part : 0;
	*(anon                  ? &usage->pss_anon
	  : state & FRAME_SHMEM ? &usage->pss_shmem
				: &usage->pss_file) += part;
	add_shares(usage, dirty, maps);
}

void zone_usage_add(struct mem_space *space, const struct mem_zone *zone, struct zone_usage *usage)
{
	struct usage_visitor visitor = {.visitor = {.entry = add_entry}, .usage = usage};

	page_table_visit_range(space, zone->beg, zone->end, &visitor.visitor);
}
