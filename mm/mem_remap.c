/*
 * mm/mem_remap.c - mremap: a mapping shrinks, grows in place, or moves with its pages.
 *
 *   asked for                              done
 *   no more than before                    the tail is unmapped, whatever lies there
 *   more, and what follows is free         the zone grows in place
 *   more, MREMAP_MAYMOVE                   moved where there is room, and grown
 *   old length 0 of a shared mapping       a second mapping of the same pages
 *   MREMAP_FIXED                           moved there; what was there is unmapped
 *   MREMAP_FIXED, as long as before        the same, zone by zone, with the holes between them
 *   MREMAP_DONTUNMAP                       moved; the old place stays mapped, without pages
 *
 * Everything that can fail comes before the first change, but for moving the pages, which is
 * undone. Growing takes one zone, and so does moving to another length: a range of several is
 * -EFAULT. Of several that move, those before the first that cannot have moved, as in Linux since
 * 6.17.
 *
 * Locks: the space for writing; object->zones_lock while pages move, so that truncate and
 * write-back, which look at zones under it alone, find them at one place or the other.
 * Tests: tests/guest/mremap.c.
 */
#include <kernel/base/errno.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <mm/mm_private.h>

#define REMAP_FLAGS (MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)

struct remap {
	struct mem_space *space;
	uintptr_t old_addr, new_addr;
	size_t old_length, new_length;
	int flags;
	bool fill; /* the zone is locked: what was added is to be filled */
	struct list_node ended;
};

static uint64_t added_pages(const struct remap *r)
{
	return r->new_length > r->old_length ? (r->new_length - r->old_length) >> PAGE_SHIFT : 0;
}

static bool names_a_place(const struct remap *r)
{
	return r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
}

static int remap_check(const struct remap *r)
{
	if ((r->flags & ~REMAP_FLAGS) || r->old_addr % PAGE_SIZE || r->new_length == 0)
		return -EINVAL;
	if (r->new_length > USER_SPACE_END)
		return -EINVAL;
	if (!names_a_place(r))
		return 0;
	if (!(r->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) && r->old_length != r->new_length)
		return -EINVAL;
	if (r->new_addr % PAGE_SIZE || r->new_addr > USER_SPACE_END - r->new_length)
		return -EINVAL;
	if (r->new_addr < r->old_addr + r->old_length && r->old_addr < r->new_addr + r->new_length)
		return -EINVAL;
	return 0;
}

/* All that changes is where the range is. */
static bool only_moves(const struct remap *r)
{
	return (r->flags & MREMAP_FIXED) && r->old_length == r->new_length;
}

/* What is to be unmapped behind the new length leaves user space. */
static bool tail_is_bad(const struct remap *r)
{
	return r->new_length < r->old_length && r->old_length > USER_SPACE_END - r->old_addr;
}

/* The zone may be moved or grown as asked: mremap(2), ERRORS. */
static int zone_check(const struct remap *r, const struct mem_zone *zone)
{
	size_t kept = MIN(r->old_length, r->new_length);
	uint64_t added = added_pages(r);

	if (r->old_length == 0 && !(zone->flags & ZONE_SHARED))
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) && zone_is_device(zone))
		return -EINVAL;
	if (kept > zone->end - r->old_addr)
		return -EFAULT;
	if (r->flags & MREMAP_DONTUNMAP)
		added = r->new_length >> PAGE_SHIFT;
	else if (added == 0)
		return 0;
	else if (zone_is_device(zone))
		return -EFAULT;
	if (zone->object && zone->offset + (r->old_addr - zone->beg) + r->new_length < zone->offset)
		return -EINVAL;
	if ((zone->flags & ZONE_LOCKED) && !(r->flags & MREMAP_DONTUNMAP) &&
	    over_lock_limit(r->space, added))
		return -EAGAIN;
	return zone_over_limit(r->space, zone, (int64_t)added) ? -ENOMEM : 0;
}

