/*
 * kernel/base/cross_call.h - making other processors do something, and waiting until they have.
 */
#pragma once

#include <kernel/base/cpu.h>

/*
 * Runs fn(arg) once on every processor in `mask` (bit n: cpus[n]; the caller's own is ignored) and
 * returns when all have returned. They run it in an interrupt, or while they spin for a spinlock:
 * fn takes no lock. Preemption is off; any spinlock that is not also taken by interrupt handlers
 * may be held. Whoever waits here answers others' calls meanwhile.
 */
void cross_call(uint64_t mask, void (*fn)(void *arg), void *arg);

/* Runs what others want from this processor. Preemption is off. */
void cross_call_serve(void);

/* Somebody waits for this processor. Preemption is off. */
static inline bool cross_call_pending(void)
{
	return unlikely(atomic_load_explicit(&this_cpu()->callers, memory_order_relaxed) != 0);
}

/* Makes a processor look at need_resched and at signals soon. Any context. */
void processor_kick(struct cpu *cpu);
