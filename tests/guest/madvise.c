/*
 * madvise.c - advice: what each piece does to contents and to fork, where it is wrong, every errno.
 *
 * How often pages are loaded after advice is counted in test_object.c; other processes' memory is
 * process_madvise.c's business.
 */
#include "helpers.h"

#include <sys/prctl.h>

#define RW (PROT_READ | PROT_WRITE)

/* Of Linux 6.x; an old libc lacks them. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/* Advice that any private anonymous memory takes. */
static const struct {
	const char *name;
	int advice;
	bool keeps; /* the contents */
} all_advice[] = {
	{"NORMAL", MADV_NORMAL, true},
	{"RANDOM", MADV_RANDOM, true},
	{"SEQUENTIAL", MADV_SEQUENTIAL, true},
	{"WILLNEED", MADV_WILLNEED, true},
	{"DONTNEED", MADV_DONTNEED, false},
	{"FREE", MADV_FREE, false},
	{"DONTFORK", MADV_DONTFORK, true},
	{"DOFORK", MADV_DOFORK, true},
	{"MERGEABLE", MADV_MERGEABLE, true},
	{"UNMERGEABLE", MADV_UNMERGEABLE, true},
	{"HUGEPAGE", MADV_HUGEPAGE, true},
	{"NOHUGEPAGE", MADV_NOHUGEPAGE, true},
	{"DONTDUMP", MADV_DONTDUMP, true},
	{"DODUMP", MADV_DODUMP, true},
	{"WIPEONFORK", MADV_WIPEONFORK, true},
	{"KEEPONFORK", MADV_KEEPONFORK, true},
	{"COLD", MADV_COLD, true},
	{"PAGEOUT", MADV_PAGEOUT, true},
	{"POPULATE_READ", MADV_POPULATE_READ, true},
	{"POPULATE_WRITE", MADV_POPULATE_WRITE, true},
	{"DONTNEED_LOCKED", MADV_DONTNEED_LOCKED, false},
};

static void contents(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(all_advice); i++) {
		char *map = map_alone(3 * PAGE, RW);

		fill_pattern(map, 0, 3 * PAGE);
		check(all_advice[i].name, madvise(map + PAGE, PAGE, all_advice[i].advice) == 0);
		expect_pattern(map, 0, PAGE); /* neighbours are not meant */
		expect_pattern(map + 2 * PAGE, 2 * PAGE, PAGE);
		if (all_advice[i].keeps)
			expect_pattern(map + PAGE, PAGE, PAGE);
		else if (all_advice[i].advice != MADV_FREE) /* which may take its time */
			expect_filled(map + PAGE, 0, PAGE);
		poke(map + PAGE, 7); /* what is written after MADV_FREE stays */
		expect_equal(peek(map + PAGE), 7);
		expect(munmap(map, 3 * PAGE) == 0);
	}
}

static void ranges(void)
{
	char *map = map_alone(2 * PAGE, RW);
	char *unmapped = free_range(PAGE);
	const struct {
		const char *name;
		uint64_t address, length;
		int error; /* 0: succeeds */
	} rows[] = {
		{"misaligned", (uint64_t)map + 1, PAGE, EINVAL},
		{"misaligned, length 0", (uint64_t)map + 1, 0, EINVAL},
		{"length 0", (uint64_t)map, 0, 0},
		{"length 0, nothing mapped", (uint64_t)unmapped, 0, 0},
		{"length 1 is a page", (uint64_t)map, 1, 0},
		{"a length that rounds to 0", (uint64_t)map, -1UL, EINVAL},
		{"address + length overflow", (uint64_t)map, -PAGE, EINVAL},
		{"nothing mapped", (uint64_t)unmapped, PAGE, ENOMEM},
		{"out of the mapping", (uint64_t)map + PAGE, 2 * PAGE, ENOMEM},
		{"kernel half", UINT64_C(0xffff800000000000), PAGE, ENOMEM},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		for (size_t j = 0; j < ARRAY_LENGTH(all_advice); j++) {
			long result;

			errno = 0;
			result = syscall(SYS_madvise, rows[i].address, rows[i].length,
					 all_advice[j].advice);
			if (rows[i].error)
				check_errno(rows[i].name, result, rows[i].error);
			else
				check(rows[i].name, result == 0);
		}
	}
}

