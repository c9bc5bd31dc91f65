/*
 * tests/host/test_frame.c - mm/frame.c and mm/frame_boot.c.
 *
 * Boot: which pages of a memory map are handed out, against a page by page model, for machines
 * of 32 MiB and 16 GiB and for random maps. Then allocation on several processors against a
 * model, references, blocks, reserved frames, and the checking build's poison.
 */
#include "host_kernel.h"

#include <mm/buddy.h>
#include <mm/frame.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1ul << 20)
#define GIB (1ul << 30)

enum { RAM_FRAMES = 4096 }; /* of the tests after boot: 16 MiB */

static int begin(void **state)
{
	(void)state;
	host_random_restart();
	host_cpu = (struct cpu){0};
	host_memory_begin(RAM_FRAMES * PAGE_SIZE);
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_cpu.id = 0;
	host_memory_end();
	return 0;
}

/* --- boot ------------------------------------------------------------------------------- */

static bool range_touches(const struct memory_range *range, phys_t page)
{
	return range->beg < range->end && range->beg < page + PAGE_SIZE && range->end > page;
}

static bool range_holds(const struct memory_range *range, phys_t page)
{
	return range->beg <= page && range->end >= page + PAGE_SIZE;
}

struct map {
	struct memory_range usable[8], reserved[8];
	size_t usable_count, reserved_count;
};

static bool model_usable(const struct map *map, phys_t page)
{
	for (size_t i = 0; i < map->usable_count; i++) {
		if (range_holds(&map->usable[i], page))
			return true;
	}
	return false;
}

static bool model_free(const struct map *map, phys_t page)
{
	phys_t array = virt_to_phys(frame_array);
	struct memory_range array_range = {array, array + frame_array_count * sizeof(struct frame)};

	for (size_t i = 0; i < map->reserved_count; i++) {
		if (range_touches(&map->reserved[i], page))
			return false;
	}
	return page != 0 && model_usable(map, page) && !range_touches(&array_range, page);
}

static void map_init(const struct map *map)
{
	frame_init(map->usable, map->usable_count, map->reserved, map->reserved_count);
	frame_check();
}

/* Compares every frame's state with the map. Returns how many are free. */
static uint64_t map_compare(const struct map *map)
{
	uint64_t free = 0, usable = 0, counts[FRAME_ZERO + 1];

	for (uint64_t i = 0; i < frame_array_count; i++) {
		const struct frame *frame = &frame_array[i];
		bool expected = model_free(map, i << PAGE_SHIFT);

		usable += model_usable(map, i << PAGE_SHIFT);
		free += expected;
		if (frame == frame_zero)
			assert_true(expected);
		else if (expected != (frame_kind(frame) == FRAME_FREE))
			fail_msg("frame %lu: expected %s, kind %u", i, expected ? "free" : "not",
				 frame_kind(frame));
		if (!expected)
			assert_true(frame_kind(frame) == FRAME_KERNEL &&
				    frame_refs(frame) >= FRAME_REFS_SATURATED);
	}
	assert_int_equal(frame_free_count(), free - 1); /* the zero frame */
	assert_int_equal(frame_total_count(), usable);
	frame_kind_counts(counts);
	assert_int_equal(counts[FRAME_FREE], free - 1);
	assert_int_equal(counts[FRAME_KERNEL], usable - free);
	assert_int_equal(counts[FRAME_ZERO], 1);
	return free;
}

/* What GRUB reports for -m 32M, kernel and module in place. */
static void boot_32_mib(void **state)
{
	const struct map map = {
	    .usable = {{0, 0x9fc00}, {0x100000, 0x1fe0000}},
	    .usable_count = 2,
	    .reserved = {{0x100000, 0x2a1234}, {0x2a2000, 0x912345}, {0x9f000, 0x100000}},
	    .reserved_count = 3,
	};
	uint64_t free;

	(void)state;
	host_ram_create(32 * MIB);
	map_init(&map);
	free = map_compare(&map);
	assert_in_range(free, (32 - 10) * 256 - 256, 32 * 256);
	while (free-- > 1) {
		struct frame *frame = frame_alloc(FRAME_ANON);

		assert_non_null(frame);
		memset(frame_virt(frame), 0xaa, PAGE_SIZE);
	}
	assert_null(frame_alloc(FRAME_ANON));
	assert_int_equal(frame_free_count(), 0);
	frame_check();
	host_ram_destroy();
}

