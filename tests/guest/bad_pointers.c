/*
 * bad_pointers.c - bad addresses for every system call that takes one.
 *
 * A table of calls, each as a function of the address, times a table of addresses: the answer must
 * be EFAULT, never a crash, never a success. Then addresses that are good up to a page's end.
 * Classic lab points 21 and 34.
 */
#include "helpers.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#define RW (PROT_READ | PROT_WRITE)

/* Descriptors for the calls; made by things_make(). */
static int file, directory, readable, writable;

/* A file, a link to it, a directory, a pipe with ten bytes in it. */
static void things_make(void)
{
	int ends[2];

	scratch_enter();
	file = file_create("file", 4 * PAGE);
	expect(symlink("file", "link") == 0);
	directory = open(".", O_RDONLY | O_DIRECTORY);
	expect(pipe(ends) == 0);
	readable = ends[0];
	writable = ends[1];
	expect(write(writable, "0123456789", 10) == 10);
}

#define call(number, ...) syscall(SYS_##number, __VA_ARGS__)

/* One function per row: the call with the bad address in one place and sense in the others. */
#define ROW(name, ...)                                                                             \
	static long try_##name(char *bad)                                                          \
	{                                                                                          \
		return __VA_ARGS__;                                                                \
	}

/* Kernel reads a string. */
ROW(open, call(open, bad, O_RDONLY))
ROW(openat, call(openat, AT_FDCWD, bad, O_RDWR | O_CREAT, 0600))
ROW(stat_path, call(stat, bad, &(struct stat){0}))
ROW(newfstatat_path, call(newfstatat, AT_FDCWD, bad, &(struct stat){0}, 0))
ROW(access, call(access, bad, F_OK))
ROW(chdir, call(chdir, bad))
ROW(mkdir, call(mkdir, bad, 0755))
ROW(rmdir, call(rmdir, bad))
ROW(unlink, call(unlink, bad))
ROW(rename_from, call(rename, bad, "x"))
ROW(rename_to, call(rename, "file", bad))
ROW(link_from, call(link, bad, "x"))
ROW(link_to, call(link, "file", bad))
ROW(symlink_text, call(symlink, bad, "x"))
ROW(symlink_name, call(symlink, "file", bad))
ROW(readlink_path, call(readlink, bad, (char[8]){0}, 8))
ROW(chmod, call(chmod, bad, 0600))
ROW(chown, call(chown, bad, 0, 0))
ROW(truncate, call(truncate, bad, 0))
ROW(statfs_path, call(statfs, bad, &(struct statfs){0}))
ROW(execve_path, call(execve, bad, (char *[]){"x", NULL}, NULL))
/* Kernel reads bytes or a structure. */
ROW(write_file, call(pwrite64, file, bad, 100, 0))
ROW(write_pipe, call(write, writable, bad, 100))
ROW(writev_vector, call(writev, file, bad, 2))
ROW(writev_base, call(writev, file, (&(struct iovec){bad, 10}), 1))
ROW(execve_argv, call(execve, "/proc/self/exe", bad, NULL))
ROW(execve_envp, call(execve, "/proc/self/exe", (char *[]){"x", NULL}, bad))
ROW(execve_argument, call(execve, "/proc/self/exe", ((char *[]){bad, NULL}), NULL))
ROW(nanosleep, call(nanosleep, bad, NULL))
ROW(clock_nanosleep, call(clock_nanosleep, CLOCK_MONOTONIC, 0, bad, NULL))
ROW(sigaction_new, call(rt_sigaction, SIGUSR1, bad, NULL, 8))
ROW(sigprocmask_new, call(rt_sigprocmask, SIG_BLOCK, bad, NULL, 8))
ROW(sigaltstack_new, call(sigaltstack, bad, NULL))
ROW(sigsuspend, call(rt_sigsuspend, bad, 8))
ROW(sigtimedwait_set, call(rt_sigtimedwait, bad, NULL, &(struct timespec){0}, 8))
ROW(prlimit_new, call(prlimit64, 0, RLIMIT_CORE, bad, NULL))
ROW(utimensat_times, call(utimensat, AT_FDCWD, "file", bad, 0))
ROW(futex_wait, call(futex, (uintptr_t)bad & -4ul, FUTEX_WAIT, 0, &(struct timespec){0}))
/* Kernel writes. */
ROW(read_file, call(pread64, file, bad, 100, 0))
ROW(read_pipe, call(read, readable, bad, 5))
ROW(read_zero, call(read, open("/dev/zero", O_RDONLY | O_CLOEXEC), bad, 100))
ROW(readv_vector, call(readv, file, bad, 2))
ROW(readv_base, call(readv, file, (&(struct iovec){bad, 10}), 1))
ROW(fstat, call(fstat, file, bad))
ROW(newfstatat, call(newfstatat, AT_FDCWD, "file", bad, 0))
ROW(statx, call(statx, AT_FDCWD, "file", 0, STATX_BASIC_STATS, bad))
ROW(statfs, call(statfs, ".", bad))
ROW(fstatfs, call(fstatfs, file, bad))
ROW(getdents, call(getdents64, directory, bad, 1000))
ROW(readlink, call(readlink, "link", bad, 100))
ROW(getcwd, call(getcwd, bad, 1000))
ROW(pipe, call(pipe, bad))
ROW(pipe2, call(pipe2, bad, O_CLOEXEC))
ROW(uname, call(uname, bad))
ROW(sysinfo, call(sysinfo, bad))
ROW(clock_gettime, call(clock_gettime, CLOCK_MONOTONIC, bad))
ROW(gettimeofday, call(gettimeofday, bad, NULL))
ROW(times, call(times, bad))
ROW(getrandom, call(getrandom, bad, 16, 0))
ROW(sigaction_old, call(rt_sigaction, SIGUSR1, NULL, bad, 8))
ROW(sigprocmask_old, call(rt_sigprocmask, SIG_BLOCK, NULL, bad, 8))
ROW(sigpending, call(rt_sigpending, bad, 8))
ROW(sigaltstack_old, call(sigaltstack, NULL, bad))
ROW(prlimit_old, call(prlimit64, 0, RLIMIT_CORE, NULL, bad))
ROW(poll, call(poll, bad, 1, 0))
ROW(sendfile_offset, call(sendfile, writable, file, bad, 10))