static void unknown_advice(void)
{
	static const int numbers[] = {-1, 5, 7, 99, 104, 1000, INT32_MIN, INT32_MAX};
	char *map = map_alone(PAGE, RW);

	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
		expect_errno(madvise(map, PAGE, numbers[i]), EINVAL);
		expect_errno(madvise(map, 0, numbers[i]), EINVAL);
	}
}

/* Who is not root may not; who is has a kernel that does not know how. */
static void poison_is_refused(void)
{
	char *map = map_alone(PAGE, RW);

	poke(map, 1);
	expect(setresuid(1000, 1000, 1000) == 0);
	expect(madvise(map, PAGE, MADV_HWPOISON) == -1 && (errno == EPERM || errno == EINVAL));
	expect(madvise(map, PAGE, MADV_SOFT_OFFLINE) == -1 && (errno == EPERM || errno == EINVAL));
	expect_equal(peek(map), 1);
}

/* A hole makes the result ENOMEM; what lies on both sides was advised. */
static void holes(void)
{
	char *map = map_alone(5 * PAGE, RW);

	memset(map, 'h', 5 * PAGE);
	expect(munmap(map + 2 * PAGE, PAGE) == 0);
	expect_errno(madvise(map, 5 * PAGE, MADV_DONTNEED), ENOMEM);
	expect_filled(map, 0, 2 * PAGE);
	expect_filled(map + 3 * PAGE, 0, 2 * PAGE);
	expect_errno(madvise(map, 5 * PAGE, MADV_DONTFORK), ENOMEM);
	expect_read_kills(map, SIGSEGV); /* in a child */
	expect_read_kills(map + 4 * PAGE, SIGSEGV);
	expect_errno(madvise(map, 5 * PAGE, MADV_POPULATE_WRITE), ENOMEM);
}

static void dont_need_of_files(void)
{
	char *private, *shared;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	private = map_file(fd, 2 * PAGE, RW, MAP_PRIVATE, 0);
	shared = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	memset(private, 'p', 2 * PAGE);
	poke(shared, 's');
	expect(madvise(private, PAGE, MADV_DONTNEED) == 0);
	expect_equal(peek(private), 's'); /* the file's page again */
	expect_filled(private + PAGE, 'p', PAGE);
	expect(madvise(shared, 2 * PAGE, MADV_DONTNEED) == 0);
	expect_equal(peek(shared), 's'); /* the object still has it */
	expect_equal(file_byte("file", 0), 's');
	expect_errno(madvise(private, PAGE, MADV_FREE), EINVAL);
	expect_errno(madvise(shared, PAGE, MADV_FREE), EINVAL);
	private = map_anon(PAGE, RW, MAP_SHARED);
	poke(private, 1);
	expect(madvise(private, PAGE, MADV_DONTNEED) == 0);
	expect_equal(peek(private), 1);
	expect_errno(madvise(private, PAGE, MADV_FREE), EINVAL);
}

static void dont_need_without_rights(void)
{
	char *map = map_alone(PAGE, RW);

	poke(map, 9);
	expect(mprotect(map, PAGE, PROT_NONE) == 0);
	expect(madvise(map, PAGE, MADV_DONTNEED) == 0);
	expect(mprotect(map, PAGE, PROT_READ) == 0);
	expect_equal(peek(map), 0);
}

