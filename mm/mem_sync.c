/*
 * mm/mem_sync.c - msync: what was stored through shared mappings goes where the file lasts.
 *
 * The zones of the range are walked; behind a hole the walk goes on and the result is ENOMEM, at an
 * error it ends. Only MS_SYNC writes: MS_ASYNC has nothing to start, for dirty pages are known as
 * dirty already, and MS_INVALIDATE has nothing to throw away, for all mappings show the same page.
 *
 * Locks: the space for reading while a zone is looked up, not while its object writes.
 * Not here: which pages are written and in which requests (write_back.c).
 * Tests: tests/guest/msync.c, test_object.c.
 */
#include <kernel/base/errno.h>
#include <linux/mman.h>
#include <mm/mm_private.h>

/* Pages of an object that are to be written. */
struct sync_range {
	struct mem_object *object; /* a reference */
	uint64_t first, last;
};

/* What the zone at *at and below `end` has to write; *at moves to its end. False: nothing. */
static bool zone_sync_range(struct mem_zone *zone, uintptr_t *at, uintptr_t end,
			    struct sync_range *range)
{
	uintptr_t beg = *at;

	*at = MIN(zone->end, end);
	if (!(zone->flags & ZONE_SHARED) || !zone->object || !zone->object->ops->sync)
		return false;
	range->object = zone->object;
	range->first = (zone->offset + (beg - zone->beg)) >> PAGE_SHIFT;
	range->last = (zone->offset + (*at - 1 - zone->beg)) >> PAGE_SHIFT;
	mem_object_get(range->object);
	return true;
}

/*
 * The next zone in [*at, end) that has something to write. *hole becomes -ENOMEM when unmapped
 * pages were passed. 1: there is one; 0: the end; -errno.
 */
static int next_range(struct mem_space *space, uintptr_t *at, uintptr_t end, int flags,
		      struct sync_range *range, int *hole)
{
	while (*at < end) {
		struct mem_zone *zone = mem_zone_find_overlap(&space->zones, *at, end);

		if (!zone || zone->beg > *at)
			*hole = -ENOMEM;
		if (!zone)
			return 0;
		if ((flags & MS_INVALIDATE) && (zone->flags & ZONE_LOCKED))
			return -EBUSY;
		*at = MAX(*at, zone->beg);
		if (zone_sync_range(zone, at, end, range))
			return 1;
	}
	return 0;
}

int mem_sync(struct mem_space *space, uintptr_t addr, size_t length, int flags)
{
	int error = mem_check_range(addr, length), hole = 0, found;
	uintptr_t end = addr + PAGE_ALIGN_UP(length);
	struct sync_range range;

	while (!error) {
		rw_read_lock(&space->lock);
		found = next_range(space, &addr, end, flags, &range, &hole);
		rw_read_unlock(&space->lock);
		if (found <= 0)
			return found ? found : hole;
		if (flags & MS_SYNC)
			error = range.object->ops->sync(range.object, range.first, range.last,
							flags);
		mem_object_put(range.object);
	}
	return error;
}
