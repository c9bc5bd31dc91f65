/*
 * advice_objects.c - each advice of madvise for each kind of memory: what it answers, what is in
 * the advised page afterwards, and what a child gets of it. The neighbouring pages never change.
 *
 * Not here: bad ranges, and how each advice works in private memory (madvise.c); devices
 * (framebuffer.c).
 */
#include "helpers.h"

#include <sys/shm.h>

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 3

/* Of Linux 6.x; an old libc lacks them. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* --- the kinds: PAGES pages, of which every byte is 'k' but for the read-only one's ----------- */

enum property {
	SHARED = 1,
	FROM_FILE = 2, /* a descriptor was given: Linux sees a file behind it */
	ANONYMOUS = 4, /* private memory that nothing but zeros is behind */
	READ_ONLY = 8, /* the descriptor; what was in the file, 'f', stays */
};

static char *map_kind(int fd, int prot, int flags)
{
	char *map = tap_map(HERE, free_range((PAGES + 2) * PAGE) + PAGE, PAGES * PAGE, prot,
			    flags | MAP_FIXED, fd, 0);

	if (prot & PROT_WRITE)
		memset(map, 'k', PAGES * PAGE);
	if (fd >= 0)
		close(fd);
	return map;
}

static char *map_private(void)
{
	return map_kind(-1, RW, MAP_PRIVATE | MAP_ANONYMOUS);
}

static char *map_shared(void)
{
	return map_kind(-1, RW, MAP_SHARED | MAP_ANONYMOUS);
}

/* A new file of 'f's, without a name. */
static int file_of_f(int fd)
{
	static char text[PAGES * PAGE];

	memset(text, 'f', sizeof(text));
	expect(fd >= 0 && pwrite(fd, text, sizeof(text), 0) == (ssize_t)sizeof(text));
	return fd;
}

static int open_file(int flags)
{
	int fd;

	close(file_of_f(open("file", O_RDWR | O_CREAT | O_EXCL, 0600)));
	fd = open("file", flags);
	expect(unlink("file") == 0);
	return fd;
}

static char *map_file_private(void)
{
	return map_kind(open_file(O_RDONLY), RW, MAP_PRIVATE);
}

static char *map_file_shared(void)
{
	return map_kind(open_file(O_RDWR), RW, MAP_SHARED);
}

static char *map_file_read_only(void)
{
	return map_kind(open_file(O_RDONLY), PROT_READ, MAP_SHARED);
}

static char *map_memfd_private(void)
{
	return map_kind(file_of_f(memfd_create("advice", 0)), RW, MAP_PRIVATE);
}

static char *map_memfd_shared(void)
{
	return map_kind(file_of_f(memfd_create("advice", 0)), RW, MAP_SHARED);
}

static char *map_zero_private(void)
{
	return map_kind(open("/dev/zero", O_RDWR), RW, MAP_PRIVATE);
}

static char *map_zero_shared(void)
{
	return map_kind(open("/dev/zero", O_RDWR), RW, MAP_SHARED);
}

static char *map_segment(void)
{
	int id = shmget(IPC_PRIVATE, PAGES * PAGE, 0600);
	char *map;

	expect(id >= 0);
	map = shmat(id, free_range((PAGES + 2) * PAGE) + PAGE, 0);
	expect(map != (char *)-1);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
	memset(map, 'k', PAGES * PAGE);
	return map;
}

static const struct kind {
	const char *name;
	char *(*map)(void);
	int properties;
} kinds[] = {
	{"private memory", map_private, ANONYMOUS},
	{"shared memory", map_shared, SHARED},
	{"a file, private", map_file_private, FROM_FILE},
	{"a file, shared", map_file_shared, FROM_FILE | SHARED},
	{"a file, shared, opened to read", map_file_read_only, FROM_FILE | SHARED | READ_ONLY},
	{"a memfd, private", map_memfd_private, FROM_FILE},
	{"a memfd, shared", map_memfd_shared, FROM_FILE | SHARED},
	{"/dev/zero, private", map_zero_private, FROM_FILE | ANONYMOUS},
	{"/dev/zero, shared", map_zero_shared, SHARED},
	{"a System V segment", map_segment, FROM_FILE | SHARED},
};

/* What a byte is before any advice, and what is there for who has no copy of his own. */
static int first_byte(const struct kind *kind)
{
	return kind->properties & READ_ONLY ? 'f' : 'k';
}

