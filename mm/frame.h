/*
 * mm/frame.h - physical memory, one struct frame per page of RAM.
 *
 * The array is the truth about RAM: whoever can find a frame can find out who holds it.
 * frame.c hands frames out (per-processor caches over a buddy allocator, buddy.c).
 */
#pragma once

#include <kernel/base/list.h>
#include <kernel/base/lock.h>
#include <kernel/base/panic.h>
#include <mm/check.h>
#include <mm/direct_map.h>

struct mem_object;
struct object_cache;

enum frame_kind {
	FRAME_FREE,
	FRAME_KERNEL, /* the kernel's own: heap, stacks, boot, reserved */
	FRAME_TABLE,  /* a user page table */
	FRAME_ANON,   /* private contents, referred to by page tables only */
	FRAME_CACHE,  /* a page of a mem_object */
	FRAME_ZERO,   /* the zero frame: uncounted, never writable */
};

/* frame->state: the kind in the low bits, then these. */
#define FRAME_KIND_MASK 0x0fu
#define FRAME_LOCKED 0x10u     /* a sleeping lock: contents or identity are changing */
#define FRAME_UPTODATE 0x20u   /* CACHE: the contents are the object's */
#define FRAME_DIRTY 0x40u      /* CACHE: must be written back */
#define FRAME_WRITEBACK 0x80u  /* CACHE: being written back */
#define FRAME_HAS_OBJECT 0x100u /* TABLE: held an entry of a zone with an object, ever */
#define FRAME_WAITERS 0x200u   /* someone sleeps for LOCKED to clear */
#define FRAME_IN_BUDDY 0x400u  /* FREE: heads a block of 2^order frames in buddy.c's lists */
#define FRAME_POISONED 0x800u  /* FREE, checking build: filled with FRAME_POISON */
#define FRAME_SHMEM 0x1000u    /* CACHE: of an object that is in memory only, for good */

struct frame {
	_Atomic uint32_t refs;     /* [A] entries in page tables + cache slot + holders */
	_Atomic uint32_t state;    /* [A] kind and bits above */
	struct spinlock lock;      /* TABLE: its 512 entries */
	uint32_t order;            /* FREE: of the block it heads; KERNEL: of the allocation */
	uint32_t in_use;           /* slab head: objects handed out [cache->lock] */
	union {
		struct mem_object *object;  /* CACHE: whose; NULL once truncated away
					       [LOCKED + index_lock] */
		struct object_cache *cache; /* slab: whose objects these are; NULL: no slab */
	};
	union {
		uint64_t index;    /* CACHE: which page of it. TABLE: entries in use [lock] */
		void *free_list;   /* slab head: its free objects [cache->lock] */
	};
	struct list_node lru;      /* FREE: buddy list. slab head: cache->partial */
#ifdef STOS_CHECK
	uint32_t entries;          /* mm/check_frames.c, while it counts */
#endif
};

/*
 * Counts at or above FRAME_REFS_SATURATED are looked at, not changed. Processors that read a
 * smaller one just before may still add or subtract a little: the one that crossed the line
 * moves the count to FRAME_REFS_PINNED, further from both ends than they can carry it.
 */
#define FRAME_REFS_SATURATED 0xc0000000u /* from here a count no longer moves: leak, never reuse */
#define FRAME_REFS_PINNED 0xe0000000u    /* where a saturated count is put: far from both ends */
#define FRAME_ORDER_MAX 10               /* largest buddy block: 2^10 pages, 4 MiB */

/* Fills free frames in the checking build: no canonical address, so following it faults. */
#define FRAME_POISON 0xf4eef4eef4eef4eeul

/* A range of physical memory, for boot. */
struct memory_range {
	phys_t beg, end; /* [beg, end), bytes */
};

/*
 * Builds the frame array in the largest free range and gives every other whole free page to
 * the allocator. `usable` are the RAM ranges, `reserved` what must not be touched (kernel,
 * modules, boot data), both unsorted, reserved may overlap anything. Called once, early, when
 * the direct map covers all of RAM.
 */
void frame_init(const struct memory_range *usable, size_t usable_count,
		const struct memory_range *reserved, size_t reserved_count);

/*
 * Gives the whole pages of [beg, end) to the allocator. They must lie in the usable RAM and in
 * the reserved ranges frame_init was told (boot data, unpacked modules), and be given once.
 */
void frame_free_reserved(phys_t beg, phys_t end);
/*
 * Makes one such page a frame of `kind` instead, refs 1, contents kept: how a file in the
 * initrd becomes page cache without a copy. Its last frame_put gives it to the allocator.
 */
