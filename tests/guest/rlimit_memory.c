/*
 * rlimit_memory.c - RLIMIT_AS and RLIMIT_DATA: what counts, and which calls they stop.
 *
 * RLIMIT_STACK: stack.c; RLIMIT_MEMLOCK: mlock.c.
 */
#include "helpers.h"

#include <sys/resource.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* A size of /proc/self/status, in pages. */
static size_t status_pages(const char *name)
{
	static char text[8192];
	const char *line;

	proc_read("/proc/self/status", text, sizeof(text));
	line = strstr(text, name);
	expect(line);
	return strtoul(line + strlen(name), NULL, 10) / 4;
}

static void limit(int resource, size_t pages)
{
	struct rlimit value = {pages * PAGE, RLIM_INFINITY};

	expect(setrlimit(resource, &value) == 0);
}

static void address_space(void)
{
	char *map = map_alone(8 * PAGE, RW);

	limit(RLIMIT_AS, status_pages("VmSize:") + 4);
	expect_errno((long)mmap(NULL, 5 * PAGE, PROT_NONE, ANON, -1, 0), ENOMEM);
	expect_errno((long)mmap(NULL, 5 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), ENOMEM);
	expect_errno((long)mremap(map, 8 * PAGE, 13 * PAGE, MREMAP_MAYMOVE), ENOMEM);
	expect_errno((long)syscall(SYS_mremap, map, 8 * PAGE, 8 * PAGE,
				   MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0),
		     ENOMEM);
	map_anon(4 * PAGE, RW, MAP_PRIVATE);
	expect_errno((long)mmap(NULL, PAGE, PROT_NONE, ANON, -1, 0), ENOMEM);
	/* What takes the place of others, or moves, needs nothing. */
	expect(mmap(map, 8 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == map);
	expect(mprotect(map, 8 * PAGE, RW) == 0);
	expect(mremap(map, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE) == map);
	/* One page more than it replaces. */
	expect_errno((long)mmap(map, 9 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0), ENOMEM);
	expect(munmap(map, 8 * PAGE) == 0);
	map_anon(8 * PAGE, RW, MAP_PRIVATE);
}

static void address_space_and_break(void)
{
	long end = ((long)syscall(SYS_brk, 0) + (long)PAGE - 1) & -(long)PAGE;

	expect(syscall(SYS_brk, end) == end);
	limit(RLIMIT_AS, status_pages("VmSize:") + 2);
	expect(syscall(SYS_brk, end + 3 * (long)PAGE) == end);
	expect(syscall(SYS_brk, end + 2 * (long)PAGE) == end + 2 * (long)PAGE);
}

static void data(void)
{
	char *read_only = map_anon(8 * PAGE, PROT_READ, MAP_PRIVATE);

	limit(RLIMIT_DATA, status_pages("VmData:") + 4);
	expect_errno((long)mmap(NULL, 5 * PAGE, RW, ANON, -1, 0), ENOMEM);
	map_anon(5 * PAGE, RW, MAP_SHARED); /* no data: shared, or not writable */
	map_anon(5 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE);
	expect_errno(mprotect(read_only, 5 * PAGE, RW), ENOMEM);
	expect(mprotect(read_only, 4 * PAGE, RW) == 0);
	expect_errno((long)mmap(NULL, PAGE, RW, ANON, -1, 0), ENOMEM);
	expect_errno((long)mremap(read_only, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE), ENOMEM);
	expect(mprotect(read_only, 4 * PAGE, PROT_READ) == 0);
	map_anon(4 * PAGE, RW, MAP_PRIVATE);
}

static void data_and_break(void)
{
	long end = ((long)syscall(SYS_brk, 0) + (long)PAGE - 1) & -(long)PAGE;

	expect(syscall(SYS_brk, end) == end);
	limit(RLIMIT_DATA, status_pages("VmData:") + 2);
	expect(syscall(SYS_brk, end + 3 * (long)PAGE) == end);
	expect(syscall(SYS_brk, end + 2 * (long)PAGE) == end + 2 * (long)PAGE);
}

static void stacks_are_no_data(void)
{
	limit(RLIMIT_DATA, status_pages("VmData:"));
	expect(mmap(NULL, 2 * PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0) != MAP_FAILED);
}

#define LIMITS 16 /* RLIM_NLIMITS of the kernel: one more than there are */
#define NOBODY 65534

/* Who may change which limit of whom, and what cannot be one. */
static void errors(void)
{
	struct rlimit64 all = {RLIM64_INFINITY, RLIM64_INFINITY}, less = {MIB, 2 * MIB}, old;
	pid_t parent = getpid(), pid;

	expect_errno(syscall(SYS_prlimit64, 0, LIMITS, NULL, &old), EINVAL);
	expect_errno(syscall(SYS_getrlimit, LIMITS, &old), EINVAL);
	expect_errno(syscall(SYS_setrlimit, LIMITS, &all), EINVAL);
	expect_errno(syscall(SYS_prlimit64, 0, -1, NULL, &old), EINVAL);
	expect_errno(syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, (void *)8), EFAULT);
	expect_errno(syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, (void *)8, NULL), EFAULT);
	expect_errno(syscall(SYS_prlimit64, 0x3fffffff, RLIMIT_MEMLOCK, NULL, &old), ESRCH);
	less.rlim_cur = 2 * MIB + 1;
	expect_errno(syscall(SYS_setrlimit, RLIMIT_MEMLOCK, &less),
		     EINVAL); /* more than the most */
	less.rlim_cur = MIB;
	expect(syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, &less, NULL) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect(setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		       setresuid(NOBODY, NOBODY, NOBODY) == 0);
		expect_errno(syscall(SYS_prlimit64, parent, RLIMIT_MEMLOCK, NULL, &old), EPERM);
		expect_errno(syscall(SYS_prlimit64, parent, RLIMIT_MEMLOCK, &less, NULL), EPERM);
		expect_errno(syscall(SYS_setrlimit, RLIMIT_MEMLOCK, &all), EPERM);
		less.rlim_cur = 2 * MIB; /* up to the most, and that only down */
		expect(syscall(SYS_setrlimit, RLIMIT_MEMLOCK, &less) == 0);
		less.rlim_cur = less.rlim_max = MIB;
		expect(syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, &less, &old) == 0);
		expect(old.rlim_cur == 2 * MIB && old.rlim_max == 2 * MIB);
		less.rlim_max = 2 * MIB;
		expect_errno(syscall(SYS_setrlimit, RLIMIT_MEMLOCK, &less), EPERM);
		child_end();
	}
	expect_exit(pid, 0);
	expect(syscall(SYS_prlimit64, parent, RLIMIT_MEMLOCK, NULL, &old) == 0);
	expect(old.rlim_cur == MIB && old.rlim_max == 2 * MIB);
	if (on_stos()) /* elsewhere a container's root may be refused */
		expect(syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, &all, NULL) == 0);
}

