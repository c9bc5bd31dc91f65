/*
 * lazy.c - memory that is promised at once and given at the first touch.
 *
 * Classic lab points 19 to 22 and 27. The table of bad pointers to system calls is in
 * bad_pointers.c, the program break itself in brk.c.
 */
#include "helpers.h"

#include <sys/sysinfo.h>

#define RW (PROT_READ | PROT_WRITE)

static size_t total_memory(void)
{
	struct sysinfo memory;

	expect(sysinfo(&memory) == 0);
	return memory.totalram * memory.mem_unit;
}

static void gigabyte_of_break(void)
{
	size_t before = resident_bytes();
	char *start;

	if (!on_stos() && total_memory() < 2 * GIB)
		tap_skip("Linux refuses a single request for more than its memory");
	start = sbrk(GIB);
	expect(start != (char *)-1);
	for (size_t at = 64 * PAGE; at < GIB; at += 64 * PAGE)
		*(char **)(start + at) = start + at;
	for (size_t at = 64 * PAGE; at < GIB; at += 64 * PAGE)
		expect(*(char **)(start + at) == start + at);
	expect(resident_bytes() < before + 32 * MIB);
	expect(sbrk(-(intptr_t)GIB) == start + GIB);
	expect(resident_bytes() < before + 4 * MIB);
	expect_read_kills(start + 64 * PAGE, SIGSEGV);
	expect_write_kills(start + GIB / 2, SIGSEGV);
}

static void sparse_array(void)
{
	enum { ROWS = 1 << 20 };
	typedef long row[512];
	row *table = (row *)map_anon(ROWS * sizeof(row), RW, MAP_PRIVATE | MAP_NORESERVE);

	for (size_t i = 1; i < ROWS; i *= 2)
		table[i][i % 512] = (long)i;
	for (size_t i = 1; i < ROWS; i *= 2) {
		expect_equal(table[i][i % 512], i);
		expect_equal(table[i + 3][511], 0);
	}
}

static void untouched_across_fork(void)
{
	char *map = map_anon(MIB, RW, MAP_PRIVATE);
	pid_t pid = fork_child();

	if (pid == 0) {
		expect_filled(map, 0, MIB);
		memset(map, 'c', MIB);
		child_end();
	}
	expect_exit(pid, 0);
	expect_filled(map, 0, MIB);
}

/* Pages that nobody touched yet as the kernel's source and destination. */
static void untouched_as_arguments(void)
{
	char *map = map_anon(8 * PAGE, RW, MAP_PRIVATE);
	struct stat *status = (struct stat *)(map + 2 * PAGE - 8); /* across two pages */
	int fd, *ends = (int *)(map + 4 * PAGE - 4);

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	expect(fstat(fd, status) == 0);
	expect_equal(status->st_size, 2 * PAGE);
	expect(pipe(ends) == 0 && ends[0] != ends[1]);
	expect_equal(read(fd, map + 5 * PAGE - 100, 2 * PAGE), 2 * PAGE);
	expect_pattern(map + 5 * PAGE - 100, 0, 2 * PAGE);
	map = map_anon(8 * PAGE, RW, MAP_PRIVATE);
	expect_equal(pwrite(fd, map + PAGE, 2 * PAGE, 0), 2 * PAGE); /* zeros never read before */
	expect_equal(file_byte("file", 0), 0);
	expect_errno(open(map + 4 * PAGE, O_RDONLY), ENOENT); /* an empty name */
}

static void file_page_as_argument(void)
{
	char *map;
	int fd, other;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	expect(pwrite(fd, "name", 5, (off_t)(3 * PAGE - 2)) == 5);
	map = map_file(fd, 4 * PAGE, RW, MAP_PRIVATE, 0);
	other = open(map + 3 * PAGE - 2, O_RDWR | O_CREAT, 0644); /* a path not loaded yet */
	expect(other >= 0 && access("name", F_OK) == 0);
	expect_equal(write(other, map + PAGE / 2, 2 * PAGE), 2 * PAGE);
	expect_equal(pread(other, map, PAGE, 0), PAGE); /* into a private page not loaded yet */
	expect_pattern(map, PAGE / 2, PAGE);
	expect_equal(file_byte("file", 0), pattern(0));
}

