/*
 * mm/mem_detach.c - unmapping what is left of one mapping of a file, by where the mapping began:
 * shmdt(2) (fs/sysv_shm.c).
 *
 * Parts may have been unmapped, moved or covered since. What is left, in its place, are the zones
 * of one open file whose offset is their distance from the beginning.
 *
 * Locks: the space for writing; the zones end after it was unlocked.
 */
#include <kernel/base/errno.h>
#include <mm/mm_private.h>

static bool in_place(const struct mem_zone *zone, uintptr_t addr, const struct mem_operations *ops)
{
	return zone->ops == ops && zone->beg >= addr && zone->beg - addr == zone->offset;
}

static void detach_locked(struct mem_space *space, uintptr_t addr, const struct mem_operations *ops,
			  struct list_node *ended)
{
	struct mem_zone *none = NULL; /* whole zones: nothing is split */
	struct mem_zone *zone = mem_zone_find_from(&space->zones, addr), *next;
	const struct file *file = NULL;

	for (; zone; zone = next) {
		next = mem_zone_next(&space->zones, zone);
		if (!in_place(zone, addr, ops) || (file && zone->file != file))
			continue;
		file = zone->file;
		zones_cut(space, zone->beg, zone->end, &none, ended);
	}
}

int mem_detach(struct mem_space *space, uintptr_t addr, const struct mem_operations *ops)
{
	struct list_node ended = LIST_INIT(ended);
	bool any;

	rw_write_lock(&space->lock);
	detach_locked(space, addr, ops, &ended);
	rw_write_unlock(&space->lock);
	any = !list_empty(&ended);
	zones_end(&ended);
	return any ? 0 : -EINVAL;
}
