/*
 * cow.c - copy-on-write fork: what is private stays private, whoever writes first.
 *
 * Classic lab points 15 to 18 and 33, and the traps: three generations, the sole survivor, both
 * sharers writing at once, threads of the parent writing during fork. Shared memory across fork
 * is in shared_anon.c.
 */
#include "helpers.h"

#include <pthread.h>
#include <sys/sysinfo.h>

#define RW (PROT_READ | PROT_WRITE)

/* A share of the memory that is free, but at most `most`: a large machine need not work longer. */
static size_t part_of_memory(size_t numerator, size_t denominator, size_t most)
{
	struct sysinfo memory;
	size_t bytes;

	expect(sysinfo(&memory) == 0);
	bytes = memory.freeram * memory.mem_unit / denominator * numerator;
	return (bytes < most ? bytes : most) & -PAGE;
}

/* Write one number, different for each page, into every page; or expect to find them. */
static void stamp(char *map, size_t bytes, long base)
{
	for (size_t at = 0; at < bytes; at += PAGE)
		*(long *)(map + at) = base + (long)at;
}

#define expect_stamped(map, bytes, base) expect_stamped_at(HERE, map, bytes, base)
static void expect_stamped_at(struct tap_where where, const char *map, size_t bytes, long base)
{
	for (size_t at = 0; at < bytes; at += PAGE)
		if (*(const long *)(map + at) != base + (long)at)
			tap_fail(where, "page %zu holds %ld, expected %ld", at / PAGE,
				 *(const long *)(map + at), base + (long)at);
}

static void child_and_parent_differ(void)
{
	char *map = map_anon(16 * PAGE, RW, MAP_PRIVATE);
	struct gate parent_wrote;
	pid_t pid;

	gate_make(&parent_wrote);
	fill_pattern(map, 0, 16 * PAGE);
	pid = fork_child();
	if (pid == 0) {
		expect_pattern(map, 0, 16 * PAGE);
		memset(map, 'c', 4 * PAGE);
		gate_pass(&parent_wrote);
		expect_filled(map, 'c', 4 * PAGE);
		expect_pattern(map + 4 * PAGE, 4 * PAGE, 12 * PAGE);
		child_end();
	}
	memset(map + 2 * PAGE, 'p', 6 * PAGE);
	gate_open(&parent_wrote);
	expect_exit(pid, 0);
	expect_pattern(map, 0, 2 * PAGE);
	expect_filled(map + 2 * PAGE, 'p', 6 * PAGE);
	expect_pattern(map + 8 * PAGE, 8 * PAGE, 8 * PAGE);
}

/* With two thirds of memory in use a fork that copied would not fit; nor would a leak, twice. */
static void fork_of_a_large_process(void)
{
	size_t bytes = part_of_memory(2, 3, 320 * MIB);

	for (int round = 0; round < 2; round++) {
		char *map = map_anon(bytes, RW, MAP_PRIVATE);
		pid_t pid;

		stamp(map, bytes, round);
		pid = fork_child();
		if (pid == 0)
			_exit(map[0] == (char)round ? 0 : 1);
		expect_exit(pid, 0);
		expect_stamped(map, bytes, round);
		expect(munmap(map, bytes) == 0);
	}
}

/* Grandchild, child and parent write parts of one large range, all at the same time. */
static void three_processes(void)
{
	size_t bytes = part_of_memory(1, 4, 64 * MIB);

	for (int round = 0; round < 3; round++) {
		char *map = map_anon(bytes, RW, MAP_PRIVATE);
		pid_t child, grandchild;

		stamp(map, bytes, 1);
		child = fork_child();
		if (child == 0) {
			grandchild = fork_child();
			if (grandchild == 0) {
				stamp(map, bytes / 5 * 4 & -PAGE, 3);
				expect_stamped(map, bytes / 5 * 4 & -PAGE, 3);
				child_end();
			}
			stamp(map, bytes / 2 & -PAGE, 2);
			expect_stamped(map, bytes / 2 & -PAGE, 2);
			expect_exit(grandchild, 0);
			expect_stamped(map, bytes / 2 & -PAGE, 2);
			child_end();
		}
		stamp(map, bytes, 4);
		expect_stamped(map, bytes, 4);
		expect_exit(child, 0);
		expect_stamped(map, bytes, 4);
		expect(munmap(map, bytes) == 0);
	}
}

