/*
 * fallocate.c - room, holes and zeros in files, under live mappings; SEEK_DATA and SEEK_HOLE;
 * errno.
 *
 * What truncate does to mappings is in file_map_coherence.c and race_truncate.c as well.
 */
#include "helpers.h"

#include <linux/falloc.h>

#define RW (PROT_READ | PROT_WRITE)
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO FALLOC_FL_ZERO_RANGE
#define KEEP FALLOC_FL_KEEP_SIZE

static long blocks_of(int fd)
{
	struct stat status;

	expect(fstat(fd, &status) == 0);
	return status.st_blocks; /* of 512 bytes */
}

static void grows(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 100);
	expect(fallocate(fd, 0, 0, (off_t)(3 * PAGE + 5)) == 0);
	expect_equal(fd_size(fd), 3 * PAGE + 5);
	expect(blocks_of(fd) >= (long)(4 * PAGE / 512));
	map = map_file(fd, 4 * PAGE, PROT_READ, MAP_SHARED, 0);
	expect_pattern(map, 0, 100);
	expect_filled(map + 100, 0, 4 * PAGE - 100);
	expect(fallocate(fd, 0, 10, 10) == 0); /* what is there stays */
	expect_equal(fd_size(fd), 3 * PAGE + 5);
	expect_pattern(map, 0, 100);
}

static void keeps_size(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	map = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	expect(fallocate(fd, KEEP, 0, (off_t)(4 * PAGE)) == 0);
	expect_equal(fd_size(fd), PAGE);
	expect(blocks_of(fd) >= (long)(4 * PAGE / 512));
	expect_read_kills(map + PAGE, SIGBUS); /* there is room, but no file */
	expect(ftruncate(fd, (off_t)(2 * PAGE)) == 0);
	expect_filled(map + PAGE, 0, PAGE);
	expect(ftruncate(fd, (off_t)(2 * PAGE)) == 0); /* gives back what is past the end */
	expect(blocks_of(fd) <= (long)(2 * PAGE / 512) + 8);
}

/* A hole from the middle of a page to the middle of another; map sees it at once. */
static void punches(void)
{
	char *map, *private;
	int fd;

	scratch_enter();
	fd = file_create("file", 6 * PAGE);
	map = map_file(fd, 6 * PAGE, RW, MAP_SHARED, 0);
	private = map_file(fd, 6 * PAGE, RW, MAP_PRIVATE, 0);
	expect_pattern(map, 0, 6 * PAGE);
	expect_pattern(private, 0, 6 * PAGE); /* mapped, but no copies */
	poke(private + 2 * PAGE, 'p');
	poke(private + PAGE, 'q');
	expect(fallocate(fd, PUNCH, (off_t)PAGE + 100, (off_t)(3 * PAGE)) == 0);
	expect_equal(fd_size(fd), 6 * PAGE);
	expect_pattern(map, 0, PAGE + 100);
	expect_filled(map + PAGE + 100, 0, 3 * PAGE);
	expect_pattern(map + 4 * PAGE + 100, 4 * PAGE + 100, 2 * PAGE - 100);
	expect_equal(peek(private + 2 * PAGE), 'p'); /* copies stay */
	expect_pattern(private + 2 * PAGE + 1, 2 * PAGE + 1, PAGE - 1);
	expect_pattern(private + PAGE + 1, PAGE + 1, PAGE - 1);
	expect_filled(private + 3 * PAGE, 0, PAGE); /* what was no copy is the file's */
	poke(map + 2 * PAGE, 'n'); /* the hole is filled again */
	expect_equal(file_byte("file", (off_t)(2 * PAGE)), 'n');
	expect_equal(peek(private + 2 * PAGE), 'p');
}

