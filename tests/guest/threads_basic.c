/*
 * threads_basic.c - threads of one process: create, join, wait for each other, share all memory.
 */
#include "helpers.h"

#include <linux/futex.h>
#include <pthread.h>

#define RW (PROT_READ | PROT_WRITE)

enum { THREADS = 8 };

/* Start the function in THREADS threads, each with its number; wait for all. */
static void run_threads(void *(*function)(void *))
{
	pthread_t threads[THREADS];

	for (long i = 0; i < THREADS; i++)
		expect_equal(pthread_create(&threads[i], NULL, function, (void *)i), 0);
	for (long i = 0; i < THREADS; i++) {
		void *result;

		expect_equal(pthread_join(threads[i], &result), 0);
		expect_equal(result, i + 100);
	}
}

static pid_t seen_tids[THREADS], seen_pids[THREADS];

static void *tell_ids(void *number)
{
	long i = (long)number;

	seen_tids[i] = (pid_t)syscall(SYS_gettid);
	seen_pids[i] = getpid();
	return (void *)(i + 100);
}

static void identities(void)
{
	run_threads(tell_ids);
	for (int i = 0; i < THREADS; i++) {
		expect_equal(seen_pids[i], getpid());
		expect(seen_tids[i] != getpid());
		for (int j = 0; j < i; j++)
			expect(seen_tids[i] > 0 && seen_tids[i] != seen_tids[j]);
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static volatile long counter;

static void *count_under_lock(void *number)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&mutex);
		counter = counter + 1;
		if (i % 500 == 0)
			sleep_ms(1); /* let the others run into the lock */
		pthread_mutex_unlock(&mutex);
	}
	return (char *)number + 100;
}

static void mutual_exclusion(void)
{
	run_threads(count_under_lock);
	expect_equal(counter, THREADS * 2000);
}

/* Each thread waits for its turn; the turns go round and round. */
static void *take_turns(void *number)
{
	for (int round = 0; round < 50; round++) {
		pthread_mutex_lock(&mutex);
		while (counter % THREADS != (long)number)
			pthread_cond_wait(&changed, &mutex);
		counter = counter + 1;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mutex);
	}
	return (char *)number + 100;
}

static void condition_variable(void)
{
	run_threads(take_turns);
	expect_equal(counter, THREADS * 50);
}

static void timed_wait(void)
{
	struct timespec until;

	expect(clock_gettime(CLOCK_REALTIME, &until) == 0);
	until.tv_nsec += 10000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&mutex);
	expect_equal(pthread_cond_timedwait(&changed, &mutex, &until), ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
}

static __thread long thread_local_data = 7;
static __thread long thread_local_bss;

static void *use_local_data(void *number)
{
	for (long i = 0; i < 1000; i++) {
		if (thread_local_data != 7 + i * (long)number || thread_local_bss != i)
			return NULL;
		thread_local_data += (long)number;
		thread_local_bss++;
		if (i % 250 == 0)
			sleep_ms(1);
	}
	return (char *)number + 100;
}

static void thread_local(void)
{
	run_threads(use_local_data);
	expect(thread_local_data == 7 && thread_local_bss == 0);
}

static char *shared_map;

static void *write_pages(void *number)
{
	/* All write all pages at once: many faults on the same addresses. */
	for (size_t page = 0; page < 256; page++)
		shared_map[page * PAGE + (size_t)number] = (char)((long)number + 1);
	return (char *)number + 100;
}

static void faults_at_once(void)
{
	for (int round = 0; round < 5; round++) {
		shared_map = map_anon(256 * PAGE, RW, MAP_PRIVATE);
		run_threads(write_pages);
		for (size_t page = 0; page < 256; page++)
			for (size_t i = 0; i < THREADS; i++)
				expect_equal(shared_map[page * PAGE + i], i + 1);
		expect(munmap(shared_map, 256 * PAGE) == 0);
	}
}

static void *map_and_unmap(void *number)
{
	for (int i = 0; i < 200; i++) {
		char *map = map_anon(4 * PAGE, RW, MAP_PRIVATE);

		memset(map, (int)(long)number + 1, 4 * PAGE);
		expect_filled(map, (int)(long)number + 1, 4 * PAGE);
		expect(munmap(map, 4 * PAGE) == 0);
	}
	return (char *)number + 100;
}

static void mapping_at_once(void)
{
	run_threads(map_and_unmap);
}

static void *say_nothing(void *number)
{
	return (char *)number + 100;
}

static void many_in_turn(void)
{
	for (int i = 0; i < 30; i++)
		run_threads(say_nothing);
}

static void *sleep_forever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void exit_ends_all(void)
{
	pid_t pid = fork_child();
	pthread_t thread;

	if (pid == 0) {
		for (int i = 0; i < 4; i++)
			expect(pthread_create(&thread, NULL, sleep_forever, NULL) == 0);
		_exit(3);
	}
	expect_exit(pid, 3);
	pid = fork_child();
	if (pid == 0) {
		expect(pthread_create(&thread, NULL, sleep_forever, NULL) == 0);
		raise(SIGKILL);
	}
	expect_killed(pid, SIGKILL);
}

