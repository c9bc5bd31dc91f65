/*
 * mm/fault_ring.h - the last faults of each processor: a flight recorder.
 *
 * Always on: one fixed-size event per fault. Read through /proc/<pid>/faults, by the panic
 * report and by gdb (fault_rings). With `trace=faults` on the kernel's command line each event is also a
 * line on the console.
 */
#pragma once

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

struct fault_ring {
	uint64_t next; /* events written so far */
	struct fault_event events[FAULT_RING_EVENTS];
};

extern struct fault_ring *fault_rings[]; /* by processor */

/* Allocates the rings; reads `trace=`. After the heap. */
void fault_ring_init(void);
/* Records one fault of the calling task. About 40 instructions. */
void fault_ring_record(const struct fault *fault, enum fault_outcome outcome, phys_t frame);
/* The events of process `pid` (of all for 0) as text lines, oldest first: bytes written, at most size - 1. */
size_t fault_ring_format(char *buf, size_t size, int pid);
/* The last `count` events to the log: for panics, takes no locks. */
void fault_ring_log_last(unsigned count);
/* "copy", "cache hit" ... */
const char *fault_outcome_name(enum fault_outcome outcome);
