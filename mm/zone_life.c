/*
 * mm/zone_life.c - zones as counted things: their references, splits, merges and ends.
 *
 * mem_zone.c keeps the list and index (pure); this file adds what a zone holds: its file, its
 * object and its place in the object's list of zones. Called by whoever changes zones: mem_*.c,
 * and fork (mem_space.c).
 *
 * Locks: the space for writing. object->zones_lock around every change of a zone's bounds, because
 * truncate and write-back read them under it alone.
 */
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <linux/mman.h>
#include <mm/heap.h>
#include <mm/mm_init.h>
#include <mm/mm_private.h>
#include <string.h>

static struct object_cache zone_cache;

void zones_init(void)
{
	object_cache_init(&zone_cache, "mem_zone", sizeof(struct mem_zone),
			  alignof(struct mem_zone));
}

struct mem_zone *zone_allocate(void)
{
	struct mem_zone *zone = object_alloc_zeroed(&zone_cache);

	if (zone) {
		list_init(&zone->next);
		list_init(&zone->object_link);
	}
	return zone;
}

void zone_free_blank(struct mem_zone *zone)
{
	if (zone)
		object_free(&zone_cache, zone);
}

bool zone_is_writer(const struct mem_zone *zone)
{
	return zone->object && (zone->flags & ZONE_SHARED) && (zone->max_prot & PROT_WRITE);
}

/* Another zone like one that counts: it cannot be forbidden meanwhile. */
static void count_writer(const struct mem_zone *zone)
{
	if (zone_is_writer(zone) && !mem_object_writer_get(zone->object))
		panic("a writer's twin was refused");
}

void zone_attach(struct mem_zone *zone)
{
	if (zone->file)
		file_get(zone->file);
	if (!zone->object)
		return;
	mem_object_get(zone->object);
	count_writer(zone);
	mutex_lock(&zone->object->zones_lock);
	list_push_back(&zone->object->zones, &zone->object_link);
	mutex_unlock(&zone->object->zones_lock);
	if (zone->ops->open)
		zone->ops->open(zone);
}

void zone_detach(struct mem_zone *zone)
{
	if (!zone->object)
		return;
	mutex_lock(&zone->object->zones_lock);
	list_remove(&zone->object_link);
	mutex_unlock(&zone->object->zones_lock);
}

void zone_end(struct mem_zone *zone)
{
	if (zone->object && zone->ops->release)
		zone->ops->release(zone);
	if (zone_is_writer(zone))
		mem_object_writer_put(zone->object);
	if (zone->object)
		mem_object_put(zone->object);
	if (zone->file)
		file_put(zone->file);
	zone_free_blank(zone);
}

void zones_end(struct list_node *zones)
{
	struct mem_zone *zone, *tmp;

	if (list_empty(zones))
		return;
	list_for_each_entry_safe(zone, tmp, zones, next) {
		list_remove(&zone->next);
		zone_end(zone);
	}
}

void zone_object_lock(struct mem_zone *zone) NO_THREAD_SAFETY_ANALYSIS
{
	if (zone->object)
		mutex_lock(&zone->object->zones_lock);
}

void zone_object_unlock(struct mem_zone *zone) NO_THREAD_SAFETY_ANALYSIS
{
	if (zone->object)
		mutex_unlock(&zone->object->zones_lock);
}

bool zone_is_data_with(const struct mem_zone *zone, uint32_t prot)
{
	return (prot & PROT_WRITE) && (zone->flags & (ZONE_PRIVATE | ZONE_STACK)) == ZONE_PRIVATE;
}

bool zone_is_data(const struct mem_zone *zone)
{
	return zone_is_data_with(zone, zone->prot);
}

void zone_count(struct mem_space *space, const struct mem_zone *zone, int64_t pages)
{
	space->mapped_pages += (uint64_t)pages;
	space->peak_pages = MAX(space->peak_pages, space->mapped_pages);
	if (zone_is_data(zone))
		space->data_pages += (uint64_t)pages;
	if (zone->flags & ZONE_LOCKED)
		space->locked_pages += (uint64_t)pages;
}

static void zone_split(struct mem_space *space, struct mem_zone *zone, uintptr_t at,
		       struct mem_zone *upper)
{
	zone_object_lock(zone);
	mem_zone_split(&space->zones, zone, upper, at);
	list_init(&upper->object_link);
	if (upper->object)
		list_push_back(&upper->object->zones, &upper->object_link);
	zone_object_unlock(zone);
	if (upper->file)
		file_get(upper->file);
	if (upper->object) {
		mem_object_get(upper->object);
		count_writer(upper);
		if (upper->ops->open)
			upper->ops->open(upper);
	}
}

int zone_isolate(struct mem_space *space, struct mem_zone **zone, uintptr_t beg, uintptr_t end)
{
	bool below = (*zone)->beg < beg, above = (*zone)->end > end;
	struct mem_zone *inner = NULL, *upper = NULL;

	if (space->zones.count + below + above > ZONES_MAX)
		return -ENOMEM;
	if (below && !(inner = zone_allocate()))
		return -ENOMEM;
	if (above && !(upper = zone_allocate())) {
		zone_free_blank(inner);
		return -ENOMEM;
	}
	if (below) {
		zone_split(space, *zone, beg, inner);
		*zone = inner;
	}
	if (above)
		zone_split(space, *zone, end, upper);
	return 0;
}

