/*
 * threads_sync.c - what POSIX and C11 offer threads to wait for each other, each kind and between
 * processes too: mutexes, condition variables, barriers, read-write locks, semaphores.
 */
#include "threads.h"

#include <semaphore.h>
#include <threads.h>

enum { THREADS = 6, ROUNDS = 300 };

/* Shared by parent and child. */
static struct shared {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_barrier_t barrier;
	pthread_rwlock_t rwlock;
	sem_t semaphore, back;
	volatile long counter;
	_Atomic int inside, most_inside, told;
} * shared;

static void share(void)
{
	shared = (struct shared *)map_anon(sizeof(*shared), RW, MAP_SHARED);
}

static void make_mutex(int kind, int robustness, int pshared)
{
	pthread_mutexattr_t attributes;

	expect_equal(pthread_mutexattr_init(&attributes), 0);
	expect_equal(pthread_mutexattr_settype(&attributes, kind), 0);
	expect_equal(pthread_mutexattr_setrobust(&attributes, robustness), 0);
	expect_equal(pthread_mutexattr_setpshared(&attributes, pshared), 0);
	expect_equal(pthread_mutex_init(&shared->mutex, &attributes), 0);
}

static void *count(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		expect_equal(pthread_mutex_lock(&shared->mutex), 0);
		shared->counter = shared->counter + 1;
		if (i % 16 == 0)
			sched_yield(); /* let the others run into it */
		expect_equal(pthread_mutex_unlock(&shared->mutex), 0);
	}
	return NULL;
}

