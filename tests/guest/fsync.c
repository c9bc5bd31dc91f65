/*
 * fsync.c - making files durable and saying what will be needed: fsync, fdatasync, sync_file_range,
 * sync, syncfs, O_SYNC, O_DSYNC, posix_fadvise, readahead. Every errno.
 *
 * That the right pages reach what lies behind a file is counted in test_object.c.
 */
#include "helpers.h"

#define RW (PROT_READ | PROT_WRITE)
#define RANGE_ALL (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

static void fsync_and_fdatasync(void)
{
	char *map;
	int fd, ends[2];

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	map = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	poke(map, 'a');
	expect(fsync(fd) == 0);
	expect_equal(file_byte("file", 0), 'a');
	poke(map + PAGE, 'b'); /* noticed again after it was cleaned */
	expect(fdatasync(fd) == 0);
	expect_equal(file_byte("file", (off_t)PAGE), 'b');
	expect(fsync(open("file", O_RDONLY)) == 0); /* no right to write is needed */
	expect(fsync(open(".", O_RDONLY)) == 0);
	expect_errno(fsync(999), EBADF);
	expect_errno(fdatasync(-1), EBADF);
	expect_errno(fsync(open("file", O_PATH)), EBADF);
	expect(pipe(ends) == 0);
	expect_errno(fsync(ends[1]), EINVAL);
	expect_errno(fdatasync(ends[0]), EINVAL);
	expect_errno(fsync(open("/dev/null", O_RDWR)), EINVAL);
}

static void sync_range_errors(void)
{
	static const struct {
		const char *name;
		int64_t offset, length;
		unsigned flags;
		int error; /* 0: succeeds */
	} rows[] = {
		{"everything", 0, 0, RANGE_ALL, 0},
		{"no flag", 0, 0, 0, 0},
		{"a part", 4096, 10, SYNC_FILE_RANGE_WRITE, 0},
		{"past the end", 1 << 20, 4096, RANGE_ALL, 0},
		{"an unknown flag", 0, 0, 8, EINVAL},
		{"all flags", 0, 0, ~0U, EINVAL},
		{"negative offset", -1, 1, RANGE_ALL, EINVAL},
		{"negative end", 0, -1, RANGE_ALL, EINVAL},
		{"overflow", INT64_MAX, 2, RANGE_ALL, EINVAL},
	};
	int fd, ends[2];

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		int result;

		errno = 0;
		result = sync_file_range(fd, rows[i].offset, rows[i].length, rows[i].flags);
		if (rows[i].error)
			check_errno(rows[i].name, result, rows[i].error);
		else
			check(rows[i].name, result == 0);
	}
	expect_errno(sync_file_range(999, 0, 0, 0), EBADF);
	expect_errno(sync_file_range(open("file", O_PATH), 0, 0, 0), EBADF);
	expect(pipe(ends) == 0);
	expect_errno(sync_file_range(ends[0], 0, 0, RANGE_ALL), ESPIPE);
	expect_errno(sync_file_range(open("/dev/null", O_RDWR), 0, 0, RANGE_ALL), ESPIPE);
}

static void whole_systems(void)
{
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	expect(syncfs(fd) == 0);
	expect(syncfs(open(".", O_RDONLY)) == 0);
	expect_errno(syncfs(999), EBADF);
	expect_errno(syncfs(open("file", O_PATH)), EBADF);
	if (on_stos()) /* on Linux everybody's files would be written */
		sync();
}

static void synchronous_writes(void)
{
	static const int flags[] = {O_SYNC, O_DSYNC};
	int fd, ends[2];

	scratch_enter();
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		fd = open("file", O_RDWR | O_CREAT | O_TRUNC | flags[i], 0600);
		expect_equal(write(fd, "hello", 5), 5);
		expect_equal(pwrite(fd, "J", 1, 0), 1);
		expect_equal(fcntl(fd, F_GETFL) & O_SYNC, flags[i]);
		expect_equal(file_byte("file", 0), 'J');
		expect_equal(file_byte("file", 4), 'o');
		expect(close(fd) == 0);
	}
	expect(pipe2(ends, O_CLOEXEC) == 0);
	fd = open("/dev/null", O_WRONLY | O_SYNC); /* has nothing to sync, and does not mind */
	expect_equal(write(fd, "x", 1), 1);
}

static void advice(void)
{
	static const int known[] = {POSIX_FADV_NORMAL,	 POSIX_FADV_RANDOM,   POSIX_FADV_SEQUENTIAL,
				    POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE};
	char *map;
	int fd, ends[2];

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	map = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	poke(map, 'd');
	for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
		expect_equal(posix_fadvise(fd, 0, 0, known[i]), 0);
		expect_equal(posix_fadvise(fd, 100, 5000, known[i]), 0);
		expect_equal(posix_fadvise(fd, (off_t)MIB, (off_t)MIB, known[i]), 0);
		expect_equal(posix_fadvise(fd, INT64_MAX, INT64_MAX, known[i]), 0);
		expect_equal(posix_fadvise(fd, 0, -1, known[i]), EINVAL);
	}
	expect_equal(peek(map), 'd'); /* nothing dirty was dropped */
	expect_pattern(map + 1, 1, 4 * PAGE - 1);
	expect_equal(posix_fadvise(fd, 0, 0, 6), EINVAL);
	expect_equal(posix_fadvise(fd, 0, 0, -1), EINVAL);
	expect_equal(posix_fadvise(999, 0, 0, POSIX_FADV_NORMAL), EBADF);
	expect_equal(posix_fadvise(open("file", O_PATH), 0, 0, POSIX_FADV_NORMAL), EBADF);
	expect(pipe(ends) == 0);
	expect_equal(posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
}

static void reading_ahead(void)
{
	int fd, ends[2];

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	expect(readahead(fd, 0, 4 * PAGE) == 0);
	expect(readahead(fd, (off_t)MIB, PAGE) == 0);
	expect(readahead(fd, 0, 0) == 0);
	expect_errno(readahead(999, 0, PAGE), EBADF);
	expect_errno(readahead(open("file", O_WRONLY), 0, PAGE), EBADF);
	expect_errno(readahead(open("file", O_PATH), 0, PAGE), EBADF);
	expect(pipe(ends) == 0);
	expect_errno(readahead(ends[0], 0, PAGE), EINVAL);
	expect_errno(readahead(open(".", O_RDONLY), 0, PAGE), EINVAL);
}

static const struct tap_case cases[] = {
	{"fsync and fdatasync, and who has nothing to sync", fsync_and_fdatasync},
	{"sync_file_range: each flag, each error", sync_range_errors},
	{"sync and syncfs", whole_systems},
	{"O_SYNC and O_DSYNC", synchronous_writes},
	{"posix_fadvise: each advice, each error", advice},
	{"readahead and its errors", reading_ahead},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
