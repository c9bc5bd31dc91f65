/*
 * stack.c - the stack: it grows on faults, up to its limit, and keeps its distance.
 *
 * Classic lab point 34 (the page below the stack is fatal: here that is the page below the limit,
 * for a Linux stack grows on its own). Overflow on an alternate stack is in fault_signals.c.
 */
#include "helpers.h"

#define RW (PROT_READ | PROT_WRITE)

/* Linux keeps this distance between the stack and what lies below it (stack_guard_gap). */
#define GUARD_GAP (256 * PAGE)

/* Use about `depth` KiB of stack, touching every frame; the answer is `depth`. */
__attribute__((noinline)) static int use_stack(int depth)
{
	volatile char frame[1008];

	frame[0] = 1;
	frame[1007] = 0;
	return depth == 0 ? frame[1007] : use_stack(depth - 1) + frame[0];
}

/* The stack's lowest mapped address. */
static char *stack_bottom(void)
{
	struct map_line line;

	expect(maps_find(&line, &line));
	expect(strcmp(line.path, "[stack]") == 0);
	return (char *)line.begin;
}

static void limit_stack(size_t bytes)
{
	struct rlimit limit;

	expect(getrlimit(RLIMIT_STACK, &limit) == 0);
	limit.rlim_cur = bytes;
	expect(setrlimit(RLIMIT_STACK, &limit) == 0);
}

static void grows(void)
{
	char *before = stack_bottom();

	expect_equal(use_stack(1000), 1000);
	expect(stack_bottom() <= before - 700 * 1024);
	expect_equal(use_stack(5000), 5000);
	expect(stack_bottom() <= before - 4700 * 1024);
}

static void grows_by_reading(void)
{
	char *bottom = stack_bottom();

	expect_equal(peek(bottom - 1), 0);
	expect_equal(peek(bottom - 100 * PAGE), 0);
	poke(bottom - 50 * PAGE, 's');
	expect_equal(peek(bottom - 50 * PAGE), 's');
	expect(stack_bottom() <= bottom - 100 * PAGE);
}

/* The kernel's own accesses make it grow too. */
static void grows_in_system_calls(void)
{
	char *bottom;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	bottom = stack_bottom();
	expect_equal(read(fd, bottom - 40 * PAGE, 4 * PAGE), 4 * PAGE);
	expect_pattern(bottom - 40 * PAGE, 0, 4 * PAGE);
	expect_equal(pwrite(fd, bottom - 60 * PAGE, PAGE, 0), PAGE);
	expect_equal(file_byte("file", 0), 0);
}

static void overflow_is_fatal(void)
{
	pid_t pid;

	limit_stack(8 * MIB);
	pid = fork_child();
	if (pid == 0)
		_exit(use_stack(9 * 1024) & 1);
	expect_killed(pid, SIGSEGV);
	expect_equal(use_stack(7 * 1024), 7 * 1024);
}

static void limit_holds(void)
{
	pid_t pid;

	limit_stack(MIB);
	pid = fork_child();
	if (pid == 0)
		_exit(use_stack(2 * 1024) & 1);
	expect_killed(pid, SIGSEGV);
	expect_equal(use_stack(700), 700);
	limit_stack(3 * MIB); /* raised again, it goes on growing */
	expect_equal(use_stack(2 * 1024), 2 * 1024);
}

static void page_below_the_limit(void)
{
	char *bottom = stack_bottom();

	limit_stack(8 * MIB);
	expect_read_kills(bottom - 9 * MIB, SIGSEGV);
	expect_write_kills(bottom - 9 * MIB, SIGSEGV);
}

static void keeps_its_distance(void)
{
	char *bottom = stack_bottom();
	char *neighbour = bottom - 100 * PAGE - GUARD_GAP;

	limit_stack(8 * MIB);
	expect(map_fixed(neighbour - PAGE, PAGE, RW) == neighbour - PAGE);
	expect_read_kills(bottom - 150 * PAGE, SIGSEGV); /* nearer than the gap */
	expect_write_kills(neighbour, SIGSEGV);		 /* right above the neighbour */
	poke(bottom - 90 * PAGE, 's');			 /* far enough */
	expect_equal(peek(bottom - 90 * PAGE), 's');
	expect(munmap(neighbour - PAGE, PAGE) == 0);
	poke(bottom - 150 * PAGE, 's');
	expect_equal(peek(bottom - 150 * PAGE), 's');
}

static void recursion_stops_at_the_gap(void)
{
	char *bottom = stack_bottom();
	char *neighbour = map_fixed(bottom - 2 * MIB, 16 * PAGE, RW);
	pid_t pid;

	limit_stack(8 * MIB);
	memset(neighbour, 'n', 16 * PAGE);
	pid = fork_child();
	if (pid == 0)
		_exit(use_stack(4 * 1024) & 1); /* would run right through it */
	expect_killed(pid, SIGSEGV);
	expect_filled(neighbour, 'n', 16 * PAGE);
}

static void each_process_its_own(void)
{
	volatile char here[3 * 4096];
	pid_t pid;

	for (size_t i = 0; i < sizeof(here); i++)
		here[i] = 'p';
	pid = fork_child();
	if (pid == 0) {
		expect_equal(use_stack(3000), 3000);
		for (size_t i = 0; i < sizeof(here); i++) {
			expect_equal(here[i], 'p');
			here[i] = 'c';
		}
		child_end();
	}
	expect_equal(use_stack(2000), 2000);
	expect_exit(pid, 0);
	for (size_t i = 0; i < sizeof(here); i++)
		expect_equal(here[i], 'p');
}

static void not_executable(void)
{
	volatile unsigned char code[16] = {0xc3}; /* ret */
	volatile unsigned char *address = code;
	void (*run)(void);
	pid_t pid;

	memcpy(&run, (void *)&address, sizeof(run));
	pid = fork_child();
	if (pid == 0) {
		run();
		_exit(0);
	}
	expect_killed(pid, SIGSEGV);
}

static const struct tap_case cases[] = {
	{"it grows as functions call each other", grows},
	{"it grows by reads and writes below it", grows_by_reading},
	{"it grows when the kernel reads or writes there (lab 21)", grows_in_system_calls},
	{"overflow is fatal, for that process only (lab 34)", overflow_is_fatal},
	{"RLIMIT_STACK holds, and can be raised again", limit_holds},
	{"the page below the limit is fatal (lab 34)", page_below_the_limit},
	{"it does not grow near another mapping", keeps_its_distance},
	{"recursion stops before another mapping", recursion_stops_at_the_gap},
	{"parent and child have their own (lab 33)", each_process_its_own},
	{"it is not executable", not_executable},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
