/*
 * brk.c - the program break: grow, shrink, meet a neighbour.
 *
 * The bare system call throughout: it returns the new break, or the old one when it refuses.
 * Classic lab points 19 and 21 (lazy.c has the gigabyte).
 */
#include "helpers.h"

#define RW (PROT_READ | PROT_WRITE)

static char *break_set(void *to)
{
	return (char *)syscall(SYS_brk, to);
}

/* Move the break up to a page boundary, where the cases begin; the heap below is libc's. */
static char *break_start(void)
{
	char *now = break_set(NULL);
	char *aligned = (char *)(((uintptr_t)now + PAGE - 1) & -PAGE);

	expect(break_set(aligned) == aligned);
	return aligned;
}

static void grow(void)
{
	char *start = break_start(), *end = start + 100 * PAGE;

	expect(break_set(NULL) == start);
	expect_read_kills(start, SIGSEGV);
	expect(break_set(end) == end && break_set(NULL) == end);
	expect_filled(start, 0, 100 * PAGE);
	fill_pattern(start, 0, 100 * PAGE);
	expect_pattern(start, 0, 100 * PAGE);
	expect_read_kills(end, SIGSEGV);
	expect(break_set(end + 10 * PAGE) == end + 10 * PAGE);
	expect_pattern(start, 0, 100 * PAGE);
	expect_filled(end, 0, 10 * PAGE);
}

static void shrink_and_grow(void)
{
	char *start = break_start();

	for (int round = 0; round < 10; round++) {
		expect(break_set(start + 20 * PAGE) == start + 20 * PAGE);
		expect_filled(start + 5 * PAGE, 0, 15 * PAGE);
		memset(start, 'b', 20 * PAGE);
		expect(break_set(start + 5 * PAGE) == start + 5 * PAGE);
		expect_filled(start, 'b', 5 * PAGE);
		expect_write_kills(start + 5 * PAGE, SIGSEGV);
	}
	expect(break_set(start) == start);
}

static void parts_of_pages(void)
{
	char *start = break_start();

	expect(break_set(start + 1) == start + 1); /* a byte gives its whole page */
	start[PAGE - 1] = 'e';
	expect_read_kills(start + PAGE, SIGSEGV);
	expect(break_set(start + 3 * PAGE + 7) == start + 3 * PAGE + 7);
	memset(start, 'p', 4 * PAGE);
	expect(break_set(start + PAGE + 1) == start + PAGE + 1);
	expect_filled(start, 'p', PAGE + 1);
	expect_read_kills(start + 2 * PAGE, SIGSEGV);
	expect(break_set(start + PAGE) == start + PAGE);
	expect_read_kills(start + PAGE, SIGSEGV);
	expect_filled(start, 'p', PAGE);
}

static void below_the_start(void)
{
	static char in_bss;
	char *now = break_set(NULL);

	in_bss = 'x';
	expect(break_set((void *)1) == now);
	expect(break_set((void *)PAGE) == now);
	expect(break_set(&in_bss - ((uintptr_t)&in_bss & (PAGE - 1)) - PAGE) == now);
	expect_equal(peek(&in_bss), 'x');
	expect(break_set(NULL) == now);
}

static void absurd_values(void)
{
	char *now = break_start();

	now = break_set(now + PAGE);
	now[-1] = 'x';
	expect(break_set((void *)UINT64_MAX) == now);
	expect(break_set((void *)-PAGE) == now);
	expect(break_set((void *)UINT64_C(0x7fffffffffff)) == now);
	expect(break_set((void *)UINT64_C(0x800000000000)) == now);
	expect(break_set((void *)UINT64_C(0xffff800000000000)) == now);
	expect_equal(now[-1], 'x');
}

static void against_a_neighbour(void)
{
	char *start = break_start(), *wall = start + 50 * PAGE;

	expect(map_fixed(wall, PAGE, RW) == wall);
	wall[0] = 'w';
	expect(break_set(start + 10 * PAGE) == start + 10 * PAGE);
	expect(break_set(wall + 1) == start + 10 * PAGE);	  /* onto it: refused */
	expect(break_set(wall + 10 * PAGE) == start + 10 * PAGE); /* over it: refused */
	expect_equal(wall[0], 'w');
	expect(break_set(start + 40 * PAGE) == start + 40 * PAGE);
	memset(start, 'h', 40 * PAGE);
	expect(munmap(wall, PAGE) == 0);
	expect(break_set(start + 60 * PAGE) == start + 60 * PAGE);
	expect_filled(start, 'h', 40 * PAGE);
	expect_filled(start + 40 * PAGE, 0, 20 * PAGE);
}

/* The heap is zones like any other: it can be unmapped and protected, and still shrinks. */
static void holes_in_the_heap(void)
{
	char *start = break_start();

	expect(break_set(start + 10 * PAGE) == start + 10 * PAGE);
	memset(start, 'h', 10 * PAGE);
	expect(munmap(start + 3 * PAGE, 2 * PAGE) == 0);
	expect(mprotect(start + 7 * PAGE, PAGE, PROT_READ) == 0);
	expect_read_kills(start + 4 * PAGE, SIGSEGV);
	expect_write_kills(start + 7 * PAGE, SIGSEGV);
	expect(break_set(start + 12 * PAGE) == start + 12 * PAGE);
	expect_filled(start + 8 * PAGE, 'h', 2 * PAGE);
	expect(break_set(start) == start);
	expect_read_kills(start, SIGSEGV);
}

static void across_fork(void)
{
	char *start = break_start();
	pid_t pid;

	expect(break_set(start + 4 * PAGE) == start + 4 * PAGE);
	fill_pattern(start, 0, 4 * PAGE);
	pid = fork_child();
	if (pid == 0) {
		expect(break_set(NULL) == start + 4 * PAGE);
		expect(break_set(start + 8 * PAGE) == start + 8 * PAGE);
		memset(start, 'c', 8 * PAGE);
		expect(break_set(start) == start);
		child_end();
	}
	expect_exit(pid, 0);
	expect(break_set(NULL) == start + 4 * PAGE);
	expect_pattern(start, 0, 4 * PAGE);
	expect_read_kills(start + 4 * PAGE, SIGSEGV);
}

static void seen_in_maps(void)
{
	char *start = break_start();
	struct map_line line;

	expect(break_set(start + 4 * PAGE) == start + 4 * PAGE);
	expect(maps_find(start + PAGE, &line));
	expect(strcmp(line.path, "[heap]") == 0 && strcmp(line.rights, "rw-p") == 0);
	expect_equal(line.end, start + 4 * PAGE);
}

static void malloc_works(void)
{
	char *blocks[200];

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
			blocks[i] = malloc(i * i + 1);
			expect(blocks[i] != NULL);
			memset(blocks[i], (int)i, i * i + 1);
		}
		for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
			expect_filled(blocks[i], (int)i, i * i + 1);
			free(blocks[i]);
		}
	}
}

static const struct tap_case cases[] = {
	{"what is added is zero and stays", grow},
	{"shrink and grow: the pages are new (lab 19)", shrink_and_grow},
	{"parts of pages (lab 21)", parts_of_pages},
	{"below the start is refused (lab 21)", below_the_start},
	{"absurd values are refused (lab 34)", absurd_values},
	{"a neighbour stops it", against_a_neighbour},
	{"holes and other rights inside the heap", holes_in_the_heap},
	{"each process has its own break", across_fork},
	{"/proc/self/maps calls it [heap]", seen_in_maps},
	{"malloc on top of it", malloc_works},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
