/*
 * kernel/sched.c - who runs: switching tasks, waking them, the tick.
 *
 * A task leaves the processor in schedule() (it sleeps, or its turn is over) or in
 * schedule_preempted() (an interrupt found that someone else should run). The lock of the
 * processor's run queue is held across task_switch and released by whoever runs next, in
 * switch_finish: so nobody takes a task whose stack is still in use, or whose registers are
 * not saved yet.
 *
 * A task that is about to sleep sets its state before it looks at its condition (wait.c). If it
 * is preempted in between, it stays on the queue although its state says SLEEPING. If it is woken
 * while it is still on its processor, or still queued, changing the state back is enough.
 *
 * Locks: the run queues' (kernel/run_queue.h), interrupts off; everything [R] in task.h.
 * Not here: which of the waiting tasks is next, and where a woken one goes (run_queue.c).
 * Tests: tests/guest/sched.c, sched_affinity.c.
 */
#include <drivers/lapic.h>
#include <kernel/base/cross_call.h>
#include <kernel/base/panic.h>
#include <kernel/base/wait.h>
#include <kernel/cpu.h>
#include <kernel/fpu.h>
#include <kernel/hang.h>
#include <kernel/run_queue.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <kernel/timer.h>
#include <kernel/trap_return.h>
#include <mm/mem_space.h>
#include <string.h>

#define IDLE_HZ 4 /* an idle processor only shows that it is alive */

static struct task idle_tasks[CPU_MAX];
/* Who waits for a task to leave a processor where it may not run any more. */
static struct wait_queue task_left_wrong_cpu = WAIT_QUEUE_INIT(task_left_wrong_cpu);

void task_switch(uintptr_t *save_stack_pointer, uintptr_t load_stack_pointer); /* trap_entry.asm */
void task_first_step(void);

static struct run_queue *this_queue(void)
{
	return &run_queues[cpu_read(id)];
}

/* ---- a place to run ---- */

/* A task was put into the processor's queue, which is locked: it should look, if it is idle. */
static void notice(struct cpu *cpu, const struct task *task)
{
	if (cpu->current != cpu->idle && run_queue_nice(task) >= run_queue_nice(cpu->current))
		return;
	run_queue_set_idle(cpu->id, false);
	cpu->need_resched = 1;
	if (cpu != this_cpu())
		processor_kick(cpu);
}

/*
 * A runnable task that is on no processor and in no queue, `queue` being the one of task->cpu: goes
 * to the best one. If that is another, it joins in the next round: tasks that move to and fro would
 * otherwise bring new slices each time, and the round of those who stay would not end. Unlocks.
 */
static void place_and_unlock(struct run_queue *queue, struct task *task, enum run_queue_place place)
	NO_THREAD_SAFETY_ANALYSIS
{
	for (;;) {
		uint32_t cpu = run_queue_choose(task);
		struct run_queue *chosen = &run_queues[cpu];

		if (chosen == queue)
			break;
		place = PLACE_LAST;
		atomic_store(&task->cpu, cpu);
		spin_unlock(&queue->lock);
		queue = chosen;
		spin_lock(&queue->lock);
		if (task->affinity & 1ull << cpu) /* it may have changed meanwhile */
			break;
	}
	run_queue_add(queue, task, place);
	notice(&cpus[queue - run_queues], task);
	spin_unlock(&queue->lock);
}

/* ---- switching ---- */

/* What belongs to user mode: floating point, segment bases, address space. */
static void user_state_save(struct task *prev)
{
	if (prev->space)
		fpu_save(prev->fpu_state);
}

static void user_state_load(struct task *next)
{
	cpu_set_kernel_stack(next->kernel_stack + KERNEL_STACK_SIZE);
	if (!next->space)
		return; /* a kernel task runs on whatever is loaded */
	this_cpu()->left_space = mem_space_switch(next->space);
	fpu_restore(next->fpu_state);
	msr_write(MSR_FS_BASE, next->fs_base);
	msr_write(MSR_KERNEL_GS_BASE, next->gs_base);
}

