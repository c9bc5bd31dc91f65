/*
 * tests/host/test_heap.c - mm/heap.c over the real frame allocator.
 *
 * Random sizes with contents that would tell an overlap, memory running out and coming back,
 * leaks down to the last frame, several processors, and what the checking build finds.
 */
#include "host_kernel.h"

#include <mm/frame.h>
#include <mm/heap.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RAM_BYTES = 32 << 20, SLOTS = 3000 };

static uint64_t free_at_start;

static void add_live(const struct object_cache *cache, void *arg)
{
	*(uint64_t *)arg += cache->live;
}

static uint64_t live_objects(void)
{
	uint64_t live = 0;

	heap_for_each_cache(add_live, &live);
	return live;
}

static int begin(void **state)
{
	(void)state;
	host_random_restart();
	host_memory_begin(RAM_BYTES);
	free_at_start = frame_free_count();
	return 0;
}

/* Everything was freed: so nothing is live and, after trimming, no frame is missing. */
static int end(void **state)
{
	(void)state;
	assert_int_equal(live_objects(), 0);
	heap_trim();
	assert_int_equal(frame_free_count(), free_at_start);
	host_memory_end();
	return 0;
}

/* --- kmalloc ---------------------------------------------------------------------------- */

static struct slot {
	uint8_t *bytes;
	size_t size;
	uint8_t fill;
} slots[SLOTS];

static size_t random_size(void)
{
	switch (host_random_below(8)) {
	case 0:
		return 1 + host_random_below(70000);
	case 1:
		return 2040 + host_random_below(20);
	default:
		return 1 + host_random_below(2048);
	}
}

static void slot_fill(struct slot *slot)
{
	slot->size = random_size();
	slot->fill = (uint8_t)host_random();
	if (host_random_below(4) == 0) {
		slot->bytes = kzalloc(slot->size);
		for (size_t i = 0; slot->bytes && i < slot->size; i++)
			assert_int_equal(slot->bytes[i], 0);
	} else {
		slot->bytes = kmalloc(slot->size);
	}
	if (!slot->bytes)
		return;
	assert_int_equal((uintptr_t)slot->bytes % 16, 0);
	if (slot->size > 2048)
		assert_int_equal((uintptr_t)slot->bytes % PAGE_SIZE, 0);
	memset(slot->bytes, slot->fill, slot->size);
}

static void slot_empty(struct slot *slot)
{
	for (size_t i = 0; slot->bytes && i < slot->size; i++) {
		if (slot->bytes[i] != slot->fill)
			fail_msg("size %zu: byte %zu changed", slot->size, i);
	}
	kfree(slot->bytes);
	slot->bytes = NULL;
}

static void random_sizes(void **state)
{
	(void)state;
	for (unsigned step = 0; step < 400000; step++) {
		struct slot *slot = &slots[host_random_below(SLOTS)];

		host_cpu.id = step % 3;
		if (slot->bytes)
			slot_empty(slot);
		else
			slot_fill(slot);
		if (step % 20000 == 0)
			frame_check();
	}
	host_cpu.id = 0;
	for (unsigned i = 0; i < SLOTS; i++)
		slot_empty(&slots[i]);
}

static void special_sizes(void **state)
{
	void *p;

	(void)state;
	assert_null(kmalloc(0));
	assert_null(kzalloc(0));
	kfree(NULL);
	assert_null(kmalloc((PAGE_SIZE << FRAME_ORDER_MAX) + 1));
	assert_null(kmalloc(SIZE_MAX));
	assert_null(kzalloc_array(SIZE_MAX / 2, 3));
	assert_null(kzalloc_array(1ul << 32, 1ul << 32));
	assert_null(kzalloc_array(0, 8));

	p = kmalloc(PAGE_SIZE << FRAME_ORDER_MAX);
	assert_non_null(p);
	assert_true(heap_bytes() >= PAGE_SIZE << FRAME_ORDER_MAX);
	kfree(p);
	p = kzalloc_array(7, 9);
	assert_non_null(p);
	kfree(p);
}

/* Each size up to two pages, in place of a slower proof of the table of sizes. */
static void every_size_is_large_enough(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 2 * PAGE_SIZE; size++) {
		uint8_t *a = kmalloc(size), *b = kmalloc(size);

		assert_true(a + size <= b || b + size <= a);
		memset(a, 1, size);
		memset(b, 2, size);
		assert_int_equal(a[0], 1);
		assert_int_equal(a[size - 1], 1);
		kfree(a);
		assert_int_equal(b[0], 2);
		assert_int_equal(b[size - 1], 2);
		kfree(b);
	}
}

static void strings_are_copied(void **state)
{
	char *copy = kstrdup("/bin/sh");

	(void)state;
	assert_string_equal(copy, "/bin/sh");
	kfree(copy);
	copy = kstrdup("");
	assert_string_equal(copy, "");
	kfree(copy);
}

/* --- memory running out ----------------------------------------------------------------- */

static void out_of_memory_and_back(void **state)
{
	static const size_t sizes[] = {24, 1000, 5000, 100000};
	void **previous = NULL;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		uint64_t got = 0;

		/* Each block's first word is the one before: a chain of all there is. */
		for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
			void **block;

			while (
			    (block = kmalloc(sizes[round == 1 ? i : ARRAY_SIZE(sizes) - 1 - i]))) {
				*block = previous;
				previous = block;
				got++;
			}
		}
		assert_int_equal(frame_free_count(), 0);
		assert_true(got > 200);
		assert_null(kzalloc(100));
		while (previous) {
			void **block = previous;

			previous = *block;
			kfree(block);
		}
		frame_check();
	}
}

/* --- object caches ---------------------------------------------------------------------- */