static void punch_within_a_page_and_past_the_end(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	map = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	expect(fallocate(fd, PUNCH, 10, 20) == 0);
	expect_pattern(map, 0, 10);
	expect_filled(map + 10, 0, 20);
	expect_pattern(map + 30, 30, 2 * PAGE - 30);
	expect(fallocate(fd, PUNCH, (off_t)(2 * PAGE), (off_t)(9 * PAGE)) == 0);
	expect(fallocate(fd, PUNCH, (off_t)PAGE, (off_t)(9 * PAGE)) == 0);
	expect_equal(fd_size(fd), 2 * PAGE);
	expect_filled(map + PAGE, 0, PAGE);
}

static void punch_gives_back(void)
{
	int fd;
	long before;

	scratch_enter();
	fd = file_create("file", 64 * PAGE);
	expect(fsync(fd) == 0);
	before = blocks_of(fd);
	expect(fallocate(fd, PUNCH, 0, (off_t)(60 * PAGE)) == 0);
	expect(blocks_of(fd) <= before - (long)(60 * PAGE / 512));
}

/* A private copy survives a hole, but not the end of the file. */
static void truncate_takes_copies(void)
{
	char *private;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	private = map_file(fd, 4 * PAGE, RW, MAP_PRIVATE, 0);
	memset(private, 'c', 4 * PAGE);
	expect(fallocate(fd, PUNCH, 0, (off_t)(4 * PAGE)) == 0);
	expect_filled(private, 'c', 4 * PAGE);
	expect(ftruncate(fd, (off_t)PAGE + 1) == 0);
	expect_filled(private, 'c', 2 * PAGE); /* the last page is whole */
	expect_read_kills(private + 2 * PAGE, SIGBUS);
	expect_write_kills(private + 3 * PAGE, SIGBUS);
	expect(ftruncate(fd, (off_t)(4 * PAGE)) == 0);
	expect_filled(private + 2 * PAGE, 0, 2 * PAGE); /* the file's page, not the copy */
	expect(truncate("file", 0) == 0);
	expect_read_kills(private, SIGBUS);
}

/*
 * A page whose rights were taken away keeps its contents through a hole, and loses them past the
 * end.
 */
static void without_rights(void)
{
	char *private;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	private = map_file(fd, 2 * PAGE, RW, MAP_PRIVATE, 0);
	memset(private, 'n', 2 * PAGE);
	expect(mprotect(private, 2 * PAGE, PROT_NONE) == 0);
	expect(fallocate(fd, PUNCH, 0, (off_t)(2 * PAGE)) == 0);
	expect(ftruncate(fd, (off_t)PAGE) == 0);
	expect(mprotect(private, 2 * PAGE, PROT_READ) == 0);
	expect_filled(private, 'n', PAGE);
	expect_read_kills(private + PAGE, SIGBUS);
}

static void zeroes(void)
{
	char *map, *private;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	map = map_file(fd, 8 * PAGE, RW, MAP_SHARED, 0);
	private = map_file(fd, 4 * PAGE, RW, MAP_PRIVATE, 0);
	poke(private + 2 * PAGE, 'p');
	if (fallocate(fd, ZERO | KEEP, 100, (off_t)(3 * PAGE)) != 0 && errno == EOPNOTSUPP)
		tap_skip("the file system knows no FALLOC_FL_ZERO_RANGE");
	expect_pattern(map, 0, 100);
	expect_filled(map + 100, 0, 3 * PAGE);
	expect_pattern(map + 3 * PAGE + 100, 3 * PAGE + 100, PAGE - 100);
	expect_equal(peek(private + 2 * PAGE), 'p');
	expect(fallocate(fd, ZERO | KEEP, (off_t)(3 * PAGE), (off_t)(4 * PAGE)) == 0);
	expect_equal(fd_size(fd), 4 * PAGE);
	expect_filled(map + 3 * PAGE, 0, PAGE);
	expect(fallocate(fd, ZERO, (off_t)(3 * PAGE), (off_t)(4 * PAGE)) == 0);
	expect_equal(fd_size(fd), 7 * PAGE);
	expect_filled(map + 4 * PAGE, 0, 3 * PAGE);
}

