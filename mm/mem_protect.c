/*
 * mm/mem_protect.c - mprotect: ranges of zones keep their place but change their rights.
 *
 * The zones of the range are walked; at a hole or a refusal the call ends with an error, and
 * what came before stays changed.
 *
 * Locks: the space for writing.
 */
#include <kernel/base/errno.h>
#include <linux/mman.h>
#include <mm/mm_private.h>

int mem_check_range(uintptr_t addr, size_t length)
{
	if (addr % PAGE_SIZE)
		return -EINVAL;
	if (PAGE_ALIGN_UP(length) < length)
		return -ENOMEM;
	if (addr > USER_SPACE_END || PAGE_ALIGN_UP(length) > USER_SPACE_END - addr)
		return -ENOMEM;
	return 0;
}

/* The pieces that [beg, end) of the zone would leave are too many. */
static bool split_refused(const struct mem_space *space, const struct mem_zone *zone, uintptr_t beg,
			  uintptr_t end)
{
	return space->zones.count + (zone->beg < beg) + (zone->end > end) > ZONES_MAX;
}

/* One zone, of which [beg, end) is all that is left after cutting. */
static struct mem_zone *protect_zone(struct mem_space *space, struct mem_zone *zone, uintptr_t beg,
				     uintptr_t end, uint32_t prot, struct zone_spares *spares,
				     struct list_node *ended)
{
	if (zone->prot == prot)
		return zone;
	if (zone->beg < beg) {
		zone_split(space, zone, beg, spares);
		zone = mem_zone_next(&space->zones, zone);
	}
	if (zone->end > end)
		zone_split(space, zone, end, spares);
	zone->prot = prot;
	page_table_protect_range(space, zone->beg, zone->end, prot);
	return zone_merge(space, zone, ended);
}

static int protect_locked(struct mem_space *space, uintptr_t beg, uintptr_t end, uint32_t prot,
			  struct zone_spares *spares, struct list_node *ended)
{
	uintptr_t at = beg;

	while (at < end) {
		struct mem_zone *zone = mem_zone_find(&space->zones, at);

		if (!zone)
			return -ENOMEM;
		if (prot & ~zone->max_prot)
			return -EACCES;
		if (zone->prot != prot && split_refused(space, zone, at, end))
			return -ENOMEM;
		zone = protect_zone(space, zone, at, end, prot, spares, ended);
		at = zone->end;
	}
	return 0;
}

int mem_protect(struct mem_space *space, uintptr_t addr, size_t length, int prot)
{
	struct list_node ended = LIST_INIT(ended);
	struct zone_spares spares;
	int error = mem_check_range(addr, length);

	if (error || length == 0)
		return error;
	error = zone_spares_fill(&spares);
	if (error)
		return error;
	rw_write_lock(&space->lock);
	error = protect_locked(space, addr, addr + PAGE_ALIGN_UP(length), (uint32_t)prot, &spares, &ended);
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	zone_spares_drop(&spares);
	return error;
}
