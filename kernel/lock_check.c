/*
 * kernel/lock_check.c - what the checking build watches about locks (kernel/base/lock_check.h).
 *
 *   order           no lock is taken under one of a higher rank; among those of one rank the lower
 *                   address comes first, unless rank_nests knows of another order
 *   once            a holder does not take its lock again
 *   handlers        a spinlock that interrupt handlers take is never taken with interrupts on
 *   sleeping        nothing sleeps, or takes a sleeping lock, with a spinlock, in a handler, with
 *                   preemption off or interrupts off
 *   faulting        the same for touching user memory, unless faults are disabled; nor is it
 *                   touched under a lock that a page fault may want
 *   release         only the holder releases
 *   the way out     no lock is held on return to user mode or at a task's end
 *   too long        a spinlock held for more than spin_limit_us (kernel command line) is worth a
 *                   warning, once for each place that takes it. The default is long, for an
 *                   emulated processor stands still whenever its host has other things to do.
 *
 * All but the last panic. The panic tells where each lock was taken that the processor and the
 * task hold, and its own backtrace tells where the rule was broken.
 *
 * Nothing here takes a lock, but for the warning, which is written after the release: any context
 * will do. A processor's records change with interrupts off, a task's by the task itself.
 *
 * Tests: tests/check/test_locks.py, through /dev/lock-test (lock_test.c).
 */
#include <kernel/base/lock.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <kernel/base/rw_lock.h>
#include <kernel/cmdline.h>
#include <kernel/symbols.h>
#include <kernel/task.h>
#include <kernel/time.h>

#define SPIN_LIMIT_DEFAULT_US 2000000ul
#define REPORTED_MAX 64

static const char *const rank_names[] = {
	[RANK_POSITION] = "position",
	[RANK_MOUNT] = "mount",
	[RANK_INODE] = "inode",
	[RANK_SPACE] = "space",
	[RANK_FRAME] = "frame",
	[RANK_OBJECT_ZONES] = "object zones",
	[RANK_SLEEP_LEAF] = "sleep leaf",
	[RANK_TASK_TREE] = "task tree",
	[RANK_FILES] = "files",
	[RANK_SIGNAL] = "signal",
	[RANK_FUTEX] = "futex",
	[RANK_PAGE_TABLE] = "page table",
	[RANK_PAGE_INDEX] = "page index",
	[RANK_DRIVER] = "driver",
	[RANK_CACHES] = "caches",
	[RANK_HEAP] = "heap",
	[RANK_KERNEL_MAP] = "kernel map",
	[RANK_FRAME_CACHE] = "frame cache",
	[RANK_FRAMES] = "frames",
	[RANK_WAIT_QUEUE] = "wait queue",
	[RANK_TIMER] = "timer",
	[RANK_RUN_QUEUE] = "run queue",
	[RANK_LOG] = "log",
};

static uint64_t spin_limit_ns = SPIN_LIMIT_DEFAULT_US * NS_PER_US;
/* The places already warned about; 0: free. */
static _Atomic uintptr_t reported[REPORTED_MAX];
/* Whose locks a panic is to tell besides the processor's and its task's. */
static const struct task *other_holder;

void lock_check_init(void)
{
	char text[24];
	uint64_t us = 0;

	if (!cmdline_get("spin_limit_us", text, sizeof(text)))
		return;
	for (const char *digit = text; *digit >= '0' && *digit <= '9'; digit++)
		us = us * 10 + (uint64_t)(*digit - '0');
	spin_limit_ns = us * NS_PER_US;
}

static const char *rank_name(uint16_t rank)
{
	return rank < ARRAY_SIZE(rank_names) && rank_names[rank] ? rank_names[rank] : "no rank";
}

/* Locks of one rank have an order of their own, which is not that of addresses: docs/locking.md. */
static bool rank_nests(uint16_t rank)
{
	return rank == RANK_INODE || rank == RANK_PAGE_TABLE;
}

/* ---- records ---- */

/* `frame`: the hook's frame pointer, the chain begins with its caller. */
static void record(struct lock_record *held, const void *lock, uint16_t rank, void *frame)
{
	unsigned depth = backtrace_collect((uintptr_t)frame, held->chain, LOCK_CHAIN_MAX);

	held->lock = lock;
	held->rank = rank;
	held->more = 0;
	held->since_ns = time_monotonic_ns();
	if (depth < LOCK_CHAIN_MAX)
		held->chain[depth] = 0;
}

