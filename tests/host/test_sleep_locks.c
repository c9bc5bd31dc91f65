/*
 * tests/host/test_sleep_locks.c - kernel/mutex.c and kernel/rw_lock.c between real threads.
 *
 * Each thread is a task on a processor whose number it changes as it likes: a reader leaves on
 * another one than it entered. What the locks guard is plain memory, and the thread sanitizer's
 * build of this test would report an access that they do not order. One thread only wakes
 * the others for no reason.
 */
#include "host_kernel.h"

#include <kernel/base/rw_lock.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 6, ROUNDS = 10000 };

static struct task tasks[WORKERS + 1];
static _Thread_local uint64_t dice;
static struct mutex mutex;
static struct rw_lock rw;
static uint64_t guarded[4]; /* all the same whenever nobody writes */
static _Atomic int readers_inside, writers_inside;
static _Atomic bool workers_done;

/* ---- tasks ---- */

void schedule(void)
{
	struct task *task = current_task();

	assert_int_equal(host_cpu.preempt_count, 0);
	pthread_mutex_lock(&task->mutex);
	while (atomic_load(&task->state) == TASK_SLEEPING)
		pthread_cond_wait(&task->woken, &task->mutex);
	pthread_mutex_unlock(&task->mutex);
}

bool task_wake(struct task *task)
{
	bool asleep;

	pthread_mutex_lock(&task->mutex);
	asleep = atomic_exchange(&task->state, TASK_RUNNABLE) == TASK_SLEEPING;
	if (asleep)
		pthread_cond_signal(&task->woken);
	pthread_mutex_unlock(&task->mutex);
	return asleep;
}

static void become(unsigned number)
{
	host_cpu = (struct cpu){.id = number, .current = &tasks[number]};
	dice = number + 1;
}

static unsigned roll(unsigned sides)
{
	dice = dice * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(dice >> 33) % sides;
}

static void wander(void)
{
	host_cpu.id = roll(CPU_MAX);
	if (roll(4) == 0)
		sched_yield();
}

static int begin(void **state)
{
	(void)state;
	memset(tasks, 0, sizeof(tasks));
	for (unsigned i = 0; i < ARRAY_SIZE(tasks); i++) {
		pthread_mutex_init(&tasks[i].mutex, NULL);
		pthread_cond_init(&tasks[i].woken, NULL);
	}
	memset(&rw, 0, sizeof(rw));
	rw_init(&rw, RANK_SPACE);
	mutex_init(&mutex, RANK_INODE);
	memset(guarded, 0, sizeof(guarded));
	atomic_store(&workers_done, false);
	become(0);
	return 0;
}

/* ---- many threads ---- */

static void write_guarded(void)
{
	assert_int_equal(atomic_fetch_add(&writers_inside, 1), 0);
	assert_int_equal(atomic_load(&readers_inside), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(guarded); i++)
		guarded[i]++;
	wander();
	atomic_fetch_sub(&writers_inside, 1);
}

static void read_guarded(void)
{
	atomic_fetch_add(&readers_inside, 1);
	assert_int_equal(atomic_load(&writers_inside), 0);
	for (unsigned i = 1; i < ARRAY_SIZE(guarded); i++)
		assert_int_equal(guarded[i], guarded[0]);
	wander();
	atomic_fetch_sub(&readers_inside, 1);
}

/* The number of a worker says how often it writes: 1 hardly ever, the last every second time. */
static void *rw_worker(void *number)
{
	uintptr_t writes = 0;

	become((unsigned)(uintptr_t)number);
	for (unsigned round = 0; round < ROUNDS; round++) {
		wander();
		if (roll(2 * WORKERS) < (uintptr_t)number) {
			rw_write_lock(&rw);
			write_guarded();
			rw_write_unlock(&rw);
			writes++;
		} else {
			rw_read_lock(&rw);
			read_guarded();
			rw_read_unlock(&rw);
		}
		host_assert_idle();
	}
	return (void *)writes;
}

static void *mutex_worker(void *number)
{
	become((unsigned)(uintptr_t)number);
	for (unsigned round = 0; round < ROUNDS; round++) {
		wander();
		mutex_lock(&mutex);
		write_guarded();
		mutex_unlock(&mutex);
		host_assert_idle();
	}
	return (void *)(uintptr_t)ROUNDS;
}

static void *needless_waker(void *unused)
{
	(void)unused;
	become(0);
	while (!atomic_load(&workers_done)) {
		(void)task_wake(&tasks[1 + roll(WORKERS)]);
		sched_yield();
	}
	return NULL;
}

/* Runs the workers; the sum of what they return. */
static uint64_t run_workers(void *(*worker)(void *number))
{
	pthread_t threads[WORKERS], waker;
	uint64_t sum = 0;

	assert_int_equal(pthread_create(&waker, NULL, needless_waker, NULL), 0);
	for (uintptr_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, worker, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		sum += (uintptr_t)result;
	}
	atomic_store(&workers_done, true);
	assert_int_equal(pthread_join(waker, NULL), 0);
	return sum;
}

static void rw_many(void **state)
{
	uint64_t writes = run_workers(rw_worker);
	uint32_t sum = 0;

	(void)state;
	assert_int_equal(guarded[0], writes);
	assert_null(atomic_load(&rw.writer));
	assert_true(list_empty(&rw.waiting_readers) && list_empty(&rw.waiting_writers));
	for (unsigned i = 0; i < CPU_MAX; i++)
		sum += atomic_load(&rw.readers[i].count);
	assert_int_equal(sum, 0);
}

