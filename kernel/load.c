/*
 * kernel/load.c - load averages: a timer looks at the run queue every five seconds and weighs
 * what it sees exponentially, as Linux does (kernel/load.h).
 */
#include <kernel/load.h>
#include <kernel/sched.h>
#include <kernel/time.h>
#include <kernel/timer.h>

#define LOAD_INTERVAL_NS (5 * NS_PER_SEC)

static struct timer load_timer;
static _Atomic uint32_t averages[LOAD_COUNT];

/* In the timer interrupt. */
static void load_sample(struct timer *timer)
{
	/* LOAD_ONE / exp(5 s / 1 min), 5 min, 15 min */
	static const uint32_t decay[LOAD_COUNT] = {1884, 2014, 2037};
	uint64_t running = sched_runnable_count() * LOAD_ONE;

	for (unsigned i = 0; i < LOAD_COUNT; i++) {
		uint64_t load = atomic_load(&averages[i]);

		load = (load * decay[i] + running * (LOAD_ONE - decay[i])) / LOAD_ONE;
		atomic_store(&averages[i], (uint32_t)load);
	}
	timer_set(timer, time_monotonic_ns() + LOAD_INTERVAL_NS);
}

void load_init(void)
{
	timer_init(&load_timer, load_sample);
	timer_set(&load_timer, time_monotonic_ns() + LOAD_INTERVAL_NS);
}

uint32_t load_average(unsigned which)
{
	return atomic_load(&averages[which]);
}
