/*
 * race_signal_end.c - ends that meet: exit_group against clone, SIGKILL against exec and vfork,
 * children that all exit at once, interval timers that expire meanwhile, waits shared by threads.
 */
#include "helpers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/time.h>

static void *spin(void *unused)
{
	(void)unused;
	for (;;)
		sched_yield();
	return NULL;
}

static void *nothing(void *unused)
{
	return unused;
}

/* Start and join threads for ever. */
static void *make_threads(void *unused)
{
	pthread_t thread;

	(void)unused;
	for (;;)
		if (pthread_create(&thread, NULL, nothing, NULL) == 0)
			pthread_join(thread, NULL);
	return NULL;
}

static void start(void *(*function)(void *))
{
	pthread_t thread;

	expect_equal(pthread_create(&thread, NULL, function, NULL), 0);
}

static void exit_against_clone(void)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			start(make_threads);
			start(make_threads);
			start(spin);
			for (int j = 0; j < i; j++)
				sched_yield();
			_exit(i);
		}
		expect_exit(pid, i);
	}
}

static void kill_against_clone(void)
{
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			start(make_threads);
			make_threads(NULL);
		}
		for (int j = 0; j < i * 4; j++)
			sched_yield();
		kill(pid, SIGKILL);
		expect_killed(pid, SIGKILL);
	}
}

static char self_path[256];

/* Runs this program again for as long as nobody stops it; argument "again" of main. */
static void *exec_again(void *unused)
{
	(void)unused;
	execl(self_path, "race_signal_end", "again", NULL);
	return NULL; /* another thread was faster */
}

__attribute__((noreturn)) static void exec_for_ever(void)
{
	start(make_threads);
	start(exec_again);
	exec_again(NULL);
	for (;;)
		pause();
}

static void kill_against_exec(void)
{
	ssize_t length = readlink("/proc/self/exe", self_path, sizeof(self_path) - 1);

	expect(length > 0);
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork_child();

		if (pid == 0)
			exec_for_ever();
		sleep_ms(3 * i);
		kill(pid, SIGKILL);
		expect_killed(pid, SIGKILL);
	}
}

/* The child of vfork lives in its parent's memory: it may outlive it there. */
static void kill_against_vfork(void)
{
	for (int i = 0; i < 20; i++) {
		struct gate gate;
		pid_t pid;
		char byte;

		gate_make(&gate);
		pid = fork_child();
		if (pid == 0) {
			close(gate.fds[0]);
			start(spin);
			if (vfork() == 0) {
				volatile long turns = 0;

				gate_open(&gate);
				while (turns < 200000)
					turns = turns + 1;
				_exit(0);
			}
			for (;;)
				pause();
		}
		gate_pass(&gate);
		kill(pid, SIGKILL);
		expect_killed(pid, SIGKILL);
		close(gate.fds[1]);
		expect_equal(read(gate.fds[0], &byte, 1), 0); /* until the grandchild has gone */
		close(gate.fds[0]);
	}
}

enum { CHILDREN = 12, REAPERS = 3 };

static _Atomic unsigned reaped, statuses;

static void *reap(void *unused)
{
	int status;

	(void)unused;
	while (wait(&status) > 0) {
		atomic_fetch_add(&reaped, 1);
		atomic_fetch_or(&statuses, 1u << WEXITSTATUS(status));
	}
	expect_equal(errno, ECHILD);
	return NULL;
}

/* Every child is reaped by exactly one of the threads that wait. */
static void reaped_once(void)
{
	for (int i = 0; i < 20; i++) {
		pthread_t threads[REAPERS];
		struct gate gate;
		char byte;

		atomic_store(&reaped, 0);
		atomic_store(&statuses, 0);
		gate_make(&gate);
		for (int child = 0; child < CHILDREN; child++) {
			if (fork_child() == 0) {
				close(gate.fds[1]);
				(void)!read(gate.fds[0], &byte, 1);
				_exit(child);
			}
		}
		for (int j = 0; j < REAPERS; j++)
			expect_equal(pthread_create(&threads[j], NULL, reap, NULL), 0);
		close(gate.fds[1]); /* all at once */
		for (int j = 0; j < REAPERS; j++)
			expect_equal(pthread_join(threads[j], NULL), 0);
		close(gate.fds[0]);
		expect_equal(atomic_load(&reaped), CHILDREN);
		expect_equal(atomic_load(&statuses), (1u << CHILDREN) - 1);
	}
}

