/*
 * kernel/sched.h - who runs, and where. One queue per processor (kernel/run_queue.h); kernel code
 * is preemptible wherever it holds no spinlock, and may go on on another processor.
 */
#pragma once

#include <kernel/base/types.h>

struct cpu;
struct task;

/* Gives the processor away; the caller's state says whether it wants it back. No spinlock held. */
void schedule(void);
/* Makes a sleeping task runnable; true if it was asleep. Any context. */
bool task_wake(struct task *task);
/* Wakes it if its sleep may be ended by a signal (fatal: by SIGKILL too). Any context. */
void task_wake_for_signal(struct task *task, bool fatal);
/*
 * It is to end soon (mm/pressure.c): it gets a new slice, and goes before those that only wait. Any
 * context.
 */
void task_hurry(struct task *task);
/* A new task may run: near its creator, the caller, and where that may. */
void task_start(struct task *task);
/* From the timer interrupt: accounts the tick, expires sleeps, ends the turn. */
void sched_tick(bool from_user);
/* Sleeps until then (monotonic ns) or a signal: 0 or -ERESTARTNOHAND. */
must_check int task_sleep_until(uint64_t deadline_ns);
/* The same, whatever signals come. */
void task_sleep_uninterruptible(uint64_t deadline_ns);
/* sched_yield(2): the others of this processor come first. */
void task_yield(void);
/*
 * Where the task may run: a bit per processor, at least one of them running. If it runs or waits
 * elsewhere it has moved when this returns. Sleeps.
 */
void task_set_affinity(struct task *task, uint64_t cpus_allowed);

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
/* Tasks that run or want to. */
uint64_t sched_runnable_count(void);
/* How long the processor has been idle since boot. */
uint64_t sched_idle_ns(const struct cpu *cpu);