#undef ROW

/* wait4 has reaped the child when it finds that it cannot tell its status. */
static long try_wait4(char *bad)
{
	pid_t pid = fork_child();
	long result;

	if (pid == 0)
		_exit(0);
	result = call(wait4, pid, bad, 0, NULL);
	if (result >= 0)
		return result;
	int error = errno;

	while (waitpid(pid, NULL, 0) == pid)
		;
	errno = error;
	return result;
}

enum direction { IN, OUT }; /* the kernel reads there, or writes there */

/* clang-format off */
static const struct try {
	const char *name;
	long (*run)(char *bad);
	enum direction direction;
	bool null_is_fine; /* NULL means something here */
} tries[] = {
#define IN_ROW(name) {#name, try_##name, IN, false}
#define OUT_ROW(name) {#name, try_##name, OUT, false}
#define NULL_ROW(name, direction) {#name, try_##name, direction, true}
	IN_ROW(open), IN_ROW(openat), IN_ROW(stat_path), IN_ROW(newfstatat_path), IN_ROW(access),
	IN_ROW(chdir), IN_ROW(mkdir), IN_ROW(rmdir), IN_ROW(unlink), IN_ROW(rename_from),
	IN_ROW(rename_to), IN_ROW(link_from), IN_ROW(link_to), IN_ROW(symlink_text),
	IN_ROW(symlink_name), IN_ROW(readlink_path), IN_ROW(chmod), IN_ROW(chown),
	IN_ROW(truncate), IN_ROW(statfs_path), IN_ROW(execve_path), IN_ROW(write_file),
	IN_ROW(write_pipe), IN_ROW(writev_vector), IN_ROW(writev_base),
	NULL_ROW(execve_argv, IN), NULL_ROW(execve_envp, IN), NULL_ROW(execve_argument, IN),
	IN_ROW(nanosleep), IN_ROW(clock_nanosleep), NULL_ROW(sigaction_new, IN),
	NULL_ROW(sigprocmask_new, IN), NULL_ROW(sigaltstack_new, IN), IN_ROW(sigsuspend),
	IN_ROW(sigtimedwait_set), NULL_ROW(prlimit_new, IN), NULL_ROW(utimensat_times, IN),
	IN_ROW(futex_wait), OUT_ROW(read_file), OUT_ROW(read_pipe), OUT_ROW(read_zero),
	IN_ROW(readv_vector), OUT_ROW(readv_base), OUT_ROW(fstat), OUT_ROW(newfstatat),
	OUT_ROW(statx), OUT_ROW(statfs), OUT_ROW(fstatfs), OUT_ROW(getdents), OUT_ROW(readlink),
	OUT_ROW(getcwd), OUT_ROW(pipe), OUT_ROW(pipe2), OUT_ROW(uname), OUT_ROW(sysinfo),
	OUT_ROW(clock_gettime), NULL_ROW(gettimeofday, OUT), NULL_ROW(times, OUT),
	OUT_ROW(getrandom), NULL_ROW(sigaction_old, OUT), NULL_ROW(sigprocmask_old, OUT),
	OUT_ROW(sigpending), NULL_ROW(sigaltstack_old, OUT), NULL_ROW(prlimit_old, OUT),
	OUT_ROW(poll), NULL_ROW(sendfile_offset, IN), NULL_ROW(wait4, OUT),
};
/* clang-format on */

