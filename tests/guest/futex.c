/*
 * futex.c - the futex operations themselves, without a library between: wait, wake, requeue,
 * wake_op, bitsets, timeouts by both clocks, shared memory, robust lists.
 */
#include "threads.h"

static _Atomic int word, second_word, woken;

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
		start_thread(&threads[i], wait_once, NULL);
	await_sleepers(&word, count, FUTEX_PRIVATE_FLAG);
}

static void expect_woken(int count)
{
	while (woken < count)
		sched_yield();
	sleep_ms(5); /* more than that would be wrong too */
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
	await_sleepers(&word, 2, FUTEX_PRIVATE_FLAG);
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
	await_sleepers(shared + 1, 1, 0);
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
	await_sleepers(two, 1, 0);
	expect_equal(futex(one + PAGE / sizeof(int), FUTEX_WAKE, 9, NULL, NULL, 0), 1);
	expect_exit(pid, 0);
}

static void private_copies_are_apart(void)
{
	struct gate asleep;
	pthread_t thread;
	pid_t pid;

	gate_make(&asleep);
	pid = fork_child();
	if (pid == 0) {
		start_thread(&thread, wait_once, NULL);
		await_sleepers(&word, 1, FUTEX_PRIVATE_FLAG);
		gate_open(&asleep);
		pause();
	}
	gate_pass(&asleep);
	expect_equal(futex_sleepers(&word, FUTEX_PRIVATE_FLAG), 0);
	expect_equal(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
	kill(pid, SIGKILL);
	expect_killed(pid, SIGKILL);
}

/* Who says private and who does not never meet, in private memory either. */
static void private_flag(void)
{
	pthread_t thread;

	start_thread(&thread, wait_once, NULL);
	await_sleepers(&word, 1, FUTEX_PRIVATE_FLAG);
	expect_equal(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	expect_equal(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	join_thread(thread, 0);
}

static void counts(void)
{
	pthread_t threads[6];

	start_waiters(threads, 6);
	/* No number and a negative one wake one, as Linux does. */
	expect_equal(futex(&word, FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0), 1);
	expect_equal(futex(&word, FUTEX_WAKE_PRIVATE, -1, NULL, NULL, 0), 1);
	expect_equal(futex_counts(&word, FUTEX_REQUEUE_PRIVATE, 0, 2, &word, 0), 2);
	expect_equal(futex_counts(&word, FUTEX_REQUEUE_PRIVATE, 1, 9, &word, 0), 4);
	expect_equal(futex_counts(&word, FUTEX_REQUEUE_PRIVATE, 1, 0, &second_word, 0), 1);
	expect_errno(futex_counts(&word, FUTEX_REQUEUE_PRIVATE, 0, -1, &second_word, 0), EINVAL);
	expect_equal(futex_sleepers(&word, FUTEX_PRIVATE_FLAG), 2);
	expect_equal(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 2);
	for (int i = 0; i < 6; i++)
		join_thread(threads[i], 0);
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
		/* Holding it, with somebody waiting: glibc's lock word is the first of the mutex.
		 */
		await_sleepers((_Atomic int *)mutex, 1, 0);
		_exit(0);
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

/* A list as glibc keeps it, with locks in each state a lock can be in when its owner dies. */
static void robust_list_walk(void)
{
	struct robust_lock {
		struct robust_list list;
		_Atomic int word;
	} *locks = (struct robust_lock *)map_anon(PAGE, RW, MAP_SHARED);
	struct robust_list_head *head = (struct robust_list_head *)(locks + 6);
	struct gate ready;
	pid_t pid;

	gate_make(&ready);
	pid = fork_child();
	if (pid == 0) {
		int tid = own_tid();

		head->futex_offset = offsetof(struct robust_lock, word);
		head->list.next = &locks[0].list;
		for (int i = 0; i < 3; i++)
			locks[i].list.next = i < 2 ? &locks[i + 1].list : &head->list;
		head->list_op_pending =
			&locks[3].list; /* released, but the waker died before it woke */
		locks[0].word = tid;
		locks[1].word = tid + 1; /* somebody else's */
		locks[2].word = tid | (int)FUTEX_WAITERS;
		locks[4].word = tid; /* not in the list */
		expect(syscall(SYS_set_robust_list, head, sizeof(*head)) == 0);
		gate_pass(&ready);
		_exit(0);
	}
	for (int i = 2; i <= 3; i++) {
		if (fork_child() != 0)
			continue;
		while (!locks[4].word)
			sched_yield();
		futex(&locks[i].word, FUTEX_WAIT, locks[i].word, NULL, NULL, 0);
		_exit(0);
	}
	await_sleepers(&locks[2].word, 1, 0);
	await_sleepers(&locks[3].word, 1, 0);
	gate_open(&ready);
	expect_exit(pid, 0);
	for (int i = 2; i <= 3; i++)
		expect(wait(NULL) > 0);
	expect_equal(locks[0].word, FUTEX_OWNER_DIED);
	expect_equal(locks[1].word, pid + 1);
	expect_equal((unsigned)locks[2].word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
	expect_equal(locks[3].word, 0);
	expect_equal(locks[4].word, pid);
}

static void robust_list_is_told(void)
{
	struct robust_list_head head, *told;
	size_t size = 0;

	expect(syscall(SYS_set_robust_list, &head, sizeof(head)) == 0);
	expect(syscall(SYS_get_robust_list, 0, &told, &size) == 0);
	expect(told == &head && size == sizeof(head));
	told = NULL;
	expect(syscall(SYS_get_robust_list, own_tid(), &told, &size) == 0 && told == &head);
	expect_errno(syscall(SYS_get_robust_list, 0, NULL, &size), EFAULT);
	expect_errno(syscall(SYS_get_robust_list, 0x3fffffff, &told, &size), ESRCH);
	expect(syscall(SYS_set_robust_list, NULL, sizeof(head)) == 0);
}

static void note_signal(int signal)
{
	(void)signal;
}

static void *kick_until_told(void *tid)
{
	while (second_word == 0) {
		syscall(SYS_tgkill, getpid(), (int)(long)tid, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

/* With a timeout a signal's handler always ends the wait; without one SA_RESTART matters. */
static void signals_interrupt(void)
{
	struct sigaction action = {.sa_handler = note_signal, .sa_flags = SA_RESTART};
	struct timespec hour = {.tv_sec = 3600}, end = in_50_ms(CLOCK_MONOTONIC);
	const int any = (int)FUTEX_BITSET_MATCH_ANY;
	pthread_t thread;

	end.tv_sec += 3600;
	sigaction(SIGUSR1, &action, NULL);
	start_thread(&thread, kick_until_told, own_tid());
	expect_errno(futex(&word, FUTEX_WAIT_PRIVATE, 0, &hour, NULL, 0), EINTR);
	expect_errno(futex(&word, FUTEX_WAIT_BITSET, 0, &end, NULL, any), EINTR);
	action.sa_flags = 0;
	sigaction(SIGUSR1, &action, NULL);
	expect_errno(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINTR);
	expect_errno(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, any), EINTR);
	second_word = 1;
	join_thread(thread, 0);
}

static void errors(void)
{
	_Atomic int *odd = (_Atomic int *)((char *)&word + 1),
		    *nowhere = (_Atomic int *)free_range(PAGE),
		    *kernel = (_Atomic int *)(1ul << 63);
	struct timespec *bad_time = (struct timespec *)nowhere, past = {.tv_sec = 1};
	const int any = (int)FUTEX_BITSET_MATCH_ANY;

	expect_errno(futex(odd, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINVAL);
	expect_errno(futex(odd, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	expect_errno(futex_counts(&word, FUTEX_REQUEUE_PRIVATE, 1, 1, odd, 0), EINVAL);
	expect_errno(futex(nowhere, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
	expect_errno(futex(nowhere, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	expect_errno(futex(nowhere, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	expect_equal(futex(nowhere, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	expect_errno(futex(kernel, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EFAULT);
	expect_errno(futex(kernel, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	expect_errno(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
	expect_errno(futex(&word, FUTEX_FD, 0, NULL, NULL, 0), ENOSYS);
	expect_errno(futex(&word, FUTEX_WAKE | 0x1000, 0, NULL, NULL, 0), ENOSYS);
	expect_errno(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 0), ENOSYS);
	expect_errno(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	expect_errno(futex(&word, FUTEX_WAIT, 0, bad_time, NULL, 0), EFAULT);
	expect_errno(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0), EINVAL);
	expect_errno(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &past, NULL, any), ETIMEDOUT);
	expect_errno(futex_counts(&word, FUTEX_REQUEUE_PRIVATE, -1, 1, &second_word, 0), EINVAL);
	expect_errno(futex_counts(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, -1, &second_word, 0),
		     EINVAL);
	expect_errno(futex_counts(nowhere, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, &word, 0), EFAULT);
	expect_errno(futex_counts(&word, FUTEX_WAKE_OP_PRIVATE, 1, 1, nowhere, 0), EFAULT);
	expect_errno(futex_counts(&word, FUTEX_WAKE_OP_PRIVATE, 1, 1, &second_word, 7 << 28),
		     ENOSYS);
	expect_errno(futex_counts(&word, FUTEX_WAKE_OP_PRIVATE, 1, 1, &second_word, 7 << 24),
		     ENOSYS);
}

/* Linux looks at the page of a futex that may be shared, and for its rights. */
static void rights(void)
{
	_Atomic int *none = (_Atomic int *)map_anon(PAGE, PROT_NONE, MAP_PRIVATE),
		    *read_only = (_Atomic int *)map_anon(PAGE, PROT_READ, MAP_PRIVATE),
		    *shared = (_Atomic int *)map_anon(PAGE, PROT_READ, MAP_SHARED), *past_end;
	int fd;

	expect_errno(futex(none, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	expect_errno(futex(none, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
	expect_equal(futex(none, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	expect_errno(futex(read_only, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	expect_errno(futex(read_only, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EAGAIN);
	expect_equal(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	expect_errno(futex(shared, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	expect_equal(futex_counts(&word, FUTEX_REQUEUE, 1, 1, shared, 0), 0);
	expect_errno(futex_counts(&word, FUTEX_REQUEUE, 1, 1, read_only, 0), EFAULT);
	expect_errno(futex_counts(&word, FUTEX_WAKE_OP, 1, 1, shared, 0), EFAULT);
	expect_errno(futex_counts(&word, FUTEX_WAKE_OP_PRIVATE, 1, 1, read_only, 0), EFAULT);
	scratch_enter();
	fd = file_create("file", 1);
	past_end = (_Atomic int *)(map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0) + PAGE);
	expect_errno(futex(past_end, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	expect_errno(futex(past_end, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
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
	{"each lock of a robust list is marked, and a waiter woken", robust_list_walk},
	{"get_robust_list tells what was set", robust_list_is_told},
	{"who says private meets nobody who does not", private_flag},
	{"counts: none, negative, the same word", counts},
	{"signals end a wait, or it starts again", signals_interrupt},
	{"errors", errors},
	{"memory that cannot be read or written", rights},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
