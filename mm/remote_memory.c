/*
 * mm/remote_memory.c - reading and writing memory of another process: process_vm_readv(2) and
 * /proc/<pid>/mem.
 *
 * Page by page: what the zone's protection allows goes through mem_space_peek and poke, as if its
 * owner did it. With `force`, as a debugger's access, the protection does not matter:
 *
 *   the entry is     reading                         writing (private zones only)
 *   empty            zeros, or the object's page     a copy of that is installed
 *   present, held    its frame                       its frame if only the entry's, else a copy
 *
 * A copy is installed with the rights the zone has, so its owner can do no more than before. A
 * stack does not grow by this.
 *
 * Locks: the space for reading, the leaf table from the look at the entry to its change. A page
 * that must be loaded is loaded without them, and everything is looked up again.
 * Tests: tests/guest/process_vm.c, proc_mem.c.
 */
#include <kernel/base/errno.h>
#include <linux/mman.h>
#include <mm/cow.h>
#include <mm/mm_private.h>
#include <mm/pressure.h>
#include <string.h>

enum part_result { PART_DONE, PART_IMPOSSIBLE, PART_ALLOWED, PART_MUST_LOAD, PART_NEEDS_MEMORY };

struct part {
	struct mem_space *space;
	uintptr_t addr;
	char *buf;
	size_t size; /* bytes, within one page */
	bool write;
	struct mem_object *object; /* MUST_LOAD: a reference */
	uint64_t index;
};

static bool zone_allows(const struct mem_zone *zone, bool write)
{
	return write ? zone->prot & PROT_WRITE : zone->prot != PROT_NONE;
}

static bool zone_yields(const struct mem_zone *zone, bool write)
{
	if (zone->object && zone->object->ops->map_device)
		return false;
	return !write || (zone->flags & ZONE_PRIVATE);
}

/* What an empty entry stands for, with a reference; NULL: *result says why not. */
static struct frame *page_behind(struct part *part, const struct mem_zone *zone,
				 enum part_result *result)
{
	uint64_t index = (zone->offset + (PAGE_ALIGN_DOWN(part->addr) - zone->beg)) >> PAGE_SHIFT;
	struct frame *frame;

	if (!zone->object)
		return frame_zero;
	if (index >= PAGE_ALIGN_UP(atomic_load(&zone->object->size)) >> PAGE_SHIFT) {
		*result = PART_IMPOSSIBLE;
		return NULL;
	}
	frame = mem_object_find(zone->object, index);
	if (!frame) {
		mem_object_get(zone->object);
		part->object = zone->object;
		part->index = index;
		*result = PART_MUST_LOAD;
	}
	return frame;
}

/* The entry gets a page of its own instead of `from`. */
static struct frame *install_copy(struct page_slot *slot, const struct mem_zone *zone,
				  struct frame *from, bool mapped)
{
	struct frame *copy = cow_copy(from);

	if (!copy)
		return NULL;
	if (mapped)
		frame_put(page_slot_remove(slot));
	if (zone->prot == PROT_NONE)
		page_slot_install_held(slot, copy);
	else
		page_slot_install(slot, copy, zone->prot, false);
	return copy;
}

static void copy_part(const struct part *part, struct frame *frame)
{
	char *at = (char *)frame_virt(frame) + part->addr % PAGE_SIZE;

	if (part->write)
		memcpy(at, part->buf, part->size);
	else
		memcpy(part->buf, at, part->size);
}

static enum part_result force_slot(struct part *part, struct mem_zone *zone, struct page_slot *slot)
{
	struct page_entry entry = page_slot_read(slot);
	enum part_result result = PART_DONE;
	bool mapped = entry.kind != ENTRY_EMPTY;
	struct frame *frame = mapped ? entry.frame : page_behind(part, zone, &result), *own;

	if (!frame)
		return result;
	own = frame;
	if (part->write && (!mapped || frame_kind(frame) != FRAME_ANON || frame_refs(frame) > 1))
		own = install_copy(slot, zone, frame, mapped);
	if (own)
		copy_part(part, own);
	if (!mapped)
		frame_put(frame);
	return own ? PART_DONE : PART_NEEDS_MEMORY;
}

static enum part_result part_locked(struct part *part, bool force)
{
	struct mem_zone *zone = mem_zone_find(&part->space->zones, part->addr);
	enum part_result result;
	struct page_slot slot;

	if (!zone)
		return PART_IMPOSSIBLE;
	if (zone_allows(zone, part->write))
		return PART_ALLOWED;
	if (!force || !zone_yields(zone, part->write))
		return PART_IMPOSSIBLE;
	if (page_slot_lock(part->space, part->addr, zone->object, &slot))
		return PART_NEEDS_MEMORY;
	result = force_slot(part, zone, &slot);
	page_slot_unlock(&slot);
	return result;
}

static int load_page(struct part *part)
{
	struct frame *frame;
	int error = mem_object_frame(part->object, part->index, &frame);

	mem_object_put(part->object);
	part->object = NULL;
	if (!error)
		frame_put(frame); /* the cache keeps it */
	return error;
}

static bool part_copy(struct part *part, bool force)
{
	for (;;) {
		enum part_result result;

		rw_read_lock(&part->space->lock);
		result = part_locked(part, force);
		rw_read_unlock(&part->space->lock);
		switch (result) {
		case PART_DONE:
			return true;
		case PART_IMPOSSIBLE:
			return false;
		case PART_ALLOWED:
			return (part->write ? mem_space_poke(part->space, part->addr, part->buf,
							     part->size)
					    : mem_space_peek(part->space, part->addr, part->buf,
							     part->size)) == part->size;
		case PART_MUST_LOAD:
			if (load_page(part))
				return false;
			break;
		case PART_NEEDS_MEMORY:
			if (!mem_pressure_relieve(true))
				return false;
			break;
		}
	}
}

static size_t remote_copy(struct mem_space *space, uintptr_t addr, char *buf, size_t size,
			  bool force, bool write)
{
	size_t done = 0;

	while (done < size && addr < USER_SPACE_END) {
		struct part part = {
			.space = space,
			.addr = addr,
			.buf = buf + done,
			.size = MIN(size - done, PAGE_SIZE - addr % PAGE_SIZE),
			.write = write,
		};

		if (!part_copy(&part, force))
			break;
		done += part.size;
		addr += part.size;
	}
	return done;
}

size_t mem_space_read_remote(struct mem_space *space, uintptr_t addr, void *dst, size_t size,
			     bool force)
{
	return remote_copy(space, addr, dst, size, force, false);
}

size_t mem_space_write_remote(struct mem_space *space, uintptr_t addr, const void *src, size_t size,
			      bool force)
{
	return remote_copy(space, addr, (char *)(uintptr_t)src, size, force, true);
}