/* 16 GiB: 3 below the hole, 13 from 4 GiB on. */
static void boot_16_gib(void **state)
{
	const struct map map = {
	    .usable = {{4 * GIB, 17 * GIB}, {0, 0x9fc00}, {MIB, 3 * GIB}},
	    .usable_count = 3,
	    .reserved = {{MIB, 5 * MIB}, {6 * MIB, 70 * MIB}},
	    .reserved_count = 2,
	};

	(void)state;
	host_ram_create(17 * GIB);
	map_init(&map);
	assert_int_equal(frame_array_count, 17 * GIB / PAGE_SIZE);
	assert_int_equal(frame_total_count(), 16 * GIB / PAGE_SIZE - (0x100 - 0x9f));
	map_compare(&map);
	assert_true(frame_phys(frame_zero) < 17 * GIB);
	host_ram_destroy();
}

static struct memory_range random_range(phys_t limit, uint64_t longest)
{
	phys_t beg = host_random_below(limit);
	phys_t end = beg + host_random_below(longest);

	if (host_random_below(3) == 0) {
		beg = PAGE_ALIGN_DOWN(beg);
		end = PAGE_ALIGN_DOWN(end);
	}
	return (struct memory_range){beg, MIN(end, limit)};
}

/* Ranges that overlap, touch, are empty, cross the end. */
static void boot_random_maps(void **state)
{
	const phys_t limit = 2 * MIB;

	(void)state;
	host_random_restart();
	host_ram_create(limit);
	for (unsigned round = 0; round < 3000; round++) {
		struct map map = {.usable_count = 1 + host_random_below(8),
				  .reserved_count = host_random_below(9)};

		map.usable[0] = (struct memory_range){limit / 2 + host_random_below(8192), limit};
		for (size_t i = 1; i < map.usable_count; i++)
			map.usable[i] = random_range(limit, limit / 4);
		for (size_t i = 0; i < map.reserved_count; i++)
			map.reserved[i] = random_range(limit, limit / 16);
		map_init(&map);
		map_compare(&map);
	}
	host_ram_destroy();
}

static void boot_without_room_panics(void **state)
{
	const struct memory_range usable = {0, 2 * PAGE_SIZE};
	const struct memory_range reserved = {PAGE_SIZE, 2 * PAGE_SIZE};

	(void)state;
	host_ram_create(MIB);
	assert_panics("no room for the frame array", frame_init(&usable, 1, &reserved, 1));
	assert_panics("no room for the frame array", frame_init(NULL, 0, NULL, 0));
	host_ram_destroy();
}

/* --- allocation ------------------------------------------------------------------------- */

static struct held {
	struct frame *frame;
	uint32_t refs;
	unsigned order;
	enum frame_kind kind;
	uint64_t stamp;
} held[RAM_FRAMES];
static unsigned held_count;
static uint64_t held_kinds[FRAME_ZERO + 1]; /* frames */

static void stamp_write(const struct held *h)
{
	for (size_t i = 0; i < 1ul << h->order; i++) {
		*(uint64_t *)frame_virt(h->frame + i) = h->stamp + i;
		*((uint64_t *)frame_virt(h->frame + i) + 511) = ~(h->stamp + i);
	}
}

static void stamp_check(const struct held *h)
{
	for (size_t i = 0; i < 1ul << h->order; i++) {
		assert_int_equal(*(uint64_t *)frame_virt(h->frame + i), h->stamp + i);
		assert_int_equal(*((uint64_t *)frame_virt(h->frame + i) + 511), ~(h->stamp + i));
	}
}

static void frame_assert_fresh(const struct frame *frame, enum frame_kind kind)
{
	assert_int_equal(frame_state(frame), kind);
	assert_null(frame->object);
	assert_int_equal(frame->index, 0);
	assert_int_equal(frame->in_use, 0);
	assert_int_equal(frame->lock.locked, 0);
}

static void hold(struct frame *frame, enum frame_kind kind, unsigned order)
{
	struct held *h = &held[held_count];

	if (!frame) {
		assert_true(frame_free_count() < RAM_FRAMES / 8); /* nearly out, or in pieces */
		return;
	}
	*h = (struct held){frame, 1, order, kind, host_random()};
	assert_int_equal(frame_refs(frame), 1);
	assert_int_equal(frame->order, order);
	for (size_t i = 0; i < 1ul << order; i++)
		frame_assert_fresh(frame + i, kind);
	stamp_write(h);
	held_count++;
	held_kinds[kind] += 1ul << order;
}

