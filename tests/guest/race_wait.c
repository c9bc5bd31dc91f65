/*
 * race_wait.c - parents and children that begin, end and are waited for at the same time.
 */
#include "race.h"

#define PARENTS 3
#define CHILDREN 120 /* of each parent */

static _Atomic uint64_t *reaped; /* in shared memory: times that each status was seen */

/* --- each child is reaped once ---------------------------------------------------------------- */

static _Atomic int left; /* children that this parent has not reaped */

/* Two threads wait for any child. */
static void *reap_any(void *unused)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, 0)) > 0) {
		expect(WIFEXITED(status));
		atomic_fetch_add(&reaped[WEXITSTATUS(status)], 1);
		atomic_fetch_sub(&left, 1);
	}
	expect_equal(errno, ECHILD);
	return unused;
}

static void be_parent(void)
{
	pthread_t thread;

	atomic_store(&left, CHILDREN);
	for (int i = 0; i < CHILDREN; i++) {
		if (fork_child() == 0)
			_exit(i);
		if (i == CHILDREN / 2)
			thread_start(&thread, reap_any, NULL);
	}
	reap_any(NULL);
	thread_join(thread);
	expect_equal(atomic_load(&left), 0);
}

static void reaped_once(void)
{
	pid_t pids[PARENTS];

	reaped = page_word(map_shared(PAGE), 0);
	for (int i = 0; i < PARENTS; i++) {
		pids[i] = fork_party();
		if (pids[i] == 0) {
			be_parent();
			child_end();
		}
	}
	for (int i = 0; i < PARENTS; i++)
		expect_exit(pids[i], 0);
	for (int i = 0; i < CHILDREN; i++)
		expect_equal(atomic_load(&reaped[i]), PARENTS);
}

/* Threads that each fork and wait for their own child get just that. */
static void *fork_and_wait(void *number)
{
	for (int round = 0; round < 60; round++) {
		int wanted = (int)(size_t)number * 60 + round;
		pid_t pid = fork_child();

		if (pid == 0)
			_exit(wanted);
		expect_exit(pid, wanted);
		expect(waitpid(pid, NULL, 0) == -1 && errno == ECHILD);
	}
	return NULL;
}

static void own_children(void)
{
	pthread_t threads[3];

	for (size_t i = 0; i < 3; i++)
		thread_start(&threads[i], fork_and_wait, (void *)i);
	for (size_t i = 0; i < 3; i++)
		thread_join(threads[i]);
	expect(wait(NULL) == -1 && errno == ECHILD);
}

/* Threads that vfork wait each for its own child. */
static void *vfork_and_wait(void *number)
{
	for (int round = 0; round < 60; round++) {
		int wanted = (int)(size_t)number * 60 + round;
		pid_t pid = vfork();

		if (pid == 0)
			_exit(wanted);
		expect(pid > 0);
		expect_exit(pid, wanted);
	}
	return NULL;
}

static void vforked(void)
{
	pthread_t threads[3];

	for (size_t i = 0; i < 3; i++)
		thread_start(&threads[i], vfork_and_wait, (void *)i);
	for (size_t i = 0; i < 3; i++)
		thread_join(threads[i]);
}

/* --- SIGCHLD ---------------------------------------------------------------------------------- */

static volatile sig_atomic_t harvest;

static void reap_in_handler(int signal)
{
	int saved = errno;

	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		harvest++;
	errno = saved;
}

/* One signal may stand for several children; none may end without one. */
static void signalled(void)
{
	struct sigaction action = {.sa_handler = reap_in_handler, .sa_flags = SA_RESTART};
	sigset_t child, old;

	expect(sigaction(SIGCHLD, &action, NULL) == 0);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (int i = 0; i < 200; i++)
		if (fork_child() == 0)
			_exit(0);
	expect(sigprocmask(SIG_BLOCK, &child, &old) == 0);
	while (harvest < 200)
		sigsuspend(&old);
	expect(wait(NULL) == -1 && errno == ECHILD);
}

/* --- orphans ---------------------------------------------------------------------------------- */

/* Parents and children end at the same time; the children's end is somebody's business. */
static void orphans(void)
{
	struct gate alive;
	char byte;

	gate_make(&alive);
	for (int round = 0; round < 60; round++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			for (int i = 0; i < 3; i++)
				if (fork_child() == 0) {
					linger((unsigned)(round * i) % 50);
					_exit(0);
				}
			linger((unsigned)round % 50);
			_exit(5);
		}
		expect_exit(pid, 5);
	}
	close(alive.fds[1]); /* the orphans hold the other copies */
	expect(read(alive.fds[0], &byte, 1) == 0);
}

/* --- killed while forking --------------------------------------------------------------------- */

/* A group in which everybody forks: who gets the signal is gone, and nobody slips through. */
static void fork_for_ever(_Atomic uint64_t *born)
{
	for (int depth = 0;;) {
		pid_t pid = fork();

		if (pid > 0) {
			waitpid(pid, NULL, 0);
		} else if (pid == 0) {
			atomic_fetch_add(born, 1);
			if (++depth == 3)
				_exit(0);
		}
	}
}

static void groups_are_killed_whole(void)
{
	_Atomic uint64_t *born = page_word(map_shared(PAGE), 0);

	for (uint64_t round = 0; round < 30; round++) {
		struct gate alive;
		char byte;
		pid_t pid;

		gate_make(&alive);
		atomic_store(born, 0);
		pid = fork_child();
		if (pid == 0) {
			expect(setpgid(0, 0) == 0);
			atomic_fetch_add(born, 1);
			if (fork_child() == 0)
				fork_for_ever(born);
			fork_for_ever(born);
		}
		spin_until(atomic_load(born) > round % 10);
		expect(kill(-pid, SIGKILL) == 0);
		close(alive.fds[1]);
		expect(read(alive.fds[0], &byte, 1) == 0); /* the last one is gone */
		close(alive.fds[0]);
		expect_killed(pid, SIGKILL);
	}
}

static const struct tap_case cases[] = {
	{"each child is reaped once, whoever waits", reaped_once},
	{"threads fork and wait for their own", own_children},
	{"threads vfork and wait for their own", vforked},
	{"no child ends without SIGCHLD", signalled},
	{"parents and children end at once", orphans},
	{"a group is killed whole while it forks", groups_are_killed_whole},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
