/*
 * msync.c - writing a mapping's pages back on demand: flags, holes, errno, what is in the file.
 *
 * Classic lab points 25 and 26.
 */
#include "helpers.h"

#define RW (PROT_READ | PROT_WRITE)

static void flags(void)
{
	static const struct {
		const char *name;
		int flags, error; /* 0: succeeds */
	} rows[] = {
		{"no flag", 0, 0},
		{"MS_SYNC", MS_SYNC, 0},
		{"MS_ASYNC", MS_ASYNC, 0},
		{"MS_INVALIDATE", MS_INVALIDATE, 0},
		{"MS_SYNC and MS_INVALIDATE", MS_SYNC | MS_INVALIDATE, 0},
		{"MS_SYNC and MS_ASYNC", MS_SYNC | MS_ASYNC, EINVAL},
		{"an unknown flag", 0x80, EINVAL},
		{"all flags", -1, EINVAL},
	};
	char *map;

	scratch_enter();
	map = map_file(file_create("file", 2 * PAGE), 2 * PAGE, RW, MAP_SHARED, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		map[0] = (char)('a' + i);
		if (rows[i].error == 0)
			check(rows[i].name, msync(map, 2 * PAGE, rows[i].flags) == 0);
		else
			check_errno(rows[i].name, msync(map, 2 * PAGE, rows[i].flags),
				    rows[i].error);
		check(rows[i].name, file_byte("file", 0) == 'a' + (int)i);
	}
}

static void addresses(void)
{
	char *map = map_anon(2 * PAGE, RW, MAP_PRIVATE);
	char *unmapped = free_range(PAGE);
	const struct {
		const char *name;
		uint64_t address, length;
		int error;
	} rows[] = {
		{"misaligned", (uint64_t)map + 1, PAGE, EINVAL},
		{"misaligned, length 0", (uint64_t)map + 8, 0, EINVAL},
		{"nothing mapped", (uint64_t)unmapped, PAGE, ENOMEM},
		{"address + length overflow", (uint64_t)map, -PAGE, ENOMEM},
		{"kernel half", UINT64_C(0xffff800000000000), PAGE, ENOMEM},
		{"between the halves", UINT64_C(0x4000000000000000), PAGE, ENOMEM},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		check_errno(rows[i].name,
			    syscall(SYS_msync, rows[i].address, rows[i].length, MS_SYNC),
			    rows[i].error);
	expect(msync(unmapped, 0, MS_SYNC) == 0); /* length 0 looks at nothing */
	expect(msync(map, 2 * PAGE, MS_SYNC) == 0);
	expect(msync(map, 1, MS_SYNC) == 0); /* a length is rounded up */
}

static void holes_are_errors_afterwards(void)
{
	char *map;

	scratch_enter();
	map = map_file(file_create("file", 5 * PAGE), 5 * PAGE, RW, MAP_SHARED, 0);
	map[0] = 'x';
	map[4 * PAGE] = 'y';
	expect(munmap(map + 2 * PAGE, PAGE) == 0);
	expect_errno(msync(map, 5 * PAGE, MS_SYNC), ENOMEM);
	expect_equal(file_byte("file", 0), 'x'); /* both sides of the hole were written */
	expect_equal(file_byte("file", (off_t)(4 * PAGE)), 'y');
}

static void file_has_the_bytes(void)
{
	char *map;

	scratch_enter();
	map = map_file(file_create("file", 8 * PAGE), 8 * PAGE, RW, MAP_SHARED, 0);
	for (size_t page = 0; page < 8; page += 3)
		memset(map + page * PAGE, 'm', PAGE);
	expect(msync(map, 8 * PAGE, MS_SYNC) == 0);
	for (size_t page = 0; page < 8; page++)
		expect_equal(file_byte("file", (off_t)(page * PAGE + 9)),
			     page % 3 == 0 ? 'm' : pattern(page * PAGE + 9));
}

static void at_an_offset(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 6 * PAGE);
	map = map_file(fd, 2 * PAGE, RW, MAP_SHARED, (off_t)(3 * PAGE));
	memset(map + PAGE, 'o', PAGE);
	expect(msync(map + PAGE, PAGE, MS_SYNC) == 0);
	expect_equal(file_byte("file", (off_t)(4 * PAGE)), 'o');
	expect_equal(file_byte("file", (off_t)(5 * PAGE)), pattern(5 * PAGE));
	expect_equal(file_byte("file", (off_t)(4 * PAGE - 1)), pattern(4 * PAGE - 1));
	expect_equal(file_byte("file", (off_t)PAGE), pattern(PAGE));
}

/* After a page was written back, the next store to it must be noticed again. */
static void again_and_again(void)
{
	char *map;

	scratch_enter();
	map = map_file(file_create("file", 2 * PAGE), 2 * PAGE, RW, MAP_SHARED, 0);
	for (int round = 0; round < 100; round++) {
		map[round] = (char)round;
		map[PAGE + (size_t)round] = (char)(round + 1);
		expect(msync(map, 2 * PAGE, round % 2 == 0 ? MS_SYNC : MS_ASYNC) == 0);
		expect_equal(file_byte("file", round), round);
		expect_equal(file_byte("file", (off_t)PAGE + round), round + 1);
	}
	expect(munmap(map, 2 * PAGE) == 0);
	expect_equal(file_byte("file", 99), 99);
}

