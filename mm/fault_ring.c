/*
 * mm/fault_ring.c - the flight recorder of page faults (mm/fault_ring.h).
 *
 * A processor writes to its own ring with preemption off, first the event, then its number. A
 * reader copies an event and looks at the number again: what may have been overwritten meanwhile
 * does not count. The rings are read as one by the events' times; the processors' time stamp
 * counters agree.
 */
#include <kernel/base/log.h>
#include <kernel/cmdline.h>
#include <kernel/task.h>
#include <mm/fault_ring.h>
#include <mm/heap.h>
#include <string.h>
#include <vsnprintf.h>

struct fault_ring *_Atomic fault_rings[CPU_MAX];
static bool trace_to_console;

static const char *const outcome_names[] = {
	[OUTCOME_FASTER] = "faster",
	[OUTCOME_ZERO_FRAME] = "zero frame",
	[OUTCOME_FRESH] = "fresh",
	[OUTCOME_CACHE_HIT] = "cache hit",
	[OUTCOME_LOAD] = "load",
	[OUTCOME_COPY] = "copy",
	[OUTCOME_REUSE] = "reuse",
	[OUTCOME_TABLE_COPIED] = "table copied",
	[OUTCOME_WRITE_NOTIFIED] = "write notified",
	[OUTCOME_STACK_GROWN] = "stack grown",
	[OUTCOME_DEVICE] = "device",
	[OUTCOME_SIGSEGV] = "SIGSEGV",
	[OUTCOME_SIGBUS] = "SIGBUS",
	[OUTCOME_NO_MEMORY] = "out of memory",
};

const char *fault_outcome_name(enum fault_outcome outcome)
{
	return outcome_names[outcome];
}

void fault_ring_init(void)
{
	char value[16];

	trace_to_console =
		cmdline_get("trace", value, sizeof(value)) && strcmp(value, "faults") == 0;
}

int fault_event_print(char *buf, size_t size, const struct fault_event *event)
{
	char thread[16] = "";

	if (event->tid != event->pid)
		snprintf(thread, sizeof(thread), "/%d", event->tid);
	return snprintf(buf, size,
			"%s[%d%s] trap 14 error %#x cpu %u rip %#lx address %#lx: %s, frame %#lx",
			event->name, event->pid, thread, event->error_code, event->cpu, event->rip,
			event->address, fault_outcome_name(event->outcome), event->frame);
}

/* This processor's, made by its first fault; NULL without memory. Preemption is off. */
static struct fault_ring *ring_here(void)
{
	struct fault_ring *ring = atomic_load(&fault_rings[this_cpu()->id]);

	if (unlikely(!ring)) {
		ring = kzalloc(sizeof(*ring));
		atomic_store(&fault_rings[this_cpu()->id], ring);
	}
	return ring;
}

static inline void event_fill(struct fault_event *event, const struct fault *fault,
			      enum fault_outcome outcome, phys_t frame)
{
	const struct task *task = current_task();

	event->time_tsc = cpu_tsc();
	event->address = fault->address;
	event->rip = fault->rip;
	event->frame = frame;
	event->pid = task->process->pid;
	event->tid = task->tid;
	event->error_code = (uint16_t)fault->error_code;
	event->outcome = (uint8_t)outcome;
	event->cpu = (uint8_t)cpu_read(id);
	memcpy(event->name, task->name, sizeof(event->name));
}

static __attribute__((noinline)) void trace(const struct fault *fault, enum fault_outcome outcome,
					    phys_t frame)
{
	struct fault_event event;
	char line[FAULT_LINE_SIZE];

	event_fill(&event, fault, outcome, frame);
	fault_event_print(line, sizeof(line), &event);
	log_warning("fault: %s", line);
}

void fault_ring_record(const struct fault *fault, enum fault_outcome outcome, phys_t frame)
{
	struct fault_ring *ring;
	uint64_t at;

	preempt_disable();
	ring = ring_here();
	if (likely(ring)) {
		at = atomic_load_explicit(&ring->next, memory_order_relaxed);
		event_fill(&ring->events[at % FAULT_RING_EVENTS], fault, outcome, frame);
		atomic_store_explicit(&ring->next, at + 1, memory_order_release);
	}
	preempt_enable();
	if (unlikely(trace_to_console))
		trace(fault, outcome, frame);
}

/* ---- reading ---- */

void fault_reader_begin(struct fault_reader *reader)
{
	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
		struct fault_ring *ring = atomic_load(&fault_rings[cpu]);
		uint64_t end = ring ? atomic_load(&ring->next) : 0;

		reader->end[cpu] = end;
		reader->at[cpu] = end > FAULT_RING_EVENTS ? end - FAULT_RING_EVENTS : 0;
	}
}

/* False: its processor may have begun to write another event over it. */
static bool event_copy(const struct fault_ring *ring, uint64_t at, struct fault_event *event)
{
	*event = ring->events[at % FAULT_RING_EVENTS];
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&((struct fault_ring *)ring)->next, memory_order_relaxed) - at <
	       FAULT_RING_EVENTS;
}

/* The processor's next event; it stays the next. */
static bool reader_peek(struct fault_reader *reader, unsigned cpu, struct fault_event *event)
{
	for (; reader->at[cpu] < reader->end[cpu]; reader->at[cpu]++)
		if (event_copy(atomic_load(&fault_rings[cpu]), reader->at[cpu], event))
			return true;
	return false;
}

bool fault_reader_next(struct fault_reader *reader, struct fault_event *event)
{
	struct fault_event candidate;
	unsigned oldest = CPU_MAX;

	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
		if (!reader_peek(reader, cpu, &candidate) ||
		    (oldest != CPU_MAX && candidate.time_tsc >= event->time_tsc))
			continue;
		*event = candidate;
		oldest = cpu;
	}
	if (oldest == CPU_MAX)
		return false;
	reader->at[oldest]++;
	return true;
}

static uint64_t reader_left(const struct fault_reader *reader)
{
	uint64_t left = 0;

	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++)
		left += reader->end[cpu] - reader->at[cpu];
	return left;
}

void fault_ring_log_last(unsigned count)
{
	struct fault_reader reader;
	struct fault_event event;

	fault_reader_begin(&reader);
	log_error("last faults:");
	while (fault_reader_next(&reader, &event)) {
		char line[FAULT_LINE_SIZE];

		if (reader_left(&reader) >= count)
			continue;
		fault_event_print(line, sizeof(line), &event);
		log_error("  %s", line);
	}
}
