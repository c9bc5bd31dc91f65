/*
 * kernel/rw_lock.c - the slow paths of the readers-writer lock (kernel/base/rw_lock.h).
 *
 *   reader enters   +1 on its processor's counter, then looks at `writer`. None: it is in. Else it
 *                   takes the 1 back from the same counter and waits in line, under `lock`.
 *   reader leaves   -1 on the counter of the processor it is on now, then looks at `writer`, and
 *                   wakes it if it was the last one inside.
 *   writer enters   puts itself into `writer` if that is empty, else waits in line; then sleeps
 *                   until the counters' sum is zero.
 *   writer leaves   empties `writer` if nobody is in line. Else it lets in all readers that wait,
 *                   by a +1 for each; then the next writer in line.
 *
 * Who gets in line says so in `writer`, by RW_WAITERS, and is in line before `lock` is free again.
 * A writer whose word is marked cannot empty it at once and takes `lock`. If it was emptied before
 * the mark, there is nobody to wait for.
 *
 * Why a sum of zero means that no reader is inside, though the counters are read one by one. All
 * these steps are sequentially consistent. A reader that got in on its own saw no writer, so its
 * +1 came before `writer` was set, and every sum taken later contains it; so does it contain the +1
 * of a reader that was let in, for that was done before the next writer was put there. Its -1 comes
 * when it leaves, on any counter. A reader that is turned away puts 1 and -1 on one counter, which
 * a sum reads once: it adds 0 or 1. So nothing makes a sum smaller but readers that have left, and
 * zero means that all have. It stays so: nobody gets in while `writer` is set.
 *
 * Why the last reader's wake-up is not lost. Either the sum that the writer takes under `lock`
 * contains the last -1, or that came after `writer` was set, and the reader sees the writer and
 * takes `lock`, which the writer let go only after it had set its state to sleeping. A reader that
 * is turned away does the same.
 *
 * Why neither starves. A reader in line gets in when the present writer leaves. A writer at the
 * head of the line waits for those readers, and no others come in before it.
 *
 * Locks: rw->lock, the guard; the run queue's under it. Tests: tests/host/test_sleep_locks.c.
 */
#include <kernel/base/panic.h>
#include <kernel/base/rw_lock.h>
#include <kernel/lock_private.h>

void rw_init(struct rw_lock *rw, enum lock_rank rank)
{
	spin_init(&rw->lock, RANK_WAIT_QUEUE);
	rw->rank = (uint16_t)rank;
	list_init(&rw->waiting_readers);
	list_init(&rw->waiting_writers);
}

static uint32_t readers_sum(const struct rw_lock *rw)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < cpu_count(); i++)
		sum += atomic_load(&rw->readers[i].count);
	return sum;
}

static struct task *writer_of(const struct rw_lock *rw)
{
	return (struct task *)(atomic_load(&rw->writer) & ~RW_WAITERS);
}

/* Takes the lock from nobody. */
static bool writer_take(struct rw_lock *rw)
{
	uintptr_t nobody = 0;

	return atomic_compare_exchange_strong(&rw->writer, &nobody, (uintptr_t)current_task());
}

/* Tells the writer that somebody is in line. False: there is no writer any more. */
static bool writer_mark(struct rw_lock *rw) REQUIRES(rw->lock)
{
	uintptr_t writer = atomic_load(&rw->writer);

	kassert((writer & ~RW_WAITERS) != (uintptr_t)current_task());
	while (writer)
		if (atomic_compare_exchange_weak(&rw->writer, &writer, writer | RW_WAITERS))
			return true;
	return false;
}

/* A reader is out, for good or to wait. */
static void wake_writer_if_last(struct rw_lock *rw) REQUIRES(rw->lock)
{
	if (!rw->draining || readers_sum(rw) != 0)
		return;
	rw->draining = false;
	task_wake(writer_of(rw));
}

static void wait_for_grant(struct rw_lock *rw, struct list_node *line) REQUIRES(rw->lock)
{
	struct lock_waiter self = {.task = current_task()};

	list_push_back(line, &self.node);
	while (!self.granted)
		lock_sleep(&rw->lock);
}

void rw_read_lock_slow(struct rw_lock *rw, struct rw_readers *mine)
{
	spin_lock(&rw->lock);
	if (writer_mark(rw)) {
		atomic_fetch_sub(&mine->count, 1);
		wake_writer_if_last(rw);
		wait_for_grant(rw, &rw->waiting_readers);
	}
	spin_unlock(&rw->lock);
}

void rw_read_unlock_slow(struct rw_lock *rw)
{
	spin_lock(&rw->lock);
	wake_writer_if_last(rw);
	spin_unlock(&rw->lock);
}

static void wait_for_writers(struct rw_lock *rw)
{
	spin_lock(&rw->lock);
	while (!writer_take(rw)) {
		if (writer_mark(rw)) {
			wait_for_grant(rw, &rw->waiting_writers);
			break;
		}
	}
	spin_unlock(&rw->lock);
}

static void wait_for_readers(struct rw_lock *rw)
{
	spin_lock(&rw->lock);
	rw->draining = readers_sum(rw) != 0;
	while (rw->draining)
		lock_sleep(&rw->lock);
	spin_unlock(&rw->lock);
}

void rw_write_lock(struct rw_lock *rw) NO_THREAD_SAFETY_ANALYSIS
{
	sleep_check_acquire(rw, rw->rank);
	if (unlikely(!writer_take(rw)))
		wait_for_writers(rw);
	if (unlikely(readers_sum(rw) != 0))
		wait_for_readers(rw);
}

static void let_readers_in(struct rw_lock *rw) REQUIRES(rw->lock)
{
	struct lock_waiter *waiter, *next;
	uint32_t count = 0;

	list_for_each_entry_safe(waiter, next, &rw->waiting_readers, node) {
		count++;
		lock_grant(waiter);
	}
	atomic_fetch_add(&rw->readers[cpu_read(id)].count, count);
}

/* The next writer in line has the lock. RW_WAITERS stays if there are others behind it. */
static void let_writer_in(struct rw_lock *rw) REQUIRES(rw->lock)
{
	struct lock_waiter *next = list_first(&rw->waiting_writers, struct lock_waiter, node);
	uintptr_t mark;

	list_remove(&next->node);
	mark = list_empty(&rw->waiting_writers) ? 0 : RW_WAITERS;
	atomic_store(&rw->writer, (uintptr_t)next->task | mark);
	lock_grant(next);
}

/* Somebody is in line: readers, writers or both. */
static __attribute__((noinline)) void hand_over(struct rw_lock *rw)
{
	spin_lock(&rw->lock);
	kassert(writer_of(rw) == current_task());
	let_readers_in(rw);
	if (list_empty(&rw->waiting_writers))
		atomic_store(&rw->writer, 0);
	else
		let_writer_in(rw);
	spin_unlock(&rw->lock);
}

void rw_write_unlock(struct rw_lock *rw) NO_THREAD_SAFETY_ANALYSIS
{
	uintptr_t self = (uintptr_t)current_task();

	sleep_check_release(rw, rw->rank);
	if (unlikely(!atomic_compare_exchange_strong(&rw->writer, &self, 0)))
		hand_over(rw);
}
