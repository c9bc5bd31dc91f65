/*
 * mmap_file.c - mapping files: what a mapping shows, what reaches the file, how long it lives.
 *
 * Classic lab points 1 to 14 (see README.md), in their order. Bad arguments are in mmap_args.c,
 * the agreement of mappings with read, write and truncate in file_map_coherence.c.
 */
#include "helpers.h"

#include <sys/sysinfo.h>

/* A file and a half page more; three pages of mapping reach beyond its end. */
#define HALF_PAGES (PAGE + PAGE / 2)

static void private_read_only(void)
{
	char *map;

	scratch_enter();
	map = map_file(file_create("file", HALF_PAGES), 2 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	expect_pattern(map, 0, HALF_PAGES);
	expect_filled(map + HALF_PAGES, 0, 2 * PAGE - HALF_PAGES);
	expect(munmap(map, 2 * PAGE) == 0);
}

static void private_writes_stay_private(void)
{
	char *map;
	int fd;

	scratch_enter();
	close(file_create("file", HALF_PAGES));
	fd = open("file", O_RDONLY);
	map = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	expect(close(fd) == 0);
	expect_pattern(map, 0, HALF_PAGES);
	memset(map, 'Z', 2 * PAGE);
	expect_filled(map, 'Z', 2 * PAGE);
	for (size_t i = 0; i < HALF_PAGES; i += 512)
		expect_equal(file_byte("file", (off_t)i), pattern(i));
	expect(munmap(map, 2 * PAGE) == 0);
	expect_equal(file_byte("file", 0), pattern(0));
	expect_equal(file_byte("file", HALF_PAGES), -1);
}

static void shared_write_needs_right(void)
{
	int fd;

	scratch_enter();
	close(file_create("file", HALF_PAGES));
	fd = open("file", O_RDONLY);
	expect_errno(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
	map_file(fd, 2 * PAGE, PROT_READ, MAP_SHARED, 0);
}

static void shared_write_after_close(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", HALF_PAGES);
	map = map_file(fd, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	expect(close(fd) == 0);
	memset(map, 'Z', 2 * PAGE); /* half a page more than the file has */
	expect_filled(map, 'Z', 2 * PAGE);
	expect(munmap(map, 3 * PAGE) == 0);
	expect_equal(file_byte("file", 0), 'Z');
	expect_equal(file_byte("file", HALF_PAGES - 1), 'Z');
}

static void unmap_part_writes_back(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", HALF_PAGES);
	map = map_file(fd, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	close(fd);
	memset(map, 'Z', 2 * PAGE);
	expect(munmap(map, 2 * PAGE) == 0);
	for (size_t i = 0; i < HALF_PAGES; i += 512)
		expect_equal(file_byte("file", (off_t)i), 'Z');
	expect_equal(file_byte("file", HALF_PAGES), -1);
	expect(munmap(map + 2 * PAGE, PAGE) == 0);
	expect_equal(file_byte("file", HALF_PAGES), -1);
}

static void two_files(void)
{
	char *first, *second;
	int fds[2];

	scratch_enter();
	for (int i = 0; i < 2; i++) {
		fds[i] = open(i == 0 ? "one" : "two", O_RDWR | O_CREAT, 0644);
		expect(write(fds[i], i == 0 ? "12345" : "67890", 5) == 5);
	}
	first = map_file(fds[0], PAGE, PROT_READ, MAP_PRIVATE, 0);
	second = map_file(fds[1], PAGE, PROT_READ, MAP_PRIVATE, 0);
	close(fds[0]);
	close(fds[1]);
	expect(unlink("one") == 0 && unlink("two") == 0);
	expect(memcmp(first, "12345", 6) == 0);
	expect(memcmp(second, "67890", 6) == 0);
	expect(munmap(first, PAGE) == 0);
	expect(memcmp(second, "67890", 6) == 0);
	expect_read_kills(first, SIGSEGV);
	expect(munmap(second, PAGE) == 0);
}

static void lazy_until_touched(void)
{
	const size_t bytes = 16 * MIB;
	size_t before;
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	expect(ftruncate(fd, (off_t)bytes) == 0);
	before = resident_bytes();
	map = map_file(fd, bytes, PROT_READ, MAP_SHARED, 0);
	expect(resident_bytes() < before + 2 * MIB);
	expect(pwrite(fd, "new", 3, 0) == 3);
	expect(pwrite(fd, "far", 3, (off_t)(bytes - PAGE)) == 3);
	expect(memcmp(map, "new", 3) == 0);
	expect(memcmp(map + bytes - PAGE, "far", 3) == 0);
}

static void write_to_read_only(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	map = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
	expect_write_kills(map, SIGSEGV); /* not present yet */
	expect_pattern(map, 0, PAGE);
	expect_write_kills(map, SIGSEGV); /* present, read-only */
	expect_equal(file_byte("file", 0), pattern(0));
}

static void fork_sees_both_mappings(void)
{
	char *first, *second;
	pid_t pid;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	expect(unlink("file") == 0);
	first = map_file(fd, 2 * PAGE, PROT_READ, MAP_SHARED, 0);
	second = map_file(fd, 2 * PAGE, PROT_READ, MAP_SHARED, 0);
	close(fd);
	expect_equal((unsigned char)first[0], pattern(0)); /* touched before the fork */
	pid = fork_child();
	if (pid == 0) {
		expect_pattern(first, 0, PAGE);
		expect(munmap(first, PAGE) == 0);
		expect_pattern(first + PAGE, PAGE, PAGE);
		expect_pattern(second, 0, 2 * PAGE);
		child_end();
	}
	expect_exit(pid, 0);
	expect_pattern(first, 0, 2 * PAGE);
	expect_pattern(second, 0, 2 * PAGE);
}

/* A child that unmaps one page of two and then reads it. */
static void unmap_then_read(char *page, char *other)
{
	pid_t pid = fork_child();

	if (pid == 0) {
		expect(munmap(page, PAGE) == 0);
		poke(other, 'c');
		peek(page);
		child_end();
	}
	expect_killed(pid, SIGSEGV);
}

static void children_unmap_parent_keeps(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	map = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	close(fd);
	unmap_then_read(map + PAGE, map);
	unmap_then_read(map, map + PAGE);
	expect_equal(map[0], 'c');
	expect_equal(map[PAGE], 'c');
	map[0] = 'P';
	map[PAGE] = 'Q';
	expect(munmap(map, PAGE) == 0);
	map[PAGE] = 'R';
	expect(munmap(map + PAGE, PAGE) == 0);
	expect_equal(file_byte("file", 0), 'P');
	expect_equal(file_byte("file", (off_t)PAGE), 'R');
	expect_equal(file_byte("file", 1), pattern(1));
}

static void exit_writes_back(void)
{
	pid_t pid;
	int fd;

	scratch_enter();
	fd = file_create("file", HALF_PAGES);
	pid = fork_child();
	if (pid == 0) {
		char *map = map_file(fd, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

		memset(map + PAGE, 'E', PAGE);
		child_end();
	}
	expect_exit(pid, 0);
	close(fd);
	expect_equal(file_byte("file", 0), pattern(0));
	expect_equal(file_byte("file", (off_t)PAGE), 'E');
	expect_equal(file_byte("file", HALF_PAGES - 1), 'E');
	expect_equal(file_byte("file", HALF_PAGES), -1);
}

static void killed_process_writes_back(void)
{
	pid_t pid;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	pid = fork_child();
	if (pid == 0) {
		map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0)[7] = 'K';
		raise(SIGKILL);
	}
	expect_killed(pid, SIGKILL);
	expect_equal(file_byte("file", 7), 'K');
}

static void only_modified_pages(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 3 * PAGE);
	map = map_file(fd, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	expect_pattern(map, 0, 3 * PAGE);
	map[PAGE] = 'M';
	/* Pages 0 and 2 were read only: what another program wrote there meanwhile must stay. */
	expect(pwrite(fd, "w", 1, 0) == 1);
	expect(pwrite(fd, "w", 1, (off_t)(2 * PAGE)) == 1);
	expect(munmap(map, 3 * PAGE) == 0);
	expect_equal(file_byte("file", 0), 'w');
	expect_equal(file_byte("file", (off_t)PAGE), 'M');
	expect_equal(file_byte("file", (off_t)(2 * PAGE)), 'w');
}

static void mapping_holds_the_file(void)
{
	char *map;
	int fd, other;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	map = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	expect_pattern(map, 0, PAGE);
	expect(close(fd) == 0 && unlink("file") == 0);
	other = open("other", O_RDWR | O_CREAT, 0644);
	expect_equal(other, fd); /* the number is used again, the mapping does not follow it */
	expect(write(other, "other", 5) == 5);
	expect_pattern(map, 0, 2 * PAGE);
	map[0] = 'x';
	expect_equal(file_byte("other", 0), 'o');
	expect(munmap(map, 2 * PAGE) == 0);
}

static void replaced_by_rename(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	map = map_file(fd, PAGE, PROT_READ, MAP_PRIVATE, 0);
	close(fd);
	fd = open("new", O_RDWR | O_CREAT, 0644);
	expect(write(fd, "new", 3) == 3);
	expect(rename("new", "file") == 0);
	expect_pattern(map, 0, PAGE);
	expect_equal(file_byte("file", 0), 'n');
}

static void larger_than_memory(void)
{
	struct sysinfo memory;
	size_t bytes, step;
	char *map;
	int fd;

	scratch_enter();
	expect(sysinfo(&memory) == 0);
	bytes = 2 * (memory.totalram * memory.mem_unit & -PAGE);
	step = bytes / 64 & -PAGE;
	fd = file_create("file", PAGE);
	expect(ftruncate(fd, (off_t)bytes) == 0);
	map = map_file(fd, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	expect_pattern(map, 0, PAGE);
	for (size_t at = step; at < bytes; at += step)
		expect_equal(map[at], 0);
	map[bytes - 1] = 'L';
	map[bytes / 2] = 'M';
	expect(munmap(map, bytes) == 0);
	expect_equal(file_byte("file", (off_t)(bytes - 1)), 'L');
	expect_equal(file_byte("file", (off_t)(bytes / 2)), 'M');
	expect_equal(fd_size(fd), bytes);
}

static void offset_starts_there(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	expect(lseek(fd, 100, SEEK_SET) == 100); /* the position means nothing to mmap */
	map = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, (off_t)PAGE);
	expect_pattern(map, PAGE, 2 * PAGE);
	map[PAGE] = 'O';
	expect(munmap(map, 2 * PAGE) == 0);
	expect_equal(file_byte("file", (off_t)(2 * PAGE)), 'O');
	expect_equal(file_byte("file", (off_t)PAGE), pattern(PAGE));
	expect_equal(lseek(fd, 0, SEEK_CUR), 100);
}

static const struct tap_case cases[] = {
	{"a private mapping shows the file, then zeros (lab 1)", private_read_only},
	{"private writes work after close and stay out of the file (lab 2)",
	 private_writes_stay_private},
	{"a shared writable mapping of a read-only descriptor is refused (lab 3)",
	 shared_write_needs_right},
	{"a shared mapping longer than the file is written after close (lab 4)",
	 shared_write_after_close},
	{"unmapping a part puts its bytes in the file, which never grows (labs 5, 6)",
	 unmap_part_writes_back},
	{"two unlinked files are mapped at once, each with its bytes (lab 7)", two_files},
	{"mmap reads nothing: a later write is seen by the first touch (lab 8)",
	 lazy_until_touched},
	{"writing through a shared read-only mapping is fatal (lab 9)", write_to_read_only},
	{"a child sees both mappings of a file, unmaps a page of one (lab 10)",
	 fork_sees_both_mappings},
	{"children unmap pages, the parent's mapping stays whole (lab 11)",
	 children_unmap_parent_keeps},
	{"exit writes back as munmap does (lab 12)", exit_writes_back},
	{"death by a signal writes back as munmap does (lab 12)", killed_process_writes_back},
	{"pages that were only read are not written back (lab 13)", only_modified_pages},
	{"the mapping outlives close and unlink (lab 13)", mapping_holds_the_file},
	{"the mapping keeps the old file when rename replaces it (lab 13)", replaced_by_rename},
	{"a file larger than memory is mapped and touched (lab 14)", larger_than_memory},
	{"a mapping at an offset starts there (lab 25)", offset_starts_there},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
