/*
 * mm/heap.h - the kernel's own small objects.
 *
 * An object cache hands out records of one size from slabs of one or more frames; kmalloc
 * is a set of such caches by size, and whole frame blocks above them. Nothing here sleeps.
 * The checking build poisons freed objects and checks the poison when they are reused.
 */
#pragma once

#include <kernel/base/lock.h>

struct frame;

/* What the checking build fills freed objects with; no canonical address (see FRAME_POISON). */
#define HEAP_POISON 0xfeedf4eef4eef4eeul

struct object_cache {
	const char *name;
	size_t size;            /* [I] bytes of one object, aligned */
	unsigned slab_order;    /* [I] frames per slab, log2 */
	unsigned per_slab;      /* [I] */
	struct spinlock lock;   /* guards all below */
	struct list_node partial; /* slabs with free objects, by frame->lru; empty ones last */
	struct frame *empty;    /* the one slab without live objects that is kept, or NULL */
	uint64_t live;          /* objects handed out */
	uint64_t slabs;
	struct list_node caches; /* all caches, for /proc and leak tests */
};

/* The first thing after frame_init. */
void heap_init(void);
/* `cache` is static storage of the caller; align is a power of two, at least 8. */
void object_cache_init(struct object_cache *cache, const char *name, size_t size, size_t align);
/* Contents undefined. NULL when memory is out. Any context. */
must_check void *object_alloc(struct object_cache *cache);
/* Cleared. */
must_check void *object_alloc_zeroed(struct object_cache *cache);
void object_free(struct object_cache *cache, void *object);

/*
 * 16-byte aligned, contents undefined; up to 4 MiB; NULL when memory is out. size 0 is NULL.
 * Above 2048 bytes: whole frames, a power of two of them, page aligned.
 */
must_check void *kmalloc(size_t size);
must_check void *kzalloc(size_t size);
/* n * size, NULL on overflow too. */
must_check void *kzalloc_array(size_t n, size_t size);
/* NULL is fine. */
void kfree(void *p);
must_check char *kstrdup(const char *s);

/* Gives the empty slabs that are kept for the next allocation back: for when memory is short. */
void heap_trim(void);
/* Bytes in slabs and blocks: for /proc/meminfo. */
uint64_t heap_bytes(void);
/*
 * Calls `visit` for every cache (kmalloc's too): leak tests compare `live`. Under a spinlock:
 * it may neither sleep nor allocate.
 */
void heap_for_each_cache(void (*visit)(const struct object_cache *cache, void *arg), void *arg);