static void hold_one(void)
{
	enum frame_kind kind = FRAME_KERNEL + (enum frame_kind)host_random_below(4);
	struct frame *frame;

	if (host_random_below(4) == 0) {
		frame = frame_alloc_zeroed(kind);
		for (size_t i = 0; frame && i < PAGE_SIZE / 8; i++)
			assert_int_equal(((uint64_t *)frame_virt(frame))[i], 0);
	} else {
		frame = frame_alloc(kind);
	}
	hold(frame, kind, 0);
}

static void drop(unsigned which)
{
	struct held *h = &held[which];

	stamp_check(h);
	h->frame->index = h->frame->in_use = 7; /* the owner's, while it is his */
	h->frame->cache = (struct object_cache *)(uintptr_t)h->stamp;
	if (h->order == 0)
		frame_put(h->frame);
	else
		frame_free_block(h->frame, h->order);
	if (--h->refs > 0) {
		assert_int_equal(frame_refs(h->frame), h->refs);
		return;
	}
	assert_int_equal(frame_kind(h->frame), FRAME_FREE);
	held_kinds[h->kind] -= 1ul << h->order;
	*h = held[--held_count];
}

static void get_more(struct held *h)
{
	uint32_t n = 1 + (uint32_t)host_random_below(3);

	if (h->order > 0)
		return;
	frame_get_many(h->frame, n);
	h->refs += n;
	assert_int_equal(frame_refs(h->frame), h->refs);
}

static void compare_counts(uint64_t free_at_start, const uint64_t kinds_at_start[])
{
	uint64_t counts[FRAME_ZERO + 1], sum = 0;

	frame_check();
	frame_kind_counts(counts);
	for (unsigned kind = FRAME_KERNEL; kind <= FRAME_CACHE; kind++) {
		assert_int_equal(counts[kind], kinds_at_start[kind] + held_kinds[kind]);
		sum += held_kinds[kind];
	}
	assert_int_equal(frame_free_count(), free_at_start - sum);
}

/* Fills memory, empties it, and again, on sixteen processors in turn. */
static void random_operations(void **state)
{
	uint64_t free_at_start = frame_free_count(), kinds[FRAME_ZERO + 1];

	(void)state;
	frame_kind_counts(kinds);
	held_count = 0;
	memset(held_kinds, 0, sizeof(held_kinds));
	for (unsigned step = 0; step < 1000000; step++) {
		bool growing = step / 50000 % 2 == 0;
		unsigned what = (unsigned)host_random_below(10);

		host_cpu.id = (uint32_t)host_random_below(step < 500000 ? CPU_MAX : 2);
		if (what < (growing ? 6u : 3u)) {
			hold_one();
		} else if (what == 6) {
			unsigned order = (unsigned)host_random_below(5);

			hold(frame_alloc_block(order), FRAME_KERNEL, order);
		} else if (held_count > 0) {
			unsigned which = (unsigned)host_random_below(held_count);

			if (what == 7)
				get_more(&held[which]);
			else
				drop(which);
		}
		if (step % 5000 == 0)
			compare_counts(free_at_start, kinds);
	}
	while (held_count > 0)
		drop(held_count - 1);
	compare_counts(free_at_start, kinds);
	host_assert_idle();
}

/*
 * The last frames lie in caches, this processor's and others': a block is found all the same, and
 * so is a single frame.
 */
static void found_in_caches(void **state)
{
	struct frame *all[RAM_FRAMES + 1];
	unsigned count = 0;

	(void)state;
	while ((all[count] = frame_alloc(FRAME_ANON)))
		count++;
	assert_null(frame_alloc_block(1));
	for (unsigned i = 0; i < count; i++) {
		uint64_t number = frame_phys(all[i]) >> PAGE_SHIFT;

		host_cpu.id = (uint32_t)number % 4;
		if (number / 16 == 100)
			frame_put(all[i]);
	}
	host_cpu.id = 0;
	assert_int_equal(frame_free_count(), 16);
	assert_int_equal(buddy_free_count(), 0);
	all[count] = frame_alloc_block(4);
	assert_non_null(all[count]);
	frame_free_block(all[count], 4);
	all[count] = frame_alloc(FRAME_ANON);
	assert_non_null(all[count]);
	host_cpu.id = CPU_MAX - 1;
	for (unsigned i = 1; i < 16; i++) { /* fifteen of the frames lie in processor 0's cache */
		struct frame *frame = frame_alloc(FRAME_ANON);

		assert_non_null(frame);
		all[count + i] = frame;
	}
	assert_null(frame_alloc(FRAME_ANON));
	assert_int_equal(frame_free_count(), 0);
	for (unsigned i = 0; i < 16; i++)
		frame_put(all[count + i]);
	for (unsigned i = 0; i < count; i++) {
		if (frame_kind(all[i]) != FRAME_FREE)
			frame_put(all[i]);
	}
}

