/*
 * race_wake.c - sleeping and waking across processors: no wake-up may be lost, none counted twice.
 *
 * Two parties hand a turn back and forth through each means there is: a futex, a condition
 * variable, a pipe, a signal. A lost wake-up is a hang; the counts must be exact.
 */
#include "race.h"

#include <limits.h>
#include <linux/futex.h>
#include <semaphore.h>

#define TURNS 2000

static long futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
	return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

/* --- futex ------------------------------------------------------------------------------------ */

static _Atomic uint32_t *turn; /* in shared memory: the number of turns taken */

/* Take every other turn, asleep until it comes. */
static void play_futex(uint32_t parity, int flags)
{
	for (uint32_t mine = parity; mine < TURNS; mine += 2) {
		uint32_t now;

		while ((now = atomic_load(turn)) != mine)
			expect(futex(turn, FUTEX_WAIT | flags, now) == 0 || errno == EAGAIN);
		atomic_store(turn, mine + 1);
		expect(futex(turn, FUTEX_WAKE | flags, 1) >= 0);
	}
}

static void *play_private(void *parity)
{
	play_futex((uint32_t)(size_t)parity, FUTEX_PRIVATE_FLAG);
	return NULL;
}

static void futex_between_threads(void)
{
	pthread_t thread;

	turn = (_Atomic uint32_t *)map_anon(PAGE, RW, MAP_PRIVATE);
	thread_start(&thread, play_private, (void *)1L);
	play_private((void *)0L);
	thread_join(thread);
	expect_equal(atomic_load(turn), TURNS);
}

static void futex_between_processes(void)
{
	pid_t pid;

	turn = (_Atomic uint32_t *)map_shared(PAGE);
	pid = fork_party();
	play_futex(pid == 0, 0);
	if (pid == 0)
		child_end();
	expect_exit(pid, 0);
	expect_equal(atomic_load(turn), TURNS);
}

/* The simplest lock that sleeps: 0 free, 1 held, 2 held and somebody may sleep. */
static void futex_lock(_Atomic uint32_t *lock)
{
	uint32_t held = 0;

	if (atomic_compare_exchange_strong(lock, &held, 1))
		return;
	while (atomic_exchange(lock, 2) != 0)
		futex(lock, FUTEX_WAIT, 2);
}

static void futex_unlock(_Atomic uint32_t *lock)
{
	if (atomic_exchange(lock, 0) == 2)
		futex(lock, FUTEX_WAKE, 1);
}

static _Atomic uint32_t *locks;	   /* in shared memory */
static volatile uint64_t *guarded; /* likewise, counted under the lock */

static void *count_locked(void *unused)
{
	for (int round = 0; round < TURNS; round++) {
		futex_lock(locks);
		guarded[0] = guarded[0] + 1;
		if (round % 16 == 0)
			sched_yield(); /* now and then others find it held */
		futex_unlock(locks);
	}
	return unused;
}

static void sleeping_lock(void)
{
	pthread_t threads[2];
	pid_t pid;

	locks = (_Atomic uint32_t *)map_shared(PAGE);
	guarded = (volatile uint64_t *)map_shared(PAGE);
	pid = fork_party();
	thread_start(&threads[0], count_locked, NULL);
	thread_start(&threads[1], count_locked, NULL);
	thread_join(threads[0]);
	thread_join(threads[1]);
	if (pid == 0)
		child_end();
	expect_exit(pid, 0);
	expect_equal(guarded[0], 4 * TURNS);
}

/* --- glibc's objects -------------------------------------------------------------------------- */

/* A queue of one item with two producers and two consumers. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t item, taken_items, taken_sum; /* item: 0 is none */