/* Parent and children end at once; whoever is left goes to init, and all of them end. */
static void orphans(void)
{
	for (int i = 0; i < 15; i++) {
		struct gate gate;
		pid_t pid;
		char byte;

		gate_make(&gate);
		pid = fork_child();
		if (pid == 0) {
			for (int child = 0; child < CHILDREN; child++)
				if (fork_child() == 0)
					_exit(0);
			_exit(3);
		}
		expect_exit(pid, 3);
		close(gate.fds[1]);
		expect_equal(read(gate.fds[0], &byte, 1), 0);
		close(gate.fds[0]);
	}
}

static void ignore_alarm(int signal)
{
	(void)signal;
}

/* A process ends while its interval timer expires every now and then. */
static void timers_of_the_dead(void)
{
	const struct itimerval often = {{0, 500}, {0, 500}};

	for (int i = 0; i < 60; i++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			signal(SIGALRM, ignore_alarm);
			setitimer(ITIMER_REAL, &often, NULL);
			for (int j = 0; j < 100 * i; j++)
				getpid();
			_exit(0);
		}
		if (i % 8 == 7)
			while (wait(NULL) > 0)
				;
	}
	while (wait(NULL) > 0)
		;
	expect_equal(errno, ECHILD);
}

static _Atomic int taken;

static void count_signal(int signal)
{
	(void)signal;
	atomic_fetch_add(&taken, 1);
}

static _Atomic bool waiting, finished;

/* Takes one of two signals and then blocks both for good. */
static void *take_one(void *unused)
{
	sigset_t both;

	(void)unused;
	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGUSR2);
	atomic_store(&waiting, true);
	while (sigwaitinfo(&both, NULL) < 0)
		expect_equal(errno, EINTR); /* the other thread was faster */
	atomic_fetch_add(&taken, 1);
	while (!atomic_load(&finished))
		sleep_ms(1);
	return NULL;
}

/* Has a handler for both, and lets them come while it sleeps. */
static void *take_others(void *unused)
{
	sigset_t none;

	(void)unused;
	sigemptyset(&none);
	while (!atomic_load(&finished))
		sigsuspend(&none);
	return NULL;
}

/*
 * Both signals may have been meant for the thread that takes one: the other thread gets the rest.
 */
static void what_a_waiter_leaves(void)
{
	sigset_t both;

	signal(SIGUSR1, count_signal);
	signal(SIGUSR2, count_signal);
	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &both, NULL);
	for (int i = 0; i < 30; i++) {
		pthread_t waiter, other;

		atomic_store(&taken, 0);
		atomic_store(&waiting, false);
		atomic_store(&finished, false);
		expect_equal(pthread_create(&waiter, NULL, take_one, NULL), 0);
		expect_equal(pthread_create(&other, NULL, take_others, NULL), 0);
		while (!atomic_load(&waiting))
			sched_yield();
		sleep_ms(2);
		expect(kill(getpid(), SIGUSR1) == 0);
		expect(kill(getpid(), SIGUSR2) == 0);
		while (atomic_load(&taken) < 1)
			sched_yield();
		pthread_kill(waiter, SIGUSR1); /* if the other took both */
		while (atomic_load(&taken) < 2)
			sched_yield();
		atomic_store(&finished, true);
		expect_equal(pthread_join(waiter, NULL), 0);
		pthread_kill(other, SIGUSR1);
		expect_equal(pthread_join(other, NULL), 0);
	}
}

int main(int argc, char **argv)
{
	static const struct tap_case cases[] = {
		{"exit_group against clone", exit_against_clone},
		{"SIGKILL against clone", kill_against_clone},
		{"SIGKILL against exec", kill_against_exec},
		{"SIGKILL against vfork", kill_against_vfork},
		{"each child is reaped once", reaped_once},
		{"parents and children end at once", orphans},
		{"interval timers of the dead", timers_of_the_dead},
		{"what sigwaitinfo leaves goes to others", what_a_waiter_leaves},
	};

	if (argc > 1 && strcmp(argv[1], "again") == 0) {
		expect(readlink("/proc/self/exe", self_path, sizeof(self_path) - 1) > 0);
		exec_for_ever();
	}
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