static void dont_need_after_fork(void)
{
	char *map = map_alone(PAGE, RW);
	pid_t pid;

	poke(map, 5);
	pid = fork_child();
	if (pid == 0) {
		expect(madvise(map, PAGE, MADV_DONTNEED) == 0);
		expect_equal(peek(map), 0);
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(peek(map), 5);
}

static void dont_fork(void)
{
	char *map = map_alone(4 * PAGE, RW);
	pid_t pid;

	memset(map, 'f', 4 * PAGE);
	expect(madvise(map + PAGE, PAGE, MADV_DONTFORK) == 0);
	expect_read_kills(map + PAGE, SIGSEGV);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(peek(map), 'f');
		expect_equal(peek(map + 2 * PAGE), 'f');
		/* What it did not inherit is free. */
		expect(mmap(map + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			    -1, 0) == map + PAGE);
		expect_equal(peek(map + PAGE), 0);
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(peek(map + PAGE), 'f');
	expect(madvise(map, 4 * PAGE, MADV_DOFORK) == 0);
	expect_zone(map, 4 * PAGE, "rw-p"); /* joined again */
	pid = fork_child();
	if (pid == 0) {
		expect_filled(map, 'f', 4 * PAGE);
		child_end();
	}
	expect_exit(pid, 0);
}

static void dont_fork_a_file(void)
{
	char *map;

	scratch_enter();
	map = map_file(file_create("file", PAGE), PAGE, RW, MAP_SHARED, 0);
	expect(madvise(map, PAGE, MADV_DONTFORK) == 0);
	expect_read_kills(map, SIGSEGV);
	expect(madvise(map, PAGE, MADV_DOFORK) == 0);
	expect_equal(peek(map), pattern(0));
}

static void wipe_on_fork(void)
{
	char *map = map_alone(3 * PAGE, RW);
	pid_t pid, grandchild;

	memset(map, 'w', 3 * PAGE);
	expect(madvise(map + PAGE, PAGE, MADV_WIPEONFORK) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect_filled(map, 'w', PAGE);
		expect_filled(map + PAGE, 0, PAGE);
		expect_filled(map + 2 * PAGE, 'w', PAGE);
		memset(map + PAGE, 'c', PAGE);
		grandchild = fork_child(); /* the child's advice is its parent's */
		if (grandchild == 0) {
			expect_filled(map + PAGE, 0, PAGE);
			child_end();
		}
		expect_exit(grandchild, 0);
		child_end();
	}
	expect_exit(pid, 0);
	expect_filled(map, 'w', 3 * PAGE);
	expect(madvise(map, 3 * PAGE, MADV_KEEPONFORK) == 0);
	expect_zone(map, 3 * PAGE, "rw-p");
	pid = fork_child();
	if (pid == 0) {
		expect_filled(map, 'w', 3 * PAGE);
		child_end();
	}
	expect_exit(pid, 0);
}

static void wipe_refused(void)
{
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	expect_errno(madvise(map_file(fd, PAGE, RW, MAP_PRIVATE, 0), PAGE, MADV_WIPEONFORK),
		     EINVAL);
	expect_errno(madvise(map_file(fd, PAGE, RW, MAP_SHARED, 0), PAGE, MADV_WIPEONFORK), EINVAL);
	expect_errno(madvise(map_anon(PAGE, RW, MAP_SHARED), PAGE, MADV_WIPEONFORK), EINVAL);
	expect(madvise(map_file(fd, PAGE, RW, MAP_SHARED, 0), PAGE, MADV_KEEPONFORK) == 0);
}

/* Each flag cuts its zone out and lets it join again when it is undone. */
static void flags_cut_and_join(void)
{
	static const int pairs[][2] = {{MADV_RANDOM, MADV_NORMAL},
				       {MADV_SEQUENTIAL, MADV_NORMAL},
				       {MADV_DONTFORK, MADV_DOFORK},
				       {MADV_WIPEONFORK, MADV_KEEPONFORK},
				       {MADV_DONTDUMP, MADV_DODUMP}};

	for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
		char *map = map_alone(5 * PAGE, RW);

		memset(map, (int)i + 1, 5 * PAGE);
		expect(madvise(map + PAGE, 2 * PAGE, pairs[i][0]) == 0);
		expect_zone(map + PAGE, 2 * PAGE, "rw-p");
		expect(madvise(map + 3 * PAGE, PAGE, pairs[i][0]) == 0);
		expect_zone(map + PAGE, 3 * PAGE, "rw-p");
		expect(madvise(map + 2 * PAGE, PAGE, pairs[i][1]) == 0);
		expect_zone(map + PAGE, PAGE, "rw-p");
		expect(madvise(map, 5 * PAGE, pairs[i][1]) == 0);
		expect_zone(map, 5 * PAGE, "rw-p");
		expect_filled(map, (int)i + 1, 5 * PAGE);
		expect(munmap(map, 5 * PAGE) == 0);
	}
}

/* The line of /proc/self/smaps for the zone that begins there has these two letters (proc(5)). */
static bool has_flag(const char *begin, const char *letters)
{
	static char text[1 << 18];
	char start[32], *zone, *flags;

	proc_read("/proc/self/smaps", text, sizeof(text));
	snprintf(start, sizeof(start), "%lx-", (unsigned long)begin);
	zone = strstr(text, start);
	flags = zone ? strstr(zone, "VmFlags:") : NULL;
	expect(flags != NULL && strchr(flags, '\n') != NULL);
	*strchr(flags, '\n') = '\0';
	return strstr(flags + strlen("VmFlags:"), letters) != NULL;
}

