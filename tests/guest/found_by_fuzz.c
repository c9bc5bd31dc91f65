/*
 * found_by_fuzz.c - what random sequences (tests/fuzz) found different from Linux, in its shortest
 * form.
 *
 * Several mappings move at once since Linux 6.17; MAP_STACK keeps apart since 6.7.
 */
#include "helpers.h"

#include <sys/resource.h>

#define RW (PROT_READ | PROT_WRITE)
#define FIXED (MREMAP_MAYMOVE | MREMAP_FIXED)
#define NO_REPLACE (MAP_PRIVATE | MAP_FIXED_NOREPLACE)
#define USER_END UINT64_C(0x7ffffffff000)
#define UNKNOWN_FLAG 0x1000000 /* no flag of mmap has this bit */
#define LAST_PAGE_OFFSET INT64_C(0x7ffffffffffff000)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* libc's mremap and mmap have opinions of their own. */
static char *remap(const void *address, size_t old, size_t new, int flags, const void *to)
{
	errno = 0;
	return (char *)syscall(SYS_mremap, address, old, new, flags, to);
}

static bool mapped(const void *address)
{
	unsigned char byte;

	return mincore((void *)(uintptr_t)address, PAGE, &byte) == 0;
}

/* --- mremap --------------------------------------------------------------------------------- */

