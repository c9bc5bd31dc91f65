/*
 * mm/mem_advise.c - madvise: what a program says of the pages of a range.
 *
 *   advice that               zones of the range                            space locked
 *   changes how they behave   are cut, get the flag, are joined again       for writing
 *   lets pages go             lose their entries                            for reading
 *   concerns the object       are looked up; the object works unlocked      not meanwhile
 *   populates                 fault in page by page (space_access.c)        by each fault
 *   is only a hint            are looked at for errors                      for reading
 *
 * The walk goes on behind a hole, which makes the result ENOMEM; a zone for which the advice is
 * wrong ends it.
 *
 * Not here: process_madvise (kernel/pidfd.c), msync (mem_sync.c).
 * Tests: tests/guest/madvise.c.
 */
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <linux/falloc.h>
#include <linux/mman.h>
#include <mm/mm_private.h>

/* One madvise under way: it has come to [beg, end) of a zone. */
struct advice {
	struct mem_space *space;
	int number; /* MADV_* */
	uintptr_t beg, end;
	struct list_node ended;
};

/* ---- flags of zones ---- */

struct flag_change {
	int advice;
	uint32_t set, clear;
};

static const struct flag_change flag_changes[] = {
	{MADV_NORMAL, 0, ZONE_RANDOM | ZONE_SEQUENTIAL},
	{MADV_RANDOM, ZONE_RANDOM, ZONE_SEQUENTIAL},
	{MADV_SEQUENTIAL, ZONE_SEQUENTIAL, ZONE_RANDOM},
	{MADV_DONTFORK, ZONE_DONT_FORK, 0},
	{MADV_DOFORK, 0, ZONE_DONT_FORK},
	{MADV_WIPEONFORK, ZONE_WIPE_ON_FORK, 0},
	{MADV_KEEPONFORK, 0, ZONE_WIPE_ON_FORK},
	{MADV_DONTDUMP, ZONE_DONT_DUMP, 0},
	{MADV_DODUMP, 0, ZONE_DONT_DUMP},
	{MADV_HUGEPAGE, ZONE_HUGE, ZONE_NO_HUGE},
	{MADV_NOHUGEPAGE, ZONE_NO_HUGE, ZONE_HUGE},
	{MADV_MERGEABLE, ZONE_MERGEABLE, 0},
	{MADV_UNMERGEABLE, 0, ZONE_MERGEABLE},
};

static const struct flag_change *flag_change_find(int advice)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_changes); i++)
		if (flag_changes[i].advice == advice)
			return &flag_changes[i];
	return NULL;
}

/* The zone's flags after the advice: 0, or -EINVAL where it makes no sense. */
static int flags_advised(const struct mem_zone *zone, int advice, uint32_t *flags)
{
	const struct flag_change *change = flag_change_find(advice);

	if (advice == MADV_WIPEONFORK && (zone->file || (zone->flags & ZONE_SHARED)))
		return -EINVAL; /* only what no one else sees can be wiped */
	if ((advice == MADV_DOFORK || advice == MADV_DODUMP) && zone_is_device(zone))
		return -EINVAL;
	*flags = (zone->flags & ~change->clear) | change->set;
	if (advice == MADV_MERGEABLE && ((zone->flags & ZONE_SHARED) || zone_is_device(zone)))
		*flags = zone->flags; /* never merged: the advice is ignored */
	return 0;
}

static int advise_flags(struct advice *advice, struct mem_zone *zone)
{
	uint32_t flags;
	int error = flags_advised(zone, advice->number, &flags);

	if (error || flags == zone->flags)
		return error;
	if (zone_isolate(advice->space, &zone, advice->beg, advice->end))
		return -EAGAIN; /* madvise(2): a kernel resource was temporarily unavailable */
	zone->flags = flags;
	zone_merge(advice->space, zone, &advice->ended);
	return 0;
}

/* ---- pages that may go ---- */

static int advise_drop(struct advice *advice, struct mem_zone *zone)
{
	if (zone_is_device(zone))
		return -EINVAL;
	if ((zone->flags & ZONE_LOCKED) && advice->number != MADV_DONTNEED_LOCKED)
		return -EINVAL;
	if (advice->number == MADV_FREE && zone->object)
		return -EINVAL;
	page_table_clear_range(advice->space, advice->beg, advice->end, CLEAR_BESIDE_FAULTS);
	return 0;
}

/* There is nowhere to page out to: the advice changes nothing. */
static int advise_cold(struct advice *advice, struct mem_zone *zone)
{
	(void)advice;
	return zone_is_device(zone) || (zone->flags & ZONE_LOCKED) ? -EINVAL : 0;
}

/* ---- what the object does: the space is not locked meanwhile ---- */

static uint64_t offset_of(const struct mem_zone *zone, uintptr_t address)
{
	return zone->offset + (address - zone->beg);
}

static int advise_will_need(struct advice *advice, struct mem_zone *zone) NO_THREAD_SAFETY_ANALYSIS
{
	struct mem_object *object = zone->object;
	uint64_t first = offset_of(zone, advice->beg) >> PAGE_SHIFT;
	uint64_t last = offset_of(zone, advice->end - 1) >> PAGE_SHIFT;

	if (!object || zone_is_device(zone))
		return 0;
	mem_object_get(object);
	rw_read_unlock(&advice->space->lock);
	mem_object_prefetch(object, first, last);
	mem_object_put(object);
	rw_read_lock(&advice->space->lock);
	return 0;
}