static void private_pages_stay(void)
{
	char *map;

	scratch_enter();
	map = map_file(file_create("file", PAGE), PAGE, RW, MAP_PRIVATE, 0);
	memset(map, 'p', PAGE);
	expect(msync(map, PAGE, MS_SYNC) == 0);
	expect_equal(file_byte("file", 0), pattern(0));
	expect_equal(map[0], 'p');
}

static void file_never_grows(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE + 10);
	map = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	memset(map, 'g', 2 * PAGE);
	expect(msync(map, 4 * PAGE, MS_SYNC) == 0); /* two pages of it past the end */
	expect_equal(fd_size(fd), PAGE + 10);
	expect_equal(file_byte("file", PAGE + 9), 'g');
	expect_equal(file_byte("file", PAGE + 10), -1);
}

static void read_only_and_unlinked(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	map = map_file(fd, PAGE, RW, MAP_SHARED, 0);
	map[0] = 'u';
	expect(mprotect(map, PAGE, PROT_READ) == 0);
	expect(msync(map, PAGE, MS_SYNC) == 0);
	expect_equal(file_byte("file", 0), 'u');
	expect(unlink("file") == 0 && close(fd) == 0);
	expect(mprotect(map, PAGE, RW) == 0);
	map[0] = 'v';
	expect(msync(map, PAGE, MS_SYNC) == 0);
	expect_equal(map[0], 'v');
}

static void child_and_parent(void)
{
	char *map;
	pid_t pid;

	scratch_enter();
	map = map_file(file_create("file", 2 * PAGE), 2 * PAGE, RW, MAP_SHARED, 0);
	pid = fork_child();
	if (pid == 0) {
		map[0] = 'c';
		expect(msync(map, 2 * PAGE, MS_SYNC) == 0);
		map[1] = 'd';
		child_end();
	}
	expect_exit(pid, 0);
	map[PAGE] = 'p';
	expect(msync(map, 2 * PAGE, MS_SYNC) == 0);
	expect_equal(file_byte("file", 0), 'c');
	expect_equal(file_byte("file", 1), 'd');
	expect_equal(file_byte("file", (off_t)PAGE), 'p');
}

/* One process stores while the other writes back: what was stored last is what the file has. */
static void stores_during_write_back(void)
{
	enum { STORES = 200000 };
	volatile long *counter;
	int fd, status;
	long last;
	pid_t pid;

	scratch_enter();
	fd = file_create("file", PAGE);
	counter = (volatile long *)map_file(fd, PAGE, RW, MAP_SHARED, 0);
	*counter = 0;
	pid = fork_child();
	if (pid == 0) {
		for (long i = 1; i <= STORES; i++)
			*counter = i;
		child_end();
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		expect(msync((void *)(uintptr_t)counter, PAGE, MS_SYNC) == 0);
	expect_equal(status, 0);
	expect(munmap((void *)(uintptr_t)counter, PAGE) == 0);
	expect(pread(fd, &last, sizeof(last), 0) == sizeof(last));
	expect_equal(last, STORES);
}

static void locked_memory(void)
{
	char *map;

	scratch_enter();
	map = map_file(file_create("file", 2 * PAGE), 2 * PAGE, RW, MAP_SHARED, 0);
	poke(map, 'l');
	if (mlock(map + PAGE, PAGE) != 0 && errno == ENOSYS)
		tap_skip("no mlock");
	expect_errno(msync(map, 2 * PAGE, MS_INVALIDATE), EBUSY);
	expect_errno(msync(map, 2 * PAGE, MS_SYNC | MS_INVALIDATE), EBUSY);
	expect(msync(map, PAGE, MS_SYNC | MS_INVALIDATE) == 0);
	expect(msync(map, 2 * PAGE, MS_SYNC) == 0);
	expect(munlock(map, 2 * PAGE) == 0);
	expect(msync(map, 2 * PAGE, MS_SYNC | MS_INVALIDATE) == 0);
}

static const struct tap_case cases[] = {
	{"each combination of flags", flags},
	{"each bad address", addresses},
	{"a hole is ENOMEM, after the rest was written", holes_are_errors_afterwards},
	{"after msync the file has what was written (lab 26)", file_has_the_bytes},
	{"a mapping at an offset writes back there (lab 25)", at_an_offset},
	{"write, sync, write again, a hundred times (lab 26)", again_and_again},
	{"private pages do not reach the file", private_pages_stay},
	{"msync past the end does not make the file longer (lab 5)", file_never_grows},
	{"after write rights are gone, after unlink", read_only_and_unlinked},
	{"what a child wrote", child_and_parent},
	{"MS_INVALIDATE of locked memory is EBUSY", locked_memory},
	{"stores during write-back are not lost", stores_during_write_back},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
