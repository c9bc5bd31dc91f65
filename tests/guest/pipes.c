/*
 * pipes.c - pipes: order, capacity, both ends' endings, blocking and not.
 *
 * poll has poll.c. Classic lab point 17 (read into a copy-on-write page) and 32 (no mapping).
 */
#include "helpers.h"

#include <sys/ioctl.h>

#define CAPACITY 65536

static void bytes_in_order(void)
{
	static char buffer[30000];
	int ends[2];
	pid_t pid;

	expect(pipe(ends) == 0);
	pid = fork_child();
	if (pid == 0) {
		close(ends[0]);
		for (size_t done = 0; done < 300000; done += 30000) {
			fill_pattern(buffer, done, 30000);
			expect_equal(write(ends[1], buffer, 30000), 30000);
		}
		child_end();
	}
	close(ends[1]);
	for (size_t done = 0; done < 300000;) {
		ssize_t got = read(ends[0], buffer, 1 + done % 7001);

		expect(got > 0);
		expect_pattern(buffer, done, (size_t)got);
		done += (size_t)got;
	}
	expect_equal(read(ends[0], buffer, 1), 0); /* the writer is gone: end of file */
	expect_exit(pid, 0);
}

static void capacity(void)
{
	static char buffer[CAPACITY];
	int ends[2], total = 0;
	ssize_t done;

	expect(pipe2(ends, O_NONBLOCK) == 0);
	expect_errno(read(ends[0], buffer, 1), EAGAIN);
	while ((done = write(ends[1], buffer, PAGE)) > 0)
		total += (int)done;
	expect_equal(errno, EAGAIN);
	expect_equal(total, CAPACITY);
	expect_equal(fcntl(ends[0], F_GETPIPE_SZ), CAPACITY);
	expect_equal(read(ends[0], buffer, PAGE), PAGE);
	expect_equal(write(ends[1], buffer, PAGE), PAGE);
	expect_errno(write(ends[1], buffer, 1), EAGAIN);
}

/* Writes up to PIPE_BUF are whole or not at all, larger ones may be partial. */
static void atomic_writes(void)
{
	static char buffer[CAPACITY];
	int ends[2];

	expect(pipe2(ends, O_NONBLOCK) == 0);
	expect_equal(write(ends[1], buffer, CAPACITY), CAPACITY);
	expect_equal(read(ends[0], buffer, 2 * PAGE), 2 * PAGE);
	expect_equal(write(ends[1], buffer, PAGE), PAGE);
	expect_equal(write(ends[1], buffer, 3 * PAGE), PAGE); /* as much as there is room for */
	expect_errno(write(ends[1], buffer, PAGE), EAGAIN);
	expect_equal(read(ends[0], buffer, 100), 100);
	expect_errno(write(ends[1], buffer, PAGE), EAGAIN); /* no room for the whole */
}

/* Four writers of records of PIPE_BUF bytes: no record is torn. */
static void records_are_whole(void)
{
	enum { WRITERS = 4, RECORDS = 50, RECORD = 4096 };
	static char record[RECORD];
	pid_t children[WRITERS];
	int ends[2], counts[WRITERS] = {0};

	expect(pipe(ends) == 0);
	for (int i = 0; i < WRITERS; i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			memset(record, 'a' + i, RECORD);
			for (int j = 0; j < RECORDS; j++)
				expect_equal(write(ends[1], record, RECORD), RECORD);
			child_end();
		}
	}
	close(ends[1]);
	for (int i = 0; i < WRITERS * RECORDS; i++) {
		for (size_t done = 0; done < RECORD;) {
			ssize_t got = read(ends[0], record + done, RECORD - done);

			expect(got > 0);
			done += (size_t)got;
		}
		expect_filled(record, record[0], RECORD);
		counts[record[0] - 'a']++;
	}
	for (int i = 0; i < WRITERS; i++) {
		expect_exit(children[i], 0);
		expect_equal(counts[i], RECORDS);
	}
}

static volatile int pipe_signals;

static void count_pipe_signal(int signal)
{
	(void)signal;
	pipe_signals++;
}

static void no_reader(void)
{
	int ends[2];
	pid_t pid;

	expect(pipe(ends) == 0);
	close(ends[0]);
	pid = fork_child();
	if (pid == 0) {
		expect(write(ends[1], "x", 1) == 1);
		child_end();
	}
	expect_killed(pid, SIGPIPE);
	signal(SIGPIPE, count_pipe_signal);
	expect_errno(write(ends[1], "x", 1), EPIPE);
	expect_equal(pipe_signals, 1);
	signal(SIGPIPE, SIG_IGN);
	expect_errno(write(ends[1], "x", 1), EPIPE);
	expect_equal(pipe_signals, 1);
}

static void reader_leaves_blocked_writer(void)
{
	static char buffer[2 * CAPACITY];
	int ends[2];
	pid_t pid;

	expect(pipe(ends) == 0);
	pid = fork_child();
	if (pid == 0) {
		close(ends[0]);
		signal(SIGPIPE, SIG_IGN);
		/* All that fits was taken; the rest never will be. */
		expect_equal(write(ends[1], buffer, sizeof(buffer)), CAPACITY + PAGE);
		expect_errno(write(ends[1], buffer, 1), EPIPE);
		child_end();
	}
	expect_equal(read(ends[0], buffer, PAGE), PAGE);
	sleep_ms(20); /* most likely it sleeps by now; the answer is the same if not */
	while (fcntl(ends[0], F_GETFD) >= 0) {
		int waiting = 0;

		/* Close only once the pipe is full again, so that the count above is exact. */
		expect(ioctl(ends[0], FIONREAD, &waiting) == 0);
		if (waiting == CAPACITY)
			close(ends[0]);
		else
			sleep_ms(1);
	}
	expect_exit(pid, 0);
}

