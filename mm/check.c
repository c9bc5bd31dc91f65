/*
 * mm/check.c - walks a whole space and checks what must always hold (docs/architecture.md).
 *
 * In the checking build only; mm/check.h says when. Panics at the first violation, with the
 * address.
 *
 * The space is locked, which keeps everybody out but truncate and write-back, on other
 * processors: those come by the objects of the zones. What they do to a leaf they do under its
 * lock, so the look at one leaf is exact; the counters of the whole may sink during the walk.
 *
 * Not here: how often a frame is referred to by all spaces together (check_frames.c), zones by
 * themselves (mem_zones_check), the kernel's half (kernel_map_check).
 * Tests: tests/guest/mem_check.c breaks each rule.
 */
#include <kernel/base/panic.h>
#include <kernel/cmdline.h>
#include <kernel/cpu.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <mm/check.h>
#include <mm/kernel_map.h>
#include <mm/mm_private.h>
#include <stdarg.h>
#include <string.h>
#include <vsnprintf.h>

struct space_check {
	struct page_table_visitor visitor;
	struct mem_space *space;
	uint64_t anon, file, shmem, tables;
	uint32_t object_below; /* bit n: the table of level n maps a zone with an object */
};

/* Write-back makes a page clean before its entries read-only. */
static bool is_dirty(const struct frame *frame)
{
	return frame_state(frame) & (FRAME_DIRTY | FRAME_WRITEBACK);
}

/*
 * The page of the zone's object that belongs at the address; one that truncate cut off is on its
 * way out.
 */
static void check_cached(struct space_check *check, uintptr_t address, const struct frame *frame,
			 const struct mem_zone *zone)
{
	uint32_t refs = frame_refs(frame); /* first: truncate forgets the object before the count */
	const struct mem_object *object = __atomic_load_n(&frame->object, __ATOMIC_RELAXED);

	check->file++;
	check->shmem += (frame_state(frame) & FRAME_SHMEM) != 0;
	if (object && (object != zone->object ||
		       frame->index != (zone->offset + (address - zone->beg)) >> PAGE_SHIFT))
		mem_check_failed("%#lx maps page %lu of another object or place", address,
				 frame->index);
	/* The entry's and, as long as it is in the cache, the cache's. */
	if (object && refs < 2)
		mem_check_failed("%#lx maps a cached frame with %u references", address, refs);
}

static void check_rights(uintptr_t address, struct page_entry entry, const struct mem_zone *zone)
{
	if (zone->prot == PROT_NONE)
		mem_check_failed("%#lx is present, its zone allows nothing", address);
	if (entry.writable && !(zone->prot & PROT_WRITE))
		mem_check_failed("%#lx is writable, its zone is not", address);
	if (entry.executable && !(zone->prot & PROT_EXEC))
		mem_check_failed("%#lx is executable, its zone is not", address);
}

static void check_present(struct space_check *check, uintptr_t address, struct page_entry entry,
			  const struct mem_zone *zone)
{
	enum frame_kind kind = frame_kind(entry.frame);

	if (kind == FRAME_ANON)
		check->anon++;
	else if (kind == FRAME_CACHE)
		check_cached(check, address, entry.frame, zone);
	else if (kind != FRAME_ZERO)
		mem_check_failed("%#lx maps a frame of kind %d", address, kind);
	check_rights(address, entry, zone);
	if (entry.writable && kind == FRAME_ZERO)
		mem_check_failed("%#lx is writable and maps the zero frame", address);
	if (entry.writable && kind == FRAME_ANON && frame_refs(entry.frame) != 1)
		mem_check_failed("%#lx is writable but its frame has %u references", address,
		      frame_refs(entry.frame));
	if (entry.writable && kind == FRAME_CACHE && !is_dirty(entry.frame))
		mem_check_failed("%#lx is writable but its cached frame is clean", address);
	if (entry.writable && kind == FRAME_CACHE && !(zone->flags & ZONE_SHARED))
		mem_check_failed("%#lx writes to a cached frame of a private zone", address);
}

static void check_entry(struct page_table_visitor *visitor, uintptr_t address,
			struct page_entry entry)
{
	struct space_check *check = container_of(visitor, struct space_check, visitor);
	struct mem_zone *zone = mem_zone_find(&check->space->zones, address);

	if (!zone) {
		mem_check_failed("%#lx is mapped outside all zones", address);
		return;
	}
	if (zone->object)
		check->object_below |= 1u << 1;
	switch (entry.kind) {
	case ENTRY_PRESENT:
		check_present(check, address, entry, zone);
		break;
	case ENTRY_HELD:
		if (zone->prot != PROT_NONE || frame_kind(entry.frame) != FRAME_ANON)
			mem_check_failed("%#lx is held wrongly", address);
		check->anon++;
		break;
	case ENTRY_DEVICE:
		if (!zone->object || !zone->ops->map_device)
			mem_check_failed("%#lx is a device page in a zone without one", address);
		if (entry.writable && !((zone->prot & PROT_WRITE) && (zone->flags & ZONE_SHARED)))
			mem_check_failed("%#lx writes to a device its zone does not", address);
		break;
	case ENTRY_EMPTY:
		break;
	}
}

