/*
 * kernel/rw_lock.c - the slow paths of the readers-writer lock (kernel/base/rw_lock.h).
 *
 *   reader enters   +1 on its processor's counter, then looks at `writer`. None: it is in. Else it
 *                   takes the 1 back from the same counter and waits in line, under `lock`.
 *   reader leaves   -1 on the counter of the processor it is on now, then looks at `writer`, and
 *                   wakes it if it was the last one inside.
 *   writer enters   waits in line for the writer before it, sets `writer`, and sleeps until the
 *                   counters' sum is zero.
 *   writer leaves   lets in all readers that wait, by a +1 for each; then the next writer in line.
 *
 * Why a sum of zero means that no reader is inside, though the counters are read one by one. All
 * these steps are sequentially consistent. A reader that got in on its own saw no writer, so its
 * +1 came before `writer` was set, and every sum taken later contains it; so does it contain the +1
 * of a reader that was let in, for that was done under `lock`. Its -1 comes when it leaves, on any
 * counter. A reader that is turned away puts 1 and -1 on one counter, which a sum reads once: it
 * adds 0 or 1. So nothing makes a sum smaller but readers that have left, and zero means that
 * all have. It stays so: nobody gets in while `writer` is set.
 *
 * Why the last reader's wake-up is not lost. Either the writer's sum contains the last -1, or that
 * came after `writer` was set, and the reader sees the writer and takes `lock`, which the writer
 * let go only after it had set its state to sleeping. A reader that is turned away does the same.
 *
 * Why neither starves. A reader in line gets in when the present writer leaves. A writer at the head
 * of the line waits for those readers, and no others come in before it.
 *
 * Locks: rw->lock, the guard; the run queue's under it. Tests: tests/host/test_rw_lock.c.
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

static uint32_t readers_sum(const struct rw_lock *rw) REQUIRES(rw->lock)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < cpu_count(); i++)
		sum += atomic_load(&rw->readers[i].count);
	return sum;
}

/* A reader is out, for good or to wait. */
static void wake_writer_if_last(struct rw_lock *rw) REQUIRES(rw->lock)
{
	if (!rw->draining || readers_sum(rw) != 0)
		return;
	rw->draining = false;
	task_wake(atomic_load(&rw->writer));
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
	kassert(atomic_load(&rw->writer) != current_task());
	spin_lock(&rw->lock);
	if (atomic_load(&rw->writer)) {
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

void rw_write_lock(struct rw_lock *rw) NO_THREAD_SAFETY_ANALYSIS
{
	sleep_check_acquire(rw, rw->rank);
	spin_lock(&rw->lock);
	kassert(atomic_load(&rw->writer) != current_task());
	if (atomic_load(&rw->writer))
		wait_for_grant(rw, &rw->waiting_writers);
	else
		atomic_store(&rw->writer, current_task());
	rw->draining = readers_sum(rw) != 0;
	while (rw->draining)
		lock_sleep(&rw->lock);
	spin_unlock(&rw->lock);
}

static void let_readers_in(struct rw_lock *rw) REQUIRES(rw->lock)
{
	struct lock_waiter *waiter, *next;
	uint32_t count = 0;

	if (list_empty(&rw->waiting_readers))
		return;
	list_for_each_entry_safe(waiter, next, &rw->waiting_readers, node) {
		count++;
		lock_grant(waiter);
	}
	atomic_fetch_add(&rw->readers[cpu_read(id)].count, count);
}

void rw_write_unlock(struct rw_lock *rw) NO_THREAD_SAFETY_ANALYSIS
{
	struct lock_waiter *next = NULL;

	sleep_check_release(rw, rw->rank);
	spin_lock(&rw->lock);
	kassert(atomic_load(&rw->writer) == current_task());
	let_readers_in(rw);
	if (!list_empty(&rw->waiting_writers))
		next = list_first(&rw->waiting_writers, struct lock_waiter, node);
	atomic_store(&rw->writer, next ? next->task : NULL);
	if (next)
		lock_grant(next);
	spin_unlock(&rw->lock);
}
