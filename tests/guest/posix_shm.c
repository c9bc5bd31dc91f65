/* posix_shm.c - POSIX shared memory: shm_open(3), shm_unlink(3), and /dev/shm behind them. */
#include "tap.h"

#include "helpers.h"

#include <limits.h>
#include <sys/vfs.h>

#define NOBODY 65534
#define TMPFS_MAGIC 0x01021994

static char name[64]; /* this case's own */

static int make_object(size_t bytes)
{
	int fd;

	snprintf(name, sizeof(name), "/stos-posix-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	expect(fd >= 0);
	expect(ftruncate(fd, (off_t)bytes) == 0);
	return fd;
}

static void the_directory(void)
{
	struct stat status;
	struct statfs fs;

	expect(stat("/dev/shm", &status) == 0);
	expect_equal(status.st_mode, S_IFDIR | 01777);
	expect(statfs("/dev/shm", &fs) == 0);
	expect_equal(fs.f_type, TMPFS_MAGIC);
}

static void shared_by_name(void)
{
	int fd = make_object(2 * PAGE), again;
	char *one = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0), *two;
	struct stat status;
	pid_t pid;

	expect(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	expect(fstat(fd, &status) == 0 && status.st_mode == (S_IFREG | 0600) &&
	       status.st_size == 2 * PAGE);
	close(fd);
	pid = fork_child();
	if (pid == 0) {
		munmap(one, 2 * PAGE);
		fd = shm_open(name, O_RDWR, 0);
		expect(fd >= 0);
		two = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE);
		poke(two, 7);
		_exit(0);
	}
	expect_exit(pid, 0);
	expect_equal(peek(one + PAGE), 7);
	again = shm_open(name, O_RDONLY, 0);
	expect(again >= 0);
	expect_errno(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, again, 0), EACCES);
	expect_errno(ftruncate(again, 0), EINVAL);
	expect(shm_unlink(name) == 0);
	/* Mappings and descriptors keep it. */
	expect_equal(peek(one + PAGE), 7);
	expect_equal(fd_size(again), 2 * PAGE);
	expect_errno(shm_open(name, O_RDWR, 0), ENOENT);
	expect_errno(shm_unlink(name), ENOENT);
}

static void opened_with_truncation(void)
{
	int fd = make_object(2 * PAGE), again;
	char *map = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	poke(map, 1);
	again = shm_open(name, O_RDWR | O_TRUNC, 0);
	expect(again >= 0);
	expect_equal(fd_size(fd), 0);
	expect_read_kills(map, SIGBUS);
	expect(shm_unlink(name) == 0);
}

static void bad_calls(void)
{
	char long_name[NAME_MAX + 3];
	struct rlimit few = {.rlim_cur = 3, .rlim_max = 3};
	int fd = make_object(PAGE);

	expect_errno(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	expect_errno(shm_open("/stos-no-such-object", O_RDWR, 0), ENOENT);
	expect_errno(shm_open("/", O_RDWR, 0), EINVAL);
	expect_errno(shm_open("/a/b", O_RDWR | O_CREAT, 0600), EINVAL);
	memset(long_name, 'x', sizeof(long_name));
	long_name[0] = '/';
	long_name[NAME_MAX + 2] = '\0';
	expect_errno(shm_open(long_name, O_RDWR | O_CREAT, 0600), ENAMETOOLONG);
	expect_errno(ftruncate(fd, -1), EINVAL);
	expect(setrlimit(RLIMIT_NOFILE, &few) == 0);
	expect_errno(shm_open(name, O_RDWR, 0), EMFILE);
	expect(shm_unlink(name) == 0);
}

static void rights(void)
{
	pid_t pid;

	if (geteuid() != 0)
		tap_skip("not root");
	make_object(PAGE);
	pid = fork_child();
	if (pid == 0) {
		expect(setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		       setresuid(NOBODY, NOBODY, NOBODY) == 0);
		expect_errno(shm_open(name, O_RDWR, 0), EACCES);
		expect_errno(shm_open(name, O_RDONLY, 0), EACCES);
		/* The directory is sticky. */
		expect_errno(shm_unlink(name), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
	expect(shm_unlink(name) == 0);
}

static void in_maps(void)
{
	int fd = make_object(PAGE);
	char *map = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
	struct map_line line;

	expect(maps_find(map, &line));
	check(line.path,
	      strncmp(line.path, "/dev/shm", 8) == 0 && strcmp(line.path + 8, name) == 0);
	expect(shm_unlink(name) == 0);
}

static const struct tap_case cases[] = {
	{"/dev/shm is a tmpfs that everybody may write to", the_directory},
	{"an object is found by its name, and outlives it", shared_by_name},
	{"O_TRUNC takes the pages from mappings", opened_with_truncation},
	{"EEXIST, ENOENT, EINVAL, ENAMETOOLONG, EMFILE", bad_calls},
	{"EACCES", rights},
	{"its name in maps", in_maps},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