static int byte_behind(const struct kind *kind)
{
	return kind->properties & SHARED      ? first_byte(kind)
	       : kind->properties & ANONYMOUS ? 0
					      : 'f';
}

/* --- the advice ------------------------------------------------------------------------------- */

static const struct advice {
	const char *name;
	int number;
} all_advice[] = {
	{"NORMAL", MADV_NORMAL},
	{"RANDOM", MADV_RANDOM},
	{"SEQUENTIAL", MADV_SEQUENTIAL},
	{"WILLNEED", MADV_WILLNEED},
	{"DONTNEED", MADV_DONTNEED},
	{"DONTNEED_LOCKED", MADV_DONTNEED_LOCKED},
	{"FREE", MADV_FREE},
	{"REMOVE", MADV_REMOVE},
	{"DONTFORK", MADV_DONTFORK},
	{"DOFORK", MADV_DOFORK},
	{"WIPEONFORK", MADV_WIPEONFORK},
	{"KEEPONFORK", MADV_KEEPONFORK},
	{"MERGEABLE", MADV_MERGEABLE},
	{"UNMERGEABLE", MADV_UNMERGEABLE},
	{"HUGEPAGE", MADV_HUGEPAGE},
	{"NOHUGEPAGE", MADV_NOHUGEPAGE},
	{"DONTDUMP", MADV_DONTDUMP},
	{"DODUMP", MADV_DODUMP},
	{"COLD", MADV_COLD},
	{"PAGEOUT", MADV_PAGEOUT},
	{"POPULATE_READ", MADV_POPULATE_READ},
	{"POPULATE_WRITE", MADV_POPULATE_WRITE},
};

static int error_of(const struct kind *kind, int advice)
{
	switch (advice) {
	case MADV_FREE:
		return kind->properties & ANONYMOUS ? 0 : EINVAL;
	case MADV_WIPEONFORK:
		return kind->properties == ANONYMOUS ? 0 : EINVAL;
	case MADV_REMOVE:
		if (kind->properties == ANONYMOUS)
			return EINVAL;
		return (kind->properties & (SHARED | READ_ONLY)) == SHARED ? 0 : EACCES;
	case MADV_POPULATE_WRITE:
		return kind->properties & READ_ONLY ? EINVAL : 0;
	default:
		return 0;
	}
}

/* What the advised page then holds; -1: that is not said. */
static int byte_after(const struct kind *kind, int advice)
{
	if (error_of(kind, advice))
		return first_byte(kind);
	switch (advice) {
	case MADV_FREE:
		return -1;
	case MADV_REMOVE:
		return 0;
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		return byte_behind(kind);
	default:
		return first_byte(kind);
	}
}

static void name_row(char *row, size_t size, const struct kind *kind, const struct advice *advice)
{
	snprintf(row, size, "%s: %s", kind->name, advice->name);
}

static void check_advice(const struct kind *kind, const struct advice *advice)
{
	int error = error_of(kind, advice->number), after = byte_after(kind, advice->number),
	    result;
	char *map = kind->map(), row[80];

	name_row(row, sizeof(row), kind, advice);
	errno = 0;
	result = madvise(map + PAGE, PAGE, advice->number);
	if (error)
		check_errno(row, result, error);
	else
		check(row, result == 0);
	expect_filled(map, first_byte(kind), PAGE);
	if (after >= 0)
		expect_filled(map + PAGE, after, PAGE);
	expect_filled(map + 2 * PAGE, first_byte(kind), PAGE);
	expect(munmap(map, PAGES * PAGE) == 0);
}

static void each_for_each(void)
{
	scratch_enter();
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
		for (size_t j = 0; j < ARRAY_LENGTH(all_advice); j++)
			check_advice(&kinds[i], &all_advice[j]);
}

/* Locked pages are not given up; the other advice is taken as ever. */
static int error_if_locked(const struct kind *kind, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return EINVAL;
	default:
		return error_of(kind, advice);
	}
}

static void each_for_locked(void)
{
	scratch_enter();
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		const struct kind *kind = &kinds[i];

		for (size_t j = 0; j < ARRAY_LENGTH(all_advice); j++) {
			int number = all_advice[j].number, error = error_if_locked(kind, number),
			    result;
			char *map = kind->map(), row[80];

			name_row(row, sizeof(row), kind, &all_advice[j]);
			expect(mlock(map, PAGES * PAGE) == 0);
			errno = 0;
			result = madvise(map + PAGE, PAGE, number);
			if (error)
				check_errno(row, result, error);
			else
				check(row, result == 0);
			check(row, peek(map + PAGE) == (number == MADV_DONTNEED_LOCKED
								? byte_behind(kind)
								: first_byte(kind)));
			expect(munmap(map, PAGES * PAGE) == 0);
		}
	}
}