/* The dead task is off its stack: nothing of it is in use any more. */
static void task_finish(struct task *task)
{
	struct process *process = task->process;

	process_get(process);
	task_put(task); /* the scheduler's reference */
	atomic_fetch_sub(&process->unfinished, 1);
	wake_up_all(&process->thread_event);
	process_put(process);
}

/*
 * Run by the next task, on its own stack, interrupts off: releases the lock its predecessor took,
 * and then does what had to wait until that was off the processor.
 */
static void switch_finish(struct task *prev) NO_THREAD_SAFETY_ANALYSIS
{
	struct cpu *cpu = this_cpu();
	bool dead = atomic_load(&prev->state) == TASK_DEAD;
	bool wrong_cpu = !(prev->affinity & 1ull << cpu->id);
	struct mem_space *left = cpu->left_space;
	struct task *leaving = cpu->leaving;

	cpu->left_space = NULL;
	cpu->leaving = NULL;
	if (leaving)
		place_and_unlock(this_queue(), leaving, PLACE_FIRST);
	else
		spin_unlock(&this_queue()->lock);
	if (wrong_cpu)
		wake_up_all(&task_left_wrong_cpu);
	if (left)
		mem_space_drop(left);
	if (dead)
		task_finish(prev);
}

enum leave_why { LEAVE_BY_STATE, LEAVE_PREEMPTED, LEAVE_YIELDING };

/* What the task used of its slice; and the idle time, for /proc/stat. */
static void account_leaving(struct cpu *cpu, struct task *prev, uint64_t now_ns)
{
	if (prev != cpu->idle)
		run_queue_charge(prev, now_ns - prev->run_since_ns);
	else
		cpu->idle_ns += now_ns - cpu->idle->run_since_ns;
}

/* It wants to go on. If it may not do so here, switch_finish sends it elsewhere. */
static void put_back(struct run_queue *queue, struct task *prev, enum leave_why why)
	REQUIRES(queue->lock)
{
	struct cpu *cpu = this_cpu();

	if (prev->affinity & 1ull << cpu->id) {
		run_queue_add(queue, prev, why == LEAVE_YIELDING ? PLACE_LAST : PLACE_FIRST);
	} else {
		prev->on_run_queue = true;
		cpu->leaving = prev;
	}
}

static struct task *choose_next(struct run_queue *queue) REQUIRES(queue->lock)
{
	struct cpu *cpu = this_cpu();
	struct task *next = NULL;

	if (run_queue_round_over(queue))
		next = run_queue_steal(queue);
	if (!next)
		next = run_queue_take(queue);
	return next ? next : cpu->idle;
}

/* An idle processor is told apart by others, and its timer is slowed down (idle_tick). */
static void account_coming(struct cpu *cpu, struct task *prev, struct task *next, uint64_t now_ns)
{
	next->run_since_ns = now_ns;
	if (next == cpu->idle) {
		run_queue_set_idle(cpu->id, true);
	} else if (prev == cpu->idle) {
		run_queue_set_idle(cpu->id, false);
		cpu->accounted_ns = now_ns;
		if (cpu->slow_tick)
			lapic_timer_start(TRAP_TIMER, TIMER_HZ);
		cpu->slow_tick = false;
	}
}

/* Interrupts are off. */
static void switch_away(enum leave_why why) NO_THREAD_SAFETY_ANALYSIS
{
	struct cpu *cpu = this_cpu();
	struct run_queue *queue = &run_queues[cpu->id];
	struct task *prev = cpu->current, *next;
	uint64_t now_ns;
	bool goes_on;

	spin_lock(&queue->lock);
	now_ns = time_monotonic_ns();
	cpu->need_resched = 0;
	account_leaving(cpu, prev, now_ns);
	goes_on = why == LEAVE_PREEMPTED || atomic_load(&prev->state) == TASK_RUNNABLE;
	if (prev != cpu->idle && goes_on)
		put_back(queue, prev, why);
	next = choose_next(queue);
	account_coming(cpu, prev, next, now_ns);
	if (next == prev) {
		spin_unlock(&queue->lock);
		return;
	}
	if (goes_on) /* sched_yield too, as on Linux */
		prev->involuntary_switches++;
	else
		prev->voluntary_switches++;
	cpu->switches++;
	user_state_save(prev);
	cpu->current = next;
	cpu->previous = prev;
	user_state_load(next);
	task_switch(&prev->kernel_stack_pointer, next->kernel_stack_pointer);
	switch_finish(this_cpu()->previous);
}

