/*
 * mm/fault_ring.h - the last faults of each processor: a flight recorder.
 *
 * Always on: one fixed-size event per fault. Read through /proc/<pid>/faults, by the panic
 * report and by gdb (fault_rings). With `trace=faults` on the kernel's command line each event is
 * also a line on the console.
 */
#pragma once

#include <kernel/base/cpu.h>
#include <mm/fault.h>

#define FAULT_RING_EVENTS 1024u /* per processor */

struct fault_event {
	uint64_t time_tsc;
	uintptr_t address, rip;
	phys_t frame;
	int32_t pid, tid;
	uint16_t error_code;
	uint8_t outcome; /* enum fault_outcome */
	uint8_t cpu;
	char name[16];
};

/* Written by its processor alone, read by all. */
struct fault_ring {
	_Atomic uint64_t next; /* events written so far */
	struct fault_event events[FAULT_RING_EVENTS];
};

extern struct fault_ring *_Atomic fault_rings[]; /* by processor; NULL before its first fault */

/* Reads `trace=`. After the heap. */
void fault_ring_init(void);
/* Records one fault of the calling task. About 40 instructions. */
void fault_ring_record(const struct fault *fault, enum fault_outcome outcome, phys_t frame);

/* Reads the events that all processors had recorded when it began, oldest first. Takes no locks. */
struct fault_reader {
	uint64_t at[CPU_MAX], end[CPU_MAX];
};
void fault_reader_begin(struct fault_reader *reader);
/* False: that was all. Events that are overwritten meanwhile are left out. */
bool fault_reader_next(struct fault_reader *reader, struct fault_event *event);

#define FAULT_LINE_SIZE 192
/* The event as text, without a newline: its length. */
int fault_event_print(char *buf, size_t size, const struct fault_event *event);
/* The last `count` events to the log: for panics. */
void fault_ring_log_last(unsigned count);
/* "copy", "cache hit" ... */
const char *fault_outcome_name(enum fault_outcome outcome);
