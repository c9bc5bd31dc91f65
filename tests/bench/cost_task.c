/* cost_task.c - rows of the program `cost` about processes, and copy-on-write: see cost.h. */
#define _GNU_SOURCE
#include "cost.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 1024u
#define RESIDENT (256 * MIB)

static uint64_t getppid_call(const struct cost_row *row)
{
	uint64_t begin = ticks();

	for (unsigned i = 0; i < row->units; i++)
		(void)syscall(SYS_getppid);
	return ticks_since(begin);
}

/* --- making and ending processes -------------------------------------------------------------- */

static uint64_t fork_exit_wait(const struct cost_row *row)
{
	uint64_t begin = ticks();

	for (unsigned i = 0; i < row->units; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		child_wait(pid);
	}
	return ticks_since(begin);
}

static uint64_t vfork_exit(const struct cost_row *row)
{
	uint64_t begin = ticks();

	for (unsigned i = 0; i < row->units; i++) {
		pid_t pid = vfork();

		if (pid == 0)
			_exit(0);
		child_wait(pid);
	}
	return ticks_since(begin);
}

static uint64_t fork_exec_wait(const struct cost_row *row)
{
	uint64_t begin = ticks();

	for (unsigned i = 0; i < row->units; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			execl("/proc/self/exe", "cost", "exit", (char *)NULL);
			_exit(1);
		}
		child_wait(pid);
	}
	return ticks_since(begin);
}

/* --- what one process tells another ----------------------------------------------------------- */

static volatile uint64_t *told; /* by a child, in shared memory */

static void told_make(void)
{
	told = (volatile uint64_t *)map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	*told = 0;
}

static void told_unmake(void)
{
	unmap((void *)told, PAGE);
}

/* --- with much memory resident ---------------------------------------------------------------- */

static char *resident;

static void resident_make(const struct cost_row *row)
{
	(void)row;
	resident = map_anon(RESIDENT, 0);
	(void)write_pages(resident, RESIDENT / PAGE);
}

static void resident_unmake(const struct cost_row *row)
{
	(void)row;
	unmap(resident, RESIDENT);
}

/*
 * fork() alone, without what the child does: until either of the two is back in user mode. A
 * child that runs first tells when it began.
 */
static uint64_t fork_alone(const struct cost_row *row)
{
	uint64_t begin, now;
	pid_t pid;

	(void)row;
	told_make();
	begin = ticks();
	pid = fork();
	now = ticks();
	if (pid == 0) {
		*told = now;
		_exit(0);
	}
	child_wait(pid);
	now = *told < now ? *told : now;
	told_unmake();
	return now - begin - clock_cost;
}

/* The first write of a child among much memory: what a fork that shares tables put off. */
static uint64_t fork_first_write(const struct cost_row *row)
{
	uint64_t taken;
	pid_t pid;

	told_make();
	pid = fork();
	if (pid == 0) {
		*told = write_pages(resident + RESIDENT / 2, row->units);
		_exit(0);
	}
	child_wait(pid);
	taken = *told;
	told_unmake();
	return taken;
}

/* --- copy-on-write ---------------------------------------------------------------------------- */

static uint64_t cow(unsigned pages, bool child)
{
	char *memory = map_anon(PAGES * PAGE, 0);
	uint64_t taken;
	pid_t pid;

	(void)write_pages(memory, PAGES);
	told_make();
	pid = fork();
	if (pid == 0) {
		*told = child ? write_pages(memory, pages) : 0;
		_exit(0);
	}
	child_wait(pid);
	taken = child ? *told : write_pages(memory, pages);
	told_unmake();
	unmap(memory, PAGES * PAGE);
	return taken;
}

/* The parent keeps its pages: each write copies one. */
static uint64_t cow_child(const struct cost_row *row)
{
	return cow(row->units, true);
}

/* The child is gone: each write finds its page with one owner left. */
static uint64_t cow_sole_owner(const struct cost_row *row)
{
	return cow(row->units, false);
}

/* --- pipes ------------------------------------------------------------------------------------ */

static void pass_byte(int from, int to)
{
	char byte = 'x';

	if (from >= 0)
		must(read(from, &byte, 1) == 1);
	must(write(to, &byte, 1) == 1);
}

/* A byte to another process and back, each of them waiting for the other. */
static uint64_t pipe_round_trip(const struct cost_row *row)
{
	int there[2], back[2];
	uint64_t begin, taken;
	pid_t pid;

	must(pipe(there) == 0 && pipe(back) == 0);
	pid = fork();
	if (pid == 0) {
		for (unsigned i = 0; i < row->units + 1; i++)
			pass_byte(there[0], back[1]);
		_exit(0);
	}
	pass_byte(-1, there[1]); /* the child is there, and waits, when this byte is back */
	begin = ticks();
	for (unsigned i = 0; i < row->units; i++)
		pass_byte(back[0], there[1]);
	taken = ticks_since(begin);
	child_wait(pid);
	for (int i = 0; i < 2; i++)
		must(close(there[i]) == 0 && close(back[i]) == 0);
	return taken;
}

#define RESIDENT_ROW(row, function)                                                                \
	{                                                                                          \
		.name = row, .sample = function, .units = 1, .begin = resident_make,               \
		.end = resident_unmake                                                             \
	}

/* clang-format off */
static const struct cost_row table[] = {
	{.name = "getppid", .sample = getppid_call, .units = 1000},
	{.name = "cow_child", .sample = cow_child, .units = PAGES},
	{.name = "cow_sole_owner", .sample = cow_sole_owner, .units = PAGES},
	{.name = "fork_exit_wait", .sample = fork_exit_wait, .units = 50},
	{.name = "vfork_exit", .sample = vfork_exit, .units = 100},
	{.name = "fork_exec_wait", .sample = fork_exec_wait, .units = 20},
	{.name = "pipe_round_trip", .sample = pipe_round_trip, .units = 500},
	RESIDENT_ROW("fork_exit_wait_256m", fork_exit_wait),
	RESIDENT_ROW("fork_256m", fork_alone),
	RESIDENT_ROW("fork_first_write_256m", fork_first_write),
};
/* clang-format on */

const struct cost_rows task_rows = {table, sizeof(table) / sizeof(*table)};
