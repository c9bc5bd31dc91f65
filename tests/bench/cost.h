/*
 * cost.h - what the files of the program `cost` share: the clock, and what a row of the table is.
 *
 * cost.c runs the rows; cost_memory.c, cost_file.c and cost_task.c have them.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#define PAGE 4096ul
#define MIB (1ul << 20)
#define RW (PROT_READ | PROT_WRITE)

/*
 * One row: a sample does `units` units of the work and tells the ticks they took. Five are taken,
 * after one that is thrown away: it fills caches and makes the kernel's pools grow.
 */
struct cost_row {
	const char *name; /* as tools/stoslib/bench_rows.py knows it */
	uint64_t (*sample)(const struct cost_row *row);
	unsigned units;
	bool once; /* there is only one moment to take it at */
	unsigned long size; /* what the row is about, if a row like it has another */
	void (*begin)(const struct cost_row *row);
	void (*end)(const struct cost_row *row);
};

struct cost_rows {
	const struct cost_row *first;
	size_t count;
};

extern const struct cost_rows memory_rows, file_rows, task_rows;

/* Ends the run with the failed expression; for calls that the row does not work without. */
#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			cost_failed(__FILE__, __LINE__, #condition, errno);                        \
	} while (0)

_Noreturn void cost_failed(const char *file, int line, const char *expression, int error);

/* --- the clock -------------------------------------------------------------------------------- */

extern uint64_t clock_cost; /* ticks that reading it takes, once for each interval */

/*
 * The time-stamp counter: under `-icount shift=0` it counts executed instructions (QEMU derives it
 * from the virtual clock, one nanosecond for each), it needs no system call, and it is 0 at reset.
 */
static inline uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static inline uint64_t ticks_since(uint64_t begin)
{
	return ticks() - begin - clock_cost;
}

/* --- memory ----------------------------------------------------------------------------------- */

static inline char *map(size_t bytes, int protection, int flags, int fd)
{
	char *memory = mmap(NULL, bytes, protection, flags, fd, 0);

	must(memory != MAP_FAILED);
	return memory;
}

#define map_anon(bytes, flags) map(bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS | (flags), -1)
#define unmap(memory, bytes) must(munmap(memory, bytes) == 0)

/* Ticks to write, or to read, one byte in each of so many pages. */
static inline uint64_t write_pages(char *memory, unsigned pages)
{
	uint64_t begin = ticks();

	for (unsigned i = 0; i < pages; i++)
		*(volatile char *)(memory + i * PAGE) = 1;
	return ticks_since(begin);
}

static inline uint64_t read_pages(const char *memory, unsigned pages)
{
	uint64_t begin = ticks();

	for (unsigned i = 0; i < pages; i++)
		(void)*(const volatile char *)(memory + i * PAGE);
	return ticks_since(begin);
}

/* Waits for the child; it must have ended with status 0. */
void child_wait(pid_t pid);
