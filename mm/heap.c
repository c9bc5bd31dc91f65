/*
 * mm/heap.c - the kernel's own small objects: caches of slabs, and kmalloc.
 *
 * A slab is 2^slab_order frames full of objects of one size. Nothing of ours lies in it but
 * the free objects' links, each in the first word of its object; the rest is in the frames:
 *
 *   every frame of a slab    frame->cache      whose objects these are
 *   its first frame          frame->free_list  the first free object
 *                            frame->in_use     objects handed out
 *                            frame->lru        in cache->partial while some are free
 *
 * So kfree finds everything from the address, by virt_to_frame. A frame block of kmalloc (more
 * than 2048 bytes) has no cache and its size in frame->order.
 *
 * The checking build fills free objects with HEAP_POISON behind the link, and looks when they
 * are handed out again; an object freed twice is found by its poison.
 *
 * Locks: cache->lock, interrupts off, for O(1) work (RANK_HEAP, before RANK_FRAMES); slabs are
 * made and given back outside it. caches_lock comes before any cache->lock.
 * Not here: virtual ranges, stacks (kernel_map.c).
 * Tests: tests/host/test_heap.c.
 */
#include <kernel/base/panic.h>
#include <mm/alloc_failure.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <string.h>

#define KMALLOC_STEP 16u	 /* sizes are multiples of this, and so are addresses */
#define KMALLOC_OBJECT_MAX 2048u /* above, whole frames */


static struct spinlock caches_lock = SPINLOCK_INIT(RANK_CACHES);
/* By object_cache.caches. */
static struct list_node caches GUARDED_BY(caches_lock) = LIST_INIT(caches);

static const struct {
	const char *name;
	uint16_t size;
} kmalloc_sizes[] = {
    {"kmalloc-16", 16},	    {"kmalloc-32", 32},	    {"kmalloc-48", 48},	  {"kmalloc-64", 64},
    {"kmalloc-96", 96},	    {"kmalloc-128", 128},   {"kmalloc-192", 192}, {"kmalloc-256", 256},
    {"kmalloc-384", 384},   {"kmalloc-512", 512},   {"kmalloc-768", 768}, {"kmalloc-1024", 1024},
    {"kmalloc-1360", 1360}, {"kmalloc-2048", 2048},
};
static struct object_cache kmalloc_caches[ARRAY_SIZE(kmalloc_sizes)];
/* (size - 1) / KMALLOC_STEP -> the smallest cache that is large enough [I] */
static uint8_t kmalloc_index[KMALLOC_OBJECT_MAX / KMALLOC_STEP];

static _Atomic uint64_t block_frames; /* in kmalloc's blocks */

/* --- one object ------------------------------------------------------------------------- */

#ifdef STOS_CHECK
/* The words behind the link. */
static void object_poison(const struct object_cache *cache, void *object)
{
	uint64_t *words = object;

	for (size_t i = 1; i < cache->size / sizeof(words[0]); i++)
		words[i] = HEAP_POISON;
}

static bool object_is_poisoned(const struct object_cache *cache, const void *object)
{
	const uint64_t *words = object;

	for (size_t i = 1; i < cache->size / sizeof(words[0]); i++) {
		if (words[i] != HEAP_POISON)
			return false;
	}
	return true;
}

/* The link was read: now the whole object is poison. */
static void object_check_alloc(const struct object_cache *cache, void *object)
{
	if (!object_is_poisoned(cache, object))
		panic("free object %p of %s was written", object, cache->name);
	*(uint64_t *)object = HEAP_POISON;
}

/* Its poison alone may be what the owner left there: the free list decides. */
static void object_check_free(const struct object_cache *cache, struct frame *slab, void *object)
{
	uintptr_t offset = (uintptr_t)object - (uintptr_t)frame_virt(slab);

	if (offset % cache->size || offset / cache->size >= cache->per_slab)
		panic("%p is no object of %s", object, cache->name);
	if (!object_is_poisoned(cache, object))
		return;
	for (void *free = slab->free_list; free; free = *(void **)free) {
		if (free == object)
			panic("object %p of %s freed twice", object, cache->name);
	}
}
#else
static void object_poison(const struct object_cache *cache, void *object)
{
	(void)cache;
	(void)object;
}
static void object_check_alloc(const struct object_cache *cache, void *object)
{
	(void)cache;
	(void)object;
}
static void object_check_free(const struct object_cache *cache, struct frame *slab, void *object)
{
	(void)cache;
	(void)slab;
	(void)object;
}
#endif