static void mutex_many(void **state)
{
	uint64_t rounds = run_workers(mutex_worker);

	(void)state;
	assert_int_equal(guarded[0], rounds);
	assert_int_equal(atomic_load(&mutex.owner), 0);
	assert_true(list_empty(&mutex.waiters));
}

/* ---- who comes when ---- */

static _Atomic unsigned turns;       /* how many have had the lock so far */
static _Atomic unsigned turn_of[WORKERS + 1];

static void take_turn(void)
{
	unsigned self = (unsigned)(current_task() - tasks);

	atomic_store(&turn_of[self], atomic_fetch_add(&turns, 1) + 1);
}

static void *reader_once(void *number)
{
	become((unsigned)(uintptr_t)number);
	rw_read_lock(&rw);
	take_turn();
	rw_read_unlock(&rw);
	return NULL;
}

static void *writer_once(void *number)
{
	become((unsigned)(uintptr_t)number);
	rw_write_lock(&rw);
	take_turn();
	rw_write_unlock(&rw);
	return NULL;
}

static void *mutex_once(void *number)
{
	become((unsigned)(uintptr_t)number);
	mutex_lock(&mutex);
	take_turn();
	mutex_unlock(&mutex);
	return NULL;
}

static unsigned line_length(struct spinlock *guard, const struct list_node *line)
{
	const struct list_node *node;
	unsigned count = 0;

	spin_lock(guard);
	for (node = line->next; node != line; node = node->next)
		count++;
	spin_unlock(guard);
	return count;
}

static pthread_t start(void *(*worker)(void *number), uintptr_t number)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, worker, (void *)number), 0);
	return thread;
}

static void until_in_line(struct spinlock *guard, const struct list_node *line, unsigned length)
{
	while (line_length(guard, line) != length)
		sched_yield();
}

/*
 * A reader is inside when writer 1 comes, then writer 2 and readers 3 and 4. They get their turns
 * as: writer 1, both readers, writer 2.
 */
static void rw_phases(void **state)
{
	pthread_t threads[4];

	(void)state;
	atomic_store(&turns, 0);
	host_cpu.id = 3;
	rw_read_lock(&rw);
	threads[0] = start(writer_once, 1);
	while (!atomic_load(&rw.writer))
		sched_yield();
	threads[1] = start(writer_once, 2);
	until_in_line(&rw.lock, &rw.waiting_writers, 1);
	threads[2] = start(reader_once, 3);
	threads[3] = start(reader_once, 4);
	until_in_line(&rw.lock, &rw.waiting_readers, 2);
	assert_int_equal(atomic_load(&turns), 0);
	for (unsigned i = 0; i < CPU_MAX; i++) /* who was turned away has left no trace */
		assert_int_equal(atomic_load(&rw.readers[i].count), i == 3);
	host_cpu.id = 5; /* leaves elsewhere than it entered */
	rw_read_unlock(&rw);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&turn_of[1]), 1);
	assert_in_range(atomic_load(&turn_of[3]), 2, 3);
	assert_in_range(atomic_load(&turn_of[4]), 2, 3);
	assert_int_equal(atomic_load(&turn_of[2]), 4);
}

/* Those in line get the mutex in the order in which they came. */
static void mutex_line(void **state)
{
	pthread_t threads[WORKERS];

	(void)state;
	atomic_store(&turns, 0);
	mutex_lock(&mutex);
	for (unsigned i = 0; i < WORKERS; i++) {
		threads[i] = start(mutex_once, i + 1);
		until_in_line(&mutex.lock, &mutex.waiters, i + 1);
	}
	mutex_unlock(&mutex);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (unsigned i = 1; i <= WORKERS; i++)
		assert_int_equal(atomic_load(&turn_of[i]), i);
}

static bool is_to_be_handed_over(void)
{
	bool result;

	spin_lock(&mutex.lock);
	result = mutex.hand_over;
	spin_unlock(&mutex.lock);
	return result;
}

/* Whoever takes the mutex again and again cannot keep somebody in line from it. */
static void mutex_passed_over(void **state)
{
	unsigned passed_over = 0;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		pthread_t thread;

		atomic_store(&turns, 0);
		mutex_lock(&mutex);
		thread = start(mutex_once, 1);
		until_in_line(&mutex.lock, &mutex.waiters, 1);
		mutex_unlock(&mutex);
		mutex_lock(&mutex); /* most likely before the other one wakes up */
		if (atomic_load(&turns) == 0) {
			while (!is_to_be_handed_over())
				sched_yield();
			passed_over++;
			mutex_unlock(&mutex);
			mutex_lock(&mutex);
			assert_int_equal(atomic_load(&turns), 1);
		}
		mutex_unlock(&mutex);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	assert_true(passed_over > 0);
}

/* After each panic the lock is as it was then: made anew. */
static void misuse(void **state)
{
	mutex_lock(&mutex);
	assert_panics("owner", mutex_lock(&mutex));
	begin(state);
	assert_panics("owner", mutex_unlock(&mutex));
	begin(state);
	rw_write_lock(&rw);
	assert_panics("writer", rw_read_lock(&rw));
	begin(state);
	rw_write_lock(&rw);
	assert_panics("writer", rw_write_lock(&rw));
	begin(state);
	assert_panics("writer", rw_write_unlock(&rw));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(rw_many, begin),
	    cmocka_unit_test_setup(rw_phases, begin),
	    cmocka_unit_test_setup(mutex_many, begin),
	    cmocka_unit_test_setup(mutex_line, begin),
	    cmocka_unit_test_setup(mutex_passed_over, begin),
	    cmocka_unit_test_setup(misuse, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
