/*
 * threads_life.c - how threads begin and end: exit of one, of the first, of all; execve and fork in
 * the midst; numbers, signals, stacks; and memory given back.
 */
#include "threads.h"

#include <spawn.h>
#include <sys/prctl.h>

extern char **environ;

static _Atomic int word, started, told;

static void *sleep_forever(void *unused)
{
	started++;
	for (;;)
		pause();
	return unused;
}

static void *spin_forever(void *unused)
{
	started++;
	for (;;)
		__asm__ volatile("pause");
	return unused;
}

static void *wait_forever(void *unused)
{
	started++;
	for (;;)
		futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return unused;
}

static void *map_forever(void *unused)
{
	started++;
	for (;;) {
		char *map = map_anon(4 * PAGE, RW, MAP_PRIVATE);

		memset(map, 1, 4 * PAGE);
		expect(munmap(map, 4 * PAGE) == 0);
	}
	return unused;
}

/* Threads in all the places where the end of their process may find them. */
static void start_all_sorts(void)
{
	static void *(*const sorts[])(void *) = {sleep_forever, spin_forever, wait_forever,
						 map_forever};
	pthread_t thread;

	for (size_t i = 0; i < 2 * ARRAY_LENGTH(sorts); i++)
		start_thread(&thread, sorts[i % ARRAY_LENGTH(sorts)], NULL);
	await_value(&started, 2 * ARRAY_LENGTH(sorts));
}

static void *exit_all(void *unused)
{
	exit(5);
	return unused;
}

static void exit_group_of_all_sorts(void)
{
	pthread_t thread;

	for (int round = 0; round < 10; round++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			start_all_sorts();
			if (round % 2)
				_exit(5);
			start_thread(&thread, exit_all, NULL);
			sleep_forever(NULL);
		}
		expect_exit(pid, 5);
	}
}

static void *kill_all(void *unused)
{
	kill(getpid(), SIGKILL);
	return unused;
}

static void *crash(void *unused)
{
	void *volatile nowhere = (void *)8;

	peek(nowhere);
	return unused;
}

static void killed(void)
{
	pthread_t thread;

	for (int round = 0; round < 10; round++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			start_all_sorts();
			start_thread(&thread, round % 2 ? kill_all : crash, NULL);
			sleep_forever(NULL);
		}
		expect_killed(pid, round % 2 ? SIGKILL : SIGSEGV);
	}
}

static void *outlive_first(void *first)
{
	expect_equal(pthread_join((pthread_t)first, NULL), 0);
	/* The process goes on: its number, its children, its signals. */
	expect_equal(kill(getpid(), 0), 0);
	expect_exit(fork_child() ?: (_exit(6), 0), 6);
	exit(7);
}

static void first_thread_ends(void)
{
	pid_t pid = fork_child();
	pthread_t thread;

	if (pid == 0) {
		start_thread(&thread, outlive_first, pthread_self());
		pthread_exit(NULL);
	}
	expect_exit(pid, 7);
}

static void *end_with_status(void *first)
{
	expect_equal(pthread_join((pthread_t)first, NULL), 0);
	syscall(SYS_exit, 9);
	return NULL;
}

/* Often: the first thread may be done only after the other, which waits for its tid to be 0. */
static void last_thread_ends(void)
{
	for (int round = 0; round < 50; round++) {
		pid_t pid = fork_child();
		pthread_t thread;

		if (pid == 0) {
			start_thread(&thread, end_with_status, pthread_self());
			pthread_exit(NULL);
		}
		expect_exit(pid, 9);
	}
}

static _Atomic int ended;

static void *end_at_once(void *unused)
{
	ended++;
	return unused;
}

static void exit_waits_for_no_one(void)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork_child();
		pthread_t thread;

		if (pid == 0) {
			for (int j = 0; j < 20; j++)
				start_thread(&thread, end_at_once, NULL);
			_exit(8); /* some have ended, some end just now, some have not begun */
		}
		expect_exit(pid, 8);
	}
}

static char own_path[256]; /* /proc/self/exe, which is gone with the first thread on Linux */

/* What exec'ed: it is the process's only thread, under the process's number. */
static int after_exec(const char *pid_text)
{
	expect_equal(getpid(), atoi(pid_text));
	expect_equal(own_tid(), getpid());
	expect_equal(proc_number("/proc/self/status", "Threads"), 1);
	return 11;
}

static void exec_self(void)
{
	char pid_text[16];

	snprintf(pid_text, sizeof(pid_text), "%d", getpid());
	execl(own_path, "threads_life", "exec", pid_text, NULL);
	_exit(9);
}

static _Atomic int may_exec = 1;

static void *exec_from_thread(void *unused)
{
	await_value(&may_exec, 1); /* on Linux no thread can be made while another execs */
	exec_self();
	return unused;
}

