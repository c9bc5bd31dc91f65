/*
 * process_madvise.c - descriptors that stand for processes, and advice about another's memory.
 */
#include "helpers.h"

#include <poll.h>
#include <sys/uio.h>

#define RW (PROT_READ | PROT_WRITE)

static int open_process(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static long advise(int pidfd, const struct iovec *ranges, size_t count, int advice, unsigned flags)
{
	return syscall(SYS_process_madvise, pidfd, ranges, count, advice, flags);
}

static void opening(void)
{
	int fd = open_process(getpid(), 0);
	pid_t pid;

	expect(fd >= 0);
	expect_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	expect(open_process(1, 0) >= 0);
	expect_equal(fcntl(open_process(getpid(), O_NONBLOCK), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	expect_errno(open_process(0, 0), EINVAL);
	expect_errno(open_process(-1, 0), EINVAL);
	expect_errno(open_process(getpid(), 0x80000000u), EINVAL);
	pid = fork_child();
	if (pid == 0)
		_exit(0);
	expect_exit(pid, 0);
	expect_errno(open_process(pid, 0), ESRCH);
	expect(read(fd, &pid, 1) == -1 && errno == EINVAL);
}

static void no_descriptor_left(void)
{
	const struct rlimit limit = {.rlim_cur = 3, .rlim_max = 3};

	expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	expect_errno(open_process(getpid(), 0), EMFILE);
}

static void readable_when_it_ended(void)
{
	struct gate gate;
	struct pollfd wait = {.events = POLLIN};
	pid_t pid;

	gate_make(&gate);
	pid = fork_child();
	if (pid == 0) {
		gate_pass(&gate);
		_exit(5);
	}
	wait.fd = open_process(pid, 0);
	expect_equal(poll(&wait, 1, 0), 0);
	gate_open(&gate);
	expect_equal(poll(&wait, 1, -1), 1);
	expect(wait.revents & POLLIN);
	expect_exit(pid, 5);
	expect_equal(poll(&wait, 1, 0), 1); /* and stays so */
}

static void bytes_advised(void)
{
	char *map = map_alone(4 * PAGE, RW), *unmapped = free_range(PAGE);
	struct iovec ranges[3] = {{map, 2 * PAGE}, {map + 3 * PAGE, PAGE}, {unmapped, PAGE}};
	int fd = open_process(getpid(), 0);

	fill_pattern(map, 0, 4 * PAGE);
	expect_equal(advise(fd, ranges, 2, MADV_WILLNEED, 0), 3 * PAGE);
	expect_equal(advise(fd, ranges, 2, MADV_COLD, 0), 3 * PAGE);
	expect_equal(advise(fd, ranges, 2, MADV_PAGEOUT, 0), 3 * PAGE);
	expect_equal(advise(fd, ranges, 3, MADV_COLD, 0), 3 * PAGE); /* up to the bad one */
	expect_errno(advise(fd, ranges + 2, 1, MADV_COLD, 0), ENOMEM);
	expect_equal(advise(fd, ranges, 0, MADV_COLD, 0), 0);
	expect_pattern(map, 0, 4 * PAGE);
}

static void of_a_child(void)
{
	char *map = map_alone(2 * PAGE, RW);
	struct iovec range = {map, 2 * PAGE};
	struct gate gate;
	pid_t pid;
	int fd;

	fill_pattern(map, 0, 2 * PAGE);
	gate_make(&gate);
	pid = fork_child();
	if (pid == 0) {
		gate_pass(&gate);
		expect_pattern(map, 0, 2 * PAGE);
		child_end();
	}
	fd = open_process(pid, 0);
	expect_equal(advise(fd, &range, 1, MADV_PAGEOUT, 0), 2 * PAGE);
	expect_equal(advise(fd, &range, 1, MADV_COLD, 0), 2 * PAGE);
	/* Nothing that could change what it finds there. */
	expect_errno(advise(fd, &range, 1, MADV_DONTNEED, 0), EINVAL);
	expect_errno(advise(fd, &range, 1, MADV_FREE, 0), EINVAL);
	expect_errno(advise(fd, &range, 1, MADV_DONTFORK, 0), EINVAL);
	gate_open(&gate);
	expect_exit(pid, 0);
	expect_errno(advise(fd, &range, 1, MADV_COLD, 0), ESRCH);
}

static void arguments(void)
{
	char *map = map_alone(PAGE, RW);
	struct iovec range = {map, PAGE}, odd = {map + 1, PAGE};
	int fd = open_process(getpid(), 0);

	expect_errno(advise(fd, &range, 1, MADV_COLD, 1), EINVAL);
	expect_errno(advise(fd, &range, 1, 1000, 0), EINVAL);
	expect_errno(advise(fd, &range, 1025, MADV_COLD, 0), EINVAL);
	expect_errno(advise(fd, &odd, 1, MADV_COLD, 0), EINVAL);
	expect_errno(advise(fd, (struct iovec *)8, 1, MADV_COLD, 0), EFAULT);
	expect_errno(advise(999, &range, 1, MADV_COLD, 0), EBADF);
	expect_errno(advise(open("/dev/null", O_RDWR), &range, 1, MADV_COLD, 0), EBADF);
}

static void rights(void)
{
	char *map = map_alone(PAGE, RW);
	struct iovec range = {map, PAGE};
	int fd = open_process(getppid(), 0);

	expect(setresuid(1000, 1000, 1000) == 0);
	expect_errno(advise(fd, &range, 1, MADV_COLD, 0), EACCES);
}

static const struct tap_case cases[] = {
	{"pidfd_open and its errors", opening},
	{"no descriptor is left", no_descriptor_left},
	{"a process that ended is readable", readable_when_it_ended},
	{"how many bytes were advised", bytes_advised},
	{"a child's memory, and what may not be said of it", of_a_child},
	{"each bad argument", arguments},
	{"another user's process", rights},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
