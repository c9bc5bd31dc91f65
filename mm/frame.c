/*
 * mm/frame.c - hands out physical memory, page by page, and counts who holds it.
 *
 * Way in: everybody who needs a page; every fault and every unmapping, so the ways through
 * frame_alloc and frame_put are short: a few frames lie ready in an array per processor
 * (struct frame_cache), whose lock others take only when memory is out. An empty one is
 * refilled, a full one half drained, in one batch under the buddy allocator's lock.
 *
 *   frame_alloc -> cache -> (empty) buddy_alloc_many -> (out) all caches drained, once more
 *   frame_put, frame_put_many -> last reference -> cache -> (full) buddy_free_many
 *   frame_alloc_block -> buddy -> (none) all caches drained, once more
 *   frame_free_block -> buddy
 *
 * Frames that were never RAM, or are reserved, are KERNEL and pinned by a saturated count.
 * The kinds are counted per processor: a counter alone may be negative, their sum is right.
 *
 * Locks: a cache's own, interrupts off, one at a time; then the buddy allocator's. Whoever
 * moves to another processor between the choice of a cache and its lock uses the one he left.
 * Not here: blocks and merging (buddy.c), where free memory lies at boot (frame_boot.c), small
 * objects (heap.c).
 * Tests: tests/host/test_frame.c.
 */
#include <kernel/base/panic.h>
#include <mm/alloc_failure.h>
#include <mm/buddy.h>
#include <mm/check.h>
#include <mm/frame_boot.h>
#include <string.h>

#define FRAME_CACHE_SIZE 64u
#define FRAME_CACHE_BATCH 32u /* frames per refill and per drain */

/* One processor's. Its counters are also read without the lock, a little stale. */
struct frame_cache {
	alignas(64) struct spinlock lock;
	uint32_t count;                /* [lock] */
	int64_t kinds[FRAME_ZERO + 1]; /* became this kind here - ceased to be it [lock] */
	struct frame *frames[FRAME_CACHE_SIZE]; /* [lock] */
};

struct frame *frame_array;
uint64_t frame_array_count;
struct frame *frame_zero;

static struct frame_cache frame_caches[CPU_MAX];
static uint64_t frame_total; /* [I] after boot */

_Static_assert(sizeof(struct frame) <= 64, "one cache line per page of RAM at the most");

static struct frame_cache *frame_cache_here(void)
{
	return &frame_caches[cpu_read(id)];
}

static void frame_kind_add(enum frame_kind kind, int64_t frames)
{
	struct frame_cache *cache = frame_cache_here();
	uint64_t flags = spin_lock_irq(&cache->lock);

	cache->kinds[kind] += frames;
	spin_unlock_irq(&cache->lock, flags);
}

/* Gives back the frames freed longest ago, which no processor's cache remembers. */
static __attribute__((noinline)) void frame_cache_drain(struct frame_cache *cache, unsigned batch)
	REQUIRES(cache->lock)
{
	buddy_free_many(cache->frames, batch);
	cache->count -= batch;
	memmove(cache->frames, cache->frames + batch, cache->count * sizeof(cache->frames[0]));
}

/* What lies in the processors' caches may be what is lacking. */
static __attribute__((noinline)) void frame_caches_drain(void)
{
	for (unsigned i = 0; i < CPU_MAX; i++) {
		struct frame_cache *cache = &frame_caches[i];
		uint64_t flags = spin_lock_irq(&cache->lock);

		frame_cache_drain(cache, cache->count);
		spin_unlock_irq(&cache->lock, flags);
	}
}

#ifdef STOS_CHECK
static void frame_poison(struct frame *frame)
{
	uint64_t *words = frame_virt(frame);

	for (size_t i = 0; i < PAGE_SIZE / sizeof(words[0]); i++)
		words[i] = FRAME_POISON;
}