static void flags_are_shown(void)
{
	static const struct {
		int advice;
		const char *letters;
		int undo;
	} rows[] = {
		{MADV_SEQUENTIAL, "sr", MADV_NORMAL}, {MADV_SEQUENTIAL, "sr", MADV_RANDOM},
		{MADV_RANDOM, "rr", MADV_NORMAL},     {MADV_RANDOM, "rr", MADV_SEQUENTIAL},
		{MADV_DONTFORK, "dc", MADV_DOFORK},   {MADV_WIPEONFORK, "wf", MADV_KEEPONFORK},
		{MADV_DONTDUMP, "dd", MADV_DODUMP},   {MADV_MERGEABLE, "mg", MADV_UNMERGEABLE},
		{MADV_HUGEPAGE, "hg", MADV_NOHUGEPAGE}, {MADV_NOHUGEPAGE, "nh", MADV_HUGEPAGE},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		char *map = map_alone(3 * PAGE, RW);

		check(rows[i].letters, !has_flag(map, rows[i].letters));
		check(rows[i].letters, madvise(map + PAGE, PAGE, rows[i].advice) == 0);
		check(rows[i].letters, !has_flag(map, rows[i].letters));
		check(rows[i].letters, has_flag(map + PAGE, rows[i].letters));
		check(rows[i].letters, madvise(map, 3 * PAGE, rows[i].undo) == 0);
		check(rows[i].letters, !has_flag(map, rows[i].letters));
		expect(munmap(map, 3 * PAGE) == 0);
	}
}

/* The processes' own count of faults: touching what was populated adds none. */
static void populate(void)
{
	char *map = map_alone(64 * PAGE, RW);
	struct rusage before, after;

	expect(madvise(map, 32 * PAGE, MADV_POPULATE_WRITE) == 0);
	expect(madvise(map + 32 * PAGE, 32 * PAGE, MADV_POPULATE_READ) == 0);
	expect(getrusage(RUSAGE_SELF, &before) == 0);
	for (size_t page = 0; page < 64; page++)
		expect_equal(peek(map + page * PAGE), 0);
	for (size_t page = 0; page < 32; page++)
		poke(map + page * PAGE, 1);
	expect(getrusage(RUSAGE_SELF, &after) == 0);
	expect(after.ru_minflt - before.ru_minflt < 16); /* the stack's, the library's */
}

static void populate_refused(void)
{
	char *read_only = map_alone(PAGE, PROT_READ), *none = map_alone(PAGE, PROT_NONE), *map;
	int fd;

	expect_errno(madvise(read_only, PAGE, MADV_POPULATE_WRITE), EINVAL);
	expect(madvise(read_only, PAGE, MADV_POPULATE_READ) == 0);
	expect_errno(madvise(none, PAGE, MADV_POPULATE_READ), EINVAL);
	scratch_enter();
	fd = file_create("file", PAGE);
	map = map_file(fd, 3 * PAGE, RW, MAP_SHARED, 0);
	expect_errno(madvise(map, 3 * PAGE, MADV_POPULATE_READ), EFAULT); /* past the end */
	expect_errno(madvise(map, 3 * PAGE, MADV_POPULATE_WRITE), EFAULT);
	map = map_file(fd, PAGE, RW, MAP_PRIVATE, 0);
	expect(madvise(map, PAGE, MADV_POPULATE_WRITE) == 0); /* a copy */
	poke(map, 'c');
	expect_equal(file_byte("file", 0), pattern(0));
}

static void remove_from_a_file(void)
{
	char *map, *private;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	map = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	private = map_file(fd, 4 * PAGE, RW, MAP_PRIVATE, 0);
	memset(map, 'r', 4 * PAGE);
	poke(private + PAGE, 'p');
	expect(madvise(map + PAGE, 2 * PAGE, MADV_REMOVE) == 0);
	expect_filled(map, 'r', PAGE);
	expect_filled(map + PAGE, 0, 2 * PAGE);
	expect_filled(map + 3 * PAGE, 'r', PAGE);
	expect_equal(file_byte("file", (off_t)PAGE), 0);
	expect_equal(fd_size(fd), 4 * PAGE);
	expect_equal(peek(private + PAGE), 'p'); /* a copy stays */
	expect_equal(peek(private + 2 * PAGE), 0);
}

static void remove_from_shared_memory(void)
{
	char *map = map_anon(3 * PAGE, RW, MAP_SHARED);
	pid_t pid;

	memset(map, 's', 3 * PAGE);
	pid = fork_child();
	if (pid == 0) {
		expect(madvise(map + PAGE, PAGE, MADV_REMOVE) == 0);
		child_end();
	}
	expect_exit(pid, 0);
	expect_filled(map, 's', PAGE);
	expect_filled(map + PAGE, 0, PAGE);
	expect_filled(map + 2 * PAGE, 's', PAGE);
}

