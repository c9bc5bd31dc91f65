/*
 * munmap.c - taking away the start, the end, the middle, several zones, nothing.
 *
 * What munmap does to a file's bytes is in mmap_file.c. Classic lab points 5, 6 and 28.
 */
#include "helpers.h"

#define RW (PROT_READ | PROT_WRITE)

/* Unmap pages [from, to) of eight; the others keep their bytes, the gap is fatal. */
static void unmap_pages(size_t from, size_t to)
{
	char *map = map_alone(8 * PAGE, RW);

	fill_pattern(map, 0, 8 * PAGE);
	expect(munmap(map + from * PAGE, (to - from) * PAGE) == 0);
	expect_pattern(map, 0, from * PAGE);
	expect_pattern(map + to * PAGE, to * PAGE, (8 - to) * PAGE);
	for (size_t page = from; page < to; page++) {
		expect_read_kills(map + page * PAGE, SIGSEGV);
		expect_write_kills(map + page * PAGE, SIGSEGV);
	}
	if (from > 0)
		expect_zone(map, from * PAGE, "rw-p");
	if (to < 8)
		expect_zone(map + to * PAGE, (8 - to) * PAGE, "rw-p");
}

static void start(void)
{
	unmap_pages(0, 2);
}

static void end(void)
{
	unmap_pages(5, 8);
}

static void middle(void)
{
	unmap_pages(3, 5);
}

static void whole(void)
{
	unmap_pages(0, 8);
}

static void across_holes(void)
{
	char *map = map_anon(9 * PAGE, RW, MAP_PRIVATE);

	fill_pattern(map, 0, 9 * PAGE);
	expect(munmap(map + 2 * PAGE, PAGE) == 0);
	expect(munmap(map + 5 * PAGE, PAGE) == 0);
	expect(mprotect(map + 4 * PAGE, PAGE, PROT_READ) == 0);
	expect(munmap(map + PAGE, 6 * PAGE) == 0); /* parts of two zones, one whole, two holes */
	expect_pattern(map, 0, PAGE);
	for (size_t page = 1; page < 7; page++)
		expect_read_kills(map + page * PAGE, SIGSEGV);
	expect_pattern(map + 7 * PAGE, 7 * PAGE, 2 * PAGE);
}

static void nothing_there(void)
{
	char *range = free_range(16 * PAGE);

	expect(munmap(range, 16 * PAGE) == 0);
	expect(munmap(range, 16 * PAGE) == 0);
	expect(munmap(range + 4 * PAGE, 1) == 0);
}

static void bad_arguments(void)
{
	char *map = map_anon(2 * PAGE, RW, MAP_PRIVATE);
	const struct {
		const char *name;
		uint64_t address, length;
	} rows[] = {
		{"length 0", (uint64_t)map, 0},
		{"misaligned by one", (uint64_t)map + 1, PAGE},
		{"misaligned by half a page", (uint64_t)map + 2048, PAGE},
		{"length rounds to 0", (uint64_t)map, UINT64_MAX},
		{"address + length overflow", (uint64_t)map, -PAGE},
		{"length into the kernel half", (uint64_t)map, UINT64_C(1) << 63},
		{"address in the kernel half", UINT64_C(0xffff800000000000), PAGE},
		{"address between the halves", UINT64_C(0x4000000000000000), PAGE},
		{"the last page of all", -PAGE, PAGE},
	};

	memset(map, 'k', 2 * PAGE);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		check_errno(rows[i].name, syscall(SYS_munmap, rows[i].address, rows[i].length),
			    EINVAL);
	expect_filled(map, 'k', 2 * PAGE);
}

static void length_rounds_up(void)
{
	char *map = map_anon(3 * PAGE, RW, MAP_PRIVATE);

	memset(map, 'k', 3 * PAGE);
	expect(munmap(map, PAGE + 1) == 0);
	expect_read_kills(map + PAGE, SIGSEGV);
	expect_filled(map + 2 * PAGE, 'k', PAGE);
}

