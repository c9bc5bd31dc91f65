/*
 * mm/fault.c - turn one user page fault into one mapped page.
 *
 * Way in: trap_entry.asm:trap_common -> trap.c:trap_dispatch -> page_fault_handler; also the copy
 * functions' faults, MAP_POPULATE and peeks into other spaces (space_access.c).
 * Way out: an object's ops->load (fs/), cow_break (cow.c), or a fault_result that trap.c
 * turns into a signal.
 *
 *   the entry is    read, execute                    write
 *   empty           anonymous: the zero frame        anonymous: a fresh zeroed frame
 *                   object: its page, read-only      private: a copy of the object's page
 *                   (writable: memory is the file)
 *                                                    shared: ops->dirty, then writable
 *   read-only       another thread was faster        private: cow_break (copy or reuse)
 *                                                    shared: ops->dirty, then writable
 *   writable        another thread was faster        another thread was faster
 *   device          another thread was faster        private: a copy of the device's page
 *
 * Rights are checked first: an access the zone forbids never reaches this table. So a held
 * entry (PROT_NONE) is never met here: mprotect makes it present before the zone allows access.
 *
 * Locks: the space is held for reading throughout, except across load and dirty, which may
 * sleep; after them everything is looked up again. The leaf table is locked from the look at
 * the entry to its change. A cached page found under that lock may be installed: truncate
 * first takes pages out of the cache and then goes through the tables, so either we do not find
 * it, or truncate finds our entry.
 *
 * Not here: choosing a signal (trap.c), reading a disk (fs/), copying (cow.c).
 * Tests: tests/guest/fault_*.c and others there. Tour: docs/tour-page-fault.md.
 */
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <mm/cow.h>
#include <mm/fault_ring.h>
#include <mm/mm_private.h>
#include <mm/pressure.h>
#include <string.h>

#define FAULT_AROUND_PAGES 16

/* One fault being worked on; survives retries. */
struct fault_attempt {
	struct mem_space *space;
	const struct fault *fault;
	struct mem_object *object; /* to load or dirty a page of; a reference */
	uint64_t index;
	struct frame *prepared; /* ops->dirty was called for it; a reference */
	enum fault_outcome outcome;
	bool loaded, major; /* a page was loaded; from somewhere outside memory */
	phys_t frame_phys; /* for the ring */
};

const char *fault_access_in_words(uint64_t error_code)
{
	if (error_code & FAULT_CODE_WRITE)
		return "write";
	return error_code & FAULT_CODE_FETCH ? "execution" : "read";
}

/* As the processor does: what may be written or executed may be read. */
static bool zone_allows(const struct mem_zone *zone, uint32_t access)
{
	if (access == PROT_READ)
		return zone->prot != PROT_NONE;
	return zone->prot & access;
}

static uint64_t zone_page_index(const struct mem_zone *zone, uintptr_t address)
{
	return (zone->offset + (address - zone->beg)) >> PAGE_SHIFT;
}

static void note_frame(struct fault_attempt *attempt, enum fault_outcome outcome,
		       const struct frame *frame)
{
	attempt->outcome = outcome;
	attempt->frame_phys = frame_phys(frame);
}

/* Remembers which page is wanted, so that it can be loaded or dirtied without the space's lock. */
static enum fault_result ask_for(struct fault_attempt *attempt, struct mem_zone *zone,
				 uint64_t index, enum fault_result what)
{
	mem_object_get(zone->object);
	attempt->object = zone->object;
	attempt->index = index;
	return what;
}

/* ---- private anonymous memory ---- */

static enum fault_result fill_anonymous(struct fault_attempt *attempt, struct mem_zone *zone,
					struct page_slot *slot)
{
	struct frame *frame;

	if (attempt->fault->access != PROT_WRITE) {
		page_slot_install(slot, frame_zero, zone->prot, false);
		note_frame(attempt, OUTCOME_ZERO_FRAME, frame_zero);
		return FAULT_DONE;
	}
	frame = frame_alloc_zeroed(FRAME_ANON);
	if (!frame)
		return FAULT_NEEDS_MEMORY;
	page_slot_install(slot, frame, zone->prot, true);
	note_frame(attempt, OUTCOME_FRESH, frame);
	return FAULT_DONE;
}

/* ---- pages of objects ---- */

/* The object's page for the slot, with a reference; NULL if it must be loaded first. */
static struct frame *cached_page(const struct mem_zone *zone, uintptr_t address)
{
	return mem_object_find(zone->object, zone_page_index(zone, address));
}

