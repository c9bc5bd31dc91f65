/*
 * remap_file_pages.c - parts of a shared mapping show other pages of what is mapped.
 */
#include "helpers.h"

#include <sys/shm.h>

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 8
#define NOBODY 65534

/* libc's wrapper is this. */
static long remap(const void *address, size_t length, int prot, uint64_t index, int flags)
{
	errno = 0;
	return syscall(SYS_remap_file_pages, address, length, prot, index, flags);
}

#define expect_remap(address, pages, index)                                                        \
	expect_equal(remap(address, (pages) * PAGE, 0, index, 0), 0)

/* Page n of a memory of PAGES pages, filled by this, holds n everywhere. */
static void number_pages(char *map)
{
	for (int i = 0; i < PAGES; i++)
		memset(map + (size_t)i * PAGE, i, PAGE);
}

/* The pages of the mapping show these, one digit each. */
static void expect_order(const char *map, const char *digits)
{
	for (size_t i = 0; digits[i] != '\0'; i++)
		expect_filled(map + i * PAGE, digits[i] - '0', PAGE);
}

static void reverse(char *map)
{
	number_pages(map);
	for (size_t i = 0; i < PAGES; i++)
		expect_remap(map + i * PAGE, 1, PAGES - 1 - i);
	expect_order(map, "76543210");
	expect_remap(map + 2 * PAGE, 4, 2); /* over several of those parts */
	expect_order(map, "76234510");
	expect_remap(map, PAGES, 0);
	expect_order(map, "01234567");
	expect_zone(map, PAGES * PAGE, "rw-s"); /* all in order again, it is one mapping */
}

static void files(void)
{
	char *map, *other;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGES * PAGE);
	other = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);
	map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);
	expect(close(fd) == 0);
	reverse(map);
	expect_remap(map + PAGE, 2, 6);
	poke(map + PAGE, 'x');
	expect_equal(peek(other + 6 * PAGE), 'x');
	expect_equal(file_byte("file", (off_t)(6 * PAGE)), 'x');
}

static void memory(void)
{
	char *map = map_anon(PAGES * PAGE, RW, MAP_SHARED);
	pid_t pid;

	reverse(map);
	expect_remap(map, 1, 5);
	pid = fork_child();
	if (pid == 0) {
		expect_order(map, "51234567");
		memset(map, 9, PAGE);
		child_end();
	}
	expect_exit(pid, 0);
	expect_order(map, "91234967");
	expect(munmap(map, 5 * PAGE) == 0);
	expect_order(map + 5 * PAGE, "967");
}

