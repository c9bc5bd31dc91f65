/*
 * mmap_args.c - mmap with bad arguments: each has its errno and leaves nothing behind.
 *
 * One table for what is refused, one for odd flags that are accepted. Classic lab points 3, 24, 28
 * and 32. Address 0 and mounts without execution are in mmap_rights.c.
 */
#include "helpers.h"

#include <linux/mman.h>

/* The descriptors that rows name; opened once per case by descriptors_open(). */
enum descriptor { NO_FD, CLOSED, READ, WRITE, BOTH, PIPE, DIRECTORY, PATH_ONLY, NULL_DEVICE };

static int fds[NULL_DEVICE + 1];

static void descriptors_open(void)
{
	int ends[2];

	close(file_create("file", 2 * PAGE));
	expect(pipe(ends) == 0);
	fds[NO_FD] = -1;
	fds[CLOSED] = 999;
	fds[READ] = open("file", O_RDONLY);
	fds[WRITE] = open("file", O_WRONLY);
	fds[BOTH] = open("file", O_RDWR);
	fds[PIPE] = ends[0];
	fds[DIRECTORY] = open(".", O_RDONLY | O_DIRECTORY);
	fds[PATH_ONLY] = open("file", O_PATH);
	fds[NULL_DEVICE] = open("/dev/null", O_RDWR);
	for (int i = READ; i <= NULL_DEVICE; i++)
		expect(fds[i] >= 0);
}

#define R PROT_READ
#define RW (PROT_READ | PROT_WRITE)
#define ANON_PRIVATE (MAP_ANONYMOUS | MAP_PRIVATE)
#define ANON_SHARED (MAP_ANONYMOUS | MAP_SHARED)
#define FIXED_PRIVATE (MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED)
#define UNKNOWN_FLAG 0x1000000 /* no flag of mmap has this bit */
#define KERNEL_HALF UINT64_C(0xffff800000000000)
#define BETWEEN_HALVES UINT64_C(0x4000000000000000)
#define LAST_PAGE_OFFSET INT64_C(0x7ffffffffffff000)