static void object_sizes(void **state)
{
	static struct object_cache caches[40]; /* stays in the list of caches */
	void *objects[100];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(caches); i++) {
		size_t size = 1 + (size_t)i * i * 5, align = 8ul << i % 4;

		object_cache_init(&caches[i], "test", size, align);
		assert_true(caches[i].size >= size);
		assert_true((size_t)caches[i].per_slab * caches[i].size <=
			    PAGE_SIZE << caches[i].slab_order);
		for (unsigned j = 0; j < ARRAY_SIZE(objects); j++) {
			objects[j] = object_alloc_zeroed(&caches[i]);
			assert_int_equal((uintptr_t)objects[j] % align, 0);
			for (size_t k = 0; k < size; k++)
				assert_int_equal(((uint8_t *)objects[j])[k], 0);
			memset(objects[j], (int)j + 1, size);
		}
		assert_int_equal(caches[i].live, ARRAY_SIZE(objects));
		for (unsigned j = 0; j < ARRAY_SIZE(objects); j++) {
			for (size_t k = 0; k < size; k++)
				assert_int_equal(((uint8_t *)objects[j])[k], j + 1);
			object_free(&caches[i], objects[j]);
		}
		assert_int_equal(caches[i].live, 0);
		assert_int_equal(caches[i].slabs, 1); /* the empty one that is kept */
	}
}

/* An object in use keeps its slab; the kept empty slab is used before a new one is made. */
static void slabs_come_and_go(void **state)
{
	static struct object_cache cache;
	void *objects[64];
	uint64_t free;

	(void)state;
	object_cache_init(&cache, "come_and_go", 1024, 8);
	for (unsigned i = 0; i < 64; i++)
		objects[i] = object_alloc(&cache);
	assert_int_equal(cache.slabs, 16);
	for (unsigned i = 0; i < 64; i++) {
		if (i % 4 != 3)
			object_free(&cache, objects[i]);
	}
	assert_int_equal(cache.slabs, 16);
	free = frame_free_count();
	for (unsigned i = 3; i < 60; i += 4)
		object_free(&cache, objects[i]);
	assert_int_equal(cache.slabs, 2);
	assert_int_equal(frame_free_count(), free + 14);
	for (unsigned i = 0; i < 7; i++)
		objects[i] = object_alloc(&cache); /* three beside the one left, four in the kept */
	assert_int_equal(cache.slabs, 2);
	assert_null(cache.empty);
	for (unsigned i = 0; i < 7; i++)
		object_free(&cache, objects[i]);
	object_free(&cache, objects[63]);
	heap_trim();
	assert_int_equal(cache.slabs, 0);
}

static void mistakes_panic(void **state)
{
	static struct object_cache cache, other;
	uint8_t *p = kmalloc(100), *block = kmalloc(3 * PAGE_SIZE);
	void *object;

	(void)state;
	object_cache_init(&cache, "mistakes", 64, 8);
	object_cache_init(&other, "mistakes 2", 64, 8);
	object = object_alloc(&cache);
	assert_panics("assertion", object_free(&other, object));
	assert_panics("assertion", kfree(block + 16));
	object_free(&cache, object);
	kfree(block);
	assert_panics("assertion", kfree(block));
	kfree(p);
}

/* --- processors in parallel ------------------------------------------------------------- */

enum { THREADS = 4, THREAD_STEPS = 100000 };

static void *thread_run(void *arg)
{
	uint64_t *mine[200] = {0};
	uint64_t random = (uintptr_t)arg + 1;

	host_cpu = (struct cpu){.id = (uint32_t)(uintptr_t)arg};
	for (unsigned step = 0; step < THREAD_STEPS + 2 * 200; step++) {
		unsigned i;

		random = random * 6364136223846793005ul + 1442695040888963407ul;
		i = step < THREAD_STEPS ? (random >> 33) % 200 : step % 200;
		if (mine[i]) {
			kassert(*mine[i] == (uintptr_t)&mine[i]);
			kfree(mine[i]);
			mine[i] = NULL;
		} else if (step < THREAD_STEPS) {
			mine[i] = kmalloc(8 + (random >> 50) % 3000);
			kassert(mine[i]);
			*mine[i] = (uintptr_t)&mine[i];
		}
	}
	kassert(host_cpu.preempt_count == 0 && !host_cpu.irqs_off);
	return NULL;
}

static void processors_in_parallel(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_run, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

#ifdef STOS_CHECK
static void misuse_is_found(void **state)
{
	uint64_t *a = kmalloc(96), *b = kmalloc(96);

	(void)state;
	kfree(a);
	assert_panics("freed twice", kfree(a));
	assert_panics("no object", kfree((char *)b + 8));
	a[5]++;
	assert_panics("was written", assert_null(kmalloc(96)));
	kfree(b); /* with its slab goes the object that was on its way out */
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(random_sizes, begin, end),
	    cmocka_unit_test_setup_teardown(special_sizes, begin, end),
	    cmocka_unit_test_setup_teardown(every_size_is_large_enough, begin, end),
	    cmocka_unit_test_setup_teardown(strings_are_copied, begin, end),
	    cmocka_unit_test_setup_teardown(out_of_memory_and_back, begin, end),
	    cmocka_unit_test_setup_teardown(object_sizes, begin, end),
	    cmocka_unit_test_setup_teardown(slabs_come_and_go, begin, end),
	    cmocka_unit_test_setup_teardown(mistakes_panic, begin, end),
	    cmocka_unit_test_setup_teardown(processors_in_parallel, begin, end),
#ifdef STOS_CHECK
	    cmocka_unit_test_setup_teardown(misuse_is_found, begin, end),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