static void stale_tail(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 10);
	map = map_file(fd, PAGE, RW, MAP_SHARED, 0);
	memset(map + 10, 'x', PAGE - 10); /* past the end: nobody else's business */
	expect(fallocate(fd, 0, 0, 200) == 0);
	if (on_stos()) /* Linux reveals it on some file systems */
		expect_filled(map + 10, 0, 190);
	expect_equal(fd_size(fd), 200);
}

static void seek_holes(void)
{
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	expect(ftruncate(fd, (off_t)(40 * PAGE)) == 0);
	expect(pwrite(fd, "end", 3, (off_t)(32 * PAGE)) == 3);
	expect_equal(lseek(fd, 0, SEEK_DATA), 0);
	expect_equal(lseek(fd, 5, SEEK_DATA), 5);
	expect_equal(lseek(fd, 0, SEEK_HOLE), 4 * PAGE);
	expect_equal(lseek(fd, (off_t)(4 * PAGE), SEEK_DATA), 32 * PAGE);
	expect_equal(lseek(fd, (off_t)(4 * PAGE) + 7, SEEK_HOLE), 4 * PAGE + 7);
	expect_equal(lseek(fd, (off_t)(32 * PAGE), SEEK_HOLE), 33 * PAGE);
	expect_equal(lseek(fd, 0, SEEK_CUR), 33 * PAGE); /* it moved */
	expect_errno(lseek(fd, (off_t)(33 * PAGE), SEEK_DATA), ENXIO);
	expect_errno(lseek(fd, (off_t)(40 * PAGE), SEEK_DATA), ENXIO);
	expect_errno(lseek(fd, (off_t)(40 * PAGE), SEEK_HOLE), ENXIO);
	expect_errno(lseek(fd, -1, SEEK_DATA), ENXIO);
	expect_equal(lseek(fd, 0, SEEK_CUR), 33 * PAGE); /* errors do not move it */
	expect(fallocate(fd, PUNCH, (off_t)PAGE, (off_t)PAGE) == 0);
	expect_equal(lseek(fd, 0, SEEK_HOLE), PAGE);
	expect_equal(lseek(fd, (off_t)PAGE, SEEK_DATA), 2 * PAGE);
	fd = file_create("dense", 100);
	expect_equal(lseek(fd, 3, SEEK_HOLE), 100); /* every file ends with a hole */
}

static void descriptors(void)
{
	int fd, ends[2];

	scratch_enter();
	fd = file_create("file", PAGE);
	expect_errno(fallocate(999, 0, 0, 1), EBADF);
	expect_errno(fallocate(open("file", O_RDONLY), 0, 0, 1), EBADF);
	expect_errno(fallocate(open("file", O_RDONLY), PUNCH, 0, 1), EBADF);
	expect_errno(fallocate(open("file", O_PATH), 0, 0, 1), EBADF);
	expect(pipe(ends) == 0);
	expect_errno(fallocate(ends[1], 0, 0, 1), ESPIPE);
	expect_errno(fallocate(open("/dev/null", O_RDWR), 0, 0, 1), ENODEV);
	expect_errno(fallocate(open(".", O_RDONLY), 0, 0, 1), EBADF);
	expect_equal(fd_size(fd), PAGE);
}

static void arguments(void)
{
	static const struct {
		const char *name;
		int mode;
		int64_t offset, length;
		int error;
	} rows[] = {
		{"length 0", 0, 0, 0, EINVAL},
		{"negative length", 0, 0, -1, EINVAL},
		{"negative offset", 0, -1, 1, EINVAL},
		{"punch of length 0", PUNCH, 0, 0, EINVAL},
		{"past the largest file", 0, INT64_MAX, 1, EFBIG},
		{"punch past the largest file", PUNCH, INT64_MAX - 1, 5, EFBIG},
		{"a hole that changes the size", FALLOC_FL_PUNCH_HOLE, 0, 1, EOPNOTSUPP},
		{"a hole of zeros", PUNCH | ZERO, 0, 1, EOPNOTSUPP},
		{"an unknown mode", 0x4000000, 0, 1, EOPNOTSUPP},
		{"all modes", -1, 0, 1, EOPNOTSUPP},
	};
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		long result;

		errno = 0;
		result = fallocate(fd, rows[i].mode, rows[i].offset, rows[i].length);
		check_errno(rows[i].name, result, rows[i].error);
	}
	if (on_stos()) { /* which has no file system that could */
		expect_errno(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE), EOPNOTSUPP);
		expect_errno(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE), EOPNOTSUPP);
		expect_errno(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, PAGE), EOPNOTSUPP);
	}
	expect_equal(fd_size(fd), PAGE);
	expect_equal(file_byte("file", 0), pattern(0));
}

