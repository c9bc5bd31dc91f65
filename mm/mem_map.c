/*
 * mm/mem_map.c - the shape of a space: mapping, unmapping, brk and the stack's growth.
 *
 * Called by sys_mem.c, exec and fault.c (stack_grow). Everything that can fail is done before
 * the first change, so a call that fails leaves nothing behind.
 *
 * Locks: the space for writing during a change. Files and objects of zones that went are let go
 * after it was unlocked (zones_end).
 *
 * Not here: protection (mem_protect.c), moving (mem_remap.c), filling pages (fault.c).
 */
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <mm/cow.h>
#include <mm/mm_private.h>

/* Between a stack and what lies below it, as Linux's stack_guard_gap: 256 pages. A distance, not a zone. */
#define STACK_GUARD_GAP (256 * PAGE_SIZE)

bool over_address_limit(const struct mem_space *space, size_t more)
{
	uint64_t limit = process_limit(RLIMIT_AS);

	return limit != RLIM_INFINITY && (space->mapped_pages << PAGE_SHIFT) + more > limit;
}

static void count_mapped(struct mem_space *space, const struct mem_zone *zone)
{
	space->mapped_pages += (zone->end - zone->beg) >> PAGE_SHIFT;
	space->peak_pages = MAX(space->peak_pages, space->mapped_pages);
}

/* Where a mapping goes: the hint if it is free, else the highest free range. 0: nowhere. */
static uintptr_t choose_place(const struct mem_space *space, uintptr_t hint, size_t length)
{
	struct mem_zone *above;

	hint = PAGE_ALIGN_DOWN(hint);
	if (hint >= USER_SPACE_BEGIN && length <= USER_SPACE_END && hint <= USER_SPACE_END - length &&
	    !mem_zone_find_overlap(&space->zones, hint, hint + length)) {
		above = mem_zone_find_from(&space->zones, hint);
		if (!above || !(above->flags & ZONE_STACK) || above->beg - STACK_GUARD_GAP >= hint + length)
			return hint;
	}
	return find_free_mem_range(&space->zones, length, USER_SPACE_BEGIN, space->mmap_top);
}

/* Rights and meaning of the mapping: what the file allows, what it says mapping means. */
static int zone_bind_file(struct mem_zone *zone, struct file *file)
{
	if (!file->readable)
		return -EACCES;
	if (zone->flags & ZONE_SHARED && !file->writable) {
		if (zone->prot & PROT_WRITE)
			return -EACCES;
		zone->max_prot &= ~(uint32_t)PROT_WRITE;
	}
	if (!file->ops->mmap)
		return -ENODEV;
	zone->file = file;
	return file->ops->mmap(file, zone);
}

/* A zone with everything but its place. Its object, if any, comes with a reference. */
static int zone_prepare(struct mem_zone *zone, size_t length, int prot, int flags, struct file *file,
			uint64_t offset)
{
	zone->prot = (uint32_t)prot;
	zone->max_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	zone->flags = (flags & MAP_TYPE) == MAP_PRIVATE ? ZONE_PRIVATE : ZONE_SHARED;
	zone->offset = offset;
	zone->beg = 0; /* its place is not known yet, its length is */
	zone->end = length;
	if (flags & MAP_GROWSDOWN)
		zone->flags |= ZONE_STACK;
	if (file)
		return zone_bind_file(zone, file);
	zone->offset = 0;
	if (zone->flags & ZONE_SHARED) {
		int error = anon_object_create(length, &zone->object);

		if (error)
			return error;
		zone->ops = zone->object->ops;
	}
	return 0;
}

