/*
 * tests/host/test_page_index.c - mm/page_index.c against a sorted array.
 *
 * Indices come in clusters: dense at the start of a file, sparse, and near the largest there
 * is. A "frame" here is any address; it is never followed.
 */
#include "host_kernel.h"

#include <kernel/base/errno.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <mm/page_index.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 4000, RUN_MAX = 70 };

static struct entry {
	uint64_t at;
	struct frame *frame;
} entries[ENTRIES_MAX]; /* ascending */
static unsigned entry_count;
static struct page_index pages;

static int begin(void **state)
{
	static bool ready;

	(void)state;
	host_random_restart();
	host_memory_begin(16 << 20);
	if (!ready)
		page_index_init();
	ready = true;
	pages = (struct page_index){0};
	entry_count = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_null(pages.root);
	host_memory_end(); /* no node is left */
	return 0;
}

/* --- the model -------------------------------------------------------------------------- */

/* Where `at` is, or would be. */
static unsigned model_place(uint64_t at)
{
	unsigned low = 0, high = entry_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (entries[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct frame *model_find(uint64_t at)
{
	unsigned i = model_place(at);

	return i < entry_count && entries[i].at == at ? entries[i].frame : NULL;
}

static void model_insert(uint64_t at, struct frame *frame)
{
	unsigned i = model_place(at);

	memmove(&entries[i + 1], &entries[i], (entry_count++ - i) * sizeof(entries[0]));
	entries[i] = (struct entry){at, frame};
}

static void model_remove(uint64_t at)
{
	for (unsigned i = model_place(at); i + 1 < entry_count; i++)
		entries[i] = entries[i + 1];
	entry_count--;
}

static uint64_t random_index(void)
{
	switch (host_random_below(6)) {
	case 0:
		return host_random_below(100);
	case 1:
		return host_random_below(5000);
	case 2:
		return 1ul << host_random_below(64);
	case 3:
		return UINT64_MAX - host_random_below(200);
	case 4:
		return (1ul << 51) - 32 + host_random_below(64); /* the end of the largest file */
	default:
		return (host_random_below(16) << 40) + host_random_below(130);
	}
}

static void insert(uint64_t at)
{
	struct frame *frame = (struct frame *)(uintptr_t)(host_random() | 1);
	struct page_index_reserve reserve;

	assert_int_equal(page_index_reserve(&reserve), 0);
	page_index_insert(&pages, at, frame, &reserve);
	page_index_unreserve(&reserve);
	assert_int_equal(reserve.count, 0);
	model_insert(at, frame);
}

static void compare_next(uint64_t at)
{
	unsigned i = model_place(at);
	struct frame *expected = i < entry_count ? entries[i].frame : NULL;

	assert_ptr_equal(page_index_next(&pages, &at), expected);
	if (expected)
		assert_int_equal(at, entries[i].at);
}

/* From a random index on: cut off by `most` or by a hole, often in another leaf. */
static void compare_run(uint64_t at)
{
	unsigned most = (unsigned)MIN(host_random_below(RUN_MAX + 1), UINT64_MAX - at), count;
	struct frame *found[RUN_MAX];

	count = page_index_find_run(&pages, at, found, most);
	assert_true(count <= most);
	for (unsigned i = 0; i < count; i++)
		assert_ptr_equal(found[i], model_find(at + i));
	assert_true(count == most || !model_find(at + count));
}

static void compare_all(void)
{
	uint64_t at = 0;
	unsigned i = 0;
	struct frame *frame;

	page_index_check(&pages);
	while ((frame = page_index_next(&pages, &at))) {
		assert_true(i < entry_count);
		assert_int_equal(at, entries[i].at);
		assert_ptr_equal(frame, entries[i].frame);
		i++;
		if (++at == 0)
			break;
	}
	assert_int_equal(i, entry_count);
}

/* --- tests ------------------------------------------------------------------------------ */

static void random_operations(void **state)
{
	(void)state;
	for (unsigned step = 0; step < 2000000; step++) {
		uint64_t at = random_index();
		struct frame *expected = model_find(at);
		bool growing = step / 100000 % 2 == 0;

		switch (host_random_below(growing ? 4 : 3)) {
		case 0:
			assert_ptr_equal(page_index_find(&pages, at), expected);
			break;
		case 1:
			assert_ptr_equal(page_index_remove(&pages, at), expected);
			if (expected)
				model_remove(at);
			break;
		case 2:
			compare_next(at);
			compare_run(at);
			break;
		default:
			if (!expected && entry_count < ENTRIES_MAX)
				insert(at);
		}
		if (step % 10000 == 0)
			compare_all();
	}
	compare_all();
	while (entry_count > 0) {
		struct entry entry = entries[host_random_below(entry_count)];

		assert_ptr_equal(page_index_remove(&pages, entry.at), entry.frame);
		model_remove(entry.at);
		if (entry_count % 500 == 0)
			compare_all();
	}
}

/* A file read from start to end, then dropped in order. */
static void sequential(void **state)
{
	const uint64_t last = 100000;
	struct page_index_reserve reserve;
	uint64_t at = 0;

	(void)state;
	for (uint64_t i = 0; i < last; i++) {
		assert_int_equal(page_index_reserve(&reserve), 0);
		page_index_insert(&pages, i, (struct frame *)(uintptr_t)(i + 1), &reserve);
		page_index_unreserve(&reserve);
	}
	page_index_check(&pages);
	for (uint64_t i = 0; i < last; i++, at++)
		assert_int_equal((uintptr_t)page_index_next(&pages, &at), i + 1);
	assert_null(page_index_next(&pages, &at));
	assert_int_equal(at, last);
	for (uint64_t i = 0; i < last; i++)
		assert_int_equal((uintptr_t)page_index_remove(&pages, i), i + 1);
}

static void empty_index(void **state)
{
	uint64_t at = 0;

	(void)state;
	assert_null(page_index_find(&pages, 0));
	assert_null(page_index_find(&pages, UINT64_MAX));
	assert_null(page_index_remove(&pages, 5));
	assert_null(page_index_next(&pages, &at));
	page_index_check(&pages);
}

static void the_same_index_twice_panics(void **state)
{
	struct page_index_reserve reserve;

	(void)state;
	insert(77);
	assert_int_equal(page_index_reserve(&reserve), 0);
	assert_panics("assertion",
		      page_index_insert(&pages, 77, (struct frame *)(uintptr_t)8, &reserve));
	page_index_unreserve(&reserve);
	assert_ptr_equal(page_index_remove(&pages, 77), entries[0].frame);
}

static void reserve_without_memory(void **state)
{
	struct page_index_reserve reserve;
	struct frame *all = NULL, *frame;

	(void)state;
	heap_trim();
	while ((frame = frame_alloc(FRAME_KERNEL))) {
		frame->object = (struct mem_object *)all;
		all = frame;
	}
	assert_int_equal(page_index_reserve(&reserve), -ENOMEM);
	assert_int_equal(reserve.count, 0);
	while ((frame = all)) {
		all = (struct frame *)frame->object;
		frame_put(frame);
	}
	assert_int_equal(page_index_reserve(&reserve), 0);
	page_index_unreserve(&reserve);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(random_operations, begin, end),
	    cmocka_unit_test_setup_teardown(sequential, begin, end),
	    cmocka_unit_test_setup_teardown(empty_index, begin, end),
	    cmocka_unit_test_setup_teardown(the_same_index_twice_panics, begin, end),
	    cmocka_unit_test_setup_teardown(reserve_without_memory, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
