/*
 * kernel/run_queue.h - who waits for which processor, and for how long each may run.
 *
 * One queue per processor. Time is handed out in rounds: in each round every task gets one slice,
 * as long as its nice value says. A queue has three lists: tasks that were woken and have some of
 * their slice left run first, then the others that have some left, and when both lists are empty a
 * new round begins with those that have used theirs up. So whoever sleeps a lot is served soon, and
 * nobody waits longer than one round. A slice is charged exactly; who ran too long starts the next
 * round with less.
 *
 * Rounds are numbered alike everywhere, and a processor that is done with one helps those that are
 * not before it begins another (distributed weighted round robin: Li, Baumberger, Hahn, PPoPP
 * 2009). So tasks share all processors as they would share one, up to a slice or two: three on two
 * processors get two thirds of one each, in the long run.
 *
 * Interrupts are off around everything here. For sched.c.
 */
#pragma once

#include <kernel/base/lock.h>
#include <kernel/base/list.h>

struct task;

struct run_queue {
	struct spinlock lock;
	struct list_node woken, active, expired;
	_Atomic uint32_t count; /* in all three */
	_Atomic uint64_t round;      /* changed under the lock */
	uint32_t helper;             /* whom it asked for help last */
} __attribute__((aligned(64)));

extern struct run_queue run_queues[CPU_MAX];

/* For the calling processor's, before anything is put there. */
void run_queue_init(struct run_queue *queue);

/* The queue of the processor where the task is, or was last: locked. */
struct run_queue *run_queue_lock_of(struct task *task);

enum run_queue_place {
	PLACE_WOKEN, /* it slept */
	PLACE_FIRST, /* it was interrupted in its slice */
	PLACE_NEW,   /* it never ran */
	PLACE_LAST,  /* it gave the rest away, or comes from another queue */
};
/* Puts a task that is in no queue into this one, which is locked; tells task->cpu. */
void run_queue_add(struct run_queue *queue, struct task *task, enum run_queue_place place)
	REQUIRES(queue->lock);
/* Takes the next one out; NULL if there is none. */
struct task *run_queue_take(struct run_queue *queue) REQUIRES(queue->lock);
/* Takes out this one, which is in it. */
void run_queue_remove(struct run_queue *queue, struct task *task) REQUIRES(queue->lock);
/*
 * For this queue's processor, which is done with its round, or has nothing to run: a task that
 * should run there now, taken out of another queue. It is in none then. NULL: there is none, or
 * queues are being changed right now.
 */
struct task *run_queue_steal(struct run_queue *queue) REQUIRES(queue->lock);
/* Nobody in the queue has anything left of his slice. */
static inline bool run_queue_round_over(const struct run_queue *queue)
{
	return list_empty(&queue->woken) && list_empty(&queue->active);
}
/* Somebody waits in another queue, which may mean work for this one's processor. */
bool run_queue_others_wait(const struct run_queue *queue);
/* True if that queue has a task with the right to run before one that has run for a tick. */
static inline bool run_queue_has_woken(const struct run_queue *queue)
{
	return !list_empty(&queue->woken);
}

/* Takes `ran_ns` from what the task has left of its slice. */
void run_queue_charge(struct task *task, uint64_t ran_ns);
/* It has something left. */
bool run_queue_slice_left(const struct task *task);
/* A nice value's slice, ns; values beyond the limits count as the limits. */
int64_t run_queue_slice_ns(int nice);
/* What a task's nice value amounts to: SCHED_IDLE comes after all. */
int run_queue_nice(const struct task *task);

/*
 * Where a task that wakes up should run: where it ran last, unless that processor is busy and
 * another one it may use is idle. Any lock may be held.
 */
uint32_t run_queue_choose(const struct task *task);
/*
 * The processor is idle from now on, or no longer, or soon will not be: somebody has work for it.
 */
void run_queue_set_idle(uint32_t cpu, bool idle);
/* An idle processor, each in its turn; CPU_MAX: none is. */
uint32_t run_queue_next_idle(struct run_queue *queue);
