/*
 * mm/mem_advise.c - msync and madvise: what is asked of the pages of a range of zones.
 *
 * Both walk the zones of the range and go on behind a hole, which makes the result ENOMEM.
 *
 * Locks: the space for reading; not held while msync's objects write.
 */
#include <kernel/base/errno.h>
#include <linux/mman.h>
#include <mm/mm_private.h>

/* ---- msync ---- */

/*
 * The next shared object in [*at, end) with its pages, referenced: the sync itself sleeps without
 * the space's lock. Sets *hole when unmapped pages were passed. NULL at the end.
 */
static struct mem_object *next_shared(struct mem_space *space, uintptr_t *at, uintptr_t end, bool *hole,
				      uint64_t *first, uint64_t *last)
{
	struct mem_object *object = NULL;

	rw_read_lock(&space->lock);
	while (*at < end && !object) {
		struct mem_zone *zone = mem_zone_find_from(&space->zones, *at);
		uintptr_t stop;

		if (!zone || zone->beg >= end) {
			*hole = true;
			*at = end;
			break;
		}
		if (zone->beg > *at) {
			*hole = true;
			*at = zone->beg;
		}
		stop = MIN(zone->end, end);
		if ((zone->flags & ZONE_SHARED) && zone->object) {
			object = zone->object;
			mem_object_get(object);
			*first = (zone->offset + (*at - zone->beg)) >> PAGE_SHIFT;
			*last = (zone->offset + (stop - 1 - zone->beg)) >> PAGE_SHIFT;
		}
		*at = stop;
	}
	rw_read_unlock(&space->lock);
	return object;
}

int mem_sync(struct mem_space *space, uintptr_t addr, size_t length, int flags)
{
	int error = mem_check_range(addr, length), result = 0;
	uintptr_t end = addr + PAGE_ALIGN_UP(length);
	struct mem_object *object;
	uint64_t first, last;
	bool hole = false;

	if (error)
		return error;
	while ((object = next_shared(space, &addr, end, &hole, &first, &last))) {
		error = 0;
		if ((flags & MS_SYNC) && object->ops->sync)
			error = object->ops->sync(object, first, last, flags);
		if (error && !result)
			result = error;
		mem_object_put(object);
	}
	return result ? result : hole ? -ENOMEM : 0;
}

/* ---- madvise ---- */

enum advice_kind { ADVICE_UNKNOWN, ADVICE_HINT, ADVICE_DROP, ADVICE_POPULATE_READ, ADVICE_POPULATE_WRITE };

static enum advice_kind advice_kind(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return ADVICE_HINT;
	case MADV_DONTNEED:
	case MADV_FREE: /* may free at any time: at once is a time */
		return ADVICE_DROP;
	case MADV_POPULATE_READ:
		return ADVICE_POPULATE_READ;
	case MADV_POPULATE_WRITE:
		return ADVICE_POPULATE_WRITE;
	default:
		return ADVICE_UNKNOWN;
	}
}

/* A device's pages are always there; MADV_FREE is for private anonymous memory. */
static bool advice_refused(const struct mem_zone *zone, int advice, enum advice_kind kind)
{
	if (advice == MADV_FREE && zone->object)
		return true;
	return zone_is_device(zone) && (kind == ADVICE_DROP || advice == MADV_DODUMP ||
					advice == MADV_COLD || advice == MADV_PAGEOUT);
}

static int advise_zones(struct mem_space *space, uintptr_t beg, uintptr_t end, int advice, enum advice_kind kind)
{
	struct mem_zone *zone = mem_zone_find_overlap(&space->zones, beg, end);
	uintptr_t at = beg;
	int error = 0;

	for (; zone && zone->beg < end; zone = mem_zone_next(&space->zones, zone)) {
		if (zone->beg > at)
			error = -ENOMEM;
		if (advice_refused(zone, advice, kind))
			return -EINVAL;
		if (kind == ADVICE_DROP)
			page_table_clear_range(space, MAX(zone->beg, beg), MIN(zone->end, end),
					       CLEAR_BESIDE_FAULTS);
		at = zone->end;
	}
	return at < end ? -ENOMEM : error;
}

/* MADV_POPULATE_*: not where pages are a device's, which is found before anything is populated. */
static int advise_populate(struct mem_space *space, uintptr_t addr, size_t length, bool for_write)
{
	uintptr_t end = addr + PAGE_ALIGN_UP(length);
	struct mem_zone *zone;
	bool device = false;

	rw_read_lock(&space->lock);
	zone = mem_zone_find_overlap(&space->zones, addr, end);
	for (; zone && zone->beg < end && !device; zone = mem_zone_next(&space->zones, zone))
		device = zone_is_device(zone);
	rw_read_unlock(&space->lock);
	return device ? -EINVAL : mem_populate(space, addr, length, for_write);
}

int mem_advise(struct mem_space *space, uintptr_t addr, size_t length, int advice)
{
	enum advice_kind kind = advice_kind(advice);
	size_t size = PAGE_ALIGN_UP(length);
	int error;

	/* A range may leave user space (there is nothing: ENOMEM), but not wrap around. */
	if (kind == ADVICE_UNKNOWN || addr % PAGE_SIZE || size < length || addr + size < addr)
		return -EINVAL;
	if (length == 0)
		return 0;
	if (kind == ADVICE_POPULATE_READ || kind == ADVICE_POPULATE_WRITE)
		return advise_populate(space, addr, length, kind == ADVICE_POPULATE_WRITE);
	rw_read_lock(&space->lock);
	error = advise_zones(space, addr, addr + size, advice, kind);
	rw_read_unlock(&space->lock);
	return error;
}