static void frame_poison_check(const struct frame *frame)
{
	const uint64_t *words = frame_virt(frame);

	if (!(frame_state(frame) & FRAME_POISONED))
		return; /* free since boot */
	for (size_t i = 0; i < PAGE_SIZE / sizeof(words[0]); i++) {
		if (words[i] != FRAME_POISON)
			panic("free frame %#lx was written: %#lx at offset %zu", frame_phys(frame),
			      words[i], i * sizeof(words[0]));
	}
}
#define FRAME_FREED_STATE ((uint32_t)FRAME_FREE | FRAME_POISONED)
#else
static void frame_poison(struct frame *frame)
{
	(void)frame;
}
static void frame_poison_check(const struct frame *frame)
{
	(void)frame;
}
#define FRAME_FREED_STATE ((uint32_t)FRAME_FREE)
#endif

static void frame_set(struct frame *frame, uint32_t refs, uint32_t state)
{
	atomic_store_explicit(&frame->refs, refs, memory_order_relaxed);
	atomic_store_explicit(&frame->state, state, memory_order_relaxed);
}

/* A free frame taken out of all lists becomes `kind`. */
static void frame_begin(struct frame *frame, enum frame_kind kind, uint32_t refs)
{
	kcheck(frame_kind(frame) == FRAME_FREE && frame_refs(frame) == 0);
	kcheck(!(frame_state(frame) & FRAME_IN_BUDDY));
	frame_poison_check(frame);
	spin_init(&frame->lock, RANK_PAGE_TABLE);
	frame->order = 0;
	frame->in_use = 0;
	frame->object = NULL;
	frame->index = 0;
#ifdef STOS_CHECK
	frame->entries = 0;
#endif
	mem_check_step_begin();
	frame_set(frame, refs, (uint32_t)kind);
	mem_check_hold(frame, refs);
	mem_check_step_end();
}

/* A frame without references becomes free; the caller puts it into a list. */
static void frame_end(struct frame *frame)
{
	kcheck(frame_kind(frame) != FRAME_FREE && frame_kind(frame) != FRAME_ZERO);
	kcheck(!(frame_state(frame) & (FRAME_LOCKED | FRAME_WRITEBACK)));
	frame_poison(frame);
	frame_set(frame, 0, FRAME_FREED_STATE);
}

/* Counts it as `kind` already. NULL when neither the cache nor the buddy allocator has any. */
static struct frame *frame_take(enum frame_kind kind)
{
	struct frame_cache *cache = frame_cache_here();
	uint64_t flags = spin_lock_irq(&cache->lock);
	struct frame *frame = NULL;

	if (unlikely(cache->count == 0))
		cache->count = buddy_alloc_many(cache->frames, FRAME_CACHE_BATCH);
	if (likely(cache->count > 0)) {
		frame = cache->frames[--cache->count];
		cache->kinds[kind]++;
	}
	spin_unlock_irq(&cache->lock, flags);
	return frame;
}

struct frame *frame_alloc(enum frame_kind kind)
{
	struct frame *frame;

	if (alloc_fails())
		return NULL;
	frame = frame_take(kind);
	if (unlikely(!frame)) {
		frame_caches_drain();
		frame = frame_take(kind);
		if (!frame)
			return NULL;
	}
	frame_begin(frame, kind, 1);
	return frame;
}

/*
 * 16 bytes at a time, which only the user's registers can: one is put aside. A switch in between
 * would save it as the user's, and a kernel task would not get its own back: preemption is off.
 */
void frame_clear(struct frame *frame)
{
	char *to = frame_virt(frame), *end = to + PAGE_SIZE;
	char users[16];

	preempt_disable();
	__asm__ volatile("movups %%xmm0, %[users]\n\t"
			 "xorps %%xmm0, %%xmm0\n"
			 "1:\t"
			 ".set offset, 0\n\t"
			 ".rept 32\n\t"
			 "movaps %%xmm0, offset(%[to])\n\t"
			 ".set offset, offset + 16\n\t"
			 ".endr\n\t"
			 "add $512, %[to]\n\t"
			 "cmp %[end], %[to]\n\t"
			 "jne 1b\n\t"
			 "movups %[users], %%xmm0"
			 : [to] "+r"(to), [users] "=m"(users)
			 : [end] "r"(end)
			 : "memory", "cc");
	preempt_enable();
}