static const struct {
	const char *name;
	int kind, robustness, pshared;
} mutex_kinds[] = {
	{"normal", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE},
	{"recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE},
	{"errorcheck", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE},
	{"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE},
	{"robust", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE},
	{"shared", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_SHARED},
	{"shared and robust", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED},
};

static void mutexes_exclude(void)
{
	share();
	for (size_t i = 0; i < ARRAY_LENGTH(mutex_kinds); i++) {
		make_mutex(mutex_kinds[i].kind, mutex_kinds[i].robustness, mutex_kinds[i].pshared);
		shared->counter = 0;
		run_in_threads(THREADS, count);
		check(mutex_kinds[i].name, shared->counter == THREADS * ROUNDS);
	}
}

/* The function in children of the calling process, and in itself. */
static void run_in_processes(void *(*function)(void *))
{
	pid_t pids[3];

	for (int i = 0; i < 3; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			function(NULL);
			child_end();
		}
	}
	function(NULL);
	for (int i = 0; i < 3; i++)
		expect_exit(pids[i], 0);
}

static void mutexes_between_processes(void)
{
	share();
	for (int robustness = 0; robustness < 2; robustness++) {
		make_mutex(PTHREAD_MUTEX_NORMAL,
			   robustness ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED,
			   PTHREAD_PROCESS_SHARED);
		shared->counter = 0;
		run_in_processes(count);
		expect_equal(shared->counter, 4 * ROUNDS);
	}
}

static void *lock_checked(void *unused)
{
	expect_equal(pthread_mutex_trylock(&shared->mutex), EBUSY);
	expect_equal(pthread_mutex_unlock(&shared->mutex), EPERM);
	return unused;
}

static void mutex_answers(void)
{
	pthread_t thread;
	struct timespec past = {.tv_sec = 1};

	share();
	make_mutex(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	expect_equal(pthread_mutex_unlock(&shared->mutex), EPERM);
	expect_equal(pthread_mutex_lock(&shared->mutex), 0);
	expect_equal(pthread_mutex_lock(&shared->mutex), EDEADLK);
	start_thread(&thread, lock_checked, NULL);
	join_thread(thread, 0);
	make_mutex(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	for (int i = 0; i < 10; i++)
		expect_equal(pthread_mutex_lock(&shared->mutex), 0);
	start_thread(&thread, lock_checked, NULL);
	join_thread(thread, 0);
	for (int i = 0; i < 10; i++)
		expect_equal(pthread_mutex_unlock(&shared->mutex), 0);
	make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	expect_equal(pthread_mutex_lock(&shared->mutex), 0);
	expect_equal(pthread_mutex_timedlock(&shared->mutex, &past), ETIMEDOUT);
	expect_equal(pthread_mutex_clocklock(&shared->mutex, CLOCK_MONOTONIC, &past), ETIMEDOUT);
}

static void *die_holding(void *unused)
{
	expect_equal(pthread_mutex_lock(&shared->mutex), 0);
	return unused;
}

static void robust_mutexes(void)
{
	pthread_t thread;

	share();
	make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
	start_thread(&thread, die_holding, NULL);
	join_thread(thread, 0);
	expect_equal(pthread_mutex_lock(&shared->mutex), EOWNERDEAD);
	expect_equal(pthread_mutex_consistent(&shared->mutex), 0);
	expect_equal(pthread_mutex_unlock(&shared->mutex), 0);
	start_thread(&thread, die_holding, NULL);
	join_thread(thread, 0);
	expect_equal(pthread_mutex_trylock(&shared->mutex), EOWNERDEAD);
	expect_equal(pthread_mutex_unlock(&shared->mutex), 0); /* given up for good */
	expect_equal(pthread_mutex_lock(&shared->mutex), ENOTRECOVERABLE);
}

/* Its owner execs: the lock is not held by what comes after. */
static void robust_mutex_over_exec(void)
{
	pid_t pid;

	share();
	make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
	pid = fork_child();
	if (pid == 0) {
		die_holding(NULL);
		shared->told = 1;
		await_sleepers((_Atomic int *)&shared->mutex, 1, 0);
		execl("/proc/self/exe", "threads_sync", "wait", NULL);
		_exit(9);
	}
	await_value(&shared->told, 1);
	expect_equal(pthread_mutex_lock(&shared->mutex), EOWNERDEAD);
	kill(pid, SIGKILL); /* it lives on */
	expect_killed(pid, SIGKILL);
}

static void make_condition(int pshared, clockid_t clock)
{
	pthread_condattr_t attributes;

	expect_equal(pthread_condattr_init(&attributes), 0);
	expect_equal(pthread_condattr_setpshared(&attributes, pshared), 0);
	expect_equal(pthread_condattr_setclock(&attributes, clock), 0);
	expect_equal(pthread_cond_init(&shared->changed, &attributes), 0);
}

/* The turn goes round and round: each waits for its own, and wakes all. */
static void take_turns(long number, long of)
{
	for (int i = 0; i < 50; i++) {
		expect_equal(pthread_mutex_lock(&shared->mutex), 0);
		while (shared->counter % of != number)
			expect_equal(pthread_cond_wait(&shared->changed, &shared->mutex), 0);
		shared->counter = shared->counter + 1;
		expect_equal(pthread_cond_broadcast(&shared->changed), 0);
		expect_equal(pthread_mutex_unlock(&shared->mutex), 0);
	}
}

static void *turns_of_threads(void *number)
{
	take_turns((long)number, THREADS);
	return NULL;
}

static void *turns_of_processes(void *unused)
{
	take_turns(shared->told++, 4);
	return unused;
}

static void conditions(void)
{
	share();
	make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_SHARED);
	make_condition(PTHREAD_PROCESS_PRIVATE, CLOCK_REALTIME);
	run_in_threads(THREADS, turns_of_threads);
	expect_equal(shared->counter, THREADS * 50);
	shared->counter = 0;
	make_condition(PTHREAD_PROCESS_SHARED, CLOCK_REALTIME);
	run_in_processes(turns_of_processes);
	expect_equal(shared->counter, 4 * 50);
}

static void condition_timeouts(void)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};

	share();
	make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	expect_equal(pthread_mutex_lock(&shared->mutex), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(clocks); i++) {
		struct timespec end, now;

		make_condition(PTHREAD_PROCESS_PRIVATE, clocks[i]);
		clock_gettime(clocks[i], &end);
		end.tv_nsec += 5000000;
		end.tv_sec += end.tv_nsec / 1000000000;
		end.tv_nsec %= 1000000000;
		expect_equal(pthread_cond_timedwait(&shared->changed, &shared->mutex, &end),
			     ETIMEDOUT);
		clock_gettime(clocks[i], &now);
		expect(now.tv_sec > end.tv_sec ||
		       (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec));
		expect_equal(pthread_cond_clockwait(&shared->changed, &shared->mutex,
						    CLOCK_MONOTONIC, &(struct timespec){1, 0}),
			     ETIMEDOUT);
	}
}