/* Pages 0 and 1 writable, 2 and 3 read-only, 4 and 5 a hole, 6 and 7 writable, 8 to 10 nothing. */
static char *several(void)
{
	char *map = map_alone(10 * PAGE, RW);

	fill_pattern(map, 0, 8 * PAGE);
	expect(mprotect(map + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
	expect(munmap(map + 4 * PAGE, 2 * PAGE) == 0);
	expect(munmap(map + 8 * PAGE, 2 * PAGE) == 0);
	return map;
}

static void several_move(void)
{
	char *map = several(), *to = free_range(12 * PAGE);

	map_fixed(to + 4 * PAGE, PAGE, RW);
	poke(to + 4 * PAGE, 77);
	/* From the middle of one to behind the last; where the hole comes to lie, nothing changes.
	 */
	expect(remap(map + PAGE, 9 * PAGE, 9 * PAGE, FIXED, to) == to);
	expect_zone(to, PAGE, "rw-p");
	expect_zone(to + PAGE, 2 * PAGE, "r--p");
	expect_pattern(to, PAGE, 3 * PAGE);
	expect(!mapped(to + 3 * PAGE));
	expect_equal(peek(to + 4 * PAGE), 77);
	expect_pattern(to + 5 * PAGE, 6 * PAGE, 2 * PAGE);
	expect(!mapped(to + 7 * PAGE));
	expect_zone(map, PAGE, "rw-p");
	for (size_t page = 1; page < 8; page++)
		expect(!mapped(map + page * PAGE));
}

static void several_stay_mapped(void)
{
	char *map = several(), *to = free_range(8 * PAGE);

	expect(remap(map, 8 * PAGE, 8 * PAGE, FIXED | MREMAP_DONTUNMAP, to) == to);
	expect_pattern(to, 0, 4 * PAGE);
	expect_pattern(to + 6 * PAGE, 6 * PAGE, 2 * PAGE);
	expect(!mapped(to + 4 * PAGE));
	expect_filled(map, 0, 4 * PAGE);
	expect_filled(map + 6 * PAGE, 0, 2 * PAGE);
	expect_zone(map + 2 * PAGE, 2 * PAGE, "r--p");
}

/* The new place lies between the old one and the rest of the same mapping: all is one again. */
static void stays_mapped_beside_itself(void)
{
	char *map = map_alone(11 * PAGE, RW);

	fill_pattern(map, 0, 11 * PAGE);
	expect(remap(map + PAGE, 4 * PAGE, 4 * PAGE, FIXED | MREMAP_DONTUNMAP, map + 6 * PAGE) ==
	       map + 6 * PAGE);
	expect_filled(map + PAGE, 0, 4 * PAGE);
	expect_pattern(map + 5 * PAGE, 5 * PAGE, PAGE);
	expect_pattern(map + 6 * PAGE, PAGE, 4 * PAGE);
	expect_pattern(map + 10 * PAGE, 10 * PAGE, PAGE);
	if (on_stos())
		expect_zone(map, 11 * PAGE, "rw-p"); /* Linux may keep them apart */
}

static void several_begin_with_a_mapping(void)
{
	char *to = map_alone(8 * PAGE, RW), *map = several();

	fill_pattern(to, 0, 8 * PAGE);
	expect_errno((long)remap(map + 4 * PAGE, 4 * PAGE, 4 * PAGE, FIXED, to), EFAULT);
	expect_errno((long)remap(map, 8 * PAGE, 7 * PAGE, FIXED, to), EFAULT);
	expect_errno((long)remap(map, 4 * PAGE, 5 * PAGE, FIXED, to), EFAULT);
	expect_pattern(to, 0, 8 * PAGE);
	expect_pattern(map, 0, 4 * PAGE);
}

/* The first that cannot ends it; those before it have moved. */
static void some_of_several_move(void)
{
	char *map = several(), *to = free_range(8 * PAGE);
	pid_t pid = fork_child();

	if (pid == 0) {
		struct rlimit limit = {
			.rlim_cur = (rlim_t)proc_number("/proc/self/status", "VmSize") * 1024 +
				    3 * PAGE,
			.rlim_max = RLIM_INFINITY};

		expect(setrlimit(RLIMIT_AS, &limit) == 0);
		expect_errno((long)remap(map, 8 * PAGE, 8 * PAGE, FIXED | MREMAP_DONTUNMAP, to),
			     ENOMEM);
		expect_pattern(to, 0, 2 * PAGE);
		expect_filled(map, 0, 2 * PAGE);
		expect(!mapped(to + 2 * PAGE));
		expect_pattern(map + 2 * PAGE, 2 * PAGE, 2 * PAGE);
		child_end();
	}
	expect_exit(pid, 0);
}

/* Old lengths that reach the end of user space, or the end of all addresses. */
static void old_length_too_long(void)
{
	char *map = map_alone(4 * PAGE, RW), *to = map_alone(8 * PAGE, RW); /* below it */

	fill_pattern(map, 0, 4 * PAGE);
	expect(remap(map, USER_END, USER_END, MREMAP_MAYMOVE, NULL) ==
	       map); /* nothing is asked for */
	expect_errno((long)remap(map, USER_END, 5 * PAGE, FIXED, to), EFAULT);
	expect(mapped(to + PAGE));
	expect_errno((long)remap(map, USER_END, 2 * PAGE, 0, NULL), EINVAL);
	/* What is at the new place goes before the tail is found bad. */
	expect_errno((long)remap(map, USER_END, 2 * PAGE, FIXED, to), EINVAL);
	expect(!mapped(to) && !mapped(to + PAGE) && mapped(to + 2 * PAGE));
	expect_pattern(map, 0, 4 * PAGE);
	expect_errno((long)remap(map, -PAGE, PAGE, FIXED, map), EFAULT);
	expect(!mapped(map) && mapped(map + PAGE));
}

/* --- mmap ------------------------------------------------------------------------------------- */

/* The place is looked for before the file and the flags are looked at. */
static void errors_of_mmap_in_order(void)
{
	char *taken = map_alone(2 * PAGE, RW);
	int both, write_only;

	scratch_enter();
	both = file_create("file", PAGE);
	write_only = open("file", O_WRONLY);
	expect_errno(mmap(taken, PAGE, PROT_READ, NO_REPLACE, write_only, 0), EEXIST);
	expect_errno(mmap(taken, PAGE, PROT_READ,
			  MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE | UNKNOWN_FLAG, both, 0),
		     EEXIST);
	expect_errno(mmap(taken, PAGE, PROT_READ, NO_REPLACE, both, LAST_PAGE_OFFSET), EEXIST);
	expect_errno(mmap(taken, PAGE, PROT_READ, MAP_FIXED_NOREPLACE | MAP_ANONYMOUS, -1, 0),
		     EEXIST);
	expect_errno(mmap(NULL, USER_END + PAGE, PROT_READ, MAP_PRIVATE, both, LAST_PAGE_OFFSET),
		     ENOMEM);
	expect_errno(mmap(NULL, USER_END + PAGE, PROT_READ, MAP_PRIVATE, write_only, 0), ENOMEM);
	expect_errno(mmap(NULL, USER_END + PAGE, PROT_READ, 0, both, 0), ENOMEM);
	expect_errno(mmap(taken, USER_END, PROT_READ,
			  MAP_SHARED_VALIDATE | MAP_FIXED | UNKNOWN_FLAG, both, 0),
		     ENOMEM);
	expect_errno(mmap(taken + 1, USER_END, PROT_READ, MAP_PRIVATE | MAP_FIXED, both, 0),
		     ENOMEM);
	expect_errno(
		mmap(taken + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, both, LAST_PAGE_OFFSET),
		EINVAL);
	expect_errno(mmap(taken, PAGE, PROT_READ, MAP_FIXED | UNKNOWN_FLAG | MAP_SHARED_VALIDATE,
			  both, LAST_PAGE_OFFSET),
		     EOVERFLOW);
	expect_errno(mmap(taken, PAGE, PROT_READ, MAP_FIXED, both, LAST_PAGE_OFFSET), EOVERFLOW);
	expect_errno(mmap(taken, PAGE, RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN, write_only, 0),
		     EACCES);
	expect_errno(mmap(taken, PAGE, RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN, both, 0),
		     EINVAL);
	expect_zone(taken, 2 * PAGE, "rw-p");
}

/* Threads' stacks shall have no huge pages, so they are another kind of memory. */
static void stacks_stay_apart(void)
{
	char *map = map_alone(4 * PAGE, RW);

	expect(mmap(map + 2 * PAGE, 2 * PAGE, RW,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_STACK, -1, 0) == map + 2 * PAGE);
	expect_zone(map, 2 * PAGE, "rw-p");
	expect_zone(map + 2 * PAGE, 2 * PAGE, "rw-p");
	expect_errno((long)remap(map, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE, NULL), EFAULT);
}

/* --- madvise ---------------------------------------------------------------------------------- */

/* The processor would read it, the mapping's rights say no. */
static void populate_what_is_written_only(void)
{
	char *map = map_alone(4 * PAGE, PROT_WRITE);

	expect_errno(madvise(map, PAGE, MADV_POPULATE_READ), EINVAL);
	expect(madvise(map, PAGE, MADV_POPULATE_WRITE) == 0);
	expect_errno(madvise(map, PAGE, MADV_POPULATE_READ), EINVAL);
}

/* What comes first in memory is told: a wrong right, a hole, a page that the file has not. */
static void errors_of_populate_in_order(void)
{
	char *map = map_alone(8 * PAGE, RW);

	scratch_enter();
	expect(mprotect(map, PAGE, PROT_WRITE) == 0);
	expect(munmap(map + 2 * PAGE, PAGE) == 0);
	expect(mmap(map + 4 * PAGE, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, file_create("file", PAGE),
		    0) == map + 4 * PAGE);
	expect(mprotect(map + 6 * PAGE, PAGE, PROT_NONE) == 0);
	expect_errno(madvise(map, 8 * PAGE, MADV_POPULATE_READ), EINVAL);
	expect_errno(madvise(map + PAGE, 7 * PAGE, MADV_POPULATE_READ), ENOMEM);
	expect_errno(madvise(map + 3 * PAGE, 5 * PAGE, MADV_POPULATE_READ), EFAULT);
	expect_errno(madvise(map + 6 * PAGE, 2 * PAGE, MADV_POPULATE_READ), EINVAL);
}

static void populate_grows_no_stack(void)
{
	char *room = free_range(1024 * PAGE), *stack = room + 800 * PAGE;

	expect(mmap(stack, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN,
		    -1, 0) == stack);
	expect_errno(madvise(stack - 2 * PAGE, 2 * PAGE, MADV_POPULATE_WRITE), ENOMEM);
	expect_errno(madvise(stack - PAGE, 2 * PAGE, MADV_POPULATE_READ), ENOMEM);
	expect_zone(stack, 2 * PAGE, "rw-p");
	poke(stack - PAGE, 1);
	expect_zone(stack - PAGE, 3 * PAGE, "rw-p");
}

/* --- mprotect, mlock ----------------------------------------------------------------------------
 */

static void errors_of_mprotect_in_order(void)
{
	char *map = map_alone(PAGE, RW);

	expect_errno(mprotect(map, -PAGE, 0x200), ENOMEM);
	expect_errno(mprotect(map, SIZE_MAX, 0x200), ENOMEM);
	expect_errno(mprotect(map, PAGE, 0x200), EINVAL);
	expect(mprotect(map, 0, 0x200) == 0);
}

/* Locked memory that may be written has its pages: they are copied when it becomes so, not when a
 * store comes. */
static void locked_becomes_writable(void)
{
	char *locked, *on_fault, *plain;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	locked = map_file(fd, 2 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	on_fault = map_file(fd, 2 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	plain = map_file(fd, 2 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	expect(mlock(locked, 2 * PAGE) == 0);
	expect(syscall(SYS_mlock2, on_fault, 2 * PAGE, MLOCK_ONFAULT) == 0);
	expect(mprotect(locked + PAGE, PAGE, RW) == 0);
	expect(mprotect(on_fault, 2 * PAGE, RW) == 0);
	expect(mprotect(plain, 2 * PAGE, RW) == 0);
	expect(pwrite(fd, "x", 1, 0) == 1 && pwrite(fd, "x", 1, (off_t)PAGE) == 1);
	expect_equal(peek(locked), 'x');
	expect_equal(peek(locked + PAGE), pattern(PAGE));
	expect_equal(peek(on_fault + PAGE), 'x');
	expect_equal(peek(plain + PAGE), 'x');
}

/* --- brk ----------------------------------------------------------------------------------------
 */

static char *break_set(char *to)
{
	return (char *)syscall(SYS_brk, to);
}

static char *break_start(void)
{
	uintptr_t now = (uintptr_t)break_set(NULL);
	char *start = (char *)((now + PAGE - 1) / PAGE * PAGE);

	expect(break_set(start) == start);
	return start;
}

/* What is to be given back is not there. */
static void break_over_a_hole(void)
{
	char *start = break_start();

	expect(break_set(start + 7 * PAGE) == start + 7 * PAGE);
	expect(munmap(start + 4 * PAGE, 3 * PAGE) == 0);
	expect(break_set(start + 4 * PAGE - 100) == start + 7 * PAGE);
	expect(break_set(start + 3 * PAGE) == start + 3 * PAGE); /* here some of it is */
	expect(!mapped(start + 3 * PAGE));
}

/* The heap is memory as any other: it is one with its neighbour, and mremap grows both. */
static void heap_joins_its_neighbour(void)
{
	char *start = break_start();
	struct map_line line;

	expect(break_set(start + 2 * PAGE) == start + 2 * PAGE);
	map_fixed(start + 2 * PAGE, 2 * PAGE, RW);
	expect(maps_find(start + PAGE, &line));
	expect_equal(line.end, start + 4 * PAGE);
	expect(strcmp(line.path, "[heap]") == 0);
	expect(remap(start + PAGE, 3 * PAGE, 4 * PAGE, 0, NULL) == start + PAGE);
}

static const struct tap_case cases[] = {
	{"several mappings move at once, with the holes between them", several_move},
	{"MREMAP_DONTUNMAP of several mappings", several_stay_mapped},
	{"MREMAP_DONTUNMAP beside the rest of the mapping", stays_mapped_beside_itself},
	{"several mappings begin with one, and keep their length", several_begin_with_a_mapping},
	{"some of several move before one that cannot", some_of_several_move},
	{"mremap of an old length beyond user space", old_length_too_long},
	{"mmap's errors in their order", errors_of_mmap_in_order},
	{"MAP_STACK stays apart", stacks_stay_apart},
	{"MADV_POPULATE_READ of what may be written only", populate_what_is_written_only},
	{"MADV_POPULATE_*'s errors in their order", errors_of_populate_in_order},
	{"MADV_POPULATE_* grows no stack", populate_grows_no_stack},
	{"mprotect's errors in their order", errors_of_mprotect_in_order},
	{"locked pages are copied when they become writable", locked_becomes_writable},
	{"brk does not give back what is not there", break_over_a_hole},
	{"the heap joins its neighbour", heap_joins_its_neighbour},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
