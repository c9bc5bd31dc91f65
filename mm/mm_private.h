/* mm/mm_private.h - what only mm/ may see. */
#pragma once

#include <linux/mman.h>
#include <mm/fault.h>
#include <mm/mem_object.h>
#include <mm/mem_space.h>
#include <mm/page_table.h>

/* The rights there are. PROT_SEM says nothing: all memory is fit for it. */
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

/*
 * mem_limit.c: `more` pages like the zone's would exceed the caller's RLIMIT_AS or RLIMIT_DATA;
 * RLIMIT_MEMLOCK. The space is locked.
 */
bool zone_over_limit(const struct mem_space *space, const struct mem_zone *zone, int64_t more);
bool data_over_limit(const struct mem_space *space, uint64_t more);
bool over_lock_limit(const struct mem_space *space, uint64_t more);
/* The caller may lock no memory at all (mlock(2), EPERM). */
bool locking_forbidden(void);

/*
 * mem_map.c: where `length` bytes go that nothing fixes: the hint if it is free, else the highest
 * free range of those that `flags` (MAP_32BIT) allow, clear of stacks. 0: nowhere.
 */
uintptr_t mem_choose_place(const struct mem_space *space, uintptr_t hint, size_t length, int flags);

/*
 * mem_lock.c: makes the pages of a range present as mlock(2) and MAP_POPULATE do: private writable
 * ones for writing, the others for reading; none of zones locked on fault. As mem_populate.
 */
int mem_fill(struct mem_space *space, uintptr_t addr, size_t length);
/* The same of those zones that are locked. */
int mem_fill_locked(struct mem_space *space, uintptr_t addr, size_t length);

/*
 * mem_protect.c: what mprotect, msync and others want of a range: addr aligned (-EINVAL), no end
 * that wraps around (-ENOMEM). It may leave user space: there is a hole. 0 for an empty one.
 */
must_check int mem_check_range(uintptr_t addr, size_t length);

/* mem_object.c: a cached page even while it is being loaded, with a reference; NULL if none. */
struct frame *mem_object_find_any(struct mem_object *object, uint64_t index);
/* Takes a LOCKED frame out of the cache, with the cache's reference. */
void cache_remove(struct mem_object *object, struct frame *frame);

/*
 * object_range.c: bytes behind the end may hold what a mapping stored there; in the rest of the
 * page of `size` they become zeros. Sleeps.
 */
void object_zero_tail(struct mem_object *object, uint64_t size);

/*
 * zone_life.c: zones as counted things. Creating takes references on file and object and
 * links the zone to its object; ending undoes that and calls ops->release. The space's lock is
 * held for writing while a zone is attached or detached; zone_end runs after it was dropped.
 */
must_check struct mem_zone *zone_allocate(void); /* blank; NULL when memory is out */
void zone_free_blank(struct mem_zone *zone);
void zone_attach(struct mem_zone *zone); /* fields are set; counts and links to the object */
void zone_detach(struct mem_zone *zone); /* unlinks from the object */
void zone_end(struct mem_zone *zone);    /* drops references, frees. Sleeps */
void zones_end(struct list_node *zones); /* all of a list (by ->next) */
/* It is shared, and has or may get the right to write: one of the object's `writers`. */
bool zone_is_writer(const struct mem_zone *zone);
/*
 * The zones_lock of the zone's object, if it has one: around changes of bounds and places of pages.
 */
void zone_object_lock(struct mem_zone *zone);
void zone_object_unlock(struct mem_zone *zone);

/* As many zones as a space may have: Linux's default of vm.max_map_count (proc_sys_vm(5)). */
#define ZONES_MAX 65530u

/* It counts against RLIMIT_DATA (getrlimit(2)). */
bool zone_is_data(const struct mem_zone *zone);
/* It would with that protection. */
bool zone_is_data_with(const struct mem_zone *zone, uint32_t prot);
/*
 * The pages of the space's counters that a zone has more (fewer: negative), by its present
 * attributes.
 */
void zone_count(struct mem_space *space, const struct mem_zone *zone, int64_t pages);
/* A page of a device: no struct frame, not to be locked or grown. */
static inline bool zone_is_device(const struct mem_zone *zone)
{
	return zone->object && zone->ops->map_device;
}

/*
 * Makes the part [beg, end) of *zone, which may reach beyond it, a zone of its own, then in *zone.
 * 0 or -ENOMEM (no memory, or too many zones), then nothing has changed.
 */
must_check int zone_isolate(struct mem_space *space, struct mem_zone **zone, uintptr_t beg,
			    uintptr_t end);
/* Joins zone with equal neighbours; zones that vanish go to `ended`. Returns the survivor. */
struct mem_zone *zone_merge(struct mem_space *space, struct mem_zone *zone,
			    struct list_node *ended);
/*
 * Takes everything out of [beg, end): zones, entries, tables. Removed zones go to `ended`. The
 * space is locked for writing. Cannot fail: zones_cut_prepare made the zone in *spare that is
 * needed where the range lies inside a zone, else NULL; what is left of it the caller frees as
 * blank.
 */
must_check int zones_cut_prepare(const struct mem_space *space, uintptr_t beg, uintptr_t end,
				 struct mem_zone **spare);
void zones_cut(struct mem_space *space, uintptr_t beg, uintptr_t end, struct mem_zone **spare,
	       struct list_node *ended);
/* The same of everything, where the space comes to its end: the index is given up as a whole. */
void zones_cut_all(struct mem_space *space, struct list_node *ended);
