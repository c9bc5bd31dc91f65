/*
 * kernel/timer_tree.c - a treap of deadlines (kernel/timer_tree.h).
 *
 * A binary search tree by deadline, and by order of insertion among equal ones, in which no node
 * has a larger priority than the one above it. Priorities are random, so it is about as deep as a
 * tree of keys that came in random order, whatever order they come in: 40 levels for fifty thousand
 * at the most.
 *
 * Called by timer.c and itimer.c. Locks: theirs.
 * Tests: tests/host/test_timer_tree.c.
 */
#include <kernel/timer_tree.h>

static bool comes_before(const struct timer_node *a, const struct timer_node *b)
{
	if (a->deadline_ns != b->deadline_ns)
		return a->deadline_ns < b->deadline_ns;
	return a->number < b->number;
}

/* Mixes all bits (the finalizer of MurmurHash3): successive numbers have nothing in common then. */
static uint32_t priority_of(uint64_t number)
{
	number = (number ^ number >> 33) * 0xff51afd7ed558ccdull;
	number = (number ^ number >> 33) * 0xc4ceb9fe1a85ec53ull;
	return (uint32_t)(number ^ number >> 33);
}

/* Parts a subtree: what comes before `node` goes to *less, the rest to *greater. */
static void split(struct timer_node *subtree, const struct timer_node *node,
		  struct timer_node **less, struct timer_node **greater)
{
	while (subtree) {
		if (comes_before(subtree, node)) {
			*less = subtree;
			less = &subtree->right;
			subtree = *less;
		} else {
			*greater = subtree;
			greater = &subtree->left;
			subtree = *greater;
		}
	}
	*less = *greater = NULL;
}

/* One subtree of two, all of `less` before all of `greater`, goes to *link. */
static void join(struct timer_node *less, struct timer_node *greater, struct timer_node **link)
{
	while (less && greater) {
		if (less->priority >= greater->priority) {
			*link = less;
			link = &less->right;
			less = *link;
		} else {
			*link = greater;
			link = &greater->left;
			greater = *link;
		}
	}
	*link = less ? less : greater;
}

static struct timer_node **child_towards(struct timer_node *from, const struct timer_node *node)
{
	return comes_before(node, from) ? &from->left : &from->right;
}

void timer_tree_insert(struct timer_tree *tree, struct timer_node *node, uint64_t deadline_ns)
{
	struct timer_node **link = &tree->root;

	node->deadline_ns = deadline_ns;
	node->number = ++tree->insertions;
	node->priority = priority_of(node->number);
	while (*link && (*link)->priority >= node->priority)
		link = child_towards(*link, node);
	split(*link, node, &node->left, &node->right);
	*link = node;
}

void timer_tree_remove(struct timer_tree *tree, struct timer_node *node)
{
	struct timer_node **link = &tree->root;

	if (!node->number)
		return;
	while (*link != node)
		link = child_towards(*link, node);
	join(node->left, node->right, link);
	node->number = 0;
}

struct timer_node *timer_tree_first(const struct timer_tree *tree)
{
	struct timer_node *node = tree->root;

	while (node && node->left)
		node = node->left;
	return node;
}