must_check struct frame *frame_adopt_reserved(phys_t page, enum frame_kind kind);

/*
 * One frame of `kind`, refs 1, no state bits, lock free, order, object and index 0; lru and
 * the contents are undefined (poison in the checking build). Any context; does not sleep.
 * NULL when memory is out: the caller is outside spinlocks and may then call
 * mem_pressure_relieve() (mm/pressure.h) and try again, or fails with ENOMEM.
 */
must_check struct frame *frame_alloc(enum frame_kind kind);
/* The same, cleared. */
must_check struct frame *frame_alloc_zeroed(enum frame_kind kind);
/*
 * 2^order physically contiguous frames, aligned to their size, all of kind KERNEL; the head's
 * refs is 1 and its order is `order`, the others' are 0. NULL when there is none.
 */
must_check struct frame *frame_alloc_block(unsigned order);
/* The only reference, `order` as it was allocated. */
void frame_free_block(struct frame *head, unsigned order);

/* Acquires: whoever sees UPTODATE sees the contents. */
static inline uint32_t frame_state(const struct frame *frame)
{
	return atomic_load_explicit(&((struct frame *)frame)->state, memory_order_acquire);
}

static inline enum frame_kind frame_kind(const struct frame *frame)
{
	return (enum frame_kind)(frame_state(frame) & FRAME_KIND_MASK);
}

static inline uint32_t frame_refs(const struct frame *frame)
{
	return atomic_load_explicit(&((struct frame *)frame)->refs, memory_order_acquire);
}

/*
 * How many page-table entries refer to an ANON or CACHE frame, as its references tell: one too many
 * for each passing holder. 0 for the zero frame.
 */
uint32_t frame_map_count(const struct frame *frame);

/*
 * Takes `n` (at most 2^16) more references; the caller has one, or a lock under which one
 * exists. Saturates; does nothing to frames that are pinned so (reserved ones, the zero frame).
 */
static inline void frame_get_many(struct frame *frame, uint32_t n)
{
	uint32_t refs = atomic_load_explicit(&frame->refs, memory_order_relaxed);

	if (unlikely(refs >= FRAME_REFS_SATURATED))
		return;
	mem_check_step_begin();
	refs = atomic_fetch_add_explicit(&frame->refs, n, memory_order_relaxed);
	mem_check_hold(frame, n);
	mem_check_step_end();
	kcheck(refs != 0);
	if (unlikely(refs + n >= FRAME_REFS_SATURATED))
		atomic_store_explicit(&frame->refs, FRAME_REFS_PINNED, memory_order_relaxed);
}
static inline void frame_get(struct frame *frame)
{
	frame_get_many(frame, 1);
}
/*
 * Drops one; the last one frees the frame. Any context. The zero frame is ignored. A CACHE
 * frame's cache slot is itself a reference, so a cached frame is never freed from under it.
 */
void frame_put(struct frame *frame);
/* The same of each, with less work. The array is scratch afterwards. */
void frame_put_many(struct frame **frames, unsigned count);

/*
 * Frames that could be handed out now, caches included; and all frames of usable RAM, the
 * kernel's own and the reserved ones among them.
 */
uint64_t frame_free_count(void);
uint64_t frame_total_count(void);
/* How many frames of each kind; index by enum frame_kind. For /proc/meminfo; a little stale. */
void frame_kind_counts(uint64_t counts[FRAME_ZERO + 1]);
/* Walks the free lists and caches and compares with the counters; panics on a difference. */
void frame_check(void);

extern struct frame *frame_array; /* [I] frame number -> frame */
extern uint64_t frame_array_count; /* [I] */
extern struct frame *frame_zero;  /* [I] the zero frame */

/* What the array itself takes. */
static inline uint64_t frame_array_pages(void)
{
	return PAGE_ALIGN_UP(frame_array_count * sizeof(struct frame)) >> PAGE_SHIFT;
}

static inline phys_t frame_phys(const struct frame *frame)
{
	return (phys_t)(frame - frame_array) << PAGE_SHIFT;
}

static inline void *frame_virt(const struct frame *frame)
{
	return phys_to_virt(frame_phys(frame));
}

static inline struct frame *phys_to_frame(phys_t phys)
{
	return &frame_array[phys >> PAGE_SHIFT];
}

static inline struct frame *virt_to_frame(const void *virt)
{
	return phys_to_frame(virt_to_phys(virt));
}

/* Clears its 4096 bytes. Any context. */
void frame_clear(struct frame *frame);