/* In place: the zone ends where the old range ends and what follows is free. */
static bool grow_in_place(struct remap *r, struct mem_zone *zone)
{
	uintptr_t end = r->old_addr + r->new_length;
	struct mem_zone *next = mem_zone_next(&r->space->zones, zone);

	if (zone->end != r->old_addr + r->old_length || end > USER_SPACE_END ||
	    (next && next->beg < end))
		return false;
	zone_object_lock(zone);
	zone_count(r->space, zone, (int64_t)((end - zone->end) >> PAGE_SHIFT));
	mem_zone_resize(&r->space->zones, zone, zone->beg, end);
	zone_object_unlock(zone);
	zone_merge(r->space, zone, &r->ended); /* what follows now may be its equal */
	return true;
}

static int shrink(struct remap *r)
{
	uintptr_t beg = r->old_addr + r->new_length, end = r->old_addr + r->old_length;
	struct mem_zone *spare;
	int error;

	if (beg == end)
		return 0;
	if (tail_is_bad(r))
		return -EINVAL;
	error = zones_cut_prepare(r->space, beg, end, &spare);
	if (!error)
		zones_cut(r->space, beg, end, &spare, &r->ended);
	return error;
}

/* ---- moving ---- */

static int move_pages(struct remap *r, struct mem_zone *target)
{
	size_t length = MIN(r->old_length, r->new_length);
	int error;

	zone_object_lock(target);
	error = page_table_move_range(r->space, r->old_addr, target->beg, length, target->object);
	if (error) /* what has moved goes back; its old tables are still there */
		(void)!page_table_move_range(r->space, target->beg, r->old_addr, length,
					     target->object);
	zone_object_unlock(target);
	return error;
}

/* A zone like the old one at its new place, in the space. */
static void target_insert(struct remap *r, const struct mem_zone *zone, struct mem_zone *target,
			  uintptr_t to)
{
	target->beg = to;
	target->end = to + r->new_length;
	target->prot = zone->prot;
	target->max_prot = zone->max_prot;
	target->flags = zone->flags;
	target->file = zone->file;
	target->object = zone->object;
	target->ops = zone->ops;
	target->offset = zone->object ? zone->offset + (r->old_addr - zone->beg) : 0;
	target->space = r->space;
	mem_zone_insert(&r->space->zones, target);
	zone_attach(target);
	zone_count(r->space, target, (int64_t)(r->new_length >> PAGE_SHIFT));
}

/* DONTUNMAP: what stays behind is not locked any more. */
static void unlock_zone(struct remap *r, struct mem_zone *zone)
{
	int64_t pages = (int64_t)((zone->end - zone->beg) >> PAGE_SHIFT);

	zone_count(r->space, zone, -pages);
	zone->flags &= ~ZONE_LOCK_FLAGS;
	zone_count(r->space, zone, pages);
	zone_merge(r->space, zone, &r->ended);
}

/* To the free place `to`; *spare is what cutting out the old range takes. */
static int move_to(struct remap *r, struct mem_zone *zone, uintptr_t to, struct mem_zone **spare)
{
	struct mem_zone *target = zone_allocate();
	int error;

	if (!target)
		return -ENOMEM;
	r->fill = zone->flags & ZONE_LOCKED;
	target_insert(r, zone, target, to);
	error = move_pages(r, target);
	if (error) {
		zones_cut(r->space, target->beg, target->end, spare, &r->ended);
		return error;
	}
	if (r->flags & MREMAP_DONTUNMAP)
		unlock_zone(r, zone);
	else if (r->old_length > 0)
		zones_cut(r->space, r->old_addr, r->old_addr + r->old_length, spare, &r->ended);
	/* What stays behind may have joined the target already: it is looked up. */
	zone_merge(r->space, mem_zone_find(&r->space->zones, to), &r->ended);
	return 0;
}

/* One more zone, and what cutting the new place and the old one out leaves of theirs. */
static bool too_many_zones(const struct remap *r)
{
	return r->space->zones.count + 3 > ZONES_MAX;
}

