/*
 * mm/mem_lock.c - mlock and its kin: which zones count as locked, and filling them.
 *
 * Nothing is ever paged out here, so a locked page differs from another only in that it was made
 * present when it was locked, that it counts against RLIMIT_MEMLOCK, and that madvise may not take
 * it away. Locks lie on zones (ZONE_LOCKED), not on pages, and do not nest: mlock(2).
 *
 * Called by sys_mem.c; mem_fill also by mem_map.c and mem_remap.c, mem_fill_locked by
 * mem_protect.c.
 * Locks: the space for writing while zones change; filling takes it page by page.
 * Tests: tests/guest/mlock.c.
 */
#include <kernel/base/errno.h>
#include <linux/mman.h>
#include <mm/mm_private.h>

/* A range to make present: what next_part finds of it, up to `end`. */
struct fill {
	struct mem_space *space;
	uintptr_t at, end;
	uint32_t only; /* zones with these flags */
	uintptr_t stop; /* the part is [at, stop) */
	bool for_write, hole;
};

static bool to_be_filled(const struct fill *fill, const struct mem_zone *zone)
{
	return (zone->flags & fill->only) == fill->only && !(zone->flags & ZONE_LOCK_ON_FAULT) &&
	       !zone_is_device(zone);
}

/* The next part to fill; false: there is none, or `hole`: a hole comes first. */
static bool next_part(struct fill *fill)
{
	const struct mem_zone *zone = NULL;

	rw_read_lock(&fill->space->lock);
	while (fill->at < fill->end) {
		zone = mem_zone_find(&fill->space->zones, fill->at);
		fill->hole = !zone;
		if (!zone || to_be_filled(fill, zone))
			break;
		fill->at = zone->end;
	}
	if (fill->at < fill->end && zone) {
		fill->stop = MIN(zone->end, fill->end);
		fill->for_write = (zone->prot & PROT_WRITE) && (zone->flags & ZONE_PRIVATE);
	}
	rw_read_unlock(&fill->space->lock);
	return fill->at < fill->end && zone;
}

static int fill_zones(struct mem_space *space, uintptr_t addr, size_t length, uint32_t only)
{
	struct fill fill = {
		.space = space, .at = addr, .end = addr + PAGE_ALIGN_UP(length), .only = only};
	int error = 0;

	while (!error && next_part(&fill)) {
		error = mem_populate(space, fill.at, fill.stop - fill.at, fill.for_write);
		fill.at = fill.stop;
	}
	return error ? error : fill.hole ? -ENOMEM : 0;
}

int mem_fill(struct mem_space *space, uintptr_t addr, size_t length)
{
	return fill_zones(space, addr, length, 0);
}

int mem_fill_locked(struct mem_space *space, uintptr_t addr, size_t length)
{
	return fill_zones(space, addr, length, ZONE_LOCKED);
}

/*
 * mlock(2) names but three errors: what cannot be had is ENOMEM, what memory is lacking for EAGAIN.
 */
static int lock_error(int error)
{
	if (error == -EFAULT || error == -EINVAL)
		return -ENOMEM;
	return error == -ENOMEM ? -EAGAIN : error;
}

static int lock_zone(struct mem_space *space, struct mem_zone **zone, uintptr_t beg, uintptr_t end,
		     uint32_t lock, struct list_node *ended)
{
	int64_t pages;
	int error;

	if (zone_is_device(*zone) || ((*zone)->flags & ZONE_LOCK_FLAGS) == lock)
		return 0;
	error = zone_isolate(space, zone, beg, end);
	if (error)
		return error;
	pages = (int64_t)(((*zone)->end - (*zone)->beg) >> PAGE_SHIFT);
	zone_count(space, *zone, -pages);
	(*zone)->flags = ((*zone)->flags & ~ZONE_LOCK_FLAGS) | lock;
	zone_count(space, *zone, pages);
	*zone = zone_merge(space, *zone, ended);
	return 0;
}

/* Up to the first hole, which is -ENOMEM. */
static int lock_zones(struct mem_space *space, uintptr_t beg, uintptr_t end, uint32_t lock,
		      struct list_node *ended)
{
	int error = 0;

