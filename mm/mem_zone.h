/*
 * mm/mem_zone.h - a range of one address space, and the list and index of them.
 *
 * The sorted list IS the address space: people read it, fork and munmap walk it. Over the same
 * records lies a treap, augmented with the largest gap, for O(log n) find and gap search.
 * This file is pure: no page tables, no files are touched; it is tested on the host against a
 * naive model (tests/host/test_mem_zone.c).
 *
 * Locks: all functions need the space's lock, for writing if they change anything.
 */
#pragma once

#include <kernel/base/list.h>

struct file;
struct mem_object;
struct mem_operations;
struct mem_space;

/*
 * User addresses end here: one page below the hole, so that no syscall instruction can be the last.
 */
#define USER_SPACE_END 0x00007ffffffff000ul
#define USER_SPACE_BEGIN 0x10000ul /* nothing below unless MAP_FIXED asks (mmap_min_addr) */

/* zone->flags. Exactly one of the first two. */
#define ZONE_SHARED 0x01u
#define ZONE_PRIVATE 0x02u
#define ZONE_STACK 0x04u /* grows down on faults */
#define ZONE_LOCKED 0x10u        /* counts as locked, is filled when it is made: mlock(2) */
#define ZONE_LOCK_ON_FAULT 0x20u /* with LOCKED: is not filled, MLOCK_ONFAULT */
#define ZONE_APART 0x40u         /* is never joined with its like: who made it counts its parts */
#define ZONE_LOCK_FLAGS (ZONE_LOCKED | ZONE_LOCK_ON_FAULT)
/* What madvise(2) said. The last six change nothing but /proc/<pid>/smaps. */
#define ZONE_DONT_FORK 0x0100u    /* a child does not get it */
#define ZONE_WIPE_ON_FORK 0x0200u /* a child gets it without contents */
#define ZONE_DONT_DUMP 0x0400u
#define ZONE_SEQUENTIAL 0x0800u
#define ZONE_RANDOM 0x1000u
#define ZONE_HUGE 0x2000u
#define ZONE_NO_HUGE 0x4000u
#define ZONE_MERGEABLE 0x8000u

struct mem_zone {
	uintptr_t beg, end;    /* [beg, end), page aligned */
	uint32_t prot;         /* PROT_* now */
	uint32_t max_prot;     /* the most mprotect may grant */
	uint32_t flags;        /* ZONE_* */
	struct file *file;     /* NULL = no file; the zone holds a reference */
	uint64_t offset;       /* of beg in the file or object, bytes, page aligned */
	struct mem_object *object; /* NULL = private anonymous */
	const struct mem_operations *ops; /* the object's; NULL for private anonymous */
	struct mem_space *space;
	struct list_node next; /* in mem_zones.list, by address */
	struct list_node object_link; /* in object->zones [object->zones_lock] */
	/* the index (mem_zone.c only) */
	struct mem_zone *left, *right, *parent;
	uint32_t priority;
	uintptr_t gap;         /* free bytes before the zone, as far as they count */
	uintptr_t largest_gap; /* of the subtree */
};

/* The zones of one space: list and index together. */
struct mem_zones {
	struct list_node list;
	struct mem_zone *root;
	uint64_t count;
	uint64_t random; /* state of the priorities' generator */
};

void mem_zones_init(struct mem_zones *zones);

/* The zone containing addr, or NULL. */
struct mem_zone *mem_zone_find(const struct mem_zones *zones, uintptr_t addr);
/* The first zone with end > addr (it may begin above addr), or NULL. */
struct mem_zone *mem_zone_find_from(const struct mem_zones *zones, uintptr_t addr);
/* The first zone overlapping [beg, end), or NULL. */
struct mem_zone *mem_zone_find_overlap(const struct mem_zones *zones, uintptr_t beg, uintptr_t end);
/* List neighbours, or NULL. */
struct mem_zone *mem_zone_next(const struct mem_zones *zones, const struct mem_zone *zone);
struct mem_zone *mem_zone_prev(const struct mem_zones *zones, const struct mem_zone *zone);

/* The zone's range must be free. */
void mem_zone_insert(struct mem_zones *zones, struct mem_zone *zone);
void mem_zone_remove(struct mem_zones *zones, struct mem_zone *zone);
/* New bounds that overlap no other zone and keep the order; offset is the caller's business. */
void mem_zone_resize(struct mem_zones *zones, struct mem_zone *zone, uintptr_t beg, uintptr_t end);

/*
 * Cuts `zone` at `at` (strictly inside, page aligned): `zone` keeps the lower part, `upper`
 * (allocated by the caller, contents ignored) becomes the upper one, inserted. All attributes
 * are copied, the offset advanced where there is a file or an object; references (ops->open,
 * file) are the caller's business, and upper->object_link is in no list.
 */
void mem_zone_split(struct mem_zones *zones, struct mem_zone *zone, struct mem_zone *upper,
		    uintptr_t at);
/*
 * b follows a without a hole and all their attributes match, offsets included (where there is a
 * file or an object).
 */
bool mem_zone_can_merge(const struct mem_zone *a, const struct mem_zone *b);

/*
 * The highest free range of `length` bytes (page aligned) within [low, high), low > 0; 0: there
 * is none. First fit from the top, in O(log n).
 */
uintptr_t find_free_mem_range(const struct mem_zones *zones, uintptr_t length, uintptr_t low,
			      uintptr_t high);

/* Sorted, disjoint, aligned, within user space, treap and gap data right. Panics otherwise. */
void mem_zones_check(const struct mem_zones *zones);
