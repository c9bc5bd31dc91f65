/*
 * kernel/cross_call.c - calls from one processor to others (kernel/base/cross_call.h).
 *
 * Each processor has one request of its own, enough because its caller does not let go of the
 * processor before it is answered. The caller fills it, sets its bit in each target's `callers`,
 * and interrupts those that had no bit set (whose first caller's interrupt is still on its way
 * otherwise). A target takes all bits at once, runs each caller's function, and takes itself out of
 * that caller's `waiting`.
 *
 * Two processors that call each other with interrupts off would wait for ever, so a waiter serves;
 * so does spin_wait (lock.c), because the lock's holder may be the one that waits for us.
 *
 * Requests run with interrupts off, one at a time. Called by mm/tlb.c. Locks: none.
 */
#include <drivers/lapic.h>
#include <kernel/base/cross_call.h>
#include <kernel/base/panic.h>
#include <kernel/trap.h>

struct call_request {
	void (*fn)(void *arg);
	void *arg;
	_Atomic uint64_t waiting; /* who has yet to answer */
} __attribute__((aligned(64)));

static struct call_request requests[CPU_MAX];

void cross_call_serve(void)
{
	uint64_t flags = irq_save();
	struct cpu *cpu = this_cpu();
	uint64_t callers = atomic_exchange(&cpu->callers, 0);

	while (callers) {
		struct call_request *request = &requests[__builtin_ctzll(callers)];

		callers &= callers - 1;
		request->fn(request->arg);
		atomic_fetch_and_explicit(&request->waiting, ~(1ull << cpu->id),
					  memory_order_release);
	}
	irq_restore(flags);
}

void cross_call(uint64_t mask, void (*fn)(void *arg), void *arg)
{
	struct cpu *cpu = this_cpu();
	struct call_request *request = &requests[cpu->id];
	uint64_t self = 1ull << cpu->id;

	kassert(cpu->preempt_count > 0 && cpu->irq_depth == 0);
	mask &= ~self;
	if (!mask)
		return;
	request->fn = fn;
	request->arg = arg;
	atomic_store(&request->waiting, mask);
	for (uint64_t rest = mask; rest; rest &= rest - 1) {
		struct cpu *target = &cpus[__builtin_ctzll(rest)];

		if (atomic_fetch_or(&target->callers, self) == 0)
			lapic_send(target->apic_id, TRAP_CROSS_CALL);
	}
	while (atomic_load_explicit(&request->waiting, memory_order_acquire)) {
		if (cross_call_pending())
			cross_call_serve();
		cpu_relax();
	}
}

void processor_kick(struct cpu *cpu)
{
	lapic_send(cpu->apic_id, TRAP_KICK);
}