static uint64_t object_pages(const struct mem_zone *zone)
{
	return PAGE_ALIGN_UP(atomic_load(&zone->object->size)) >> PAGE_SHIFT;
}

static bool past_end(const struct mem_zone *zone, uintptr_t address)
{
	return zone_page_index(zone, address) >= object_pages(zone);
}

/*
 * Where memory is the file, nobody waits to hear of a page's first write: a read may map it
 * writable, and the write needs no fault of its own.
 */
static bool writable_at_once(const struct mem_zone *zone)
{
	const struct mem_operations *ops = zone->object->ops;

	return (zone->flags & ZONE_SHARED) && (zone->prot & PROT_WRITE) && ops->in_memory &&
	       !ops->dirty;
}

/*
 * How many pages behind its own a read fault looks at: not beyond the table, the zone and the
 * object, which may have become smaller since the fault's own page was found to be in it.
 */
static unsigned pages_around(const struct mem_zone *zone, const struct page_slot *slot)
{
	uint64_t next = zone_page_index(zone, slot->address) + 1, end = object_pages(zone);
	uint64_t in_zone = ((zone->end - slot->address) >> PAGE_SHIFT) - 1;
	uint64_t in_object = next < end ? end - next : 0;
	uint64_t pages = MIN(in_zone, in_object);

	return (unsigned)MIN(MIN(pages, page_slots_behind(slot)), FAULT_AROUND_PAGES - 1);
}

/* A read fault maps the cached pages behind its own too; only dirty ones writable. */
static void fault_around(struct mem_zone *zone, const struct page_slot *slot)
{
	uint64_t next = zone_page_index(zone, slot->address) + 1;
	bool writable = writable_at_once(zone);
	struct frame *frames[FAULT_AROUND_PAGES];
	struct page_slot near = *slot;
	unsigned count = mem_object_find_run(zone->object, next, frames, pages_around(zone, slot));

	for (unsigned i = 0; i < count; i++) {
		page_slot_advance(&near);
		if (page_slot_is_empty(&near))
			page_slot_install(&near, frames[i], zone->prot,
					  writable && (frame_state(frames[i]) & FRAME_DIRTY));
		else
			frame_put(frames[i]);
	}
}

/*
 * A shared page is about to become writable: DIRTY is set together with the entry, under the
 * table's lock. Write-back clears DIRTY first and then goes through the tables, so it either finds
 * our entry or we find the page clean.
 */
static enum fault_result map_shared_writable(struct fault_attempt *attempt, struct mem_zone *zone,
					     struct page_slot *slot, struct frame *frame,
					     bool mapped)
{
	if (zone->object->ops->dirty && attempt->prepared != frame &&
	    !(frame_state(frame) & FRAME_DIRTY)) {
		if (!mapped)
			frame_put(frame);
		return ask_for(attempt, zone, frame->index, FAULT_MUST_DIRTY);
	}
	atomic_fetch_or(&frame->state, FRAME_DIRTY);
	if (mapped)
		page_slot_make_writable(slot);
	else
		page_slot_install(slot, frame, zone->prot, true);
	note_frame(attempt, OUTCOME_WRITE_NOTIFIED, frame);
	return FAULT_DONE;
}

/* A private store: the device's page, if it is mapped already, makes way for an anonymous copy. */
static enum fault_result copy_device(struct fault_attempt *attempt, struct mem_zone *zone,
				     struct page_slot *slot, const struct device_page *page)
{
	struct frame *copy = frame_alloc(FRAME_ANON);

	if (!copy)
		return FAULT_NEEDS_MEMORY;
	memcpy(frame_virt(copy), page->memory, PAGE_SIZE);
	if (page_slot_read(slot).kind == ENTRY_DEVICE)
		(void)page_slot_remove(slot);
	page_slot_install(slot, copy, zone->prot, true);
	note_frame(attempt, OUTCOME_COPY, copy);
	return FAULT_DONE;
}

static enum fault_result map_device(struct fault_attempt *attempt, struct mem_zone *zone,
				    struct page_slot *slot)
{
	bool private = zone->flags & ZONE_PRIVATE;
	struct device_page page = {0};

