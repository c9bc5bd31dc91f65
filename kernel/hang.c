/*
 * kernel/hang.c - the hang detector.
 *
 * Every processor counts its timer interrupts, idle ones a few per second. Each looks once a second
 * at the next one's count. If it has not moved in `hang_seconds` looks (kernel command line; 20 if
 * not given), the neighbour is asked by NMI where it is, and that is reported: once, until it moves
 * again. Looks are counted, not time: where the emulator was stopped time has passed, but nobody
 * could tick.
 *
 * Called by sched_tick. Locks: none; a processor has one watcher, and only that writes its record.
 * Tests: tests/debug/test_processors.py.
 */
#include <kernel/base/log.h>
#include <kernel/cmdline.h>
#include <kernel/hang.h>
#include <kernel/nmi.h>
#include <kernel/time.h>

#define HANG_SECONDS 20
#define HANG_LOOK_NS NS_PER_SEC

static struct hang_record {
	uint64_t next_look_ns;
	uint64_t ticks_seen;
	uint64_t looks; /* since it moved */
	bool reported;
} __attribute__((aligned(64))) records[CPU_MAX]; /* by the processor that is watched */

static uint64_t hang_limit_seconds(void)
{
	static _Atomic uint64_t limit;
	uint64_t seconds = atomic_load_explicit(&limit, memory_order_relaxed);
	char value[8];

	if (seconds)
		return seconds;
	if (cmdline_get("hang_seconds", value, sizeof(value)))
		for (const char *digit = value; *digit >= '0' && *digit <= '9'; digit++)
			seconds = seconds * 10 + (uint64_t)(*digit - '0');
	if (!seconds)
		seconds = HANG_SECONDS;
	atomic_store_explicit(&limit, seconds, memory_order_relaxed);
	return seconds;
}

static void report(struct cpu *cpu)
{
	bool answered = nmi_ask(cpu, false);

	log_error("processor %u has taken no timer interrupt for %lu s%s", cpu->id,
		  hang_limit_seconds(),
		  answered ? "; it is here:" : ", and does not answer an NMI");
	if (answered)
		nmi_log_answer(cpu);
}

void hang_watch(uint64_t now_ns)
{
	struct cpu *cpu = &cpus[(this_cpu()->id + 1) % cpu_count()];
	struct hang_record *record = &records[cpu->id];
	uint64_t ticks;

	if (cpu == this_cpu() || now_ns < record->next_look_ns)
		return;
	record->next_look_ns = now_ns + HANG_LOOK_NS;
	ticks = atomic_load_explicit(&cpu->ticks, memory_order_relaxed);
	if (ticks != record->ticks_seen) {
		if (record->reported)
			log_error("processor %u goes on", cpu->id);
		record->reported = false;
		record->ticks_seen = ticks;
		record->looks = 0;
	} else if (++record->looks >= hang_limit_seconds() && !record->reported) {
		record->reported = true;
		report(cpu);
	}
}
