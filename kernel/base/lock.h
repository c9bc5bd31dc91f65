/*
 * kernel/base/lock.h - spinlocks, sleeping locks, and the order in which they may be taken.
 *
 * A lock may only be taken while every lock already held (of the same sort) has a lower rank, or
 * an equal one and comes first: by its address, or where an order of its own is documented
 * (parent before child). The checking build asserts it (lock_check.h). Sleeping locks always come
 * before spinlocks; nothing sleeps under a spinlock. docs/locking.md tells the story.
 *
 * Spinlocks turn preemption off. A spinlock that an interrupt handler also takes is always
 * taken with spin_lock_irq. Sleeping locks are for tasks only.
 */
#pragma once

#include <kernel/base/annotate.h>
#include <kernel/base/cpu.h>
#include <kernel/base/list.h>
#include <kernel/base/lock_check.h>
#include <kernel/base/types.h>

enum lock_rank {
	RANK_NONE,
	/* sleeping locks */
	RANK_POSITION,     /* file->pos_lock */
	RANK_MOUNT,        /* the mount table, renames */
	RANK_INODE,        /* inode->lock; a directory before what is in it */
	RANK_SPACE,        /* mem_space->lock */
	RANK_FRAME,        /* a LOCKED frame (a bit, not a struct mutex) */
	RANK_OBJECT_ZONES, /* mem_object->zones_lock */
	RANK_SLEEP_LEAF,   /* sleeping locks under which no other is taken */
	/* spinlocks */
	RANK_TASK_TREE,    /* parents, children, process ids, groups */
	RANK_FILES,        /* descriptor tables, dentry tree, mount lookups */
	RANK_SIGNAL,       /* process->signal_lock */
	RANK_FUTEX,        /* a bucket of sleepers; two in address order */
	RANK_PAGE_TABLE,   /* frame->lock of a table; parent before child */
	RANK_PAGE_INDEX,   /* mem_object->index_lock */
	RANK_DRIVER,       /* device registers and rings */
	RANK_CACHES,       /* the list of object caches */
	RANK_HEAP,         /* an object cache */
	RANK_KERNEL_MAP,   /* kernel virtual ranges */
	RANK_FRAME_CACHE,  /* a processor's free frames */
	RANK_FRAMES,       /* buddy allocator */
	RANK_WAIT_QUEUE,   /* wait_queue->lock */
	RANK_TIMER,        /* timers */
	RANK_RUN_QUEUE,
	RANK_LOG,
};

struct CAPABILITY("spinlock") spinlock {
	_Atomic uint32_t locked;
	uint16_t rank;
	uint16_t uses; /* checking build: SPIN_USED_* so far */
};

#define SPIN_USED_IN_HANDLER 1u    /* by an interrupt handler */
#define SPIN_USED_INTERRUPTIBLY 2u /* outside, with interrupts on */

#define SPINLOCK_INIT(r)                                                                           \
	{                                                                                          \
		.rank = (r)                                                                        \
	}

static inline void spin_init(struct spinlock *lock, enum lock_rank rank)
{
	*lock = (struct spinlock)SPINLOCK_INIT((uint16_t)rank);
}

/* Spins until it is ours; answers other processors' calls meanwhile (cross_call.h). */
void spin_wait(struct spinlock *lock);

static inline void spin_lock(struct spinlock *lock) ACQUIRE(lock) NO_THREAD_SAFETY_ANALYSIS
{
	uint32_t unlocked = 0;

	preempt_disable();
	spin_check_acquire(lock);
	if (!atomic_compare_exchange_strong_explicit(&lock->locked, &unlocked, 1,
						     memory_order_acquire, memory_order_relaxed))
		spin_wait(lock);
	spin_check_acquired(lock);
}

static inline bool spin_trylock(struct spinlock *lock) TRY_ACQUIRE(true, lock)
	NO_THREAD_SAFETY_ANALYSIS
{
	uint32_t unlocked = 0;

	preempt_disable();
	if (!atomic_compare_exchange_strong_explicit(&lock->locked, &unlocked, 1,
						     memory_order_acquire, memory_order_relaxed)) {
		preempt_enable();
		return false;
	}
	spin_check_acquired(lock);
	return true;
}

static inline void spin_unlock(struct spinlock *lock) RELEASE(lock) NO_THREAD_SAFETY_ANALYSIS
{
	spin_check_release(lock);
	atomic_store_explicit(&lock->locked, 0, memory_order_release);
	spin_check_released();
	preempt_enable();
}

/* With interrupts off meanwhile: returns the flags for spin_unlock_irq. */
static inline must_check uint64_t spin_lock_irq(struct spinlock *lock) ACQUIRE(lock)
	NO_THREAD_SAFETY_ANALYSIS
{
	uint64_t flags = irq_save();

	spin_lock(lock);
	return flags;
}

static inline void spin_unlock_irq(struct spinlock *lock, uint64_t flags) RELEASE(lock)
	NO_THREAD_SAFETY_ANALYSIS
{
	spin_check_release(lock);
	atomic_store_explicit(&lock->locked, 0, memory_order_release);
	spin_check_released();
	preempt_enable_no_resched();
	irq_restore(flags);
	if (unlikely(cpu_read(need_resched))) {
		preempt_disable();
		preempt_enable();
	}
}

/*
 * A sleeping mutual exclusion lock. Waiting is not interrupted by signals. Nobody in line: one
 * exchange each to take and release it; kernel/mutex.c has the rest.
 */
struct CAPABILITY("mutex") mutex {
	_Atomic uintptr_t owner; /* the holder's task, and MUTEX_WAITERS */
	struct spinlock lock;    /* the line */
	uint16_t rank;
	bool hand_over;          /* the first in line was passed over: the next release is for it */
	struct list_node waiters;
};

#define MUTEX_WAITERS 1ul

void mutex_init(struct mutex *mutex, enum lock_rank rank);
void mutex_lock_slow(struct mutex *mutex);
void mutex_unlock_slow(struct mutex *mutex);

/* Sleeps. The caller does not hold it. */
static inline void mutex_lock(struct mutex *mutex) ACQUIRE(mutex) NO_THREAD_SAFETY_ANALYSIS
{
	uintptr_t unlocked = 0;

	sleep_check_acquire(mutex, mutex->rank);
	if (!atomic_compare_exchange_strong(&mutex->owner, &unlocked, (uintptr_t)current_task()))
		mutex_lock_slow(mutex);
}

/* The caller holds it. */
static inline void mutex_unlock(struct mutex *mutex) RELEASE(mutex) NO_THREAD_SAFETY_ANALYSIS
{
	uintptr_t owner = (uintptr_t)current_task();

	sleep_check_release(mutex, mutex->rank);
	if (!atomic_compare_exchange_strong(&mutex->owner, &owner, 0))
		mutex_unlock_slow(mutex);
}
