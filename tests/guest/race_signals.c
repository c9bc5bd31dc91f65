/*
 * race_signals.c - signals from one processor to another: to threads that compute, sleep, stop.
 *
 * A thread that makes no system call must notice a signal all the same, a sleeping one must wake,
 * and what is queued arrives once, in order.
 */
#include "race.h"

#define TURNS 1000

static _Atomic unsigned handled;
static _Atomic bool stop;

static void count_signal(int signal)
{
	(void)signal;
	atomic_fetch_add(&handled, 1);
}

static void handle(int signal, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	expect(sigaction(signal, &action, NULL) == 0);
}

static void block(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	expect(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

/* --- a thread that computes ------------------------------------------------------------------- */

static void *compute(void *unused)
{
	volatile uint64_t sum = 0;

	while (!atomic_load(&stop))
		sum = sum + 1;
	return unused;
}

static void to_a_computing_thread(void)
{
	unsigned rounds = (unsigned)race_rounds(200);
	pthread_t thread;

	handle(SIGUSR1, count_signal);
	thread_start(&thread, compute, NULL);
	for (unsigned round = 1; round <= rounds; round++) {
		expect(pthread_kill(thread, SIGUSR1) == 0);
		spin_until(atomic_load(&handled) == round);
	}
	atomic_store(&stop, true);
	thread_join(thread);
}

static void to_a_computing_process(void)
{
	_Atomic unsigned *count = (_Atomic unsigned *)map_shared(PAGE);
	unsigned rounds = (unsigned)race_rounds(200);
	pid_t pid = fork_party();

	if (pid == 0) {
		handle(SIGUSR1, count_signal);
		for (;;)
			atomic_store(count, atomic_load(&handled) + 1);
	}
	spin_until(atomic_load(count) == 1);
	for (unsigned round = 1; round <= rounds; round++) {
		expect(kill(pid, SIGUSR1) == 0);
		spin_until(atomic_load(count) == round + 1);
	}
	expect(kill(pid, SIGKILL) == 0);
	expect_killed(pid, SIGKILL);
}

/* Registers and vector registers survive handlers that come at any instruction. */
static void keeps_registers(void)
{
	pthread_t thread;
	double sum = 0;
	uint64_t dice = 7, expected_dice = 7;
	double expected_sum = 0;

	for (int i = 0; i < 300000; i++)
		expected_sum += (double)(dice_roll(&expected_dice) % 1000) / 3;
	handle(SIGUSR1, count_signal);
	block(SIGUSR1);
	thread_start(&thread, compute, NULL); /* inherits the mask: all signals come to us */
	expect(pthread_sigmask(SIG_SETMASK, &(sigset_t){0}, NULL) == 0);
	atomic_store(&stop, true);
	thread_join(thread);
	for (int round = 0; round < 5; round++) {
		pid_t parent = getpid(), pid = fork_party();

		if (pid == 0) {
			for (int i = 0; i < 200; i++)
				kill(parent, SIGUSR1);
			_exit(0);
		}
		dice = 7;
		sum = 0;
		for (int i = 0; i < 300000; i++)
			sum += (double)(dice_roll(&dice) % 1000) / 3;
		expect(dice == expected_dice && sum == expected_sum);
		expect_exit(pid, 0);
	}
}

/* --- ping-pong -------------------------------------------------------------------------------- */

/* Take turns: wait for the signal, blocked all the time otherwise, and send it back. */
static void play(pid_t other, bool first)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (int round = 0; round < TURNS; round++) {
		if (first)
			expect(kill(other, SIGUSR1) == 0);
		expect(sigwait(&set, &signal) == 0 && signal == SIGUSR1);
		if (!first)
			expect(kill(other, SIGUSR1) == 0);
	}
}

static void between_processes(void)
{
	pid_t parent = getpid(), pid;

	block(SIGUSR1);
	pid = fork_party();
	play(pid == 0 ? parent : pid, pid == 0);
	if (pid == 0)
		child_end();
	expect_exit(pid, 0);
}

/* sigsuspend lets the signal in and goes to sleep in one step. */
static void suspended(void)
{
	_Atomic unsigned *answers = (_Atomic unsigned *)map_shared(PAGE);
	pid_t pid;

	handle(SIGUSR1, count_signal);
	block(SIGUSR1);
	pid = fork_party();
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		for (unsigned round = 1; round <= TURNS; round++) {
			while (atomic_load(&handled) < round)
				expect(sigsuspend(&none) == -1 && errno == EINTR);
			atomic_store(answers, round);
		}
		child_end();
	}
	for (unsigned round = 1; round <= TURNS; round++) {
		expect(kill(pid, SIGUSR1) == 0);
		spin_until(atomic_load(answers) == round);
	}
	expect_exit(pid, 0);
}

/* Queued signals of several senders: each sender's arrive all, once, in its order. */
static void queued(void)
{
	uint32_t next[2] = {0, 0};
	pid_t parent = getpid(), pids[2];
	sigset_t set;

	block(SIGRTMIN);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	for (int sender = 0; sender < 2; sender++) {
		pids[sender] = fork_party();
		if (pids[sender] == 0) {
			for (int i = 0; i < 300; i++) {
				union sigval value = {.sival_int = sender << 16 | i};

				while (sigqueue(parent, SIGRTMIN, value) != 0) {
					expect_equal(errno, EAGAIN);
					sched_yield();
				}
			}
			child_end();
		}
	}
	for (int i = 0; i < 600; i++) {
		siginfo_t info;
		int sender;

		expect(sigwaitinfo(&set, &info) == SIGRTMIN);
		sender = info.si_value.sival_int >> 16;
		expect(sender == 0 || sender == 1);
		expect_equal(info.si_pid, pids[sender]);
		expect_equal(info.si_value.sival_int & 0xffff, next[sender]++);
	}
	expect_exit(pids[0], 0);
	expect_exit(pids[1], 0);
}

