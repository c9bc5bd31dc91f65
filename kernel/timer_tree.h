/*
 * kernel/timer_tree.h - deadlines in order: insert, remove, and which is first, in O(log n).
 *
 * For timer.c and itimer.c, whose locks guard the tree and what is in it.
 */
#pragma once

#include <kernel/base/types.h>

/* Part of whatever has a deadline; its owner's memory. */
struct timer_node {
	struct timer_node *left, *right;
	uint64_t deadline_ns;
	uint64_t number;   /* of its insertion; 0: in no tree */
	uint32_t priority; /* in the heap that the tree is too */
};

/* All zero: empty. */
struct timer_tree {
	struct timer_node *root;
	uint64_t insertions;
};

/* `node` is in no tree. Among equal deadlines it comes last. */
void timer_tree_insert(struct timer_tree *tree, struct timer_node *node, uint64_t deadline_ns);
/* Nothing happens if it is in no tree. */
void timer_tree_remove(struct timer_tree *tree, struct timer_node *node);
/* The earliest, or NULL. */
struct timer_node *timer_tree_first(const struct timer_tree *tree);