struct frame *frame_alloc_zeroed(enum frame_kind kind)
{
	struct frame *frame = frame_alloc(kind);

	if (likely(frame))
		frame_clear(frame);
	return frame;
}

/* Frames without references go into the cache. `kinds`: how many there were of each. */
static __attribute__((noinline)) void frames_free(struct frame *const *frames, unsigned count,
						  const uint32_t kinds[FRAME_ZERO + 1])
{
	struct frame_cache *cache = frame_cache_here();
	uint64_t flags = spin_lock_irq(&cache->lock);

	for (unsigned i = 0; i < count; i++) {
		if (unlikely(cache->count == FRAME_CACHE_SIZE))
			frame_cache_drain(cache, FRAME_CACHE_BATCH);
		cache->frames[cache->count++] = frames[i];
	}
	for (unsigned kind = FRAME_FREE + 1; kind <= FRAME_ZERO; kind++)
		cache->kinds[kind] -= kinds[kind];
	spin_unlock_irq(&cache->lock, flags);
}

/* The last reference is gone. Out of line: dropping one that is not the last stays short. */
static __attribute__((noinline)) void frame_free(struct frame *frame)
{
	struct frame_cache *cache = frame_cache_here();
	enum frame_kind kind = frame_kind(frame);
	uint64_t flags;

	frame_end(frame);
	flags = spin_lock_irq(&cache->lock);
	if (unlikely(cache->count == FRAME_CACHE_SIZE))
		frame_cache_drain(cache, FRAME_CACHE_BATCH);
	cache->frames[cache->count++] = frame;
	cache->kinds[kind]--;
	spin_unlock_irq(&cache->lock, flags);
}

/* Drops a reference; it was the last one: the frame is nobody's. */
static inline bool frame_unref(struct frame *frame)
{
	uint32_t refs = atomic_load_explicit(&frame->refs, memory_order_relaxed);

	if (unlikely(refs >= FRAME_REFS_SATURATED))
		return false;
	mem_check_step_begin();
	mem_check_hold(frame, -1); /* before: afterwards it may be somebody else's */
	refs = atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_release);
	mem_check_step_end();
	if (refs > 1)
		return false;
	if (unlikely(refs == 0))
		panic("frame %#lx put once too often", frame_phys(frame));
	atomic_thread_fence(memory_order_acquire);
	kcheck(frame->order == 0);
	return true;
}

void frame_put(struct frame *frame)
{
	if (frame_unref(frame))
		frame_free(frame);
}

void frame_put_many(struct frame **frames, unsigned count)
{
	uint32_t kinds[FRAME_ZERO + 1] = {0};
	unsigned last = 0;

	for (unsigned i = 0; i < count; i++) {
		struct frame *frame = frames[i];

		if (!frame_unref(frame))
			continue;
		kinds[frame_kind(frame)]++;
		frame_end(frame);
		frames[last++] = frame;
	}
	if (last)
		frames_free(frames, last, kinds);
}

struct frame *frame_alloc_block(unsigned order)
{
	struct frame *head;

	kassert(order <= FRAME_ORDER_MAX);
	if (order == 0)
		return frame_alloc(FRAME_KERNEL);
	if (alloc_fails())
		return NULL;
	head = buddy_alloc(order);
	if (unlikely(!head)) {
		frame_caches_drain();
		head = buddy_alloc(order);
		if (!head)
			return NULL;
	}
	for (size_t i = 0; i < 1ul << order; i++)
		frame_begin(&head[i], FRAME_KERNEL, i == 0);
	head->order = order;
	frame_kind_add(FRAME_KERNEL, 1l << order);
	return head;
}

void frame_free_block(struct frame *head, unsigned order)
{
	kassert(frame_kind(head) == FRAME_KERNEL && frame_refs(head) == 1 && head->order == order);
	if (order == 0) {
		frame_put(head);
		return;
	}
	for (size_t i = 0; i < 1ul << order; i++)
		frame_end(&head[i]);
	frame_kind_add(FRAME_KERNEL, -(1l << order));
	buddy_free(head, order);
}

