/*
 * race_fd.c - descriptors, positions, pipes and locks, used by many threads and processes at once.
 *
 * Each case does a bounded number of rounds and then asks what must hold however the rounds fell:
 * no byte lost, torn or seen twice, no wake-up lost (a case that hangs), nothing left open.
 */
#include "helpers.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/ioctl.h>

enum { THREADS = 6 };

/* Run the function in so many threads, each with its number; wait for all. */
static void run_threads(int count, void *(*function)(void *))
{
	pthread_t threads[THREADS];

	for (long i = 0; i < count; i++)
		expect_equal(pthread_create(&threads[i], NULL, function, (void *)i), 0);
	for (int i = 0; i < count; i++)
		expect_equal(pthread_join(threads[i], NULL), 0);
}

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 16;
}

static int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	expect(directory != NULL);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

/* --- one table, many threads ------------------------------------------------------------------ */

enum { SLOT_FIRST = 200, SLOTS = 12, STORM_ROUNDS = 1500 };

static int storm_sources[2];

/* The descriptors are anybody's: each call may find one closed (EBADF) or being opened (EBUSY). */
static void *storm(void *number)
{
	unsigned state = (unsigned)(long)number + 1;
	char byte;

	for (int round = 0; round < STORM_ROUNDS; round++) {
		int slot = SLOT_FIRST + (int)(next_random(&state) % SLOTS);
		int copy;

		switch (next_random(&state) % 6) {
		case 0:
			if (dup2(storm_sources[round % 2], slot) < 0)
				expect_equal(errno, EBUSY);
			break;
		case 1:
			if (close(slot) < 0)
				expect_equal(errno, EBADF);
			break;
		case 2:
			if (pread(slot, &byte, 1, 0) < 0)
				expect_equal(errno, EBADF);
			break;
		case 3:
			copy = fcntl(slot, F_DUPFD_CLOEXEC, SLOT_FIRST + SLOTS);
			if (copy < 0)
				expect_equal(errno, EBADF);
			else
				expect_equal(close(copy), 0);
			break;
		case 4:
			copy = open("/dev/zero", O_RDONLY);
			expect(copy >= 0);
			expect_equal(read(copy, &byte, 1), 1);
			expect_equal(close(copy), 0);
			break;
		case 5:
			if (fcntl(slot, F_SETFD, FD_CLOEXEC) < 0)
				expect_equal(errno, EBADF);
			break;
		}
	}
	return NULL;
}

static void one_table(void)
{
	int before;

	scratch_enter();
	storm_sources[0] = open("a", O_CREAT | O_RDWR, 0600);
	storm_sources[1] = open("/dev/zero", O_RDONLY);
	expect(storm_sources[0] >= 0 && storm_sources[1] >= 0);
	before = count_descriptors();
	run_threads(THREADS, storm);
	for (int slot = SLOT_FIRST; slot < SLOT_FIRST + SLOTS; slot++)
		close(slot);
	expect_equal(count_descriptors(), before);
}

/* --- what a descriptor stands for changes while it is read ------------------------------------ */

enum { SWAP_SLOT = 300, SWAP_ROUNDS = 2000, SWAP_BYTES = 512 };

static int swap_files[2];
static atomic_bool swap_over;

static void *swap(void *unused)
{
	for (int round = 0; round < SWAP_ROUNDS; round++)
		expect_equal(dup2(swap_files[round % 2], SWAP_SLOT), SWAP_SLOT);
	swap_over = true;
	return unused;
}

/* The bytes are one file's or the other's. */
static void *read_swapped(void *number)
{
	char bytes[SWAP_BYTES];

	if (number == NULL)
		return swap(number);
	while (!swap_over) {
		expect_equal(pread(SWAP_SLOT, bytes, sizeof(bytes), 0), sizeof(bytes));
		expect(bytes[0] == 'a' || bytes[0] == 'b');
		expect_filled(bytes, bytes[0], sizeof(bytes));
	}
	return NULL;
}

static void replaced_while_read(void)
{
	char bytes[SWAP_BYTES];

	scratch_enter();
	for (int i = 0; i < 2; i++) {
		swap_files[i] = open(i ? "b" : "a", O_CREAT | O_RDWR, 0600);
		memset(bytes, 'a' + i, sizeof(bytes));
		expect_equal(write(swap_files[i], bytes, sizeof(bytes)), sizeof(bytes));
	}
	expect_equal(dup2(swap_files[1], SWAP_SLOT), SWAP_SLOT);
	run_threads(4, read_swapped);
}

