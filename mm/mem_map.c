/*
 * mm/mem_map.c - the shape of a space: mapping, unmapping, brk and the stack's growth.
 *
 * Called by sys_mem.c, exec and fault.c (stack_grow). Everything that can fail is done before
 * the first change, so a call that fails leaves nothing behind.
 *
 * Locks: the space for writing during a change. Files and objects of zones that went are let go
 * after it was unlocked (zones_end).
 *
 * Not here: protection (mem_protect.c), moving (mem_remap.c), locking (mem_lock.c), limits
 * (mem_limit.c), filling pages (fault.c).
 */
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <mm/cow.h>
#include <mm/mm_private.h>

/*
 * Between a stack and what lies below it, as Linux's stack_guard_gap: 256 pages. A distance, not a
 * zone.
 */
#define STACK_GUARD_GAP (256 * PAGE_SIZE)

/* Where MAP_32BIT puts mappings, as Linux does: the second gigabyte. */
#define LOW_RANGE_BEGIN 0x40000000ul
#define LOW_RANGE_END 0x80000000ul

static bool clear_of_stack(const struct mem_space *space, uintptr_t end)
{
	const struct mem_zone *above = mem_zone_find_from(&space->zones, end);

	return !above || !(above->flags & ZONE_STACK) || above->beg - end >= STACK_GUARD_GAP;
}

static bool place_is_free(const struct mem_space *space, uintptr_t beg, size_t length,
			  uintptr_t high)
{
	return length <= high && beg <= high - length &&
	       !mem_zone_find_overlap(&space->zones, beg, beg + length) &&
	       clear_of_stack(space, beg + length);
}

/* The highest free range that keeps its distance from a stack above it; 0: there is none. */
static uintptr_t highest_place(const struct mem_space *space, size_t length, uintptr_t low,
			       uintptr_t high)
{
	uintptr_t beg;

	while ((beg = find_free_mem_range(&space->zones, length, low, high))) {
		if (clear_of_stack(space, beg + length))
			return beg;
		high = mem_zone_find_from(&space->zones, beg + length)->beg - STACK_GUARD_GAP;
	}
	return 0;
}

uintptr_t mem_choose_place(const struct mem_space *space, uintptr_t hint, size_t length, int flags)
{
	uintptr_t high = flags & MAP_32BIT ? LOW_RANGE_END : USER_SPACE_END, beg;

	hint = PAGE_ALIGN_DOWN(hint);
	if (hint) {
		hint = MAX(hint, USER_SPACE_BEGIN);
		if (place_is_free(space, hint, length, high))
			return hint;
	}
	if (flags & MAP_32BIT)
		return highest_place(space, length, LOW_RANGE_BEGIN, LOW_RANGE_END);
	beg = highest_place(space, length, USER_SPACE_BEGIN, space->mmap_top);
	/* What was left for the stack to grow into is better than nothing. */
	return beg ? beg : highest_place(space, length, USER_SPACE_BEGIN, USER_SPACE_END);
}

/*
 * What MAP_SHARED_VALIDATE must know (mmap(2)): what there was before it. MAP_SYNC has no device
 * here.
 */
#define MAP_KNOWN                                                                                  \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE |   \
	 MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_32BIT |   \
	 MAP_HUGE_2MB | MAP_HUGE_1GB) /* sizes, without MAP_HUGETLB of nothing */

/*
 * mmap(2): EOVERFLOW, EOPNOTSUPP and EINVAL of the flags, which Linux finds once it knows a place.
 */
