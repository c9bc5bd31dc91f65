/*
 * race.h - what the tests of true parallelism share: threads and processes that begin a step at
 * the same time, accesses that may be fatal, numbers that only grow.
 *
 * A race test runs a bounded number of rounds and asserts what must hold however the parties
 * interleave. It must pass with one processor too: whoever waits in a loop lets others run
 * (spin_until), and nothing is asserted about how much happened at once.
 */
#pragma once

#include "helpers.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/prctl.h>

#define RW (PROT_READ | PROT_WRITE)

/* --- waiting ---------------------------------------------------------------------------------- */

/* One turn of a loop that waits for another party, which may need this very processor. */
static inline void race_pause(unsigned *turns)
{
	if (++*turns % 64 == 0)
		sched_yield();
	else
		__builtin_ia32_pause();
}

#define spin_until(condition)                                                                      \
	do {                                                                                       \
		unsigned race_turns = 0;                                                           \
		while (!(condition))                                                               \
			race_pause(&race_turns);                                                   \
	} while (0)

/* Stay in a state for a few moments, so that others act in it; they may need this processor. */
static inline void linger(unsigned moments)
{
	for (unsigned turns = 0; turns < moments;)
		race_pause(&turns);
}

/* Go on together: wait until `parties` have come here for the `time`th time (1, 2, 3...). */
static inline void meet(_Atomic unsigned *arrivals, unsigned parties, unsigned time)
{
	atomic_fetch_add(arrivals, 1);
	spin_until(atomic_load(arrivals) >= parties * time);
}

/* How many rounds: with one processor only preemption lets parties meet, and waits are long. */
static inline int race_rounds(int rounds)
{
	cpu_set_t processors;

	expect(sched_getaffinity(0, sizeof(processors), &processors) == 0);
	return CPU_COUNT(&processors) > 1 ? rounds : rounds / 10;
}

/* --- threads and processes -------------------------------------------------------------------- */

#define thread_start(thread, run, argument) expect(pthread_create(thread, NULL, run, argument) == 0)
#define thread_join(thread) expect(pthread_join(thread, NULL) == 0)

/* A forked child that does not outlive this thread: it may wait for a party that failed. */
#define fork_party() race_fork(HERE)
static inline pid_t race_fork(struct tap_where where)
{
	pid_t parent = getpid(), pid = tap_fork_at(where);

	if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent))
		tap_fail(where, "the parent ended, or prctl failed");
	return pid;
}

/* Zeroed memory that this process shares with the children it will fork. */
#define map_shared(bytes) map_anon(bytes, RW, MAP_SHARED)

/* Private memory between inaccessible pages: no zone of another joins it, even a new thread's. */
static inline char *map_enclosed(size_t bytes)
{
	return map_fixed(map_anon(bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE) + PAGE, bytes, RW);
}

/* --- accesses that may be fatal --------------------------------------------------------------- */

static __thread sigjmp_buf race_escape;
static __thread volatile sig_atomic_t race_guarded;

/* A fault of a guarded access returns to it; any other ends the process as it would have. */
static inline void race_caught(int signal)
{
	if (race_guarded)
		siglongjmp(race_escape, signal);
	tap_fail(HERE, "SIG%s where no access may fail", sigabbrev_np(signal));
}

static inline void race_catch_faults(void)
{
	struct sigaction action = {.sa_handler = race_caught, .sa_flags = SA_NODEFER};

	expect(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
}

/* Load one word: 0, or the signal that the access raised. Needs race_catch_faults(). */
__attribute__((noinline, unused)) static int try_load(const void *address, uint64_t *value)
{
	int signal = sigsetjmp(race_escape, 0);

	if (signal == 0) {
		race_guarded = 1;
		*value = atomic_load((const _Atomic uint64_t *)address);
	}
	race_guarded = 0;
	return signal;
}

/* Store one word, likewise. */
__attribute__((noinline, unused)) static int try_store(void *address, uint64_t value)
{
	int signal = sigsetjmp(race_escape, 0);

	if (signal == 0) {
		race_guarded = 1;
		atomic_store((_Atomic uint64_t *)address, value);
	}
	race_guarded = 0;
	return signal;
}

/* The word at the begin of page `page` of a map. */
static inline _Atomic uint64_t *page_word(char *map, size_t page)
{
	return (_Atomic uint64_t *)(map + page * PAGE);
}

/* --- random choices --------------------------------------------------------------------------- */

/* xorshift64: the next of a sequence that starts with any seed but 0. */
static inline uint64_t dice_roll(uint64_t *dice)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return *dice;
}