static const struct refused {
	const char *name;
	uint64_t address, length;
	int prot, flags;
	enum descriptor fd;
	int64_t offset;
	int error;
} refused[] = {
	{"length 0, anonymous", 0, 0, R, ANON_PRIVATE, NO_FD, 0, EINVAL},
	{"length 0, file", 0, 0, R, MAP_PRIVATE, READ, 0, EINVAL},
	{"length rounds to 0", 0, UINT64_MAX, R, ANON_PRIVATE, NO_FD, 0, ENOMEM},
	{"length is all pages", 0, -PAGE, R, ANON_PRIVATE, NO_FD, 0, ENOMEM},
	{"length is the user half", 0, UINT64_C(1) << 47, R, ANON_PRIVATE, NO_FD, 0, ENOMEM},
	{"length of half of everything", 0, UINT64_C(1) << 63, R, ANON_SHARED, NO_FD, 0, ENOMEM},
	{"offset of one byte", 0, PAGE, R, MAP_PRIVATE, READ, 1, EINVAL},
	{"offset of half a page", 0, PAGE, R, MAP_SHARED, BOTH, 2048, EINVAL},
	{"last offset, one page", 0, PAGE, R, MAP_SHARED, BOTH, LAST_PAGE_OFFSET, EOVERFLOW},
	{"offset + length overflow", 0, 4 * PAGE, R, MAP_SHARED, BOTH, LAST_PAGE_OFFSET, EOVERFLOW},
	{"negative offset", 0, PAGE, R, MAP_PRIVATE, READ, -(int64_t)PAGE, EOVERFLOW},
	{"neither shared nor private, anonymous", 0, PAGE, R, MAP_ANONYMOUS, NO_FD, 0, EINVAL},
	{"neither shared nor private, file", 0, PAGE, R, 0, READ, 0, EINVAL},
	{"both shared and private", 0, PAGE, R, ANON_PRIVATE | MAP_SHARED, NO_FD, 0, EINVAL},
	{"no descriptor, private", 0, PAGE, R, MAP_PRIVATE, NO_FD, 0, EBADF},
	{"no descriptor, shared", 0, PAGE, RW, MAP_SHARED, NO_FD, 0, EBADF},
	{"closed descriptor", 0, PAGE, R, MAP_PRIVATE, CLOSED, 0, EBADF},
	{"descriptor of a path only", 0, PAGE, R, MAP_PRIVATE, PATH_ONLY, 0, EBADF},
	{"write-only, private, read", 0, PAGE, R, MAP_PRIVATE, WRITE, 0, EACCES},
	{"write-only, private, no access", 0, PAGE, PROT_NONE, MAP_PRIVATE, WRITE, 0, EACCES},
	{"write-only, shared, write", 0, PAGE, PROT_WRITE, MAP_SHARED, WRITE, 0, EACCES},
	{"write-only, shared, read", 0, PAGE, R, MAP_SHARED, WRITE, 0, EACCES},
	{"read-only, shared, write", 0, PAGE, RW, MAP_SHARED, READ, 0, EACCES},
	{"read-only, shared, write only", 0, PAGE, PROT_WRITE, MAP_SHARED, READ, 0, EACCES},
	{"pipe, private", 0, PAGE, R, MAP_PRIVATE, PIPE, 0, ENODEV},
	{"pipe, shared", 0, PAGE, R, MAP_SHARED, PIPE, 0, ENODEV},
	{"directory", 0, PAGE, R, MAP_PRIVATE, DIRECTORY, 0, ENODEV},
	{"/dev/null", 0, PAGE, RW, MAP_PRIVATE, NULL_DEVICE, 0, ENODEV},
	{"fixed, address misaligned", 0x10000001, PAGE, R, FIXED_PRIVATE, NO_FD, 0, EINVAL},
	{"fixed, kernel half", KERNEL_HALF, PAGE, R, FIXED_PRIVATE, NO_FD, 0, ENOMEM},
	{"fixed, last page of all", -PAGE, PAGE, R, FIXED_PRIVATE, NO_FD, 0, ENOMEM},
	{"fixed, between the halves", BETWEEN_HALVES, PAGE, R, FIXED_PRIVATE, NO_FD, 0, ENOMEM},
	{"fixed, into the kernel half", 0x10000000, KERNEL_HALF, R, FIXED_PRIVATE, NO_FD, 0,
	 ENOMEM},
	{"fixed, address + length overflow", 0x10000000, -PAGE, R, FIXED_PRIVATE, NO_FD, 0, ENOMEM},
	{"huge pages of a file", 0, PAGE, R, MAP_PRIVATE | MAP_HUGETLB, READ, 0, EINVAL},
	{"huge pages of 8 bytes", 0, PAGE, RW, ANON_PRIVATE | MAP_HUGETLB | 3 << MAP_HUGE_SHIFT,
	 NO_FD, 0, EINVAL},
	{"huge pages that grow", 0, PAGE, RW, ANON_PRIVATE | MAP_HUGETLB | MAP_GROWSDOWN, NO_FD, 0,
	 EINVAL},
	{"fixed, no descriptor", 0x10000000, PAGE, R, MAP_PRIVATE | MAP_FIXED, NO_FD, 0, EBADF},
};

/* The same through the bare system call: libc has its own opinion on offsets. */
static long raw_mmap(uint64_t address, uint64_t length, int prot, int flags, int fd, int64_t offset)
{
	errno = 0;
	return syscall(SYS_mmap, address, length, prot, flags, fd, offset);
}

static void each_refusal(void)
{
	scratch_enter();
	descriptors_open();
	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
		const struct refused *row = &refused[i];

		check_errno(row->name,
			    raw_mmap(row->address, row->length, row->prot, row->flags, fds[row->fd],
				     row->offset),
			    row->error);
	}
}

static void refusals_leave_nothing(void)
{
	static char before[65536], after[65536];

	scratch_enter();
	descriptors_open();
	proc_read("/proc/self/maps", before, sizeof(before));
	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
		raw_mmap(refused[i].address, refused[i].length, refused[i].prot, refused[i].flags,
			 fds[refused[i].fd], refused[i].offset);
	proc_read("/proc/self/maps", after, sizeof(after));
	expect(strcmp(before, after) == 0);
}