static int move(struct remap *r, struct mem_zone *zone, uintptr_t *result)
{
	struct mem_zone *spare = NULL;
	uintptr_t to;
	int error;

	to = mem_choose_place(r->space, names_a_place(r) ? r->new_addr : 0, r->new_length, 0);
	if (to == 0 || too_many_zones(r))
		return -ENOMEM;
	error = zones_cut_prepare(r->space, r->old_addr, r->old_addr + r->old_length, &spare);
	if (error)
		return error;
	*result = to;
	error = move_to(r, zone, to, &spare);
	zone_free_blank(spare);
	return error;
}

static int move_fixed(struct remap *r, uintptr_t *result)
{
	uintptr_t new_end = r->new_addr + r->new_length;
	struct mem_zone *at_old = NULL, *at_new = NULL, *zone;
	int error = 0;

	if (r->new_addr < USER_SPACE_BEGIN && !process_is_root())
		return -EPERM; /* as mmap(2) */
	if (too_many_zones(r))
		return -ENOMEM;
	if (!tail_is_bad(r))
		error = zones_cut_prepare(r->space, r->old_addr, r->old_addr + r->old_length,
					  &at_old);
	if (!error)
		error = zones_cut_prepare(r->space, r->new_addr, new_end, &at_new);
	if (error)
		goto free_spares;
	zones_cut(r->space, r->new_addr, new_end, &at_new, &r->ended);
	*result = r->new_addr;
	/*
	 * The zone may have been cut, but what of it is asked for is there: the ranges are
	 * disjoint. Only an old range of nothing may lie at the beginning of the new one, or one
	 * that leaves user space, which Linux too refuses this late.
	 */
	zone = mem_zone_find(&r->space->zones, r->old_addr);
	if (!zone)
		error = -EFAULT;
	else
		error = tail_is_bad(r) ? -EINVAL : move_to(r, zone, r->new_addr, &at_old);
free_spares:
	zone_free_blank(at_old);
	zone_free_blank(at_new);
	return error;
}

/*
 * Every zone of the old range, or its part there, one after the other; a hole stays a hole, and
 * what it comes to lie on stays too. The ranges being disjoint, no zone of the old one is emptied.
 */
static int move_each(struct remap *r, uintptr_t *result)
{
	const uintptr_t beg = r->old_addr, end = beg + r->old_length, new_beg = r->new_addr;
	struct mem_zone *zone = mem_zone_find(&r->space->zones, beg);
	int error = zone ? 0 : -EFAULT;
	uintptr_t at = beg, moved;

	while (!error && zone) {
		r->old_addr = MAX(zone->beg, at);
		r->new_addr = new_beg + (r->old_addr - beg);
		at = MIN(zone->end, end);
		r->old_length = r->new_length = at - r->old_addr;
		error = zone_check(r, zone);
		if (!error)
			error = move_fixed(r, &moved);
		zone = at < end ? mem_zone_find_overlap(&r->space->zones, at, end) : NULL;
	}
	*result = new_beg;
	return error;
}

static int remap_locked(struct remap *r, uintptr_t *result)
{
	struct mem_zone *zone = mem_zone_find(&r->space->zones, r->old_addr);
	int error;

	if (only_moves(r))
		return move_each(r, result);
	if (!zone)
		return -EFAULT;
	*result = r->old_addr;
	if (!names_a_place(r) && r->new_length <= r->old_length)
		return shrink(r);
	error = zone_check(r, zone);
	if (error)
		return error;
	if (r->flags & MREMAP_FIXED)
		return move_fixed(r, result);
	if (r->flags & MREMAP_DONTUNMAP)
		return move(r, zone, result);
	r->fill = zone->flags & ZONE_LOCKED;
	if (grow_in_place(r, zone))
		return 0;
	return r->flags & MREMAP_MAYMOVE ? move(r, zone, result) : -ENOMEM;
}

int mem_remap(struct mem_space *space, uintptr_t old_addr, size_t old_length, size_t new_length,
	      int flags, uintptr_t new_addr, uintptr_t *result)
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
	int error = remap_check(&r);

	if (error)
		return error;
	rw_write_lock(&space->lock);
	error = remap_locked(&r, result);
	rw_write_unlock(&space->lock);
	zones_end(&r.ended);
	if (!error && r.fill && added_pages(&r))
		(void)mem_fill(space, *result + r.old_length, r.new_length - r.old_length);
	return error;
}