static void schedule_why(enum leave_why why)
{
	uint64_t flags = irq_save();

	kassert(this_cpu()->preempt_count == 0 && this_cpu()->irq_depth == 0);
	switch_away(why);
	irq_restore(flags);
}

void schedule(void)
{
	schedule_why(LEAVE_BY_STATE);
}

void task_yield(void)
{
	schedule_why(LEAVE_YIELDING);
}

void schedule_preempted(void)
{
	uint64_t flags = irq_save();

	switch_away(LEAVE_PREEMPTED);
	irq_restore(flags);
}

void preempt_enable(void)
{
	preempt_enable_no_resched();
	if (unlikely(cpu_read(need_resched) && cpu_read(preempt_count) == 0 &&
		     cpu_read(irq_depth) == 0 && irq_enabled()))
		schedule_preempted();
}

/* The first thing a new task does, called by task_first_step with interrupts off. */
void task_first_run(void (*kernel_fn)(void *arg), void *arg)
{
	switch_finish(this_cpu()->previous);
	if (kernel_fn) {
		irq_enable();
		kernel_fn(arg);
		task_exit(0);
	}
}

/* What task_switch pops: r15 r14 r13 r12 rbx rbp, and the address it returns to. */
struct first_switch_frame {
	uint64_t r15, r14, r13, r12, rbx, rbp;
	uintptr_t return_address;
};

void task_prepare_stack(struct task *task, void (*kernel_fn)(void *arg), void *arg)
{
	uintptr_t top = task->kernel_stack + KERNEL_STACK_SIZE - sizeof(struct trap_frame);
	struct first_switch_frame *first = (void *)(top - sizeof(*first));

	*first = (struct first_switch_frame){
		.rbx = (uintptr_t)kernel_fn,
		.r12 = (uintptr_t)arg,
		.return_address = (uintptr_t)task_first_step,
	};
	task->kernel_stack_pointer = (uintptr_t)first;
}

/* ---- waking ---- */

/* After a wake-up: the woken task may be the one that should run here. */
static void wake_done(uint64_t flags)
{
	irq_restore(flags);
	if (unlikely(cpu_read(need_resched))) {
		preempt_disable();
		preempt_enable();
	}
}

static void make_runnable_and_unlock(struct run_queue *queue, struct task *task)
	NO_THREAD_SAFETY_ANALYSIS
{
	atomic_store(&task->state, TASK_RUNNABLE);
	/* Still running, on its way to sleep: switch_away will see the state. */
	if (task->on_run_queue || cpus[atomic_load(&task->cpu)].current == task)
		spin_unlock(&queue->lock);
	else
		place_and_unlock(queue, task, PLACE_WOKEN);
}

bool task_wake(struct task *task) NO_THREAD_SAFETY_ANALYSIS
{
	uint64_t flags = irq_save();
	struct run_queue *queue = run_queue_lock_of(task);
	uint32_t state = atomic_load(&task->state);
	bool asleep = state == TASK_SLEEPING || state == TASK_STOPPED;

	if (asleep)
		make_runnable_and_unlock(queue, task);
	else
		spin_unlock(&queue->lock);
	wake_done(flags);
	return asleep;
}

static bool signal_ends_sleep(const struct task *task, bool fatal)
{
	uint32_t state = atomic_load(&task->state);

	if (state == TASK_STOPPED)
		return fatal;
	return state == TASK_SLEEPING && (task->wait_mode == WAIT_INTERRUPTIBLE ||
					  (fatal && task->wait_mode == WAIT_KILLABLE));
}

