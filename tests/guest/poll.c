/*
 * poll.c - waiting for several descriptors: poll, ppoll and pselect.
 */
#include "helpers.h"

#include <poll.h>
#include <sys/select.h>

/* What poll says about one descriptor, without waiting. */
static int state(int fd, short events)
{
	struct pollfd entry = {.fd = fd, .events = events, .revents = 0x7777};
	int ready = poll(&entry, 1, 0);

	expect(ready == (entry.revents != 0));
	return entry.revents;
}

static void pipe_states(void)
{
	static char buffer[65536];
	int ends[2];

	expect(pipe(ends) == 0);
	expect_equal(state(ends[0], POLLIN), 0);
	expect_equal(state(ends[1], POLLOUT), POLLOUT);
	expect(write(ends[1], "x", 1) == 1);
	expect_equal(state(ends[0], POLLIN | POLLOUT), POLLIN);
	expect_equal(state(ends[0], 0), 0);
	expect(write(ends[1], buffer, 65536 - 4096) == 65536 - 4096);
	expect(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
	while (write(ends[1], buffer, 4096) > 0)
		;
	expect_equal(state(ends[1], POLLOUT), 0); /* full */
	while (state(ends[0], POLLIN) == POLLIN)
		expect(read(ends[0], buffer, sizeof(buffer)) > 0);
	expect_equal(state(ends[1], POLLOUT), POLLOUT);
}

static void pipe_endings(void)
{
	int ends[2];
	char byte;

	expect(pipe(ends) == 0);
	expect(write(ends[1], "x", 1) == 1);
	close(ends[1]);
	expect_equal(state(ends[0], POLLIN), POLLIN | POLLHUP);
	expect(read(ends[0], &byte, 1) == 1);
	expect_equal(state(ends[0], POLLIN), POLLHUP);
	expect_equal(state(ends[0], 0), POLLHUP); /* told without being asked */
	expect(pipe(ends) == 0);
	close(ends[0]);
	expect_equal(state(ends[1], POLLOUT), POLLOUT | POLLERR);
}

static void other_files(void)
{
	int fd;

	scratch_enter();
	fd = file_create("file", 1);
	expect_equal(state(fd, POLLIN | POLLOUT), POLLIN | POLLOUT); /* always ready */
	expect_equal(state(open("/dev/null", O_RDWR), POLLIN | POLLOUT), POLLIN | POLLOUT);
	expect_equal(state(999, POLLIN), POLLNVAL);
	expect_equal(state(-1, POLLIN), 0); /* skipped */
}

static void several(void)
{
	struct pollfd entries[5];
	int ends[2], other[2];

	expect(pipe(ends) == 0 && pipe(other) == 0);
	expect(write(other[1], "x", 1) == 1);
	entries[0] = (struct pollfd){.fd = ends[0], .events = POLLIN};
	entries[1] = (struct pollfd){.fd = other[0], .events = POLLIN};
	entries[2] = (struct pollfd){.fd = -5, .events = POLLIN, .revents = 9};
	entries[3] = (struct pollfd){.fd = ends[1], .events = POLLOUT};
	entries[4] = (struct pollfd){.fd = 999};
	expect_equal(poll(entries, 5, 1000000), 3); /* no need to wait */
	expect(entries[0].revents == 0 && entries[1].revents == POLLIN);
	expect(entries[2].revents == 0 && entries[3].revents == POLLOUT);
	expect_equal(entries[4].revents, POLLNVAL);
}

static void times_out(void)
{
	struct pollfd entry;
	struct timespec before, after;
	int ends[2];

	expect(pipe(ends) == 0);
	entry = (struct pollfd){.fd = ends[0], .events = POLLIN, .revents = 9};
	expect(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
	expect_equal(poll(&entry, 1, 20), 0);
	expect(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
	expect((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >=
	       20000000);
	expect_equal(entry.revents, 0);
	expect_equal(poll(NULL, 0, 1), 0); /* just a sleep */
}

static void woken_up(void)
{
	struct pollfd entries[2];
	int first[2], second[2];
	char byte;
	pid_t pid;

	expect(pipe(first) == 0 && pipe(second) == 0);
	entries[0] = (struct pollfd){.fd = first[0], .events = POLLIN};
	entries[1] = (struct pollfd){.fd = second[0], .events = POLLIN};
	pid = fork_child();
	if (pid == 0) {
		for (int i = 0; i < 10; i++) {
			sleep_ms(2);
			expect(write(i % 2 == 0 ? first[1] : second[1], "w", 1) == 1);
		}
		child_end();
	}
	for (int done = 0; done < 10;) {
		expect(poll(entries, 2, -1) > 0);
		for (int i = 0; i < 2; i++)
			if (entries[i].revents == POLLIN) {
				expect(read(entries[i].fd, &byte, 1) == 1);
				done++;
			}
	}
	expect_exit(pid, 0);
}

static void woken_by_the_end(void)
{
	struct pollfd entry;
	int ends[2];
	pid_t pid;

	expect(pipe(ends) == 0);
	pid = fork_child();
	if (pid == 0) {
		sleep_ms(5);
		child_end(); /* the last writer goes with it */
	}
	close(ends[1]);
	entry = (struct pollfd){.fd = ends[0], .events = POLLIN};
	expect_equal(poll(&entry, 1, -1), 1);
	expect_equal(entry.revents, POLLHUP);
	expect_exit(pid, 0);
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

static void interrupted(void)
{
	struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
	struct pollfd entry;
	int ends[2];
	pid_t pid;

	expect(pipe(ends) == 0);
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	entry = (struct pollfd){.fd = ends[0], .events = POLLIN};
	pid = pester_start(SIGUSR1);
	expect_errno(poll(&entry, 1, -1), EINTR); /* never restarted */
	pester_stop(pid);
	expect(signals > 0);
}

/* A signal that is blocked but for the wait itself: no moment in which it could be missed. */
static void mask_for_the_wait(void)
{
	struct timespec soon = {.tv_nsec = 1000000};
	sigset_t blocked, none, now;
	int ends[2];
	struct pollfd entry;

	expect(pipe(ends) == 0);
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	signal(SIGUSR1, count_signal);
	expect(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
	entry = (struct pollfd){.fd = ends[0], .events = POLLIN};
	expect_equal(ppoll(&entry, 1, &soon, &none), 0);
	raise(SIGUSR1);
	expect_equal(signals, 0);
	expect_errno(ppoll(&entry, 1, NULL, &none), EINTR);
	expect_equal(signals, 1);
	expect(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
	raise(SIGUSR1);
	expect_errno(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
	expect_equal(signals, 2);
}

static void selecting(void)
{
	struct timespec none = {0}, soon = {.tv_nsec = 5000000};
	fd_set reading, writing;
	int ends[2];

	expect(pipe(ends) == 0);
	FD_ZERO(&reading);
	FD_ZERO(&writing);
	FD_SET(ends[0], &reading);
	FD_SET(ends[1], &writing);
	expect_equal(pselect(ends[1] + 1, &reading, &writing, NULL, NULL, NULL), 1);
	expect(!FD_ISSET(ends[0], &reading) && FD_ISSET(ends[1], &writing));
	expect(write(ends[1], "x", 1) == 1);
	FD_SET(ends[0], &reading);
	expect_equal(pselect(ends[1] + 1, &reading, &writing, NULL, &none, NULL), 2);
	FD_ZERO(&reading);
	expect_equal(pselect(ends[1] + 1, &reading, NULL, NULL, &soon, NULL), 0);
	FD_SET(50, &reading); /* not open */
	expect_errno(pselect(51, &reading, NULL, NULL, &none, NULL), EBADF);
	expect_errno(pselect(-1, NULL, NULL, NULL, &none, NULL), EINVAL);
}

static void errors(void)
{
	struct timespec bad = {.tv_nsec = -1};
	struct pollfd entry = {.fd = -1};

	expect_errno(ppoll(&entry, 1, &bad, NULL), EINVAL);
	expect_errno(syscall(SYS_poll, 16, 1, 0), EFAULT);
	expect_errno(syscall(SYS_poll, &entry, 0x7fffffff, 0), EINVAL); /* more than may be open */
}

static const struct tap_case cases[] = {
	{"a pipe's ends: empty, filled, full", pipe_states},
	{"a pipe's ends: the other one closed", pipe_endings},
	{"files are always ready, bad numbers are POLLNVAL", other_files},
	{"several descriptors at once", several},
	{"it times out, not too early", times_out},
	{"it wakes up for each byte", woken_up},
	{"it wakes up for the end of file", woken_by_the_end},
	{"a signal interrupts it, SA_RESTART or not", interrupted},
	{"ppoll and pselect change the mask for the wait", mask_for_the_wait},
	{"pselect: reading, writing, time, errors", selecting},
	{"errors", errors},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