static void read_into_shared_page(void)
{
	char *buffer = map_anon(PAGE, RW, MAP_PRIVATE);
	struct gate data;
	pid_t pid;

	gate_make(&data);
	for (int round = 0; round < 4; round++) {
		strcpy(buffer, "parent's");
		pid = fork_child();
		if (pid == 0) {
			sleep_ms(1);
			expect_equal(read(data.fds[0], buffer, 6), 6);
			expect(memcmp(buffer, "child", 6) == 0);
			child_end();
		}
		expect(write(data.fds[1], "child", 6) == 6);
		expect_exit(pid, 0);
		expect(strcmp(buffer, "parent's") == 0);
	}
}

static void hundred_rounds(void)
{
	char *map = map_anon(64 * PAGE, RW, MAP_PRIVATE);

	stamp(map, 64 * PAGE, 1000);
	for (int round = 0; round < 100; round++) {
		pid_t child = fork_child();

		if (child == 0) {
			pid_t grandchild = fork_child();

			if (grandchild == 0) {
				stamp(map, 64 * PAGE, round);
				child_end();
			}
			stamp(map, 32 * PAGE, -round);
			expect_exit(grandchild, 0);
			expect_stamped(map, 32 * PAGE, -round);
			expect_stamped(map + 32 * PAGE, 32 * PAGE, 1000 + 32 * (long)PAGE);
			child_end();
		}
		expect_exit(child, 0);
	}
	expect_stamped(map, 64 * PAGE, 1000);
}

static void generation(char *map, int depth)
{
	pid_t pid;

	if (depth == 0)
		return;
	pid = fork_child();
	if (pid == 0) {
		expect_filled(map, depth + 1, PAGE); /* the parent's byte */
		expect_pattern(map + PAGE, PAGE, PAGE);
		memset(map, depth, PAGE);
		generation(map, depth - 1);
		expect_filled(map, depth, PAGE);
		child_end();
	}
	expect_exit(pid, 0);
	expect_filled(map, depth + 1, PAGE);
	expect_pattern(map + PAGE, PAGE, PAGE);
}

static void generations(void)
{
	char *map = map_anon(2 * PAGE, RW, MAP_PRIVATE);

	fill_pattern(map, 0, 2 * PAGE);
	memset(map, 7, PAGE);
	generation(map, 6);
}

/* The parent exits first: the child is the only one left and may just write. */
static void sole_survivor(void)
{
	char *map = map_anon(32 * PAGE, RW, MAP_PRIVATE);
	struct gate result;
	pid_t middle;

	gate_make(&result);
	middle = fork_child();
	if (middle == 0) {
		pid_t parent = getpid();

		stamp(map, 32 * PAGE, 5);
		if (fork_child() == 0) {
			while (getppid() == parent)
				sleep_ms(1);
			expect_stamped(map, 32 * PAGE, 5);
			stamp(map, 32 * PAGE, 6);
			expect_stamped(map, 32 * PAGE, 6);
			gate_open(&result);
			child_end();
		}
		child_end();
	}
	expect_exit(middle, 0);
	close(result.fds[1]);
	gate_pass(&result);
	expect_filled(map, 0, 32 * PAGE);
}

static void survivor_does_not_copy(void)
{
	const size_t bytes = 16 * MIB;
	char *map = map_anon(bytes, RW, MAP_PRIVATE);
	size_t before;
	pid_t pid;

	stamp(map, bytes, 1);
	pid = fork_child();
	if (pid == 0)
		child_end();
	expect_exit(pid, 0);
	before = resident_bytes();
	stamp(map, bytes, 2);
	expect(resident_bytes() < before + 4 * MIB);
	expect_stamped(map, bytes, 2);
}

