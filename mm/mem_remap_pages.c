/*
 * mm/mem_remap_pages.c - remap_file_pages: a part of a shared mapping shows other pages of its
 * object.
 *
 * The part becomes a zone of its own, as mmap with MAP_FIXED would make it; Linux does the same
 * since 4.0. What madvise said of it is forgotten, a lock stays.
 *
 * Called by sys_mem.c. Locks: the space for writing, but not while filling.
 * Tests: tests/guest/remap_file_pages.c.
 */
#include <kernel/base/errno.h>
#include <mm/mm_private.h>

/* From `zone` on to `end` there is one mapping, cut or not. */
static bool is_one_mapping(const struct mem_space *space, const struct mem_zone *zone,
			   uintptr_t end)
{
	while (zone->end < end) {
		const struct mem_zone *next = mem_zone_next(&space->zones, zone);

		if (!next || next->beg != zone->end || next->object != zone->object)
			return false;
		if (next->file != zone->file || next->flags != zone->flags ||
		    next->prot != zone->prot)
			return false;
		zone = next;
	}
	return true;
}

/* As mmap(2) with MAP_LOCKED: what is replaced is counted until it is gone. */
static int lock_check(const struct mem_space *space, uint64_t pages)
{
	if (locking_forbidden())
		return -EPERM;
	return over_lock_limit(space, pages) ? -EAGAIN : 0;
}

/* `made`, which has its range and offset, takes the place of what is there, and is like `zone`. */
static int zone_replace(struct mem_space *space, const struct mem_zone *zone, struct mem_zone *made,
			struct list_node *ended)
{
	uint64_t pages = (made->end - made->beg) >> PAGE_SHIFT;
	struct mem_zone *spare;
	int error = 0;

	made->flags = (zone->flags & (ZONE_SHARED | ZONE_APART | ZONE_LOCKED)) | space->lock_future;
	if (made->flags & ZONE_LOCKED)
		error = lock_check(space, pages);
	/* One more, and what cutting leaves of the old one on its other side. */
	if (!error && space->zones.count + 2 > ZONES_MAX)
		error = -ENOMEM;
	if (!error)
		error = zones_cut_prepare(space, made->beg, made->end, &spare);
	if (error)
		return error;
	made->prot = zone->prot;
	made->max_prot = zone->max_prot;
	made->file = zone->file;
	made->object = zone->object;
	made->ops = zone->ops;
	made->space = space;
	zones_cut(space, made->beg, made->end, &spare, ended);
	mem_zone_insert(&space->zones, made);
	zone_attach(made); /* what was cut still holds file and object */
	zone_count(space, made, (int64_t)pages);
	zone_merge(space, made, ended);
	return 0;
}

int mem_remap_pages(struct mem_space *space, uintptr_t addr, size_t length, uint64_t index,
		    bool fill)
{
	struct list_node ended = LIST_INIT(ended);
	struct mem_zone *made = zone_allocate();
	const struct mem_zone *zone;
	int error = -EINVAL;

	if (!made)
		return -ENOMEM;
	made->beg = addr;
	made->end = addr + length;
	made->offset = index << PAGE_SHIFT;
	rw_write_lock(&space->lock);
	zone = mem_zone_find(&space->zones, addr);
	if (zone && zone_is_writer(zone) && !zone_is_device(zone) &&
	    is_one_mapping(space, zone, made->end)) {
		fill = fill || (zone->flags & ZONE_LOCKED);
		error = zone_replace(space, zone, made, &ended);
	}
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	if (error)
		zone_free_blank(made);
	else if (fill)
		(void)mem_fill(space, addr, length); /* it is mapped, full or not */
	return error;
}
