/*
 * threads.h - what the tests of threads and futexes do again and again. None waits for time to
 * pass: await_sleepers knows from the kernel itself who is asleep.
 */
#pragma once

#include "helpers.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define RW (PROT_READ | PROT_WRITE)

/* The calling thread's number, asked of the kernel. */
static inline int own_tid(void)
{
	return (int)syscall(SYS_gettid);
}

static inline long futex(_Atomic int *address, int operation, int value,
			 const struct timespec *timeout, _Atomic int *address2, int value3)
{
	return syscall(SYS_futex, address, operation, value, timeout, address2, value3);
}

/* Where an operation takes a second count instead of a timeout. */
static inline long futex_counts(_Atomic int *address, int operation, int count, long count2,
				_Atomic int *address2, int value3)
{
	return syscall(SYS_futex, address, operation, count, count2, address2, value3);
}

/* How many sleep there: requeueing them to the same word moves none and counts all. */
static inline int futex_sleepers(_Atomic int *address, int flags)
{
	return (int)futex_counts(address, FUTEX_REQUEUE | flags, 0, INT_MAX, address, 0);
}

/* Until so many sleep there; `flags` is FUTEX_PRIVATE_FLAG or 0. */
static inline void await_sleepers(_Atomic int *address, int count, int flags)
{
	while (futex_sleepers(address, flags) != count)
		sched_yield();
}

static inline void await_value(_Atomic int *word, int value)
{
	while (*word != value)
		sched_yield();
}

#define start_thread(thread, function, argument)                                                   \
	expect_equal(pthread_create(thread, NULL, function, (void *)(uintptr_t)(argument)), 0)

#define join_thread(thread, wanted)                                                                \
	do {                                                                                       \
		void *tap_result;                                                                  \
		expect_equal(pthread_join(thread, &tap_result), 0);                                \
		expect_equal(tap_result, wanted);                                                  \
	} while (0)

/* The function in `count` threads at once, each with its number; each returns NULL. */
#define run_in_threads(count, function)                                                            \
	do {                                                                                       \
		pthread_t tap_threads[count];                                                      \
		for (long tap_i = 0; tap_i < (count); tap_i++)                                     \
			start_thread(&tap_threads[tap_i], function, tap_i);                        \
		for (long tap_i = 0; tap_i < (count); tap_i++)                                     \
			join_thread(tap_threads[tap_i], 0);                                        \
	} while (0)
