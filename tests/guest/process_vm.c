/*
 * process_vm.c - process_vm_readv(2) and process_vm_writev(2): pieces, partial transfers, errors.
 */
#include "tap.h"

#include "helpers.h"

#include <limits.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#define NOBODY 65534

/* A child that waits until it is killed, with the parent's memory of this moment. */
static pid_t sleeper_start(void)
{
	pid_t pid = fork_child();

	while (pid == 0)
		pause();
	return pid;
}

static void sleeper_end(pid_t pid)
{
	kill(pid, SIGKILL);
	expect_killed(pid, SIGKILL);
}

static ssize_t read_from(pid_t pid, void *to, const void *from, size_t bytes)
{
	struct iovec own = {to, bytes}, other = {(void *)from, bytes};

	return process_vm_readv(pid, &own, 1, &other, 1, 0);
}

static ssize_t write_into(pid_t pid, void *to, const void *from, size_t bytes)
{
	struct iovec own = {(void *)from, bytes}, other = {to, bytes};

	return process_vm_writev(pid, &own, 1, &other, 1, 0);
}

static void between_processes(void)
{
	char *memory = map_anon(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	char *other = map_anon(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	pid_t pid;

	fill_pattern(memory, 0, 4 * PAGE);
	pid = sleeper_start();
	memset(memory, 0, 4 * PAGE);
	expect_equal(read_from(pid, other, memory, 4 * PAGE), 4 * PAGE);
	expect_pattern(other, 0, 4 * PAGE);
	expect_filled(memory, 0, 4 * PAGE);
	expect_equal(read_from(pid, other + 3, memory + PAGE - 7, PAGE + 20), PAGE + 20);
	expect_pattern(other + 3, PAGE - 7, PAGE + 20);
	/* What is written is the child's alone, untouched pages included. */
	memset(other, 0x5a, 4 * PAGE);
	expect_equal(write_into(pid, memory + 100, other, 2 * PAGE), 2 * PAGE);
	expect_filled(memory, 0, 4 * PAGE);
	expect_equal(read_from(pid, other, memory, 3 * PAGE), 3 * PAGE);
	expect_pattern(other, 0, 100);
	expect_filled(other + 100, 0x5a, 2 * PAGE);
	expect_pattern(other + 100 + 2 * PAGE, 100 + 2 * PAGE, PAGE - 100);
	sleeper_end(pid);
}

static void with_itself(void)
{
	char from[] = "something", to[sizeof(from)] = "";

	expect_equal(read_from(getpid(), to, from, sizeof(from)), sizeof(from));
	expect(strcmp(to, "something") == 0);
	expect_equal(write_into(getpid(), to, "another", 8), 8);
	expect(strcmp(to, "another") == 0);
}

static void many_pieces(void)
{
	char *memory = map_anon(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	char to[100] = "";
	struct iovec own[] = {{to, 1}, {to + 1, 0}, {to + 1, 50}, {to + 51, 49}};
	struct iovec other[] = {
		{memory + PAGE - 10, 20}, {NULL, 0}, {memory, 30}, {memory + 77, 1000}};

	fill_pattern(memory, 0, 4 * PAGE);
	expect_equal(process_vm_readv(getpid(), own, 4, other, 4, 0), 100);
	expect_pattern(to, PAGE - 10, 20);
	expect_pattern(to + 20, 0, 30);
	expect_pattern(to + 50, 77, 50);
	expect_equal(process_vm_readv(getpid(), own, 4, other, 1, 0), 20);
	expect_equal(process_vm_readv(getpid(), own, 0, other, 1, 0), 0);
	expect_equal(process_vm_readv(getpid(), own, 1, other, 0, 0), 0);
	expect_equal(process_vm_readv(getpid(), own + 1, 1, other, 1, 0), 0);
}

static void up_to_what_is_there(void)
{
	char *memory = map_alone(2 * PAGE, PROT_READ | PROT_WRITE), to[PAGE];
	struct iovec own = {to, 300};
	struct iovec other[] = {{memory, 100}, {memory + 2 * PAGE - 50, 100}, {memory, 100}};

	memset(memory, 3, 2 * PAGE);
	/* Linux stops at the page, not at the piece. */
	expect_equal(process_vm_readv(getpid(), &own, 1, other, 3, 0), 150);
	expect_equal(read_from(getpid(), to, memory + 2 * PAGE - 1, 2), 1);
	expect_errno(read_from(getpid(), to, memory + 2 * PAGE, 1), EFAULT);
	expect_errno(write_into(getpid(), memory + 2 * PAGE, to, 1), EFAULT);
	expect_errno(read_from(getpid(), to, (void *)0x7ffffffff000, 1), EFAULT);
	expect_errno(read_from(getpid(), to, (void *)0xffff800000000000, 8), EFAULT);
	/* The caller's own bad address. */
	expect_errno(read_from(getpid(), (void *)8, memory, 1), EFAULT);
	expect_errno(write_into(getpid(), memory, (void *)8, 1), EFAULT);
}

static void protection_counts(void)
{
	char *memory = map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), byte = 1;

	poke(memory, 42);
	expect(mprotect(memory, PAGE, PROT_READ) == 0);
	expect_equal(read_from(getpid(), &byte, memory, 1), 1);
	expect_equal(byte, 42);
	expect_errno(write_into(getpid(), memory, &byte, 1), EFAULT);
	expect(mprotect(memory, PAGE, PROT_NONE) == 0);
	expect_errno(read_from(getpid(), &byte, memory, 1), EFAULT);
	expect_errno(write_into(getpid(), memory, &byte, 1), EFAULT);
}

static void a_file_past_its_end(void)
{
	int fd = memfd_create("test", 0);
	char *map, byte;

	expect(ftruncate(fd, PAGE) == 0);
	map = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	expect_equal(write_into(getpid(), map, "x", 1), 1);
	expect(pread(fd, &byte, 1, 0) == 1 && byte == 'x');
	expect_errno(read_from(getpid(), &byte, map + PAGE, 1), EFAULT);
}

static void the_stack_does_not_grow(void)
{
	char here = 1, *volatile at = &here, byte; /* volatile: gcc knows the bounds of `here` */

	expect_errno(read_from(getpid(), &byte, at - 3 * MIB, 1), EFAULT);
	expect_equal(read_from(getpid(), &byte, &here, 1), 1);
}

static void bad_calls(void)
{
	static struct iovec many[IOV_MAX + 1];
	char byte = 0;
	struct iovec good = {&byte, 1}, negative = {&byte, SIZE_MAX};
	struct iovec too_much[] = {{&byte, SSIZE_MAX}, {&byte, SSIZE_MAX}};
	pid_t self = getpid(), gone;

	expect_errno(process_vm_readv(self, &good, 1, &good, 1, 1), EINVAL);
	expect_errno(process_vm_writev(self, &good, 1, &good, 1, ~0ul), EINVAL);
	expect_errno(process_vm_readv(self, many, IOV_MAX + 1, &good, 1, 0), EINVAL);
	expect_errno(process_vm_readv(self, &good, 1, many, IOV_MAX + 1, 0), EINVAL);
	many[IOV_MAX - 1] = good;
	expect_equal(process_vm_readv(self, &good, 1, many, IOV_MAX, 0), 1);
	expect_errno(process_vm_readv(self, &negative, 1, &good, 1, 0), EINVAL);
	expect_errno(process_vm_readv(self, &good, 1, &negative, 1, 0), EINVAL);
	expect_errno(process_vm_readv(self, too_much, 2, &good, 1, 0), EFAULT);
	expect_errno(process_vm_readv(self, (struct iovec *)8, 1, &good, 1, 0), EFAULT);
	expect_errno(process_vm_readv(self, &good, 1, (struct iovec *)8, 1, 0), EFAULT);
	expect_errno(process_vm_readv(-1, &good, 1, &good, 1, 0), ESRCH);
	expect_errno(process_vm_readv(0, &good, 1, &good, 1, 0), ESRCH);
	gone = fork_child();
	if (gone == 0)
		_exit(0);
	/* A zombie has no memory any more. */
	expect(waitid(P_PID, (id_t)gone, &(siginfo_t){0}, WEXITED | WNOWAIT) == 0);
	expect_errno(read_from(gone, &byte, &byte, 1), ESRCH);
	expect_exit(gone, 0);
	expect_errno(read_from(gone, &byte, &byte, 1), ESRCH);
	/* Nothing to copy is nobody's fault. */
	good.iov_len = 0;
	expect_equal(process_vm_readv(gone, &good, 1, &good, 1, 0), 0);
}

static void become_nobody(void)
{
	expect(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void permissions(void)
{
	pid_t parent = getpid(), pid;
	char byte = 1;

	if (geteuid() != 0)
		tap_skip("not root");
	pid = fork_child();
	if (pid == 0) {
		become_nobody();
		expect_errno(read_from(parent, &byte, &byte, 1), EPERM);
		expect_errno(write_into(parent, &byte, &byte, 1), EPERM);
		prctl(PR_SET_DUMPABLE, 1);
		parent = getpid();
		pid = fork_child();
		if (pid == 0) {
			expect_equal(read_from(parent, &byte, &byte, 1), 1);
			expect_equal(write_into(parent, &byte, &byte, 1), 1);
			_exit(0);
		}
		expect_exit(pid, 0);
		prctl(PR_SET_DUMPABLE, 0);
		pid = fork_child();
		if (pid == 0) {
			expect_errno(read_from(parent, &byte, &byte, 1), EPERM);
			_exit(0);
		}
		expect_exit(pid, 0);
		_exit(0);
	}
	expect_exit(pid, 0);
}

static const struct tap_case cases[] = {
	{"another process's memory is read and written", between_processes},
	{"so is the caller's own", with_itself},
	{"pieces of any length on both sides", many_pieces},
	{"a transfer ends where memory does", up_to_what_is_there},
	{"what the other may not do, nobody does for it", protection_counts},
	{"files: through the cache, not past the end", a_file_past_its_end},
	{"a stack does not grow", the_stack_does_not_grow},
	{"EINVAL, EFAULT, ESRCH", bad_calls},
	{"EPERM: another user's, or one that may not be dumped", permissions},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