/* The index of the lock's record, from the newest; `count` when there is none. */
static uint32_t find(const struct lock_record *held, uint32_t count, const void *lock)
{
	for (uint32_t i = count; i > 0; i--)
		if (held[i - 1].lock == lock)
			return i - 1;
	return count;
}

/* Write-back holds many frames at once: they share the record of the first. */
static uint32_t find_sleeping(const struct task *task, const void *lock, uint16_t rank)
{
	if (rank != RANK_FRAME)
		return find(task->sleep_held, task->sleep_held_count, lock);
	for (uint32_t i = 0; i < task->sleep_held_count; i++)
		if (task->sleep_held[i].rank == RANK_FRAME)
			return i;
	return task->sleep_held_count;
}

static void forget(struct lock_record *held, uint32_t *count, uint32_t index)
{
	for (--*count; index < *count; index++)
		held[index] = held[index + 1];
}

static void check_order(const struct lock_record *held, uint32_t begin, uint32_t count,
			const void *lock, uint16_t rank)
{
	kassert(rank != RANK_NONE);
	if (find(held, count, lock) != count)
		panic("lock %s (%p) is taken twice", rank_name(rank), lock);
	for (uint32_t i = begin; i < count; i++)
		if (held[i].rank > rank ||
		    (held[i].rank == rank && held[i].lock > lock && !rank_nests(rank)))
			panic("lock order: %s (rank %u) is taken under %s (rank %u)",
			      rank_name(rank), rank, rank_name(held[i].rank), held[i].rank);
}

/* ---- telling ---- */

static void log_held(enum log_level level, const struct lock_record *held)
{
	for (unsigned i = 0; i < LOCK_CHAIN_MAX && held->chain[i]; i++) {
		uintptr_t offset = 0;
		const char *name = symbol_find(held->chain[i] - 1, &offset);

		log_print(level, "    %s+%#lx  [%#lx]", name ? name : "?", offset + 1,
			  held->chain[i]);
	}
}

static void log_all_held(const struct lock_record *held, uint32_t count, uint32_t max)
{
	for (uint32_t i = 0; i < MIN(count, max); i++) {
		log_error("  %s (rank %u, %p), taken at", rank_name(held[i].rank), held[i].rank,
			  held[i].lock);
		log_held(LOG_ERROR, &held[i]);
	}
}

static void log_task_held(const struct task *task)
{
	if (!task || !task->sleep_held_count)
		return;
	log_error("locks of task %s[%d]:", task->name, task->tid);
	log_all_held(task->sleep_held, task->sleep_held_count, HELD_SLEEPING_MAX);
}

static void log_processor_held(const struct cpu *cpu)
{
	if (cpu->held_count) {
		log_error("spinlocks of processor %u:", cpu->id);
		log_all_held(cpu->held, cpu->held_count, HELD_SPINLOCKS_MAX);
	}
	log_task_held(cpu->current);
}

void lock_check_log_held(void)
{
	log_processor_held(this_cpu());
	log_task_held(other_holder);
	for (uint32_t i = 0; i < cpu_count(); i++)
		if (&cpus[i] != this_cpu())
			log_processor_held(&cpus[i]);
}

/* ---- spinlocks ---- */

/* Interrupts are off now; `flags` says whether they were. */
static void check_handlers(struct spinlock *lock, const struct cpu *cpu, uint64_t flags)
{
	uint16_t use = 0;

	if (cpu->irq_depth)
		use = SPIN_USED_IN_HANDLER;
	else if (flags & EFLAGS_IF)
		use = SPIN_USED_INTERRUPTIBLY;
	if ((lock->uses | use) == (SPIN_USED_IN_HANDLER | SPIN_USED_INTERRUPTIBLY))
		panic("spinlock %s (%p) is taken in interrupt handlers and with interrupts on",
		      rank_name(lock->rank), (void *)lock);
	if ((lock->uses | use) != lock->uses)
		lock->uses |= use;
}

void spin_check_acquire(struct spinlock *lock)
{
	uint64_t flags = irq_save();
	struct cpu *cpu = this_cpu();

	check_order(cpu->held, cpu->held_base, cpu->held_count, lock, lock->rank);
	irq_restore(flags);
}

void spin_check_acquired(struct spinlock *lock)
{
	uint64_t flags = irq_save();
	struct cpu *cpu = this_cpu();

	kassert(cpu->held_count < HELD_SPINLOCKS_MAX);
	check_handlers(lock, cpu, flags);
	record(&cpu->held[cpu->held_count++], lock, lock->rank, __builtin_frame_address(0));
	irq_restore(flags);
}