/* Try every call with this address; `when` says which of them it is bad for. */
static void try_all(char *bad, bool for_in, bool for_out)
{
	for (size_t i = 0; i < ARRAY_LENGTH(tries); i++) {
		bool is_bad = tries[i].direction == IN ? for_in : for_out;

		if (!is_bad || (bad == NULL && tries[i].null_is_fine))
			continue;
		errno = 0;
		check_errno(tries[i].name, tries[i].run(bad), EFAULT);
	}
}

static void null(void)
{
	things_make();
	try_all(NULL, true, true);
}

static void unmapped(void)
{
	char *page = map_anon(3 * PAGE, RW, MAP_PRIVATE);

	things_make();
	memset(page, 1, 3 * PAGE);
	expect(munmap(page + PAGE, PAGE) == 0); /* it was there a moment ago */
	try_all(page + PAGE, true, true);
	try_all(page + PAGE + 1000, true, true);
}

static void no_access(void)
{
	char *page = map_anon(PAGE, RW, MAP_PRIVATE);

	things_make();
	memset(page, 'x', PAGE);
	expect(mprotect(page, PAGE, PROT_NONE) == 0);
	try_all(page, true, true);
}

/* Only writing is bad there: the kernel's own writes must respect a zone's rights. */
static void read_only(void)
{
	char *page = map_anon(2 * PAGE, RW, MAP_PRIVATE);

	things_make();
	memset(page, 'r', PAGE); /* one page with contents, one never touched */
	expect(mprotect(page, 2 * PAGE, PROT_READ) == 0);
	try_all(page, false, true);
	try_all(page + PAGE, false, true);
	expect_filled(page, 'r', PAGE);
	expect_filled(page + PAGE, 0, PAGE);
}

static void text(void)
{
	char *address;
	static const char constant[64] = "constant";
	void (*function)(void) = text;

	things_make();
	memcpy(&address, &function, sizeof(address));
	try_all(address, false, true);
	try_all((char *)(uintptr_t)constant, false, true);
	expect(strcmp((const char *)(uintptr_t)constant, "constant") == 0);
}

static void kernel_addresses(void)
{
	static const uint64_t addresses[] = {
		UINT64_C(0xffff800000000000), UINT64_C(0xffff888000000000),
		UINT64_C(0xffffffff80000000), UINT64_C(0xffffffff80100000),
		UINT64_C(0xffffffffff600000), UINT64_C(0xfffffffffffff000),
	};

	things_make();
	for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++)
		try_all((char *)addresses[i], true, true);
}