static void wild_arguments(void)
{
	char *range = free_range(2 * PAGE);
	char *wild[] = {range, range + PAGE, (char *)UINT64_C(0xffffffff80000000), (char *)-PAGE,
			(char *)UINT64_C(0xffffffffffffffff)};
	struct gate data;

	gate_make(&data);
	gate_open(&data);
	for (size_t i = 0; i < ARRAY_LENGTH(wild); i++) {
		expect_errno(write(data.fds[1], wild[i], 10), EFAULT);
		expect_errno(read(data.fds[0], wild[i], 10), EFAULT);
		expect_errno(syscall(SYS_open, wild[i], O_RDONLY), EFAULT);
		expect_errno(syscall(SYS_pipe, wild[i]), EFAULT);
	}
}

static void partial_page_shrink(void)
{
	char *start = sbrk(0), *end;

	start = sbrk((intptr_t)(4 * PAGE - ((uintptr_t)start & (PAGE - 1))));
	end = sbrk(0);
	expect(end != (char *)-1 && ((uintptr_t)end & (PAGE - 1)) == 0);
	memset(start, 's', (size_t)(end - start));
	expect(brk(end - PAGE / 2) == 0); /* half of the last page is given back */
	expect_equal(*(end - PAGE / 2 - 1), 's');
	expect(brk(end - PAGE) == 0); /* now all of it */
	expect_read_kills(end - PAGE, SIGSEGV);
	expect_equal(*(end - PAGE - 1), 's');
	expect(brk(start) == 0);
}

static void shrink_below_the_start(void)
{
	char *now = sbrk(0);

	expect_equal(syscall(SYS_brk, PAGE), now); /* refused: the break stays */
	expect_equal(syscall(SYS_brk, 0), now);
	expect_equal(sbrk((intptr_t)PAGE), now);
	now[0] = 'b';
	expect(brk(now) == 0);
}

/* The program of the eager-and-lazy homework: one file, mapped both ways. */
static void eager_against_lazy(void)
{
	static const char sentence[] = "It was a bright cold day in April.";
	const size_t bytes = 16 * MIB;
	size_t start, lazy_cost, eager_cost;
	char *lazy, *eager;
	int fd;

	scratch_enter();
	fd = open("book", O_RDWR | O_CREAT, 0644);
	expect(ftruncate(fd, (off_t)bytes) == 0);
	for (size_t at = 0; at < bytes; at += PAGE)
		expect(pwrite(fd, sentence, sizeof(sentence), (off_t)at) == sizeof(sentence));
	start = resident_bytes();
	lazy = map_file(fd, bytes, PROT_READ, MAP_PRIVATE, 0);
	expect(strcmp(lazy, sentence) == 0);
	lazy_cost = resident_bytes() - start;
	eager = map_file(fd, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, 0);
	expect(strcmp(eager, sentence) == 0);
	eager_cost = resident_bytes() - start - lazy_cost;
	expect(lazy_cost < 4 * MIB);
	expect(eager_cost > bytes - 4 * MIB);
}

/* Take memory until mmap fails or the kernel kills. */
static void exhaustion(void)
{
	pid_t pid;
	int status;

	if (total_memory() > 2 * GIB)
		tap_skip("the machine has more than 2 GiB, other programs would suffer");
	for (int round = 0; round < 2; round++) {
		pid = fork_child();
		if (pid == 0) {
			for (;;) {
				char *map =
					mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

				if (map == MAP_FAILED)
					_exit(errno == ENOMEM ? 0 : 1);
				memset(map, 'm', 4 * MIB);
			}
		}
		status = wait_child(pid);
		expect((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
		       (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	}
	expect_filled(map_anon(16 * MIB, RW, MAP_PRIVATE), 0, 16 * MIB); /* all is back */
}

static const struct tap_case cases[] = {
	{"grow by a gigabyte, touch, shrink: what was given back is fatal (lab 19)",
	 gigabyte_of_break},
	{"a sparse array of 4 GiB (lab 22)", sparse_array},
	{"untouched pages across fork are zero and private (lab 19)", untouched_across_fork},
	{"untouched pages as arguments of system calls (lab 21)", untouched_as_arguments},
	{"file pages not loaded yet as arguments (lab 21)", file_page_as_argument},
	{"wild addresses as arguments fail with EFAULT (lab 21)", wild_arguments},
	{"a shrink by part of a page keeps the rest of it (lab 21)", partial_page_shrink},
	{"a break below the start is refused (lab 21)", shrink_below_the_start},
	{"a lazy mapping costs a page, an eager one the file (lab 27)", eager_against_lazy},
	{"memory is exhausted, the system lives (lab 20)", exhaustion},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