static void refused_fixed_keeps_the_old(void)
{
	char *map = map_alone(3 * PAGE, RW);

	scratch_enter();
	descriptors_open();
	fill_pattern(map, 0, 3 * PAGE);
	expect_errno(mmap(map + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fds[READ], 0), EACCES);
	expect_errno(mmap(map + PAGE, PAGE, R, MAP_PRIVATE | MAP_FIXED, fds[PIPE], 0), ENODEV);
	expect_errno(mmap(map + PAGE, PAGE, R, MAP_PRIVATE | MAP_FIXED, -1, 0), EBADF);
	expect_pattern(map, 0, 3 * PAGE);
	expect_zone(map, 3 * PAGE, "rw-p");
}

static void no_replace(void)
{
	const int flags = ANON_PRIVATE | MAP_FIXED_NOREPLACE;
	char *map = map_anon(4 * PAGE, RW, MAP_PRIVATE);

	fill_pattern(map, 0, 4 * PAGE);
	expect(munmap(map + 2 * PAGE, 2 * PAGE) == 0);
	expect_errno(mmap(map, PAGE, R, flags, -1, 0), EEXIST);
	expect_errno(mmap(map + PAGE, 2 * PAGE, R, flags, -1, 0), EEXIST);
	expect(mmap(map + 2 * PAGE, 2 * PAGE, RW, flags, -1, 0) == map + 2 * PAGE);
	expect_errno(mmap(map + 3 * PAGE, PAGE, R, flags, -1, 0), EEXIST);
	expect_pattern(map, 0, 2 * PAGE);
	expect_filled(map + 2 * PAGE, 0, 2 * PAGE);
}

/* It is told that the place is taken, whatever else is wrong with what would go there. */
static void no_replace_first(void)
{
	char *map = map_alone(PAGE, RW), *low = (char *)0x10000;
	const int flags = MAP_FIXED_NOREPLACE;

	scratch_enter();
	descriptors_open();
	expect_errno(mmap(map, PAGE, RW, MAP_SHARED | flags, fds[READ], 0), EEXIST);
	expect_errno(mmap(map, PAGE, R, MAP_SHARED | flags, fds[PIPE], 0), EEXIST);
	expect_errno(mmap(map, PAGE, R, MAP_SHARED_VALIDATE | flags, fds[BOTH], 0), EEXIST);
	expect_errno(mmap(map, PAGE, R, MAP_ANONYMOUS | flags, -1, 0), EEXIST);
	expect_errno(mmap(map, PAGE, R, MAP_SHARED | flags, fds[BOTH], LAST_PAGE_OFFSET), EEXIST);
	/* But not before what is wrong with the place. */
	expect_errno(mmap(map + 1, PAGE, R, ANON_PRIVATE | flags, -1, 0), EINVAL);
	expect_errno(mmap(map, 0, R, ANON_PRIVATE | flags, -1, 0), EINVAL);
	expect_errno(mmap(map, -PAGE, R, ANON_PRIVATE | flags, -1, 0), ENOMEM);
	expect_errno(mmap(map, PAGE, R, MAP_PRIVATE | flags, fds[CLOSED], 0), EBADF);
	expect_errno(mmap(low, PAGE, RW, MAP_SHARED | flags, fds[READ], 0), EACCES);
}

static void anonymous_ignores_the_descriptor(void)
{
	static const enum descriptor any[] = {NO_FD, CLOSED, WRITE, PIPE, DIRECTORY, BOTH};

	scratch_enter();
	descriptors_open();
	for (size_t i = 0; i < ARRAY_LENGTH(any); i++) {
		char *map = mmap(NULL, PAGE, RW, ANON_PRIVATE, fds[any[i]], 0);

		expect(map != MAP_FAILED);
		expect_filled(map, 0, PAGE);
	}
}

