/*
 * tests/host/test_timer_tree.c - kernel/timer_tree.c against a sorted array; and how deep it gets.
 */
#include "host_kernel.h"

#include <kernel/timer_tree.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 300, STEPS = 200000, MANY = 50000, DEPTH_MAX = 60 };

static struct timer_tree tree;
static struct timer_node nodes[NODES];
static struct timer_node *sorted[NODES]; /* those in the tree, as they should come */
static size_t count;

static void begin(void)
{
	host_random_restart();
	tree = (struct timer_tree){0};
	memset(nodes, 0, sizeof(nodes));
	count = 0;
}

static void model_insert(struct timer_node *node, uint64_t deadline_ns)
{
	size_t at = 0;

	while (at < count && sorted[at]->deadline_ns <= deadline_ns)
		at++;
	memmove(&sorted[at + 1], &sorted[at], (count - at) * sizeof(sorted[0]));
	sorted[at] = node;
	count++;
}

static void model_remove(const struct timer_node *node)
{
	size_t at = 0;

	while (at < count && sorted[at] != node)
		at++;
	if (at == count)
		return;
	count--;
	memmove(&sorted[at], &sorted[at + 1], (count - at) * sizeof(sorted[0]));
}

static void check_subtree(const struct timer_node *node, size_t *at)
{
	if (!node)
		return;
	assert_true(!node->left || node->left->priority <= node->priority);
	assert_true(!node->right || node->right->priority <= node->priority);
	check_subtree(node->left, at);
	assert_true(*at < count);
	assert_ptr_equal(node, sorted[*at]);
	(*at)++;
	check_subtree(node->right, at);
}

static void check(void)
{
	size_t at = 0;

	check_subtree(tree.root, &at);
	assert_int_equal(at, count);
}

static void step(uint64_t deadlines)
{
	struct timer_node *node = &nodes[host_random_below(NODES)];
	uint64_t deadline_ns = host_random_below(deadlines);

	timer_tree_remove(&tree, node); /* it may not be in */
	model_remove(node);
	if (host_random_below(4)) {
		model_insert(node, deadline_ns);
		timer_tree_insert(&tree, node, deadline_ns);
	}
	assert_ptr_equal(timer_tree_first(&tree), count ? sorted[0] : NULL);
}

static void random_steps(uint64_t deadlines)
{
	begin();
	for (unsigned i = 0; i < STEPS; i++) {
		step(deadlines);
		if (i % 64 == 0)
			check();
	}
	for (; count > 0; model_remove(sorted[0])) { /* as they expire */
		assert_ptr_equal(timer_tree_first(&tree), sorted[0]);
		timer_tree_remove(&tree, sorted[0]);
	}
	assert_null(timer_tree_first(&tree));
}

static void different_deadlines(void **state)
{
	(void)state;
	random_steps(UINT64_MAX);
}

static void many_equal_deadlines(void **state)
{
	(void)state;
	random_steps(10);
}

static void equal_deadlines_come_as_they_went_in(void **state)
{
	(void)state;
	begin();
	for (size_t i = 0; i < NODES; i++)
		timer_tree_insert(&tree, &nodes[i], 7);
	for (size_t i = 0; i < NODES; i++) {
		assert_ptr_equal(timer_tree_first(&tree), &nodes[i]);
		timer_tree_remove(&tree, &nodes[i]);
	}
}

static size_t depth(const struct timer_node *node)
{
	size_t left, right;

	if (!node)
		return 0;
	left = depth(node->left);
	right = depth(node->right);
	return 1 + MAX(left, right);
}

/* `deadline` of the n-th that is inserted. */
static void check_depth(uint64_t (*deadline)(uint64_t n))
{
	struct timer_node *many = calloc(MANY, sizeof(*many));

	assert_non_null(many);
	begin();
	for (uint64_t n = 0; n < MANY; n++)
		timer_tree_insert(&tree, &many[n], deadline(n));
	assert_true(depth(tree.root) <= DEPTH_MAX);
	for (uint64_t n = 0; n < MANY; n += 2)
		timer_tree_remove(&tree, &many[n]);
	assert_true(depth(tree.root) <= DEPTH_MAX);
	free(many);
}

static uint64_t rising(uint64_t n)
{
	return n;
}

static uint64_t falling(uint64_t n)
{
	return MANY - n;
}

static uint64_t same(uint64_t n)
{
	(void)n;
	return 1;
}

static uint64_t from_both_ends(uint64_t n)
{
	return n % 2 ? n : 2 * MANY - n;
}

static void it_stays_shallow(void **state)
{
	(void)state;
	check_depth(rising);
	check_depth(falling);
	check_depth(same);
	check_depth(from_both_ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(different_deadlines),
		cmocka_unit_test(many_equal_deadlines),
		cmocka_unit_test(equal_deadlines_come_as_they_went_in),
		cmocka_unit_test(it_stays_shallow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