/* A bounded buffer: producers and consumers wake one another, one at a time. */
static pthread_cond_t has_room = PTHREAD_COND_INITIALIZER, has_items = PTHREAD_COND_INITIALIZER;

static void *produce_or_consume(void *number)
{
	bool produces = (long)number % 2;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&shared->mutex);
		while (produces ? shared->inside == 3 : shared->inside == 0)
			pthread_cond_wait(produces ? &has_room : &has_items, &shared->mutex);
		shared->inside += produces ? 1 : -1;
		pthread_cond_signal(produces ? &has_items : &has_room);
		pthread_mutex_unlock(&shared->mutex);
	}
	return NULL;
}

static void bounded_buffer(void)
{
	share();
	make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	run_in_threads(THREADS, produce_or_consume);
	expect_equal(shared->inside, 0);
}

/* In every round each adds one; nobody may see a sum of an unfinished round. */
static void *meet(void *unused)
{
	int serial = 0;

	(void)unused;
	for (int round = 1; round <= 100; round++) {
		int result;

		shared->told++;
		result = pthread_barrier_wait(&shared->barrier);
		expect(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
		serial += result == PTHREAD_BARRIER_SERIAL_THREAD;
		expect_equal(shared->told, round * shared->most_inside);
		pthread_barrier_wait(&shared->barrier);
	}
	shared->inside += serial;
	return NULL;
}

static void barriers(void)
{
	pthread_barrierattr_t attributes;

	share();
	shared->most_inside = THREADS;
	expect_equal(pthread_barrier_init(&shared->barrier, NULL, THREADS), 0);
	run_in_threads(THREADS, meet);
	expect_equal(shared->inside, 100);
	share();
	shared->most_inside = 4;
	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	expect_equal(pthread_barrier_init(&shared->barrier, &attributes, 4), 0);
	run_in_processes(meet);
	expect_equal(shared->inside, 100);
}

/* Writers count twice in one step; a reader who sees an odd number was let in too early. */
static void *read_and_write(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 4) {
			expect_equal(pthread_rwlock_rdlock(&shared->rwlock), 0);
			expect_equal(shared->counter % 2, 0);
			if (i % 32 == 1)
				sched_yield();
		} else {
			expect_equal(pthread_rwlock_wrlock(&shared->rwlock), 0);
			shared->counter = shared->counter + 1;
			if (i % 32 == 0)
				sched_yield();
			shared->counter = shared->counter + 1;
		}
		expect_equal(pthread_rwlock_unlock(&shared->rwlock), 0);
	}
	return NULL;
}

static void read_write_locks(void)
{
	pthread_rwlockattr_t attributes;

	share();
	expect_equal(pthread_rwlock_init(&shared->rwlock, NULL), 0);
	run_in_threads(THREADS, read_and_write);
	expect_equal(shared->counter, THREADS * ROUNDS / 2);
	share();
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	expect_equal(pthread_rwlock_init(&shared->rwlock, &attributes), 0);
	run_in_processes(read_and_write);
	expect_equal(shared->counter, 4 * ROUNDS / 2);
	expect_equal(pthread_rwlock_wrlock(&shared->rwlock), 0);
	expect_equal(pthread_rwlock_tryrdlock(&shared->rwlock), EBUSY);
	expect_equal(pthread_rwlock_timedrdlock(&shared->rwlock, &(struct timespec){1, 0}),
		     EDEADLK);
}

static void *pass_semaphore(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		int now, most;

		expect_equal(sem_wait(&shared->semaphore), 0);
		now = ++shared->inside;
		most = shared->most_inside;
		while (now > most &&
		       !atomic_compare_exchange_weak(&shared->most_inside, &most, now))
			;
		if (i % 16 == 0)
			sched_yield();
		shared->inside--;
		expect_equal(sem_post(&shared->semaphore), 0);
	}
	return NULL;
}

