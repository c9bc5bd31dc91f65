/* memfd.c - memfd_create(2): files without names, and the seals of fcntl(2) on them. */
#include "tap.h"

#include "helpers.h"

#include <linux/memfd.h>
#include <sys/vfs.h>

#define TMPFS_MAGIC 0x01021994

#define make_memfd(flags, bytes) tap_make_memfd(HERE, flags, bytes)
static int tap_make_memfd(struct tap_where where, unsigned flags, off_t bytes)
{
	int fd = memfd_create("test", flags);

	if (fd < 0 || ftruncate(fd, bytes) < 0)
		tap_fail(where, "no memfd of %ld bytes: %s", (long)bytes, tap_errno_name(errno));
	return fd;
}

/* Sealable, two pages of the pattern, sealed so. */
static int make_sealed(int seals)
{
	int fd = make_memfd(MFD_ALLOW_SEALING, 0);
	unsigned char bytes[2 * PAGE];

	fill_pattern(bytes, 0, sizeof(bytes));
	expect(write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	expect(fcntl(fd, F_ADD_SEALS, seals) == 0);
	expect_equal(fcntl(fd, F_GET_SEALS), seals);
	return fd;
}

static void an_empty_file(void)
{
	int fd = memfd_create("some name", MFD_CLOEXEC);
	char path[64], name[64] = "";
	struct stat status;
	struct statfs fs;

	expect(fd >= 0);
	expect(fstat(fd, &status) == 0);
	expect_equal(status.st_mode, S_IFREG | 0777);
	expect_equal(status.st_nlink, 0);
	expect_equal(status.st_size, 0);
	expect_equal(status.st_uid, geteuid());
	expect_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	expect_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR);
	expect(fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	expect(readlink(path, name, sizeof(name) - 1) > 0);
	check(name, strcmp(name, "/memfd:some name (deleted)") == 0);
	expect_equal(fcntl(memfd_create("", 0), F_GETFD), 0);
}

static void names(void)
{
	char name[NAME_MAX + 2];

	memset(name, 'x', sizeof(name));
	name[249] = '\0';
	expect(memfd_create(name, 0) >= 0);
	name[249] = 'x';
	name[250] = '\0';
	expect_errno(memfd_create(name, 0), EINVAL);
	expect_errno(memfd_create((char *)1, 0), EFAULT);
	/* Two of one name are two files. */
	expect(memfd_create("a/b", 0) >= 0);
	expect(memfd_create("a/b", 0) >= 0);
}

static void bad_calls(void)
{
	struct rlimit few = {.rlim_cur = 3, .rlim_max = 3};

	expect_errno(memfd_create("x", 0x80), EINVAL);
	expect_errno(memfd_create("x", ~0u), EINVAL);
	expect_errno(memfd_create("x", 3u << MFD_HUGE_SHIFT), EINVAL);
	expect_errno(memfd_create((char *)1, 0x80), EINVAL);
	expect(setrlimit(RLIMIT_NOFILE, &few) == 0);
	expect_errno(memfd_create("x", 0), EMFILE);
}

static void one_file_for_all(void)
{
	int fd = make_memfd(0, 3 * PAGE), again;
	char *one = map_file(fd, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *two = map_file(fd, 2 * PAGE, PROT_READ, MAP_SHARED, PAGE);
	char path[64], byte;
	struct map_line line;
	pid_t pid;

	poke(one + PAGE, 7);
	expect_equal(peek(two), 7);
	expect(pread(fd, &byte, 1, PAGE) == 1 && byte == 7);
	expect(pwrite(fd, "\x09", 1, 2 * PAGE) == 1);
	expect_equal(peek(one + 2 * PAGE), 9);
	expect(maps_find(one, &line));
	check(line.path, strcmp(line.path, "/memfd:test") == 0); /* %s ends at the space */
	pid = fork_child();
	if (pid == 0) {
		poke(one, 3);
		_exit(0);
	}
	expect_exit(pid, 0);
	expect_equal(peek(one), 3);
	/* Opened anew by its link, it is the same file, with a position and rights of its own. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY);
	expect(again >= 0);
	expect(read(again, &byte, 1) == 1 && byte == 3);
	expect_errno(write(again, "x", 1), EBADF);
	expect_errno(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, again, 0), EACCES);
	/* A mapping outlives the descriptors. */
	close(fd);
	close(again);
	expect_equal(peek(one + 2 * PAGE), 9);
}

static void past_the_end(void)
{
	int fd = make_memfd(0, PAGE + 1);
	char *map = map_file(fd, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	poke(map + PAGE + 100, 1);
	expect_read_kills(map + 2 * PAGE, SIGBUS);
	expect(ftruncate(fd, PAGE) == 0);
	expect_read_kills(map + PAGE, SIGBUS);
	expect(ftruncate(fd, 3 * PAGE) == 0);
	expect_equal(peek(map + PAGE + 100), 0);
}

static void unsealable(void)
{
	int fd = make_memfd(0, PAGE), pipes[2];
	char template[] = "/dev/shm/stos-memfd-XXXXXX";
	int file = mkstemp(template), directory = open("/dev/shm", O_RDONLY | O_DIRECTORY);

	unlink(template);
	expect_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	expect_errno(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	expect_errno(fcntl(fd, F_ADD_SEALS, 0), EPERM);
	/* Any file of tmpfs has them. */
	expect_equal(fcntl(file, F_GET_SEALS), F_SEAL_SEAL);
	expect_errno(fcntl(file, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	expect(pipe(pipes) == 0);
	expect_errno(fcntl(pipes[1], F_GET_SEALS), EINVAL);
	expect_errno(fcntl(pipes[1], F_ADD_SEALS, F_SEAL_GROW), EINVAL);
	expect_errno(fcntl(directory, F_GET_SEALS), EINVAL);
	expect_errno(fcntl(999, F_GET_SEALS), EBADF);
	expect_errno(fcntl(open("/dev/zero", O_RDWR), F_GET_SEALS), EINVAL);
}

static void adding_seals(void)
{
	int fd = make_memfd(MFD_ALLOW_SEALING, PAGE), reader;
	char path[64];

	expect_equal(fcntl(fd, F_GET_SEALS), 0);
	expect_errno(fcntl(fd, F_ADD_SEALS, 0x4000), EINVAL);
	expect_equal(fcntl(fd, F_GET_SEALS), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY);
	expect_errno(fcntl(reader, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	expect_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	expect_equal(fcntl(reader, F_GET_SEALS), F_SEAL_GROW);
	expect_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	expect_equal(fcntl(dup(fd), F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	expect_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
	expect_errno(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	expect_errno(fcntl(fd, F_ADD_SEALS, 0), EPERM);
	expect_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

static void sealed_against_shrinking(void)
{
	int fd = make_sealed(F_SEAL_SHRINK);

	expect_errno(ftruncate(fd, PAGE), EPERM);
	expect_errno(ftruncate(fd, 0), EPERM);
	expect(ftruncate(fd, 2 * PAGE) == 0);
	expect(ftruncate(fd, 3 * PAGE) == 0);
	expect_errno(ftruncate(fd, 2 * PAGE), EPERM);
	expect(pwrite(fd, "x", 1, 5 * PAGE) == 1);
	expect_equal(fd_size(fd), 5 * PAGE + 1);
}

static void sealed_against_growing(void)
{
	int fd = make_sealed(F_SEAL_GROW);
	char byte = 'x';

	expect_errno(ftruncate(fd, 2 * PAGE + 1), EPERM);
	expect_errno(pwrite(fd, &byte, 1, 2 * PAGE), EPERM);
	expect(pwrite(fd, &byte, 1, 2 * PAGE - 1) == 1);
	expect_errno(pwrite(fd, "xx", 2, 3 * PAGE), EPERM);
	expect(ftruncate(fd, PAGE + 10) == 0);
	expect_errno(pwrite(fd, "xx", 2, PAGE + 9), EPERM);
	expect(pwrite(fd, &byte, 1, PAGE + 9) == 1);
	expect_errno(ftruncate(fd, 2 * PAGE), EPERM);
	expect_equal(fd_size(fd), PAGE + 10);
}

static void sealed_against_writing(void)
{
	int fd = make_sealed(F_SEAL_WRITE);
	char byte = 'x';
	char *map;

	expect_errno(pwrite(fd, &byte, 1, 0), EPERM);
	expect_errno(pwrite(fd, &byte, 1, 5 * PAGE), EPERM);
	expect(write(fd, &byte, 0) == 0);
	expect_errno(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	expect_errno(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	map = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	poke(map, 99);
	expect(pread(fd, &byte, 1, 0) == 1 && (unsigned char)byte == pattern(0));
	/* Its size is another matter. */
	expect(ftruncate(fd, PAGE) == 0);
	expect(ftruncate(fd, 4 * PAGE) == 0);
}

/* Linux before 6.7 refused every shared mapping; later ones take the right to write from it. */
static void sealed_and_mapped_to_read(void)
{
	int fd = make_sealed(F_SEAL_WRITE);
	char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED && errno == EPERM && !on_stos())
		tap_skip("this kernel maps no sealed file shared");
	expect(map != MAP_FAILED);
	expect_pattern(map, 0, PAGE);
	expect_errno(mprotect(map, PAGE, PROT_READ | PROT_WRITE), EACCES);
	expect_write_kills(map, SIGSEGV);
}

static void mapped_writers_are_in_the_way(void)
{
	int fd = make_memfd(MFD_ALLOW_SEALING, 2 * PAGE);
	char *map = map_file(fd, 2 * PAGE, PROT_READ, MAP_SHARED, 0), *moved;
	struct gate ready, end;
	pid_t pid;

	/* It could become writable by mprotect. */
	expect_errno(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	expect(munmap(map, PAGE) == 0);
	expect_errno(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	moved = mremap(map + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	expect(moved != MAP_FAILED);
	expect_errno(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW), EBUSY);
	expect_equal(fcntl(fd, F_GET_SEALS), 0);
	gate_make(&ready);
	gate_make(&end);
	pid = fork_child();
	if (pid == 0) {
		gate_open(&ready);
		gate_pass(&end);
		_exit(0);
	}
	gate_pass(&ready);
	expect(munmap(moved, 2 * PAGE) == 0);
	expect_errno(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY); /* the child's */
	gate_open(&end);
	expect_exit(pid, 0);
	/* A private mapping is in nobody's way. */
	map = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	expect_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	poke(map, 1);
}

static void future_writes_only(void)
{
	int fd = make_memfd(MFD_ALLOW_SEALING, 2 * PAGE);
	char *old = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *reader;

	expect_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	expect_equal(fcntl(fd, F_GET_SEALS), F_SEAL_FUTURE_WRITE);
	poke(old, 5);
	expect(mprotect(old, PAGE, PROT_READ) == 0);
	expect(mprotect(old, PAGE, PROT_READ | PROT_WRITE) == 0);
	poke(old + 1, 6);
	expect_errno(pwrite(fd, "x", 1, 0), EPERM);
	expect_errno(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	reader = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
	expect_equal(peek(reader), 5);
	expect_errno(mprotect(reader, PAGE, PROT_READ | PROT_WRITE), EACCES);
	expect(ftruncate(fd, PAGE) == 0);
	expect_errno(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	expect(munmap(old, PAGE) == 0);
	expect_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
}

static const struct tap_case cases[] = {
	{"a memfd is an empty file without a name", an_empty_file},
	{"names: 249 characters, any of them, not unique", names},
	{"unknown flags, no descriptors left", bad_calls},
	{"read, write, mappings and a second opening see one file", one_file_for_all},
	{"SIGBUS past the end, zeros after growing", past_the_end},
	{"files that cannot be sealed", unsealable},
	{"seals are added, never removed", adding_seals},
	{"F_SEAL_SHRINK", sealed_against_shrinking},
	{"F_SEAL_GROW", sealed_against_growing},
	{"F_SEAL_WRITE", sealed_against_writing},
	{"F_SEAL_WRITE: a shared mapping that never writes", sealed_and_mapped_to_read},
	{"F_SEAL_WRITE: EBUSY while a mapping may write", mapped_writers_are_in_the_way},
	{"F_SEAL_FUTURE_WRITE leaves old mappings", future_writes_only},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