static void check_table(struct page_table_visitor *visitor, uintptr_t address, struct frame *table,
			struct table_place place)
{
	struct space_check *check = container_of(visitor, struct space_check, visitor);
	unsigned level = place.level;

	check->tables++;
	if (!place.writable)
		mem_check_failed(
			"table of level %u at %#lx is reached through an entry without rights",
			level, address);
	if (frame_kind(table) != FRAME_TABLE || frame_refs(table) != 1)
		mem_check_failed("table of level %u at %#lx has kind %d, %u references", level,
				 address, frame_kind(table), frame_refs(table));
	/* Below comes first: what a child is marked with, its parents are. */
	if ((check->object_below & 1u << level) && !(frame_state(table) & FRAME_HAS_OBJECT))
		mem_check_failed("table of level %u at %#lx holds an object's entries unmarked",
				 level, address);
	if (frame_state(table) & FRAME_HAS_OBJECT)
		check->object_below |= 1u << (level + 1);
	check->object_below &= ~(1u << level);
	if (table->index != place.used)
		mem_check_failed("table of level %u at %#lx says %lu entries, has %u", level,
				 address, table->index, place.used);
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
			mem_check_failed("zone %#lx belongs to another space", zone->beg);
		if (next && mem_zone_can_merge(zone, next))
			mem_check_failed("equal neighbours at %#lx were not merged", zone->end);
	}
	if (pages != space->mapped_pages)
		mem_check_failed("%lu pages mapped, %lu counted", pages, space->mapped_pages);
	if (data != space->data_pages || locked != space->locked_pages)
		mem_check_failed("%lu pages of data, %lu counted; %lu locked, %lu counted", data,
		      space->data_pages, locked, space->locked_pages);
}

/* `counted` was read before the walk: truncate can only have made it less. */
static void check_count(const char *what, uint64_t seen, uint64_t counted, uint64_t counted_after)
{
	if (seen > counted || seen < counted_after)
		mem_check_failed("%lu %s, counted %lu, now %lu", seen, what, counted,
				 counted_after);
}

void mem_space_check(struct mem_space *space)
{
	struct space_check check = {
		.visitor = {.entry = check_entry, .table = check_table},
		.space = space,
	};
	uint64_t anon, file, shmem;

	rw_write_lock(&space->lock);
	mem_zones_check(&space->zones);
	check_neighbours(space);
	anon = atomic_load(&space->anon_pages);
	file = atomic_load(&space->file_pages);
	shmem = atomic_load(&space->shmem_pages);
	page_table_visit(space, &check.visitor);
	check_count("anonymous pages", check.anon, anon, atomic_load(&space->anon_pages));
	check_count("file pages", check.file, file, atomic_load(&space->file_pages));
	check_count("pages of shared memory", check.shmem, shmem, atomic_load(&space->shmem_pages));
	if (!kernel_map_is_in(phys_to_virt(space->root)))
		mem_check_failed("a root table has lost the kernel's half");
	if (check.tables != atomic_load(&space->table_pages))
		mem_check_failed("%lu tables, counted %lu", check.tables,
				 atomic_load(&space->table_pages));
	rw_write_unlock(&space->lock);
}

/* Without these the rights in the tables mean nothing. Preemption is off. */
void mem_check_registers(void)
{
	struct mem_space *loaded = this_cpu()->loaded_space;

	if (!cpu_is_protected())
		mem_check_failed("processor %u ignores protection", this_cpu()->id);
	if (cr3_read() != (loaded ? loaded->root : kernel_root))
		mem_check_failed("processor %u has root %#lx loaded", this_cpu()->id, cr3_read());
}

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

/* What the calling task sees: its space, the kernel's half, the rights' meaning. */
static void check_here(void)
{
	mem_space_check(current_task()->space);
	kernel_map_check();
	preempt_disable();
	mem_check_registers();
	preempt_enable();
}

void mem_check_everything(void)
{
	check_here();
	mem_check_frames();
}

/*
 * Stopping everybody is dear, and need not be done each time: what a call takes is counted, and
 * here it must have given it back.
 */
#define CALLS_PER_LOOK 64

void mem_check_after_call(void)
{
	static _Atomic uint64_t calls;

	mem_check_none_held();
	if (!check_every || !current_task()->space)
		return;
	check_here();
	if (atomic_fetch_add(&calls, 1) % CALLS_PER_LOOK == 0)
		mem_check_frames();
}

/* ---- what does not hold ---- */

static _Atomic bool expected;
static char failure[128];

void mem_check_failed(const char *format, ...)
{
	char text[sizeof(failure)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!atomic_load(&expected))
		panic("check: %s", text);
	if (!failure[0])
		memcpy(failure, text, sizeof(failure));
}

void mem_check_expect(bool on)
{
	if (on)
		failure[0] = '\0';
	atomic_store(&expected, on);
}

const char *mem_check_failure(void)
{
	return failure;
}