static void *produce(void *number)
{
	for (uint64_t value = 1; value <= TURNS / 2; value++) {
		pthread_mutex_lock(&mutex);
		while (item != 0)
			pthread_cond_wait(&changed, &mutex);
		item = value + (size_t)number;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *consume(void *unused)
{
	for (int count = 0; count < TURNS / 2; count++) {
		pthread_mutex_lock(&mutex);
		while (item == 0)
			pthread_cond_wait(&changed, &mutex);
		taken_items++;
		taken_sum += item;
		item = 0;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

static void condition_variable(void)
{
	pthread_t threads[4];

	thread_start(&threads[0], produce, (void *)0L);
	thread_start(&threads[1], produce, (void *)1000L);
	thread_start(&threads[2], consume, NULL);
	thread_start(&threads[3], consume, NULL);
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		thread_join(threads[i]);
	expect_equal(taken_items, TURNS);
	expect_equal(taken_sum, (long)(TURNS / 2) * (TURNS / 2 + 1) + 1000 * (TURNS / 2));
}

static sem_t semaphores[2];

static void *post_and_wait(void *number)
{
	size_t own = (size_t)number;

	for (int round = 0; round < TURNS; round++) {
		expect(sem_post(&semaphores[!own]) == 0);
		while (sem_wait(&semaphores[own]) != 0)
			expect_equal(errno, EINTR);
	}
	return NULL;
}

static void semaphore(void)
{
	pthread_t thread;
	int value;

	expect(sem_init(&semaphores[0], 0, 0) == 0 && sem_init(&semaphores[1], 0, 0) == 0);
	thread_start(&thread, post_and_wait, (void *)1L);
	post_and_wait((void *)0L);
	thread_join(thread);
	for (int i = 0; i < 2; i++)
		expect(sem_getvalue(&semaphores[i], &value) == 0 && value == 0);
}

static pthread_barrier_t barrier;
static _Atomic unsigned serials, passed;

static void *pass_barrier(void *unused)
{
	for (unsigned round = 1; round <= 300; round++) {
		atomic_fetch_add(&passed, 1);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			atomic_fetch_add(&serials, 1);
		expect(atomic_load(&passed) >= 3 * round);
	}
	return unused;
}

static void thread_barrier(void)
{
	pthread_t threads[3];

	expect(pthread_barrier_init(&barrier, NULL, 3) == 0);
	for (size_t i = 0; i < 3; i++)
		thread_start(&threads[i], pass_barrier, NULL);
	for (size_t i = 0; i < 3; i++)
		thread_join(threads[i]);
	expect_equal(atomic_load(&serials), 300);
}

/* Wake all of several sleepers, who each count once for every call. */
static _Atomic uint32_t round_word;
static _Atomic unsigned woken;

static void *sleep_rounds(void *unused)
{
	for (uint32_t round = 0; round < 300; round++) {
		while (atomic_load(&round_word) == round)
			futex(&round_word, FUTEX_WAIT_PRIVATE, round);
		atomic_fetch_add(&woken, 1);
	}
	return unused;
}

static void wake_all(void)
{
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		thread_start(&threads[i], sleep_rounds, NULL);
	for (unsigned round = 1; round <= 300; round++) {
		atomic_store(&round_word, round);
		expect(futex(&round_word, FUTEX_WAKE_PRIVATE, INT_MAX) >= 0);
		spin_until(atomic_load(&woken) == 4 * round);
	}
	for (size_t i = 0; i < 4; i++)
		thread_join(threads[i]);
}

/* --- pipes ------------------------------------------------------------------------------------ */

static void pipe_round_trips(void)
{
	struct gate there, back;
	pid_t pid;

	gate_make(&there);
	gate_make(&back);
	pid = fork_party();
	for (int round = 0; round < TURNS; round++) {
		if (pid == 0) {
			gate_pass(&there);
			gate_open(&back);
		} else {
			gate_open(&there);
			gate_pass(&back);
		}
	}
	if (pid == 0)
		child_end();
	expect_exit(pid, 0);
}

static const struct tap_case cases[] = {
	{"futex between threads", futex_between_threads},
	{"futex between processes", futex_between_processes},
	{"a sleeping lock shared by threads of two processes", sleeping_lock},
	{"a condition variable with producers and consumers", condition_variable},
	{"semaphores", semaphore},
	{"a barrier", thread_barrier},
	{"one call wakes all", wake_all},
	{"pipe round trips", pipe_round_trips},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