/* --- references ------------------------------------------------------------------------- */

static void references_saturate(void **state)
{
	struct frame *frame = frame_alloc(FRAME_ANON);

	(void)state;
	frame->refs = FRAME_REFS_SATURATED - 2;
	frame_get(frame);
	assert_int_equal(frame_refs(frame), FRAME_REFS_SATURATED - 1);
	frame_put(frame);
	assert_int_equal(frame_refs(frame), FRAME_REFS_SATURATED - 2);
	frame_get_many(frame, 512);
	assert_int_equal(frame_refs(frame), FRAME_REFS_PINNED);
	for (unsigned i = 0; i < 10; i++)
		frame_put(frame);
	assert_int_equal(frame_refs(frame), FRAME_REFS_PINNED);
	frame_get_many(frame, 512);
	assert_int_equal(frame_refs(frame), FRAME_REFS_PINNED);
	assert_int_equal(frame_kind(frame), FRAME_ANON);
	frame->refs = 1;
	frame_put(frame);
}

/*
 * More than a processor's cache holds, out of order; shared frames and the zero frame among them.
 */
static void many_are_put_at_once(void **state)
{
	enum { COUNT = 150, SHARED = 3 };
	struct frame *frames[COUNT + 1], *shared[SHARED];
	uint64_t before = frame_free_count(), kinds[FRAME_ZERO + 1];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		frames[i] = frame_alloc(i % 7 ? FRAME_ANON : FRAME_TABLE);
	for (unsigned i = 0; i < SHARED; i++) {
		shared[i] = frames[i * 50];
		frame_get(shared[i]);
	}
	for (unsigned i = 40; i < 60; i += 2) {
		struct frame *other = frames[i];

		frames[i] = frames[i + 1];
		frames[i + 1] = other;
	}
	frames[COUNT] = frame_zero;
	frame_put_many(frames, COUNT + 1);
	assert_int_equal(frame_free_count(), before - SHARED);
	frame_check();
	for (unsigned i = 0; i < SHARED; i++)
		assert_int_equal(frame_refs(shared[i]), 1);
	frame_put_many(shared, SHARED);
	assert_int_equal(frame_free_count(), before);
	frame_kind_counts(kinds);
	assert_int_equal(kinds[FRAME_ANON], 0);
	assert_int_equal(kinds[FRAME_TABLE], 0);
	frame_put_many(frames, 0);
}

static void zero_frame_is_uncounted(void **state)
{
	const uint64_t *words = frame_virt(frame_zero);

	(void)state;
	assert_int_equal(frame_kind(frame_zero), FRAME_ZERO);
	for (size_t i = 0; i < PAGE_SIZE / 8; i++)
		assert_int_equal(words[i], 0);
	for (unsigned i = 0; i < 100; i++)
		frame_put(frame_zero);
	assert_int_equal(frame_refs(frame_zero), FRAME_REFS_PINNED);
	frame_get_many(frame_zero, 512);
	assert_int_equal(frame_kind(frame_zero), FRAME_ZERO);
	assert_int_equal(frame_refs(frame_zero), FRAME_REFS_PINNED);
}

static void mistakes_panic(void **state)
{
	struct frame *frame = frame_alloc(FRAME_ANON);
	struct frame *block = frame_alloc_block(2);

	(void)state;
	assert_panics("assertion", frame_free_block(block, 3));
	frame_get(block);
	assert_panics("assertion", frame_free_block(block, 2));
	frame_put(block);
	frame_free_block(block, 2);
	frame_put(frame);
	assert_panics("once too often", frame_put(frame));
	frame->refs = 0;
	assert_panics("assertion", frame_free_reserved(2 * MIB, 3 * MIB)); /* was never reserved */
}

/* --- reserved frames -------------------------------------------------------------------- */

