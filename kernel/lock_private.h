/*
 * kernel/lock_private.h - sleeping until a lock's holder hands it over (mutex.c, rw_lock.c).
 */
#pragma once

#include <kernel/base/lock.h>
#include <kernel/sched.h>
#include <kernel/task.h>

/* On the sleeper's stack. Guarded by the lock's own spinlock, the guard. */
struct lock_waiter {
	struct list_node node;
	struct task *task;
	bool granted; /* the lock is ours: who set it has taken us off the list */
};

/*
 * Sleeps once; the guard is held on entry and return. The state says SLEEPING before the guard is
 * let go, and is looked at and changed under the guard by whoever wakes: no wake-up is lost. There
 * may be one too many: the caller looks again.
 */
static inline void lock_sleep(struct spinlock *guard) REQUIRES(guard) NO_THREAD_SAFETY_ANALYSIS
{
	struct task *task = current_task();

	task->wait_mode = WAIT_UNINTERRUPTIBLE;
	atomic_store(&task->state, TASK_SLEEPING);
	spin_unlock(guard);
	schedule();
	spin_lock(guard);
}

/* The guard stays held until the waiter has been woken: after that its stack may be gone. */
static inline void lock_grant(struct lock_waiter *waiter)
{
	list_remove(&waiter->node);
	waiter->granted = true;
	task_wake(waiter->task);
}
