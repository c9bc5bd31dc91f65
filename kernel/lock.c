/*
 * kernel/lock.c - spinning, sleeping mutexes and readers-writer locks, and the checks of order.
 *
 * kernel/base/lock.h is the interface and tells the rules. A sleeping lock is a small state
 * under a spinlock, and a list of sleepers that are woken to try again.
 */
#include <kernel/base/cross_call.h>
#include <kernel/base/lock.h>
#include <kernel/base/panic.h>
#include <kernel/sched.h>
#include <kernel/task.h>

/* The holder may be waiting for us to answer (mm/tlb.c), and interrupts may be off here. */
static void spin_pause(void)
{
	if (cross_call_pending())
		cross_call_serve();
	cpu_relax();
}

void spin_wait(struct spinlock *lock)
{
	uint32_t unlocked;

	do {
		while (atomic_load_explicit(&lock->locked, memory_order_relaxed))
			spin_pause();
		unlocked = 0;
	} while (!atomic_compare_exchange_weak_explicit(
		&lock->locked, &unlocked, 1, memory_order_acquire, memory_order_relaxed));
}

#ifdef STOS_CHECK
void spin_check_acquire(struct spinlock *lock)
{
	uint64_t flags = irq_save();
	struct cpu *cpu = this_cpu();

	for (uint32_t i = cpu->held_base; i < cpu->held_count; i++) {
		if (cpu->held[i] == lock)
			panic("spinlock of rank %u taken twice", lock->rank);
		if (cpu->held[i]->rank > lock->rank)
			panic("lock order: rank %u taken under %u", lock->rank, cpu->held[i]->rank);
	}
	kassert(lock->rank != RANK_NONE);
	kassert(cpu->held_count < ARRAY_SIZE(cpu->held));
	cpu->held[cpu->held_count++] = lock;
	irq_restore(flags);
}

void spin_check_release(struct spinlock *lock)
{
	uint64_t flags = irq_save();
	struct cpu *cpu = this_cpu();
	uint32_t i = cpu->held_count;

	while (i > 0 && cpu->held[i - 1] != lock)
		i--;
	if (i == 0)
		panic("spinlock of rank %u released by a processor that does not hold it", lock->rank);
	for (; i < cpu->held_count; i++)
		cpu->held[i - 1] = cpu->held[i];
	cpu->held_count--;
	irq_restore(flags);
}

static void sleep_check_acquire(uint16_t rank)
{
	struct task *task = current_task();

	if (this_cpu()->preempt_count != 0 || this_cpu()->irq_depth != 0)
		panic("a sleeping lock of rank %u taken under a spinlock", rank);
	for (uint32_t i = 0; i < task->sleep_rank_count; i++)
		if (task->sleep_ranks[i] > rank)
			panic("lock order: sleeping rank %u taken under %u", rank,
			      task->sleep_ranks[i]);
	kassert(task->sleep_rank_count < ARRAY_SIZE(task->sleep_ranks));
	task->sleep_ranks[task->sleep_rank_count++] = rank;
}

static void sleep_check_release(uint16_t rank)
{
	struct task *task = current_task();
	uint32_t i = task->sleep_rank_count;

	while (i > 0 && task->sleep_ranks[i - 1] != rank)
		i--;
	kassert(i > 0);
	for (; i < task->sleep_rank_count; i++)
		task->sleep_ranks[i - 1] = task->sleep_ranks[i];
	task->sleep_rank_count--;
}
#else
static inline void sleep_check_acquire(uint16_t rank)
{
	(void)rank;
}
static inline void sleep_check_release(uint16_t rank)
{
	(void)rank;
}
#endif

/* The caller holds `guard` and is woken by wake_sleepers; `guard` is held again on return. */
static void sleep_on(struct spinlock *guard, struct list_node *waiters)
{
	struct waiter waiter = {.task = current_task()};

	list_push_back(waiters, &waiter.node);
	waiter.task->wait_mode = WAIT_UNINTERRUPTIBLE;
	atomic_store(&waiter.task->state, TASK_SLEEPING);
	spin_unlock(guard);
	schedule();
	spin_lock(guard);
	list_remove(&waiter.node);
}

static void wake_sleepers(struct list_node *waiters)
{
	struct waiter *waiter;

	list_for_each_entry(waiter, waiters, node)
		task_wake(waiter->task);
}