	if (zone->object->ops->map_device(zone->object, zone_page_index(zone, slot->address),
					  &page))
		return FAULT_NO_PAGE;
	if (private && attempt->fault->access == PROT_WRITE)
		return copy_device(attempt, zone, slot, &page);
	page_slot_install_device(slot, &page,
				 private ? zone->prot & ~(uint32_t)PROT_WRITE : zone->prot);
	attempt->outcome = OUTCOME_DEVICE;
	attempt->frame_phys = page.phys;
	return FAULT_DONE;
}

static enum fault_result fill_from_object(struct fault_attempt *attempt, struct mem_zone *zone,
					  struct page_slot *slot)
{
	bool write = attempt->fault->access == PROT_WRITE;
	struct frame *frame;

	/* Under the table's lock: truncate stores the size first, and clears the tables last. */
	if (past_end(zone, slot->address))
		return FAULT_NO_PAGE;
	if (zone->object->ops->map_device)
		return map_device(attempt, zone, slot);
	frame = cached_page(zone, slot->address);
	if (!frame)
		return ask_for(attempt, zone, zone_page_index(zone, slot->address),
			       FAULT_MUST_LOAD);
	if (write && (zone->flags & ZONE_SHARED))
		return map_shared_writable(attempt, zone, slot, frame, false);
	if (write) {
		struct frame *copy = cow_copy(frame);

		frame_put(frame);
		if (!copy)
			return FAULT_NEEDS_MEMORY;
		page_slot_install(slot, copy, zone->prot, true);
		note_frame(attempt, OUTCOME_COPY, copy);
		return FAULT_DONE;
	}
	if (writable_at_once(zone))
		atomic_fetch_or(&frame->state, FRAME_DIRTY);
	page_slot_install(slot, frame, zone->prot, writable_at_once(zone));
	note_frame(attempt, attempt->loaded ? OUTCOME_LOAD : OUTCOME_CACHE_HIT, frame);
	fault_around(zone, slot);
	return FAULT_DONE;
}

/* ---- the table of the head comment ---- */

static bool entry_permits(const struct page_entry *entry, uint32_t access)
{
	if (entry->kind != ENTRY_PRESENT && entry->kind != ENTRY_DEVICE)
		return false;
	if (access == PROT_WRITE)
		return entry->writable;
	return access != PROT_EXEC || entry->executable;
}

static enum fault_result resolve_slot(struct fault_attempt *attempt, struct mem_zone *zone,
				      struct page_slot *slot)
{
	struct page_entry entry;
	enum fault_result result;

	if (page_slot_is_empty(slot))
		return zone->object ? fill_from_object(attempt, zone, slot)
				    : fill_anonymous(attempt, zone, slot);
	entry = page_slot_read(slot);
	if (entry_permits(&entry, attempt->fault->access)) {
		attempt->outcome = OUTCOME_FASTER;
		return FAULT_DONE;
	}
	kassert(entry.kind != ENTRY_HELD);
	if (entry.kind == ENTRY_DEVICE)
		return map_device(attempt, zone, slot);
	if (zone->flags & ZONE_SHARED)
		return map_shared_writable(attempt, zone, slot, entry.frame, true);
	result = cow_break(slot, zone, &entry.frame, &attempt->outcome);
	attempt->frame_phys = frame_phys(entry.frame);
	return result;
}

/* The zone of the address, or what else the address may be. */
static enum fault_result find_zone(struct fault_attempt *attempt, struct mem_zone **zone)
{
	struct mem_zone *found =
		mem_zone_find_from(&attempt->space->zones, attempt->fault->address);

	if (!found)
		return FAULT_NO_ZONE;
	if (found->beg > attempt->fault->address)
		return found->flags & ZONE_STACK ? FAULT_MUST_GROW : FAULT_NO_ZONE;
	*zone = found;
	return zone_allows(found, attempt->fault->access) ? FAULT_DONE : FAULT_FORBIDDEN;
}

static enum fault_result fault_resolve(struct fault_attempt *attempt)
{
	struct mem_zone *zone = NULL;
	struct page_slot slot;
	enum fault_result result = find_zone(attempt, &zone);

	if (result != FAULT_DONE)
		return result;
	if (page_slot_lock(attempt->space, attempt->fault->address, zone->object, &slot))
		return FAULT_NEEDS_MEMORY;
	result = resolve_slot(attempt, zone, &slot);
	page_slot_unlock(&slot);
	return result;
}

/* ---- what sleeps: the space is not locked ---- */

static void attempt_forget(struct fault_attempt *attempt)
{
	if (attempt->object)
		mem_object_put(attempt->object);
	attempt->object = NULL;
}