/* --- slabs ------------------------------------------------------------------------------ */

/* A new slab with all its objects free, in no list. NULL when memory is out. */
static struct frame *slab_create(struct object_cache *cache)
{
	struct frame *slab = frame_alloc_block(cache->slab_order);
	char *object;

	if (!slab)
		return NULL;
	for (unsigned i = 0; i < 1u << cache->slab_order; i++)
		slab[i].cache = cache;
	object = (char *)frame_virt(slab) + (size_t)cache->per_slab * cache->size;
	slab->free_list = NULL;
	for (unsigned i = 0; i < cache->per_slab; i++) {
		object -= cache->size;
		*(void **)object = slab->free_list;
		object_poison(cache, object);
		slab->free_list = object;
	}
	slab->in_use = 0;
	return slab;
}

static void slab_destroy(struct frame *slab)
{
	frame_free_block(slab, slab->order);
}

/* The first frame of the slab that an object lies in: blocks are aligned to their size. */
static struct frame *slab_of(const struct object_cache *cache, const void *object)
{
	uint64_t number = virt_to_phys(object) >> PAGE_SHIFT;

	return &frame_array[number & (~0ul << cache->slab_order)];
}

/* Takes an object off the first partial slab, of which there is one. */
static void *object_take(struct object_cache *cache) REQUIRES(cache->lock)
{
	struct frame *slab = list_first(&cache->partial, struct frame, lru);
	void *object = slab->free_list;

	if (slab == cache->empty)
		cache->empty = NULL;
	slab->free_list = *(void **)object;
	object_check_alloc(cache, object);
	slab->in_use++;
	cache->live++;
	if (!slab->free_list)
		list_remove(&slab->lru);
	return object;
}

/*
 * The slab is now without live objects: it is kept, as the last to be used, unless one already
 * is. Returns the slab to destroy after unlocking, or NULL.
 */
static struct frame *slab_retire(struct object_cache *cache, struct frame *slab)
    REQUIRES(cache->lock)
{
	list_remove(&slab->lru);
	if (!cache->empty) {
		cache->empty = slab;
		list_push_back(&cache->partial, &slab->lru);
		return NULL;
	}
	cache->slabs--;
	return slab;
}

/* --- object caches ---------------------------------------------------------------------- */

/* The fewest frames that hold one object at least and waste an eighth at most. */
static unsigned slab_order_for(size_t size)
{
	unsigned order = 0;

	while (size > PAGE_SIZE << order || (PAGE_SIZE << order) % size > PAGE_SIZE << order >> 3)
		order++;
	return order;
}

void object_cache_init(struct object_cache *cache, const char *name, size_t size, size_t align)
{
	uint64_t flags;

	kassert(size > 0 && size <= PAGE_SIZE << 3);
	kassert(align >= sizeof(void *) && align <= PAGE_SIZE && (align & (align - 1)) == 0);
	memset(cache, 0, sizeof(*cache));
	cache->name = name;
	cache->size = ALIGN_UP(size, align);
	cache->slab_order = slab_order_for(cache->size);
	cache->per_slab = (unsigned)((PAGE_SIZE << cache->slab_order) / cache->size);
	spin_init(&cache->lock, RANK_HEAP);
	list_init(&cache->partial);

	flags = spin_lock_irq(&caches_lock);
	list_push_back(&caches, &cache->caches);
	spin_unlock_irq(&caches_lock, flags);
}

/* No slab has a free object: makes one, without the lock, and takes from it or a better one. */
static __attribute__((noinline)) void *object_alloc_slow(struct object_cache *cache)
{
	struct frame *slab = slab_create(cache);
	uint64_t flags;
	void *object;

	if (!slab)
		return NULL;
	flags = spin_lock_irq(&cache->lock);
	cache->slabs++;
	/* Another processor may have freed or made one meanwhile: this one goes first, it is used.
	 */
	list_push_front(&cache->partial, &slab->lru);
	object = object_take(cache);
	spin_unlock_irq(&cache->lock, flags);
	return object;
}

void *object_alloc(struct object_cache *cache)
{
	uint64_t flags;
	void *object;

	if (alloc_fails())
		return NULL;
	flags = spin_lock_irq(&cache->lock);
	if (unlikely(list_empty(&cache->partial))) {
		spin_unlock_irq(&cache->lock, flags);
		return object_alloc_slow(cache);
	}
	object = object_take(cache);
	spin_unlock_irq(&cache->lock, flags);
	return object;
}

void *object_alloc_zeroed(struct object_cache *cache)
{
	void *object = object_alloc(cache);

	if (likely(object))
		memset(object, 0, cache->size);
	return object;
}