static int kind_check(size_t length, int flags, const struct file *file, uint64_t offset)
{
	int type = flags & MAP_TYPE;

	if (file && (offset > INT64_MAX || length > INT64_MAX - offset))
		return -EOVERFLOW; /* no file is as long: off_t is signed */
	if (file && type == MAP_SHARED_VALIDATE)
		return flags & ~MAP_KNOWN ? -EOPNOTSUPP : 0;
	if (type != MAP_SHARED && type != MAP_PRIVATE)
		return -EINVAL; /* without a file, nothing could validate */
	if ((flags & MAP_GROWSDOWN) && type == MAP_SHARED && !file)
		return -EINVAL;
	return 0;
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
	if (file_forbids_execution(file)) {
		if (zone->prot & PROT_EXEC)
			return -EPERM;
		zone->max_prot &= ~(uint32_t)PROT_EXEC;
	}
	if (zone->flags & ZONE_STACK)
		return -EINVAL; /* only what has no offset can grow below its beginning */
	zone->file = file;
	return file->ops->mmap(file, zone);
}

/* A zone with everything but its place. Its object, if any, comes with a reference. */
static int zone_prepare(struct mem_zone *zone, size_t length, int prot, int flags,
			struct file *file, uint64_t offset)
{
	int error = kind_check(length, flags, file, offset);

	if (error)
		return error;
	zone->prot = (uint32_t)prot;
	zone->max_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	zone->flags = (flags & MAP_TYPE) == MAP_PRIVATE ? ZONE_PRIVATE : ZONE_SHARED;
	zone->offset = offset;
	zone->beg = 0; /* its place is not known yet, its length is */
	zone->end = length;
	if (flags & MAP_GROWSDOWN)
		zone->flags |= ZONE_STACK;
	if (flags & MAP_STACK)
		zone->flags |= ZONE_NO_HUGE; /* Linux 6.7: stacks of threads are small */
	if (file)
		return zone_bind_file(zone, file);
	zone->offset = 0;
	if (zone->flags & ZONE_SHARED) {
		error = anon_object_create(length, &zone->object);
		if (error)
			return error;
		zone->ops = zone->object->ops;
	}
	return 0;
}

/*
 * The ZONE_LOCK_FLAGS of a new mapping: of MAP_LOCKED, or made after mlockall(MCL_FUTURE). 0, or
 * mmap(2): EPERM, EAGAIN.
 */
static int choose_lock(const struct mem_space *space, size_t length, int flags, uint32_t *lock)
{
	*lock = space->lock_future;
	if (flags & MAP_LOCKED) {
		if (locking_forbidden())
			return -EPERM;
		*lock |= ZONE_LOCKED;
	}
	return *lock && over_lock_limit(space, length >> PAGE_SHIFT) ? -EAGAIN : 0;
}

/* The pages that a mapping at [beg, end) replaces. */
static int64_t pages_in(const struct mem_space *space, uintptr_t beg, uintptr_t end)
{
	const struct mem_zone *zone = mem_zone_find_overlap(&space->zones, beg, end);
	uint64_t bytes = 0;

	for (; zone && zone->beg < end; zone = mem_zone_next(&space->zones, zone))
		bytes += MIN(zone->end, end) - MAX(zone->beg, beg);
	return (int64_t)(bytes >> PAGE_SHIFT);
}

static int choose_range(const struct mem_space *space, uintptr_t hint, size_t length, int flags,
			uintptr_t *beg)
{
	*beg = hint;
	if (length > USER_SPACE_END)
		return -ENOMEM;
	if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
		*beg = mem_choose_place(space, hint, length, flags);
		return *beg ? 0 : -ENOMEM;
	}
	if (hint > USER_SPACE_END - length)
		return -ENOMEM;
	if (hint % PAGE_SIZE)
		return -EINVAL;
	if (hint < USER_SPACE_BEGIN && !process_is_root())
		return -EPERM;
	if ((flags & MAP_FIXED_NOREPLACE) &&
	    mem_zone_find_overlap(&space->zones, hint, hint + length))
		return -EEXIST;
	return 0;
}

/*
 * Private anonymous memory next to its like: that grows instead of merging later. False: there is
 * no such neighbour. True: `zone`, never inserted, is ended.
 */
static bool zone_extend_neighbour(struct mem_space *space, struct mem_zone *zone,
				  struct list_node *ended)
{
	struct mem_zone *next, *prev;