static void exec_ends_threads(void)
{
	pthread_t thread;

	for (int round = 0; round < 8; round++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			start_all_sorts();
			if (round % 2)
				exec_self();
			start_thread(&thread, exec_from_thread, NULL);
			sleep_forever(NULL);
		}
		expect_exit(pid, 11);
	}
}

static void *exec_after_first(void *first)
{
	expect_equal(pthread_join((pthread_t)first, NULL), 0);
	exec_self();
	return NULL;
}

static void exec_after_the_first_ended(void)
{
	pid_t pid = fork_child();
	pthread_t thread;

	if (pid == 0) {
		start_thread(&thread, exec_after_first, pthread_self());
		pthread_exit(NULL);
	}
	expect_exit(pid, 11);
}

/* Several at once: one wins, the others are among those who end. */
static void exec_from_many(void)
{
	for (int round = 0; round < 8; round++) {
		pid_t pid = fork_child();
		pthread_t thread;

		if (pid == 0) {
			may_exec = 0;
			for (int i = 0; i < 4; i++)
				start_thread(&thread, exec_from_thread, NULL);
			may_exec = 1;
			sleep_forever(NULL);
		}
		expect_exit(pid, 11);
	}
}

static void *exec_nothing(void *unused)
{
	expect_errno(execl("/nonexistent", "nonexistent", NULL), ENOENT);
	return unused;
}

static void exec_that_fails_ends_nobody(void)
{
	pthread_t sleeper, thread;

	start_thread(&sleeper, wait_forever, NULL);
	start_thread(&thread, exec_nothing, NULL);
	join_thread(thread, 0);
	/* Joined, it has given up its tid, but is perhaps still on its way out. */
	while (proc_number("/proc/self/status", "Threads") > 2)
		sched_yield();
	expect_equal(proc_number("/proc/self/status", "Threads"), 2);
	expect(pthread_tryjoin_np(sleeper, NULL) == EBUSY);
}

static void *fork_and_wait(void *unused)
{
	(void)unused;
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			/* The others do not exist here. */
			if (i == 0)
				expect_equal(proc_number("/proc/self/status", "Threads"), 1);
			expect_equal(own_tid(), getpid());
			_exit(9);
		}
		expect_exit(pid, 9);
	}
	return NULL;
}

static void fork_in_threads(void)
{
	run_in_threads(4, fork_and_wait);
}

static void *spawn_and_wait(void *unused)
{
	char *argv[] = {"threads_life", "exec", "0", NULL};
	int status;
	pid_t pid;

	(void)unused;
	for (int i = 0; i < 5; i++) {
		argv[1] = "status";
		expect_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
		status = wait_child(pid);
		expect(WIFEXITED(status) && WEXITSTATUS(status) == 12);
		expect_equal(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ), ENOENT);
	}
	return NULL;
}

static void spawn_in_threads(void)
{
	run_in_threads(4, spawn_and_wait);
}

static _Atomic int prepared, in_parent, in_child;

static void prepare(void)
{
	prepared++;
}
static void parent_goes_on(void)
{
	in_parent++;
}
static void child_begins(void)
{
	in_child++;
}

static void fork_handlers(void)
{
	pid_t pid;

	expect_equal(pthread_atfork(prepare, parent_goes_on, child_begins), 0);
	pid = fork_child();
	if (pid == 0)
		_exit(prepared == 1 && in_child == 1 && in_parent == 0 ? 0 : 1);
	expect_exit(pid, 0);
	expect(prepared == 1 && in_parent == 1 && in_child == 0);
}

static void *tell_number(void *number)
{
	*(int *)number = own_tid();
	return NULL;
}

static volatile sig_atomic_t handled_signal, handled_by;

static void note_signal(int signal)
{
	handled_by = own_tid();
	handled_signal = signal;
}

static void *await_signal(void *number)
{
	*(_Atomic int *)number = own_tid();
	while (!handled_signal)
		sched_yield();
	return NULL;
}

static void signals_to_threads(void)
{
	static _Atomic int tid;
	pthread_t thread;
	int gone;

	signal(SIGUSR1, note_signal);
	start_thread(&thread, await_signal, &tid);
	while (!tid)
		sched_yield();
	expect_errno(syscall(SYS_tgkill, getpid(), tid, 65), EINVAL);
	expect_errno(syscall(SYS_tgkill, getppid(), tid, SIGUSR1), ESRCH);
	expect_errno(syscall(SYS_tgkill, 0, tid, SIGUSR1), EINVAL);
	expect_errno(syscall(SYS_tgkill, getpid(), -1, SIGUSR1), EINVAL);
	expect_errno(syscall(SYS_tkill, 0, SIGUSR1), EINVAL);
	expect_equal(syscall(SYS_tgkill, getpid(), tid, 0), 0);
	expect_equal(handled_signal, 0);
	expect_equal(syscall(SYS_tgkill, getpid(), tid, SIGUSR1), 0);
	join_thread(thread, 0);
	expect_equal(handled_by, tid);
	start_thread(&thread, tell_number, &gone);
	join_thread(thread, 0);
	while (syscall(SYS_tgkill, getpid(), gone, 0) == 0)
		sched_yield(); /* joined means that it no longer uses its stack, not quite gone */
	expect_equal(errno, ESRCH);
}

