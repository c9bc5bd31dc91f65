/*
 * futex.c - the futex operations themselves, without a library between: wait, wake, requeue,
 * wake_op, bitsets, timeouts by both clocks, shared memory, robust lists.
 */
#include "helpers.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>

static _Atomic int word, second_word, woken;

static long futex(_Atomic int *address, int operation, int value, const struct timespec *timeout,
		  _Atomic int *address2, int value3)
{
	return syscall(SYS_futex, address, operation, value, timeout, address2, value3);
}

/* Where an operation takes a second count instead of a timeout. */
static long futex_counts(_Atomic int *address, int operation, int count, int count2,
			 _Atomic int *address2, int value3)
{
	return syscall(SYS_futex, address, operation, count, (long)count2, address2, value3);
}

static void *wait_once(void *bitset)
{
	int bits = bitset ? (int)(long)bitset : (int)FUTEX_BITSET_MATCH_ANY;

	if (futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, bits) == 0)
		woken++;
	return NULL;
}

static void start_waiters(pthread_t *threads, int count)
{
	for (int i = 0; i < count; i++)
		expect(pthread_create(&threads[i], NULL, wait_once, NULL) == 0);
	sleep_ms(50);
}

static void expect_woken(int count)
{
	for (int i = 0; i < 400 && woken < count; i++)
		sleep_ms(5);
	sleep_ms(20); /* more than that would be wrong too */
	expect_equal(woken, count);
}

static void wakes_as_many(void)
{
	pthread_t threads[6];

	start_waiters(threads, 6);
	expect_equal(futex(&word, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
	expect_woken(2);
	expect_equal(futex(&second_word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
	expect_equal(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 4);
	expect_woken(6);
}

static void another_value(void)
{
	expect_errno(futex(&word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EAGAIN);
	expect_errno(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
}

static void requeues(void)
{
	pthread_t threads[8];

	start_waiters(threads, 8);
	expect_errno(futex_counts(&word, FUTEX_CMP_REQUEUE_PRIVATE, 2, 3, &second_word, 7), EAGAIN);
	expect_equal(futex_counts(&word, FUTEX_CMP_REQUEUE_PRIVATE, 2, 3, &second_word, 0), 5);
	expect_woken(2);
	expect_equal(futex(&second_word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 3);
	expect_woken(5);
	expect_equal(futex_counts(&word, FUTEX_REQUEUE_PRIVATE, 0, 1, &second_word, 0), 1);
	expect_equal(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 2);
	expect_equal(futex(&second_word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 1);
	expect_woken(8);
}

static void wake_operations(void)
{
	static const struct {
		const char *name;
		int operation, from, to;
	} rows[] = {
		{"set", FUTEX_OP(FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ, 0), 9, 5},
		{"add", FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0), 9, 14},
		{"add a negative number", FUTEX_OP(FUTEX_OP_ADD, 0xfff, FUTEX_OP_CMP_EQ, 0), 9, 8},
		{"or", FUTEX_OP(FUTEX_OP_OR, 6, FUTEX_OP_CMP_EQ, 0), 9, 15},
		{"and not", FUTEX_OP(FUTEX_OP_ANDN, 1, FUTEX_OP_CMP_EQ, 0), 9, 8},
		{"exclusive or", FUTEX_OP(FUTEX_OP_XOR, 1, FUTEX_OP_CMP_EQ, 0), 9, 8},
		{"a shifted operand",
		 FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_EQ, 0), 1, 17},
	};
	pthread_t threads[3];

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		second_word = rows[i].from;
		check(rows[i].name, futex_counts(&word, FUTEX_WAKE_OP_PRIVATE, 1, 1, &second_word,
						 rows[i].operation) == 0);
		check(rows[i].name, second_word == rows[i].to);
	}
	start_waiters(threads, 3);
	/* The comparison fails: the first word's sleepers only; it holds: the second's too. */
	second_word = 4;
	expect_equal(futex_counts(&second_word, FUTEX_WAKE_OP_PRIVATE, 1, 9, &word,
				  FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_GT, 0)),
		     0);
	expect_equal(futex_counts(&second_word, FUTEX_WAKE_OP_PRIVATE, 1, 9, &word,
				  FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_LE, 0)),
		     3);
	expect_woken(3);
}

static void bitsets(void)
{
	pthread_t one, two;

	expect(pthread_create(&one, NULL, wait_once, (void *)1l) == 0);
	expect(pthread_create(&two, NULL, wait_once, (void *)2l) == 0);
	sleep_ms(50);
	expect_equal(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 4), 0);
	expect_equal(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 2), 1);
	expect(pthread_join(two, NULL) == 0);
	expect_equal(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 3), 1);
	expect(pthread_join(one, NULL) == 0);
	expect_errno(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 0), EINVAL);
}

static struct timespec in_50_ms(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	time.tv_nsec += 50000000;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return time;
}

static bool passed(clockid_t clock, const struct timespec *time)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec > time->tv_sec ||
	       (now.tv_sec == time->tv_sec && now.tv_nsec >= time->tv_nsec);
}

static void timeouts(void)
{
	const int any = (int)FUTEX_BITSET_MATCH_ANY;
	struct timespec relative = {.tv_nsec = 50000000}, bad = {.tv_nsec = 1000000000};
	struct timespec end = in_50_ms(CLOCK_MONOTONIC), past = {.tv_sec = 1};

	expect_errno(futex(&word, FUTEX_WAIT_PRIVATE, 0, &relative, NULL, 0), ETIMEDOUT);
	expect(passed(CLOCK_MONOTONIC, &end));
	end = in_50_ms(CLOCK_MONOTONIC);
	expect_errno(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &end, NULL, any), ETIMEDOUT);
	expect(passed(CLOCK_MONOTONIC, &end));
	end = in_50_ms(CLOCK_REALTIME);
	expect_errno(
		futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &end, NULL, any),
		ETIMEDOUT);
	expect(passed(CLOCK_REALTIME, &end));
	expect_errno(
		futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &past, NULL, any),
		ETIMEDOUT);
	expect_errno(futex(&word, FUTEX_WAIT_PRIVATE, 0, &bad, NULL, 0), EINVAL);
}

