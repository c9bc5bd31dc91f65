/*
 * files_data.c - the bytes of a file: positions, holes, truncation, vectors, times, sendfile.
 *
 * How these agree with mappings of the same file is in file_map_coherence.c.
 */
#include "helpers.h"

#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/vfs.h>

static void seeking(void)
{
	int fd, ends[2];
	char byte;

	scratch_enter();
	fd = file_create("file", 100);
	expect_equal(lseek(fd, 10, SEEK_SET), 10);
	expect_equal(lseek(fd, 5, SEEK_CUR), 15);
	expect_equal(lseek(fd, -5, SEEK_CUR), 10);
	expect_equal(lseek(fd, -1, SEEK_END), 99);
	expect_equal(lseek(fd, 1000, SEEK_END), 1100);
	expect_equal(read(fd, &byte, 1), 0);
	expect_equal(fd_size(fd), 100); /* seeking alone does not grow it */
	expect_errno(lseek(fd, -1, SEEK_SET), EINVAL);
	expect_errno(lseek(fd, -1101, SEEK_CUR), EINVAL);
	expect_errno(lseek(fd, 0, 99), EINVAL);
	expect_errno(lseek(fd, INT64_MAX, SEEK_CUR), EINVAL); /* overflow */
	expect_equal(lseek(fd, 0, SEEK_CUR), 1100);
	expect_errno(lseek(999, 0, SEEK_SET), EBADF);
	expect(pipe(ends) == 0);
	expect_errno(lseek(ends[0], 0, SEEK_SET), ESPIPE);
	expect_errno(pread(ends[0], &byte, 1, 0), ESPIPE);
	expect_errno(pwrite(ends[1], &byte, 1, 0), ESPIPE);
}

static void reading_and_writing(void)
{
	static char buffer[20000];
	int fd;

	scratch_enter();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	for (size_t done = 0, part = 1; done < 15000; done += part, part = part * 2 % 4001 + 1) {
		fill_pattern(buffer, done, part);
		expect_equal(write(fd, buffer, part), part);
	}
	expect(lseek(fd, 0, SEEK_SET) == 0);
	for (size_t done = 0, part = 997; done < 14000; done += part) {
		expect_equal(read(fd, buffer, part), part);
		expect_pattern(buffer, done, part);
	}
	expect_equal(pread(fd, buffer, 5000, 3000), 5000);
	expect_pattern(buffer, 3000, 5000);
	expect(lseek(fd, 77, SEEK_SET) == 77);
	expect_equal(pwrite(fd, "xyz", 3, 4095), 3);
	expect_equal(lseek(fd, 0, SEEK_CUR), 77); /* neither moved the position */
	expect_equal(file_byte("file", 4094), pattern(4094));
	expect_equal(file_byte("file", 4097), 'z');
	expect_equal(read(fd, buffer, 0), 0);
	expect_equal(write(fd, buffer, 0), 0);
	expect_errno(pread(fd, buffer, 1, -1), EINVAL);
	expect_errno(pwrite(fd, buffer, 1, -1), EINVAL);
	expect_errno(syscall(SYS_read, fd, buffer, -1L), EFAULT); /* past all memory */
}

static void short_read_at_the_end(void)
{
	char buffer[200];
	int fd;

	scratch_enter();
	fd = file_create("file", 100);
	expect_equal(pread(fd, buffer, 200, 90), 10);
	expect_equal(pread(fd, buffer, 200, 100), 0);
	expect_equal(pread(fd, buffer, 200, 5000), 0);
	expect_equal(read(fd, buffer, 200), 100);
	expect_equal(read(fd, buffer, 200), 0);
}

static void holes(void)
{
	static char buffer[4096];
	const off_t far = (off_t)5 * 1024 * 1024 * 1024; /* past 4 GiB */
	struct stat status;
	int fd;

	scratch_enter();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	expect(pwrite(fd, "end", 3, far) == 3);
	expect_equal(fd_size(fd), far + 3);
	expect_equal(pread(fd, buffer, sizeof(buffer), far - 5000), sizeof(buffer));
	expect_filled(buffer, 0, sizeof(buffer));
	expect(pread(fd, buffer, 3, far) == 3 && memcmp(buffer, "end", 3) == 0);
	expect(fstat(fd, &status) == 0 && status.st_blocks < 1024); /* of 512 bytes */
}

