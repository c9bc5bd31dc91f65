/*
 * kernel/sched.h - who runs. Preemptive round-robin; kernel code is preemptible wherever it
 * holds no spinlock.
 */
#pragma once

#include <kernel/base/types.h>

struct task;

/* Gives the processor away; the caller's state says whether it wants it back. No spinlock held. */
void schedule(void);
/* Makes a sleeping task runnable; true if it was asleep. Any context. */
bool task_wake(struct task *task);
/* Wakes it if its sleep may be ended by a signal (fatal: by SIGKILL too). Any context. */
void task_wake_for_signal(struct task *task, bool fatal);
/* Puts a new task on the run queue. */
void task_start(struct task *task);
/* From the timer interrupt: accounts the tick, expires sleeps, ends the turn. */
void sched_tick(bool from_user);
/* Sleeps until then (monotonic ns) or a signal: 0 or -ERESTARTNOHAND. */
must_check int task_sleep_until(uint64_t deadline_ns);
/* The same, whatever signals come. */
void task_sleep_uninterruptible(uint64_t deadline_ns);
/* sched_yield(2). */
void task_yield(void);

/*
 * Lays out a new task's stack, whose top holds its user trap_frame: the first switch to it
 * runs kernel_fn(arg) and ends it, or returns to user mode where kernel_fn is NULL.
 */
void task_prepare_stack(struct task *task, void (*kernel_fn)(void *arg), void *arg);
/* As schedule(), from an interrupt or preempt_enable: the caller stays runnable. */
void schedule_preempted(void);
/* Called by task_first_step only. Returns for a user task, with interrupts off. */
void task_first_run(void (*kernel_fn)(void *arg), void *arg);

/* Makes the caller this processor's idle task. */
void sched_init(void);
/* Its loop: halts until there is something to run. */
noreturn_fn void sched_idle(void);
uint64_t sched_runnable_count(void);