/* Places the zone in the locked space: picks or checks the range, removes what lies there. */
static int zone_place(struct mem_space *space, struct mem_zone *zone, uintptr_t hint, size_t length,
		      int flags, struct zone_spares *spares, struct list_node *ended)
{
	uintptr_t beg = hint;

	if (over_address_limit(space, length) || space->zones.count >= ZONES_MAX)
		return -ENOMEM;
	if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
		beg = choose_place(space, hint, length);
	if (beg == 0 && !(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
		return -ENOMEM;
	if ((flags & MAP_FIXED_NOREPLACE) && mem_zone_find_overlap(&space->zones, beg, beg + length))
		return -EEXIST;
	zones_cut(space, beg, beg + length, spares, ended);
	zone->beg = beg;
	zone->end = beg + length;
	zone->space = space;
	mem_zone_insert(&space->zones, zone);
	zone_attach(zone);
	count_mapped(space, zone);
	return 0;
}

int mem_map(struct mem_space *space, uintptr_t hint, size_t length, int prot, int flags, struct file *file,
	    uint64_t offset, uintptr_t *result)
{
	struct list_node ended = LIST_INIT(ended);
	struct mem_object *object;
	struct zone_spares spares;
	struct mem_zone *zone;
	bool writer = false;
	int error;

	length = PAGE_ALIGN_UP(length);
	if (length == 0 || length > USER_SPACE_END)
		return -ENOMEM;
	if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && hint > USER_SPACE_END - length)
		return -ENOMEM;
	zone = zone_allocate();
	if (!zone)
		return -ENOMEM;
	error = zone_spares_fill(&spares);
	if (error)
		goto free_zone;
	rw_write_lock(&space->lock);
	error = zone_prepare(zone, length, prot, flags, file, offset);
	object = zone->object;
	if (!error && zone_is_writer(zone)) {
		writer = mem_object_writer_get(object);
		error = writer ? 0 : -EPERM;
	}
	if (!error)
		error = zone_place(space, zone, hint, length, flags, &spares, &ended);
	if (!error) {
		*result = zone->beg;
		zone_merge(space, zone, &ended);
	}
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	/* These were ours; the zone has taken its own. */
	if (writer)
		mem_object_writer_put(object);
	if (object)
		mem_object_put(object);
	zone_spares_drop(&spares);
free_zone:
	if (error)
		zone_free_blank(zone);
	return error;
}

int mem_unmap(struct mem_space *space, uintptr_t addr, size_t length)
{
	struct list_node ended = LIST_INIT(ended);
	uintptr_t end = addr + PAGE_ALIGN_UP(length);
	struct zone_spares spares;
	int error;

	if (addr % PAGE_SIZE || length == 0 || addr > USER_SPACE_END || length > USER_SPACE_END - addr)
		return -EINVAL;
	error = zone_spares_fill(&spares);
	if (error)
		return error;
	rw_write_lock(&space->lock);
	if (zones_cut_refused(space, addr, end))
		error = -ENOMEM;
	else
		zones_cut(space, addr, end, &spares, &ended);
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	zone_spares_drop(&spares);
	return error;
}

/* ---- brk ---- */

void mem_set_brk(struct mem_space *space, uintptr_t start)
{
	space->brk_beg = space->brk_end = start;
}

static bool brk_allowed(const struct mem_space *space, uintptr_t brk)
{
	uint64_t limit = process_limit(RLIMIT_DATA);

	return brk >= space->brk_beg && brk < USER_SPACE_END - STACK_GUARD_GAP &&
	       (limit == RLIM_INFINITY || brk - space->brk_beg <= limit);
}

/* [from, to) becomes heap, if it is free, as is a page behind it, or a stack's guard gap. */
static bool brk_extend(struct mem_space *space, uintptr_t from, uintptr_t to, struct mem_zone *zone, struct list_node *ended)
{
	struct mem_zone *above = mem_zone_find_from(&space->zones, from);
	size_t gap = above && above->flags & ZONE_STACK ? STACK_GUARD_GAP : PAGE_SIZE;

	if (above && above->beg < to + gap)
		return false;
	if (over_address_limit(space, to - from) || space->zones.count >= ZONES_MAX)
		return false;
	zone->beg = from;
	zone->end = to;
	zone->prot = PROT_READ | PROT_WRITE;
	zone->max_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	zone->flags = ZONE_PRIVATE | ZONE_HEAP;
	zone->space = space;
	mem_zone_insert(&space->zones, zone);
	zone_attach(zone);
	count_mapped(space, zone);
	zone_merge(space, zone, ended);
	return true;
}

uintptr_t mem_brk(struct mem_space *space, uintptr_t brk)
{
	struct list_node ended = LIST_INIT(ended);
	struct mem_zone *zone = zone_allocate();
	struct zone_spares spares;
	uintptr_t result;

	if (!zone || zone_spares_fill(&spares)) {
		zone_free_blank(zone);
		return space->brk_end;
	}
	rw_write_lock(&space->lock);
	if (brk_allowed(space, brk)) {
		uintptr_t old_end = PAGE_ALIGN_UP(space->brk_end), new_end = PAGE_ALIGN_UP(brk);

		if (new_end < old_end)
			zones_cut(space, new_end, old_end, &spares, &ended);
		if (new_end > old_end && brk_extend(space, old_end, new_end, zone, &ended))
			zone = NULL;
		if (new_end <= old_end || !zone)
			space->brk_end = brk;
	}
	result = space->brk_end;
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	zone_spares_drop(&spares);
	zone_free_blank(zone);
	return result;
}

/* ---- stacks ---- */

int mem_map_stack(struct mem_space *space, uintptr_t top, size_t initial, int prot)
{
	uintptr_t beg;
	int error = mem_map(space, top - initial, initial, prot,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, NULL, 0, &beg);
	uint64_t limit = process_limit(RLIMIT_STACK);
	uintptr_t room;

	if (error)
		return error;
	space->stack_top = top;
	/* Mappings start below what the stack may grow to, within reason (Linux: 128 MiB to 5/6 of space). */
	room = MAX(MIN(limit, USER_SPACE_END / 6 * 5), 128ul << 20);
	space->mmap_top = PAGE_ALIGN_DOWN(top - room - STACK_GUARD_GAP);
	return 0;
}

/* The stack zone above addr may begin at addr's page: within its limit, clear of what lies below. */
static bool stack_may_grow(const struct mem_space *space, const struct mem_zone *stack, uintptr_t beg)
{
	struct mem_zone *below = mem_zone_prev(&space->zones, stack);
	uint64_t limit = process_limit(RLIMIT_STACK);

	if (limit != RLIM_INFINITY && stack->end - beg > limit)
		return false;
	if (over_address_limit(space, stack->beg - beg) || beg < USER_SPACE_BEGIN)
		return false;
	if (!below || below->flags & ZONE_STACK || below->prot == PROT_NONE)
		return !below || below->end <= beg;
	return beg >= STACK_GUARD_GAP && below->end <= beg - STACK_GUARD_GAP;
}

enum fault_result stack_grow(struct mem_space *space, uintptr_t addr)
{
	struct list_node ended = LIST_INIT(ended);
	enum fault_result result = FAULT_NO_ZONE;
	uintptr_t beg = PAGE_ALIGN_DOWN(addr);
	struct mem_zone *stack;

	rw_write_lock(&space->lock);
	stack = mem_zone_find_from(&space->zones, addr);
	if (stack && stack->beg <= addr) {
		result = FAULT_RETRY; /* another thread grew it */
	} else if (stack && (stack->flags & ZONE_STACK) && stack_may_grow(space, stack, beg)) {
		space->mapped_pages += (stack->beg - beg) >> PAGE_SHIFT;
		space->peak_pages = MAX(space->peak_pages, space->mapped_pages);
		mem_zone_resize(&space->zones, stack, beg, stack->end);
		zone_merge(space, stack, &ended);
		result = FAULT_RETRY;
	}
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	return result;
}
