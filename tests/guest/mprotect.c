/*
 * mprotect.c - changing rights: which zones result, what is kept, what is refused.
 *
 * Classic lab point 30. The traps: write rights must not undo copy-on-write, no access must not
 * lose the contents, a hole must not keep the part before it from changing.
 */
#include "helpers.h"

#ifndef PROT_SEM
#define PROT_SEM 0x8 /* <asm/mman.h> has it, libc has not */
#endif

#define RW (PROT_READ | PROT_WRITE)

static void splits_and_merges(void)
{
	char *map = map_alone(6 * PAGE, RW);

	fill_pattern(map, 0, 6 * PAGE);
	expect(mprotect(map + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
	expect_zone(map, 2 * PAGE, "rw-p");
	expect_zone(map + 2 * PAGE, 2 * PAGE, "r--p");
	expect_zone(map + 4 * PAGE, 2 * PAGE, "rw-p");
	expect(mprotect(map + 3 * PAGE, 3 * PAGE, PROT_READ) == 0);
	expect_zone(map + 2 * PAGE, 4 * PAGE, "r--p");
	expect(mprotect(map, 3 * PAGE, PROT_READ) == 0);
	expect_zone(map, 6 * PAGE, "r--p");
	expect(mprotect(map + PAGE, 2 * PAGE, RW) == 0);
	expect(mprotect(map, 6 * PAGE, RW) == 0);
	expect_zone(map, 6 * PAGE, "rw-p");
	expect_pattern(map, 0, 6 * PAGE);
}

static void no_access_keeps_contents(void)
{
	char *map = map_anon(4 * PAGE, RW, MAP_PRIVATE);

	fill_pattern(map, 0, 3 * PAGE); /* the fourth page was never touched */
	expect(mprotect(map, 4 * PAGE, PROT_NONE) == 0);
	expect_read_kills(map, SIGSEGV);
	expect_write_kills(map + 3 * PAGE, SIGSEGV);
	expect(mprotect(map, 4 * PAGE, PROT_READ) == 0);
	expect_pattern(map, 0, 3 * PAGE);
	expect_filled(map + 3 * PAGE, 0, PAGE);
	expect(mprotect(map, 4 * PAGE, RW) == 0);
	fill_pattern(map, 5, 4 * PAGE);
	expect_pattern(map, 5, 4 * PAGE);
}

static void no_access_across_fork(void)
{
	char *map = map_anon(2 * PAGE, RW, MAP_PRIVATE);
	pid_t pid;

	fill_pattern(map, 0, 2 * PAGE);
	expect(mprotect(map, 2 * PAGE, PROT_NONE) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect(mprotect(map, 2 * PAGE, RW) == 0);
		expect_pattern(map, 0, 2 * PAGE);
		memset(map, 'c', 2 * PAGE);
		child_end();
	}
	expect_exit(pid, 0);
	expect(mprotect(map, 2 * PAGE, RW) == 0);
	expect_pattern(map, 0, 2 * PAGE);
}

static void no_access_then_unmapped(void)
{
	for (int round = 0; round < 30; round++) {
		char *map = map_anon(64 * PAGE, RW, MAP_PRIVATE);

		memset(map, 'n', 64 * PAGE);
		expect(mprotect(map, 64 * PAGE, PROT_NONE) == 0);
		expect(munmap(map + 16 * PAGE, 16 * PAGE) == 0);
		map_fixed(map + 16 * PAGE, 16 * PAGE, RW);
		expect_filled(map + 16 * PAGE, 0, 16 * PAGE);
		expect(munmap(map, 64 * PAGE) == 0);
	}
}

static void rights_of_untouched_pages(void)
{
	char *map = map_anon(3 * PAGE, PROT_NONE, MAP_PRIVATE);

	expect(mprotect(map, PAGE, RW) == 0);
	expect(mprotect(map + PAGE, PAGE, PROT_READ) == 0);
	poke(map, 'w');
	expect_equal(map[PAGE], 0);
	expect_write_kills(map + PAGE, SIGSEGV);
	expect_read_kills(map + 2 * PAGE, SIGSEGV);
}

static void taking_write_away(void)
{
	char *map = map_anon(PAGE, RW, MAP_PRIVATE);

	map[0] = 'x'; /* present and writable: the processor may remember it so */
	expect(mprotect(map, PAGE, PROT_READ) == 0);
	expect_write_kills(map, SIGSEGV);
	expect_equal(map[0], 'x');
	expect(mprotect(map, PAGE, RW) == 0);
	map[0] = 'y';
	expect_equal(map[0], 'y');
}

static void hole_stops_it(void)
{
	char *map = map_anon(4 * PAGE, RW, MAP_PRIVATE);

	memset(map, 'x', 4 * PAGE);
	expect(munmap(map + 2 * PAGE, PAGE) == 0);
	expect_errno(mprotect(map, 4 * PAGE, PROT_READ), ENOMEM);
	expect_write_kills(map, SIGSEGV); /* the part before the hole has changed */
	expect_write_kills(map + PAGE, SIGSEGV);
	map[3 * PAGE] = 'y'; /* the part behind it has not */
	expect_equal(map[3 * PAGE], 'y');
	expect_errno(mprotect(map + 2 * PAGE, 2 * PAGE, PROT_READ), ENOMEM); /* begins in it */
	map[3 * PAGE] = 'z';
}

static void grows_down_to_the_beginning(void)
{
	char *stack = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);

	expect(stack != MAP_FAILED);
	expect(mprotect(stack + 2 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN) == 0);
	expect_zone(stack, 3 * PAGE, "r--p");
	expect_errno(mprotect(stack, PAGE, PROT_READ | PROT_GROWSUP), EINVAL);
}

static void empty_ranges(void)
{
	char *map = map_alone(PAGE, PROT_READ);

	expect(mprotect(map, 0, 0x100) == 0); /* before the rights are looked at */
	expect_errno(mprotect(map + 1, 0, PROT_READ), EINVAL);
	expect(mprotect(map, PAGE, PROT_READ | PROT_SEM) == 0);
}

static void bad_arguments(void)
{
	char *map = map_anon(PAGE, RW, MAP_PRIVATE);
	const struct {
		const char *name;
		uint64_t address, length;
		int prot, error;
	} rows[] = {
		{"misaligned", (uint64_t)map + 1, PAGE, PROT_READ, EINVAL},
		{"unknown right", (uint64_t)map, PAGE, 0x100, EINVAL},
		{"both growing directions", (uint64_t)map, PAGE,
		 PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP, EINVAL},
		{"growing down, not a stack", (uint64_t)map, PAGE, PROT_READ | PROT_GROWSDOWN,
		 EINVAL},
		{"length overflows", (uint64_t)map, -PAGE, PROT_READ, ENOMEM},
		{"length rounds to 0", (uint64_t)map, UINT64_MAX, PROT_READ, ENOMEM},
		{"nothing mapped", (uint64_t)free_range(PAGE), PAGE, PROT_READ, ENOMEM},
		{"kernel half", UINT64_C(0xffff800000000000), PAGE, PROT_READ, ENOMEM},
		{"between the halves", UINT64_C(0x4000000000000000), PAGE, PROT_READ, ENOMEM},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		check_errno(rows[i].name,
			    syscall(SYS_mprotect, rows[i].address, rows[i].length, rows[i].prot),
			    rows[i].error);
	expect(mprotect(map, 0, PROT_NONE) == 0); /* length 0 changes nothing */
	poke(map, 'w');
	expect(mprotect(map, 1, PROT_NONE) == 0); /* a length is rounded up */
	expect_read_kills(map + PAGE - 1, SIGSEGV);
}

static void shared_read_only_descriptor(void)
{
	char *map;
	int fd;

	scratch_enter();
	close(file_create("file", 2 * PAGE));
	fd = open("file", O_RDONLY);
	map = map_file(fd, 2 * PAGE, PROT_READ, MAP_SHARED, 0);
	expect_errno(mprotect(map, 2 * PAGE, RW), EACCES);
	expect_write_kills(map, SIGSEGV);
	expect_pattern(map, 0, 2 * PAGE);
	map = map_file(fd, 2 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	expect(mprotect(map, 2 * PAGE, RW) == 0);
	map[0] = 'p';
	expect_equal(file_byte("file", 0), pattern(0));
}

static void shared_becomes_writable(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	map = map_file(fd, 2 * PAGE, PROT_READ, MAP_SHARED, 0);
	expect_pattern(map, 0, PAGE);
	expect(mprotect(map, 2 * PAGE, RW) == 0);
	map[0] = 's';
	map[PAGE] = 't';
	expect_equal(file_byte("file", 0), 's');
	expect_equal(file_byte("file", (off_t)PAGE), 't');
}

static void private_file_page_stays_private(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	map = map_file(fd, PAGE, PROT_READ, MAP_PRIVATE, 0);
	expect_pattern(map, 0, PAGE); /* now the page cache's own frame is mapped */
	expect(mprotect(map, PAGE, RW) == 0);
	map[0] = 'p';
	expect_equal(file_byte("file", 0), pattern(0));
	expect_equal(map[0], 'p');
}

/* After fork both map the same frames: giving write rights must not make them writable. */
static void copy_on_write_stays(void)
{
	char *map = map_anon(4 * PAGE, RW, MAP_PRIVATE);
	struct gate written;
	pid_t pid;

	gate_make(&written);
	fill_pattern(map, 0, 4 * PAGE);
	expect(mprotect(map, 2 * PAGE, PROT_READ) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect(mprotect(map, 2 * PAGE, RW) == 0);
		expect(mprotect(map + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
		expect(mprotect(map + 2 * PAGE, 2 * PAGE, RW) == 0);
		gate_pass(&written);
		expect_pattern(map, 0, 4 * PAGE);
		memset(map, 'c', 4 * PAGE);
		child_end();
	}
	expect(mprotect(map, 4 * PAGE, RW) == 0);
	memset(map, 'p', 4 * PAGE);
	gate_open(&written);
	expect_exit(pid, 0);
	expect_filled(map, 'p', 4 * PAGE);
}

/* A page that was only read is the common zero frame: write rights must not reach that. */
static void zero_page_stays_zero(void)
{
	char *map = map_anon(2 * PAGE, PROT_READ, MAP_PRIVATE);
	char *other = map_anon(PAGE, PROT_READ, MAP_PRIVATE);

	expect_filled(map, 0, 2 * PAGE);
	expect_filled(other, 0, PAGE);
	expect(mprotect(map, 2 * PAGE, RW) == 0);
	memset(map, 'z', PAGE);
	expect_filled(map + PAGE, 0, PAGE);
	expect_filled(other, 0, PAGE);
}

static void code_after_writing(void)
{
	static const unsigned char return_7[] = {0xb8, 7, 0, 0, 0, 0xc3}; /* mov eax, 7; ret */
	char *page = map_alone(PAGE, RW);
	int (*run)(void);

	memcpy(page, return_7, sizeof(return_7));
	memcpy(&run, &page, sizeof(run));
	expect(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
	expect_zone(page, PAGE, "r-xp");
	expect_equal(run(), 7);
	expect_write_kills(page, SIGSEGV);
}

static const struct tap_case cases[] = {
	{"zones split and merge as /proc/self/maps shows", splits_and_merges},
	{"no access and back keeps the contents (lab 30)", no_access_keeps_contents},
	{"no access and back keeps the contents across fork", no_access_across_fork},
	{"pages without access are freed by munmap", no_access_then_unmapped},
	{"rights hold for pages not loaded yet (lab 30)", rights_of_untouched_pages},
	{"taking write rights away works at once", taking_write_away},
	{"a hole is ENOMEM, the part before it has changed", hole_stops_it},
	{"PROT_GROWSDOWN begins where the stack does", grows_down_to_the_beginning},
	{"empty ranges, and PROT_SEM", empty_ranges},
	{"bad arguments have their errno", bad_arguments},
	{"a read-only descriptor's shared mapping stays read-only (lab 3)",
	 shared_read_only_descriptor},
	{"a shared mapping made writable reaches the file", shared_becomes_writable},
	{"a private file page made writable stays out of the file (lab 2)",
	 private_file_page_stays_private},
	{"write rights on a shared-by-fork page keep it private (lab 33)", copy_on_write_stays},
	{"write rights on a page of zeros copy it first", zero_page_stays_zero},
	{"written code runs after it is made executable", code_after_writing},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