static void truncating(void)
{
	static char buffer[3 * 4096];
	int fd;

	scratch_enter();
	fd = file_create("file", 3 * PAGE);
	expect(ftruncate(fd, PAGE + 100) == 0 && fd_size(fd) == (off_t)PAGE + 100);
	expect_equal(pread(fd, buffer, sizeof(buffer), 0), PAGE + 100);
	expect_pattern(buffer, 0, PAGE + 100);
	expect(truncate("file", 3 * PAGE) == 0); /* what is new is zero, not what was there */
	expect_equal(pread(fd, buffer, sizeof(buffer), 0), 3 * PAGE);
	expect_pattern(buffer, 0, PAGE + 100);
	expect_filled(buffer + PAGE + 100, 0, 2 * PAGE - 100);
	expect(ftruncate(fd, 0) == 0 && ftruncate(fd, PAGE) == 0);
	expect_equal(pread(fd, buffer, sizeof(buffer), 0), PAGE);
	expect_filled(buffer, 0, PAGE);
	expect_errno(ftruncate(fd, -1), EINVAL);
	expect_errno(truncate("file", -1), EINVAL);
	expect_errno(truncate("nothing", 0), ENOENT);
	expect_errno(truncate(".", 0), EISDIR);
	expect_errno(ftruncate(999, 0), EBADF);
}

static void vectors(void)
{
	char one[5], two[1], three[10];
	struct iovec vector[] = {{one, 5}, {two, 0}, {two, 1}, {three, 10}};
	int fd;

	scratch_enter();
	fd = file_create("file", 12);
	expect_equal(readv(fd, vector, 4), 12);
	expect_pattern(one, 0, 5);
	expect_pattern(two, 5, 1);
	expect_pattern(three, 6, 6);
	expect_equal(writev(fd, vector, 3), 6);
	expect_equal(fd_size(fd), 18);
	expect_equal(file_byte("file", 17), pattern(5));
	expect_equal(preadv(fd, vector, 1, 3), 5);
	expect_pattern(one, 3, 5);
	expect_equal(pwritev(fd, vector, 1, 0), 5);
	expect_equal(writev(fd, vector, 0), 0);
	expect_errno(syscall(SYS_writev, fd, vector, -1), EINVAL);
	expect_errno(syscall(SYS_writev, fd, vector, 1025), EINVAL); /* UIO_MAXIOV and one */
	vector[0].iov_len = (size_t)-1;
	expect_errno(writev(fd, vector, 2), EINVAL);
	expect_errno(readv(999, vector, 1), EBADF);
}

static void sending(void)
{
	static char buffer[3 * 4096];
	int from, to, ends[2];
	off_t offset = 100;

	scratch_enter();
	from = file_create("from", 3 * PAGE);
	to = open("to", O_RDWR | O_CREAT, 0600);
	expect_equal(sendfile(to, from, &offset, 2 * PAGE), 2 * PAGE);
	expect_equal(offset, 2 * PAGE + 100);
	expect_equal(lseek(from, 0, SEEK_CUR), 0);
	expect_equal(pread(to, buffer, sizeof(buffer), 0), 2 * PAGE);
	expect_pattern(buffer, 100, 2 * PAGE);
	expect(pipe(ends) == 0);
	expect(lseek(from, -10, SEEK_END) > 0);
	expect_equal(sendfile(ends[1], from, NULL, 1000), 10); /* to the end, moving the position */
	expect_equal(sendfile(ends[1], from, NULL, 1000), 0);
	expect_equal(read(ends[0], buffer, sizeof(buffer)), 10);
	expect_pattern(buffer, 3 * PAGE - 10, 10);
	expect_errno(sendfile(to, 999, NULL, 1), EBADF);
	expect_errno(sendfile(from, open("from", O_WRONLY), NULL, 1), EBADF);
}

static void copying(void)
{
	static char buffer[3 * 4096];
	off_t in = 10, out = 5000;
	int from, to;

	scratch_enter();
	from = file_create("from", 2 * PAGE);
	to = open("to", O_RDWR | O_CREAT, 0600);
	expect_equal(copy_file_range(from, &in, to, &out, PAGE, 0), PAGE);
	expect_equal(in, PAGE + 10);
	expect_equal(out, PAGE + 5000);
	expect_equal(lseek(from, 0, SEEK_CUR) + lseek(to, 0, SEEK_CUR), 0);
	expect_equal(fd_size(to), PAGE + 5000);
	expect_equal(pread(to, buffer, PAGE, 5000), PAGE);
	expect_pattern(buffer, 10, PAGE);
	expect(lseek(from, 8000, SEEK_SET) == 8000); /* positions move; the end is short, then 0 */
	expect_equal(copy_file_range(from, NULL, to, NULL, 9999, 0), 2 * PAGE - 8000);
	expect_equal(copy_file_range(from, NULL, to, NULL, 9999, 0), 0);
	expect_equal(lseek(to, 0, SEEK_CUR), 2 * PAGE - 8000);
	in = 0, out = (off_t)PAGE; /* one file, two places */
	expect_equal(copy_file_range(from, &in, from, &out, PAGE, 0), PAGE);
	expect_equal(pread(from, buffer, PAGE, (off_t)PAGE), PAGE);
	expect_pattern(buffer, 0, PAGE);
}

