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
	expect_errno((long)syscall(SYS_mremap, map, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0),
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

static const struct tap_case cases[] = {
	{"RLIMIT_AS stops mmap and mremap by what they add", address_space},
	{"RLIMIT_AS stops the break", address_space_and_break},
	{"RLIMIT_DATA counts what is private and writable", data},
	{"RLIMIT_DATA stops the break", data_and_break},
	{"what grows down is no data", stacks_are_no_data},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
