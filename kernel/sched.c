/*
 * kernel/sched.c - round-robin over one run queue per processor.
 *
 * A task leaves the processor in schedule() (it sleeps, yields or its turn is over) or in
 * schedule_preempted() (an interrupt found that someone else should run). The run queue's lock is
 * held across task_switch and released by whoever runs next, in switch_finish: so a task's
 * saved stack pointer is never used before it is complete.
 *
 * A task that is about to sleep sets its state before it looks at its condition (wait.c). If it
 * is preempted in between, it stays on the queue although its state says SLEEPING.
 *
 * Locks: run_queue->lock, interrupts off; everything [R] in task.h.
 */
#include <kernel/base/panic.h>
#include <kernel/cpu.h>
#include <kernel/fpu.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <kernel/timer.h>
#include <kernel/trap_return.h>
#include <mm/mem_space.h>
#include <string.h>

#define SLICE_NS (NS_PER_SEC / TIMER_HZ * 5) /* a turn: 20 ms */

struct run_queue {
	struct spinlock lock;
	struct list_node tasks;
	uint64_t count;
};

static struct run_queue run_queue = {
	.lock = SPINLOCK_INIT(RANK_RUN_QUEUE),
	.tasks = LIST_INIT(run_queue.tasks),
};
static struct task idle_task;

void task_switch(uintptr_t *save_stack_pointer, uintptr_t load_stack_pointer); /* trap_entry.asm */
void task_first_step(void);

static struct run_queue *run_queue_of(const struct task *task)
{
	(void)task;
	return &run_queue;
}

static void enqueue(struct run_queue *queue, struct task *task)
{
	list_push_back(&queue->tasks, &task->run_link);
	task->on_run_queue = true;
	queue->count++;
}

static struct task *dequeue(struct run_queue *queue)
{
	struct task *task;

	if (list_empty(&queue->tasks))
		return this_cpu()->idle;
	task = list_first(&queue->tasks, struct task, run_link);
	list_remove(&task->run_link);
	task->on_run_queue = false;
	queue->count--;
	return task;
}

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

/*
 * Run by the next task, on its own stack: releases the lock its predecessor took, and then what
 * may have been kept alive by the processor alone.
 */
static void switch_finish(struct task *prev)
{
	bool dead = atomic_load(&prev->state) == TASK_DEAD;
	struct cpu *cpu = this_cpu();
	struct mem_space *left = cpu->left_space;

	cpu->left_space = NULL;
	spin_unlock(&run_queue_of(prev)->lock);
	if (left)
		mem_space_drop(left);
	if (dead)
		task_put(prev); /* the scheduler's reference */
}

/* Interrupts are off. `requeue`: prev stays runnable whatever its state says. */
static void switch_away(bool requeue)
{
	struct cpu *cpu = this_cpu();
	struct run_queue *queue = &run_queue;
	struct task *prev = cpu->current, *next;

	spin_lock(&queue->lock);
	cpu->need_resched = 0;
	if (prev != cpu->idle && (requeue || atomic_load(&prev->state) == TASK_RUNNABLE))
		enqueue(queue, prev);
	next = dequeue(queue);
	next->slice_ns = SLICE_NS;
	if (next == prev) {
		spin_unlock(&queue->lock);
		return;
	}
	if (requeue)
		prev->involuntary_switches++;
	else
		prev->voluntary_switches++;
	user_state_save(prev);
	cpu->current = next;
	cpu->previous = prev;
	user_state_load(next);
	task_switch(&prev->kernel_stack_pointer, next->kernel_stack_pointer);
	switch_finish(this_cpu()->previous);
}

void schedule(void)
{
	uint64_t flags = irq_save();

	kassert(this_cpu()->preempt_count == 0 && this_cpu()->irq_depth == 0);
	switch_away(false);
	irq_restore(flags);
}

void schedule_preempted(void)
{
	uint64_t flags = irq_save();

	switch_away(true);
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

static void make_runnable(struct task *task)
{
	struct run_queue *queue = run_queue_of(task);

	atomic_store(&task->state, TASK_RUNNABLE);
	/* Still running, on its way to sleep: schedule() will see the state. */
	if (!task->on_run_queue && task != this_cpu()->current)
		enqueue(queue, task);
	if (this_cpu()->current == this_cpu()->idle)
		this_cpu()->need_resched = 1;
}

bool task_wake(struct task *task)
{
	struct run_queue *queue = run_queue_of(task);
	uint64_t flags = spin_lock_irq(&queue->lock);
	uint32_t state = atomic_load(&task->state);
	bool asleep = state == TASK_SLEEPING || state == TASK_STOPPED;

	if (asleep)
		make_runnable(task);
	spin_unlock_irq(&queue->lock, flags);
	return asleep;
}

void task_wake_for_signal(struct task *task, bool fatal)
{
	struct run_queue *queue = run_queue_of(task);
	uint64_t flags = spin_lock_irq(&queue->lock);
	uint32_t state = atomic_load(&task->state);

	if ((state == TASK_SLEEPING && (task->wait_mode == WAIT_INTERRUPTIBLE ||
					(fatal && task->wait_mode == WAIT_KILLABLE))) ||
	    (state == TASK_STOPPED && fatal))
		make_runnable(task);
	spin_unlock_irq(&queue->lock, flags);
}

void task_start(struct task *task)
{
	struct run_queue *queue = run_queue_of(task);
	uint64_t flags = spin_lock_irq(&queue->lock);

	make_runnable(task);
	spin_unlock_irq(&queue->lock, flags);
}

void task_yield(void)
{
	schedule();
}

void sched_tick(bool from_user)
{
	struct cpu *cpu = this_cpu();
	struct task *task = cpu->current;
	uint64_t tick_ns = NS_PER_SEC / TIMER_HZ;

	timers_expire(time_monotonic_ns());
	if (task == cpu->idle)
		return;
	if (from_user)
		task->user_ns += tick_ns;
	else
		task->system_ns += tick_ns;
	task->slice_ns -= MIN(task->slice_ns, tick_ns);
	if (task->slice_ns == 0 && run_queue.count > 0)
		cpu->need_resched = 1;
}

uint64_t sched_runnable_count(void)
{
	return run_queue.count;
}

void sched_init(void)
{
	struct cpu *cpu = this_cpu();

	memcpy(idle_task.name, "idle", sizeof("idle"));
	atomic_store(&idle_task.state, TASK_RUNNABLE);
	idle_task.kernel_stack = cpu->kernel_stack_top - KERNEL_STACK_SIZE;
	atomic_store(&idle_task.refs, 1);
	cpu->idle = &idle_task;
	cpu->current = &idle_task;
}

noreturn_fn void sched_idle(void)
{
	for (;;) {
		irq_disable();
		if (!cpu_read(need_resched))
			__asm__ volatile("sti; hlt" : : : "memory"); /* STI takes effect after HLT began */
		irq_enable();
		schedule();
	}
}