/* `upper` follows `lower` and equals it: lower grows over it. */
static void zones_join(struct mem_space *space, struct mem_zone *lower, struct mem_zone *upper,
		       struct list_node *ended)
{
	zone_object_lock(lower);
	if (lower->object)
		list_remove(&upper->object_link);
	mem_zone_remove(&space->zones, upper);
	mem_zone_resize(&space->zones, lower, lower->beg, upper->end);
	zone_object_unlock(lower);
	list_push_back(ended, &upper->next);
}

struct mem_zone *zone_merge(struct mem_space *space, struct mem_zone *zone, struct list_node *ended)
{
	struct mem_zone *prev = mem_zone_prev(&space->zones, zone);
	struct mem_zone *next = mem_zone_next(&space->zones, zone);

	if (next && mem_zone_can_merge(zone, next))
		zones_join(space, zone, next, ended);
	if (prev && mem_zone_can_merge(prev, zone)) {
		zones_join(space, prev, zone, ended);
		return prev;
	}
	return zone;
}

/*
 * Nothing is in [beg, end) any more: its entries go, and the tables that only mapped the free space
 * around it. `next` is the zone above, or NULL.
 */
static void unmap_free(struct mem_space *space, uintptr_t beg, uintptr_t end,
		       const struct mem_zone *next)
{
	const struct list_node *before = next ? next->next.prev : space->zones.list.prev;
	uintptr_t low =
		before == &space->zones.list ? 0 : list_entry(before, struct mem_zone, next)->end;

	page_table_unmap_range(space, beg, end, low, next ? next->beg : USER_SPACE_END + PAGE_SIZE);
}

int zones_cut_prepare(const struct mem_space *space, uintptr_t beg, uintptr_t end,
		      struct mem_zone **spare)
{
	const struct mem_zone *zone = mem_zone_find_overlap(&space->zones, beg, end);

	*spare = NULL;
	if (!zone || zone->beg >= beg || zone->end <= end)
		return 0;
	if (space->zones.count >= ZONES_MAX)
		return -ENOMEM;
	*spare = zone_allocate();
	return *spare ? 0 : -ENOMEM;
}

/* The zone loses [beg, end), which is one of its ends. */
static void zone_trim(struct mem_space *space, struct mem_zone *zone, uintptr_t beg, uintptr_t end)
{
	struct mem_zone *next = zone;

	zone_object_lock(zone);
	if (zone->beg < beg) {
		mem_zone_resize(&space->zones, zone, zone->beg, beg);
		next = mem_zone_next(&space->zones, zone);
	} else {
		if (zone->file || zone->object)
			zone->offset += end - beg;
		mem_zone_resize(&space->zones, zone, end, zone->end);
	}
	zone_object_unlock(zone);
	zone_count(space, zone, -(int64_t)((end - beg) >> PAGE_SHIFT));
	unmap_free(space, beg, end, next);
}

/* Returns the zone after it. */
static struct mem_zone *zone_take_out(struct mem_space *space, struct mem_zone *zone,
				      struct list_node *ended)
{
	struct mem_zone *next = mem_zone_next(&space->zones, zone);

	zone_detach(zone);
	mem_zone_remove(&space->zones, zone);
	zone_count(space, zone, -(int64_t)((zone->end - zone->beg) >> PAGE_SHIFT));
	unmap_free(space, zone->beg, zone->end, next);
	list_push_back(ended, &zone->next);
	return next;
}

void zones_cut(struct mem_space *space, uintptr_t beg, uintptr_t end, struct mem_zone **spare,
	       struct list_node *ended)
{
	struct mem_zone *zone = mem_zone_find_overlap(&space->zones, beg, end), *next;

	if (!zone)
		return;
	if (zone->beg < beg) {
		if (zone->end > end) {
			zone_split(space, zone, end, *spare);
			*spare = NULL;
		}
		next = mem_zone_next(&space->zones, zone);
		zone_trim(space, zone, beg, zone->end);
		zone = next;
	}
	while (zone && zone->end <= end)
		zone = zone_take_out(space, zone, ended);
	if (zone && zone->beg < end)
		zone_trim(space, zone, zone->beg, end);
}

void zones_cut_all(struct mem_space *space, struct list_node *ended)
{
	struct mem_zone *zone;

	list_for_each_entry (zone, &space->zones.list, next) {
		const struct mem_zone *next = mem_zone_next(&space->zones, zone);

		zone_detach(zone);
		page_table_unmap_range(space, zone->beg, zone->end, 0,
				       next ? next->beg : USER_SPACE_END + PAGE_SIZE);
	}
	list_splice_back(ended, &space->zones.list);
	mem_zones_init(&space->zones);
	space->mapped_pages = space->data_pages = space->locked_pages = 0;
}