	if (zone->object || zone->file)
		return false;
	next = mem_zone_find_from(&space->zones, zone->beg);
	prev = next ? mem_zone_prev(&space->zones, next) : NULL;
	if (next && mem_zone_can_merge(zone, next)) {
		mem_zone_resize(&space->zones, next, zone->beg, next->end);
		zone_merge(space, next, ended); /* the one below may be its equal too */
	} else if (prev && mem_zone_can_merge(prev, zone)) {
		mem_zone_resize(&space->zones, prev, prev->beg, zone->end);
	} else {
		return false;
	}
	list_push_back(ended, &zone->next);
	return true;
}

/*
 * Places the zone at `beg` in the locked space: with MAP_FIXED, removes what lies there. The zone
 * may become part of a neighbour.
 */
static int zone_place(struct mem_space *space, struct mem_zone *zone, uintptr_t beg, size_t length,
		      int flags, struct list_node *ended)
{
	struct mem_zone *spare = NULL;
	int64_t replaced = 0;
	int error;

	if (flags & MAP_FIXED)
		replaced = pages_in(space, beg, beg + length);
	if (zone_over_limit(space, zone, (int64_t)(length >> PAGE_SHIFT) - replaced) ||
	    space->zones.count >= ZONES_MAX)
		return -ENOMEM;
	if (replaced) {
		error = zones_cut_prepare(space, beg, beg + length, &spare);
		if (error)
			return error;
		zones_cut(space, beg, beg + length, &spare, ended);
	}
	zone->beg = beg;
	zone->end = beg + length;
	zone->space = space;
	zone_count(space, zone, (int64_t)(length >> PAGE_SHIFT));
	if (zone_extend_neighbour(space, zone, ended))
		return 0;
	mem_zone_insert(&space->zones, zone);
	zone_attach(zone);
	zone_merge(space, zone, ended);
	return 0;
}