static void limits(void)
{
	const struct rlimit limit = {.rlim_cur = 2 * PAGE, .rlim_max = RLIM_INFINITY};
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	signal(SIGXFSZ, SIG_IGN);
	expect(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	expect_errno(fallocate(fd, 0, 0, (off_t)(3 * PAGE)), EFBIG);
	expect_equal(fd_size(fd), PAGE);
	expect(fallocate(fd, 0, 0, (off_t)(2 * PAGE)) == 0);
	expect(fallocate(fd, PUNCH, 0, (off_t)(9 * PAGE)) == 0);
	expect_equal(fd_size(fd), 2 * PAGE);
}

/* No file system has a room of that size; what was there stays. */
static void no_space(void)
{
	long before;
	int fd;

	if (!on_stos())
		tap_skip("Linux fills the disk first, and keeps what it got");
	scratch_enter();
	fd = file_create("file", PAGE);
	before = blocks_of(fd);
	expect_errno(fallocate(fd, 0, 0, (off_t)15 << 40), ENOSPC);
	expect_equal(fd_size(fd), PAGE);
	expect_equal(blocks_of(fd), before);
	expect_equal(file_byte("file", 1), pattern(1));
}

static void sealed(void)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);

	expect(ftruncate(fd, (off_t)(2 * PAGE)) == 0);
	expect(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
	expect(fallocate(fd, 0, 0, (off_t)(2 * PAGE)) == 0);
	expect_errno(fallocate(fd, 0, 0, (off_t)(3 * PAGE)), EPERM);
	expect_errno(fallocate(fd, KEEP, 0, (off_t)(3 * PAGE)), EPERM);
	expect(fallocate(fd, PUNCH, 0, (off_t)PAGE) == 0);
	expect(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	expect_errno(fallocate(fd, PUNCH, 0, (off_t)PAGE), EPERM);
	expect(fallocate(fd, 0, 0, (off_t)PAGE) == 0);
	expect_equal(fd_size(fd), 2 * PAGE);
}

static void times(void)
{
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	struct stat status;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	expect(futimens(fd, old) == 0);
	expect(fallocate(fd, PUNCH, 0, 10) == 0);
	expect(fstat(fd, &status) == 0 && status.st_mtime > 1000 && status.st_ctime > 1000);
}

static const struct tap_case cases[] = {
	{"mode 0: the file grows, with zeros", grows},
	{"KEEP_SIZE: room past the end, which is not the file's", keeps_size},
	{"PUNCH_HOLE under live mappings; private copies stay", punches},
	{"a hole within a page, and one past the end", punch_within_a_page_and_past_the_end},
	{"a hole gives its pages back", punch_gives_back},
	{"private copies stay in a hole and vanish past a new end", truncate_takes_copies},
	{"the same of pages without rights", without_rights},
	{"ZERO_RANGE: zeros, with and without growing", zeroes},
	{"what a mapping stored past the end does not appear", stale_tail},
	{"SEEK_DATA and SEEK_HOLE", seek_holes},
	{"descriptors that cannot", descriptors},
	{"each bad argument", arguments},
	{"RLIMIT_FSIZE", limits},
	{"no space: nothing changes", no_space},
	{"seals", sealed},
	{"the time of the change", times},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
