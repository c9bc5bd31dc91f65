/*
 * mem_edges.c - corners of the memory calls that a hunt for differences found, one case each.
 */
#include "helpers.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define RW (PROT_READ | PROT_WRITE)

/* --- madvise ---------------------------------------------------------------------------------- */

static void populate_says_why_not(void)
{
	char *memory = map_alone(3 * PAGE, RW);
	char *file;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	expect_equal(madvise(memory, 3 * PAGE, MADV_POPULATE_WRITE), 0);
	expect_equal(mprotect(memory, PAGE, PROT_NONE), 0);
	expect_errno(madvise(memory, PAGE, MADV_POPULATE_READ), EINVAL);
	expect_equal(mprotect(memory, PAGE, PROT_READ), 0);
	expect_equal(madvise(memory, PAGE, MADV_POPULATE_READ), 0);
	expect_errno(madvise(memory, PAGE, MADV_POPULATE_WRITE), EINVAL);
	expect_equal(munmap(memory + PAGE, PAGE), 0);
	expect_errno(madvise(memory, 3 * PAGE, MADV_POPULATE_READ), ENOMEM);
	file = map_file(fd, 2 * PAGE, PROT_READ, MAP_SHARED, 0);
	expect_equal(madvise(file, PAGE, MADV_POPULATE_READ), 0);
	expect_errno(madvise(file, 2 * PAGE, MADV_POPULATE_READ), EFAULT);
}

static void advice_beyond_the_end_of_user_space(void)
{
	char *last = (char *)0x7fffffffe000;

	expect_errno(madvise(last, 16 * PAGE, MADV_WILLNEED), ENOMEM);
	expect_errno(madvise((char *)0x800000000000, PAGE, MADV_WILLNEED), ENOMEM);
	expect_errno(madvise((char *)-PAGE, 2 * PAGE, MADV_WILLNEED), EINVAL);
	expect_errno(madvise(last, (size_t)-1, MADV_WILLNEED), EINVAL);
	expect_equal(madvise((char *)0x800000000000, 0, MADV_DONTNEED), 0);
}

/* --- zones that grow down --------------------------------------------------------------------- */

#define GROWS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE)

/* A free range, so large that the gaps below stacks in it lie in it as well. */
#define RANGE (1024 * PAGE)

static char *grows_down(char *address, size_t bytes)
{
	return tap_map(HERE, address, bytes, RW, GROWS, -1, 0);
}

static void only_private_anonymous_memory_grows_down(void)
{
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	expect_errno(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0),
		     EINVAL);
	expect_errno(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_GROWSDOWN, fd, 0), EINVAL);
	expect_errno(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0), EINVAL);
}

/* Two zones alike that meet by growing are one from then on. */
static void one_grows_onto_another(void)
{
	char *range = free_range(RANGE);
	char *lower = grows_down(range + 500 * PAGE, PAGE);
	char *upper = grows_down(range + 510 * PAGE, PAGE);

	poke(lower, 'l');
	for (char *page = upper - PAGE; page > lower; page -= PAGE)
		poke(page, 'g');
	poke(upper, 'u');
	expect_equal(peek(lower), 'l');
	expect_equal(peek(lower + PAGE), 'g');
	expect_equal(mprotect(lower, 11 * PAGE, PROT_READ), 0);
	expect_equal(munmap(lower, 11 * PAGE), 0);
}

