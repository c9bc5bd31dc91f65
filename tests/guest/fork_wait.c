/*
 * fork_wait.c - processes come and go: fork, vfork, exit statuses, wait, orphans.
 *
 * execve and posix_spawn are in exec.c, memory across fork in cow.c. Classic lab points 18 and 34.
 */
#include "helpers.h"

static void exit_statuses(void)
{
	static const struct {
		int given, seen;
	} rows[] = {{0, 0},	{1, 1},	  {42, 42},  {127, 127},
		    {255, 255}, {256, 0}, {-1, 255}, {0x1234, 0x34}};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		pid_t pid = fork_child();

		if (pid == 0)
			_exit(rows[i].given);
		expect_exit(pid, rows[i].seen);
	}
}

static void killed_statuses(void)
{
	static const int signals[] = {SIGKILL, SIGTERM, SIGINT,	 SIGHUP,  SIGSEGV, SIGBUS,
				      SIGABRT, SIGPIPE, SIGUSR1, SIGALRM, SIGFPE,  SIGQUIT};

	for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			raise(signals[i]);
			_exit(0);
		}
		expect_killed(pid, signals[i]);
	}
}

static void pids(void)
{
	pid_t parent = getpid();
	struct gate told;
	pid_t pid, number;

	gate_make(&told);
	pid = fork_child();
	if (pid == 0) {
		number = getpid();
		expect(number != parent && getppid() == parent);
		expect(write(told.fds[1], &number, sizeof(number)) == sizeof(number));
		child_end();
	}
	expect_exit(pid, 0);
	expect(read(told.fds[0], &number, sizeof(number)) == sizeof(number));
	expect_equal(number, pid);
	expect_equal(syscall(SYS_gettid), parent);
}

static void wait_errors(void)
{
	pid_t pid;
	int status;

	expect_errno(wait(&status), ECHILD);
	expect_errno(waitpid(-1, &status, WNOHANG), ECHILD);
	expect_errno(waitpid(getpid(), &status, 0), ECHILD);
	expect_errno(waitpid(1, &status, 0), ECHILD);
	expect_errno(waitpid(-1, &status, 0x1000), EINVAL);
	pid = fork_child();
	if (pid == 0)
		child_end();
	expect_exit(pid, 0);
	expect_errno(waitpid(pid, &status, 0), ECHILD); /* once only */
}

static void wait_without_hanging(void)
{
	struct gate go;
	pid_t pid, got;
	int status = 77;

	gate_make(&go);
	pid = fork_child();
	if (pid == 0) {
		gate_pass(&go);
		_exit(9);
	}
	expect_equal(waitpid(pid, &status, WNOHANG), 0);
	expect_equal(waitpid(-1, &status, WNOHANG), 0);
	expect_equal(status, 77);
	gate_open(&go);
	while ((got = waitpid(pid, &status, WNOHANG)) == 0)
		sleep_ms(1);
	expect_equal(got, pid);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

static void wait_for_one_of_many(void)
{
	enum { COUNT = 10 };
	struct gate go;
	pid_t children[COUNT];
	bool seen[COUNT] = {false};

	gate_make(&go);
	for (int i = 0; i < COUNT; i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			gate_pass(&go);
			_exit(i);
		}
	}
	for (int i = 0; i < COUNT; i++)
		gate_open(&go);
	expect_exit(children[7], 7);
	expect_exit(children[2], 2);
	seen[7] = seen[2] = true;
	for (int i = 0; i < COUNT - 2; i++) {
		int status;
		pid_t pid = waitpid(i % 2 == 0 ? -1 : 0, &status, 0); /* any, or of our group */
		int which = WEXITSTATUS(status);

		expect(pid > 0 && which < COUNT && !seen[which] && children[which] == pid);
		seen[which] = true;
	}
	expect_errno(wait(NULL), ECHILD);
}

static void what_fork_copies(void)
{
	char directory[256], same[256];
	pid_t pid;
	int fd;

	scratch_enter();
	fd = file_create("file", 100);
	expect(getcwd(directory, sizeof(directory)) != NULL);
	umask(027);
	pid = fork_child();
	if (pid == 0) {
		expect(getcwd(same, sizeof(same)) != NULL && strcmp(directory, same) == 0);
		expect_equal(umask(0), 027);
		expect(chdir("/") == 0);
		expect(lseek(fd, 40, SEEK_SET) == 40); /* the position is shared */
		expect(close(fd) == 0);		       /* the descriptor is not */
		child_end();
	}
	expect_exit(pid, 0);
	expect(getcwd(same, sizeof(same)) != NULL && strcmp(directory, same) == 0);
	expect_equal(umask(022), 027);
	expect_equal(lseek(fd, 0, SEEK_CUR), 40);
}

static void orphan_is_adopted(void)
{
	struct gate told;
	pid_t pid, middle;

	gate_make(&told);
	middle = fork_child();
	if (middle == 0) {
		middle = getpid();
		if (fork_child() == 0) {
			while ((pid = getppid()) == middle)
				sleep_ms(1);
			expect(write(told.fds[1], &pid, sizeof(pid)) == sizeof(pid));
		}
		child_end();
	}
	expect_exit(middle, 0);
	close(told.fds[1]);
	expect_equal(read(told.fds[0], &pid, sizeof(pid)), sizeof(pid));
	expect(pid > 0 && pid != middle && pid != getpid());
	expect_errno(wait(NULL), ECHILD); /* it is not ours to wait for */
}