static void semaphores(void)
{
	share();
	expect_equal(sem_init(&shared->semaphore, 0, 2), 0);
	run_in_threads(THREADS, pass_semaphore);
	expect(shared->most_inside <= 2);
	share();
	expect_equal(sem_init(&shared->semaphore, 1, 2), 0);
	run_in_processes(pass_semaphore);
	expect(shared->most_inside <= 2);
	expect_equal(sem_trywait(&shared->semaphore), 0);
	expect_equal(sem_trywait(&shared->semaphore), 0);
	expect_errno(sem_trywait(&shared->semaphore), EAGAIN);
	expect_errno(sem_timedwait(&shared->semaphore, &(struct timespec){1, 0}), ETIMEDOUT);
	expect_errno(sem_clockwait(&shared->semaphore, CLOCK_MONOTONIC, &(struct timespec){1, 0}),
		     ETIMEDOUT);
}

/* There and back, a thousand times, each asleep while the other runs: no wake-up may be lost. */
static void ping_pong(void)
{
	pid_t pid;

	share();
	expect(sem_init(&shared->semaphore, 1, 0) == 0 && sem_init(&shared->back, 1, 0) == 0);
	pid = fork_child();
	if (pid == 0) {
		for (int i = 0; i < 1000; i++)
			expect(sem_wait(&shared->semaphore) == 0 && sem_post(&shared->back) == 0);
		child_end();
	}
	for (int i = 0; i < 1000; i++)
		expect(sem_post(&shared->semaphore) == 0 && sem_wait(&shared->back) == 0);
	expect_exit(pid, 0);
}

static mtx_t c_mutex;
static cnd_t c_changed;
static tss_t c_key;
static once_flag c_once = ONCE_FLAG_INIT;
static _Atomic int c_onces, c_ended;
static thread_local int c_local = 5;

static void c_count_once(void)
{
	c_onces++;
}

static void c_end(void *value)
{
	c_ended += *(int *)value;
}

static int c_work(void *number)
{
	call_once(&c_once, c_count_once);
	expect_equal(c_local, 5);
	c_local = *(int *)number;
	expect_equal(tss_set(c_key, number), thrd_success);
	expect_equal(mtx_lock(&c_mutex), thrd_success);
	while (shared->counter != *(int *)number)
		expect_equal(cnd_wait(&c_changed, &c_mutex), thrd_success);
	shared->counter = shared->counter + 1;
	cnd_broadcast(&c_changed);
	expect_equal(mtx_unlock(&c_mutex), thrd_success);
	expect_equal(c_local, *(int *)tss_get(c_key));
	return *(int *)number + 40;
}

static void c11(void)
{
	static int numbers[THREADS];
	thrd_t threads[THREADS];

	share();
	expect_equal(mtx_init(&c_mutex, mtx_timed | mtx_recursive), thrd_success);
	expect_equal(cnd_init(&c_changed), thrd_success);
	expect_equal(tss_create(&c_key, c_end), thrd_success);
	for (int i = THREADS - 1; i >= 0; i--) {
		numbers[i] = i;
		expect_equal(thrd_create(&threads[i], c_work, &numbers[i]), thrd_success);
	}
	for (int i = 0; i < THREADS; i++) {
		int result;

		expect_equal(thrd_join(threads[i], &result), thrd_success);
		expect_equal(result, i + 40);
	}
	expect_equal(c_onces, 1);
	expect_equal(c_ended, THREADS * (THREADS - 1) / 2);
	expect_equal(c_local, 5);
}

static const struct tap_case cases[] = {
	{"each kind of mutex excludes", mutexes_exclude},
	{"mutexes between processes", mutexes_between_processes},
	{"what mutexes answer", mutex_answers},
	{"robust mutexes", robust_mutexes},
	{"a robust mutex whose owner execs", robust_mutex_over_exec},
	{"condition variables, between processes too", conditions},
	{"condition variables time out by either clock", condition_timeouts},
	{"a bounded buffer", bounded_buffer},
	{"barriers, between processes too", barriers},
	{"read-write locks, between processes too", read_write_locks},
	{"semaphores, between processes too", semaphores},
	{"two processes wake each other a thousand times", ping_pong},
	{"C11's threads", c11},
};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "wait") == 0)
		pause(); /* what a case executes */
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
