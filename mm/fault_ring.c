/* mm/fault_ring.c - the flight recorder of page faults (mm/fault_ring.h). */
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <kernel/cmdline.h>
#include <kernel/task.h>
#include <mm/fault_ring.h>
#include <mm/heap.h>
#include <string.h>
#include <vsnprintf.h>

struct fault_ring *fault_rings[CPU_MAX];
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

	for (unsigned i = 0; i < CPU_MAX; i++) {
		fault_rings[i] = kzalloc(sizeof(struct fault_ring));
		if (!fault_rings[i])
			panic("no memory for the fault ring");
	}
	trace_to_console = cmdline_get("trace", value, sizeof(value)) && strcmp(value, "faults") == 0;
}

static int event_print(char *buf, size_t size, const struct fault_event *event)
{
	return snprintf(buf, size, "%s[%d] trap 14 error %#x cpu %u rip %#lx address %#lx: %s, frame %#lx",
			event->name, event->tid, event->error_code, event->cpu, event->rip, event->address,
			fault_outcome_name(event->outcome), event->frame);
}

void fault_ring_record(const struct fault *fault, enum fault_outcome outcome, phys_t frame)
{
	struct task *task = current_task();
	struct fault_event *event;
	struct fault_ring *ring;

	preempt_disable();
	ring = fault_rings[this_cpu()->id];
	event = &ring->events[ring->next++ % FAULT_RING_EVENTS];
	*event = (struct fault_event){
		.time_tsc = cpu_tsc(),
		.address = fault->address,
		.rip = fault->rip,
		.frame = frame,
		.pid = task->process->pid,
		.tid = task->tid,
		.error_code = (uint16_t)fault->error_code,
		.outcome = (uint8_t)outcome,
		.cpu = (uint8_t)this_cpu()->id,
	};
	memcpy(event->name, task->name, sizeof(event->name));
	preempt_enable();
	if (unlikely(trace_to_console)) {
		char line[192];

		event_print(line, sizeof(line), event);
		log_warning("fault: %s", line);
	}
}

size_t fault_ring_format(char *buf, size_t size, int pid)
{
	struct fault_ring *ring = fault_rings[0];
	uint64_t next = ring->next;
	size_t length = 0;

	for (uint64_t i = next > FAULT_RING_EVENTS ? next - FAULT_RING_EVENTS : 0; i < next; i++) {
		const struct fault_event *event = &ring->events[i % FAULT_RING_EVENTS];
		char line[192];
		int n;

		if (pid && event->pid != pid)
			continue;
		n = event_print(line, sizeof(line) - 1, event);
		line[n++] = '\n';
		if (length + (size_t)n >= size)
			break;
		memcpy(buf + length, line, (size_t)n);
		length += (size_t)n;
	}
	if (size)
		buf[length] = 0;
	return length;
}

void fault_ring_log_last(unsigned count)
{
	struct fault_ring *ring = fault_rings[0];

	if (!ring)
		return;
	log_error("last faults:");
	for (uint64_t i = ring->next > count ? ring->next - count : 0; i < ring->next; i++) {
		char line[192];

		event_print(line, sizeof(line), &ring->events[i % FAULT_RING_EVENTS]);
		log_error("  %s", line);
	}
}
