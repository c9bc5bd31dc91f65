/*
 * kernel/futex_private.h - what the futex files share: sleepers, their buckets, and keys.
 */
#pragma once

#include <kernel/base/lock.h>
#include <kernel/base/wait.h>
#include <mm/futex_key.h>

/* How an operation uses its word: a read-only one is EFAULT for the writers. */
enum futex_access { FUTEX_READS, FUTEX_WRITES };

struct futex_bucket {
	struct spinlock lock;
	struct list_node waiters; /* oldest first */
};

/* A sleeper. [B] its bucket's lock; to read `bucket` and `woken`, none. */
struct futex_waiter {
	struct list_node node;               /* [B] */
	struct futex_key key;                /* [B] */
	uint32_t bitset;                     /* [I] */
	struct futex_bucket *_Atomic bucket; /* [B] changed by a requeue; not for FUTEX_LOCK_PI */
	_Atomic bool woken;                  /* [B] stop sleeping */
	struct wait_queue sleep;
	struct task *task;                   /* [I] who is in FUTEX_LOCK_PI; NULL: another wait */
	struct task *owner;                  /* [B] of that lock; NULL: died; `task`: it is ours */
};

/* The words of an operation on two futexes. */
struct futex_pair {
	uintptr_t address[2];
	struct futex_key key[2];
	struct futex_bucket *bucket[2];
};

/* -EINVAL misaligned, -EFAULT, or 0: then futex_key_put is due. Sleeps. */
must_check int futex_key_get(uintptr_t address, bool shared, enum futex_access access,
			     struct futex_key *key);
void futex_key_put(const struct futex_key *key);
bool futex_key_equal(const struct futex_key *a, const struct futex_key *b);
struct futex_bucket *futex_bucket_of(const struct futex_key *key);
/* All of them, one after the other: i from 0 until NULL. */
struct futex_bucket *futex_bucket_number(unsigned i);

/* For use under a bucket's lock: page faults are not served, so -EFAULT may mean "not just now". */
must_check int futex_word_load(uintptr_t address, uint32_t *value);
must_check int futex_word_exchange(uintptr_t address, uint32_t expected, uint32_t desired,
				   uint32_t *seen);

/*
 * Wakes up to `count` sleepers of the key, but one at least, as on Linux: how many, or -EINVAL when
 * it comes upon one in FUTEX_LOCK_PI.
 */
int futex_wake_key(struct futex_bucket *bucket, const struct futex_key *key, int count,
		   uint32_t bitset) REQUIRES(bucket->lock);

must_check int futex_pair_get(struct futex_pair *pair, uintptr_t first, uintptr_t second,
			      bool shared, enum futex_access second_access);
void futex_pair_put(const struct futex_pair *pair);
void futex_pair_lock(const struct futex_pair *pair)
	ACQUIRE(pair->bucket[0]->lock, pair->bucket[1]->lock);
void futex_pair_unlock(const struct futex_pair *pair)
	RELEASE(pair->bucket[0]->lock, pair->bucket[1]->lock);

/* futex_wake_op.c */
int futex_wake_op(uintptr_t first, uintptr_t second, bool shared, int wake, int wake_second,
		  uint32_t packed);

/* futex_pi.c */
int futex_lock_pi(uintptr_t address, bool shared, uint64_t deadline_ns);
int futex_trylock_pi(uintptr_t address, bool shared);
int futex_unlock_pi(uintptr_t address, bool shared);
void futex_pi_exit(struct task *task);
/* futex_robust.c */
void futex_robust_exit(struct task *task);
