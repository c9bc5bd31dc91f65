/*
 * race_pipes.c - pipes with many writers and readers at once.
 *
 * What is written in up to PIPE_BUF bytes stays together (POSIX, write()); each byte is read once;
 * the end of the file comes to all readers when the last writer is gone, EPIPE to all writers when
 * the last reader is.
 */
#include "race.h"

#include <limits.h>
#include <poll.h>

#define WRITERS 3
#define RECORDS 300

struct record {
	uint16_t bytes; /* of the whole */
	uint16_t writer;
	uint32_t number;
	unsigned char filling[PIPE_BUF - 8];
};

static struct gate through;

/* Write records of all sizes, each in one call. */
static void write_records(uint16_t writer)
{
	struct record record = {.writer = writer};
	uint64_t dice = writer + 1;

	memset(record.filling, 'a' + writer, sizeof(record.filling));
	for (record.number = 0; record.number < RECORDS; record.number++) {
		record.bytes = (uint16_t)(8 + dice_roll(&dice) % (PIPE_BUF - 7));
		if (record.number % 3 == 0)
			record.bytes = PIPE_BUF;
		expect_equal(write(through.fds[1], &record, record.bytes), record.bytes);
	}
}

static void read_fully(void *buffer, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t got = read(through.fds[0], (char *)buffer + done, bytes - done);

		expect(got > 0);
		done += (size_t)got;
	}
}

static void *write_records_in_thread(void *writer)
{
	write_records((uint16_t)(size_t)writer);
	return NULL;
}

/* One reader parses what a thread and two processes write. */
static void records_stay_together(void)
{
	uint32_t next[WRITERS] = {0};
	pid_t pids[WRITERS];
	struct record record;
	pthread_t thread;
	char byte;

	gate_make(&through);
	for (uint16_t i = 1; i < WRITERS; i++) {
		pids[i] = fork_party();
		if (pids[i] == 0) {
			close(through.fds[0]);
			write_records(i);
			child_end();
		}
	}
	thread_start(&thread, write_records_in_thread, (void *)0L);
	for (int i = 0; i < WRITERS * RECORDS; i++) {
		read_fully(&record, 8);
		expect(record.writer < WRITERS && record.bytes >= 8 && record.bytes <= PIPE_BUF);
		expect_equal(record.number, next[record.writer]++);
		read_fully(record.filling, record.bytes - 8);
		expect_filled(record.filling, 'a' + record.writer, record.bytes - 8);
	}
	thread_join(thread);
	for (int i = 1; i < WRITERS; i++)
		expect_exit(pids[i], 0);
	close(through.fds[1]);
	expect(read(through.fds[0], &byte, 1) == 0);
}

/* --- many readers ----------------------------------------------------------------------------- */

#define TOTAL (512 * 1024) /* bytes of each writer */

/* What was read so far, by value; in shared memory. */
static _Atomic uint64_t *tally;

/* Write TOTAL bytes in pieces of any size, large ones too: those may come apart. */
static void write_bytes(int value)
{
	static char piece[20000];
	uint64_t dice = (uint64_t)value + 1;

	memset(piece, value, sizeof(piece));
	for (size_t left = TOTAL; left > 0;) {
		size_t bytes = 1 + dice_roll(&dice) % sizeof(piece);
		ssize_t put = write(through.fds[1], piece, bytes < left ? bytes : left);

		expect(put > 0);
		left -= (size_t)put;
	}
}

static void read_bytes(uint64_t dice)
{
	static char piece[9000];
	uint64_t counts[WRITERS] = {0};
	ssize_t got;

	while ((got = read(through.fds[0], piece, 1 + dice_roll(&dice) % sizeof(piece))) > 0)
		for (ssize_t i = 0; i < got; i++) {
			expect(piece[i] >= 0 && piece[i] < WRITERS);
			counts[(int)piece[i]]++;
		}
	expect_equal(got, 0);
	for (int i = 0; i < WRITERS; i++)
		atomic_fetch_add(&tally[i], counts[i]);
}

static void each_byte_once(void)
{
	pid_t pids[2 * WRITERS];

	gate_make(&through);
	tally = page_word(map_shared(PAGE), 0);
	for (int i = 0; i < 2 * WRITERS; i++) {
		pids[i] = fork_party();
		if (pids[i] == 0) {
			close(through.fds[i < WRITERS ? 0 : 1]);
			if (i < WRITERS)
				write_bytes(i);
			else
				read_bytes((uint64_t)i);
			child_end();
		}
	}
	close(through.fds[0]);
	close(through.fds[1]);
	for (int i = 0; i < 2 * WRITERS; i++)
		expect_exit(pids[i], 0);
	for (int i = 0; i < WRITERS; i++)
		expect_equal(atomic_load(&tally[i]), TOTAL);
}

/* --- ends ------------------------------------------------------------------------------------- */

/* Readers asleep, or about to be, when the last writer goes. */
static void end_of_file_for_all(void)
{
	for (int round = 0; round < 60; round++) {
		pid_t pids[3];

		gate_make(&through);
		for (int i = 0; i < 3; i++) {
			pids[i] = fork_party();
			if (pids[i] == 0) {
				char byte;

				close(through.fds[1]);
				_exit(read(through.fds[0], &byte, 1) == 0 ? 0 : 1);
			}
		}
		linger((unsigned)round * 3);
		close(through.fds[1]);
		for (int i = 0; i < 3; i++)
			expect_exit(pids[i], 0);
		close(through.fds[0]);
	}
}

/* Writers to a full pipe, asleep or about to be, when the last reader goes. */
static void broken_for_all(void)
{
	for (int round = 0; round < 60; round++) {
		pid_t pids[3];

		gate_make(&through);
		for (int i = 0; i < 3; i++) {
			pids[i] = fork_party();
			if (pids[i] == 0) {
				static char piece[3000];

				close(through.fds[0]);
				signal(SIGPIPE, SIG_IGN);
				while (write(through.fds[1], piece, sizeof(piece)) > 0)
					;
				_exit(errno == EPIPE ? 0 : 1);
			}
		}
		linger((unsigned)round * 3);
		close(through.fds[0]);
		for (int i = 0; i < 3; i++)
			expect_exit(pids[i], 0);
		close(through.fds[1]);
	}
}

/* poll tells of data and of the end; what it tells is there. */
static void polled(void)
{
	struct pollfd wanted;
	size_t total = 0;
	char piece[700];
	pid_t pid;

	gate_make(&through);
	pid = fork_party();
	if (pid == 0) {
		for (int i = 0; i < 2000; i++) {
			expect(write(through.fds[1], piece, 100) == 100);
			if (i % 16 == 0)
				sched_yield();
		}
		child_end();
	}
	close(through.fds[1]);
	expect(fcntl(through.fds[0], F_SETFL, O_NONBLOCK) == 0);
	wanted = (struct pollfd){.fd = through.fds[0], .events = POLLIN};
	for (;;) {
		ssize_t got;

		expect(poll(&wanted, 1, -1) == 1);
		got = read(through.fds[0], piece, sizeof(piece));
		expect(got >= 0);
		total += (size_t)got;
		if (got == 0)
			break;
	}
	expect_equal(total, 2000 * 100);
	expect_exit(pid, 0);
}

static const struct tap_case cases[] = {
	{"records of up to PIPE_BUF bytes stay together", records_stay_together},
	{"each byte is read once", each_byte_once},
	{"the end of the file comes to all readers", end_of_file_for_all},
	{"EPIPE comes to all writers", broken_for_all},
	{"poll tells of data and end", polled},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