/* The gap below a stack is kept to what can be accessed only. */
static void grows_up_to_a_mapping_without_access(void)
{
	char *range = free_range(RANGE);
	char *fence = tap_map(HERE, range + 500 * PAGE, PAGE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	char *stack = grows_down(range + 510 * PAGE, PAGE);

	for (char *page = stack; page > fence; page -= PAGE)
		poke(page, 's');
	expect_equal(peek(fence + PAGE), 's');
	expect_write_kills(fence, SIGSEGV);
	expect_equal(mprotect(fence, PAGE, PROT_READ), 0);
	expect_equal(munmap(fence + PAGE, 5 * PAGE), 0);
	expect_write_kills(fence + 5 * PAGE, SIGSEGV);
}

/* --- mremap ----------------------------------------------------------------------------------- */

/* Growing in place up to an equal neighbour: one zone from then on. */
static void grows_up_to_its_equal(void)
{
	char *memory = map_alone(4 * PAGE, RW);

	expect_equal(munmap(memory + PAGE, PAGE), 0);
	poke(memory, 'a');
	poke(memory + 2 * PAGE, 'b');
	expect(mremap(memory, PAGE, 2 * PAGE, 0) == memory);
	expect_equal(peek(memory), 'a');
	expect_equal(peek(memory + PAGE), 0);
	expect_equal(peek(memory + 2 * PAGE), 'b');
	expect(mremap(memory, 2 * PAGE, PAGE, 0) == memory);
	expect_read_kills(memory + PAGE, SIGSEGV);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void address_space_limit_holds_for_mremap(void)
{
	struct rlimit limit = {.rlim_cur = 256 * MIB, .rlim_max = RLIM_INFINITY};
	char *memory = map_alone(PAGE, RW);

	expect(setrlimit(RLIMIT_AS, &limit) == 0);
	expect_errno(mremap(memory, PAGE, 512 * MIB, MREMAP_MAYMOVE), ENOMEM);
	memory = mremap(memory, PAGE, 2 * MIB, MREMAP_MAYMOVE);
	expect(memory != MAP_FAILED);
}

/* Every other page has other rights: each is a zone of its own, until there may be no more. */
static void zones_are_limited(void)
{
	size_t bytes = 70000 * 2 * PAGE, at = 0;
	char *memory = map_alone(bytes, PROT_NONE);

	while (at < bytes && mprotect(memory + at, PAGE, PROT_READ) == 0)
		at += 2 * PAGE;
	expect_equal(errno, ENOMEM);
	expect(at / PAGE > 65000 && at / PAGE < 65531);
	/* One or two more may fit, made by holes. */
	for (int i = 0; i < 4 && munmap(memory + at + 4 * PAGE, PAGE) == 0; i++)
		at += 4 * PAGE;
	expect_errno(munmap(memory + at + 4 * PAGE, PAGE), ENOMEM);
	expect_equal(munmap(memory, 8 * PAGE), 0);
	expect_equal(munmap(memory + at + 4 * PAGE, PAGE), 0);
	expect_equal(munmap(memory, bytes), 0);
}

/* --- files ------------------------------------------------------------------------------------ */

static void caches_can_be_dropped(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	expect(fd >= 0);
	expect_equal(write(fd, "2\n", 2), 2);
}

/* Reading where nothing was ever written takes no memory. */
static void reading_a_hole_stores_nothing(void)
{
	static char buffer[MIB];
	struct stat status;
	int fd;

	scratch_enter();
	fd = file_create("file", 0);
	expect_equal(ftruncate(fd, 4 * (off_t)GIB), 0);
	for (int i = 0; i < 64; i++) {
		memset(buffer, 'x', sizeof(buffer));
		expect_equal(pread(fd, buffer, sizeof(buffer), i * (off_t)MIB + 100),
			     (long)sizeof(buffer));
		expect_filled(buffer, 0, sizeof(buffer));
	}
	expect_equal(fstat(fd, &status), 0);
	expect_equal(status.st_blocks, 0);
}

static const struct tap_case cases[] = {
	{"MADV_POPULATE_READ and _WRITE tell why a page cannot be had", populate_says_why_not},
	{"madvise past the end of user space", advice_beyond_the_end_of_user_space},
	{"only private anonymous memory grows down", only_private_anonymous_memory_grows_down},
	{"a zone grows onto another that grows", one_grows_onto_another},
	{"a stack grows up to a mapping without access", grows_up_to_a_mapping_without_access},
	{"a mapping grows in place up to its equal", grows_up_to_its_equal},
	{"RLIMIT_AS holds for mremap", address_space_limit_holds_for_mremap},
	{"a space has a limit of zones", zones_are_limited},
	{"what the kernel keeps for reuse can be dropped", caches_can_be_dropped},
	{"reading a hole of a file takes no memory", reading_a_hole_stores_nothing},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
