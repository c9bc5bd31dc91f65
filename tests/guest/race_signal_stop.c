/*
 * race_signal_stop.c - a process of several threads is stopped and continued while its threads
 * run, sleep, start and exit on other processors: the parent hears of each stop, and no thread goes
 * on.
 */
#include "helpers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { ROUNDS = 60, SPINNERS = 3 };

/* What the stopped process does, seen by its parent. */
static struct shared {
	_Atomic unsigned long turns; /* of the spinning threads */
	_Atomic unsigned long born;  /* short-lived threads so far */
} *shared;

static void *spin(void *unused)
{
	(void)unused;
	for (;;) {
		atomic_fetch_add(&shared->turns, 1);
		if (atomic_load(&shared->turns) % 512 == 0)
			sched_yield();
	}
	return NULL;
}

static void *doze(void *unused)
{
	(void)unused;
	for (;;)
		sleep_ms(1);
	return NULL;
}

static void *leave_at_once(void *unused)
{
	(void)unused;
	atomic_fetch_add(&shared->born, 1);
	return NULL;
}

static void start(void *(*function)(void *))
{
	pthread_t thread;

	expect_equal(pthread_create(&thread, NULL, function, NULL), 0);
}

/* A process with threads of all sorts; `churn`: its first thread starts and joins others. */
static pid_t busy_process(bool churn)
{
	pid_t pid;

	shared = (struct shared *)map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	pid = fork_child();
	if (pid != 0)
		return pid;
	for (int i = 0; i < SPINNERS; i++)
		start(spin);
	start(doze);
	while (churn) {
		pthread_t thread;

		expect_equal(pthread_create(&thread, NULL, leave_at_once, NULL), 0);
		expect_equal(pthread_join(thread, NULL), 0);
	}
	for (;;)
		pause();
}

static void wait_until_busy(void)
{
	unsigned long turns = atomic_load(&shared->turns);

	while (atomic_load(&shared->turns) < turns + 10)
		sched_yield();
}

static void expect_stopped(pid_t pid, int signal)
{
	int status;

	expect_equal(waitpid(pid, &status, WUNTRACED), pid);
	expect(WIFSTOPPED(status));
	expect_equal(WSTOPSIG(status), signal);
}

static void expect_continued(pid_t pid)
{
	int status;

	expect_equal(waitpid(pid, &status, WCONTINUED), pid);
	expect(WIFCONTINUED(status));
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	expect_killed(pid, SIGKILL);
}

/* Once the stop is told, every thread has stopped. */
static void nothing_runs_while_stopped(void)
{
	pid_t pid = busy_process(false);

	for (int i = 0; i < ROUNDS; i++) {
		unsigned long turns;

		wait_until_busy();
		expect(kill(pid, SIGSTOP) == 0);
		expect_stopped(pid, SIGSTOP);
		turns = atomic_load(&shared->turns);
		for (int j = 0; j < 20; j++)
			sched_yield();
		expect_equal(atomic_load(&shared->turns), turns);
		expect(kill(pid, SIGCONT) == 0);
		expect_continued(pid);
	}
	end(pid);
}

/* A thread that exits instead of stopping may be the one all others were waiting for. */
static void threads_exit_meanwhile(void)
{
	pid_t pid = busy_process(true);

	for (int i = 0; i < ROUNDS; i++) {
		unsigned long born = atomic_load(&shared->born);

		while (atomic_load(&shared->born) == born)
			sched_yield();
		expect(kill(pid, SIGSTOP) == 0);
		expect_stopped(pid, SIGSTOP);
		expect(kill(pid, SIGCONT) == 0);
	}
	end(pid);
}

/* Continued and stopped again before all its threads have run. */
static void stopped_again_at_once(void)
{
	pid_t pid = busy_process(false);

	wait_until_busy();
	expect(kill(pid, SIGSTOP) == 0);
	expect_stopped(pid, SIGSTOP);
	for (int i = 0; i < ROUNDS; i++) {
		expect(kill(pid, SIGCONT) == 0);
		expect(kill(pid, SIGSTOP) == 0);
		expect_stopped(pid, SIGSTOP);
	}
	end(pid);
}

/* Two threads of the process may take one each. */
static void two_stop_signals(void)
{
	pid_t pid;
	int status;

	pid = fork_child();
	if (pid == 0) { /* a group of its own in the session: terminal stops are not ignored */
		pid = busy_process(false);
		expect(setpgid(pid, pid) == 0);
		for (int i = 0; i < ROUNDS; i++) {
			wait_until_busy();
			expect(kill(pid, SIGTSTP) == 0);
			expect(kill(pid, SIGSTOP) == 0);
			expect(kill(pid, SIGTTIN) == 0);
			expect_equal(waitpid(pid, &status, WUNTRACED), pid);
			expect(WIFSTOPPED(status));
			expect(kill(pid, SIGCONT) == 0);
		}
		end(pid);
		child_end();
	}
	expect_exit(pid, 0);
}

/* A stopped process dies of SIGKILL and of nothing else; all its threads leave. */
static void killed_while_stopping(void)
{
	for (int i = 0; i < ROUNDS / 4; i++) {
		pid_t pid = busy_process(true);

		wait_until_busy();
		expect(kill(pid, SIGSTOP) == 0);
		if (i % 2)
			expect_stopped(pid, SIGSTOP);
		end(pid);
		expect(munmap(shared, PAGE) == 0);
	}
}

int main(int argc, char **argv)
{
	static const struct tap_case cases[] = {
		{"nothing runs while stopped", nothing_runs_while_stopped},
		{"threads exit meanwhile", threads_exit_meanwhile},
		{"stopped again at once", stopped_again_at_once},
		{"two stop signals", two_stop_signals},
		{"killed while stopping", killed_while_stopping},
	};

	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