/* What frame_init was told is reserved, or a hole: pinned, and not taken out before. */
static void frame_check_reserved(const struct frame *frame)
{
	kassert(frame >= frame_array && frame < frame_array + frame_array_count);
	kassert(frame_kind(frame) == FRAME_KERNEL && frame_refs(frame) >= FRAME_REFS_SATURATED);
}

void frame_free_reserved(phys_t beg, phys_t end)
{
	uint64_t first = PAGE_ALIGN_UP(beg) >> PAGE_SHIFT;
	uint64_t last = PAGE_ALIGN_DOWN(end) >> PAGE_SHIFT;

	if (first >= last)
		return;
	for (uint64_t i = first; i < last; i++) {
		frame_check_reserved(&frame_array[i]);
		frame_end(&frame_array[i]);
	}
	frame_kind_add(FRAME_KERNEL, -(int64_t)(last - first));
	buddy_free_range(first, last);
}

struct frame *frame_adopt_reserved(phys_t page, enum frame_kind kind)
{
	struct frame *frame = phys_to_frame(page);

	frame_check_reserved(frame);
	frame_set(frame, 0, FRAME_FREE);
	frame_begin(frame, kind, 1);
	frame_kind_add(FRAME_KERNEL, -1);
	frame_kind_add(kind, 1);
	return frame;
}

void frame_init(const struct memory_range *usable, size_t usable_count,
		const struct memory_range *reserved, size_t reserved_count)
{
	struct frame_boot boot = {
	    .usable = usable,
	    .usable_count = usable_count,
	    .reserved = reserved,
	    .reserved_count = reserved_count,
	};

	memset(frame_caches, 0, sizeof(frame_caches));
	for (unsigned i = 0; i < CPU_MAX; i++)
		spin_init(&frame_caches[i].lock, RANK_FRAME_CACHE);
	buddy_init();
	frame_boot(&boot);
	frame_total = boot.usable_frames;
	frame_kind_add(FRAME_KERNEL, (int64_t)(boot.usable_frames - boot.free_frames));

	frame_zero = frame_alloc_zeroed(FRAME_ZERO);
	kassert(frame_zero);
	frame_set(frame_zero, FRAME_REFS_PINNED, FRAME_ZERO);
}

uint64_t frame_free_count(void)
{
	uint64_t count = buddy_free_count();

	for (unsigned i = 0; i < CPU_MAX; i++)
		count += __atomic_load_n(&frame_caches[i].count, __ATOMIC_RELAXED);
	return count;
}

uint64_t frame_total_count(void)
{
	return frame_total;
}

void frame_kind_counts(uint64_t counts[FRAME_ZERO + 1])
{
	counts[FRAME_FREE] = frame_free_count();
	for (unsigned kind = FRAME_FREE + 1; kind <= FRAME_ZERO; kind++) {
		int64_t sum = 0;

		for (unsigned i = 0; i < CPU_MAX; i++)
			sum += __atomic_load_n(&frame_caches[i].kinds[kind], __ATOMIC_RELAXED);
		counts[kind] = (uint64_t)MAX(sum, 0l);
	}
}

/* Only exact while no other processor allocates. */
void frame_check(void)
{
	uint64_t counts[FRAME_ZERO + 1];
	uint64_t sum = 0;

	buddy_check();
	for (unsigned i = 0; i < CPU_MAX; i++) {
		const struct frame_cache *cache = &frame_caches[i];

		kassert(cache->count <= FRAME_CACHE_SIZE);
		for (unsigned j = 0; j < cache->count; j++) {
			kassert(frame_kind(cache->frames[j]) == FRAME_FREE);
			kassert(!(frame_state(cache->frames[j]) & FRAME_IN_BUDDY));
			kassert(frame_refs(cache->frames[j]) == 0);
		}
	}
	frame_kind_counts(counts);
	for (unsigned kind = FRAME_FREE; kind <= FRAME_ZERO; kind++)
		sum += counts[kind];
	kassert(sum == frame_total);
}
