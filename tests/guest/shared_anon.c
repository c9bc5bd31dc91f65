/*
 * shared_anon.c - shared anonymous memory: one set of pages for all who inherit it.
 *
 * Classic lab point 31, and the trap that fork must leave shared mappings shared and writable.
 */
#include "helpers.h"

#include <pthread.h>

#define RW (PROT_READ | PROT_WRITE)

static void first_touch_after_fork(void)
{
	char *map = map_anon(4 * PAGE, RW, MAP_SHARED);
	pid_t pid = fork_child();

	if (pid == 0) {
		memset(map + PAGE, 'c', PAGE);
		child_end();
	}
	expect_exit(pid, 0);
	expect_filled(map, 0, PAGE);
	expect_filled(map + PAGE, 'c', PAGE);
}

static void touched_before_fork(void)
{
	char *map = map_anon(2 * PAGE, RW, MAP_SHARED);
	struct gate parent_wrote;
	pid_t pid;

	gate_make(&parent_wrote);
	map[0] = 'a';
	peek(map + PAGE); /* read only, maybe mapped read-only */
	pid = fork_child();
	if (pid == 0) {
		expect_equal(map[0], 'a');
		map[0] = 'b';
		gate_pass(&parent_wrote);
		expect_equal(map[PAGE], 'p');
		child_end();
	}
	map[PAGE] = 'p';
	gate_open(&parent_wrote);
	expect_exit(pid, 0);
	expect_equal(map[0], 'b');
}

static void three_processes(void)
{
	char *map = map_anon(3 * PAGE, RW, MAP_SHARED);
	struct gate steps[3];
	pid_t children[2];

	for (int i = 0; i < 3; i++)
		gate_make(&steps[i]);
	for (int i = 0; i < 2; i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			gate_pass(&steps[i]);
			for (int page = 0; page < 3; page++)
				expect_equal(map[page * (int)PAGE], '0' + i);
			for (int page = 0; page < 3; page++)
				map[page * (int)PAGE]++;
			gate_open(&steps[i + 1]);
			child_end();
		}
	}
	for (int page = 0; page < 3; page++)
		map[page * (int)PAGE] = '0'; /* first touched by the parent, after both forks */
	gate_open(&steps[0]);
	gate_pass(&steps[2]);
	for (int page = 0; page < 3; page++)
		expect_equal(map[page * (int)PAGE], '2');
	expect_exit(children[0], 0);
	expect_exit(children[1], 0);
}

