/*
 * mm/check.c - walks a whole space and checks what must always hold (docs/architecture.md).
 *
 * Called by tests and by the checking build (mm/check.h says when). Panics at the first
 * violation, with the address.
 *
 * The space is locked, which keeps everybody out but truncate and write-back, on other
 * processors: those come by the objects of the zones. What they do to a leaf they do under its
 * lock, so the look at one leaf is exact; the counters of the whole may sink during the walk.
 */
#include <kernel/base/panic.h>
#include <kernel/cmdline.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <mm/check.h>
#include <mm/mm_private.h>
#include <string.h>

struct space_check {
	struct page_table_visitor visitor;
	struct mem_space *space;
	uint64_t anon, file, tables;
	uint32_t object_below; /* bit n: the table of level n being walked maps a zone with an object */
};

/* Write-back makes a page clean before its entries read-only; it keeps the frame LOCKED meanwhile. */
static bool is_dirty(const struct frame *frame)
{
	return frame_state(frame) & (FRAME_DIRTY | FRAME_LOCKED);
}

static void check_present(struct space_check *check, uintptr_t address, struct page_entry entry, const struct mem_zone *zone)
{
	enum frame_kind kind = frame_kind(entry.frame);

	if (kind == FRAME_ANON)
		check->anon++;
	else if (kind == FRAME_CACHE)
		check->file++;
	else if (kind != FRAME_ZERO)
		panic("check: %#lx maps a frame of kind %d", address, kind);
	if (entry.writable && !(zone->prot & PROT_WRITE))
		panic("check: %#lx is writable, its zone is not", address);
	if (entry.writable && kind == FRAME_ANON && frame_refs(entry.frame) != 1)
		panic("check: %#lx is writable but its frame has %u references", address,
		      frame_refs(entry.frame));
	if (entry.writable && kind == FRAME_CACHE && !is_dirty(entry.frame))
		panic("check: %#lx is writable but its cached frame is clean", address);
	if (entry.writable && kind == FRAME_CACHE && !(zone->flags & ZONE_SHARED))
		panic("check: %#lx writes to a cached frame of a private zone", address);
	if (entry.executable && !(zone->prot & PROT_EXEC))
		panic("check: %#lx is executable, its zone is not", address);
	if (kind != FRAME_ZERO && frame_refs(entry.frame) == 0)
		panic("check: %#lx maps a free frame", address);
	/* The entry's and, as long as it is in the cache, the cache's. */
	if (kind == FRAME_CACHE && entry.frame->object && frame_refs(entry.frame) < 2)
		panic("check: %#lx maps a cached frame with %u references", address,
		      frame_refs(entry.frame));
}

static void check_entry(struct page_table_visitor *visitor, uintptr_t address, struct page_entry entry)
{
	struct space_check *check = container_of(visitor, struct space_check, visitor);
	struct mem_zone *zone = mem_zone_find(&check->space->zones, address);

	if (!zone)
		panic("check: %#lx is mapped outside all zones", address);
	if (zone->object)
		check->object_below |= 1u << 1;
	switch (entry.kind) {
	case ENTRY_PRESENT:
		check_present(check, address, entry, zone);
		break;
	case ENTRY_HELD:
		if (zone->prot != PROT_NONE || frame_kind(entry.frame) != FRAME_ANON)
			panic("check: %#lx is held wrongly", address);
		check->anon++;
		break;
	case ENTRY_DEVICE:
		if (!zone->object || !zone->ops->map_device)
			panic("check: %#lx is a device page in a zone without one", address);
		if (entry.writable && !((zone->prot & PROT_WRITE) && (zone->flags & ZONE_SHARED)))
			panic("check: %#lx writes to a device its zone does not", address);
		break;
	case ENTRY_EMPTY:
		break;
	}
}

static void check_table(struct page_table_visitor *visitor, uintptr_t address, struct frame *table, unsigned level, unsigned used)
{
	struct space_check *check = container_of(visitor, struct space_check, visitor);

	check->tables++;
	if (frame_kind(table) != FRAME_TABLE || frame_refs(table) != 1)
		panic("check: table of level %u at %#lx has kind %d, %u references", level, address,
		      frame_kind(table), frame_refs(table));
	/* Below comes first: what a child is marked with, its parents are. */
	if ((check->object_below & 1u << level) && !(frame_state(table) & FRAME_HAS_OBJECT))
		panic("check: table of level %u at %#lx holds an object's entries unmarked", level, address);
	if (frame_state(table) & FRAME_HAS_OBJECT)
		check->object_below |= 1u << (level + 1);
	check->object_below &= ~(1u << level);
	if (table->index != used)
		panic("check: table of level %u at %#lx says %lu entries, has %u", level, address,
		      table->index, used);
}

static void check_neighbours(struct mem_space *space)
{
	struct mem_zone *zone;
	uint64_t pages = 0, data = 0, locked = 0;

	list_for_each_entry(zone, &space->zones.list, next) {
		struct mem_zone *next = mem_zone_next(&space->zones, zone);
		uint64_t size = (zone->end - zone->beg) >> PAGE_SHIFT;

		pages += size;
		data += zone_is_data(zone) ? size : 0;
		locked += zone->flags & ZONE_LOCKED ? size : 0;
		if (zone->space != space)
			panic("check: zone %#lx belongs to another space", zone->beg);
		if (next && mem_zone_can_merge(zone, next))
			panic("check: equal neighbours at %#lx were not merged", zone->end);
	}
	if (pages != space->mapped_pages)
		panic("check: %lu pages mapped, %lu counted", pages, space->mapped_pages);
	if (data != space->data_pages || locked != space->locked_pages)
		panic("check: %lu pages of data, %lu counted; %lu locked, %lu counted", data,
		      space->data_pages, locked, space->locked_pages);
}

/* `counted` was read before the walk: truncate can only have made it less. */
static void check_count(const char *what, uint64_t seen, uint64_t counted, uint64_t counted_after)
{
	if (seen > counted || seen < counted_after)
		panic("check: %lu %s, counted %lu, now %lu", seen, what, counted, counted_after);
}

void mem_space_check(struct mem_space *space)
{
	struct space_check check = {
		.visitor = {.entry = check_entry, .table = check_table},
		.space = space,
	};
	uint64_t anon, file;

	rw_write_lock(&space->lock);
	mem_zones_check(&space->zones);
	check_neighbours(space);
	anon = atomic_load(&space->anon_pages);
	file = atomic_load(&space->file_pages);
	page_table_visit(space, &check.visitor);
	check_count("anonymous pages", check.anon, anon, atomic_load(&space->anon_pages));
	check_count("file pages", check.file, file, atomic_load(&space->file_pages));
	if (check.tables != atomic_load(&space->table_pages))
		panic("check: %lu tables, counted %lu", check.tables, atomic_load(&space->table_pages));
	rw_write_unlock(&space->lock);
}

#ifdef STOS_CHECK
static bool check_every; /* [I] after mem_check_init */

void mem_check_init(void)
{
	char value[16];

	check_every = cmdline_get("check", value, sizeof(value)) && strcmp(value, "every") == 0;
}

/* Each change of a space with few zones, of one with many as often as keeps the time bearable. */
void mem_check_after_change(struct mem_space *space)
{
	static _Atomic uint64_t changes;

	if (!check_every && atomic_fetch_add(&changes, 1) % (1 + space->zones.count / 128) == 0)
		mem_space_check(space);
}

void mem_check_after_call(void)
{
	struct mem_space *space = current_task()->space;

	if (check_every && space)
		mem_space_check(space);
}
#endif