static void ignored_flags(void)
{
	static const struct {
		const char *name;
		int flags;
	} rows[] = {
		{"MAP_DENYWRITE", MAP_DENYWRITE}, {"MAP_EXECUTABLE", MAP_EXECUTABLE},
		{"MAP_NORESERVE", MAP_NORESERVE}, {"MAP_STACK", MAP_STACK},
		{"MAP_POPULATE", MAP_POPULATE},	  {"MAP_NONBLOCK", MAP_NONBLOCK},
		{"MAP_FILE", MAP_FILE},		  {"an unknown bit", UNKNOWN_FLAG},
	};

	scratch_enter();
	descriptors_open();
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		char *anon = mmap(NULL, PAGE, RW, ANON_PRIVATE | rows[i].flags, -1, 0);
		char *file = mmap(NULL, PAGE, R, MAP_PRIVATE | rows[i].flags, fds[READ], 0);

		check(rows[i].name, anon != MAP_FAILED && anon[0] == 0);
		check(rows[i].name, file != MAP_FAILED && (unsigned char)file[0] == pattern(0));
	}
}

static void shared_validate(void)
{
	char *map;

	scratch_enter();
	descriptors_open();
	map = map_file(fds[BOTH], PAGE, RW, MAP_SHARED_VALIDATE, 0);
	map[0] = 'v';
	expect_equal(file_byte("file", 0), 'v');
	expect_errno(mmap(NULL, PAGE, R, MAP_SHARED_VALIDATE | UNKNOWN_FLAG, fds[BOTH], 0),
		     EOPNOTSUPP);
	expect_errno(mmap(NULL, PAGE, R, MAP_SHARED_VALIDATE | MAP_SYNC, fds[BOTH], 0), EOPNOTSUPP);
}

static void low_addresses(void)
{
	const uint64_t end = UINT64_C(1) << 31;
	char *map = mmap(NULL, 4 * PAGE, RW, ANON_PRIVATE | MAP_32BIT, -1, 0);
	char *hinted =
		mmap((void *)UINT64_C(0x90000000), PAGE, RW, ANON_PRIVATE | MAP_32BIT, -1, 0);

	expect(map != MAP_FAILED && (uint64_t)map + 4 * PAGE <= end);
	expect(hinted != MAP_FAILED && (uint64_t)hinted + PAGE <= end);
	expect_filled(map, 0, 4 * PAGE);
	expect_errno(mmap(NULL, 2 * GIB, RW, ANON_PRIVATE | MAP_32BIT, -1, 0), ENOMEM);
}

static void offsets_of_anonymous_memory_mean_nothing(void)
{
	expect(raw_mmap(0, 4 * PAGE, R, ANON_PRIVATE, -1, -(int64_t)PAGE) != -1);
	expect(raw_mmap(0, 4 * PAGE, R, ANON_SHARED, -1, -(int64_t)PAGE) != -1);
}

static void zero_device(void)
{
	int fd = open("/dev/zero", O_RDWR);
	char *private = map_file(fd, 2 * PAGE, RW, MAP_PRIVATE, 0);
	char *shared = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	char *again = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	pid_t pid;

	expect_filled(private, 0, 2 * PAGE);
	expect_filled(shared, 0, 2 * PAGE);
	pid = fork_child();
	if (pid == 0) {
		private[0] = 'c';
		shared[0] = 'c';
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(private[0], 0);
	expect_equal(shared[0], 'c');
	expect_equal(again[0], 0); /* every mapping of it is memory of its own */
}

static const struct tap_case cases[] = {
	{"each bad argument has its errno (labs 3, 24, 32)", each_refusal},
	{"refused calls leave the address space as it was (lab 24)", refusals_leave_nothing},
	{"a refused MAP_FIXED keeps what was mapped there (lab 24)", refused_fixed_keeps_the_old},
	{"MAP_FIXED_NOREPLACE takes free addresses only", no_replace},
	{"MAP_FIXED_NOREPLACE: EEXIST comes before other errors", no_replace_first},
	{"MAP_ANONYMOUS ignores the descriptor (lab 24)", anonymous_ignores_the_descriptor},
	{"old and unknown flags are accepted", ignored_flags},
	{"MAP_SHARED_VALIDATE shares, and refuses unknown flags", shared_validate},
	{"MAP_32BIT stays below 2 GiB", low_addresses},
	{"any offset will do for anonymous memory", offsets_of_anonymous_memory_mean_nothing},
	{"/dev/zero maps as memory of its own (lab 32)", zero_device},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
