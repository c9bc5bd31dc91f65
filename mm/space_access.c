/*
 * mm/space_access.c - looking into a space from outside its own page tables: populate, peek and
 * poke (exec builds a space that is not loaded; /proc looks at others), pagemap, futex keys.
 *
 * A page is faulted in as its owner would, then copied through the direct map under its table's
 * lock: nothing keeps the frame otherwise, and nothing needs to.
 */
#include <kernel/base/errno.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <mm/futex_key.h>
#include <mm/mm_private.h>
#include <string.h>

static enum fault_result fault_in(struct mem_space *space, uintptr_t addr, uint32_t access)
{
	struct fault fault = {
		.address = addr,
		.access = access,
		.error_code = FAULT_CODE_USER | (access == PROT_WRITE ? FAULT_CODE_WRITE : 0),
	};

	return page_fault_handler(space, &fault);
}

/* What madvise(2) says of MADV_POPULATE_READ that could not. */
static int populate_error(enum fault_result result)
{
	switch (result) {
	case FAULT_DONE:
		return 0;
	case FAULT_FORBIDDEN:
		return -EINVAL;
	case FAULT_NO_PAGE:
		return -EFAULT;
	case FAULT_KILLED:
		return -EINTR;
	case FAULT_NO_ZONE:
	case FAULT_NO_MEMORY:
	case FAULT_RETRY:
	case FAULT_MUST_LOAD:
	case FAULT_MUST_DIRTY:
	case FAULT_MUST_GROW:
	case FAULT_NEEDS_MEMORY:
		break;
	}
	return -ENOMEM;
}

int mem_populate(struct mem_space *space, uintptr_t addr, size_t length, bool for_write)
{
	uintptr_t end = addr + PAGE_ALIGN_UP(length);
	int error = 0;

	for (uintptr_t page = PAGE_ALIGN_DOWN(addr); page < end && !error; page += PAGE_SIZE) {
		if (signal_fatal_pending(current_task()))
			return -EINTR;
		error = populate_error(fault_in(space, page, for_write ? PROT_WRITE : PROT_READ));
	}
	return error;
}

enum copy_result {
	COPY_DONE,
	COPY_AGAIN,      /* the entry is not (any more) what is needed: fault it in */
	COPY_IMPOSSIBLE, /* a device's page: it is not in the direct map */
};

/* Copies within one page. */
static enum copy_result copy_in_page(struct mem_space *space, uintptr_t addr, void *buf,
				     size_t size, bool write)
{
	enum copy_result result = COPY_AGAIN;
	struct page_entry entry;
	struct page_slot slot;

	if (!page_slot_lock_existing(space, addr, &slot))
		return COPY_AGAIN;
	entry = page_slot_read(&slot);
	if (entry.kind == ENTRY_DEVICE) {
		result = COPY_IMPOSSIBLE;
	} else if (entry.kind == ENTRY_PRESENT && (!write || entry.writable)) {
		char *page = frame_virt(entry.frame);

		if (write)
			memcpy(page + addr % PAGE_SIZE, buf, size);
		else
			memcpy(buf, page + addr % PAGE_SIZE, size);
		result = COPY_DONE;
	}
	page_slot_unlock(&slot);
	return result;
}

static size_t space_copy(struct mem_space *space, uintptr_t addr, char *buf, size_t size,
			 bool write)
{
	size_t done = 0;

	while (done < size) {
		size_t part = MIN(size - done, PAGE_SIZE - addr % PAGE_SIZE);
		enum copy_result copied;

		if (addr >= USER_SPACE_END)
			break;
		do {
			if (fault_in(space, addr, write ? PROT_WRITE : PROT_READ) != FAULT_DONE)
				return done;
			/* The space is locked so that its tables stay. */
			rw_read_lock(&space->lock);
			copied = copy_in_page(space, addr, buf + done, part, write);
			rw_read_unlock(&space->lock);
		} while (copied == COPY_AGAIN);
		if (copied == COPY_IMPOSSIBLE)
			break;
		done += part;
		addr += part;
	}
	return done;
}

size_t mem_space_peek(struct mem_space *space, uintptr_t addr, void *dst, size_t size)
{
	return space_copy(space, addr, dst, size, false);
}

size_t mem_space_poke(struct mem_space *space, uintptr_t addr, const void *src, size_t size)
{
	return space_copy(space, addr, (char *)(uintptr_t)src, size, true);
}

/* Linux's format: Documentation/admin-guide/mm/pagemap.rst. */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_FILE (1ull << 61)
#define PAGEMAP_EXCLUSIVE (1ull << 56)
#define PAGEMAP_FRAME_MASK ((1ull << 55) - 1)

uint64_t mem_space_pagemap(struct mem_space *space, uintptr_t addr)
{
	struct page_entry entry;
	struct page_slot slot;
	uint64_t value = 0;

	rw_read_lock(&space->lock);
	if (page_slot_lock_existing(space, addr, &slot)) {
		entry = page_slot_read(&slot);
		if (entry.kind == ENTRY_PRESENT || entry.kind == ENTRY_HELD)
			value = PAGEMAP_PRESENT |
				(frame_phys(entry.frame) >> PAGE_SHIFT & PAGEMAP_FRAME_MASK);
		if (entry.kind == ENTRY_PRESENT && frame_kind(entry.frame) == FRAME_CACHE)
			value |= PAGEMAP_FILE;
		if (value && frame_map_count(entry.frame) == 1)
			value |= PAGEMAP_EXCLUSIVE;
		page_slot_unlock(&slot);
	}
	rw_read_unlock(&space->lock);
	return value;
}

int mem_futex_key(struct mem_space *space, uintptr_t addr, bool shared, struct futex_key *key)
{
	struct mem_zone *zone;
	int error = 0;

	*key = (struct futex_key){.a = (uintptr_t)space, .b = addr};
	if (!shared)
		return addr < USER_SPACE_END ? 0 : -EFAULT;
	rw_read_lock(&space->lock);
	zone = mem_zone_find(&space->zones, addr);
	if (!zone || zone_is_device(zone)) {
		error = -EFAULT; /* a device's word is nobody's futex */
	} else if ((zone->flags & ZONE_SHARED) && zone->object) {
		mem_object_get(zone->object);
		*key = (struct futex_key){.a = (uintptr_t)zone->object,
					  .b = zone->offset + (addr - zone->beg),
					  .object = zone->object};
	}
	rw_read_unlock(&space->lock);
	return error;
}
