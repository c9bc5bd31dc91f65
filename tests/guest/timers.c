/*
 * timers.c - alarm and setitimer; signals that queue; waiting for signals with sigtimedwait.
 */
#include "helpers.h"

#include <sys/time.h>

static volatile sig_atomic_t rings;

static void ring(int signal)
{
	(void)signal;
	rings++;
}

static void hear_alarm(void)
{
	struct sigaction action = {.sa_handler = ring};

	expect(sigaction(SIGALRM, &action, NULL) == 0);
}

static void repeats(void)
{
	struct itimerval timer = {{0, 10000}, {0, 20000}}, old, off = {{0, 0}, {0, 0}};
	int before;

	hear_alarm();
	expect(setitimer(ITIMER_REAL, &timer, NULL) == 0);
	while (rings < 5)
		pause();
	expect(setitimer(ITIMER_REAL, &off, &old) == 0);
	expect(old.it_interval.tv_sec == 0 && old.it_interval.tv_usec == 10000);
	expect(old.it_value.tv_sec == 0 && old.it_value.tv_usec <= 10000);
	before = rings;
	sleep_ms(50);
	expect_equal(rings, before);
	expect(getitimer(ITIMER_REAL, &old) == 0);
	expect(old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
}

static void alarm_once(void)
{
	hear_alarm();
	expect_equal(alarm(100), 0);
	expect_equal(alarm(50), 100);
	expect_equal(alarm(0), 50);
	expect_equal(alarm(1), 0);
	expect_errno(pause(), EINTR);
	expect_equal(rings, 1);
	expect_equal(alarm(0), 0);
}

static void alarm_kills(void)
{
	pid_t pid = fork_child();

	if (pid == 0) {
		struct itimerval timer = {{0, 0}, {0, 20000}};

		expect(setitimer(ITIMER_REAL, &timer, NULL) == 0);
		for (;;)
			; /* never calls the kernel */
	}
	expect_killed(pid, SIGALRM);
}

static void not_inherited(void)
{
	pid_t pid;

	expect_equal(alarm(100), 0);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(alarm(0), 0);
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(alarm(0), 100);
}

static void timer_errors(void)
{
	struct itimerval bad = {{0, 0}, {0, 1000000}}, negative = {{0, 0}, {-1, 0}}, timer;

	expect_errno(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
	expect_errno(setitimer(ITIMER_REAL, &negative, NULL), EINVAL);
	expect_errno(setitimer(99, &bad, NULL), EINVAL);
	expect_errno(getitimer(99, &timer), EINVAL);
	expect_errno(syscall(SYS_getitimer, ITIMER_REAL, 8l), EFAULT);
}

static void block(sigset_t *set, int signal)
{
	expect(sigaddset(set, signal) == 0 && sigprocmask(SIG_BLOCK, set, NULL) == 0);
}

static void real_time_signals_queue(void)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	block(&set, SIGRTMIN);
	block(&set, SIGRTMIN + 1);
	for (int i = 0; i < 3; i++) {
		expect(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i}) == 0);
		expect(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}) == 0);
	}
	/* Lower numbers first, each in the order it was sent. */
	for (int i = 0; i < 6; i++) {
		expect_equal(sigwaitinfo(&set, &info), SIGRTMIN + i / 3);
		expect(info.si_code == SI_QUEUE && info.si_pid == getpid());
		expect_equal(info.si_value.sival_int, i / 3 * 10 + i % 3);
	}
}

static void others_do_not(void)
{
	struct timespec now = {0, 0};
	sigset_t set;

	sigemptyset(&set);
	block(&set, SIGUSR1);
	for (int i = 0; i < 3; i++)
		expect(kill(getpid(), SIGUSR1) == 0);
	expect_equal(sigtimedwait(&set, NULL, &now), SIGUSR1);
	expect_errno(sigtimedwait(&set, NULL, &now), EAGAIN);
}

static void waits_for_a_signal(void)
{
	struct timespec soon = {.tv_nsec = 30000000}, bad = {.tv_nsec = -1};
	siginfo_t info;
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	block(&set, SIGUSR1);
	expect_errno(sigtimedwait(&set, NULL, &soon), EAGAIN);
	expect_errno(sigtimedwait(&set, NULL, &bad), EINVAL);
	pid = fork_child();
	if (pid == 0) {
		sleep_ms(30);
		expect(kill(getppid(), SIGUSR1) == 0);
		child_end();
	}
	expect_equal(sigwaitinfo(&set, &info), SIGUSR1);
	expect(info.si_code == SI_USER && info.si_pid == pid);
	expect_exit(pid, 0);
	hear_alarm();
	expect(alarm(1) == 0);
	expect_errno(sigwaitinfo(&set, &info), EINTR); /* another signal's handler */
}

static void waits_for_an_ignored_one(void)
{
	siginfo_t info;
	sigset_t set;
	pid_t pid;

	/* SIGCHLD does nothing by default, but blocked it is kept. */
	sigemptyset(&set);
	block(&set, SIGCHLD);
	pid = fork_child();
	if (pid == 0)
		_exit(3);
	expect_equal(sigwaitinfo(&set, &info), SIGCHLD);
	expect(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 3);
	expect_exit(pid, 3);
}

static void no_forged_senders(void)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_code = SI_USER;
	expect_errno(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info), EPERM);
	info.si_code = SI_TKILL;
	expect_errno(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info), EPERM);
	info.si_code = SI_QUEUE;
	expect(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info) == 0);
}

static const struct tap_case cases[] = {
	{"setitimer repeats until it is turned off", repeats},
	{"alarm rings once and tells what was left", alarm_once},
	{"SIGALRM ends a program that never calls", alarm_kills},
	{"a child has no timer, the parent keeps its own", not_inherited},
	{"timers' errors", timer_errors},
	{"real-time signals queue, lower numbers first", real_time_signals_queue},
	{"other signals are pending once", others_do_not},
	{"sigtimedwait waits, times out, is interrupted", waits_for_a_signal},
	{"sigwaitinfo takes a signal that is ignored by default", waits_for_an_ignored_one},
	{"sigqueue does not pretend to be the kernel", no_forged_senders},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