/* --- the table grows and is copied while it is used ------------------------------------------- */

enum { GROW_ROUNDS = 6, GROW_TO = 900, FORK_ROUNDS = 25 };

static int grow_file;
static atomic_bool grow_over;

static void *grow(void *number)
{
	struct stat status;

	if (number == NULL) {
		for (int round = 0; round < GROW_ROUNDS; round++) {
			for (int fd = 400; fd < GROW_TO; fd++)
				expect_equal(dup2(grow_file, fd), fd);
			for (int fd = 400; fd < GROW_TO; fd++)
				expect_equal(close(fd), 0);
		}
		grow_over = true;
	} else if ((long)number == 1) {
		for (int round = 0; round < FORK_ROUNDS; round++) {
			pid_t pid = fork_child();

			if (pid == 0)
				_exit(fstat(grow_file, &status) == 0 ? 0 : 1);
			expect_exit(pid, 0);
		}
	} else {
		while (!grow_over) {
			expect_equal(fstat(grow_file, &status), 0);
			expect_equal(status.st_size, 7);
		}
	}
	return NULL;
}

static void growing(void)
{
	scratch_enter();
	grow_file = open("file", O_CREAT | O_RDWR, 0600);
	expect_equal(write(grow_file, "1234567", 7), 7);
	run_threads(4, grow);
}

/* --- one position ----------------------------------------------------------------------------- */

enum { RECORDS = 6000 };

static int record_file;
static atomic_uchar record_seen[RECORDS];

static void *read_records(void *unused)
{
	uint32_t record;
	ssize_t got;

	while ((got = read(record_file, &record, sizeof(record))) != 0) {
		expect_equal(got, sizeof(record));
		expect(record < RECORDS);
		record_seen[record]++;
	}
	return unused;
}

static void one_position(void)
{
	static uint32_t records[RECORDS];

	scratch_enter();
	for (uint32_t i = 0; i < RECORDS; i++)
		records[i] = i;
	record_file = open("records", O_CREAT | O_RDWR, 0600);
	expect_equal(write(record_file, records, sizeof(records)), sizeof(records));
	expect_equal(lseek(record_file, 0, SEEK_SET), 0);
	run_threads(4, read_records);
	for (int i = 0; i < RECORDS; i++)
		expect_equal(record_seen[i], 1);
}

/* --- O_APPEND --------------------------------------------------------------------------------- */

enum { APPENDERS = 4, APPENDS = 400 };

struct line {
	uint32_t writer, number;
	char filler[92];
};

static void append_lines(uint32_t writer)
{
	int fd = open("log", O_WRONLY | O_APPEND);
	struct line line = {.writer = writer};

	memset(line.filler, (int)('A' + writer), sizeof(line.filler));
	for (line.number = 0; line.number < APPENDS; line.number++)
		expect_equal(write(fd, &line, sizeof(line)), sizeof(line));
	close(fd);
}

/* Every line is whole, and each writer's are in order. */
static void appending(void)
{
	uint32_t next[APPENDERS] = {0};
	pid_t pids[APPENDERS];
	struct line line;
	int fd;

	scratch_enter();
	fd = open("log", O_CREAT | O_RDONLY, 0600);
	for (uint32_t writer = 0; writer < APPENDERS; writer++) {
		pids[writer] = fork_child();
		if (pids[writer] == 0) {
			append_lines(writer);
			child_end();
		}
	}
	for (int i = 0; i < APPENDERS; i++)
		expect_exit(pids[i], 0);
	for (int i = 0; i < APPENDERS * APPENDS; i++) {
		expect_equal(read(fd, &line, sizeof(line)), sizeof(line));
		expect(line.writer < APPENDERS);
		expect_equal(line.number, next[line.writer]++);
		expect_filled(line.filler, (int)('A' + line.writer), sizeof(line.filler));
	}
	expect_equal(read(fd, &line, sizeof(line)), 0);
}

/* --- pipes ------------------------------------------------------------------------------------ */

enum { PIPE_WRITERS = 3, PIPE_READERS = 3, MESSAGES = 1500 };

static int pipe_ends[2];
static atomic_uchar message_seen[PIPE_WRITERS * MESSAGES];
static atomic_int writers_left;

