/*
 * kernel/base/wait.h - sleeping until something is so.
 *
 * The condition is evaluated after the task is on the queue, so a wake-up between the test
 * and the sleep is not lost. Waking is allowed in any context. The condition runs without
 * the queue's lock; take your own in it where needed (it may use a helper function).
 */
#pragma once

#include <kernel/base/errno.h>
#include <kernel/base/lock.h>

struct wait_queue {
	struct spinlock lock;
	struct list_node waiters;
};

struct waiter {
	struct list_node node;
	struct task *task;
};

#define WAIT_QUEUE_INIT(name)                                                                      \
	{                                                                                          \
		.lock = SPINLOCK_INIT(RANK_WAIT_QUEUE), .waiters = LIST_INIT((name).waiters)       \
	}

enum wait_mode {
	WAIT_UNINTERRUPTIBLE,
	WAIT_INTERRUPTIBLE, /* any signal that would be delivered ends the sleep */
	WAIT_KILLABLE,      /* only a fatal one does */
};

void wait_queue_init(struct wait_queue *queue);
void wake_up_all(struct wait_queue *queue);
void wake_up_one(struct wait_queue *queue);

/* The parts of the macros below. `waiter` lives on the sleeper's stack. */
void wait_begin(struct wait_queue *queue, struct waiter *waiter, enum wait_mode mode);
void wait_end(struct wait_queue *queue, struct waiter *waiter);
/* Sleeps until woken, or until `deadline_ns` (monotonic; UINT64_MAX is never). */
void wait_sleep(uint64_t deadline_ns);
/* A signal that `mode` minds is pending. */
bool wait_interrupted(enum wait_mode mode);
bool wait_deadline_passed(uint64_t deadline_ns);

/* 0 when the condition holds, -ERESTARTSYS on a signal, -ETIMEDOUT past the deadline. */
#define wait_event_mode(queue, condition, mode, deadline_ns)                                       \
	({                                                                                         \
		struct waiter waiter_;                                                             \
		int result_ = 0;                                                                   \
		for (;;) {                                                                         \
			wait_begin(queue, &waiter_, mode);                                         \
			if (condition)                                                             \
				break;                                                             \
			if (wait_interrupted(mode)) {                                              \
				result_ = -ERESTARTSYS;                                            \
				break;                                                             \
			}                                                                          \
			if (wait_deadline_passed(deadline_ns)) {                                   \
				result_ = -ETIMEDOUT;                                              \
				break;                                                             \
			}                                                                          \
			wait_sleep(deadline_ns);                                                   \
			wait_end(queue, &waiter_);                                                 \
		}                                                                                  \
		wait_end(queue, &waiter_);                                                         \
		result_;                                                                           \
	})

#define wait_event(queue, condition)                                                               \
	((void)wait_event_mode(queue, condition, WAIT_UNINTERRUPTIBLE, UINT64_MAX))
#define wait_event_interruptible(queue, condition)                                                 \
	wait_event_mode(queue, condition, WAIT_INTERRUPTIBLE, UINT64_MAX)
#define wait_event_timeout(queue, condition, deadline_ns)                                          \
	wait_event_mode(queue, condition, WAIT_INTERRUPTIBLE, deadline_ns)