static void reserved_frames_are_given_back(void **state)
{
	const struct map map = {.usable = {{0, 16 * MIB}},
				.usable_count = 1,
				.reserved = {{4 * MIB, 8 * MIB}, {8 * MIB + 5, 8 * MIB + 6}},
				.reserved_count = 2};
	struct frame *frame;
	uint64_t free;

	(void)state;
	map_init(&map);
	free = frame_free_count();
	memset(phys_to_virt(4 * MIB), 0x5a, 4 * MIB);

	frame = frame_adopt_reserved(5 * MIB, FRAME_CACHE);
	frame_assert_fresh(frame, FRAME_CACHE);
	assert_int_equal(frame_phys(frame), 5 * MIB);
	assert_int_equal(frame_refs(frame), 1);
	assert_int_equal(*(uint8_t *)frame_virt(frame), 0x5a);
	assert_panics("assertion", assert_null(frame_adopt_reserved(5 * MIB, FRAME_CACHE)));
	frame_check();

	frame_free_reserved(4 * MIB + 1, 5 * MIB + 1); /* its first page is not whole */
	assert_int_equal(frame_free_count(), free + 255);
	frame_free_reserved(5 * MIB + PAGE_SIZE, 8 * MIB);
	frame_free_reserved(6 * MIB + 1, 6 * MIB + 2);
	assert_int_equal(frame_free_count(), free + 1022);
	frame_put(frame);
	assert_int_equal(frame_free_count(), free + 1023);
	assert_panics("assertion", frame_free_reserved(6 * MIB, 7 * MIB));
	frame_check();
}

/* --- threads ---------------------------------------------------------------------------- */

enum { THREADS = 4, THREAD_FRAMES = 300, THREAD_STEPS = 200000 };

static struct frame *shared_frame;

static void *thread_run(void *arg)
{
	struct frame *mine[THREAD_FRAMES] = {0};
	uint64_t random = (uintptr_t)arg + 1;

	host_cpu = (struct cpu){.id = (uint32_t)(uintptr_t)arg};
	for (unsigned step = 0; step < THREAD_STEPS; step++) {
		struct frame **slot;

		random = random * 6364136223846793005ul + 1442695040888963407ul;
		slot = &mine[(random >> 33) % THREAD_FRAMES];
		if (*slot) {
			kassert(*(uint64_t *)frame_virt(*slot) == (uintptr_t)slot);
			frame_put(*slot);
			frame_put(shared_frame);
			*slot = NULL;
		} else {
			*slot = frame_alloc(FRAME_ANON);
			kassert(*slot);
			frame_get(shared_frame);
			*(uint64_t *)frame_virt(*slot) = (uintptr_t)slot;
		}
	}
	for (unsigned i = 0; i < THREAD_FRAMES; i++) {
		if (mine[i]) {
			frame_put(mine[i]);
			frame_put(shared_frame);
		}
	}
	kassert(host_cpu.preempt_count == 0 && !host_cpu.irqs_off);
	return NULL;
}

static void processors_in_parallel(void **state)
{
	pthread_t threads[THREADS];
	uint64_t free = frame_free_count();

	(void)state;
	shared_frame = frame_alloc(FRAME_CACHE);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_run, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(frame_refs(shared_frame), 1);
	frame_put(shared_frame);
	assert_int_equal(frame_free_count(), free);
}

#ifdef STOS_CHECK
static void poison_is_found(void **state)
{
	struct frame *frame = frame_alloc(FRAME_ANON);
	uint8_t *bytes = frame_virt(frame);

	(void)state;
	memset(bytes, 1, PAGE_SIZE);
	frame_put(frame);
	assert_int_equal(*(uint64_t *)bytes, FRAME_POISON);
	assert_ptr_equal(frame_alloc(FRAME_ANON), frame);
	frame_put(frame);
	bytes[4000] ^= 1;
	assert_panics("was written", assert_null(frame_alloc(FRAME_ANON)));
	bytes[4000] ^= 1;
	host_ram_destroy(); /* the panic left an allocation half done */
	begin(state);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(boot_32_mib),
	    cmocka_unit_test(boot_16_gib),
	    cmocka_unit_test(boot_random_maps),
	    cmocka_unit_test(boot_without_room_panics),
	    cmocka_unit_test_setup_teardown(random_operations, begin, end),
	    cmocka_unit_test_setup_teardown(found_in_caches, begin, end),
	    cmocka_unit_test_setup_teardown(references_saturate, begin, end),
	    cmocka_unit_test_setup_teardown(many_are_put_at_once, begin, end),
	    cmocka_unit_test_setup_teardown(zero_frame_is_uncounted, begin, end),
	    cmocka_unit_test_setup_teardown(mistakes_panic, begin, end),
	    cmocka_unit_test_setup_teardown(reserved_frames_are_given_back, begin, end),
	    cmocka_unit_test_setup_teardown(processors_in_parallel, begin, end),
#ifdef STOS_CHECK
	    cmocka_unit_test_setup_teardown(poison_is_found, begin, end),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
