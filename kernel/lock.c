/*
 * kernel/lock.c - waiting for a spinlock.
 *
 * Not here: sleeping locks (mutex.c, rw_lock.c), the checks of order (lock_check.c).
 */
#include <kernel/base/cross_call.h>
#include <kernel/base/lock.h>

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