/* After the front of a file mapping is gone, the rest must still know where in the file it is. */
static void rest_keeps_its_offset(void)
{
	char *map;

	scratch_enter();
	map = map_file(file_create("file", 6 * PAGE), 6 * PAGE, PROT_READ, MAP_SHARED, 0);
	expect(munmap(map, PAGE) == 0);
	expect(munmap(map + 3 * PAGE, PAGE) == 0);
	expect_pattern(map + PAGE, PAGE, 2 * PAGE);
	expect_pattern(map + 4 * PAGE, 4 * PAGE, 2 * PAGE);
}

static void hole_is_used_again(void)
{
	char *map = map_alone(3 * PAGE, RW);

	memset(map, 'k', 3 * PAGE);
	for (int round = 0; round < 50; round++) {
		expect(munmap(map + PAGE, PAGE) == 0);
		expect(map_fixed(map + PAGE, PAGE, RW) == map + PAGE);
		expect_filled(map + PAGE, 0, PAGE);
		map[PAGE] = 'x';
	}
	expect_zone(map, 3 * PAGE, "rw-p");
	expect_filled(map, 'k', PAGE);
	expect_filled(map + 2 * PAGE, 'k', PAGE);
}

/* Every second page of many: as many zones as pages left. */
static void checkerboard(void)
{
	enum { PAGES = 400 };
	char *map = map_anon(PAGES * PAGE, RW, MAP_PRIVATE);

	for (size_t i = 0; i < PAGES; i++)
		map[i * PAGE] = (char)i;
	for (size_t i = 1; i < PAGES; i += 2)
		expect(munmap(map + i * PAGE, PAGE) == 0);
	for (size_t i = 0; i < PAGES; i += 2)
		expect_equal(map[i * PAGE], (char)i);
	expect_zone(map + 200 * PAGE, PAGE, "rw-p");
	expect(munmap(map, PAGES * PAGE) == 0);
	expect_read_kills(map + 200 * PAGE, SIGSEGV);
}

static void unmapping_frees(void)
{
	const size_t bytes = 16 * MIB;
	size_t before = resident_bytes();

	for (int round = 0; round < 4; round++) {
		char *map = map_anon(bytes, RW, MAP_PRIVATE | MAP_POPULATE);

		expect(resident_bytes() > before + bytes / 2);
		expect(munmap(map, bytes) == 0);
		expect(resident_bytes() < before + 4 * MIB);
	}
}

static void child_unmaps_its_own(void)
{
	char *map = map_anon(2 * PAGE, RW, MAP_PRIVATE);
	pid_t pid;

	fill_pattern(map, 0, 2 * PAGE);
	pid = fork_child();
	if (pid == 0) {
		expect(munmap(map, 2 * PAGE) == 0);
		child_end();
	}
	expect_exit(pid, 0);
	expect_pattern(map, 0, 2 * PAGE);
	fill_pattern(map, 7, 2 * PAGE);
	expect_pattern(map, 7, 2 * PAGE);
}

static const struct tap_case cases[] = {
	{"the start of a mapping", start},
	{"the end of a mapping", end},
	{"the middle of a mapping", middle},
	{"a whole mapping", whole},
	{"across holes and several zones", across_holes},
	{"where nothing is mapped: no error", nothing_there},
	{"bad arguments are EINVAL and change nothing (lab 28)", bad_arguments},
	{"a length is rounded up to whole pages", length_rounds_up},
	{"the rest of a file mapping keeps its offset (lab 5)", rest_keeps_its_offset},
	{"a hole can be mapped again, as new zero pages", hole_is_used_again},
	{"every second page of four hundred", checkerboard},
	{"memory is given back (lab 15)", unmapping_frees},
	{"a child's munmap leaves the parent's memory whole (lab 11)", child_unmaps_its_own},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
