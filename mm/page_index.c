/*
 * mm/page_index.c - index -> frame: a radix tree without the nodes that would have one child.
 *
 * A node has 64 slots. At shift 0 they hold frames, above that other nodes. It covers the
 * 64 << shift indices that agree with its prefix in all bits above:
 *
 *   index = | prefix ............. | slot (6 bits) | shift bits |
 *
 * Frames 5 and 70: a leaf with prefix 0, one with prefix 1, above them a node of shift 6 and
 * prefix 0 that has both. Inserting where the slot is empty takes a new leaf at the most;
 * inserting beside a node whose prefix differs takes a leaf and a node above both. An emptied
 * leaf goes, and then the node above it if that is left with one child. Large, sparse files
 * thus cost what they hold.
 *
 * Locks: the owner's. Freeing nodes under it takes the heap's lock, which ranks after it.
 * Tests: tests/host/test_page_index.c.
 */
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <mm/heap.h>
#include <mm/page_index.h>
#include <string.h>

#define NODE_BITS 6
#define NODE_SLOTS 64u
#define NODES_PER_INSERTION 2u

struct page_index_node {
	uint64_t
	    prefix; /* the indices below are those with index >> shift >> NODE_BITS == prefix */
	uint64_t present; /* bit n: slots[n] is in use */
	unsigned shift;	  /* a multiple of NODE_BITS; 0: the slots are frames */
	union {
		struct frame *frame;
		struct page_index_node *node;
	} slots[NODE_SLOTS];
};

static struct object_cache node_cache;

void page_index_init(void)
{
	object_cache_init(&node_cache, "page_index_node", sizeof(struct page_index_node),
			  alignof(struct page_index_node));
}

/* --- nodes in hand ---------------------------------------------------------------------- */

/* The chain runs through the first slot; the rest of a node is set when it is taken. */
int page_index_reserve(struct page_index_reserve *reserve)
{
	reserve->nodes = NULL;
	reserve->count = 0;
	while (reserve->count < NODES_PER_INSERTION) {
		struct page_index_node *node = object_alloc(&node_cache);

		if (!node) {
			page_index_unreserve(reserve);
			return -ENOMEM;
		}
		node->slots[0].node = reserve->nodes;
		reserve->nodes = node;
		reserve->count++;
	}
	return 0;
}

static struct page_index_node *reserve_take(struct page_index_reserve *reserve)
{
	struct page_index_node *node = reserve->nodes;

	kassert(node);
	reserve->nodes = node->slots[0].node;
	reserve->count--;
	return node;
}

void page_index_unreserve(struct page_index_reserve *reserve)
{
	while (reserve->count > 0)
		object_free(&node_cache, reserve_take(reserve));
}

/* --- one node --------------------------------------------------------------------------- */

/* Two shifts: their sum may be 64 or more. */
static uint64_t prefix_of(uint64_t at, unsigned shift)
{
	return at >> shift >> NODE_BITS;
}

static unsigned slot_of(uint64_t at, unsigned shift)
{
	return (unsigned)(at >> shift) & (NODE_SLOTS - 1);
}

static bool node_covers(const struct page_index_node *node, uint64_t at)
{
	return prefix_of(at, node->shift) == node->prefix;
}

static bool node_has(const struct page_index_node *node, unsigned slot)
{
	return node->present >> slot & 1;
}

static uint64_t node_first_index(const struct page_index_node *node)
{
	return node->prefix << NODE_BITS << node->shift;
}

static void node_begin(struct page_index_node *node, uint64_t at, unsigned shift)
{
	memset(node, 0, sizeof(*node));
	node->prefix = prefix_of(at, shift);
	node->shift = shift;
}

static void node_set_frame(struct page_index_node *leaf, uint64_t at, struct frame *frame)
{
	unsigned slot = slot_of(at, 0);

	kassert(!node_has(leaf, slot));
	leaf->slots[slot].frame = frame;
	leaf->present |= 1ul << slot;
}

static void node_set_child(struct page_index_node *node, struct page_index_node *child)
{
	unsigned slot = slot_of(node_first_index(child), node->shift);

	node->slots[slot].node = child;
	node->present |= 1ul << slot;
}

/* --- the index -------------------------------------------------------------------------- */

/* The leaf that has, or would have, the frame at `at`; NULL: there is none. */
static const struct page_index_node *leaf_of(const struct page_index *index, uint64_t at)
{
	const struct page_index_node *node = index->root;

	while (node && node_covers(node, at)) {
		if (node->shift == 0)
			return node;
		node = node->slots[slot_of(at, node->shift)].node;
	}
	return NULL;
}

struct frame *page_index_find(const struct page_index *index, uint64_t at)
{
	const struct page_index_node *leaf = leaf_of(index, at);

	return leaf ? leaf->slots[slot_of(at, 0)].frame : NULL;
}