/* A hole in the file, which a device refuses, or in shared memory that has none. */
static int remove_bytes(struct file *file, struct mem_object *object, uint64_t offset,
			uint64_t length)
{
	if (file && (file->inode->object == object || object->ops->map_device))
		return file_allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
				     length);
	if (!object->ops->in_memory)
		return -EOPNOTSUPP;
	mem_object_punch(object, offset >> PAGE_SHIFT, (offset + length - 1) >> PAGE_SHIFT);
	return 0;
}

static int advise_remove(struct advice *advice, struct mem_zone *zone) NO_THREAD_SAFETY_ANALYSIS
{
	struct mem_object *object = zone->object;
	struct file *file = zone->file;
	uint64_t offset = offset_of(zone, advice->beg);
	int error;

	if ((!object && !file) || (zone->flags & ZONE_LOCKED))
		return -EINVAL;
	if (!(zone->flags & ZONE_SHARED) || !(zone->max_prot & PROT_WRITE))
		return -EACCES;
	mem_object_get(object);
	if (file)
		file_get(file);
	rw_read_unlock(&advice->space->lock);
	error = remove_bytes(file, object, offset, advice->end - advice->beg);
	mem_object_put(object);
	if (file)
		file_put(file);
	rw_read_lock(&advice->space->lock);
	return error;
}

/* ---- the walk ---- */

typedef int (*advise_zone)(struct advice *advice, struct mem_zone *zone);

/*
 * Every zone is looked up anew: the one before may have been cut or joined, or the space unlocked.
 */
static int advise_zones(struct advice *advice, uintptr_t at, uintptr_t end, advise_zone visit)
{
	int hole = 0, error;

	while (at < end) {
		struct mem_zone *zone = mem_zone_find_overlap(&advice->space->zones, at, end);

		if (!zone || zone->beg > at)
			hole = -ENOMEM;
		if (!zone)
			break;
		advice->beg = MAX(at, zone->beg);
		advice->end = at = MIN(zone->end, end);
		error = visit(advice, zone);
		if (error)
			return error;
	}
	return hole;
}

static int advise_reading(struct advice *advice, uintptr_t beg, uintptr_t end, advise_zone visit)
{
	int error;

	rw_read_lock(&advice->space->lock);
	error = advise_zones(advice, beg, end, visit);
	rw_read_unlock(&advice->space->lock);
	return error;
}

static int advise_writing(struct advice *advice, uintptr_t beg, uintptr_t end, advise_zone visit)
{
	int error;

	list_init(&advice->ended);
	rw_write_lock(&advice->space->lock);
	error = advise_zones(advice, beg, end, visit);
	rw_write_unlock(&advice->space->lock);
	zones_end(&advice->ended);
	return error;
}

/*
 * The part of [at, end) to populate next ends at *stop: 0, or why it cannot be (madvise(2),
 * ERRORS).
 */
static int next_to_populate(struct mem_space *space, uintptr_t at, uintptr_t end, uint32_t prot,
			    uintptr_t *stop)
{
	const struct mem_zone *zone;
	int error = 0;

	rw_read_lock(&space->lock);
	zone = mem_zone_find(&space->zones, at); /* no stack grows */
	if (!zone)
		error = -ENOMEM;
	else if (zone_is_device(zone) || !(zone->prot & prot)) /* even if it can be read */
		error = -EINVAL;
	else
		*stop = MIN(zone->end, end);
	rw_read_unlock(&space->lock);
	return error;
}

static int advise_populate(struct mem_space *space, uintptr_t beg, uintptr_t end, uint32_t prot)
{
	int error = 0;

	while (beg < end && !error) {
		uintptr_t stop = end;

		error = next_to_populate(space, beg, end, prot, &stop);
		if (!error)
			error = mem_populate(space, beg, stop - beg, prot == PROT_WRITE);
		beg = stop;
	}
	return error;
}

static int advise_range(struct mem_space *space, uintptr_t beg, uintptr_t end, int number)
{
	struct advice advice = {.space = space, .number = number};

	switch (number) {
	case MADV_POPULATE_READ:
		return advise_populate(space, beg, end, PROT_READ);
	case MADV_POPULATE_WRITE:
		return advise_populate(space, beg, end, PROT_WRITE);
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE: /* may free at any time: at once is a time */
		return advise_reading(&advice, beg, end, advise_drop);
	case MADV_COLD:
	case MADV_PAGEOUT:
		return advise_reading(&advice, beg, end, advise_cold);
	case MADV_WILLNEED:
		return advise_reading(&advice, beg, end, advise_will_need);
	case MADV_REMOVE:
		return advise_reading(&advice, beg, end, advise_remove);
	default:
		return advise_writing(&advice, beg, end, advise_flags);
	}
}

static bool advice_known(int number)
{
	switch (number) {
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_WILLNEED:
	case MADV_REMOVE:
		return true;
	default:
		return flag_change_find(number);
	}
}

int mem_advise(struct mem_space *space, uintptr_t addr, size_t length, int advice)
{
	size_t size = PAGE_ALIGN_UP(length);

	/* A range may leave user space (there is nothing: ENOMEM), but not wrap around. */
	if (!advice_known(advice) || addr % PAGE_SIZE || size < length || addr + size < addr)
		return -EINVAL;
	return length ? advise_range(space, addr, addr + size, advice) : 0;
}
