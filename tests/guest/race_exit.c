/*
 * race_exit.c - ends of processes and threads while their other threads fault, map, fork and wait.
 *
 * exit_group, execve and SIGKILL end threads wherever they are: in a page fault, in a system call,
 * asleep. The wait status is that of the one who asked, and nobody hangs. That no memory is lost
 * is for the runner to notice.
 */
#include "race.h"

#define THREADS 3
#define ROUNDS 40

static _Atomic unsigned busy; /* threads that have begun their work */

/* Fault fresh pages, take rights away, drop them, for ever. */
static void *fault_on(void *number)
{
	char *memory = map_anon(16 * PAGE, RW, MAP_PRIVATE);

	atomic_fetch_add(&busy, 1);
	for (;;) {
		for (size_t page = 0; page < 16; page++)
			*page_word(memory, page) = (size_t)number;
		if (mprotect(memory, 4 * PAGE, PROT_READ) < 0 ||
		    mprotect(memory, 4 * PAGE, RW) < 0 ||
		    madvise(memory, 16 * PAGE, MADV_DONTNEED) < 0)
			_exit(99);
	}
	return NULL;
}

static void *map_on(void *number)
{
	atomic_fetch_add(&busy, 1);
	for (;;) {
		char *memory = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			_exit(99);
		*page_word(memory, 5) = (size_t)number;
		munmap(memory, 8 * PAGE);
	}
	return NULL;
}

static void *sleep_on(void *number)
{
	struct gate never;

	gate_make(&never);
	atomic_fetch_add(&busy, 1);
	gate_pass(&never);
	return number;
}

static void *(*const occupations[])(void *) = {fault_on, map_on, sleep_on};

/* In a child: threads that work at all this, and some that have perhaps not begun. */
static void start_threads(int round)
{
	pthread_t thread;

	for (size_t i = 0; i < THREADS; i++)
		thread_start(&thread, occupations[i], (void *)i);
	if (round % 2 == 0)
		spin_until(atomic_load(&busy) == THREADS);
}

static void exit_group_by_the_first(void)
{
	for (int round = 0; round < race_rounds(ROUNDS); round++) {
		pid_t pid = fork_party();

		if (pid == 0) {
			start_threads(round);
			linger((unsigned)round * 7 % 200);
			_exit(round);
		}
		expect_exit(pid, round);
	}
}

static void *exit_with(void *status)
{
	linger(20);
	_exit((int)(size_t)status);
}

/* Two threads end the process at once: the status is one of theirs. */
static void exit_group_by_two(void)
{
	for (int round = 0; round < race_rounds(ROUNDS); round++) {
		pid_t pid = fork_party();
		int status;

		if (pid == 0) {
			pthread_t thread;

			start_threads(round);
			thread_start(&thread, exit_with, (void *)11L);
			exit_with((void *)12L);
		}
		status = wait_child(pid);
		expect(WIFEXITED(status));
		expect(WEXITSTATUS(status) == 11 || WEXITSTATUS(status) == 12);
	}
}

static void killed(void)
{
	_Atomic unsigned *started = (_Atomic unsigned *)map_shared(PAGE);

	for (int round = 0; round < race_rounds(ROUNDS); round++) {
		pid_t pid;

		atomic_store(started, 0);
		pid = fork_party();
		if (pid == 0) {
			start_threads(round);
			atomic_store(started, 1);
			fault_on(NULL);
		}
		spin_until(atomic_load(started) == 1);
		linger((unsigned)round * 7 % 200);
		expect(kill(pid, SIGKILL) == 0);
		expect_killed(pid, SIGKILL);
	}
}

/* A fault of one thread that nobody catches ends all. */
static void *crash(void *unused)
{
	linger(20);
	poke(map_anon(PAGE, PROT_NONE, MAP_PRIVATE), 1);
	return unused;
}

static void crashed(void)
{
	for (int round = 0; round < race_rounds(ROUNDS); round++) {
		pid_t pid = fork_party();

		if (pid == 0) {
			pthread_t thread;

			start_threads(round);
			thread_start(&thread, crash, NULL);
			fault_on(NULL);
		}
		expect_killed(pid, SIGSEGV);
	}
}

/* --- execve ----------------------------------------------------------------------------------- */

static _Noreturn void execute(const char *status)
{
	execl("/proc/self/exe", "race_exit", "exit-with", status, (char *)NULL);
	_exit(98);
}