/* One of two threads takes each signal of the process, whichever has it unblocked. */
static void *wait_for_signals(void *unused)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	for (;;) {
		expect(sigwait(&set, &signal) == 0);
		if (signal == SIGUSR2)
			return unused;
		atomic_fetch_add(&handled, 1);
	}
}

static void taken_once(void)
{
	pthread_t threads[2];

	block(SIGUSR1);
	block(SIGUSR2);
	for (size_t i = 0; i < 2; i++)
		thread_start(&threads[i], wait_for_signals, NULL);
	for (unsigned round = 1; round <= TURNS; round++) {
		expect(kill(getpid(), SIGUSR1) == 0);
		spin_until(atomic_load(&handled) == round);
	}
	for (size_t i = 0; i < 2; i++)
		expect(pthread_kill(threads[i], SIGUSR2) == 0);
	for (size_t i = 0; i < 2; i++)
		thread_join(threads[i]);
	expect_equal(atomic_load(&handled), TURNS);
}

/* --- interrupted sleep ------------------------------------------------------------------------ */

static struct gate never;

static void *sleep_in_read(void *unused)
{
	char byte;
	ssize_t got;

	for (;;) {
		got = read(never.fds[0], &byte, 1);
		if (atomic_load(&stop))
			return unused;
		expect(got == -1 && errno == EINTR);
	}
}

/* Whether it sleeps already, is about to or just woke: the handler runs each time. */
static void to_a_sleeping_thread(void)
{
	struct sigaction action = {.sa_handler = count_signal}; /* no SA_RESTART */
	pthread_t thread;

	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	gate_make(&never);
	thread_start(&thread, sleep_in_read, NULL);
	for (unsigned round = 1; round <= TURNS; round++) {
		expect(pthread_kill(thread, SIGUSR1) == 0);
		spin_until(atomic_load(&handled) == round);
	}
	atomic_store(&stop, true);
	close(never.fds[1]); /* the end of the file wakes it */
	thread_join(thread);
}

/* --- stop and continue ------------------------------------------------------------------------ */

static _Atomic uint64_t *beats; /* in shared memory: two counters that threads drive on */

static void *beat(void *number)
{
	for (;;)
		atomic_fetch_add(&beats[(size_t)number * 64], 1);
	return NULL;
}

/* Once wait has told of the stop, no thread of the process moves. */
static void stopped_and_continued(void)
{
	pid_t pid;

	beats = page_word(map_shared(PAGE), 0);
	pid = fork_party();
	if (pid == 0) {
		pthread_t thread;

		thread_start(&thread, beat, (void *)1L);
		beat((void *)0L);
	}
	for (int round = 0; round < race_rounds(40); round++) {
		uint64_t then[2];
		int status;

		for (size_t i = 0; i < 2; i++) {
			then[i] = atomic_load(&beats[i * 64]);
			spin_until(atomic_load(&beats[i * 64]) > then[i]);
		}
		expect(kill(pid, SIGSTOP) == 0);
		expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
		for (size_t i = 0; i < 2; i++)
			then[i] = atomic_load(&beats[i * 64]);
		linger(128);
		for (size_t i = 0; i < 2; i++)
			expect_equal(atomic_load(&beats[i * 64]), then[i]);
		expect(kill(pid, SIGCONT) == 0);
		expect(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	}
	expect(kill(pid, SIGKILL) == 0);
	expect_killed(pid, SIGKILL);
}

/* Stops and continues in any order with a kill behind: it always ends. */
static void killed_while_stopping(void)
{
	for (int round = 0; round < race_rounds(60); round++) {
		pid_t pid;

		beats = page_word(map_shared(PAGE), 0);
		pid = fork_party();
		if (pid == 0) {
			pthread_t thread;

			thread_start(&thread, beat, (void *)1L);
			beat((void *)0L);
		}
		spin_until(atomic_load(beats) != 0);
		for (int i = 0; i < round % 7; i++)
			expect(kill(pid, i % 2 ? SIGCONT : SIGSTOP) == 0);
		expect(kill(pid, SIGKILL) == 0);
		expect_killed(pid, SIGKILL);
		expect(munmap((void *)beats, PAGE) == 0);
	}
}

static const struct tap_case cases[] = {
	{"to a thread that computes", to_a_computing_thread},
	{"to a process that computes", to_a_computing_process},
	{"a handler leaves registers alone", keeps_registers},
	{"back and forth between processes", between_processes},
	{"sigsuspend loses none", suspended},
	{"queued signals arrive once and in order", queued},
	{"each signal is taken by one thread", taken_once},
	{"to a thread that sleeps, or is about to", to_a_sleeping_thread},
	{"a stopped process does not move, in any thread", stopped_and_continued},
	{"killed while it stops and continues", killed_while_stopping},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