/* A limit below what there is already takes nothing away. */
static void limits_below_what_there_is(void)
{
	char *map = map_alone(64 * PAGE, RW);

	fill_pattern(map, 0, 64 * PAGE);
	limit(RLIMIT_AS, 1);
	limit(RLIMIT_DATA, 1);
	expect_pattern(map, 0, 64 * PAGE);
	fill_pattern(map, 3, 64 * PAGE);
	expect_errno((long)mmap(NULL, PAGE, PROT_NONE, ANON, -1, 0), ENOMEM);
	expect(munmap(map, 32 * PAGE) == 0);
	expect(mremap(map + 32 * PAGE, 32 * PAGE, PAGE, 0) == map + 32 * PAGE);
}

/* A child has its parent's limits. */
static void inherited(void)
{
	pid_t pid;

	limit(RLIMIT_AS, status_pages("VmSize:") + 4);
	pid = fork_child();
	if (pid == 0) {
		expect_errno((long)mmap(NULL, 5 * PAGE, PROT_NONE, ANON, -1, 0), ENOMEM);
		expect(mmap(NULL, PAGE, PROT_NONE, ANON, -1, 0) != MAP_FAILED);
		child_end();
	}
	expect_exit(pid, 0);
}

static const struct tap_case cases[] = {
	{"RLIMIT_AS stops mmap and mremap by what they add", address_space},
	{"RLIMIT_AS stops the break", address_space_and_break},
	{"RLIMIT_DATA counts what is private and writable", data},
	{"RLIMIT_DATA stops the break", data_and_break},
	{"what grows down is no data", stacks_are_no_data},
	{"limits below what there is", limits_below_what_there_is},
	{"a child has its parent's", inherited},
	{"getrlimit, setrlimit and prlimit: who may, and each error", errors},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