static void remove_refused(void)
{
	char *map;
	int fd;

	expect_errno(madvise(map_alone(PAGE, RW), PAGE, MADV_REMOVE), EINVAL);
	scratch_enter();
	fd = file_create("file", PAGE);
	map = map_file(fd, PAGE, RW, MAP_PRIVATE, 0);
	expect_errno(madvise(map, PAGE, MADV_REMOVE), EACCES);
	fd = open("file", O_RDONLY);
	map = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
	expect_errno(madvise(map, PAGE, MADV_REMOVE), EACCES);
	expect_equal(peek(map), pattern(0));
}

static void will_need(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	map = map_file(fd, 8 * PAGE, RW, MAP_SHARED, 0);
	expect(madvise(map, 8 * PAGE, MADV_WILLNEED) == 0); /* past the end is nobody's need */
	expect_pattern(map, 0, 4 * PAGE);
	expect_equal(fd_size(fd), 4 * PAGE);
}

static void on_locked_memory(void)
{
	char *map = map_alone(2 * PAGE, RW);

	memset(map, 'l', 2 * PAGE);
	if (mlock(map, PAGE) != 0 && errno == ENOSYS)
		tap_skip("no mlock");
	expect_errno(madvise(map, PAGE, MADV_DONTNEED), EINVAL);
	expect_errno(madvise(map, PAGE, MADV_FREE), EINVAL);
	expect_errno(madvise(map, PAGE, MADV_COLD), EINVAL);
	expect_errno(madvise(map, PAGE, MADV_PAGEOUT), EINVAL);
	expect_filled(map, 'l', 2 * PAGE);
	expect(madvise(map, PAGE, MADV_DONTNEED_LOCKED) == 0);
	expect_filled(map, 0, PAGE);
	expect(munlock(map, PAGE) == 0);
	expect(madvise(map, 2 * PAGE, MADV_DONTNEED) == 0);
	expect_filled(map, 0, 2 * PAGE);
	map = map_anon(PAGE, RW, MAP_SHARED);
	expect(mlock(map, PAGE) == 0);
	expect_errno(madvise(map, PAGE, MADV_REMOVE), EINVAL);
}

/* prctl's word for the whole process, which children inherit. */
static void no_huge_pages(void)
{
	pid_t pid;

	expect_equal(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	expect_errno(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 1), EINVAL);
	expect_errno(prctl(PR_SET_THP_DISABLE, 1, 0, 1, 0), EINVAL);
	expect_errno(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
	expect_equal(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	expect_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	expect_equal(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
		expect_equal(madvise(map_alone(PAGE, RW), PAGE, MADV_HUGEPAGE), 0);
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
	expect_equal(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
}

static const struct tap_case cases[] = {
	{"each advice, and whether contents stay", contents},
	{"each bad range, with each advice", ranges},
	{"unknown advice is EINVAL, even for no bytes", unknown_advice},
	{"nobody poisons memory", poison_is_refused},
	{"a hole is ENOMEM, after the rest was advised", holes},
	{"DONTNEED of files: the file's pages again; FREE refuses them", dont_need_of_files},
	{"DONTNEED of a page without rights", dont_need_without_rights},
	{"DONTNEED in a child leaves the parent's page", dont_need_after_fork},
	{"DONTFORK: a child does not have it; DOFORK: it has", dont_fork},
	{"DONTFORK of a shared file", dont_fork_a_file},
	{"WIPEONFORK: a child finds zeros; KEEPONFORK: what was there", wipe_on_fork},
	{"WIPEONFORK is for private anonymous memory", wipe_refused},
	{"each flag cuts a zone and lets it join again", flags_cut_and_join},
	{"/proc/self/smaps shows them", flags_are_shown},
	{"what was populated does not fault", populate},
	{"POPULATE: rights, ends of files", populate_refused},
	{"REMOVE makes a hole in a file; private copies stay", remove_from_a_file},
	{"REMOVE in shared memory, seen by all", remove_from_shared_memory},
	{"REMOVE refuses private and read-only mappings", remove_refused},
	{"WILLNEED of a file", will_need},
	{"locked memory is not given up", on_locked_memory},
	{"a process may decline huge pages", no_huge_pages},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