static void *block_and_wait(void *unused)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	started++;
	expect_equal(sigwait(&set, &signal), 0);
	expect_equal(signal, SIGUSR2);
	told++;
	return unused;
}

/* Each of the process's signals goes to one of those who wait for it. */
static void signals_to_waiting_threads(void)
{
	pthread_t threads[4];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 4; i++)
		start_thread(&threads[i], block_and_wait, NULL);
	await_value(&started, 4);
	for (int i = 0; i < 4; i++) {
		expect_equal(kill(getpid(), SIGUSR2), 0);
		await_value(&told, i + 1);
	}
	for (int i = 0; i < 4; i++)
		join_thread(threads[i], 0);
}

static void *stop_self(void *unused)
{
	raise(SIGSTOP);
	return unused;
}

static void stop_and_continue(void)
{
	pthread_t thread;

	for (int round = 0; round < 5; round++) {
		struct gate seen;
		int status;
		pid_t pid;

		gate_make(&seen);
		pid = fork_child();
		if (pid == 0) {
			start_all_sorts();
			start_thread(&thread, stop_self, NULL);
			join_thread(thread, 0);
			gate_pass(&seen);
			_exit(4);
		}
		expect_equal(waitpid(pid, &status, WUNTRACED), pid);
		expect(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		expect_equal(kill(pid, SIGCONT), 0);
		expect_equal(waitpid(pid, &status, WCONTINUED), pid);
		expect(WIFCONTINUED(status));
		gate_open(&seen);
		expect_exit(pid, 4);
	}
}

static void *begin_and_end(void *unused)
{
	pthread_t thread;

	started++;
	for (;;) {
		start_thread(&thread, end_at_once, NULL);
		join_thread(thread, 0);
	}
	return unused;
}

/* Whoever ends just then may be the last for whom the others waited. */
static void stop_while_threads_end(void)
{
	pid_t pid = fork_child();
	pthread_t thread;
	int status;

	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			start_thread(&thread, begin_and_end, NULL);
		begin_and_end(NULL);
	}
	for (int i = 0; i < 100; i++) {
		expect_equal(kill(pid, SIGSTOP), 0);
		expect_equal(waitpid(pid, &status, WUNTRACED), pid);
		expect(WIFSTOPPED(status));
		expect_equal(kill(pid, SIGCONT), 0);
		sched_yield();
	}
	kill(pid, SIGKILL);
	expect_killed(pid, SIGKILL);
}

static void *use_stack(void *bytes)
{
	size_t size = (size_t)bytes;
	volatile char *used = __builtin_alloca(size);

	for (size_t i = 0; i < size; i += PAGE)
		used[i] = 1;
	return NULL;
}

static void stack_sizes(void)
{
	static const size_t sizes[] = {32768, 65536, MIB, 64 * MIB};
	pthread_attr_t attributes;
	pthread_t thread;

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		expect_equal(pthread_attr_init(&attributes), 0);
		expect_equal(pthread_attr_setstacksize(&attributes, sizes[i]), 0);
		expect_equal(
			pthread_create(&thread, &attributes, use_stack, (void *)(sizes[i] / 2)), 0);
		join_thread(thread, 0);
	}
}

/* The page below a stack is nobody's, however large the guard is asked to be. */
static void guards(void)
{
	static const size_t guard_sizes[] = {PAGE, 16 * PAGE};

	for (size_t i = 0; i < ARRAY_LENGTH(guard_sizes); i++) {
		pid_t pid = fork_child();
		pthread_attr_t attributes;
		pthread_t thread;

		if (pid == 0) {
			pthread_attr_init(&attributes);
			pthread_attr_setstacksize(&attributes, 65536);
			pthread_attr_setguardsize(&attributes, guard_sizes[i]);
			pthread_create(&thread, &attributes, use_stack, (void *)65536);
			pthread_join(thread, NULL);
			_exit(1);
		}
		expect_killed(pid, SIGSEGV);
	}
}

static void own_stack(void)
{
	char *stack = map_anon(65536, RW, MAP_PRIVATE);
	pthread_attr_t attributes;
	pthread_t thread;

	expect_equal(pthread_attr_init(&attributes), 0);
	expect_equal(pthread_attr_setstack(&attributes, stack, 65536), 0);
	for (int i = 0; i < 100; i++) {
		expect_equal(pthread_create(&thread, &attributes, use_stack, (void *)8192), 0);
		join_thread(thread, 0);
	}
	expect(munmap(stack, 65536) == 0); /* a joined thread is off its stack */
}

