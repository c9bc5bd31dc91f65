/*
 * mm/page_index.h - index -> frame, for one object: a radix tree of 64-slot nodes.
 *
 * Pure: tested on the host (tests/host/test_page_index.c). The owner's lock (index_lock)
 * guards it. Nodes are allocated by page_index_reserve before the lock is taken, so that
 * nothing is allocated under a spinlock held for long. Chains of nodes with one child are left
 * out, so that one insertion takes two nodes at the most, and the height is no one's concern.
 */
#pragma once

#include <kernel/base/types.h>

struct frame;
struct page_index_node;

struct page_index {
	struct page_index_node *root; /* NULL: empty. All zeroes is an empty index */
};

/* Nodes in hand for one insertion. */
struct page_index_reserve {
	struct page_index_node *nodes;
	unsigned count;
};

/* Once, after heap_init. */
void page_index_init(void);

/* Enough nodes for any one insertion: 0 or -ENOMEM. Outside locks. */
must_check int page_index_reserve(struct page_index_reserve *reserve);
void page_index_unreserve(struct page_index_reserve *reserve); /* frees what is left */

struct frame *page_index_find(const struct page_index *index, uint64_t at);
/*
 * The frames at `at` and behind it, up to the first that is missing and `most` at the most, which
 * do not reach beyond UINT64_MAX: how many they are.
 */
unsigned page_index_find_run(const struct page_index *index, uint64_t at, struct frame **frames,
			     unsigned most);
/* The slot must be empty. Cannot fail: it takes nodes from `reserve`. */
void page_index_insert(struct page_index *index, uint64_t at, struct frame *frame,
		       struct page_index_reserve *reserve);
/* The frame that was there, or NULL; empty nodes are freed. */
struct frame *page_index_remove(struct page_index *index, uint64_t at);
/* The first frame at or after *at; sets *at. NULL when there is none. */
struct frame *page_index_next(const struct page_index *index, uint64_t *at);
/* Prefixes, counts and parents of all nodes; panics where something is wrong. For tests. */
void page_index_check(const struct page_index *index);