/* In user mode it would not notice the signal before its next interrupt. */
void task_wake_for_signal(struct task *task, bool fatal) NO_THREAD_SAFETY_ANALYSIS
{
	uint64_t flags = irq_save();
	struct run_queue *queue = run_queue_lock_of(task);
	struct cpu *cpu = &cpus[atomic_load(&task->cpu)];

	if (signal_ends_sleep(task, fatal)) {
		make_runnable_and_unlock(queue, task);
	} else {
		if (cpu->current == task && cpu != this_cpu())
			processor_kick(cpu);
		spin_unlock(&queue->lock);
	}
	wake_done(flags);
}

void task_hurry(struct task *task) NO_THREAD_SAFETY_ANALYSIS
{
	uint64_t flags = irq_save();
	struct run_queue *queue = run_queue_lock_of(task);

	task->slice_ns = MAX(task->slice_ns, run_queue_slice_ns(run_queue_nice(task)));
	if (!list_empty(&task->run_link)) {
		run_queue_remove(queue, task);
		run_queue_add(queue, task, PLACE_WOKEN);
	}
	spin_unlock(&queue->lock);
	irq_restore(flags);
}

/*
 * It shares what is left of its parent's slice, so that forking gains nobody time. While the parent
 * runs, only its own processor, the caller, uses that.
 */
static void slice_inherit(struct task *task, struct task *parent)
{
	if (parent == this_cpu()->idle)
		return;
	parent->slice_ns /= 2;
	task->slice_ns = parent->slice_ns;
	task->round = parent->round;
}

void task_start(struct task *task) NO_THREAD_SAFETY_ANALYSIS
{
	uint64_t flags = irq_save();
	struct run_queue *queue = run_queue_lock_of(task);

	slice_inherit(task, current_task());
	atomic_store(&task->state, TASK_RUNNABLE);
	place_and_unlock(queue, task, PLACE_NEW);
	wake_done(flags);
}

/* Neither runs nor waits where it may not; where it is on its way, it does not yet. */
static bool placed_well(struct task *task) NO_THREAD_SAFETY_ANALYSIS
{
	uint64_t flags = irq_save();
	struct run_queue *queue = run_queue_lock_of(task);
	uint32_t cpu = atomic_load(&task->cpu);
	bool asleep = !task->on_run_queue && cpus[cpu].current != task;
	bool well = asleep || (task->affinity & 1ull << cpu);

	spin_unlock(&queue->lock);
	irq_restore(flags);
	return well;
}

static void affinity_change(struct task *task, uint64_t cpus_allowed) NO_THREAD_SAFETY_ANALYSIS
{
	uint64_t flags = irq_save();
	struct run_queue *queue = run_queue_lock_of(task);
	struct cpu *cpu = &cpus[atomic_load(&task->cpu)];

	task->affinity = cpus_allowed;
	if (cpus_allowed & 1ull << cpu->id) {
		spin_unlock(&queue->lock);
	} else if (cpu->current == task) { /* put_back will see it */
		cpu->need_resched = 1;
		if (cpu != this_cpu())
			processor_kick(cpu);
		spin_unlock(&queue->lock);
	} else if (!list_empty(&task->run_link)) {
		run_queue_remove(queue, task);
		/* Its state may say SLEEPING: nobody else is to put it into a queue. */
		task->on_run_queue = true;
		place_and_unlock(queue, task, PLACE_FIRST);
	} else {
		spin_unlock(&queue->lock);
	}
	wake_done(flags);
}

void task_set_affinity(struct task *task, uint64_t cpus_allowed)
{
	affinity_change(task, cpus_allowed);
	wait_event(&task_left_wrong_cpu, placed_well(task));
}

/* ---- the tick ---- */

/*
 * All the time since the last tick counts for what runs now. Ticks may be late, where the machine
 * is emulated and busy with other things.
 */
