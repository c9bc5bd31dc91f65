/*
 * mm/mem_remap.c - mremap: a mapping shrinks, grows in place, or moves with its pages.
 *
 * Locks: the space for writing; object->zones_lock while pages move, so that truncate and
 * write-back, which look at zones under it alone, find them at one place or the other.
 */
#include <kernel/base/errno.h>
#include <linux/mman.h>
#include <mm/mm_private.h>

struct remap {
	struct mem_space *space;
	uintptr_t old_addr, new_addr;
	size_t old_length, new_length;
	int flags;
	struct zone_spares spares;
	struct list_node ended;
	struct mem_zone *target; /* allocated before the first change */
};

static int remap_check(const struct remap *r)
{
	if (r->old_addr % PAGE_SIZE || r->new_length == 0)
		return -EINVAL;
	if (r->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED))
		return -EINVAL;
	if ((r->flags & MREMAP_FIXED) && !(r->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (r->old_addr > USER_SPACE_END || r->old_length > USER_SPACE_END - r->old_addr)
		return -EFAULT;
	if (r->new_length > USER_SPACE_END)
		return -ENOMEM;
	if (!(r->flags & MREMAP_FIXED))
		return 0;
	if (r->new_addr % PAGE_SIZE || r->new_addr > USER_SPACE_END - r->new_length)
		return -EINVAL;
	if (r->new_addr < r->old_addr + r->old_length && r->old_addr < r->new_addr + r->new_length)
		return -EINVAL;
	return 0;
}

/* In place: the zone ends where the old range ends and what follows is free. */
static bool grow_in_place(struct remap *r, struct mem_zone *zone)
{
	uintptr_t end = r->old_addr + r->new_length;
	struct mem_zone *next = mem_zone_next(&r->space->zones, zone);

	if (zone->end != r->old_addr + r->old_length || end > USER_SPACE_END || (next && next->beg < end))
		return false;
	zone_object_lock(zone);
	r->space->mapped_pages += (end - zone->end) >> PAGE_SHIFT;
	r->space->peak_pages = MAX(r->space->peak_pages, r->space->mapped_pages);
	mem_zone_resize(&r->space->zones, zone, zone->beg, end);
	zone_object_unlock(zone);
	zone_merge(r->space, zone, &r->ended); /* what follows now may be its equal */
	return true;
}

static int move_pages(struct remap *r, struct mem_zone *target)
{
	int error;

	zone_object_lock(target);
	error = page_table_move_range(r->space, r->old_addr, target->beg, MIN(r->old_length, r->new_length),
				      target->object);
	if (error) /* what has moved goes back; its old tables are still there */
		(void)!page_table_move_range(r->space, target->beg, r->old_addr,
					     MIN(r->old_length, r->new_length), target->object);
	zone_object_unlock(target);
	return error;
}

static int move(struct remap *r, struct mem_zone *zone, uintptr_t *result)
{
	struct mem_zone *target = r->target;
	uintptr_t to = r->new_addr;
	int error;

	if (!(r->flags & MREMAP_FIXED))
		to = find_free_mem_range(&r->space->zones, r->new_length, USER_SPACE_BEGIN, r->space->mmap_top);
	/* One more, and what cutting out the old place leaves of its zone. */
	if (to == 0 || r->space->zones.count + 2 > ZONES_MAX)
		return -ENOMEM;
	target->beg = to;
	target->end = to + r->new_length;
	target->prot = zone->prot;
	target->max_prot = zone->max_prot;
	target->flags = zone->flags & ~ZONE_HEAP;
	target->file = zone->file;
	target->object = zone->object;
	target->ops = zone->ops;
	target->offset = zone->object ? zone->offset + (r->old_addr - zone->beg) : 0;
	target->space = r->space;
	mem_zone_insert(&r->space->zones, target);
	zone_attach(target);
	r->target = NULL;
	r->space->mapped_pages += r->new_length >> PAGE_SHIFT;
	r->space->peak_pages = MAX(r->space->peak_pages, r->space->mapped_pages);
	error = move_pages(r, target);
	if (error) {
		zones_cut(r->space, target->beg, target->end, &r->spares, &r->ended);
		return error;
	}
	zones_cut(r->space, r->old_addr, r->old_addr + r->old_length, &r->spares, &r->ended);
	zone_merge(r->space, target, &r->ended);
	*result = to;
	return 0;
}

static int remap_locked(struct remap *r, uintptr_t *result)
{
	struct mem_zone *zone = mem_zone_find(&r->space->zones, r->old_addr);

	if (!zone || r->old_length > zone->end - r->old_addr)
		return -EFAULT;
	if (r->new_length > r->old_length && zone_is_device(zone))
		return -EFAULT;
	if (r->new_length > r->old_length && over_address_limit(r->space, r->new_length - r->old_length))
		return -ENOMEM;
	*result = r->old_addr;
	if (r->flags & MREMAP_FIXED)
		return move(r, zone, result);
	if (r->new_length <= r->old_length) {
		if (zones_cut_refused(r->space, r->old_addr + r->new_length, r->old_addr + r->old_length))
			return -ENOMEM;
		if (r->new_length < r->old_length)
			zones_cut(r->space, r->old_addr + r->new_length, r->old_addr + r->old_length,
				  &r->spares, &r->ended);
		return 0;
	}
	if (grow_in_place(r, zone))
		return 0;
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	return move(r, zone, result);
}

int mem_remap(struct mem_space *space, uintptr_t old_addr, size_t old_length, size_t new_length, int flags,
	      uintptr_t new_addr, uintptr_t *result)
{
	struct remap r = {
		.space = space,
		.old_addr = old_addr,
		.new_addr = new_addr,
		.old_length = PAGE_ALIGN_UP(old_length),
		.new_length = PAGE_ALIGN_UP(new_length),
		.flags = flags,
		.ended = LIST_INIT(r.ended),
	};
	struct zone_spares more;
	int error = remap_check(&r);

	if (error)
		return error;
	if (r.old_length == 0)
		return -EINVAL;
	r.target = zone_allocate();
	if (!r.target)
		return -ENOMEM;
	error = zone_spares_fill(&r.spares);
	if (error)
		goto free_target;
	/* A fixed move first cuts out its target, then its source: two more. */
	error = zone_spares_fill(&more);
	if (error)
		goto drop_spares;
	rw_write_lock(&space->lock);
	if (r.flags & MREMAP_FIXED) {
		struct mem_zone *zone = mem_zone_find(&space->zones, old_addr);

		if (!zone || r.old_length > zone->end - old_addr) {
			error = -EFAULT;
		} else if (zones_cut_refused(space, new_addr, new_addr + r.new_length)) {
			error = -ENOMEM;
		} else {
			zones_cut(space, new_addr, new_addr + r.new_length, &more, &r.ended);
			error = remap_locked(&r, result);
		}
	} else {
		error = remap_locked(&r, result);
	}
	rw_write_unlock(&space->lock);
	zones_end(&r.ended);
	zone_spares_drop(&more);
drop_spares:
	zone_spares_drop(&r.spares);
free_target:
	zone_free_blank(r.target);
	return error;
}