static void end_of_file(void)
{
	char text[10];
	int ends[2], second;

	expect(pipe(ends) == 0);
	second = dup(ends[1]);
	expect(write(ends[1], "abc", 3) == 3);
	close(ends[1]);
	expect_equal(read(ends[0], text, sizeof(text)), 3); /* what there is, not what was asked */
	expect(write(second, "d", 1) == 1);
	close(second);
	expect_equal(read(ends[0], text, sizeof(text)), 1); /* first what is left */
	expect_equal(read(ends[0], text, sizeof(text)), 0);
	expect_equal(read(ends[0], text, sizeof(text)), 0);
}

static void reader_sleeps(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	expect(pipe(ends) == 0);
	pid = fork_child();
	if (pid == 0) {
		for (int i = 0; i < 20; i++) {
			sleep_ms(1);
			byte = (char)i;
			expect(write(ends[1], &byte, 1) == 1);
		}
		child_end();
	}
	for (int i = 0; i < 20; i++)
		expect(read(ends[0], &byte, 1) == 1 && byte == (char)i);
	expect_exit(pid, 0);
}

static void ping_pong(void)
{
	struct gate there, back;
	pid_t pid;

	gate_make(&there);
	gate_make(&back);
	pid = fork_child();
	if (pid == 0) {
		for (int i = 0; i < 2000; i++) {
			gate_pass(&there);
			gate_open(&back);
		}
		child_end();
	}
	for (int i = 0; i < 2000; i++) {
		gate_open(&there);
		gate_pass(&back);
	}
	expect_exit(pid, 0);
}

static void flags(void)
{
	int ends[2];

	expect(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	expect_equal(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	expect_equal(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
	expect_equal(fcntl(ends[0], F_GETFL), O_RDONLY | O_NONBLOCK);
	expect_equal(fcntl(ends[1], F_GETFL), O_WRONLY | O_NONBLOCK);
	expect_errno(read(ends[0], ends, 1), EAGAIN);
	expect(fcntl(ends[0], F_SETFL, 0) == 0);
	expect_equal(fcntl(ends[0], F_GETFL), O_RDONLY);
	expect_errno(write(ends[0], "x", 1), EBADF);
	expect_errno(read(ends[1], ends, 1), EBADF);
	expect_errno(pipe2(ends, O_APPEND), EINVAL);
	expect_errno(pipe2(ends, -1), EINVAL);
	expect(pipe(ends) == 0 && fcntl(ends[0], F_GETFD) == 0);
	expect_errno(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0), ENODEV);
}

static void what_fstat_tells(void)
{
	struct stat status;
	int ends[2], waiting = -1;

	expect(pipe(ends) == 0);
	expect(fstat(ends[0], &status) == 0 && S_ISFIFO(status.st_mode));
	expect(write(ends[1], "12345", 5) == 5);
	expect(ioctl(ends[0], FIONREAD, &waiting) == 0);
	expect_equal(waiting, 5);
	expect_errno(ftruncate(ends[1], 0), EINVAL);
}

/* Pipes opened and dropped, full and empty: their memory comes back. */
static void many_pipes(void)
{
	static char buffer[CAPACITY];
	int ends[2];

	for (int i = 0; i < 500; i++) {
		expect(pipe(ends) == 0);
		if (i % 2 == 0)
			expect_equal(write(ends[1], buffer, sizeof(buffer)), sizeof(buffer));
		expect(close(ends[0]) == 0 && close(ends[1]) == 0);
	}
}

static void interrupted(void)
{
	struct sigaction action = {.sa_handler = count_pipe_signal};
	int ends[2];
	char byte;
	pid_t pid;

	expect(pipe(ends) == 0);
	expect(sigaction(SIGUSR1, &action, NULL) == 0); /* without SA_RESTART */
	pid = pester_start(SIGUSR1);
	expect_errno(read(ends[0], &byte, 1), EINTR);
	pester_stop(pid);
	expect(pipe_signals > 0);
}

static void copy_on_write_buffers(void)
{
	char *buffer = map_anon(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	int ends[2];
	pid_t pid;

	expect(pipe(ends) == 0);
	fill_pattern(buffer, 0, 4 * PAGE);
	expect_equal(write(ends[1], "0123456789", 10), 10);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(read(ends[0], buffer + PAGE - 5, 10), 10);
		expect(memcmp(buffer + PAGE - 5, "0123456789", 10) == 0);
		expect_pattern(buffer, 0, PAGE - 5);
		child_end();
	}
	expect_exit(pid, 0);
	expect_pattern(buffer, 0, 4 * PAGE);
}

static const struct tap_case cases[] = {
	{"bytes arrive in order, then the end of file", bytes_in_order},
	{"it holds 64 KiB, then EAGAIN", capacity},
	{"writes up to PIPE_BUF are all or nothing", atomic_writes},
	{"records of four writers are whole", records_are_whole},
	{"no reader: SIGPIPE and EPIPE", no_reader},
	{"the reader leaves a blocked writer", reader_leaves_blocked_writer},
	{"the end of file comes after the last byte and the last writer", end_of_file},
	{"a reader sleeps until there is a byte", reader_sleeps},
	{"two thousand times there and back", ping_pong},
	{"pipe2 flags, wrong ends, no mapping (lab 32)", flags},
	{"fstat and FIONREAD", what_fstat_tells},
	{"five hundred pipes come and go", many_pipes},
	{"a signal interrupts a sleeping reader", interrupted},
	{"read into copy-on-write pages (lab 17)", copy_on_write_buffers},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