int mem_map(struct mem_space *space, uintptr_t hint, size_t length, int prot, int flags,
	    struct file *file, uint64_t offset, uintptr_t *result)
{
	struct list_node ended = LIST_INIT(ended);
	struct mem_object *object;
	struct mem_zone *zone;
	uint32_t lock = 0;
	bool writer = false;
	bool fill = (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	int error;

	/* The order of the errors is Linux's. */
	length = PAGE_ALIGN_UP(length);
	zone = length ? zone_allocate() : NULL;
	if (!zone)
		return -ENOMEM;
	rw_write_lock(&space->lock);
	error = choose_range(space, hint, length, flags, result);
	if (!error)
		error = choose_lock(space, length, flags, &lock);
	if (!error)
		error = zone_prepare(zone, length, prot, flags, file, offset);
	object = zone->object;
	if (!error && zone_is_writer(zone)) {
		writer = mem_object_writer_get(object);
		error = writer ? 0 : -EPERM;
	}
	if (!error && !zone_is_device(zone))
		zone->flags |= lock;
	if (!error)
		error = zone_place(space, zone, *result, length, flags, &ended);
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	/* These were ours; the zone has taken its own. */
	if (writer)
		mem_object_writer_put(object);
	if (object)
		mem_object_put(object);
	if (error)
		zone_free_blank(zone);
	else if (fill || lock)
		(void)mem_fill(space, *result, length); /* the mapping stands, full or not */
	return error;
}

int mem_unmap(struct mem_space *space, uintptr_t addr, size_t length)
{
	struct list_node ended = LIST_INIT(ended);
	uintptr_t end = addr + PAGE_ALIGN_UP(length);
	struct mem_zone *spare;
	int error;

	if (addr % PAGE_SIZE || length == 0 || addr > USER_SPACE_END ||
	    length > USER_SPACE_END - addr)
		return -EINVAL;
	rw_write_lock(&space->lock);
	error = zones_cut_prepare(space, addr, end, &spare);
	if (!error)
		zones_cut(space, addr, end, &spare, &ended);
	rw_write_unlock(&space->lock);
	zones_end(&ended);
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

/*
 * [from, to) becomes heap, if it is free, as is a page behind it, and then a stack's guard gap.
 * False: it does not, for lack of memory or because of a limit too.
 */
static bool brk_extend(struct mem_space *space, uintptr_t from, uintptr_t to,
		       struct list_node *ended)
{
	struct mem_zone *above = mem_zone_find_from(&space->zones, from), *zone;
	size_t gap = PAGE_SIZE + (above && above->flags & ZONE_STACK ? STACK_GUARD_GAP : 0);
	uint64_t pages = (to - from) >> PAGE_SHIFT;

	if (above && above->beg < to + gap)
		return false;
	if (space->zones.count >= ZONES_MAX ||
	    (space->lock_future && over_lock_limit(space, pages)))
		return false;
	zone = zone_allocate();
	if (!zone)
		return false;
	zone->beg = from;
	zone->end = to;
	zone->prot = PROT_READ | PROT_WRITE;
	zone->max_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	zone->flags = ZONE_PRIVATE | space->lock_future;
	zone->space = space;
	if (zone_over_limit(space, zone, (int64_t)pages)) {
		zone_free_blank(zone);
		return false;
	}
	mem_zone_insert(&space->zones, zone);
	zone_attach(zone);
	zone_count(space, zone, (int64_t)pages);
	zone_merge(space, zone, ended);
	return true;
}

/* [from, to) was heap; some of it may have been unmapped, but not all. */
static bool brk_shrink(struct mem_space *space, uintptr_t from, uintptr_t to,
		       struct list_node *ended)
{
	struct mem_zone *spare;

	if (!mem_zone_find_overlap(&space->zones, from, to) ||
	    zones_cut_prepare(space, from, to, &spare))
		return false;
	zones_cut(space, from, to, &spare, ended);
	return true;
}

uintptr_t mem_brk(struct mem_space *space, uintptr_t brk)
{
	struct list_node ended = LIST_INIT(ended);
	uintptr_t old_end, new_end = PAGE_ALIGN_UP(brk), result;
	bool fill = false, done = false;

	rw_write_lock(&space->lock);
	old_end = PAGE_ALIGN_UP(space->brk_end);
	if (brk_allowed(space, brk)) {
		if (new_end < old_end)
			done = brk_shrink(space, new_end, old_end, &ended);
		else if (new_end > old_end)
			fill = done = brk_extend(space, old_end, new_end, &ended);
		else
			done = true;
	}
	if (done)
		space->brk_end = brk;
	fill = fill && space->lock_future;
	result = space->brk_end;
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	if (fill)
		(void)mem_fill(space, old_end, new_end - old_end);
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
	/*
	 * Mappings start below what the stack may grow to, within reason (Linux: 128 MiB to 5/6 of
	 * space).
	 */
	room = MAX(MIN(limit, USER_SPACE_END / 6 * 5), 128ul << 20);
	space->mmap_top = PAGE_ALIGN_DOWN(top - room - STACK_GUARD_GAP);
	return 0;
}

/*
 * The stack zone above addr may begin at addr's page: within its limit, clear of what lies below.
 */
static bool stack_may_grow(const struct mem_space *space, const struct mem_zone *stack,
			   uintptr_t beg)
{
	struct mem_zone *below = mem_zone_prev(&space->zones, stack);
	uint64_t limit = process_limit(RLIMIT_STACK), pages = (stack->beg - beg) >> PAGE_SHIFT;

	if (limit != RLIM_INFINITY && stack->end - beg > limit)
		return false;
	if (zone_over_limit(space, stack, (int64_t)pages) || beg < USER_SPACE_BEGIN)
		return false;
	if ((stack->flags & ZONE_LOCKED) && over_lock_limit(space, pages))
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
		zone_count(space, stack, (int64_t)((stack->beg - beg) >> PAGE_SHIFT));
		mem_zone_resize(&space->zones, stack, beg, stack->end);
		zone_merge(space, stack, &ended);
		result = FAULT_RETRY;
	}
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	return result;
}
