/*
 * kernel/wait.c - wait queues (kernel/base/wait.h).
 *
 * A sleeper sets its state to SLEEPING when it joins the queue, before its condition is looked
 * at; a wake-up in between makes it RUNNABLE again and schedule() returns at once.
 */
#include <kernel/base/panic.h>
#include <kernel/base/wait.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <kernel/timer.h>

void wait_queue_init(struct wait_queue *queue)
{
	spin_init(&queue->lock, RANK_WAIT_QUEUE);
	list_init(&queue->waiters);
}

void wake_up_all(struct wait_queue *queue)
{
	uint64_t flags = spin_lock_irq(&queue->lock);
	struct waiter *waiter;

	list_for_each_entry(waiter, &queue->waiters, node)
		task_wake(waiter->task);
	spin_unlock_irq(&queue->lock, flags);
}

void wake_up_one(struct wait_queue *queue)
{
	uint64_t flags = spin_lock_irq(&queue->lock);
	struct waiter *waiter;

	list_for_each_entry(waiter, &queue->waiters, node)
		if (task_wake(waiter->task))
			break;
	spin_unlock_irq(&queue->lock, flags);
}

void wait_begin(struct wait_queue *queue, struct waiter *waiter, enum wait_mode mode)
{
	uint64_t flags;

	might_sleep();
	flags = spin_lock_irq(&queue->lock);
	waiter->task = current_task();
	list_push_back(&queue->waiters, &waiter->node);
	waiter->task->wait_mode = mode;
	atomic_store(&waiter->task->state, TASK_SLEEPING);
	spin_unlock_irq(&queue->lock, flags);
}

void wait_end(struct wait_queue *queue, struct waiter *waiter)
{
	uint64_t flags = spin_lock_irq(&queue->lock);

	list_remove(&waiter->node);
	atomic_store(&waiter->task->state, TASK_RUNNABLE);
	spin_unlock_irq(&queue->lock, flags);
}

struct sleep_timer {
	struct timer timer;
	struct task *task;
};

static void sleep_timer_fire(struct timer *timer)
{
	task_wake(container_of(timer, struct sleep_timer, timer)->task);
}

void wait_sleep(uint64_t deadline_ns)
{
	struct sleep_timer sleep = {.task = current_task()};

	if (deadline_ns == UINT64_MAX) {
		schedule();
		return;
	}
	timer_init(&sleep.timer, sleep_timer_fire);
	timer_set(&sleep.timer, deadline_ns);
	schedule();
	timer_cancel(&sleep.timer);
}

bool wait_interrupted(enum wait_mode mode)
{
	struct task *task = current_task();

	switch (mode) {
	case WAIT_UNINTERRUPTIBLE:
		return false;
	case WAIT_KILLABLE:
		return signal_fatal_pending(task);
	case WAIT_INTERRUPTIBLE:
		return atomic_load(&task->signal_pending) && signal_deliverable(task);
	}
	panic("wait mode %d", mode);
}

bool wait_deadline_passed(uint64_t deadline_ns)
{
	return deadline_ns != UINT64_MAX && time_monotonic_ns() >= deadline_ns;
}

int task_sleep_until(uint64_t deadline_ns)
{
	struct wait_queue nobody;
	int error;

	wait_queue_init(&nobody);
	error = wait_event_timeout(&nobody, false, deadline_ns);
	return error == -ETIMEDOUT ? 0 : -ERESTARTNOHAND;
}

void task_sleep_uninterruptible(uint64_t deadline_ns)
{
	struct wait_queue nobody;

	wait_queue_init(&nobody);
	(void)wait_event_mode(&nobody, false, WAIT_UNINTERRUPTIBLE, deadline_ns);
}
