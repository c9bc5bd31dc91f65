/*
 * kernel/base/rw_lock.h - a sleeping lock: many readers, each on a cache line of its own processor,
 * or one writer. For address spaces (mem_space->lock): every page fault reads, few calls write.
 *
 * A reader enters and leaves with one atomic addition to a counter and a look at `writer`. A writer
 * looks at the counters of all processors. Phase-fair: a writer waits for the readers that are
 * inside, and readers that find a writer wait for that one writer only. kernel/rw_lock.c has the
 * slow paths and says why this is right.
 *
 * Readers do not nest: the second entry would wait for a writer that waits for the first. A reader
 * may be preempted, sleep, and leave on another processor than it entered. The caller keeps the
 * lock's memory alive until its function has returned.
 */
#pragma once

#include <kernel/base/lock.h>

/*
 * The sum over all processors is what counts; a single one may be below zero (so it is unsigned).
 */
struct rw_readers {
	_Atomic uint32_t count;
} __attribute__((aligned(64)));

struct CAPABILITY("rw_lock") rw_lock {
	/* The task that has it, or waits for the readers inside; RW_WAITERS. 0: readers enter. */
	_Atomic uintptr_t writer;
	struct spinlock lock;        /* all below, and RW_WAITERS */
	bool draining;               /* the writer waits for the readers inside */
	uint16_t rank;
	struct list_node waiting_readers, waiting_writers;
	struct rw_readers readers[CPU_MAX];
};

#define RW_WAITERS 1ul /* somebody is in line */

/* In zeroed memory: the counters are left alone. */
void rw_init(struct rw_lock *rw, enum lock_rank rank);

void rw_read_lock_slow(struct rw_lock *rw, struct rw_readers *mine);
void rw_read_unlock_slow(struct rw_lock *rw);

/* Sleeps while there is a writer. */
static inline void rw_read_lock(struct rw_lock *rw) ACQUIRE_SHARED(rw) NO_THREAD_SAFETY_ANALYSIS
{
	struct rw_readers *mine = &rw->readers[cpu_read(id)];

	sleep_check_acquire(rw, rw->rank);
	atomic_fetch_add(&mine->count, 1);
	if (unlikely(atomic_load(&rw->writer)))
		rw_read_lock_slow(rw, mine);
}

static inline void rw_read_unlock(struct rw_lock *rw) RELEASE_SHARED(rw) NO_THREAD_SAFETY_ANALYSIS
{
	sleep_check_release(rw, rw->rank);
	atomic_fetch_sub(&rw->readers[cpu_read(id)].count, 1);
	if (unlikely(atomic_load(&rw->writer)))
		rw_read_unlock_slow(rw);
}

/* Sleeps while there are readers or another writer. */
void rw_write_lock(struct rw_lock *rw) ACQUIRE(rw);
void rw_write_unlock(struct rw_lock *rw) RELEASE(rw);