unsigned page_index_find_run(const struct page_index *index, uint64_t at, struct frame **frames,
			     unsigned most)
{
	const struct page_index_node *leaf = NULL;
	unsigned count = 0;

	for (; count < most; count++) {
		unsigned slot = slot_of(at + count, 0);

		if (!leaf || slot == 0)
			leaf = leaf_of(index, at + count);
		if (!leaf || !leaf->slots[slot].frame)
			break;
		frames[count] = leaf->slots[slot].frame;
	}
	return count;
}

/* The lowest shift at which one node covers both `at` and all of `node`. */
static unsigned common_shift(const struct page_index_node *node, uint64_t at)
{
	uint64_t first = node_first_index(node);
	unsigned shift = node->shift;

	while (prefix_of(first, shift) != prefix_of(at, shift))
		shift += NODE_BITS;
	return shift;
}

void page_index_insert(struct page_index *index, uint64_t at, struct frame *frame,
		       struct page_index_reserve *reserve)
{
	struct page_index_node **link = &index->root;
	struct page_index_node *node, *leaf;

	/* Down to the leaf, to an empty slot, or to a node beside which `at` lies. */
	while ((node = *link) && node_covers(node, at)) {
		if (node->shift == 0) {
			node_set_frame(node, at, frame);
			return;
		}
		node->present |= 1ul << slot_of(at, node->shift); /* it will be: now or below */
		link = &node->slots[slot_of(at, node->shift)].node;
	}
	leaf = reserve_take(reserve);
	node_begin(leaf, at, 0);
	node_set_frame(leaf, at, frame);
	*link = leaf;
	if (node) {
		struct page_index_node *above = reserve_take(reserve);

		node_begin(above, at, common_shift(node, at));
		node_set_child(above, node);
		node_set_child(above, leaf);
		*link = above;
	}
}

struct frame *page_index_remove(struct page_index *index, uint64_t at)
{
	struct page_index_node **link = &index->root, **above_link = NULL;
	struct page_index_node *node = index->root, *above;
	struct frame *frame;

	while (node && node_covers(node, at) && node->shift > 0) {
		above_link = link;
		link = &node->slots[slot_of(at, node->shift)].node;
		node = *link;
	}
	if (!node || !node_covers(node, at) || !node_has(node, slot_of(at, 0)))
		return NULL;
	frame = node->slots[slot_of(at, 0)].frame;
	node->slots[slot_of(at, 0)].frame = NULL;
	node->present &= ~(1ul << slot_of(at, 0));
	if (node->present)
		return frame;

	*link = NULL;
	object_free(&node_cache, node);
	if (!above_link)
		return frame;
	/* It had two children at least. With one left, that takes its place. */
	above = *above_link;
	above->present &= ~(1ul << slot_of(at, above->shift));
	if ((above->present & (above->present - 1)) == 0) {
		*above_link = above->slots[__builtin_ctzl(above->present)].node;
		object_free(&node_cache, above);
	}
	return frame;
}

static struct frame *first_below(const struct page_index_node *node, uint64_t *at)
{
	unsigned slot;

	while (node->shift > 0)
		node = node->slots[__builtin_ctzl(node->present)].node;
	slot = (unsigned)__builtin_ctzl(node->present);
	*at = node_first_index(node) + slot;
	return node->slots[slot].frame;
}

/* On the way down `later` is the lowest subtree known to lie behind the one being entered. */
struct frame *page_index_next(const struct page_index *index, uint64_t *at)
{
	const struct page_index_node *node = index->root, *later = NULL;

	while (node && node_covers(node, *at)) {
		unsigned slot = slot_of(*at, node->shift);
		uint64_t behind = node->present & (~1ul << slot);

		if (node->shift == 0) {
			uint64_t found = node->present & (~0ul << slot);

			if (!found)
				break;
			slot = (unsigned)__builtin_ctzl(found);
			*at = node_first_index(node) + slot;
			return node->slots[slot].frame;
		}
		if (behind)
			later = node->slots[__builtin_ctzl(behind)].node;
		node = node->slots[slot].node;
	}
	if (node && node_first_index(node) > *at)
		return first_below(node, at);
	return later ? first_below(later, at) : NULL;
}

/* --- checking --------------------------------------------------------------------------- */

static void node_check(const struct page_index_node *node)
{
	kassert(node->shift % NODE_BITS == 0 && node->shift < 64);
	kassert(node->present != 0);
	kassert(node->shift == 0 || (node->present & (node->present - 1)) != 0);
	for (unsigned slot = 0; slot < NODE_SLOTS; slot++) {
		const struct page_index_node *child = node->slots[slot].node;

		kassert(node_has(node, slot) == (child != NULL));
		if (!child || node->shift == 0)
			continue;
		kassert(child->shift < node->shift);
		kassert(node_covers(node, node_first_index(child)));
		kassert(slot_of(node_first_index(child), node->shift) == slot);
		node_check(child); /* 11 levels at the most */
	}
}

void page_index_check(const struct page_index *index)
{
	if (index->root)
		node_check(index->root);
}