void object_free(struct object_cache *cache, void *object)
{
	struct frame *slab = slab_of(cache, object);
	struct frame *unused = NULL;
	uint64_t flags;

	kassert(slab->cache == cache && slab->in_use > 0);
	flags = spin_lock_irq(&cache->lock);
	object_check_free(cache, slab, object);
	object_poison(cache, object);
	if (!slab->free_list)
		list_push_front(&cache->partial, &slab->lru);
	*(void **)object = slab->free_list;
	slab->free_list = object;
	cache->live--;
	if (--slab->in_use == 0)
		unused = slab_retire(cache, slab);
	spin_unlock_irq(&cache->lock, flags);
	if (unlikely(unused))
		slab_destroy(unused);
}

/* --- kmalloc ---------------------------------------------------------------------------- */

void heap_init(void)
{
	unsigned cache = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(kmalloc_sizes); i++)
		object_cache_init(&kmalloc_caches[i], kmalloc_sizes[i].name, kmalloc_sizes[i].size,
				  KMALLOC_STEP);
	for (unsigned i = 0; i < ARRAY_SIZE(kmalloc_index); i++) {
		if ((i + 1) * KMALLOC_STEP > kmalloc_sizes[cache].size)
			cache++;
		kmalloc_index[i] = (uint8_t)cache;
	}
}

static void *block_alloc(size_t size)
{
	unsigned order = 0;
	struct frame *head;

	while (PAGE_SIZE << order < size) {
		if (++order > FRAME_ORDER_MAX)
			return NULL;
	}
	head = frame_alloc_block(order);
	if (!head)
		return NULL;
	atomic_fetch_add_explicit(&block_frames, 1ul << order, memory_order_relaxed);
	return frame_virt(head);
}

static void block_free(struct frame *head)
{
	unsigned order = head->order;

	atomic_fetch_sub_explicit(&block_frames, 1ul << order, memory_order_relaxed);
	frame_free_block(head, order);
}

void *kmalloc(size_t size)
{
	if (unlikely(size == 0))
		return NULL;
	if (unlikely(size > KMALLOC_OBJECT_MAX))
		return block_alloc(size);
	return object_alloc(&kmalloc_caches[kmalloc_index[(size - 1) / KMALLOC_STEP]]);
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

void *kzalloc_array(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kzalloc(bytes);
}

void kfree(void *p)
{
	struct frame *frame;

	if (!p)
		return;
	frame = virt_to_frame(p);
	kassert(frame < frame_array + frame_array_count && frame_kind(frame) == FRAME_KERNEL);
	if (frame->cache) {
		object_free(frame->cache, p);
		return;
	}
	kassert(((uintptr_t)p & ~PAGE_MASK) == 0);
	block_free(frame);
}

char *kstrdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = kmalloc(size);

	if (copy)
		memcpy(copy, s, size);
	return copy;
}

/* --- looking ---------------------------------------------------------------------------- */

void heap_trim(void)
{
	struct list_node unused = LIST_INIT(unused);
	struct object_cache *cache;
	struct frame *slab, *next;
	uint64_t flags = spin_lock_irq(&caches_lock);

	list_for_each_entry (cache, &caches, caches) {
		spin_lock(&cache->lock);
		slab = cache->empty;
		if (slab) {
			list_remove(&slab->lru);
			list_push_back(&unused, &slab->lru);
			cache->empty = NULL;
			cache->slabs--;
		}
		spin_unlock(&cache->lock);
	}
	spin_unlock_irq(&caches_lock, flags);
	list_for_each_entry_safe (slab, next, &unused, lru)
		slab_destroy(slab);
}

uint64_t heap_bytes(void)
{
	uint64_t frames = atomic_load_explicit(&block_frames, memory_order_relaxed);
	const struct object_cache *cache;
	uint64_t flags = spin_lock_irq(&caches_lock);

	list_for_each_entry (cache, &caches, caches)
		frames += __atomic_load_n(&cache->slabs, __ATOMIC_RELAXED) << cache->slab_order;
	spin_unlock_irq(&caches_lock, flags);
	return frames << PAGE_SHIFT;
}

void heap_for_each_cache(void (*visit)(const struct object_cache *cache, void *arg), void *arg)
{
	const struct object_cache *cache;
	uint64_t flags = spin_lock_irq(&caches_lock);

	list_for_each_entry (cache, &caches, caches)
		visit(cache, arg);
	spin_unlock_irq(&caches_lock, flags);
}