/* The last writer closes the pipe: all readers come to its end. */
static void *move_messages(void *number)
{
	long i = (long)number;
	uint32_t message;
	ssize_t got;

	if (i < PIPE_WRITERS) {
		for (uint32_t n = 0; n < MESSAGES; n++) {
			message = (uint32_t)i * MESSAGES + n;
			expect_equal(write(pipe_ends[1], &message, sizeof(message)),
				     sizeof(message));
		}
		if (--writers_left == 0)
			expect_equal(close(pipe_ends[1]), 0);
		return NULL;
	}
	while ((got = read(pipe_ends[0], &message, sizeof(message))) != 0) {
		expect_equal(got, sizeof(message));
		expect(message < PIPE_WRITERS * MESSAGES);
		message_seen[message]++;
	}
	return NULL;
}

/* In a pipe of one page, so that writers wait, too. */
static void many_readers_and_writers(void)
{
	expect_equal(pipe(pipe_ends), 0);
	expect_equal(fcntl(pipe_ends[0], F_SETPIPE_SZ, PAGE), PAGE);
	writers_left = PIPE_WRITERS;
	run_threads(PIPE_WRITERS + PIPE_READERS, move_messages);
	for (int i = 0; i < PIPE_WRITERS * MESSAGES; i++)
		expect_equal(message_seen[i], 1);
}

enum { END_ROUNDS = 150 };

/* Writers fill the pipe until the reader, who takes a little, goes: each gets EPIPE. */
static void reader_goes(void)
{
	for (int round = 0; round < END_ROUNDS; round++) {
		char bytes[3000] = "";
		pid_t pids[2];

		expect_equal(pipe(pipe_ends), 0);
		for (int i = 0; i < 2; i++) {
			pids[i] = fork_child();
			if (pids[i] != 0)
				continue;
			signal(SIGPIPE, SIG_IGN);
			close(pipe_ends[0]);
			while (write(pipe_ends[1], bytes, sizeof(bytes)) > 0)
				;
			_exit(errno == EPIPE ? 0 : 1);
		}
		close(pipe_ends[1]);
		expect(read(pipe_ends[0], bytes, 1 + (size_t)round) > 0);
		close(pipe_ends[0]);
		expect_exit(pids[0], 0);
		expect_exit(pids[1], 0);
	}
}

/* --- poll ------------------------------------------------------------------------------------- */

enum { POLL_PIPES = 4, POLL_ROUNDS = 1500 };

static int there[POLL_PIPES][2], back[2];

static void *answer(void *unused)
{
	struct pollfd polls[POLL_PIPES];
	int done = 0;
	char byte;

	for (int i = 0; i < POLL_PIPES; i++)
		polls[i] = (struct pollfd){.fd = there[i][0], .events = POLLIN};
	while (done < POLL_PIPES) {
		expect(poll(polls, POLL_PIPES, -1) > 0);
		for (int i = 0; i < POLL_PIPES; i++) {
			if (polls[i].revents & POLLIN) {
				expect_equal(read(there[i][0], &byte, 1), 1);
				expect_equal(write(back[1], &byte, 1), 1);
			} else if (polls[i].revents & POLLHUP) {
				polls[i].fd = -1;
				done++;
			}
		}
	}
	return unused;
}

/* One byte at a time goes there and back; at the end the pipes close one after the other. */
static void *ask(void *number)
{
	struct pollfd wait_back = {.fd = back[0], .events = POLLIN};
	char byte;

	if (number != NULL)
		return answer(number);
	for (int round = 0; round < POLL_ROUNDS; round++) {
		byte = (char)round;
		expect_equal(write(there[round % POLL_PIPES][1], &byte, 1), 1);
		expect_equal(poll(&wait_back, 1, -1), 1);
		expect_equal(read(back[0], &byte, 1), 1);
		expect_equal(byte, (char)round);
	}
	for (int i = 0; i < POLL_PIPES; i++)
		expect_equal(close(there[i][1]), 0);
	return NULL;
}

static void polling(void)
{
	expect_equal(pipe(back), 0);
	for (int i = 0; i < POLL_PIPES; i++)
		expect_equal(pipe(there[i]), 0);
	run_threads(2, ask);
}