static void account_tick(struct cpu *cpu, struct task *task, bool from_user, uint64_t now_ns)
{
	uint64_t ran_ns = now_ns - cpu->accounted_ns;

	cpu->accounted_ns = now_ns;
	if (!from_user) {
		task->system_ns += ran_ns;
		cpu->system_ns += ran_ns;
		return;
	}
	task->user_ns += ran_ns;
	if (atomic_load(&task->nice) > 0)
		cpu->nice_ns += ran_ns;
	else
		cpu->user_ns += ran_ns;
}

/* Somebody waits here for another processor that has nothing to do. */
static void call_helper(struct run_queue *queue)
{
	uint32_t helper = run_queue_next_idle(queue);

	if (helper == CPU_MAX)
		return;
	cpus[helper].need_resched = 1;
	processor_kick(&cpus[helper]);
}

/*
 * At the end of its slice the task makes room, for those who wait here, or elsewhere if this round
 * is over.
 */
static void share(struct cpu *cpu, const struct task *task, uint64_t now_ns)
{
	struct run_queue *queue = &run_queues[cpu->id];
	bool used_up = task->slice_ns <= (int64_t)(now_ns - task->run_since_ns);
	bool others = atomic_load(&queue->count) > 0;

	if (others && run_queue_has_woken(queue))
		cpu->need_resched = 1;
	else if (used_up && (others || run_queue_others_wait(queue)))
		cpu->need_resched = 1;
	if (others)
		call_helper(queue);
}

/* The first processor keeps time for all, so it ticks on. */
static void idle_tick(struct cpu *cpu)
{
	if (cpu->id == 0 || cpu->slow_tick)
		return;
	cpu->slow_tick = true;
	lapic_timer_start(TRAP_TIMER, IDLE_HZ);
}

void sched_tick(bool from_user)
{
	struct cpu *cpu = this_cpu();
	struct task *task = cpu->current;
	uint64_t now_ns = time_monotonic_ns();

	atomic_fetch_add_explicit(&cpu->ticks, 1, memory_order_relaxed);
	if (cpu->id == 0)
		timers_expire(now_ns);
	hang_watch(now_ns);
	if (task == cpu->idle) {
		idle_tick(cpu);
		return;
	}
	account_tick(cpu, task, from_user, now_ns);
	share(cpu, task, now_ns);
}

uint64_t sched_runnable_count(void)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < cpu_count(); i++) {
		count += atomic_load_explicit(&run_queues[i].count, memory_order_relaxed);
		count += cpus[i].current != cpus[i].idle;
	}
	return count;
}

uint64_t sched_idle_ns(const struct cpu *cpu)
{
	struct run_queue *queue = &run_queues[cpu->id];
	uint64_t flags = spin_lock_irq(&queue->lock); /* it begins and ends idling under it */
	uint64_t idle_ns = cpu->idle_ns;

	if (cpu->current == cpu->idle)
		idle_ns += time_monotonic_ns() - cpu->idle->run_since_ns;
	spin_unlock_irq(&queue->lock, flags);
	return idle_ns;
}

void sched_init(void)
{
	struct cpu *cpu = this_cpu();
	struct task *idle = &idle_tasks[cpu->id];

	memcpy(idle->name, "idle", sizeof("idle"));
	idle->process = &kernel_process;
	idle->affinity = UINT64_MAX;
	atomic_store(&idle->cpu, cpu->id);
	atomic_store(&idle->state, TASK_RUNNABLE);
	idle->kernel_stack = cpu->kernel_stack_top - KERNEL_STACK_SIZE;
	atomic_store(&idle->refs, 1);
	cpu->idle = idle;
	cpu->current = idle;
	run_queue_init(this_queue());
	run_queue_set_idle(cpu->id, true);
}

noreturn_fn void sched_idle(void)
{
	for (;;) {
		irq_disable();
		if (!cpu_read(need_resched))
			/* STI takes effect when HLT has begun: no interrupt comes in between. */
			__asm__ volatile("sti; hlt" : : : "memory");
		irq_enable();
		schedule();
	}
}
