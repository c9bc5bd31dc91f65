/*
 * mm/mem_protect.c - mprotect: ranges of zones keep their place but change their rights.
 *
 * The zones of the range are walked; at a hole or a refusal the call ends with an error, and
 * what came before stays changed. Private memory that is locked and becomes writable is filled with
 * pages of its own at once: its stores shall find them.
 *
 * Locks: the space for writing; not while filling.
 * Tests: tests/guest/mprotect.c, mlock.c.
 */
#include <kernel/base/errno.h>
#include <linux/mman.h>
#include <mm/mm_private.h>

int mem_check_range(uintptr_t addr, size_t length)
{
	if (addr % PAGE_SIZE)
		return -EINVAL;
	return addr + PAGE_ALIGN_UP(length) < addr ? -ENOMEM : 0;
}

struct protection {
	struct mem_space *space;
	uint32_t prot;
	uintptr_t fill_beg, fill_end; /* locked memory in between is to be filled; empty: none */
	struct list_node ended;
};

/* As mlock(2): locked private pages are there before they are stored to. */
static void note_fill(struct protection *change, const struct mem_zone *zone)
{
	if ((zone->flags & (ZONE_LOCKED | ZONE_SHARED)) != ZONE_LOCKED || zone->prot & PROT_WRITE)
		return;
	if (!(change->prot & PROT_WRITE))
		return;
	if (change->fill_beg == change->fill_end)
		change->fill_beg = zone->beg;
	change->fill_end = zone->end;
}

/* One zone, of which [beg, end) changes. */
static int protect_zone(struct protection *change, struct mem_zone **zone, uintptr_t beg,
			uintptr_t end)
{
	struct mem_space *space = change->space;
	int64_t pages;
	int error;

	if (change->prot & ~(*zone)->max_prot)
		return -EACCES;
	if ((*zone)->prot == change->prot)
		return 0;
	error = zone_isolate(space, zone, beg, end);
	if (error)
		return error;
	note_fill(change, *zone);
	pages = (int64_t)(((*zone)->end - (*zone)->beg) >> PAGE_SHIFT);
	zone_count(space, *zone, -pages);
	(*zone)->prot = change->prot;
	zone_count(space, *zone, pages);
	page_table_protect_range(space, (*zone)->beg, (*zone)->end, change->prot);
	*zone = zone_merge(space, *zone, &change->ended);
	return 0;
}

/* What becomes data must be within the limits (getrlimit(2), RLIMIT_DATA). */
static bool protect_over_limit(const struct mem_space *space, const struct mem_zone *zone,
			       uintptr_t beg, uintptr_t end, uint32_t prot)
{
	return !zone_is_data(zone) && zone_is_data_with(zone, prot) &&
	       data_over_limit(space, (MIN(zone->end, end) - beg) >> PAGE_SHIFT);
}

static int protect_zones(struct protection *change, uintptr_t beg, uintptr_t end)
{
	int error = 0;

	for (uintptr_t at = beg; at < end && !error;) {
		struct mem_zone *zone = mem_zone_find(&change->space->zones, at);

		if (!zone)
			return -ENOMEM;
		if (protect_over_limit(change->space, zone, at, end, change->prot))
			return -ENOMEM;
		error = protect_zone(change, &zone, at, end);
		at = zone->end;
	}
	return error;
}

/* PROT_GROWSDOWN (mprotect(2)): from the beginning of the stack that is met first. */
static int protect_from(const struct mem_space *space, uintptr_t *beg, uintptr_t end, int grows)
{
	const struct mem_zone *zone;

	if (!grows)
		return 0;
	zone = mem_zone_find_from(&space->zones, *beg);
	if (!zone || zone->beg >= end || (!(grows & PROT_GROWSDOWN) && zone->beg > *beg))
		return -ENOMEM;
	if (!(grows & PROT_GROWSDOWN) || !(zone->flags & ZONE_STACK))
		return -EINVAL; /* nothing here grows upwards */
	*beg = zone->beg;
	return 0;
}

int mem_protect(struct mem_space *space, uintptr_t addr, size_t length, int prot)
{
	int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	struct protection change = {.space = space,
				    .prot = (uint32_t)(prot & PROT_ALL),
				    .ended = LIST_INIT(change.ended)};
	int error = mem_check_range(addr, length);
	uintptr_t end = addr + PAGE_ALIGN_UP(length);

	if (error || length == 0)
		return error;
	if (end == addr)
		return -ENOMEM; /* a length that cannot be rounded up */
	if (prot & ~(PROT_ALL | PROT_SEM | grows))
		return -EINVAL;
	rw_write_lock(&space->lock);
	error = protect_from(space, &addr, end, grows);
	if (!error)
		error = protect_zones(&change, addr, end);
	rw_write_unlock(&space->lock);
	zones_end(&change.ended);
	if (change.fill_beg < change.fill_end)
		(void)mem_fill_locked(space, change.fill_beg, change.fill_end - change.fill_beg);
	return error;
}
