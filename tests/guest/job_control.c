/*
 * job_control.c - stopping and continuing, what the parent hears of it, process groups, and
 * waitid.
 */
#include "helpers.h"

#include <sys/prctl.h>

static volatile sig_atomic_t heard, heard_code, heard_status, heard_pid;

static void hear(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	heard_code = info->si_code;
	heard_status = info->si_status;
	heard_pid = info->si_pid;
	heard++;
}

static void hear_children(int flags)
{
	struct sigaction action = {.sa_sigaction = hear,
				   .sa_flags = SA_SIGINFO | SA_RESTART | flags};

	expect(sigaction(SIGCHLD, &action, NULL) == 0);
}

static pid_t fork_sleeper(void)
{
	pid_t pid = fork_child();

	while (pid == 0)
		pause();
	return pid;
}

static void end_sleeper(pid_t pid)
{
	expect(kill(pid, SIGKILL) == 0);
	expect_killed(pid, SIGKILL);
}

static void expect_stopped(pid_t pid, int signal)
{
	int status;

	expect(waitpid(pid, &status, WUNTRACED) == pid);
	expect(WIFSTOPPED(status));
	expect_equal(WSTOPSIG(status), signal);
}

static void each_stop_signal(void)
{
	static const int signals[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
	int status;

	for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
		pid_t pid = fork_sleeper();

		expect(setpgid(pid, pid) == 0); /* not an orphaned group: we are its tie */
		expect(kill(pid, signals[i]) == 0);
		expect_stopped(pid, signals[i]);
		expect(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0); /* told once */
		expect(kill(pid, SIGCONT) == 0);
		expect(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
		expect(waitpid(pid, &status, WCONTINUED | WNOHANG) == 0);
		end_sleeper(pid);
	}
}

static void parent_hears(void)
{
	pid_t pid;

	hear_children(0);
	pid = fork_sleeper();
	expect(kill(pid, SIGSTOP) == 0);
	expect_stopped(pid, SIGSTOP);
	expect_equal(heard, 1);
	expect(heard_code == CLD_STOPPED && heard_status == SIGSTOP && heard_pid == pid);
	expect(kill(pid, SIGCONT) == 0);
	while (heard < 2)
		sleep_ms(1);
	expect(heard_code == CLD_CONTINUED && heard_status == SIGCONT);
	end_sleeper(pid);
	expect(heard_code == CLD_KILLED && heard_status == SIGKILL);
}

static void no_news_of_stops(void)
{
	pid_t pid;

	hear_children(SA_NOCLDSTOP);
	pid = fork_sleeper();
	expect(kill(pid, SIGSTOP) == 0);
	expect_stopped(pid, SIGSTOP); /* wait tells all the same */
	expect_equal(heard, 0);
	end_sleeper(pid);
	expect_equal(heard, 1);
}

static void kill_ends_the_stopped(void)
{
	pid_t pid = fork_sleeper();

	expect(kill(pid, SIGSTOP) == 0);
	expect_stopped(pid, SIGSTOP);
	expect(kill(pid, SIGTERM) == 0); /* waits until it goes on */
	sleep_ms(20);
	expect(waitpid(pid, NULL, WNOHANG) == 0);
	expect(kill(pid, SIGCONT) == 0);
	expect_killed(pid, SIGTERM);
	pid = fork_sleeper();
	expect(kill(pid, SIGSTOP) == 0);
	expect_stopped(pid, SIGSTOP);
	end_sleeper(pid); /* SIGKILL does not wait */
}

static long elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static void sleep_goes_on(void)
{
	struct timespec begin, half = {.tv_nsec = 400000000};
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	pid = fork_child();
	if (pid == 0) {
		expect(nanosleep(&half, NULL) == 0); /* not EINTR: no handler ran */
		child_end();
	}
	sleep_ms(100);
	expect(kill(pid, SIGSTOP) == 0);
	expect_stopped(pid, SIGSTOP);
	sleep_ms(100);
	expect(kill(pid, SIGCONT) == 0);
	expect_exit(pid, 0);
	expect(elapsed_ms(&begin) >= 400);
}

static void waitid_tells(void)
{
	siginfo_t info;
	pid_t pid = fork_sleeper();

	memset(&info, 0, sizeof(info));
	expect(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0);
	expect(kill(pid, SIGSTOP) == 0);
	expect(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT) == 0);
	expect(info.si_pid == pid && info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
	expect(waitid(P_ALL, 0, &info, WSTOPPED) == 0 && info.si_pid == pid);
	expect(kill(pid, SIGCONT) == 0);
	expect(waitid(P_PGID, (id_t)getpgrp(), &info, WCONTINUED) == 0);
	expect(info.si_code == CLD_CONTINUED);
	expect(kill(pid, SIGKILL) == 0);
	expect(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	expect(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
	expect(info.si_signo == SIGCHLD && info.si_code == CLD_KILLED && info.si_status == SIGKILL);
	expect_errno(waitid(P_PID, (id_t)pid, &info, WEXITED), ECHILD);
	expect_errno(waitid(P_ALL, 0, &info, 0), EINVAL);
	expect_errno(waitid(77, 0, &info, WEXITED), EINVAL);
}

static void orphaned_group(void)
{
	struct gate told;
	pid_t pid;
	char byte;

	/* A stopped member of a group whose last tie ends gets SIGHUP and SIGCONT. */
	gate_make(&told);
	pid = fork_child();
	if (pid == 0) {
		pid_t member;

		expect(setsid() == getpid());
		member = fork_child();
		if (member == 0) {
			setpgid(0, 0);
			raise(SIGSTOP);
			pause();
		}
		expect_stopped(member, SIGSTOP);
		close(told.fds[0]);
		_exit(0); /* the member holds the writing end until SIGHUP ends it */
	}
	close(told.fds[1]);
	expect_exit(pid, 0);
	expect(read(told.fds[0], &byte, 1) == 0);
}

/* The end of a member that is no tie to anybody changes nothing for the others. */
static void member_of_an_orphaned_group_ends(void)
{
	pid_t pid = fork_child();

	if (pid == 0) {
		pid_t stopped, other;

		expect(setsid() == getpid());
		stopped = fork_sleeper();
		expect(kill(stopped, SIGSTOP) == 0);
		expect_stopped(stopped, SIGSTOP);
		other = fork_child();
		if (other == 0)
			_exit(0);
		expect_exit(other, 0);
		expect(kill(stopped, SIGKILL) == 0);
		expect_killed(stopped, SIGKILL);
		child_end();
	}
	expect_exit(pid, 0);
}

static void orphans_do_not_stop(void)
{
	pid_t pid = fork_child();

	if (pid == 0) {
		expect(setsid() == getpid());
		raise(SIGTSTP);
		raise(SIGTTIN);
		raise(SIGTTOU);
		child_end();
	}
	expect_exit(pid, 0);
}

static void groups(void)
{
	int status;
	pid_t pid = fork_sleeper(), other = fork_sleeper();

	expect_errno(setpgid(pid, 1 << 20), EPERM);
	expect_errno(setpgid(1, 0), ESRCH); /* no child of ours */
	expect_errno(setpgid(pid, -1), EINVAL);
	expect(setpgid(pid, 0) == 0 && getpgid(pid) == pid);
	expect(setpgid(other, pid) == 0);
	expect(kill(-pid, SIGTERM) == 0);
	expect(waitpid(-pid, &status, 0) > 0 && WTERMSIG(status) == SIGTERM);
	expect(waitpid(-pid, &status, 0) > 0 && WTERMSIG(status) == SIGTERM);
	expect_errno(waitpid(-pid, &status, 0), ECHILD);
	expect_errno(kill(-pid, 0), ESRCH);
	expect_errno(getpgid(pid), ESRCH);
	expect_errno(getsid(pid), ESRCH);
}

static void death_signal(void)
{
	struct gate alive, ready;
	pid_t pid;
	char byte;

	gate_make(&alive);
	gate_make(&ready);
	pid = fork_child();
	if (pid == 0) {
		if (fork_child() == 0) {
			expect(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
			gate_open(&ready);
			for (;;)
				pause();
		}
		gate_pass(&ready);
		_exit(0);
	}
	expect_exit(pid, 0);
	close(alive.fds[1]);
	expect(read(alive.fds[0], &byte, 1) == 0); /* nobody holds the other end any more */
}

static const struct tap_case cases[] = {
	{"each stop signal stops, SIGCONT continues, wait tells", each_stop_signal},
	{"SIGCHLD tells of stops and continuations", parent_hears},
	{"SA_NOCLDSTOP: of ends only", no_news_of_stops},
	{"other signals wait while stopped, SIGKILL does not", kill_ends_the_stopped},
	{"a sleep goes on after a stop", sleep_goes_on},
	{"waitid tells each change, WNOWAIT leaves it", waitid_tells},
	{"a stopped group that is orphaned gets SIGHUP", orphaned_group},
	{"the end of a member of an orphaned group", member_of_an_orphaned_group_ends},
	{"an orphaned group is not stopped by the terminal's signals", orphans_do_not_stop},
	{"process groups: who may be moved, waiting, killing", groups},
	{"PR_SET_PDEATHSIG ends a child with its parent", death_signal},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
