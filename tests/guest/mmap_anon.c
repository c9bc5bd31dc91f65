/*
 * mmap_anon.c - anonymous memory: zero at first, private or shared, placed where asked.
 *
 * Classic lab points 22, 28, 30 and 33. Fork has cow.c and shared_anon.c, changing rights
 * mprotect.c, taking away munmap.c.
 */
#include "helpers.h"

#define RW (PROT_READ | PROT_WRITE)

static void zero_at_first(void)
{
	const size_t bytes = 64 * PAGE;
	char *private = map_anon(bytes, RW, MAP_PRIVATE);
	char *shared = map_anon(bytes, RW, MAP_SHARED);

	expect_filled(private, 0, bytes);
	expect_filled(shared, 0, bytes);
	fill_pattern(private, 0, bytes);
	fill_pattern(shared, 1, bytes);
	expect_pattern(private, 0, bytes);
	expect_pattern(shared, 1, bytes);
}

/* Pages that were only read may be one frame of zeros: a write must not show in the others. */
static void read_pages_are_separate(void)
{
	const size_t pages = 32;
	char *map = map_anon(pages * PAGE, RW, MAP_PRIVATE);

	expect_filled(map, 0, pages * PAGE);
	for (size_t i = 0; i < pages; i += 2)
		memset(map + i * PAGE, 'w', PAGE);
	for (size_t i = 0; i < pages; i++)
		expect_filled(map + i * PAGE, i % 2 == 0 ? 'w' : 0, PAGE);
}

static void freed_memory_is_cleared(void)
{
	for (int round = 0; round < 20; round++) {
		char *map = map_anon(64 * PAGE, RW, MAP_PRIVATE);

		expect_filled(map, 0, 64 * PAGE);
		memset(map, 0xa5, 64 * PAGE);
		expect(munmap(map, 64 * PAGE) == 0);
	}
}

static void length_rounds_up(void)
{
	char *map = map_anon(PAGE + 1, RW, MAP_PRIVATE);

	map[2 * PAGE - 1] = 'e';
	expect_equal(map[2 * PAGE - 1], 'e');
	expect(munmap(map, PAGE + 1) == 0);
	expect_read_kills(map + PAGE, SIGSEGV);
}

static void rights_hold(void)
{
	char *none = map_anon(PAGE, PROT_NONE, MAP_PRIVATE);
	char *read = map_anon(PAGE, PROT_READ, MAP_PRIVATE);
	char *write = map_anon(PAGE, PROT_WRITE, MAP_PRIVATE);
	char *shared = map_anon(PAGE, PROT_READ, MAP_SHARED);

	expect_read_kills(none, SIGSEGV);
	expect_write_kills(none, SIGSEGV);
	expect_equal(read[0], 0);
	expect_write_kills(read, SIGSEGV);
	expect_equal(shared[0], 0);
	expect_write_kills(shared, SIGSEGV);
	poke(write, 'w');
	expect_equal(write[0], 'w'); /* the processor cannot forbid reading what may be written */
}

