/*
 * mm/mem_resident.c - mincore: which pages of a range are in memory.
 *
 * A page is if its entry in the tables is not empty, or if it is in its object's cache: touching it
 * then costs no more than a minor fault. A device's pages are no memory, and never in it. Whether
 * the file of somebody else is cached is nobody's business: there every page counts as present
 * (mincore(2), NOTES).
 *
 * Called by sys_mem.c. Locks: the space for reading; a leaf table's while it is looked at.
 * Tests: tests/guest/mincore.c.
 */
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <mm/mm_private.h>

static bool cached(const struct mem_zone *zone, uintptr_t address)
{
	struct frame *frame;

	if (!zone->object)
		return false;
	frame = mem_object_find(zone->object, (zone->offset + (address - zone->beg)) >> PAGE_SHIFT);
	if (frame)
		frame_put(frame);
	return frame;
}

static bool present(struct mem_space *space, const struct mem_zone *zone, uintptr_t address)
{
	struct page_slot slot;
	bool found = false;

	if (zone_is_device(zone))
		return false;
	if (page_slot_lock_existing(space, address, &slot)) {
		found = page_slot_read(&slot).kind != ENTRY_EMPTY;
		page_slot_unlock(&slot);
	}
	return found || cached(zone, address);
}

size_t mem_resident(struct mem_space *space, uintptr_t addr, size_t pages, unsigned char *result)
{
	const struct mem_zone *zone;
	bool hidden;
	size_t done = 0;

	rw_read_lock(&space->lock);
	zone = mem_zone_find(&space->zones, addr);
	hidden = zone && zone->file && zone->object && !file_residency_visible(zone->file);
	for (; zone && done < pages && addr < zone->end; addr += PAGE_SIZE, done++)
		result[done] = hidden || present(space, zone, addr);
	rw_read_unlock(&space->lock);
	return done;
}
