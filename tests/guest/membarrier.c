/*
 * membarrier.c - membarrier: what must be registered first, and that others pass a barrier.
 */
#include "helpers.h"

#include "threads.h"

#include <linux/membarrier.h>
#include <stdatomic.h>

/* Of Linux 6.3; old headers lack it. */
#define GET_REGISTRATIONS (1 << 9)

static long membarrier(int command, unsigned flags)
{
	errno = 0;
	return syscall(SYS_membarrier, command, flags, 0);
}

static const struct {
	const char *name;
	int enter, command;
} pairs[] = {
	{"private", MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED},
	{"instructions", MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE},
};

static void registered_first(void)
{
	long known = membarrier(MEMBARRIER_CMD_QUERY, 0);
	uint32_t all = 0;

	expect(known > 0 && (known & MEMBARRIER_CMD_GLOBAL));
	expect(membarrier(MEMBARRIER_CMD_GLOBAL, 0) == 0);
	expect(membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0) ==
	       0); /* only to be asked is registered */
	expect(membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0) == 0);
	all |= MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
	for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
		check(pairs[i].name, (known & pairs[i].enter) && (known & pairs[i].command));
		check_errno(pairs[i].name, membarrier(pairs[i].command, 0), EPERM);
		check(pairs[i].name, membarrier(pairs[i].enter, 0) == 0);
		check(pairs[i].name, membarrier(pairs[i].enter, 0) == 0); /* again */
		check(pairs[i].name, membarrier(pairs[i].command, 0) == 0);
		all |= (uint32_t)pairs[i].enter;
	}
	if (known & GET_REGISTRATIONS)
		expect_equal(membarrier(GET_REGISTRATIONS, 0), all);
}

static void bad_calls(void)
{
	static const int unknown[] = {-1, 3, 5, 1 << 20, INT32_MIN};

	for (size_t i = 0; i < ARRAY_LENGTH(unknown); i++)
		expect_errno(membarrier(unknown[i], 0), EINVAL);
	expect_errno(membarrier(MEMBARRIER_CMD_QUERY, 1), EINVAL);
	expect_errno(membarrier(MEMBARRIER_CMD_GLOBAL, 1), EINVAL);
	for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
		expect_errno(membarrier(pairs[i].enter, 1), EINVAL);
		expect_errno(membarrier(pairs[i].command, 1), EINVAL);
	}
}

/* A child is registered as its parent; a program that is executed is not. */
static void children(void)
{
	pid_t pid;

	expect(membarrier(pairs[0].enter, 0) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect(membarrier(pairs[0].command, 0) == 0);
		execl("/proc/self/exe", "membarrier", "executed", NULL);
		_exit(99);
	}
	expect_exit(pid, 0);
	expect(membarrier(pairs[0].command, 0) == 0);
}

/*
 * Two threads say that they come, and look whether the other does: never do both see nobody. The
 * one that comes often has no barrier of its own; the other's call is one for both.
 */
#define ROUNDS 500

static atomic_int often, seldom, seen_by_often, seen_by_seldom, round_begun, round_ended;

static void *comes_often(void *unused)
{
	(void)unused;
	for (int round = 1; round <= ROUNDS; round++) {
		while (atomic_load(&round_begun) != round)
			sched_yield();
		atomic_store_explicit(&often, 1, memory_order_relaxed);
		atomic_signal_fence(memory_order_seq_cst); /* for the compiler alone */
		seen_by_often = atomic_load_explicit(&seldom, memory_order_relaxed);
		atomic_store(&round_ended, round);
	}
	return NULL;
}

static void one_barrier_for_both(void)
{
	pthread_t thread;

	expect(membarrier(pairs[0].enter, 0) == 0);
	expect(pthread_create(&thread, NULL, comes_often, NULL) == 0);
	for (int round = 1; round <= ROUNDS; round++) {
		often = seldom = 0;
		atomic_store(&round_begun, round);
		atomic_store_explicit(&seldom, 1, memory_order_relaxed);
		expect(membarrier(pairs[0].command, 0) == 0);
		seen_by_seldom = atomic_load_explicit(&often, memory_order_relaxed);
		while (atomic_load(&round_ended) != round)
			sched_yield();
		expect(seen_by_often || seen_by_seldom);
	}
	expect(pthread_join(thread, NULL) == 0);
}

static const struct tap_case cases[] = {
	{"commands to be registered first, and others", registered_first},
	{"EINVAL", bad_calls},
	{"a child is registered, an executed program is not", children},
	{"one barrier for two threads", one_barrier_for_both},
};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "executed") == 0)
		return membarrier(pairs[0].command, 0) == -1 && errno == EPERM ? 0 : 1;
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