static void code_needs_exec(void)
{
	static const unsigned char return_42[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */
	char *code = map_anon(PAGE, RW | PROT_EXEC, MAP_PRIVATE);
	char *data = map_anon(PAGE, RW, MAP_PRIVATE);
	int (*run)(void);
	pid_t pid;

	memcpy(code, return_42, sizeof(return_42));
	memcpy(&run, &code, sizeof(run));
	expect_equal(run(), 42);
	memcpy(data, return_42, sizeof(return_42));
	memcpy(&run, &data, sizeof(run));
	pid = fork_child();
	if (pid == 0)
		_exit(run());
	expect_killed(pid, SIGSEGV);
}

/* Whether it may be read too depends on the processor (protection keys). */
static void exec_only_runs(void)
{
	static const unsigned char return_42[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */
	char *code = map_anon(PAGE, RW, MAP_PRIVATE);
	char *untouched = map_anon(PAGE, PROT_EXEC, MAP_PRIVATE);
	int (*run)(void);

	memcpy(code, return_42, sizeof(return_42));
	expect(mprotect(code, PAGE, PROT_EXEC) == 0);
	memcpy(&run, &code, sizeof(run));
	expect_equal(run(), 42);
	expect_write_kills(code, SIGSEGV);
	expect_write_kills(untouched, SIGSEGV);
}

static void hint_is_advice(void)
{
	char *range = free_range(8 * PAGE);
	char *map;

	map = mmap(range, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(map == range); /* free: taken as asked */
	map[0] = 'h';
	map = mmap(range, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(map != MAP_FAILED && map != range); /* in use: put elsewhere */
	expect_equal(range[0], 'h');
	map = mmap(range + 4 * PAGE + 100, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(map == range + 4 * PAGE); /* misaligned: rounded */
	map = mmap((void *)UINT64_C(0xffff800000000000), PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	expect(map != MAP_FAILED && (intptr_t)map > 0); /* nonsense: put elsewhere */
	map[0] = 1;
}

static void fixed_replaces(void)
{
	char *map = map_alone(5 * PAGE, RW);

	fill_pattern(map, 0, 5 * PAGE);
	expect(map_fixed(map + 2 * PAGE, PAGE, PROT_READ) == map + 2 * PAGE);
	expect_pattern(map, 0, 2 * PAGE);
	expect_filled(map + 2 * PAGE, 0, PAGE);
	expect_write_kills(map + 2 * PAGE, SIGSEGV);
	expect_pattern(map + 3 * PAGE, 3 * PAGE, 2 * PAGE);
	expect_zone(map, 2 * PAGE, "rw-p");
	expect_zone(map + 2 * PAGE, PAGE, "r--p");
	expect_zone(map + 3 * PAGE, 2 * PAGE, "rw-p");
}

static void fixed_over_several(void)
{
	char *map = map_alone(8 * PAGE, RW);

	fill_pattern(map, 0, 8 * PAGE);
	expect(mprotect(map + 2 * PAGE, PAGE, PROT_READ) == 0);
	expect(munmap(map + 4 * PAGE, PAGE) == 0);
	map_fixed(map + PAGE, 5 * PAGE, RW);
	expect_pattern(map, 0, PAGE);
	expect_filled(map + PAGE, 0, 5 * PAGE);
	expect_pattern(map + 6 * PAGE, 6 * PAGE, 2 * PAGE);
	expect_zone(map, 8 * PAGE, "rw-p"); /* equal neighbours are one again */
}

static void fixed_file_over_anonymous(void)
{
	char *map = map_anon(4 * PAGE, RW, MAP_PRIVATE);
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	memset(map, 'a', 4 * PAGE);
	expect(mmap(map + PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == map + PAGE);
	expect_filled(map, 'a', PAGE);
	expect_pattern(map + PAGE, 0, 2 * PAGE);
	expect_filled(map + 3 * PAGE, 'a', PAGE);
}

static void many_never_overlap(void)
{
	enum { COUNT = 300 };
	static char *maps[COUNT];

	for (size_t i = 0; i < COUNT; i++) {
		size_t pages = 1 + i % 3;

		maps[i] = map_anon(pages * PAGE, RW, i % 2 == 0 ? MAP_PRIVATE : MAP_SHARED);
		expect_filled(maps[i], 0, pages * PAGE);
		memset(maps[i], (int)i, pages * PAGE);
	}
	for (size_t i = 0; i < COUNT; i += 3)
		expect(munmap(maps[i], PAGE) == 0);
	for (size_t i = 0; i < COUNT; i++)
		if (i % 3 != 0)
			expect_filled(maps[i], (int)i, (1 + i % 3) * PAGE);
}

static void neighbours_are_one(void)
{
	char *range = free_range(6 * PAGE) + PAGE; /* nothing mapped around it */

	map_fixed(range, PAGE, RW);
	map_fixed(range + 2 * PAGE, PAGE, RW);
	expect_zone(range, PAGE, "rw-p");
	map_fixed(range + PAGE, PAGE, RW);
	expect_zone(range, 3 * PAGE, "rw-p");
	map_fixed(range + 3 * PAGE, PAGE, PROT_READ);
	expect_zone(range, 3 * PAGE, "rw-p");
}

static void populate_fills(void)
{
	const size_t bytes = 8 * MIB;
	size_t before = resident_bytes();
	char *lazy = map_anon(bytes, RW, MAP_PRIVATE);
	size_t after_lazy = resident_bytes();
	char *full = map_anon(bytes, RW, MAP_PRIVATE | MAP_POPULATE);

	expect(after_lazy < before + 2 * MIB);
	expect(resident_bytes() > before + bytes - 2 * MIB);
	expect_filled(lazy, 0, bytes);
	expect_filled(full, 0, bytes);
}

static void sparse_costs_what_is_touched(void)
{
	const size_t bytes = 64 * GIB;
	size_t before = resident_bytes();
	char *map = map_anon(bytes, RW, MAP_PRIVATE | MAP_NORESERVE);

	for (size_t at = 0; at < bytes; at += GIB)
		map[at] = (char)(at / GIB + 1);
	for (size_t at = 0; at < bytes; at += GIB)
		expect_equal(map[at], at / GIB + 1);
	expect_equal(map[bytes / 2 + PAGE], 0);
	expect(resident_bytes() < before + 4 * MIB);
	expect(munmap(map, bytes) == 0);
}

static const struct tap_case cases[] = {
	{"memory is zero at first, then what was written (lab 30)", zero_at_first},
	{"pages that were only read are separate once written", read_pages_are_separate},
	{"memory given back and taken again is zero", freed_memory_is_cleared},
	{"a length is rounded up to whole pages", length_rounds_up},
	{"no access, read and write rights hold (lab 30)", rights_hold},
	{"code runs with PROT_EXEC only (lab 30)", code_needs_exec},
	{"PROT_EXEC alone runs and is not written", exec_only_runs},
	{"an address without MAP_FIXED is advice (lab 28)", hint_is_advice},
	{"MAP_FIXED replaces the middle of a mapping", fixed_replaces},
	{"MAP_FIXED replaces several mappings and a hole", fixed_over_several},
	{"MAP_FIXED puts a file over anonymous memory", fixed_file_over_anonymous},
	{"three hundred mappings never overlap (lab 28)", many_never_overlap},
	{"equal neighbours become one zone", neighbours_are_one},
	{"MAP_POPULATE fills, a plain mapping does not", populate_fills},
	{"64 GiB of sparse memory cost what is touched (lab 22)", sparse_costs_what_is_touched},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
