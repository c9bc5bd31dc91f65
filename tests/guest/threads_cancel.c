/*
 * threads_cancel.c - cancellation, cleanup handlers, keys with destructors, thread-local storage:
 * what a library makes of signals, futexes and the FS base.
 */
#include "threads.h"

#include <semaphore.h>

static _Atomic int started, cleaned, go_on;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int pipe_fds[2];

static void clean(void *amount)
{
	cleaned += (int)(long)amount;
}

/* Places to sleep in that are cancellation points. */
static void in_pause(void)
{
	pause();
}

static void in_read(void)
{
	char byte;

	(void)!read(pipe_fds[0], &byte, 1);
}

static void in_sleep(void)
{
	sleep(3600);
}

static void in_semaphore(void)
{
	sem_wait(&semaphore);
}

static void unlock(void *locked)
{
	pthread_mutex_unlock(locked);
}

static void in_condition(void)
{
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlock, &mutex);
	for (;;)
		pthread_cond_wait(&never, &mutex);
	pthread_cleanup_pop(0);
}

static void in_testcancel(void)
{
	for (;;)
		pthread_testcancel();
}

static const struct {
	const char *name;
	void (*sleep)(void);
} places[] = {
	{"pause", in_pause},	    {"read", in_read},		 {"sleep", in_sleep},
	{"sem_wait", in_semaphore}, {"cond_wait", in_condition}, {"testcancel", in_testcancel},
};

static void *sleep_there(void *place)
{
	pthread_cleanup_push(clean, (void *)1);
	pthread_cleanup_push(clean, (void *)10);
	started++;
	for (;;)
		places[(long)place].sleep();
	pthread_cleanup_pop(1);
	pthread_cleanup_pop(1);
	return NULL;
}

static void deferred(void)
{
	pthread_t thread;

	expect(pipe(pipe_fds) == 0 && sem_init(&semaphore, 0, 0) == 0);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
			cleaned = started = 0;
			start_thread(&thread, sleep_there, i);
			if (round % 2) /* else it may be cancelled before it begins */
				await_value(&started, 1);
			check(places[i].name, pthread_cancel(thread) == 0);
			join_thread(thread, PTHREAD_CANCELED);
			check(places[i].name, cleaned == 11 * started);
		}
	}
	expect_equal(pthread_mutex_trylock(&mutex), 0); /* the cleanup handler unlocked it */
}

static void *spin(void *unused)
{
	int old;

	expect_equal(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old), 0);
	expect_equal(old, PTHREAD_CANCEL_DEFERRED);
	pthread_cleanup_push(clean, (void *)1);
	started++;
	for (;;)
		__asm__ volatile("pause");
	pthread_cleanup_pop(1);
	return unused;
}

static void asynchronous(void)
{
	pthread_t threads[4];

	for (int round = 0; round < 10; round++) {
		cleaned = started = 0;
		for (int i = 0; i < 4; i++)
			start_thread(&threads[i], spin, NULL);
		await_value(&started, 4);
		for (int i = 0; i < 4; i++)
			expect_equal(pthread_cancel(threads[i]), 0);
		for (int i = 0; i < 4; i++)
			join_thread(threads[i], PTHREAD_CANCELED);
		expect_equal(cleaned, 4);
	}
}

