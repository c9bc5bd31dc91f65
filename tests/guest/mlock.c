/*
 * mlock.c - locked memory: mlock, mlock2, munlock, mlockall, munlockall, MAP_LOCKED.
 *
 * What is locked is seen in /proc/self/status (VmLck), what is present by mincore. Limits are
 * tested as another user: root's memory is not limited.
 */
#include "helpers.h"

#include <sys/resource.h>

#define RW (PROT_READ | PROT_WRITE)
#define NOBODY 65534

static size_t locked_pages(void)
{
	static char text[8192];
	const char *line;

	proc_read("/proc/self/status", text, sizeof(text));
	line = strstr(text, "VmLck:");
	expect(line);
	return strtoul(line + strlen("VmLck:"), NULL, 10) / 4;
}

static size_t present_pages(const void *address, size_t bytes)
{
	unsigned char pages[64];
	size_t count = 0;

	expect(bytes <= sizeof(pages) * PAGE);
	expect(mincore((void *)(uintptr_t)address, bytes, pages) == 0);
	for (size_t i = 0; i < bytes / PAGE; i++)
		count += pages[i] & 1;
	return count;
}

static void become_nobody(size_t limit_pages)
{
	struct rlimit limit = {limit_pages * PAGE, limit_pages * PAGE};

	expect(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	expect(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void locks_and_fills(void)
{
	char *map = map_alone(8 * PAGE, RW);

	expect_equal(present_pages(map, 8 * PAGE), 0);
	expect(mlock(map + PAGE, 3 * PAGE) == 0);
	expect_equal(locked_pages(), 3);
	expect_equal(present_pages(map, 8 * PAGE), 3);
	expect(mlock(map + PAGE + 100, 3 * PAGE) == 0); /* touches four pages; locks do not nest */
	expect_equal(locked_pages(), 4);
	expect(munlock(map, 2 * PAGE) == 0);
	expect_equal(locked_pages(), 3);
	expect_equal(present_pages(map, 8 * PAGE), 4);
	expect(munmap(map + 3 * PAGE, PAGE) == 0);
	expect_equal(locked_pages(), 2);
	expect(munlockall() == 0);
	expect_equal(locked_pages(), 0);
}

static void written_pages_stay(void)
{
	char *map = map_alone(4 * PAGE, RW);

	fill_pattern(map, 0, 2 * PAGE);
	expect(mlock(map, 4 * PAGE) == 0);
	expect_pattern(map, 0, 2 * PAGE);
	expect_filled(map + 2 * PAGE, 0, 2 * PAGE);
	expect(mprotect(map, PAGE, PROT_READ) == 0);
	expect_equal(locked_pages(), 4);
	expect(munlock(map, 4 * PAGE) == 0);
	expect_pattern(map, 0, 2 * PAGE);
}

static void on_fault(void)
{
	char *map = map_alone(4 * PAGE, RW);

	expect(mlock2(map, 4 * PAGE, MLOCK_ONFAULT) == 0);
	expect_equal(locked_pages(), 4);
	expect_equal(present_pages(map, 4 * PAGE), 0);
	poke(map + PAGE, 1);
	expect_equal(present_pages(map, 4 * PAGE), 1);
	expect(mlock2(map, 2 * PAGE, 0) == 0); /* the ordinary kind again: filled */
	expect_equal(present_pages(map, 4 * PAGE), 2);
	expect_equal(locked_pages(), 4);
}

static void files_and_shared(void)
{
	char *file, *shared = map_anon(4 * PAGE, RW, MAP_SHARED);

	scratch_enter();
	file = map_file(file_create("file", 4 * PAGE), 4 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	expect(mlock(file, 4 * PAGE) == 0);
	expect(mlock(shared, 4 * PAGE) == 0);
	expect_equal(locked_pages(), 8);
	expect_equal(present_pages(shared, 4 * PAGE), 4);
	expect_equal(present_pages(file, 4 * PAGE), 4);
	expect_pattern(file, 0, 4 * PAGE);
}

static void map_locked(void)
{
	char *map = map_anon(4 * PAGE, RW, MAP_PRIVATE | MAP_LOCKED);

	expect_equal(locked_pages(), 4);
	expect_equal(present_pages(map, 4 * PAGE), 4);
	map = map_anon(4 * PAGE, RW, MAP_SHARED | MAP_LOCKED);
	expect_equal(locked_pages(), 8);
	expect_equal(present_pages(map, 4 * PAGE), 4);
	map = map_anon(4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_LOCKED);
	expect_equal(locked_pages(), 12);
	expect_equal(present_pages(map, 4 * PAGE), 0);
}

static void all_that_is(void)
{
	char *map = map_alone(4 * PAGE, RW), *later;

	expect(mlockall(MCL_CURRENT) == 0);
	expect(locked_pages() >= 4);
	expect_equal(present_pages(map, 4 * PAGE), 4);
	later = map_alone(4 * PAGE, RW);
	expect_equal(present_pages(later, 4 * PAGE), 0);
	expect(munlockall() == 0);
	expect_equal(locked_pages(), 0);
}

static void all_that_will_be(void)
{
	char *before = map_alone(4 * PAGE, RW), *map, *heap;

	expect(mlockall(MCL_FUTURE) == 0);
	expect_equal(locked_pages(), 0);
	expect_equal(present_pages(before, 4 * PAGE), 0);
	map = map_alone(4 * PAGE, RW);
	expect_equal(present_pages(map, 4 * PAGE), 4);
	heap = (char *)(((uintptr_t)syscall(SYS_brk, 0) + PAGE - 1) / PAGE * PAGE);
	expect(syscall(SYS_brk, heap) == (long)heap);
	expect(syscall(SYS_brk, heap + 2 * PAGE) == (long)(heap + 2 * PAGE));
	expect_equal(present_pages(heap, 2 * PAGE), 2);
	expect(locked_pages() >= 6);
	expect(mlockall(MCL_FUTURE | MCL_ONFAULT) == 0);
	map = map_alone(4 * PAGE, RW);
	expect_equal(present_pages(map, 4 * PAGE), 0);
	expect(munlockall() == 0);
	map = map_alone(4 * PAGE, RW);
	expect_equal(present_pages(map, 4 * PAGE), 0);
	expect_equal(locked_pages(), 0);
}

static void not_inherited(void)
{
	char *map = map_alone(6 * PAGE, RW);
	pid_t pid;

	expect(mlock(map + 2 * PAGE, 2 * PAGE) == 0);
	expect(mlockall(MCL_FUTURE) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(locked_pages(), 0);
		expect_equal(present_pages(map_alone(PAGE, RW), PAGE), 0);
		child_end();
	}
	expect_exit(pid, 0);
	expect(locked_pages() >= 2);
}

static void remapped(void)
{
	char *map = map_alone(4 * PAGE, RW), *to = free_range(6 * PAGE);

	expect(mlock(map, 4 * PAGE) == 0);
	expect(mremap(map, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	expect_equal(locked_pages(), 6);
	expect_equal(present_pages(to, 6 * PAGE), 6);
	expect(mremap(to, 6 * PAGE, PAGE, 0) == to);
	expect_equal(locked_pages(), 1);
}

/*
 * Private pages of a file whose rights were to read: their copies are made when they may be
 * written.
 */
static void write_rights_copy(void)
{
	char *locked, *on_fault, *plain;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	locked = map_file(fd, 4 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	on_fault = map_file(fd, 4 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	plain = map_file(fd, 4 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	expect(mlock(locked, 3 * PAGE) == 0); /* the last page is not */
	expect(mlock2(on_fault, 4 * PAGE, MLOCK_ONFAULT) == 0);
	expect(mprotect(locked + PAGE, 3 * PAGE, RW) == 0);
	expect(mprotect(on_fault, 4 * PAGE, RW) == 0);
	expect(mprotect(plain, 4 * PAGE, RW) == 0);
	for (size_t page = 0; page < 4; page++)
		expect_equal(pwrite(fd, "!", 1, (off_t)(page * PAGE)), 1);
	for (size_t page = 0; page < 4; page++) {
		bool copied = page == 1 || page == 2;

		expect_equal(peek(locked + page * PAGE), copied ? pattern(page * PAGE) : '!');
		expect_equal(peek(on_fault + page * PAGE), '!');
		expect_equal(peek(plain + page * PAGE), '!');
	}
}

/*
 * Locked to be read only, its pages are the common zeros; then each has its own, without a fault.
 */
static void write_rights_fill(void)
{
	char *map = map_alone(32 * PAGE, PROT_READ);
	struct rusage before, after;

	expect(mlock(map, 32 * PAGE) == 0);
	expect(mprotect(map, 32 * PAGE, RW) == 0);
	expect(getrusage(RUSAGE_SELF, &before) == 0);
	for (size_t page = 0; page < 32; page++)
		poke(map + page * PAGE, 1);
	expect(getrusage(RUSAGE_SELF, &after) == 0);
	expect(after.ru_minflt - before.ru_minflt < 8); /* the stack's, the library's */
}

static void stacks_grow_locked(void)
{
	char *room = free_range(600 * PAGE);
	char *stack = mmap(room + 500 * PAGE, PAGE, RW,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	expect(stack != MAP_FAILED);
	expect(mlock(stack, PAGE) == 0);
	poke(stack - PAGE, 1);
	expect_equal(locked_pages(), 2);
}

static void limits(void)
{
	char *map = map_alone(8 * PAGE, RW);

	become_nobody(4);
	expect_errno(mlock(map, 5 * PAGE), ENOMEM);
	expect_equal(locked_pages(), 0);
	expect(mlock(map, 4 * PAGE) == 0);
	expect(mlock(map + PAGE, 3 * PAGE) == 0); /* counted once */
	expect_errno(mlock(map + 3 * PAGE, 2 * PAGE), ENOMEM);
	expect_errno(mlockall(MCL_CURRENT), ENOMEM);
	expect_errno((long)mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0),
		     EAGAIN);
	expect(munmap(map + 4 * PAGE, 4 * PAGE) == 0);
	expect_errno((long)mremap(map, 4 * PAGE, 5 * PAGE, 0), EAGAIN);
	expect(munlock(map, 2 * PAGE) == 0);
	expect(mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) !=
	       MAP_FAILED);
	expect_equal(locked_pages(), 4);
	expect(mlockall(MCL_FUTURE) == 0);
	expect_errno((long)mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EAGAIN);
	expect(munlockall() == 0);
	expect(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static void break_within_the_limit(void)
{
	long heap = syscall(SYS_brk, 0);

	become_nobody(1);
	expect(mlockall(MCL_FUTURE) == 0);
	expect(syscall(SYS_brk, heap + 2 * (long)PAGE) == heap);
	expect(munlockall() == 0);
	expect(syscall(SYS_brk, heap + 2 * (long)PAGE) == heap + 2 * (long)PAGE);
}

static void stack_within_the_limit(void)
{
	char *room = free_range(600 * PAGE);
	char *stack = mmap(room + 500 * PAGE, PAGE, RW,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	pid_t pid;

	expect(stack != MAP_FAILED);
	pid = fork_child();
	if (pid == 0) {
		become_nobody(1);
		expect(mlock(stack, PAGE) == 0);
		poke(stack - PAGE, 1);
		child_end();
	}
	expect_killed(pid, SIGSEGV);
}

static void forbidden(void)
{
	char *map = map_alone(PAGE, RW);

	become_nobody(0);
	expect_errno(mlock(map, PAGE), EPERM);
	expect_errno(mlock2(map, PAGE, MLOCK_ONFAULT), EPERM);
	expect_errno(mlockall(MCL_CURRENT), EPERM);
	expect_errno(mlockall(MCL_FUTURE), EPERM);
	expect_errno((long)mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0),
		     EPERM);
	expect(munlock(map, PAGE) == 0);
	expect(munlockall() == 0);
}

static void bad_arguments(void)
{
	char *map = map_alone(4 * PAGE, RW);

	expect(munmap(map + 2 * PAGE, PAGE) == 0);
	expect_errno(mlock(map, 4 * PAGE), ENOMEM);
	expect_equal(locked_pages(), 2); /* up to the hole */
	expect_errno(munlock(map, 4 * PAGE), ENOMEM);
	expect_equal(locked_pages(), 0);
	expect_errno(mlock(map + 2 * PAGE, PAGE), ENOMEM);
	expect(mprotect(map, PAGE, PROT_NONE) == 0);
	expect_errno(mlock(map, PAGE), ENOMEM); /* it cannot be made present */
	expect_errno(mlock(map, -PAGE), EINVAL);
	expect_errno(munlock(map, -PAGE), EINVAL);
	expect_errno(mlock((void *)UINT64_C(0xffff800000000000), PAGE), ENOMEM);
	expect(mlock(map, 0) == 0);
	expect(mlock(map + 2 * PAGE, 0) == 0);
	expect_errno(mlock2(map, PAGE, 2), EINVAL);
	expect_errno(mlockall(0), EINVAL);
	expect_errno(mlockall(MCL_ONFAULT), EINVAL);
	expect_errno(mlockall(MCL_CURRENT | 8), EINVAL);
}

static const struct tap_case cases[] = {
	{"locking fills the pages and counts them", locks_and_fills},
	{"contents stay", written_pages_stay},
	{"MLOCK_ONFAULT counts but does not fill", on_fault},
	{"mappings of files and shared memory", files_and_shared},
	{"MAP_LOCKED", map_locked},
	{"mlockall: what there is", all_that_is},
	{"mlockall: what there will be", all_that_will_be},
	{"a child inherits no locks", not_inherited},
	{"mremap takes the lock along", remapped},
	{"write rights to locked pages copy them at once", write_rights_copy},
	{"write rights to locked pages of zeros", write_rights_fill},
	{"a locked stack grows locked", stacks_grow_locked},
	{"RLIMIT_MEMLOCK holds for all ways to lock", limits},
	{"RLIMIT_MEMLOCK holds for the break", break_within_the_limit},
	{"RLIMIT_MEMLOCK holds for a stack", stack_within_the_limit},
	{"a limit of 0 forbids locking", forbidden},
	{"bad arguments have their errno", bad_arguments},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