static void *execute_in_thread(void *status)
{
	linger(20);
	execute(status);
}

static void execve_by_the_first(void)
{
	for (int round = 0; round < ROUNDS / 2; round++) {
		pid_t pid = fork_party();

		if (pid == 0) {
			start_threads(round);
			execute("21");
		}
		expect_exit(pid, 21);
	}
}

/* The process keeps its id, whichever thread asks; of two that ask, one is heard. */
static void execve_by_two_threads(void)
{
	for (int round = 0; round < ROUNDS / 2; round++) {
		pid_t pid = fork_party();
		int status;

		if (pid == 0) {
			pthread_t threads[2];

			start_threads(round);
			thread_start(&threads[0], execute_in_thread, "22");
			thread_start(&threads[1], execute_in_thread, "23");
			fault_on(NULL);
		}
		status = wait_child(pid);
		expect(WIFEXITED(status));
		expect(WEXITSTATUS(status) == 22 || WEXITSTATUS(status) == 23);
	}
}

/* execve against exit_group: the new program's status or the exit's. */
static void execve_against_exit(void)
{
	for (int round = 0; round < ROUNDS / 2; round++) {
		pid_t pid = fork_party();
		int status;

		if (pid == 0) {
			pthread_t thread;

			start_threads(round);
			thread_start(&thread, execute_in_thread, "24");
			exit_with((void *)25L);
		}
		status = wait_child(pid);
		expect(WIFEXITED(status));
		expect(WEXITSTATUS(status) == 24 || WEXITSTATUS(status) == 25);
	}
}

/* --- one thread's end ------------------------------------------------------------------------- */

static _Atomic unsigned short_lives;

static void *live_shortly(void *unused)
{
	char *memory = map_anon(PAGE, RW, MAP_PRIVATE);

	*page_word(memory, 0) = 1;
	expect(munmap(memory, PAGE) == 0);
	atomic_fetch_add(&short_lives, 1);
	return unused;
}

/* Start and join threads, while others of this process do the same. */
static void *have_threads(void *unused)
{
	for (int round = 0; round < 100; round++) {
		pthread_t first, second;

		thread_start(&first, live_shortly, NULL);
		thread_start(&second, live_shortly, NULL);
		thread_join(first);
		thread_join(second);
	}
	return unused;
}

static void many_short_lives(void)
{
	pthread_t threads[2];

	thread_start(&threads[0], have_threads, NULL);
	thread_start(&threads[1], have_threads, NULL);
	thread_join(threads[0]);
	thread_join(threads[1]);
	expect_equal(atomic_load(&short_lives), 400);
}

/* The first thread leaves; the process lives until the last does, and its status is 0. */
static void *outlive(void *unused)
{
	linger(50);
	return unused;
}

static void the_first_leaves(void)
{
	for (int round = 0; round < race_rounds(ROUNDS); round++) {
		pid_t pid = fork_party();

		if (pid == 0) {
			pthread_t thread;

			for (size_t i = 0; i < THREADS; i++)
				thread_start(&thread, outlive, NULL);
			pthread_exit(NULL);
		}
		expect_exit(pid, 0);
	}
}

/* Forks under way when the process ends: the children live or were never born. */
static void *fork_on(void *unused)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		atomic_fetch_add(&busy, 1);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	return unused;
}

static void exit_during_forks(void)
{
	for (int round = 0; round < ROUNDS / 2; round++) {
		pid_t pid = fork_party();

		if (pid == 0) {
			pthread_t threads[2];

			thread_start(&threads[0], fork_on, NULL);
			thread_start(&threads[1], fork_on, NULL);
			spin_until(atomic_load(&busy) >= (unsigned)round % 5);
			_exit(30);
		}
		expect_exit(pid, 30);
	}
}

static const struct tap_case cases[] = {
	{"exit_group while threads fault, map and sleep", exit_group_by_the_first},
	{"two threads call exit_group at once", exit_group_by_two},
	{"SIGKILL while threads fault, map and sleep", killed},
	{"a crash while threads fault, map and sleep", crashed},
	{"execve while threads fault, map and sleep", execve_by_the_first},
	{"two threads call execve at once", execve_by_two_threads},
	{"execve against exit_group", execve_against_exit},
	{"threads start and end threads", many_short_lives},
	{"the first thread leaves before the others", the_first_leaves},
	{"exit_group while threads fork", exit_during_forks},
};

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "exit-with") == 0)
		return atoi(argv[2]);
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