void mutex_init(struct mutex *mutex, enum lock_rank rank)
{
	spin_init(&mutex->lock, RANK_WAIT_QUEUE);
	mutex->rank = (uint16_t)rank;
	mutex->locked = false;
	mutex->owner = NULL;
	list_init(&mutex->waiters);
}

void mutex_lock(struct mutex *mutex) NO_THREAD_SAFETY_ANALYSIS
{
	sleep_check_acquire(mutex->rank);
	spin_lock(&mutex->lock);
	kassert(!mutex->locked || mutex->owner != current_task());
	while (mutex->locked)
		sleep_on(&mutex->lock, &mutex->waiters);
	mutex->locked = true;
	mutex->owner = current_task();
	spin_unlock(&mutex->lock);
}

bool mutex_trylock(struct mutex *mutex) NO_THREAD_SAFETY_ANALYSIS
{
	bool taken;

	spin_lock(&mutex->lock);
	taken = !mutex->locked;
	if (taken) {
		mutex->locked = true;
		mutex->owner = current_task();
	}
	spin_unlock(&mutex->lock);
	if (taken)
		sleep_check_acquire(mutex->rank);
	return taken;
}

void mutex_unlock(struct mutex *mutex) NO_THREAD_SAFETY_ANALYSIS
{
	spin_lock(&mutex->lock);
	kassert(mutex->locked && mutex->owner == current_task());
	mutex->locked = false;
	mutex->owner = NULL;
	wake_sleepers(&mutex->waiters);
	spin_unlock(&mutex->lock);
	sleep_check_release(mutex->rank);
}

bool mutex_held(const struct mutex *mutex)
{
	return mutex->locked && mutex->owner == current_task();
}

void rw_init(struct rw_lock *rw, enum lock_rank rank)
{
	spin_init(&rw->lock, RANK_WAIT_QUEUE);
	rw->rank = (uint16_t)rank;
	rw->holders = 0;
	rw->writers_waiting = 0;
	rw->writer = NULL;
	list_init(&rw->waiters);
}

void rw_read_lock(struct rw_lock *rw) NO_THREAD_SAFETY_ANALYSIS
{
	sleep_check_acquire(rw->rank);
	spin_lock(&rw->lock);
	while (rw->holders < 0 || rw->writers_waiting > 0)
		sleep_on(&rw->lock, &rw->waiters);
	rw->holders++;
	spin_unlock(&rw->lock);
}

bool rw_read_trylock(struct rw_lock *rw) NO_THREAD_SAFETY_ANALYSIS
{
	bool taken;

	spin_lock(&rw->lock);
	taken = rw->holders >= 0 && rw->writers_waiting == 0;
	if (taken)
		rw->holders++;
	spin_unlock(&rw->lock);
	if (taken)
		sleep_check_acquire(rw->rank);
	return taken;
}

void rw_read_unlock(struct rw_lock *rw) NO_THREAD_SAFETY_ANALYSIS
{
	spin_lock(&rw->lock);
	kassert(rw->holders > 0);
	if (--rw->holders == 0)
		wake_sleepers(&rw->waiters);
	spin_unlock(&rw->lock);
	sleep_check_release(rw->rank);
}

void rw_write_lock(struct rw_lock *rw) NO_THREAD_SAFETY_ANALYSIS
{
	sleep_check_acquire(rw->rank);
	spin_lock(&rw->lock);
	rw->writers_waiting++;
	while (rw->holders != 0)
		sleep_on(&rw->lock, &rw->waiters);
	rw->writers_waiting--;
	rw->holders = -1;
	rw->writer = current_task();
	spin_unlock(&rw->lock);
}

void rw_write_unlock(struct rw_lock *rw) NO_THREAD_SAFETY_ANALYSIS
{
	spin_lock(&rw->lock);
	kassert(rw->holders == -1 && rw->writer == current_task());
	rw->holders = 0;
	rw->writer = NULL;
	wake_sleepers(&rw->waiters);
	spin_unlock(&rw->lock);
	sleep_check_release(rw->rank);
}

bool rw_write_held(const struct rw_lock *rw)
{
	return rw->holders == -1 && rw->writer == current_task();
}