static void *crash(void *unused)
{
	peek(unused);
	return unused;
}

static void crash_ends_all(void)
{
	pid_t pid = fork_child();
	pthread_t thread;

	if (pid == 0) {
		expect(pthread_create(&thread, NULL, crash, NULL) == 0);
		sleep_forever(NULL);
	}
	expect_killed(pid, SIGSEGV);
}

static void *fork_in_thread(void *number)
{
	pid_t pid = fork_child();

	if (pid == 0)
		_exit(9); /* the other threads do not exist here */
	expect_exit(pid, 9);
	return (char *)number + 100;
}

static void fork_from_threads(void)
{
	run_threads(fork_in_thread);
}

static long futex(void *word, int operation, uint32_t value, const struct timespec *timeout)
{
	errno = 0;
	return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

static void futex_errors(void)
{
	static uint32_t word = 5;
	struct timespec soon = {.tv_nsec = 5000000}, bad = {.tv_nsec = -1};

	expect_errno(futex(&word, FUTEX_WAIT, 4, NULL), EAGAIN); /* another value: at once */
	expect_errno(futex(&word, FUTEX_WAIT_PRIVATE, 6, NULL), EAGAIN);
	expect_errno(futex(&word, FUTEX_WAIT, 5, &soon), ETIMEDOUT);
	expect_errno(futex(&word, FUTEX_WAIT_PRIVATE, 5, &soon), ETIMEDOUT);
	expect_errno(futex(&word, FUTEX_WAIT, 5, &bad), EINVAL);
	expect_errno(futex((char *)&word + 1, FUTEX_WAIT, 5, &soon), EINVAL); /* misaligned */
	expect_errno(futex((char *)&word + 2, FUTEX_WAKE, 1, NULL), EINVAL);
	expect_errno(futex(NULL, FUTEX_WAIT, 0, &soon), EFAULT);
	expect_errno(futex(free_range(PAGE), FUTEX_WAIT, 0, &soon), EFAULT);
	expect_errno(futex(&word, 99, 0, NULL), ENOSYS);
	expect_equal(futex(&word, FUTEX_WAKE, 1, NULL), 0); /* nobody waits */
}

static uint32_t futex_word;

static void *wait_on_word(void *number)
{
	while (__atomic_load_n(&futex_word, __ATOMIC_SEQ_CST) == 0)
		futex(&futex_word, FUTEX_WAIT_PRIVATE, 0, NULL);
	return (char *)number + 100;
}

static void *wake_all(void *unused)
{
	sleep_ms(10);
	__atomic_store_n(&futex_word, 1, __ATOMIC_SEQ_CST);
	futex(&futex_word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL);
	return unused;
}

static void futex_wakes_all(void)
{
	pthread_t waker;

	expect(pthread_create(&waker, NULL, wake_all, NULL) == 0);
	run_threads(wait_on_word);
	expect(pthread_join(waker, NULL) == 0);
}

static volatile int handled_by;

static void note_thread(int signal)
{
	(void)signal;
	handled_by = (int)syscall(SYS_gettid);
}

static void *wait_for_signal(void *tid)
{
	*(volatile int *)tid = (int)syscall(SYS_gettid);
	while (handled_by == 0)
		sleep_ms(1);
	return NULL;
}

static void signal_to_a_thread(void)
{
	pthread_t thread;
	volatile int tid = 0;

	signal(SIGUSR1, note_thread);
	expect(pthread_create(&thread, NULL, wait_for_signal, (void *)(uintptr_t)&tid) == 0);
	while (tid == 0)
		sleep_ms(1);
	expect_equal(pthread_kill(thread, SIGUSR1), 0);
	expect(pthread_join(thread, NULL) == 0);
	expect_equal(handled_by, tid);
}

static void *overflow_stack(void *number)
{
	volatile char frame[4096];

	frame[0] = 1;
	return number == NULL ? NULL : (char *)overflow_stack((char *)number + frame[0]) + frame[0];
}

static void guard_page(void)
{
	pid_t pid = fork_child();
	pthread_t thread;

	if (pid == 0) {
		expect(pthread_create(&thread, NULL, overflow_stack, &pid) == 0);
		pthread_join(thread, NULL);
		child_end();
	}
	expect_killed(pid, SIGSEGV);
}

static const struct tap_case cases[] = {
	{"threads have one pid and their own tid", identities},
	{"a mutex excludes", mutual_exclusion},
	{"a condition variable passes the turn", condition_variable},
	{"a timed wait times out", timed_wait},
	{"thread-local data is each thread's own", thread_local},
	{"threads fault on the same pages at once", faults_at_once},
	{"threads map and unmap at once", mapping_at_once},
	{"two hundred and forty threads in turn", many_in_turn},
	{"exit and SIGKILL end all threads", exit_ends_all},
	{"a crash ends all threads", crash_ends_all},
	{"each thread can fork", fork_from_threads},
	{"futex errors", futex_errors},
	{"a futex wakes all that wait", futex_wakes_all},
	{"a signal to one thread", signal_to_a_thread},
	{"the page below a thread's stack is fatal (lab 34)", guard_page},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
