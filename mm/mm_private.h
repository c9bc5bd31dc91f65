/* mm/mm_private.h - what only mm/ may see. */
#pragma once

#include <mm/fault.h>
#include <mm/mem_object.h>
#include <mm/mem_space.h>
#include <mm/page_table.h>

/* The zone shows pages of a device: there are as many as there are, and none can be given back. */
static inline bool zone_is_device(const struct mem_zone *zone)
{
	return zone->object && zone->ops->map_device;
}

/* mem_map.c: `more` bytes would exceed the caller's RLIMIT_AS. */
bool over_address_limit(const struct mem_space *space, size_t more);

/*
 * mem_protect.c: what mprotect, msync and others want of a range: addr aligned (-EINVAL), nothing
 * beyond the user's addresses (-ENOMEM). 0 for an empty one.
 */
must_check int mem_check_range(uintptr_t addr, size_t length);

/* mem_object.c: a cached page even while it is being loaded, with a reference; NULL if none. */
struct frame *mem_object_find_any(struct mem_object *object, uint64_t index);

/*
 * mem_zone_life.c: zones as counted things. Creating takes references on file and object and
 * links the zone to its object; ending undoes that and calls ops->release. The space's lock is
 * held for writing while a zone is attached or detached; zone_end runs after it was dropped.
 */
must_check struct mem_zone *zone_allocate(void); /* blank; NULL when memory is out */
void zone_free_blank(struct mem_zone *zone);
void zone_attach(struct mem_zone *zone); /* fields are set; counts references, links to the object */
void zone_detach(struct mem_zone *zone); /* unlinks from the object */
void zone_end(struct mem_zone *zone);    /* drops references, frees. Sleeps */
void zones_end(struct list_node *zones); /* all of a list (by ->next) */
/* It is shared, and has or may get the right to write: one of the object's `writers`. */
bool zone_is_writer(const struct mem_zone *zone);
/* The zones_lock of the zone's object, if it has one: around changes of bounds and places of pages. */
void zone_object_lock(struct mem_zone *zone);
void zone_object_unlock(struct mem_zone *zone);

/* As many zones as a space may have: Linux's default of vm.max_map_count (proc_sys_vm(5)). */
#define ZONES_MAX 65530u
/* There may be no more zones, and cutting out [beg, end) would make two of one. */
bool zones_cut_refused(const struct mem_space *space, uintptr_t beg, uintptr_t end);

/* Zones allocated before an edit that may split: at most two splits. */
struct zone_spares {
	struct mem_zone *zones[2];
	unsigned count;
};
must_check int zone_spares_fill(struct zone_spares *spares);
void zone_spares_drop(struct zone_spares *spares);

/* Cuts `zone` at `at`, with a spare. */
void zone_split(struct mem_space *space, struct mem_zone *zone, uintptr_t at, struct zone_spares *spares);
/* Joins zone with equal neighbours; zones that vanish go to `ended`. Returns the survivor. */
struct mem_zone *zone_merge(struct mem_space *space, struct mem_zone *zone, struct list_node *ended);
/*
 * Takes everything out of [beg, end): zones, entries, tables. Removed zones go to `ended`. The
 * space is locked for writing. Cannot fail: splits use the spares.
 */
void zones_cut(struct mem_space *space, uintptr_t beg, uintptr_t end, struct zone_spares *spares,
	       struct list_node *ended);