/* Two generations die in both orders, often: the adopter must reap, no process may be lost. */
static void exit_and_wait_race(void)
{
	for (int round = 0; round < 100; round++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			for (int i = 0; i < 2; i++)
				if (fork_child() == 0)
					_exit(0);
			if (round % 2 == 0)
				wait(NULL);
			_exit(round % 7);
		}
		expect_exit(pid, round % 7);
	}
	expect_errno(wait(NULL), ECHILD);
}

static void many_in_turn(void)
{
	for (int i = 0; i < 500; i++) {
		pid_t pid = fork_child();

		if (pid == 0)
			_exit(i % 128);
		expect_exit(pid, i % 128);
	}
}

/* Fork until it fails, or two hundred are there; whatever the number, all come back. */
static void many_at_once(void)
{
	struct gate go;
	int count, reaped = 0;

	gate_make(&go);
	for (count = 0; count < 200; count++) {
		pid_t pid = fork();

		if (pid == 0) {
			close(go.fds[1]);
			_exit(read(go.fds[0], &pid, 1) == 0 ? 0 : 1);
		}
		if (pid < 0) {
			expect(errno == EAGAIN || errno == ENOMEM);
			break;
		}
	}
	expect(count >= 20);
	close(go.fds[1]); /* the end of file lets all of them go */
	for (int status; wait(&status) > 0; reaped++)
		expect_equal(status, 0);
	expect_equal(reaped, count);
	expect_equal(errno, ECHILD);
}

static void vfork_shares_memory(void)
{
	static volatile int told;
	pid_t parent = getpid(), pid;

	told = 0;
	pid = vfork();
	if (pid == 0) {
		told = getppid() == parent && getpid() != parent ? 5 : 6;
		_exit(3);
	}
	expect(pid > 0);
	expect_equal(told, 5); /* the child ran first, in our memory */
	expect_exit(pid, 3);
}

static void vfork_child_is_killed(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(0);
	}
	expect(pid > 0);
	expect_killed(pid, SIGKILL);
}

static void ignored_children_vanish(void)
{
	struct sigaction action = {.sa_handler = SIG_IGN};

	expect(sigaction(SIGCHLD, &action, NULL) == 0);
	for (int i = 0; i < 5; i++)
		if (fork_child() == 0)
			_exit(i);
	expect_errno(wait(NULL), ECHILD); /* after all of them have ended */
	action.sa_handler = SIG_DFL;
	action.sa_flags = SA_NOCLDWAIT;
	expect(sigaction(SIGCHLD, &action, NULL) == 0);
	if (fork_child() == 0)
		_exit(1);
	expect_errno(wait(NULL), ECHILD);
}

static void groups_and_sessions(void)
{
	struct gate go;
	pid_t pid;

	gate_make(&go);
	pid = fork_child();
	if (pid == 0) {
		gate_pass(&go);
		expect_equal(getpgrp(), getpid());
		expect_errno(setsid(), EPERM); /* a group leader already */
		pid = fork_child();
		if (pid == 0) {
			expect_equal(getpgrp(), getppid());
			expect_equal(setsid(), getpid());
			expect_equal(getpgrp(), getpid());
			expect_equal(getsid(0), getpid());
			child_end();
		}
		expect_exit(pid, 0);
		child_end();
	}
	expect(setpgid(pid, pid) == 0);
	expect_equal(getpgid(pid), pid);
	expect_errno(setpgid(pid, -1), EINVAL);
	expect_errno(setpgid(1, 0), ESRCH); /* not a child */
	gate_open(&go);
	expect_errno(waitpid(0, NULL, 0), ECHILD); /* none left in our own group */
	expect_equal(waitpid(-pid, NULL, 0), pid);
}

static const struct tap_case cases[] = {
	{"exit statuses, of which eight bits are kept", exit_statuses},
	{"death by each of many signals", killed_statuses},
	{"pid and parent's pid agree", pids},
	{"wait's errors", wait_errors},
	{"WNOHANG: 0 while the child lives, then its pid", wait_without_hanging},
	{"wait for one of many, for any, for the group", wait_for_one_of_many},
	{"what fork copies and what it shares", what_fork_copies},
	{"an orphan gets another parent (lab 34)", orphan_is_adopted},
	{"exit and wait race in two generations (lab 34)", exit_and_wait_race},
	{"five hundred children in turn (lab 18)", many_in_turn},
	{"fork until two hundred live or it fails, all come back (lab 34)", many_at_once},
	{"vfork: the child runs first, in our memory", vfork_shares_memory},
	{"vfork: a killed child lets the parent go on", vfork_child_is_killed},
	{"children vanish when SIGCHLD is ignored or NOCLDWAIT set", ignored_children_vanish},
	{"process groups and sessions", groups_and_sessions},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