static void *disable(void *unused)
{
	int old;

	(void)unused;
	expect_equal(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
	started++;
	await_value(&go_on, 1);
	pthread_testcancel();
	cleaned++; /* it gets so far */
	expect_equal(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
	expect_equal(old, PTHREAD_CANCEL_DISABLE);
	pthread_testcancel();
	cleaned++; /* but not here */
	return NULL;
}

static void disabled(void)
{
	pthread_t thread;

	start_thread(&thread, disable, NULL);
	await_value(&started, 1);
	expect_equal(pthread_cancel(thread), 0);
	go_on = 1;
	join_thread(thread, PTHREAD_CANCELED);
	expect_equal(cleaned, 1);
}

static void *join_that(void *thread)
{
	started++;
	pthread_join(*(pthread_t *)thread, NULL);
	return NULL;
}

static void cancelled_join(void)
{
	pthread_t sleeper, joiner;

	expect_equal(pipe(pipe_fds), 0);
	start_thread(&sleeper, sleep_there, 0);
	start_thread(&joiner, join_that, &sleeper);
	await_value(&started, 2);
	expect_equal(pthread_cancel(joiner), 0);
	join_thread(joiner, PTHREAD_CANCELED);
	expect_equal(pthread_cancel(sleeper), 0); /* still to be joined */
	join_thread(sleeper, PTHREAD_CANCELED);
}

static void *exit_with_handlers(void *unused)
{
	(void)unused;
	pthread_cleanup_push(clean, (void *)1);
	pthread_cleanup_push(clean, (void *)10);
	pthread_exit((void *)5);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
}

static void exit_runs_handlers(void)
{
	pthread_t thread;

	start_thread(&thread, exit_with_handlers, NULL);
	join_thread(thread, 5);
	expect_equal(cleaned, 11);
}

enum { KEYS = 40 };
static pthread_key_t keys[KEYS];

/* Sets itself again twice: destructors run in rounds until nothing is left. */
static void destroy(void *value)
{
	cleaned++;
	if ((long)value > 1)
		expect_equal(pthread_setspecific(keys[0], (char *)value - 1), 0);
}

static void *use_keys(void *unused)
{
	for (long i = 0; i < KEYS; i++) {
		expect(pthread_getspecific(keys[i]) == NULL);
		expect_equal(pthread_setspecific(keys[i], (void *)(i == 0 ? 3l : 1l)), 0);
	}
	sched_yield();
	for (long i = 0; i < KEYS; i++)
		expect_equal(pthread_getspecific(keys[i]), i == 0 ? 3 : 1);
	return unused;
}

static void *use_keys_and_forget_number(void *number)
{
	(void)number;
	return use_keys(NULL);
}

static void keys_and_destructors(void)
{
	for (int i = 0; i < KEYS; i++)
		expect_equal(pthread_key_create(&keys[i], destroy), 0);
	run_in_threads(6, use_keys_and_forget_number);
	expect_equal(cleaned, 6 * (KEYS - 1 + 3));
}

static __thread long local_data = 7;
static __thread char local_bss[8192];
static __thread long aligned_local __attribute__((aligned(64))) = 9;

static void *use_locals(void *number)
{
	expect_equal((uintptr_t)&aligned_local % 64, 0);
	expect(local_data == 7 && aligned_local == 9);
	expect_filled(local_bss, 0, sizeof(local_bss));
	for (int i = 0; i < 200; i++) {
		memset(local_bss, (int)(long)number + 1, sizeof(local_bss));
		local_data = (long)number;
		if (i % 8 == 0)
			sched_yield();
		expect_filled(local_bss, (int)(long)number + 1, sizeof(local_bss));
		expect_equal(local_data, number);
	}
	return NULL;
}

static void locals(void)
{
	run_in_threads(6, use_locals);
	expect(local_data == 7 && aligned_local == 9);
	expect_filled(local_bss, 0, sizeof(local_bss));
}

static void *fork_with_locals(void *number)
{
	pid_t pid;

	local_data = 100 + (long)number;
	pid = fork_child();
	if (pid == 0)
		_exit((int)local_data);
	expect_exit(pid, 100 + (int)(long)number);
	return NULL;
}

static void locals_survive_fork(void)
{
	run_in_threads(4, fork_with_locals);
}

/* Each thread's floating point registers and rounding are its own. */
static void *compute(void *number)
{
	double sum = 0, step = 1.0 / (double)((long)number + 3);
	uint32_t mxcsr, mine = 0x1f80 | ((uint32_t)(uintptr_t)number & 3) << 13;

	__asm__ volatile("ldmxcsr %0" : : "m"(mine));
	for (int i = 0; i < 20000; i++) {
		sum += step;
		if (i % 1000 == 0) {
			sched_yield();
			__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
			expect_equal(mxcsr & 0x6000, mine & 0x6000);
		}
	}
	expect(sum > 20000 * step * 0.999999 && sum < 20000 * step * 1.000001);
	return NULL;
}

static void floating_point(void)
{
	run_in_threads(6, compute);
}

static void set_once(void)
{
	sched_yield();
	cleaned++;
}

static void *call_once_each(void *unused)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)unused;
	expect_equal(pthread_once(&once, set_once), 0);
	expect_equal(cleaned, 1); /* nobody goes on before it is done */
	return NULL;
}

static void once(void)
{
	run_in_threads(8, call_once_each);
}

static const struct tap_case cases[] = {
	{"cancellation of a thread that sleeps", deferred},
	{"cancellation of one that does not", asynchronous},
	{"cancellation put off", disabled},
	{"cancellation of a join", cancelled_join},
	{"pthread_exit runs cleanup handlers", exit_runs_handlers},
	{"keys and their destructors", keys_and_destructors},
	{"thread-local data", locals},
	{"a forked child has its thread's", locals_survive_fork},
	{"floating point state is each thread's own", floating_point},
	{"once", once},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