static void grandchildren(void)
{
	long *map = (long *)map_anon(PAGE, RW, MAP_SHARED);
	pid_t pid = fork_child();

	if (pid == 0) {
		pid = fork_child();
		if (pid == 0) {
			map[1] = getppid();
			child_end();
		}
		expect_exit(pid, 0);
		expect_equal(map[1], getpid());
		map[0] = pid;
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(map[1], pid);
	expect(map[0] > 0);
}

static void outlives_its_maker(void)
{
	char *map = map_anon(PAGE, RW, MAP_SHARED);
	struct gate unmapped;
	pid_t pid;

	gate_make(&unmapped);
	map[0] = 'm';
	pid = fork_child();
	if (pid == 0) {
		gate_pass(&unmapped);
		expect_equal(map[0], 'm');
		map[0] = 'n';
		expect_equal(map[0], 'n');
		child_end();
	}
	expect(munmap(map, PAGE) == 0);
	gate_open(&unmapped);
	expect_exit(pid, 0);
}

static void each_is_its_own(void)
{
	char *first = map_anon(PAGE, RW, MAP_SHARED);
	char *second = map_anon(PAGE, RW, MAP_SHARED);
	char *private = map_anon(PAGE, RW, MAP_PRIVATE);
	pid_t pid;

	first[0] = '1';
	expect_equal(second[0], 0);
	pid = fork_child();
	if (pid == 0) {
		first[0] = second[0] = private[0] = 'c';
		child_end();
	}
	expect_exit(pid, 0);
	expect(first[0] == 'c' && second[0] == 'c' && private[0] == 0);
}

static void parts_keep_their_place(void)
{
	char *map = map_anon(6 * PAGE, RW, MAP_SHARED);
	pid_t pid;

	fill_pattern(map, 0, 6 * PAGE);
	expect(munmap(map + 2 * PAGE, PAGE) == 0);
	expect(mprotect(map + 4 * PAGE, PAGE, PROT_READ) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect_pattern(map + 3 * PAGE, 3 * PAGE, 3 * PAGE);
		memset(map + 5 * PAGE, 'c', PAGE);
		expect_write_kills(map + 4 * PAGE, SIGSEGV);
		child_end();
	}
	expect_exit(pid, 0);
	expect_pattern(map, 0, 2 * PAGE);
	expect_pattern(map + 3 * PAGE, 3 * PAGE, 2 * PAGE);
	expect_filled(map + 5 * PAGE, 'c', PAGE);
}

static void mprotect_keeps_it_shared(void)
{
	char *map = map_anon(2 * PAGE, RW, MAP_SHARED);
	pid_t pid;

	map[0] = 'a';
	pid = fork_child();
	if (pid == 0) {
		expect(mprotect(map, 2 * PAGE, PROT_NONE) == 0);
		expect(mprotect(map, 2 * PAGE, PROT_READ) == 0);
		expect(mprotect(map, 2 * PAGE, RW) == 0);
		expect_equal(map[0], 'a');
		map[0] = 'b';
		map[PAGE] = 'c';
		child_end();
	}
	expect_exit(pid, 0);
	expect(map[0] == 'b' && map[PAGE] == 'c');
}

static void kernel_writes_reach_all(void)
{
	char *map = map_anon(2 * PAGE, RW, MAP_SHARED);
	struct gate data;
	pid_t pid;

	gate_make(&data);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(read(data.fds[0], map + PAGE - 2, 5), 5);
		child_end();
	}
	expect(write(data.fds[1], "hello", 5) == 5);
	expect_exit(pid, 0);
	expect(memcmp(map + PAGE - 2, "hello", 5) == 0);
}

/* Four processes count in one word with atomic additions: none may be lost. */
static void counting(void)
{
	enum { CHILDREN = 4, ADDITIONS = 20000 };
	long *counter = (long *)map_anon(PAGE, RW, MAP_SHARED);
	pid_t children[CHILDREN];

	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			for (int j = 0; j < ADDITIONS; j++)
				__atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
			child_end();
		}
	}
	for (int i = 0; i < CHILDREN; i++)
		expect_exit(children[i], 0);
	expect_equal(*counter, CHILDREN * ADDITIONS);
}

/* A mutex in shared memory: futexes of two processes must meet on the same word. */
static void mutex_across_processes(void)
{
	struct shared {
		pthread_mutex_t mutex;
		long first, second;
	} *shared = (struct shared *)map_anon(PAGE, RW, MAP_SHARED);
	pthread_mutexattr_t attributes;
	pid_t pid;

	expect(pthread_mutexattr_init(&attributes) == 0);
	expect(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
	expect(pthread_mutex_init(&shared->mutex, &attributes) == 0);
	pid = fork_child();
	for (int i = 0; i < 5000; i++) {
		expect(pthread_mutex_lock(&shared->mutex) == 0);
		expect(shared->first == shared->second);
		shared->first++;
		if (i % 500 == 0)
			sleep_ms(1); /* let the other one run into the lock */
		shared->second++;
		expect(pthread_mutex_unlock(&shared->mutex) == 0);
	}
	if (pid == 0)
		child_end();
	expect_exit(pid, 0);
	expect_equal(shared->first, 10000);
}

static const struct tap_case cases[] = {
	{"a page first touched after fork appears in both (lab 31)", first_touch_after_fork},
	{"a page touched before fork stays shared and writable (lab 31)", touched_before_fork},
	{"three processes pass a page around (lab 31)", three_processes},
	{"grandchildren share it too (lab 31)", grandchildren},
	{"it outlives its maker's munmap", outlives_its_maker},
	{"each mapping is memory of its own", each_is_its_own},
	{"after munmap of a part the rest keeps its place", parts_keep_their_place},
	{"mprotect keeps it shared", mprotect_keeps_it_shared},
	{"what read() puts there reaches all", kernel_writes_reach_all},
	{"four processes count in one word", counting},
	{"a mutex of two processes", mutex_across_processes},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
