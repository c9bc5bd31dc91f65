/*
 * mincore.c - mincore: which pages are in memory, and what it says of bad ranges.
 */
#include "helpers.h"

#include <sys/stat.h>

#define RW (PROT_READ | PROT_WRITE)
#define KERNEL_HALF UINT64_C(0xffff800000000000)
#define NOBODY 65534

/* The pages' low bits, the first page's last. */
static unsigned residency(const void *address, size_t pages)
{
	unsigned char bytes[32];
	unsigned bits = 0;

	expect(pages <= sizeof(bytes));
	memset(bytes, 0xee, sizeof(bytes));
	expect(mincore((void *)(uintptr_t)address, pages * PAGE, bytes) == 0);
	for (size_t i = 0; i < pages; i++)
		bits |= (bytes[i] & 1u) << i;
	for (size_t i = pages; i < sizeof(bytes); i++)
		expect_equal(bytes[i], 0xee);
	return bits;
}

static void anonymous(void)
{
	char *map = map_alone(6 * PAGE, RW);

	expect_equal(residency(map, 6), 0);
	poke(map + PAGE, 1);
	peek(map + 3 * PAGE);
	expect_equal(residency(map, 6), 0x0a);
	expect(mprotect(map, 6 * PAGE, PROT_NONE) == 0);
	expect_equal(residency(map, 2), 0x02); /* without access, but there */
	expect(madvise(map, 6 * PAGE, MADV_DONTNEED) == 0);
	expect_equal(residency(map, 6), 0);
}

static void shared(void)
{
	char *map = map_anon(4 * PAGE, RW, MAP_SHARED), *twin;

	poke(map + 2 * PAGE, 1);
	expect_equal(residency(map, 4), 0x4);
	/* The second mapping has not been touched, but the page is there. */
	twin = mremap(map, 0, 4 * PAGE, MREMAP_MAYMOVE);
	expect(twin != MAP_FAILED);
	expect_equal(residency(twin, 4), 0x4);
}

static void files(void)
{
	char *shared_map, *private_map;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	shared_map = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	private_map = map_file(fd, 4 * PAGE, RW, MAP_PRIVATE, 0);
	expect_equal(residency(shared_map, 4), 0xf); /* just written: cached */
	poke(private_map + PAGE, 1);
	expect_equal(residency(private_map, 4), 0xf);
}

static void several_zones(void)
{
	char *map = map_alone(6 * PAGE, RW);

	poke(map, 1);
	poke(map + 5 * PAGE, 1);
	expect(mprotect(map + 2 * PAGE, PAGE, PROT_READ) == 0);
	expect_equal(residency(map, 6), 0x21);
	expect_equal(residency(map + 4 * PAGE, 2), 0x2);
}

static void many_pages(void)
{
	const size_t pages = 3000;
	unsigned char *bytes = (unsigned char *)map_anon(PAGE, RW, MAP_PRIVATE);
	char *map = map_alone(pages * PAGE, RW);

	for (size_t i = 0; i < pages; i += 7)
		poke(map + i * PAGE, 1);
	expect(mincore(map, pages * PAGE - 5, bytes) == 0); /* rounded up */
	for (size_t i = 0; i < pages; i++)
		expect_equal(bytes[i] & 1, i % 7 == 0);
}

static void bad_arguments(void)
{
	char *map = map_alone(4 * PAGE, RW);
	unsigned char bytes[4] = {9, 9, 9, 9};
	const struct {
		const char *name;
		uint64_t address, length;
		void *result;
		int error; /* 0: no error */
	} rows[] = {
		{"misaligned", (uint64_t)map + 1, PAGE, bytes, EINVAL},
		{"a hole first", (uint64_t)map + PAGE, PAGE, bytes, ENOMEM},
		{"kernel half", KERNEL_HALF, PAGE, bytes, ENOMEM},
		{"the last page of all", -PAGE, PAGE, bytes, ENOMEM},
		{"length of everything", (uint64_t)map, UINT64_MAX, bytes, ENOMEM},
		{"length of the user half", (uint64_t)map, UINT64_C(1) << 47, bytes, ENOMEM},
		{"result unmapped", (uint64_t)map, PAGE, map + PAGE, EFAULT},
		{"result in the kernel half", (uint64_t)map, PAGE, (void *)KERNEL_HALF, EFAULT},
		{"length 0", (uint64_t)map, 0, bytes, 0},
		{"length 0 in a hole", (uint64_t)map + PAGE, 0, bytes, 0},
	};

	expect(munmap(map + PAGE, PAGE) == 0);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		long result = syscall(SYS_mincore, rows[i].address, rows[i].length, rows[i].result);

		if (rows[i].error)
			check_errno(rows[i].name, result, rows[i].error);
		else
			check(rows[i].name, result == 0);
	}
}

static void files_of_others(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 0);
	expect(ftruncate(fd, 4 * PAGE) == 0);
	close(fd);
	fd = open("file", O_RDONLY);
	map = map_file(fd, 4 * PAGE, PROT_READ, MAP_SHARED, 0);
	expect_equal(residency(map, 4), 0); /* root may know */
	expect(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	expect_equal(residency(map, 4), 0xf); /* all is said to be there */
}

static const struct tap_case cases[] = {
	{"private anonymous memory: what was touched", anonymous},
	{"shared memory: what anybody touched", shared},
	{"files: what is cached", files},
	{"a range of several mappings", several_zones},
	{"thousands of pages", many_pages},
	{"bad arguments have their errno", bad_arguments},
	{"the cache of a stranger's file is not told", files_of_others},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
