/*
 * kernel/mutex.c - the slow paths of the sleeping mutex (kernel/base/lock.h).
 *
 * `owner` is the holder's task, with MUTEX_WAITERS where somebody is in line. Without that bit,
 * taking and releasing are one exchange each, inline. With it, everything goes through here, under
 * the spinlock `lock`, the guard: the bit is set exactly while the line is not empty, as seen by
 * whoever holds the guard.
 *
 * Releasing wakes the first in line, who tries again; the lock is free meanwhile, so that a task
 * that runs anyway may take it and two tasks that alternate need not switch at each turn. Who has
 * been passed over so once gets the lock handed over by the next release: nobody starves.
 *
 * Locks: the guard; the run queue's under it. Tests: tests/host/test_sleep_locks.c.
 */
#include <kernel/base/panic.h>
#include <kernel/lock_private.h>

void mutex_init(struct mutex *mutex, enum lock_rank rank)
{
	*mutex = (struct mutex){.rank = (uint16_t)rank};
	spin_init(&mutex->lock, RANK_WAIT_QUEUE);
	list_init(&mutex->waiters);
}

/* Takes the free mutex, or says in `owner` that somebody waits. True: taken. */
static bool take_or_mark(struct mutex *mutex) REQUIRES(mutex->lock)
{
	uintptr_t owner = atomic_load(&mutex->owner);

	for (;;) {
		bool is_free = !(owner & ~MUTEX_WAITERS);
		uintptr_t wanted = owner | (is_free ? (uintptr_t)current_task() : MUTEX_WAITERS);

		if (atomic_compare_exchange_weak(&mutex->owner, &owner, wanted))
			return is_free;
	}
}

void mutex_lock_slow(struct mutex *mutex)
{
	struct lock_waiter self = {.task = current_task()};
	bool in_line = false;

	spin_lock(&mutex->lock);
	kassert((atomic_load(&mutex->owner) & ~MUTEX_WAITERS) != (uintptr_t)self.task);
	while (!take_or_mark(mutex)) {
		if (!in_line)
			list_push_back(&mutex->waiters, &self.node);
		else
			mutex->hand_over = true;
		in_line = true;
		lock_sleep(&mutex->lock);
		if (self.granted)
			break;
	}
	if (in_line && !self.granted)
		list_remove(&self.node);
	if (list_empty(&mutex->waiters))
		atomic_store(&mutex->owner, (uintptr_t)self.task);
	spin_unlock(&mutex->lock);
}

void mutex_unlock_slow(struct mutex *mutex)
{
	struct lock_waiter *first;
	struct task *task;

	spin_lock(&mutex->lock);
	kassert(atomic_load(&mutex->owner) == ((uintptr_t)current_task() | MUTEX_WAITERS));
	first = list_first(&mutex->waiters, struct lock_waiter, node);
	task = first->task;
	if (mutex->hand_over) {
		mutex->hand_over = false;
		lock_grant(first);
		atomic_store(&mutex->owner,
			     (uintptr_t)task | (list_empty(&mutex->waiters) ? 0 : MUTEX_WAITERS));
	} else {
		atomic_store(&mutex->owner, MUTEX_WAITERS);
		task_wake(task);
	}
	spin_unlock(&mutex->lock);
}
