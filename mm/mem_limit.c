/*
 * mm/mem_limit.c - what the limits of getrlimit(2) leave of an address space.
 *
 * Called by mem_map.c, mem_protect.c, mem_remap.c and mem_lock.c before a space grows. RLIMIT_STACK
 * is looked at where stacks grow.
 *
 * Locks: the space.
 */
#include <kernel/task.h>
#include <mm/mm_private.h>

static bool over(unsigned resource, uint64_t pages)
{
	return pages > process_limit(resource) >> PAGE_SHIFT;
}

bool zone_over_limit(const struct mem_space *space, const struct mem_zone *zone, int64_t more)
{
	if (over(RLIMIT_AS, space->mapped_pages + (uint64_t)more))
		return true;
	return zone_is_data(zone) && over(RLIMIT_DATA, space->data_pages + (uint64_t)more);
}

bool data_over_limit(const struct mem_space *space, uint64_t more)
{
	return over(RLIMIT_DATA, space->data_pages + more);
}

bool over_lock_limit(const struct mem_space *space, uint64_t more)
{
	return !process_is_root() && over(RLIMIT_MEMLOCK, space->locked_pages + more);
}

bool locking_forbidden(void)
{
	return !process_is_root() && process_limit(RLIMIT_MEMLOCK) == 0;
}