void spin_check_release(struct spinlock *lock)
{
	uint64_t flags = irq_save(), held_ns;
	struct cpu *cpu = this_cpu();
	uint32_t index = find(cpu->held, cpu->held_count, lock);

	if (index == cpu->held_count)
		panic("spinlock %s (%p) is released by a processor that does not hold it",
		      rank_name(lock->rank), (void *)lock);
	held_ns = time_monotonic_ns() - cpu->held[index].since_ns;
	if (held_ns > spin_limit_ns && !cpu->long_held_ns) {
		cpu->long_held = cpu->held[index];
		cpu->long_held_ns = held_ns;
	}
	forget(cpu->held, &cpu->held_count, index);
	irq_restore(flags);
}

/* True the first time, as long as there is room. */
static bool report_once(uintptr_t place)
{
	for (unsigned i = 0; i < REPORTED_MAX; i++) {
		uintptr_t known = 0;

		if (atomic_compare_exchange_strong(&reported[i], &known, place))
			return true;
		if (known == place)
			return false;
	}
	return false;
}

/* Preemption is off. What the warning takes does not count for the locks that are still held. */
void spin_check_released(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t begin, held_ns, flags;
	struct lock_record long_held;

	if (likely(!cpu->long_held_ns))
		return;
	flags = irq_save();
	begin = time_monotonic_ns();
	long_held = cpu->long_held;
	held_ns = cpu->long_held_ns;
	cpu->long_held_ns = 0;
	if (held_ns && report_once(long_held.chain[0])) {
		log_warning("spinlock %s (rank %u) was held for %lu us, taken at",
			    rank_name(long_held.rank), long_held.rank, held_ns / NS_PER_US);
		log_held(LOG_WARNING, &long_held);
	}
	for (uint32_t i = 0; i < cpu->held_count; i++)
		cpu->held[i].since_ns += time_monotonic_ns() - begin;
	irq_restore(flags);
}

/* ---- sleeping locks ---- */

void might_sleep(void)
{
	if (cpu_read(preempt_count) != 0 || cpu_read(irq_depth) != 0 || !irq_enabled())
		panic("sleeping with %u spinlocks held, preemption count %u, in %u interrupts%s",
		      cpu_read(held_count), cpu_read(preempt_count), cpu_read(irq_depth),
		      irq_enabled() ? "" : ", interrupts off");
}

void sleep_check_acquire(const void *lock, uint16_t rank)
{
	struct task *task = current_task();
	uint32_t index = find_sleeping(task, lock, rank);

	might_sleep();
	if (rank == RANK_FRAME && index != task->sleep_held_count) {
		task->sleep_held[index].more++;
		return;
	}
	check_order(task->sleep_held, 0, task->sleep_held_count, lock, rank);
	kassert(task->sleep_held_count < HELD_SLEEPING_MAX);
	record(&task->sleep_held[task->sleep_held_count], lock, rank, __builtin_frame_address(0));
	task->sleep_held_count++;
}

void might_fault(void)
{
	const struct task *task = current_task();

	if (task->user_faults_disabled)
		return;
	might_sleep();
	for (uint32_t i = 0; i < task->sleep_held_count; i++)
		if (task->sleep_held[i].rank >= RANK_SPACE)
			panic("user memory is touched under %s (rank %u)",
			      rank_name(task->sleep_held[i].rank), task->sleep_held[i].rank);
}

static const struct task *holder_of(const void *lock, uint16_t rank)
{
	if (rank == RANK_FRAME)
		return NULL;
	if (rank == RANK_SPACE)
		return (const struct task *)(atomic_load(&((const struct rw_lock *)lock)->writer) &
					     ~RW_WAITERS);
	return (const struct task *)(atomic_load(&((const struct mutex *)lock)->owner) &
				     ~MUTEX_WAITERS);
}

void sleep_check_release(const void *lock, uint16_t rank)
{
	struct task *task = current_task();
	uint32_t index = find_sleeping(task, lock, rank);

	if (index == task->sleep_held_count) {
		other_holder = holder_of(lock, rank);
		panic("lock %s (%p) is released by a task that does not hold it", rank_name(rank),
		      lock);
	}
	if (task->sleep_held[index].more)
		task->sleep_held[index].more--;
	else
		forget(task->sleep_held, &task->sleep_held_count, index);
}

void lock_check_none_held(void)
{
	const struct task *task = current_task();

	if (cpu_read(preempt_count) != 0 || task->sleep_held_count != 0)
		panic("%s[%d] leaves the kernel with %u sleeping locks held, preemption count %u",
		      task->name, task->tid, task->sleep_held_count, cpu_read(preempt_count));
}