	for (uintptr_t at = beg; at < end && !error;) {
		struct mem_zone *zone = mem_zone_find(&space->zones, at);

		if (!zone)
			return -ENOMEM;
		error = lock_zone(space, &zone, at, end, lock, ended);
		at = zone->end;
	}
	return error;
}

/* How many pages of [beg, end) are locked already. */
static uint64_t locked_in(const struct mem_space *space, uintptr_t beg, uintptr_t end)
{
	const struct mem_zone *zone = mem_zone_find_overlap(&space->zones, beg, end);
	uint64_t bytes = 0;

	for (; zone && zone->beg < end; zone = mem_zone_next(&space->zones, zone))
		if (zone->flags & ZONE_LOCKED)
			bytes += MIN(zone->end, end) - MAX(zone->beg, beg);
	return bytes >> PAGE_SHIFT;
}

/* The whole pages that [addr, addr + length) touches. */
static int lock_range(uintptr_t *addr, size_t length, uintptr_t *end)
{
	size_t size = PAGE_ALIGN_UP(length + *addr % PAGE_SIZE);

	*addr = PAGE_ALIGN_DOWN(*addr);
	*end = *addr + size;
	return *end < *addr ? -EINVAL : 0;
}

int mem_lock(struct mem_space *space, uintptr_t addr, size_t length, uint32_t lock)
{
	struct list_node ended = LIST_INIT(ended);
	uintptr_t end;
	int range_error, error = -ENOMEM;

	if (locking_forbidden())
		return -EPERM;
	range_error = lock_range(&addr, length, &end);
	rw_write_lock(&space->lock);
	if (!over_lock_limit(space, ((end - addr) >> PAGE_SHIFT) -
					    (range_error ? 0 : locked_in(space, addr, end))))
		error = range_error ? range_error : lock_zones(space, addr, end, lock, &ended);
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	return error ? error : lock_error(mem_fill(space, addr, end - addr));
}

int mem_unlock(struct mem_space *space, uintptr_t addr, size_t length)
{
	struct list_node ended = LIST_INIT(ended);
	uintptr_t end;
	int error = lock_range(&addr, length, &end);

	if (error)
		return error;
	rw_write_lock(&space->lock);
	error = lock_zones(space, addr, end, 0, &ended);
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	return error;
}

/* Every zone there is. Where memory for the change is lacking, none: nothing is split here. */
static void lock_every_zone(struct mem_space *space, uint32_t lock, struct list_node *ended)
{
	struct mem_zone *zone = mem_zone_find_from(&space->zones, 0);

	while (zone) {
		(void)!lock_zone(space, &zone, zone->beg, zone->end, lock, ended);
		zone = mem_zone_next(&space->zones, zone);
	}
}

/* Fills what is locked, as far as it can be: mlockall(2) tells of no page that cannot. */
static void fill_every_zone(struct mem_space *space)
{
	uintptr_t at = 0;

	for (;;) {
		const struct mem_zone *zone;
		uintptr_t beg, end;

		rw_read_lock(&space->lock);
		zone = mem_zone_find_from(&space->zones, at);
		if (!zone) {
			rw_read_unlock(&space->lock);
			return;
		}
		beg = zone->beg;
		end = zone->end;
		rw_read_unlock(&space->lock);
		if (mem_fill(space, beg, end - beg) == -EINTR)
			return;
		at = end;
	}
}

int mem_lock_all(struct mem_space *space, bool current, bool future, uint32_t lock)
{
	struct list_node ended = LIST_INIT(ended);
	int error = 0;

	if (locking_forbidden())
		return -EPERM;
	rw_write_lock(&space->lock);
	if (current && over_lock_limit(space, space->mapped_pages - space->locked_pages)) {
		error = -ENOMEM;
	} else {
		space->lock_future = future ? lock : 0;
		if (current)
			lock_every_zone(space, lock, &ended);
	}
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	if (current && !error)
		fill_every_zone(space);
	return error;
}

void mem_unlock_all(struct mem_space *space)
{
	struct list_node ended = LIST_INIT(ended);

	rw_write_lock(&space->lock);
	space->lock_future = 0;
	lock_every_zone(space, 0, &ended);
	rw_write_unlock(&space->lock);
	zones_end(&ended);
}