static void both_write_at_once(void)
{
	for (int round = 0; round < 40; round++) {
		char *map = map_anon(64 * PAGE, RW, MAP_PRIVATE);
		struct gate start;
		pid_t pid;

		gate_make(&start);
		stamp(map, 64 * PAGE, 9);
		pid = fork_child();
		if (pid == 0) {
			gate_pass(&start);
			stamp(map, 64 * PAGE, 10);
			expect_stamped(map, 64 * PAGE, 10);
			child_end();
		}
		gate_open(&start);
		stamp(map, 64 * PAGE, 11);
		expect_stamped(map, 64 * PAGE, 11);
		expect_exit(pid, 0);
		expect_stamped(map, 64 * PAGE, 11);
		expect(munmap(map, 64 * PAGE) == 0);
		close(start.fds[0]);
		close(start.fds[1]);
	}
}

static void file_page_is_copied_once_written(void)
{
	char *map;
	pid_t pid;
	int fd;

	scratch_enter();
	fd = file_create("file", 3 * PAGE);
	map = map_file(fd, 3 * PAGE, RW, MAP_PRIVATE, 0);
	map[0] = 'b'; /* page 0: a private copy before the fork; 1: read; 2: untouched */
	peek(map + PAGE);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(map[0], 'b');
		memset(map, 'c', 3 * PAGE);
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(map[0], 'b');
	expect_pattern(map + PAGE, PAGE, 2 * PAGE);
	expect_equal(file_byte("file", 0), pattern(0));
	expect_equal(file_byte("file", (off_t)(2 * PAGE)), pattern(2 * PAGE));
}

/* The pages that threads write while the main thread forks. */
static volatile long *first_page, *second_page;
static volatile bool stop;

/* Count up, always the first page before the second. */
static void *count_up(void *unused)
{
	while (!stop) {
		*first_page = *first_page + 1;
		*second_page = *first_page;
	}
	return unused;
}

/* Neither may ever be seen in the other order, nor going back: that were an old copy. */
static void *watch(void *result)
{
	long second, first, last = 0;

	while (!stop) {
		second = *second_page;
		first = *first_page;
		if (first < second || second < last)
			*(bool *)result = false;
		last = second;
	}
	return result;
}

static void threads_write_during_fork(void)
{
	pthread_t writer, watcher;
	bool in_order = true;

	first_page = (long *)map_anon(PAGE, RW, MAP_PRIVATE);
	second_page = (long *)map_anon(PAGE, RW, MAP_PRIVATE);
	expect(pthread_create(&writer, NULL, count_up, NULL) == 0);
	expect(pthread_create(&watcher, NULL, watch, &in_order) == 0);
	for (int round = 0; round < 60; round++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			long first = *first_page, second = *second_page;

			expect(first == second || first == second + 1);
			sleep_ms(1); /* the parent's thread goes on; the snapshot must not */
			expect(*first_page == first && *second_page == second);
			*first_page = -1;
			*second_page = -2;
			child_end();
		}
		expect_exit(pid, 0);
	}
	stop = true;
	expect(pthread_join(writer, NULL) == 0 && pthread_join(watcher, NULL) == 0);
	expect(in_order);
	expect(*first_page >= 0 && *first_page == *second_page);
}

static const struct tap_case cases[] = {
	{"what parent and child write stays their own (lab 33)", child_and_parent_differ},
	{"fork with two thirds of memory in use, twice (lab 15)", fork_of_a_large_process},
	{"three processes write a quarter of memory at once (lab 16)", three_processes},
	{"read() into a shared page breaks the sharing (lab 17)", read_into_shared_page},
	{"a hundred rounds of children that fork (lab 18)", hundred_rounds},
	{"six generations, each with its own byte", generations},
	{"a child that outlives its parent writes what is left to it", sole_survivor},
	{"the last holder of a page writes without copying", survivor_does_not_copy},
	{"parent and child unshare the same pages at once", both_write_at_once},
	{"private pages of a file across fork (lab 2)", file_page_is_copied_once_written},
	{"threads write while the parent forks: every child is a snapshot",
	 threads_write_during_fork},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
