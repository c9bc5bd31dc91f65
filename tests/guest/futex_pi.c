/*
 * futex_pi.c - locks whose owner the kernel knows (FUTEX_LOCK_PI and its kin): the word's states,
 * handing over, owners that die, and what glibc makes of them (PTHREAD_PRIO_INHERIT).
 */
#include "threads.h"

static _Atomic int word;
static _Atomic int second_word;

static long lock_word(_Atomic int *address)
{
	return futex(address, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

static long unlock_word(_Atomic int *address)
{
	return futex(address, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

static void await_waiters_bit(_Atomic int *address)
{
	while (!((unsigned)*address & FUTEX_WAITERS))
		sched_yield();
}

static void states(void)
{
	const unsigned died = FUTEX_OWNER_DIED, waiters = FUTEX_WAITERS;
	int nobody = 0x3ffffff0;

	expect_equal(lock_word(&word), 0);
	expect_equal(word, own_tid());
	expect_errno(lock_word(&word), EDEADLK);
	expect_errno(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	expect_equal(unlock_word(&word), 0);
	expect_equal(word, 0);
	expect_errno(unlock_word(&word), EPERM);
	expect_equal(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), 0);
	expect_equal(word, own_tid());
	word = (int)(died | waiters);
	expect_equal(lock_word(&word), 0); /* its owner died, and nobody waits */
	expect_equal((unsigned)word, died | (unsigned)own_tid());
	expect_equal(unlock_word(&word), 0);
	expect_equal(word, 0);
	word = nobody;
	expect_errno(lock_word(&word), ESRCH);
	expect_equal((unsigned)word, waiters | (unsigned)nobody);
	word = nobody;
	expect_errno(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), ESRCH);
	expect_errno(unlock_word(&word), EPERM);
}

static void trylock_of_anothers(void)
{
	word = getppid();
	expect_errno(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
	expect_equal((unsigned)word, FUTEX_WAITERS | (unsigned)getppid());
}

static void timeouts(void)
{
	struct timespec past = {.tv_sec = 1}, bad = {.tv_nsec = -1};

	word = getppid();
	expect_errno(futex(&word, FUTEX_LOCK_PI, 0, &past, NULL, 0), ETIMEDOUT);
	expect_errno(futex(&word, FUTEX_LOCK_PI2, 0, &past, NULL, 0), ETIMEDOUT);
	expect_errno(futex(&word, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 0),
		     ETIMEDOUT);
	expect_errno(futex(&word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 0), ENOSYS);
	expect_errno(futex(&word, FUTEX_LOCK_PI, 0, &bad, NULL, 0), EINVAL);
	word = 0;
	expect_equal(futex(&word, FUTEX_LOCK_PI, 0, &past, NULL, 0), 0); /* it need not wait */
}

static void errors(void)
{
	_Atomic int *odd = (_Atomic int *)((char *)&word + 1),
		    *read_only = (_Atomic int *)map_anon(PAGE, PROT_READ, MAP_PRIVATE),
		    *nowhere = (_Atomic int *)free_range(PAGE);

	expect_errno(lock_word(odd), EINVAL);
	expect_errno(unlock_word(odd), EPERM);
	expect_errno(lock_word(nowhere), EFAULT);
	expect_errno(unlock_word(nowhere), EFAULT);
	expect_errno(lock_word(NULL), EFAULT);
	expect_errno(lock_word(read_only), EFAULT);
	expect_errno(futex(read_only, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EFAULT);
	expect_errno(lock_word((_Atomic int *)(1ul << 63)), EFAULT);
}

static void *lock_and_unlock(void *unused)
{
	(void)unused;
	expect_equal(lock_word(&word), 0);
	expect_equal((unsigned)word & FUTEX_TID_MASK, (unsigned)own_tid());
	second_word++;
	expect_equal(unlock_word(&word), 0);
	return NULL;
}

static void hands_over(void)
{
	pthread_t thread;

	expect_equal(lock_word(&word), 0);
	start_thread(&thread, lock_and_unlock, NULL);
	await_waiters_bit(&word);
	/* Others may not touch who waits there. */
	while (futex_sleepers(&word, FUTEX_PRIVATE_FLAG) == 0)
		sched_yield();
	expect_errno(futex_counts(&word, FUTEX_REQUEUE_PRIVATE, 0, 1, &second_word, 0), EINVAL);
	expect_errno(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	expect_equal(second_word, 0);
	expect_equal(unlock_word(&word), 0);
	join_thread(thread, 0);
	expect_equal(second_word, 1);
	expect_equal(word, 0);
}

static void *wait_plainly(void *unused)
{
	(void)unused;
	futex(&word, FUTEX_WAIT_PRIVATE, word, NULL, NULL, 0);
	return NULL;
}

static void not_for_plain_waits(void)
{
	pthread_t thread;

	word = own_tid();
	start_thread(&thread, wait_plainly, NULL);
	await_sleepers(&word, 1, FUTEX_PRIVATE_FLAG);
	expect_errno(unlock_word(&word), EINVAL);
	word = getppid();
	expect_errno(lock_word(&word), EINVAL);
	expect_equal(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	join_thread(thread, 0);
}

static volatile long counter;

/* As a library does it: without the kernel where nobody waits. */
static void *count_under_lock(void *unused)
{
	int tid = own_tid();

	(void)unused;
	for (int i = 0; i < 500; i++) {
		int expected = 0;

		if (!atomic_compare_exchange_strong(&word, &expected, tid))
			expect_equal(lock_word(&word), 0);
		counter = counter + 1;
		if (i % 16 == 0)
			sched_yield();
		expected = tid;
		if (!atomic_compare_exchange_strong(&word, &expected, 0))
			expect_equal(unlock_word(&word), 0);
	}
	return NULL;
}

static void excludes(void)
{
	run_in_threads(8, count_under_lock);
	expect_equal(counter, 8 * 500);
	expect_equal(word & (int)FUTEX_TID_MASK, 0);
}

static void *lock_and_die(void *unused)
{
	expect_equal(lock_word(&word), 0);
	await_waiters_bit(&word);
	while (futex_sleepers(&word, FUTEX_PRIVATE_FLAG) == 0)
		sched_yield();
	return unused;
}

static void *inherit(void *unused)
{
	expect_equal(lock_word(&word), 0);
	expect((unsigned)word & FUTEX_OWNER_DIED);
	expect_equal((unsigned)word & FUTEX_TID_MASK, (unsigned)own_tid());
	expect_equal(unlock_word(&word), 0);
	return unused;
}

/* One heir: who came later would find the dead one's number in the word, which is an error. */
static void owner_dies(void)
{
	pthread_t owner, heir;

	for (int round = 0; round < 50; round++) {
		start_thread(&owner, lock_and_die, NULL);
		while (word == 0)
			sched_yield();
		start_thread(&heir, inherit, NULL);
		join_thread(owner, 0);
		join_thread(heir, 0);
		expect_equal(word, 0);
	}
}

static void owner_process_dies(void)
{
	_Atomic int *shared = (_Atomic int *)map_anon(PAGE, RW, MAP_SHARED);
	pid_t pid = fork_child();

	if (pid == 0) {
		expect_equal(futex(shared, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
		shared[1] = 1;
		pause();
	}
	await_value(shared + 1, 1);
	if (fork_child() == 0) {
		while (futex_sleepers(shared, 0) == 0)
			sched_yield();
		kill(pid, SIGKILL);
		_exit(0);
	}
	expect_equal(futex(shared, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
	expect((unsigned)*shared & FUTEX_OWNER_DIED);
	expect_equal((unsigned)*shared & FUTEX_TID_MASK, (unsigned)own_tid());
	expect(wait(NULL) > 0 && wait(NULL) > 0);
}

static void note_signal(int signal)
{
	(void)signal;
}

/* A handler runs, and the wait goes on, whatever SA_RESTART says. */
static void signals_do_not_end_it(void)
{
	struct sigaction action = {.sa_handler = note_signal};
	_Atomic int *shared = (_Atomic int *)map_anon(PAGE, RW, MAP_SHARED);
	pid_t pid;

	sigaction(SIGUSR1, &action, NULL);
	pid = fork_child();
	if (pid == 0) {
		pid_t parent = getppid();

		expect_equal(futex(shared, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
		shared[1] = 1;
		await_waiters_bit(shared);
		for (int i = 0; i < 20; i++) {
			kill(parent, SIGUSR1);
			sched_yield();
		}
		expect_equal(futex(shared, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
		child_end();
	}
	await_value(shared + 1, 1);
	expect_equal(futex(shared, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
	expect_equal(futex(shared, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	expect_exit(pid, 0);
}

/* Waiters that give up, and others that do not, while the lock goes round. */
static void *lock_with_timeouts(void *number)
{
	struct timespec soon;

	for (int i = 0; i < 300; i++) {
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += 1000 * (i % 100);
		soon.tv_sec += soon.tv_nsec / 1000000000;
		soon.tv_nsec %= 1000000000;
		if (futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, (long)number % 2 ? &soon : NULL, NULL,
			  0)) {
			expect_equal(errno, ETIMEDOUT);
			continue;
		}
		counter = counter + 1;
		second_word++;
		expect_equal(counter, second_word);
		expect_equal(unlock_word(&word), 0);
	}
	return NULL;
}

static void giving_up(void)
{
	run_in_threads(6, lock_with_timeouts);
	expect_equal(counter, second_word);
	expect(counter >= 3 * 300);
	expect_equal(word & (int)FUTEX_TID_MASK, 0);
}

static pthread_mutex_t *shared_mutex(int kind, int robustness)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)map_anon(PAGE, RW, MAP_SHARED);
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, kind);
	expect_equal(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
	pthread_mutexattr_setrobust(&attributes, robustness);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	expect_equal(pthread_mutex_init(mutex, &attributes), 0);
	return mutex;
}

static pthread_mutex_t *mutex;

static void *count_under_mutex(void *unused)
{
	(void)unused;
	for (int i = 0; i < 500; i++) {
		expect_equal(pthread_mutex_lock(mutex), 0);
		counter = counter + 1;
		if (i % 16 == 0)
			sched_yield();
		expect_equal(pthread_mutex_unlock(mutex), 0);
	}
	return NULL;
}

static void library_mutex(void)
{
	mutex = shared_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
	run_in_threads(8, count_under_mutex);
	expect_equal(counter, 8 * 500);
	mutex = shared_mutex(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED);
	expect_equal(pthread_mutex_lock(mutex), 0);
	expect_equal(pthread_mutex_lock(mutex), EDEADLK);
	expect_equal(pthread_mutex_unlock(mutex), 0);
	expect_equal(pthread_mutex_unlock(mutex), EPERM);
	mutex = shared_mutex(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED);
	expect(pthread_mutex_lock(mutex) == 0 && pthread_mutex_lock(mutex) == 0);
	expect(pthread_mutex_unlock(mutex) == 0 && pthread_mutex_unlock(mutex) == 0);
}

/* Killed while it holds the mutex, with or without somebody waiting: its heir is told. */
static void robust_library_mutex(void)
{
	for (int waiting = 0; waiting < 2; waiting++) {
		struct gate held;
		pid_t pid;

		mutex = shared_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
		gate_make(&held);
		pid = fork_child();
		if (pid == 0) {
			expect_equal(pthread_mutex_lock(mutex), 0);
			gate_open(&held);
			if (waiting)
				while (futex_sleepers((_Atomic int *)mutex, 0) == 0)
					sched_yield();
			raise(SIGKILL);
		}
		gate_pass(&held);
		if (!waiting)
			expect_killed(pid, SIGKILL);
		expect_equal(pthread_mutex_lock(mutex), EOWNERDEAD);
		expect_equal(pthread_mutex_consistent(mutex), 0);
		expect_equal(pthread_mutex_unlock(mutex), 0);
		expect_equal(pthread_mutex_lock(mutex), 0);
		expect_equal(pthread_mutex_unlock(mutex), 0);
		if (waiting)
			expect_killed(pid, SIGKILL);
	}
}

static void *lock_robust_and_die(void *unused)
{
	expect_equal(pthread_mutex_lock(mutex), 0);
	second_word = 1;
	if (counter % 2)
		await_waiters_bit((_Atomic int *)mutex);
	return unused;
}

static _Atomic int told_of_death;

static void *inherit_robust(void *unused)
{
	int error = pthread_mutex_lock(mutex);

	if (error == EOWNERDEAD) {
		told_of_death++;
		expect_equal(pthread_mutex_consistent(mutex), 0);
	} else {
		expect_equal(error, 0);
	}
	expect_equal(pthread_mutex_unlock(mutex), 0);
	return unused;
}

/* A thread ends holding it while others queue up, or come later: one of them is told. */
static void robust_owner_dies(void)
{
	pthread_t owner, heirs[4];

	for (counter = 0; counter < 50; counter++) {
		mutex = shared_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
		told_of_death = second_word = 0;
		start_thread(&owner, lock_robust_and_die, NULL);
		await_value(&second_word, 1);
		for (int i = 0; i < 4; i++)
			start_thread(&heirs[i], inherit_robust, NULL);
		join_thread(owner, 0);
		for (int i = 0; i < 4; i++)
			join_thread(heirs[i], 0);
		expect_equal(told_of_death, 1);
		expect(munmap(mutex, PAGE) == 0);
	}
}

static const struct tap_case cases[] = {
	{"the word's states", states},
	{"trylock of another's", trylock_of_anothers},
	{"timeouts by either clock", timeouts},
	{"errors", errors},
	{"unlock hands the lock to who waits", hands_over},
	{"plain waits and these do not mix", not_for_plain_waits},
	{"it excludes", excludes},
	{"an owner that dies leaves it to who waits", owner_dies},
	{"so does a process that is killed", owner_process_dies},
	{"signals do not end the wait", signals_do_not_end_it},
	{"waiters that give up", giving_up},
	{"glibc's mutexes with priority inheritance", library_mutex},
	{"robust ones, too", robust_library_mutex},
	{"a robust one's owner dies among many that want it", robust_owner_dies},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