static void huge_addresses(void)
{
	static const uint64_t addresses[] = {
		UINT64_C(0x0000800000000000), UINT64_C(0x00007ffffffffff8),
		UINT64_C(0x4000000000000000), UINT64_C(0x7ffffffffffffff8),
		UINT64_C(0x8000000000000000), UINT64_C(0xfffffffffffffff8),
	};

	things_make();
	for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++)
		try_all((char *)addresses[i], true, true);
}

/*
 * Three good bytes, then nothing: too short for every structure. Reads and writes of bytes may do
 * the three, so those are left to partial_transfers().
 */
static void across_the_end(void)
{
	char *page = map_anon(2 * PAGE, RW, MAP_PRIVATE);

	things_make();
	memset(page, 'x', 2 * PAGE);
	expect(munmap(page + PAGE, PAGE) == 0);
	for (size_t i = 0; i < ARRAY_LENGTH(tries); i++) {
		const struct try *row = &tries[i];
		bool bytes = row->run == try_write_file || row->run == try_write_pipe ||
			     row->run == try_writev_base || row->run == try_read_file ||
			     row->run == try_read_pipe || row->run == try_read_zero ||
			     row->run == try_readv_base || row->run == try_getrandom ||
			     row->run == try_futex_wait;

		if (bytes)
			continue;
		errno = 0;
		check_errno(row->name, row->run(page + PAGE - 3), EFAULT);
	}
}

static void strings_up_to_the_end(void)
{
	char *page = map_anon(2 * PAGE, RW, MAP_PRIVATE);

	things_make();
	expect(munmap(page + PAGE, PAGE) == 0);
	strcpy(page + PAGE - 5, "file"); /* ends with the page: fine */
	expect(open(page + PAGE - 5, O_RDONLY) >= 0);
	expect(access(page + PAGE - 5, F_OK) == 0);
	memcpy(page + PAGE - 4, "file", 4); /* does not end */
	expect_errno(call(open, page + PAGE - 4, O_RDONLY), EFAULT);
	expect_errno(call(access, page + PAGE - 4, F_OK), EFAULT);
}

/* What was possible may be done, and told; nothing beyond. */
static void partial_transfers(void)
{
	char *page = map_anon(3 * PAGE, RW, MAP_PRIVATE);
	long done;

	things_make();
	memset(page, 'x', 2 * PAGE);
	expect(munmap(page + PAGE, PAGE) == 0);
	done = call(pwrite64, file, page + PAGE - 100, 200, 0);
	expect(done == 100 || (done == -1 && errno == EFAULT));
	expect_equal(file_byte("file", 100), pattern(100));
	done = call(pread64, file, page + PAGE - 100, 200, 300);
	expect(done == 100 || (done == -1 && errno == EFAULT));
	if (done == 100)
		expect_pattern(page + PAGE - 100, 300, 100);
	expect_filled(page + 2 * PAGE, 0, PAGE);
	done = call(write, writable, page + PAGE - 4, 8);
	expect(done == 4 || (done == -1 && errno == EFAULT));
}

/* A pointer that is bad for one call does not spoil the next one. */
static void life_goes_on(void)
{
	struct stat status;
	char buffer[10];

	things_make();
	try_all((char *)UINT64_C(0xffffffff80000000), true, true);
	expect(fstat(file, &status) == 0 && status.st_size == (off_t)(4 * PAGE));
	expect_equal(read(readable, buffer, 10), 10); /* no failed call took the pipe's bytes */
	expect(memcmp(buffer, "0123456789", 10) == 0);
	expect(access("x", F_OK) < 0);
	expect_equal(open("file", O_RDONLY), writable + 1 + 1); /* one /dev/zero, nothing else */
}

static const struct tap_case cases[] = {
	{"NULL, where it means nothing", null},
	{"an address that was unmapped a moment ago (lab 34)", unmapped},
	{"a page without access", no_access},
	{"a read-only page for results", read_only},
	{"text and constants for results (lab 34)", text},
	{"kernel addresses (lab 34)", kernel_addresses},
	{"huge and non-canonical addresses (lab 34)", huge_addresses},
	{"structures and strings across the end of a page (lab 34)", across_the_end},
	{"strings that end with the page are fine", strings_up_to_the_end},
	{"reads and writes across the end of memory", partial_transfers},
	{"after a hundred bad pointers all is as before", life_goes_on},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
