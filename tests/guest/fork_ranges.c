/*
 * fork_ranges.c - after fork, one process changes a range that begins and ends in the middle of
 * what a page table maps and covers whole tables in between: the others' memory stays as it was.
 */
#include "helpers.h"

#define RW (PROT_READ | PROT_WRITE)
#define TABLE (2 * MIB) /* what one page table maps */
#define TABLES 4
#define BYTES (TABLES * TABLE)
#define STEP (TABLE / 16)      /* between the words that tell */
#define BEGIN (TABLE / 2)      /* of the range that changes */
#define END (3 * TABLE + STEP) /* not the last table's end */

static char *map;

/* Memory that begins where a table does; word n of it holds `base` + n. */
static void make(void)
{
	char *room = free_range(BYTES + TABLE);

	map = (char *)(((uintptr_t)room + TABLE - 1) / TABLE * TABLE);
	map_fixed(map, BYTES, RW);
	madvise(map, BYTES, MADV_NOHUGEPAGE);
}

static void fill(size_t from, size_t to, int base)
{
	for (size_t at = from; at < to; at += STEP)
		*(volatile int *)(map + at) = base + (int)(at / STEP);
}

static void expect_words(const char *memory, size_t from, size_t to, int base)
{
	for (size_t at = from; at < to; at += STEP)
		expect_equal(*(const volatile int *)(memory + at), base + (int)(at / STEP));
}

static void expect_zeros(size_t from, size_t to)
{
	for (size_t at = from; at < to; at += STEP)
		expect_equal(*(const volatile int *)(map + at), 0);
}

/* --- changes of [BEGIN, END), each with a look at what is there then -------------------------- */

static void unmap(void)
{
	expect(munmap(map + BEGIN, END - BEGIN) == 0);
	map_fixed(map + BEGIN, END - BEGIN, RW);
	expect_zeros(BEGIN, END);
}

static void drop(void)
{
	expect(madvise(map + BEGIN, END - BEGIN, MADV_DONTNEED) == 0);
	expect_zeros(BEGIN, END);
	fill(BEGIN, END, 5000);
	expect_words(map, BEGIN, END, 5000);
}

static void protect(void)
{
	expect(mprotect(map + BEGIN, END - BEGIN, PROT_READ) == 0);
	expect_words(map, BEGIN, END, 0);
	expect(mprotect(map + BEGIN, END - BEGIN, PROT_NONE) == 0);
	expect(mprotect(map + BEGIN, END - BEGIN, RW) == 0);
	expect_words(map, BEGIN, END, 0);
	fill(BEGIN, END, 6000);
}

static void replace(void)
{
	map_fixed(map + BEGIN, END - BEGIN, RW);
	expect_zeros(BEGIN, END);
	fill(BEGIN, END, 7000);
}

/* Not by whole tables: every page comes to another place in its table. */
static void move(void)
{
	char *to = free_range(END - BEGIN + TABLE);

	to = (char *)((uintptr_t)to / TABLE * TABLE + TABLE) + PAGE;
	expect(mremap(map + BEGIN, END - BEGIN, END - BEGIN, MREMAP_MAYMOVE | MREMAP_FIXED, to) ==
	       to);
	expect_words(to - BEGIN, BEGIN, END, 0);
	expect(mremap(to, END - BEGIN, END - BEGIN, MREMAP_MAYMOVE | MREMAP_FIXED, map + BEGIN) ==
	       map + BEGIN);
	fill(BEGIN, END, 8000);
}

static void store(void)
{
	fill(BEGIN, END, 9000);
	expect_words(map, BEGIN, END, 9000);
}

static void lock(void)
{
	expect(mlock(map + BEGIN, END - BEGIN) == 0);
	expect_words(map, BEGIN, END, 0);
	fill(BEGIN, END, 10000);
	expect(munlock(map + BEGIN, END - BEGIN) == 0);
}

static void (*const changes[])(void) = {unmap, drop, protect, replace, move, store, lock};

/* The ends, which nobody changes, are as they were in every process. */
static void expect_ends(void)
{
	expect_words(map, 0, BEGIN, 0);
	expect_words(map, END, BYTES, 0);
}

static void child_changes(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
		pid_t pid;

		make();
		fill(0, BYTES, 0);
		pid = fork_child();
		if (pid == 0) {
			changes[i]();
			expect_ends();
			child_end();
		}
		expect_exit(pid, 0);
		expect_words(map, 0, BYTES, 0);
		fill(0, BYTES, 300);
		expect_words(map, 0, BYTES, 300);
		expect(munmap(map, BYTES) == 0);
	}
}

static void parent_changes(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
		struct gate changed;
		pid_t pid;

		make();
		fill(0, BYTES, 0);
		gate_make(&changed);
		pid = fork_child();
		if (pid == 0) {
			gate_pass(&changed);
			expect_words(map, 0, BYTES, 0);
			fill(0, BYTES, 400);
			expect_words(map, 0, BYTES, 400);
			child_end();
		}
		changes[i]();
		expect_ends();
		gate_open(&changed);
		expect_exit(pid, 0);
		expect_ends();
		expect(munmap(map, BYTES) == 0);
	}
}

/* Child, grandchild and their parent change the same range, each in its own way, while all live. */
static void generations_change(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
		pid_t child, grandchild;

		make();
		fill(0, BYTES, 0);
		child = fork_child();
		if (child == 0) {
			grandchild = fork_child();
			changes[(i + (grandchild == 0)) % ARRAY_LENGTH(changes)]();
			expect_ends();
			if (grandchild != 0)
				expect_exit(grandchild, 0);
			child_end();
		}
		changes[(i + 2) % ARRAY_LENGTH(changes)]();
		expect_ends();
		expect_exit(child, 0);
		expect(munmap(map, BYTES) == 0);
	}
}

/* Who is left alone with it changes it as if there had been no fork. */
static void survivor_changes(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
		pid_t pid;

		make();
		fill(0, BYTES, 0);
		pid = fork_child();
		if (pid == 0)
			_exit(0);
		expect_exit(pid, 0);
		changes[i]();
		expect_ends();
		expect(munmap(map, BYTES) == 0);
	}
}

static const struct tap_case cases[] = {
	{"the child changes a range, the parent's stays", child_changes},
	{"the parent changes a range, the child's stays", parent_changes},
	{"three generations change the same range", generations_change},
	{"the survivor changes a range", survivor_changes},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