/* The descriptor that is waited for goes away: the wait is for the pipe all the same. */
static void *close_polled(void *unused)
{
	for (int round = 0; round < 300; round++) {
		struct pollfd one;
		int pair[2];
		pid_t pid;

		expect_equal(pipe(pair), 0);
		pid = fork_child();
		if (pid == 0)
			_exit(write(pair[1], "x", 1) == 1 ? 0 : 1);
		one = (struct pollfd){.fd = pair[0], .events = POLLIN};
		close(pair[1]);
		expect_equal(poll(&one, 1, -1), 1);
		expect(one.revents & POLLIN);
		close(pair[0]);
		expect_exit(pid, 0);
	}
	return unused;
}

static void polled_and_closed(void)
{
	run_threads(2, close_polled);
}

/* --- locks ------------------------------------------------------------------------------------ */

enum { LOCKERS = 4, LOCK_ROUNDS = 150 };

/* Reads, adds one and writes back, alone with the file. */
static void count_once(int fd)
{
	uint32_t count = 0;

	expect_equal(pread(fd, &count, sizeof(count), 0), sizeof(count));
	count++;
	expect_equal(pwrite(fd, &count, sizeof(count), 0), sizeof(count));
}

static void locked_by_range(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 4};

	expect_equal(fcntl(fd, F_SETLKW, &lock), 0);
	count_once(fd);
	lock.l_type = F_UNLCK;
	expect_equal(fcntl(fd, F_SETLK, &lock), 0);
}

static void locked_whole(int fd)
{
	expect_equal(flock(fd, LOCK_EX), 0);
	count_once(fd);
	expect_equal(flock(fd, LOCK_UN), 0);
}

static void count_in_children(void (*count_locked)(int fd))
{
	uint32_t count = 0;
	pid_t pids[LOCKERS];
	int fd;

	scratch_enter();
	fd = open("count", O_CREAT | O_RDWR, 0600);
	expect_equal(write(fd, &count, sizeof(count)), sizeof(count));
	for (int i = 0; i < LOCKERS; i++) {
		pids[i] = fork_child();
		if (pids[i] != 0)
			continue;
		fd = open("count", O_RDWR);
		for (int round = 0; round < LOCK_ROUNDS; round++)
			count_locked(fd);
		child_end();
	}
	for (int i = 0; i < LOCKERS; i++)
		expect_exit(pids[i], 0);
	expect_equal(pread(fd, &count, sizeof(count), 0), sizeof(count));
	expect_equal(count, LOCKERS * LOCK_ROUNDS);
}

static void record_locks(void)
{
	count_in_children(locked_by_range);
}

static void flocks(void)
{
	count_in_children(locked_whole);
}

enum { CLOSE_ROUNDS = 1500, LOCK_SLOT = 310 };

static atomic_bool lock_over;

/* Locks whatever is open there, while the other thread opens and closes it. */
static void *lock_beside_close(void *number)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (number == NULL) {
		for (int round = 0; round < CLOSE_ROUNDS; round++) {
			int fd = open("file", O_RDWR);

			expect_equal(dup2(fd, LOCK_SLOT), LOCK_SLOT);
			expect_equal(close(fd), 0);
			expect_equal(close(LOCK_SLOT), 0);
		}
		lock_over = true;
	} else {
		while (!lock_over)
			if (fcntl(LOCK_SLOT, F_SETLK, &lock) < 0)
				expect_equal(errno, EBADF);
	}
	return NULL;
}

/* Closing any descriptor of a file drops the process's locks on it: none can be left. */
static void lock_and_close(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	pid_t pid;
	int fd;

	scratch_enter();
	close(open("file", O_CREAT | O_RDWR, 0600));
	run_threads(3, lock_beside_close);
	pid = fork_child();
	if (pid == 0) {
		fd = open("file", O_RDWR);
		expect_equal(fcntl(fd, F_GETLK, &lock), 0);
		expect_equal(lock.l_type, F_UNLCK);
		child_end();
	}
	expect_exit(pid, 0);
}

static const struct tap_case cases[] = {
	{"threads open, duplicate and close the same descriptors", one_table},
	{"a descriptor that is replaced reads as one file or the other", replaced_while_read},
	{"a table grows and is copied while it is used", growing},
	{"threads that share a position read each record once", one_position},
	{"appended records are whole", appending},
	{"a pipe moves each message once, with many at both ends", many_readers_and_writers},
	{"writers wake when the reader goes", reader_goes},
	{"poll misses neither a byte nor an end", polling},
	{"poll, close and exit at both ends of a pipe", polled_and_closed},
	{"a record lock is held by one process at a time", record_locks},
	{"a flock is held by one process at a time", flocks},
	{"no record lock outlives the descriptor it was set by", lock_and_close},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