static void shared_between_processes(void)
{
	_Atomic int *shared = (_Atomic int *)map_anon(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	pid_t pid = fork_child();

	if (pid == 0) {
		expect(futex(shared + 1, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 || errno == EAGAIN);
		expect(shared[1] == 3);
		child_end();
	}
	sleep_ms(50);
	expect_equal(futex(shared, FUTEX_WAKE, 9, NULL, NULL, 0), 0); /* the word beside it */
	shared[1] = 3;
	expect_equal(futex(shared + 1, FUTEX_WAKE, 9, NULL, NULL, 0), 1);
	expect_exit(pid, 0);
}

static void shared_through_a_file(void)
{
	_Atomic int *one, *two;
	pid_t pid;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	expect(ftruncate(fd, 0) == 0 && ftruncate(fd, 2 * (off_t)PAGE) == 0);
	one = (_Atomic int *)map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	two = (_Atomic int *)map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE);
	pid = fork_child();
	if (pid == 0) {
		expect(futex(two, FUTEX_WAIT, 0, NULL, NULL, 0) == 0);
		child_end();
	}
	sleep_ms(50);
	expect_equal(futex(one + PAGE / sizeof(int), FUTEX_WAKE, 9, NULL, NULL, 0), 1);
	expect_exit(pid, 0);
}

static void private_copies_are_apart(void)
{
	pid_t pid = fork_child();

	if (pid == 0) {
		struct timespec soon = {.tv_nsec = 150000000};

		expect_errno(futex(&word, FUTEX_WAIT, 0, &soon, NULL, 0), ETIMEDOUT);
		child_end();
	}
	sleep_ms(50);
	expect_equal(futex(&word, FUTEX_WAKE, 9, NULL, NULL, 0), 0);
	expect_exit(pid, 0);
}

static void robust_mutex(void)
{
	pthread_mutex_t *mutex =
		(pthread_mutex_t *)map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	pthread_mutexattr_t attributes;
	struct gate held;
	pid_t pid;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	expect(pthread_mutex_init(mutex, &attributes) == 0);
	gate_make(&held);
	pid = fork_child();
	if (pid == 0) {
		expect(pthread_mutex_lock(mutex) == 0);
		gate_open(&held);
		sleep_ms(50);
		_exit(0); /* holding it, with somebody waiting */
	}
	gate_pass(&held);
	expect_equal(pthread_mutex_lock(mutex), EOWNERDEAD);
	expect(pthread_mutex_consistent(mutex) == 0 && pthread_mutex_unlock(mutex) == 0);
	expect_exit(pid, 0);
}

static void broken_robust_lists(void)
{
	static struct robust_list_head circle;
	static const unsigned long heads[] = {1, 0x800000000000, ~7ul, 1ul << 63};

	circle.list.next = (struct robust_list *)&circle.list_op_pending;
	circle.list_op_pending =
		(struct robust_list *)&circle.list_op_pending; /* never comes back */
	expect_errno(syscall(SYS_set_robust_list, &circle, 1), EINVAL);
	for (size_t i = 0; i <= ARRAY_LENGTH(heads); i++) {
		void *head = i < ARRAY_LENGTH(heads) ? (void *)heads[i] : &circle;
		pid_t pid = fork_child();

		if (pid == 0) {
			expect(syscall(SYS_set_robust_list, head, sizeof(circle)) == 0);
			child_end();
		}
		expect_exit(pid, 0);
	}
}

static void errors(void)
{
	_Atomic int *odd = (_Atomic int *)((char *)&word + 1),
		    *nowhere = (_Atomic int *)free_range(PAGE);

	expect_errno(futex(odd, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINVAL);
	expect_errno(futex(odd, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	expect_errno(futex(nowhere, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
	expect_errno(futex(nowhere, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	expect_errno(futex(nowhere, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	expect_errno(futex((void *)(1ul << 63), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EFAULT);
	expect_errno(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
	expect_errno(futex_counts(&word, FUTEX_REQUEUE_PRIVATE, -1, 1, &second_word, 0), EINVAL);
	expect_errno(futex_counts(&word, FUTEX_WAKE_OP_PRIVATE, 1, 1, nowhere, 0), EFAULT);
	expect_errno(futex_counts(&word, FUTEX_WAKE_OP_PRIVATE, 1, 1, &second_word, 7 << 28),
		     ENOSYS);
}

static const struct tap_case cases[] = {
	{"wake wakes as many as it is told", wakes_as_many},
	{"wait with another value is EAGAIN", another_value},
	{"requeue moves sleepers, cmp_requeue compares first", requeues},
	{"wake_op: each operation, and the comparison", wake_operations},
	{"bitsets choose whom to wake", bitsets},
	{"timeouts: relative, and absolute by both clocks", timeouts},
	{"a word of shared memory is one futex for parent and child", shared_between_processes},
	{"a word of a file is one futex through any mapping", shared_through_a_file},
	{"private memory of two processes is two futexes", private_copies_are_apart},
	{"a robust mutex tells that its owner died", robust_mutex},
	{"broken robust lists hurt nobody", broken_robust_lists},
	{"errors", errors},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
