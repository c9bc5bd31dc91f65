/* mm/futex_key.h - what a futex is, so that every process that maps it means the same one. */
#pragma once

#include <mm/mem_space.h>

/*
 * Shared zones: (object, page index, offset in page); others: (space, address, 0). The object is
 * referenced while a waiter uses the key; NULL for private ones.
 */
struct futex_key {
	uint64_t a, b;
	struct mem_object *object;
};

/* `shared`: the caller did not say FUTEX_PRIVATE. 0, or -EFAULT where nothing is mapped. Sleeps. */
must_check int mem_futex_key(struct mem_space *space, uintptr_t addr, bool shared,
			     struct futex_key *key);