static void copying_refused(void)
{
	const struct rlimit limit = {.rlim_cur = PAGE, .rlim_max = RLIM_INFINITY};
	off_t zero = 0, near = 100, negative = -100, far = INT64_MAX;
	int from, to, ends[2];

	scratch_enter();
	from = file_create("from", 2 * PAGE);
	to = open("to", O_RDWR | O_CREAT, 0600);
	expect(pipe(ends) == 0);
	expect_errno(copy_file_range(999, NULL, to, NULL, 1, 0), EBADF);
	expect_errno(copy_file_range(from, NULL, 999, NULL, 1, 0), EBADF);
	expect_errno(copy_file_range(open("from", O_WRONLY), NULL, to, NULL, 1, 0), EBADF);
	expect_errno(copy_file_range(from, NULL, open("to", O_RDONLY), NULL, 1, 0), EBADF);
	expect_errno(copy_file_range(from, NULL, open("to", O_WRONLY | O_APPEND), NULL, 1, 0),
		     EBADF);
	expect_errno(copy_file_range(from, NULL, to, NULL, 1, 1), EINVAL);
	expect_errno(copy_file_range(from, &negative, to, NULL, 1, 0), EINVAL);
	expect_errno(copy_file_range(from, &zero, from, &near, 200, 0), EINVAL); /* overlap */
	expect_errno(copy_file_range(from, NULL, open(".", O_RDONLY), NULL, 1, 0), EISDIR);
	expect_errno(copy_file_range(open(".", O_RDONLY), NULL, to, NULL, 1, 0), EISDIR);
	expect_errno(copy_file_range(from, &negative, to, NULL, 200, 0), EOVERFLOW);
	expect_errno(copy_file_range(from, NULL, to, &negative, 1, 0), EINVAL);
	expect_errno(copy_file_range(from, NULL, to, &far, 100, 0), EFBIG);
	expect_equal(copy_file_range(from, &far, to, NULL, 100, 0), 0); /* past the end */
	expect_errno(copy_file_range(from, (off_t *)8, to, NULL, 1, 0), EFAULT);
	signal(SIGXFSZ, SIG_IGN);
	expect(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	near = (off_t)PAGE;
	expect_errno(copy_file_range(from, NULL, to, &near, 1, 0), EFBIG);
}

/* Both files are mapped: what a store put in one arrives in the mapping of the other. */
static void copying_between_mappings(void)
{
	char *source, *target, *private;
	off_t in = 0, out = 0;
	int from, to;

	scratch_enter();
	from = file_create("from", 2 * PAGE);
	to = file_create("to", 4 * PAGE);
	source = map_file(from, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	target = map_file(to, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	private = map_file(to, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	memset(source, 'a', 2 * PAGE);
	(void)peek(target);
	poke(private + PAGE, 'p');
	expect_equal(copy_file_range(from, &in, to, &out, 2 * PAGE, 0), 2 * PAGE);
	expect_filled(target, 'a', 2 * PAGE);
	expect_pattern(target + 2 * PAGE, 2 * PAGE, 2 * PAGE);
	expect_equal(peek(private), 'a');
	expect_equal(peek(private + PAGE), 'p');
	memset(source, 'b', 2 * PAGE);
	in = 0;
	expect(lseek(to, (off_t)(2 * PAGE), SEEK_SET) == (off_t)(2 * PAGE));
	expect_equal(sendfile(to, from, &in, 2 * PAGE), 2 * PAGE);
	expect_filled(target + 2 * PAGE, 'b', 2 * PAGE);
}

static void times(void)
{
	struct timespec wanted[2] = {{.tv_sec = 1000, .tv_nsec = 5},
				     {.tv_sec = 2000, .tv_nsec = 7}};
	struct timespec omit[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 3000}};
	struct timespec bad[2] = {{.tv_nsec = 2000000000}, {.tv_nsec = 0}};
	struct timespec now;
	struct stat status;
	int fd;

	scratch_enter();
	fd = file_create("file", 10);
	expect(utimensat(AT_FDCWD, "file", wanted, 0) == 0 && fstat(fd, &status) == 0);
	expect(status.st_atim.tv_sec == 1000 && status.st_atim.tv_nsec == 5);
	expect(status.st_mtim.tv_sec == 2000 && status.st_mtim.tv_nsec == 7);
	expect(futimens(fd, omit) == 0 && fstat(fd, &status) == 0);
	expect(status.st_atim.tv_sec == 1000 && status.st_mtim.tv_sec == 3000);
	expect(clock_gettime(CLOCK_REALTIME, &now) == 0);
	expect(write(fd, "x", 1) == 1 && fstat(fd, &status) == 0);
	/* Writing sets the time; a clock read a moment before may be a tick ahead. */
	expect(status.st_mtim.tv_sec >= now.tv_sec - 1);
	expect(utimensat(AT_FDCWD, "file", wanted, 0) == 0);
	expect(utimensat(AT_FDCWD, "file", NULL, 0) == 0 && fstat(fd, &status) == 0);
	expect(status.st_mtim.tv_sec >= now.tv_sec - 1);
	expect_errno(utimensat(AT_FDCWD, "file", bad, 0), EINVAL);
	expect_errno(utimensat(AT_FDCWD, "nothing", wanted, 0), ENOENT);
}

static void two_positions(void)
{
	char byte;
	int first, second;

	scratch_enter();
	first = file_create("file", 100);
	second = open("file", O_RDWR); /* a position of its own */
	expect(lseek(first, 50, SEEK_SET) == 50 && read(second, &byte, 1) == 1);
	expect_equal((unsigned char)byte, pattern(0));
	expect(write(first, "F", 1) == 1 && pread(second, &byte, 1, 50) == 1);
	expect_equal(byte, 'F');
	expect(fsync(first) == 0 && fdatasync(first) == 0);
	expect_errno(fsync(999), EBADF);
}

static void devices(void)
{
	static char buffer[8192];
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
	int full = open("/dev/full", O_RDWR), random = open("/dev/urandom", O_RDONLY);
	int different = 0;

	memset(buffer, 'x', sizeof(buffer));
	expect_equal(read(null, buffer, 100), 0);
	expect_equal(write(null, buffer, sizeof(buffer)), sizeof(buffer));
	expect_equal(read(zero, buffer, sizeof(buffer)), sizeof(buffer));
	expect_filled(buffer, 0, sizeof(buffer));
	expect_equal(write(zero, buffer, 100), 100);
	expect_errno(write(full, buffer, 1), ENOSPC);
	expect_equal(read(full, buffer, 100), 100);
	expect_equal(read(random, buffer, 4096), 4096);
	for (int i = 1; i < 4096; i++)
		different += buffer[i] != buffer[0];
	expect(different > 3000);
	expect_equal(syscall(SYS_getrandom, buffer, 16, 0), 16);
}

static void file_systems(void)
{
	struct statfs status;

	scratch_enter();
	expect(statfs(".", &status) == 0);
	expect(status.f_bsize > 0 && status.f_blocks >= status.f_bfree && status.f_namelen >= 255);
	expect(fstatfs(file_create("file", 1), &status) == 0 && status.f_bsize > 0);
	expect_errno(statfs("nothing", &status), ENOENT);
	expect_errno(fstatfs(999, &status), EBADF);
}

static const struct tap_case cases[] = {
	{"lseek: each origin, each error (lab 25)", seeking},
	{"read, write, pread and pwrite across pages", reading_and_writing},
	{"a read at the end is short, then 0", short_read_at_the_end},
	{"a hole reads as zeros and costs nothing", holes},
	{"truncate cuts off; what it adds is zero", truncating},
	{"readv, writev and their errors", vectors},
	{"sendfile to a file and to a pipe", sending},
	{"copy_file_range: places, positions, ends", copying},
	{"copy_file_range: each error", copying_refused},
	{"copy_file_range and sendfile between mapped files", copying_between_mappings},
	{"utimensat, and writing sets the time", times},
	{"each open has its position, the bytes are one", two_positions},
	{"null, zero, full and urandom", devices},
	{"statfs tells sizes", file_systems},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
