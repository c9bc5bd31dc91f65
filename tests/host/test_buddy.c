/*
 * tests/host/test_buddy.c - mm/buddy.c against a map of who owns which frame.
 *
 * The frame array is made here: 5000 frames, a size that no order divides, with a hole in it.
 */
#include "host_kernel.h"

#include <mm/buddy.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 5000, HOLE_FIRST = 3001, HOLE_END = 3017, BLOCKS_MAX = FRAMES };

struct frame *frame_array;
uint64_t frame_array_count;

static bool taken[FRAMES];

static struct block {
	struct frame *head;
	unsigned order;
} blocks[BLOCKS_MAX];
static unsigned block_count;

static int begin(void **state)
{
	(void)state;
	host_random_restart();
	frame_array = calloc(FRAMES, sizeof(struct frame));
	frame_array_count = FRAMES;
	memset(taken, 0, sizeof(taken));
	block_count = 0;
	for (unsigned i = HOLE_FIRST; i < HOLE_END; i++) {
		frame_array[i].state = FRAME_KERNEL;
		taken[i] = true;
	}
	buddy_init();
	buddy_free_range(1, HOLE_FIRST);
	buddy_free_range(HOLE_END, FRAMES);
	taken[0] = true;
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_assert_idle();
	free(frame_array);
	return 0;
}

static uint64_t model_free(void)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < FRAMES; i++)
		count += !taken[i];
	return count;
}

/* Whether some aligned block of that order is free: merging must be complete for that. */
static bool model_has(unsigned order)
{
	for (unsigned first = 0; first + (1u << order) <= FRAMES; first += 1u << order) {
		unsigned i = 0;

		while (i < 1u << order && !taken[first + i])
			i++;
		if (i == 1u << order)
			return true;
	}
	return false;
}

static void model_take(struct frame *head, unsigned order)
{
	size_t first = (size_t)(head - frame_array);

	assert_int_equal(first & ((1u << order) - 1), 0);
	for (size_t i = first; i < first + (1u << order); i++) {
		assert_true(i < FRAMES && !taken[i]);
		assert_int_equal(frame_state(&frame_array[i]), FRAME_FREE);
		taken[i] = true;
		/* What frame.c does, and what keeps a block from merging with what is in use. */
		frame_array[i].state = FRAME_ANON;
		frame_array[i].refs = 1;
	}
	blocks[block_count++] = (struct block){head, order};
}

static struct block model_give(unsigned which)
{
	struct block block = blocks[which];

	for (size_t i = 0; i < 1u << block.order; i++) {
		block.head[i].state = FRAME_FREE;
		block.head[i].refs = 0;
		taken[block.head - frame_array + (ptrdiff_t)i] = false;
	}
	blocks[which] = blocks[--block_count];
	return block;
}

static void alloc_one(unsigned order)
{
	bool possible = model_has(order);
	struct frame *head = buddy_alloc(order);

	assert_int_equal(head != NULL, possible);
	if (head)
		model_take(head, order);
}

static void alloc_many(void)
{
	struct frame *frames[100];
	unsigned wanted = (unsigned)host_random_below(ARRAY_SIZE(frames) + 1);
	uint64_t free = model_free();
	unsigned got = buddy_alloc_many(frames, wanted);

	assert_int_equal(got, MIN(free, wanted));
	for (unsigned i = 0; i < got; i++)
		model_take(frames[i], 0);
}

static void free_many(void)
{
	struct frame *frames[32];
	unsigned count = 0;

	for (unsigned i = 0; i < block_count && count < ARRAY_SIZE(frames);) {
		if (blocks[i].order == 0)
			frames[count++] = model_give(i).head;
		else
			i++;
	}
	buddy_free_many(frames, count);
}

static void free_all(void)
{
	while (block_count > 0) {
		struct block block = model_give(block_count - 1);

		buddy_free(block.head, block.order);
	}
}

static void random_operations(void **state)
{
	(void)state;
	for (unsigned step = 0; step < 200000; step++) {
		unsigned what = (unsigned)host_random_below(8);
		unsigned order = (unsigned)host_random_below(FRAME_ORDER_MAX + 1);

		if (what < 3 && block_count < BLOCKS_MAX - 100) {
			alloc_one(what == 0 ? order : order / 3);
		} else if (what == 3 && block_count < BLOCKS_MAX - 100) {
			alloc_many();
		} else if (what == 4) {
			free_many();
		} else if (block_count > 0) {
			struct block block = model_give((unsigned)host_random_below(block_count));

			buddy_free(block.head, block.order);
		}
		if (step % 500 == 0) {
			buddy_check();
			assert_int_equal(buddy_free_count(), model_free());
		}
	}
	free_all();
	buddy_check();
	assert_int_equal(buddy_free_count(), model_free());
}

/* After everything is back, blocks are as large as they were: nothing stays split. */
static void merging_is_complete(void **state)
{
	unsigned largest = 0;

	(void)state;
	while (model_has(FRAME_ORDER_MAX)) {
		alloc_one(FRAME_ORDER_MAX);
		largest++;
	}
	assert_int_equal(largest, 2); /* at 1024 and 3072: at 2048 is the hole, at 4096 the end */
	alloc_one(FRAME_ORDER_MAX);
	free_all();
	while (model_free() > 0)
		alloc_one(0);
	alloc_one(0);
	free_all();
	for (unsigned i = 0; i < largest; i++)
		alloc_one(FRAME_ORDER_MAX);
	assert_int_equal(block_count, largest);
}

/* A batch from fresh memory is one ascending run, as popped from its end. */
static void batches_ascend(void **state)
{
	struct frame *frames[32];

	(void)state;
	buddy_init();
	buddy_free_range(1024, 2048);
	assert_int_equal(buddy_alloc_many(frames, 32), 32);
	for (unsigned i = 1; i < 32; i++)
		assert_true(frames[i] < frames[i - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(random_operations, begin, end),
	    cmocka_unit_test_setup_teardown(merging_is_complete, begin, end),
	    cmocka_unit_test_setup_teardown(batches_ascend, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