/* --- what a child gets ------------------------------------------------------------------------ */

/* How a child sees each page: its first byte, or -1 where it has none. */
static void look_as_child(const char *map, int *bytes)
{
	int *seen = (int *)map_anon(PAGE, RW, MAP_SHARED);

	for (size_t i = 0; i < PAGES; i++) {
		pid_t pid;

		seen[i] = -1;
		pid = fork_child();
		if (pid == 0) {
			seen[i] = peek(map + i * PAGE);
			_exit(0);
		}
		wait_child(pid);
		bytes[i] = seen[i];
	}
	expect(munmap(seen, PAGE) == 0);
}

static void each_then_fork(void)
{
	int bytes[PAGES];

	scratch_enter();
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		static const struct advice about_children[] = {{"DONTFORK", MADV_DONTFORK},
							       {"DOFORK", MADV_DOFORK},
							       {"WIPEONFORK", MADV_WIPEONFORK},
							       {"KEEPONFORK", MADV_KEEPONFORK}};

		for (size_t j = 0; j < ARRAY_LENGTH(about_children); j++) {
			const struct advice *advice = &about_children[j];
			int wanted = first_byte(&kinds[i]);
			char *map = kinds[i].map(), row[80];

			name_row(row, sizeof(row), &kinds[i], advice);
			if (advice->number == MADV_DOFORK)
				expect(madvise(map, 2 * PAGE, MADV_DONTFORK) == 0);
			if (madvise(map + PAGE, PAGE, advice->number) == 0)
				wanted = advice->number == MADV_DONTFORK     ? -1
					 : advice->number == MADV_WIPEONFORK ? 0
									     : wanted;
			look_as_child(map, bytes);
			check(row,
			      bytes[0] ==
				      (advice->number == MADV_DOFORK ? -1 : first_byte(&kinds[i])));
			check(row, bytes[1] == wanted);
			check(row, bytes[2] == first_byte(&kinds[i]));
			expect_equal(peek(map + PAGE), first_byte(&kinds[i]));
			expect(munmap(map, PAGES * PAGE) == 0);
		}
	}
}

/* --- a range of several kinds ----------------------------------------------------------------- */

/* Shared memory, private memory, a private file: PAGE each, side by side. */
static char *map_three(void)
{
	char *range = free_range(5 * PAGE) + PAGE;
	int fd = open_file(O_RDWR);

	tap_map(HERE, range, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	tap_map(HERE, range + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	tap_map(HERE, range + 2 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
	close(fd);
	memset(range, 'k', 3 * PAGE);
	return range;
}

/* It ends at the first kind that refuses; what came before has it. */
static void across_kinds(void)
{
	int bytes[PAGES];
	char *map;

	scratch_enter();
	map = map_three();
	expect(madvise(map, 3 * PAGE, MADV_DONTNEED) == 0);
	expect_filled(map, 'k', PAGE);
	expect_filled(map + PAGE, 0, PAGE);
	expect_filled(map + 2 * PAGE, 'f', PAGE);
	map = map_three();
	expect_errno(madvise(map, 3 * PAGE, MADV_REMOVE), EINVAL);
	expect_filled(map, 0, PAGE);
	expect_filled(map + PAGE, 'k', 2 * PAGE);
	map = map_three();
	expect_errno(madvise(map + PAGE, 2 * PAGE, MADV_WIPEONFORK), EINVAL);
	look_as_child(map, bytes);
	expect(bytes[0] == 'k' && bytes[1] == 0 && bytes[2] == 'k');
	expect(madvise(map, 3 * PAGE, MADV_DONTFORK) == 0);
	look_as_child(map, bytes);
	expect(bytes[0] == -1 && bytes[1] == -1 && bytes[2] == -1);
}

static const struct tap_case cases[] = {
	{"each advice for each kind", each_for_each},
	{"each advice for each kind, locked", each_for_locked},
	{"what a child gets of each kind", each_then_fork},
	{"a range of several kinds", across_kinds},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