static enum fault_result fault_load(struct fault_attempt *attempt)
{
	struct frame *frame;
	int error = mem_object_frame(attempt->object, attempt->index, &frame);

	attempt->major |= !attempt->object->ops->in_memory;
	attempt_forget(attempt);
	if (error == -ENOMEM)
		return FAULT_NEEDS_MEMORY;
	if (error)
		return FAULT_NO_PAGE;
	frame_put(frame); /* the cache keeps it; if it is gone again by then, we load again */
	attempt->loaded = true;
	return FAULT_RETRY;
}

/* Asks the object whether its page may be written; the next round maps it. */
static enum fault_result fault_dirty(struct fault_attempt *attempt)
{
	struct frame *frame = mem_object_find(attempt->object, attempt->index);
	int error = 0;

	if (frame) {
		frame_lock(frame);
		if (frame->object == attempt->object)
			error = attempt->object->ops->dirty(attempt->object, frame);
		frame_unlock(frame);
		if (attempt->prepared)
			frame_put(attempt->prepared);
		attempt->prepared = frame;
	}
	attempt_forget(attempt);
	return error ? FAULT_NO_PAGE : FAULT_RETRY;
}

static enum fault_result fault_grow_stack(struct fault_attempt *attempt)
{
	enum fault_result result = stack_grow(attempt->space, attempt->fault->address);

	if (result == FAULT_RETRY)
		attempt->outcome = OUTCOME_STACK_GROWN;
	return result;
}

/* The user's own fault holds no lock; the kernel on its behalf may, of a pipe for one. */
static enum fault_result fault_find_memory(const struct fault *fault)
{
	if (signal_fatal_pending(current_task()))
		return FAULT_KILLED;
	return mem_pressure_relieve(!(fault->error_code & FAULT_CODE_USER)) ? FAULT_RETRY
									    : FAULT_NO_MEMORY;
}

/*
 * As Linux's mm_account_fault: /proc/vmstat counts SIGBUS too, getrusage(2) only what was mapped,
 * and neither a look by the kernel at a page that is there.
 */
static void count_fault(const struct fault_attempt *attempt, enum fault_result result)
{
	struct task *task = current_task();

	if (result == FAULT_NO_ZONE || result == FAULT_FORBIDDEN)
		return;
	cpu_count_one(faults);
	if (attempt->major)
		cpu_count_one(major_faults);
	if (result != FAULT_DONE)
		return;
	if (attempt->major)
		task->major_faults++;
	else
		task->minor_faults++;
}

static enum fault_outcome failed_outcome(enum fault_result result)
{
	if (result == FAULT_NO_ZONE || result == FAULT_FORBIDDEN)
		return OUTCOME_SIGSEGV;
	return result == FAULT_NO_PAGE ? OUTCOME_SIGBUS : OUTCOME_NO_MEMORY;
}

static void attempt_end(struct fault_attempt *attempt, enum fault_result result)
{
	if (attempt->prepared)
		frame_put(attempt->prepared);
	if (result != FAULT_DONE)
		attempt->outcome = failed_outcome(result);
	if (attempt->outcome == OUTCOME_FASTER && !attempt->fault->rip)
		return;
	count_fault(attempt, result);
	fault_ring_record(attempt->fault, attempt->outcome, attempt->frame_phys);
}

/* Gets what the attempt came back for, if it can be had: FAULT_RETRY. */
static __attribute__((noinline)) enum fault_result
fault_help(struct fault_attempt *attempt, enum fault_result result)
{
	if (result == FAULT_MUST_LOAD)
		result = fault_load(attempt);
	else if (result == FAULT_MUST_DIRTY)
		result = fault_dirty(attempt);
	else if (result == FAULT_MUST_GROW)
		result = fault_grow_stack(attempt);
	return result == FAULT_NEEDS_MEMORY ? fault_find_memory(attempt->fault) : result;
}

enum fault_result page_fault_handler(struct mem_space *space, const struct fault *fault)
{
	struct fault_attempt attempt = {.space = space, .fault = fault};
	enum fault_result result = FAULT_NO_ZONE;

	if (fault->address < USER_SPACE_END) {
		do {
			rw_read_lock(&space->lock);
			result = fault_resolve(&attempt);
			rw_read_unlock(&space->lock);
			if (unlikely(result != FAULT_DONE))
				result = fault_help(&attempt, result);
		} while (result == FAULT_RETRY);
	}
	attempt_end(&attempt, result);
	return result;
}