static void memfds_and_segments(void)
{
	int fd = memfd_create("remap", MFD_ALLOW_SEALING),
	    id = shmget(IPC_PRIVATE, PAGES * PAGE, 0600);
	struct shmid_ds status;
	char *map;

	expect(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
	map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);
	reverse(map);
	expect_remap(map, 2, 4);
	expect_errno(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	expect(munmap(map, PAGES * PAGE) == 0);
	expect(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	expect(id >= 0);
	map = shmat(id, NULL, 0);
	expect(map != (char *)-1);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
	number_pages(map);
	expect_remap(map + PAGE, 1, 0);
	expect_order(map, "00234567");
	expect(shmctl(id, IPC_STAT, &status) == 0);
	expect_equal(status.shm_nattch, 3);
}

static size_t present_pages(const char *map)
{
	size_t count = 0;
	unsigned char pages[PAGES];

	expect(mincore((void *)(uintptr_t)map, PAGES * PAGE, pages) == 0);
	for (size_t i = 0; i < PAGES; i++)
		count += pages[i] & 1;
	return count;
}

/* What is absent comes at once, unless that is not wanted. */
static void fills(void)
{
	char *map = map_anon(PAGES * PAGE, RW, MAP_SHARED);

	expect_equal(remap(map, 2 * PAGE, 0, 4, MAP_NONBLOCK), 0);
	expect_equal(present_pages(map), 0);
	expect_remap(map, 2, 6);
	expect_equal(present_pages(map), 4); /* two pages, seen in two places */
	expect_equal(remap(map, PAGE, 0, 1, 0x12345 & ~MAP_NONBLOCK), 0); /* others are ignored */
	expect_equal(present_pages(map), 4); /* with page 1, without page 6 in the first place */
}

static void rights_stay(void)
{
	char *map = map_anon(PAGES * PAGE, RW, MAP_SHARED);

	number_pages(map);
	expect(mprotect(map, 4 * PAGE, PROT_READ) == 0);
	expect_remap(map + PAGE, 2, 6);
	expect_zone(map + PAGE, 2 * PAGE, "r--s");
	expect_order(map, "06734567");
	expect_write_kills(map + PAGE, SIGSEGV);
	expect_errno(remap(map + 3 * PAGE, 2 * PAGE, 0, 0, 0), EINVAL); /* two kinds of rights */
	expect(mprotect(map, PAGES * PAGE, RW) == 0);
	poke(map + PAGE, 'w');
	expect_equal(peek(map + 6 * PAGE), 'w');
}

static long locked_kib(void)
{
	return proc_number("/proc/self/status", "VmLck");
}

static void locks_stay(void)
{
	const struct rlimit few = {.rlim_cur = 5 * PAGE, .rlim_max = 5 * PAGE};
	char *map = map_anon(PAGES * PAGE, RW, MAP_SHARED);

	expect(mlock(map, 4 * PAGE) == 0);
	expect_remap(map, 2, 6);
	expect_equal(locked_kib(), 4 * 4);
	expect_equal(present_pages(map), 6);
	expect(setrlimit(RLIMIT_MEMLOCK, &few) == 0);
	expect(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	expect_remap(map, 1, 0);
	/* What is replaced counts as long as it is there. */
	expect_errno(remap(map, 2 * PAGE, 0, 2, 0), EAGAIN);
	expect_equal(locked_kib(), 4 * 4);
	expect(munlock(map, 4 * PAGE) == 0);
	expect_remap(map, 2, 2);
	expect_equal(locked_kib(), 0);
}

static void past_the_end(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	map = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	expect_remap(map, 1, 7);
	expect_read_kills(map, SIGBUS);
	expect(ftruncate(fd, PAGES * PAGE) == 0);
	expect_filled(map, 0, PAGE);
}

static void refusals(void)
{
	char *map = map_anon(PAGES * PAGE, RW, MAP_SHARED), *private, *read_only;
	const int64_t last = INT64_MAX / (int64_t)PAGE;
	int fd;

	number_pages(map);
	scratch_enter();
	close(file_create("file", PAGES * PAGE));
	fd = open("file", O_RDONLY);
	private = map_file(fd, PAGES * PAGE, RW, MAP_PRIVATE, 0);
	read_only = map_file(fd, PAGES * PAGE, PROT_READ, MAP_SHARED, 0);
	expect_errno(remap(private, PAGE, 0, 1, 0), EINVAL);
	expect_errno(remap(read_only, PAGE, 0, 1, 0), EINVAL); /* it can never be written */
	expect_errno(remap(map_alone(PAGE, RW), PAGE, 0, 0, 0), EINVAL);
	expect_errno(remap(free_range(PAGE), PAGE, 0, 0, 0), EINVAL);
	expect_errno(remap(map, PAGE, PROT_READ, 1, 0), EINVAL); /* rights cannot be asked for */
	expect_errno(remap(map, 0, 0, 1, 0), EINVAL);
	expect_errno(remap(map, PAGE - 1, 0, 1, 0), EINVAL); /* rounded down */
	expect_errno(remap(map, -PAGE, 0, 1, 0), EINVAL);
	expect_errno(remap(map, 2 * PAGE, 0, UINT64_MAX, 0), EINVAL);
	expect_errno(remap((void *)UINT64_C(0xffff800000000000), PAGE, 0, 1, 0), EINVAL);
	expect_errno(remap(map, (PAGES + 64) * PAGE, 0, 0, 0), EINVAL); /* more than the mapping */
	map = map_file(open("file", O_RDWR), PAGES * PAGE, RW, MAP_SHARED, 0);
	expect_errno(remap(map, 2 * PAGE, 0, (uint64_t)last, 0), EOVERFLOW);
	expect_equal(remap(map + 100, 2 * PAGE - 1, 0, 3, 0), 0); /* both are rounded down */
	expect_equal(peek(map), pattern(3 * PAGE));
	expect_equal(peek(map + PAGE), pattern(PAGE));
	expect(munmap(map + 2 * PAGE, PAGE) == 0);
	expect_errno(remap(map + PAGE, 3 * PAGE, 0, 0, 0), EINVAL); /* across a hole */
	expect_equal(peek(map + PAGE), pattern(PAGE));
}

/* It is a new mapping. */
static void locks_to_come(void)
{
	char *map = map_anon(PAGES * PAGE, RW, MAP_SHARED);

	number_pages(map);
	expect(mlockall(MCL_FUTURE) == 0);
	expect_equal(remap(map + PAGE, 2 * PAGE, 0, 5, 0), 0);
	expect_equal(locked_kib(), 2 * 4);
}

static const struct tap_case cases[] = {
	{"pages of a file in another order", files},
	{"pages of shared memory in another order", memory},
	{"memfds, System V segments", memfds_and_segments},
	{"absent pages are brought in, or not", fills},
	{"rights stay", rights_stay},
	{"locks stay, and have their limit", locks_stay},
	{"mlockall's locks of mappings to come", locks_to_come},
	{"pages past the end of a file", past_the_end},
	{"bad arguments have their errno", refusals},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