static void *nothing(void *number)
{
	return number;
}

static void thousands_in_turn(void)
{
	pthread_t threads[16];

	for (int round = 0; round < 125; round++) {
		for (long i = 0; i < 16; i++)
			start_thread(&threads[i], nothing, i);
		for (long i = 0; i < 16; i++)
			join_thread(threads[i], i);
	}
}

static void *end_detached(void *unused)
{
	started++;
	return unused;
}

static void thousands_detached(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 2000; i++) {
		int error = pthread_create(&thread, &attributes, end_detached, NULL);

		expect_equal(error, 0);
		if (i % 64 == 63)
			await_value(&started, i + 1);
	}
	await_value(&started, 2000);
	while (proc_number("/proc/self/status", "Threads") > 1)
		sched_yield();
}

static void *start_another(void *depth)
{
	pthread_t thread;

	if (depth) {
		start_thread(&thread, start_another, (char *)depth - 1);
		join_thread(thread, 0);
	}
	return NULL;
}

static void many_alive(void)
{
	start_another((void *)200);
}

static void *name_self(void *name)
{
	char told_name[16];

	expect_equal(prctl(PR_SET_NAME, name), 0);
	sched_yield();
	expect(prctl(PR_GET_NAME, told_name) == 0 && strcmp(told_name, name) == 0);
	return NULL;
}

static void names(void)
{
	static char thread_names[4][16] = {"one", "two", "three", "four"};
	pthread_t threads[4];
	char own[16];

	prctl(PR_GET_NAME, own);
	for (int i = 0; i < 4; i++)
		start_thread(&threads[i], name_self, thread_names[i]);
	for (int i = 0; i < 4; i++)
		join_thread(threads[i], 0);
	name_self(own);
}

static void processors(void)
{
	unsigned processor = ~0u, node = ~0u;
	cpu_set_t allowed;

	expect(syscall(SYS_getcpu, &processor, &node, NULL) == 0);
	expect(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
	expect(CPU_ISSET(processor, &allowed) && node == 0);
	expect(syscall(SYS_getcpu, NULL, NULL, NULL) == 0);
	expect_errno(syscall(SYS_getcpu, free_range(PAGE), NULL, NULL), EFAULT);
	expect(sched_getcpu() >= 0);
}

static void *change_user(void *unused)
{
	started++;
	while (told == 0)
		sched_yield();
	expect(getuid() == 1000 && geteuid() == 1000 && getgid() == 1000);
	return unused;
}

/* POSIX: ids are the process's. A library asks each thread to change its own. */
static void ids_of_all(void)
{
	pthread_t threads[3];

	if (getuid() != 0)
		tap_skip("not root");
	for (int i = 0; i < 3; i++)
		start_thread(&threads[i], change_user, NULL);
	await_value(&started, 3);
	expect(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
	told = 1;
	for (int i = 0; i < 3; i++)
		join_thread(threads[i], 0);
}

static const struct tap_case cases[] = {
	{"exit ends threads wherever they are", exit_group_of_all_sorts},
	{"so do SIGKILL and a crash", killed},
	{"the first thread ends, the others go on", first_thread_ends},
	{"the last thread's status is the process's", last_thread_ends},
	{"exit while threads begin and end", exit_waits_for_no_one},
	{"execve ends the other threads, from any thread", exec_ends_threads},
	{"execve when the first thread has ended", exec_after_the_first_ended},
	{"execve from several threads at once", exec_from_many},
	{"execve that fails ends nobody", exec_that_fails_ends_nobody},
	{"fork copies the calling thread only", fork_in_threads},
	{"posix_spawn from threads", spawn_in_threads},
	{"handlers around fork", fork_handlers},
	{"signals to one thread", signals_to_threads},
	{"signals to whoever waits for them", signals_to_waiting_threads},
	{"a process stops and continues as a whole", stop_and_continue},
	{"it stops while threads begin and end", stop_while_threads_end},
	{"stacks of any size", stack_sizes},
	{"the pages below a stack are fatal", guards},
	{"a stack of one's own", own_stack},
	{"two thousand threads in turn", thousands_in_turn},
	{"two thousand detached ones", thousands_detached},
	{"two hundred alive at once", many_alive},
	{"each has its name", names},
	{"which processor", processors},
	{"user and group ids are the process's", ids_of_all},
};

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "exec") == 0)
		return after_exec(argv[2]);
	if (argc == 3 && strcmp(argv[1], "status") == 0)
		return 12;
	expect(readlink("/proc/self/exe", own_path, sizeof(own_path) - 1) > 0);
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
