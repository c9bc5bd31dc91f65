/*
 * alloc_failure.c - every allocation of the calls that make and change memory fails once, and a few
 * in a row: each call then fails with ENOMEM and has changed nothing, or does its work all the
 * same; afterwards nothing is lost. In the checking kernel of stos alone, which has
 * /dev/alloc-failure (mm/alloc_failure.h); the checks of the space are made when it is told to
 * stop.
 */
#include "helpers.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 8
#define TRIES 2000 /* no call makes so many allocations */

static int device = -1;

/* The N-th allocation from now on fails, and as many as make up `count`. */
static void arm(unsigned first, unsigned count)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%u %u", first, count);

	if (pwrite(device, text, (size_t)length, 0) != length)
		_exit(90);
}

/* Ends that; how many failed. */
static unsigned long disarm(void)
{
	char text[48] = "";
	unsigned long seen, failed;

	if (pwrite(device, "0", 1, 0) != 1 || pread(device, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%lu %lu", &seen, &failed) != 2)
		_exit(91);
	return failed;
}

/* --- what is in use --------------------------------------------------------------------------- */

struct figures {
	long objects, free_kib;
};

/* What the allocators keep for reuse they give back: stacks and slabs are allocated anew. */
static void trim(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0 || write(fd, "3", 1) != 1)
		tap_fail(HERE, "drop_caches: %s", tap_errno_name(errno));
	close(fd);
}

static struct figures figures_now(void)
{
	static char text[16384];
	struct figures now = {0, 0};

	trim();
	proc_read("/proc/slabinfo", text, sizeof(text));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		long live;

		if (sscanf(line, "%*s %ld", &live) == 1)
			now.objects += live;
	}
	now.free_kib = proc_number("/proc/meminfo", "MemFree");
	return now;
}

/* What is freed late (a task's stack, an orphan) gets its time. */
static bool comes_back(struct figures before, struct figures *after)
{
	for (int i = 0; i < 100; i++) {
		*after = figures_now();
		if (after->objects <= before.objects && after->free_kib >= before.free_kib)
			return true;
		sleep_ms(20);
	}
	return false;
}

/* --- the loop --------------------------------------------------------------------------------- */

/*
 * One try: arms, makes its call, disarms into *failed, and puts everything back. 0, or the errno of
 * a clean failure.
 */
typedef int (*attempt)(unsigned first, unsigned count, unsigned long *failed);

static void fail_each(attempt try, unsigned count)
{
	for (unsigned first = 1; first < TRIES; first++) {
		unsigned long failed = 0;
		int error = try(first, count, &failed);

		if (error != 0 && error != ENOMEM)
			tap_fail(HERE, "allocation %u failing: %s", first, tap_errno_name(error));
		if (failed == 0) {
			expect_equal(error, 0);
			return;
		}
	}
	tap_fail(HERE, "no end of allocations");
}

/* Once for what the first time only allocates, then what is in use may not grow. */
static void no_allocation_lost(attempt try)
{
	struct figures before, after;
	unsigned long failed;

	device = open("/dev/alloc-failure", O_RDWR | O_CLOEXEC);
	if (device < 0)
		tap_skip("/dev/alloc-failure, which only the checking kernel of stos has");
	for (int i = 0; i < 3; i++)
		expect_equal(try(TRIES, 1, &failed), 0);
	for (int round = 0; round < 3; round++) {
		before = figures_now();
		fail_each(try, 1);
		fail_each(try, 3);
		if (comes_back(before, &after))
			return;
	}
	tap_fail(HERE, "%ld objects before, %ld after; %ld KiB free before, %ld after",
		 before.objects, after.objects, before.free_kib, after.free_kib);
}

#define ATTEMPT(name) static int name(unsigned first, unsigned count, unsigned long *failed)
/* Makes the call with its allocations failing; errno is the call's. */
#define FAILING(call)                                                                              \
	({                                                                                         \
		int failing_errno;                                                                 \
		arm(first, count);                                                                 \
		__auto_type failing_result = (call);                                               \
		failing_errno = errno;                                                             \
		*failed = disarm();                                                                \
		errno = failing_errno;                                                             \
		failing_result;                                                                    \
	})

/* --- zones ------------------------------------------------------------------------------------ */

ATTEMPT(try_mmap)
{
	char *memory = FAILING(mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	if (memory == MAP_FAILED)
		return errno;
	poke(memory, 1);
	munmap(memory, PAGES * PAGE);
	return 0;
}

static void mmap_private(void)
{
	no_allocation_lost(try_mmap);
}

ATTEMPT(try_mmap_populated)
{
	char *memory = FAILING(
		mmap(NULL, PAGES * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));

	if (memory == MAP_FAILED)
		return errno;
	expect_filled(memory, 0, PAGES * PAGE);
	munmap(memory, PAGES * PAGE);
	return 0;
}

static void mmap_shared_populated(void)
{
	no_allocation_lost(try_mmap_populated);
}

/* Over the middle of a mapping with contents: it is replaced as a whole, or stays as it was. */
ATTEMPT(try_mmap_fixed)
{
	char *memory = map_alone(PAGES * PAGE, RW);
	char *middle = memory + 3 * PAGE;
	int error;

	fill_pattern(memory, 0, PAGES * PAGE);
	error = FAILING(mmap(middle, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			     0)) == MAP_FAILED
			? errno
			: 0;
	expect_pattern(memory, 0, 3 * PAGE);
	if (error)
		expect_pattern(middle, 3 * PAGE, PAGE);
	else
		expect_filled(middle, 0, PAGE);
	expect_pattern(middle + PAGE, 4 * PAGE, 4 * PAGE);
	munmap(memory, PAGES * PAGE);
	return error;
}

static void mmap_replaces(void)
{
	no_allocation_lost(try_mmap_fixed);
}

ATTEMPT(try_mmap_file)
{
	int fd = file_create("file", 3 * PAGE), error = 0;
	char *memory = FAILING(mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0));

	if (memory == MAP_FAILED)
		error = errno;
	else
		munmap(memory, 3 * PAGE);
	close(fd);
	unlink("file");
	return error;
}

static void mmap_file(void)
{
	scratch_enter();
	no_allocation_lost(try_mmap_file);
}

ATTEMPT(try_munmap)
{
	char *memory = map_alone(PAGES * PAGE, RW);
	int error;

	fill_pattern(memory, 0, PAGES * PAGE);
	error = FAILING(munmap(memory + 3 * PAGE, PAGE)) < 0 ? errno : 0;
	if (error)
		expect_pattern(memory, 0, PAGES * PAGE);
	else
		expect_read_kills(memory + 3 * PAGE, SIGSEGV);
	munmap(memory, PAGES * PAGE);
	return error;
}

static void munmap_middle(void)
{
	no_allocation_lost(try_munmap);
}

ATTEMPT(try_mprotect)
{
	char *memory = map_alone(PAGES * PAGE, RW);
	int error;

	fill_pattern(memory, 0, PAGES * PAGE);
	error = FAILING(mprotect(memory + 3 * PAGE, PAGE, PROT_READ)) < 0 ? errno : 0;
	expect_pattern(memory, 0, PAGES * PAGE);
	expect_zone(error ? memory : memory + 3 * PAGE, error ? PAGES * PAGE : PAGE,
		    error ? "rw-p" : "r--p");
	munmap(memory, PAGES * PAGE);
	return error;
}

static void mprotect_middle(void)
{
	no_allocation_lost(try_mprotect);
}

/* Into a gigabyte of its own, where there are no page tables yet. */
ATTEMPT(try_mremap)
{
	char *memory = map_alone(PAGES * PAGE, RW), *moved;
	char *far = free_range(2 * GIB);
	int error = 0;

	fill_pattern(memory, 0, PAGES * PAGE);
	moved = FAILING(mremap(memory, PAGES * PAGE, 2 * PAGES * PAGE,
			       MREMAP_MAYMOVE | MREMAP_FIXED, far + GIB));
	if (moved == MAP_FAILED) {
		error = errno;
		expect_pattern(memory, 0, PAGES * PAGE);
		munmap(memory, PAGES * PAGE);
	} else {
		expect_pattern(moved, 0, PAGES * PAGE);
		munmap(moved, 2 * PAGES * PAGE);
	}
	return error;
}

static void mremap_moves(void)
{
	no_allocation_lost(try_mremap);
}

ATTEMPT(try_mremap_shrink)
{
	char *memory = map_alone(PAGES * PAGE, RW);
	int error;

	fill_pattern(memory, 0, PAGES * PAGE);
	error = FAILING(mremap(memory, PAGES * PAGE, PAGE, 0)) == MAP_FAILED ? errno : 0;
	expect_pattern(memory, 0, error ? PAGES * PAGE : PAGE);
	munmap(memory, PAGES * PAGE);
	return error;
}

static void mremap_shrinks(void)
{
	no_allocation_lost(try_mremap_shrink);
}

static int try_advice(int advice, unsigned first, unsigned count, unsigned long *failed)
{
	char *memory = map_alone(PAGES * PAGE, RW);
	int error = FAILING(madvise(memory, PAGES * PAGE, advice)) < 0 ? errno : 0;

	expect_filled(memory, 0, PAGES * PAGE);
	munmap(memory, PAGES * PAGE);
	return error;
}

ATTEMPT(try_dontneed)
{
	return try_advice(MADV_DONTNEED, first, count, failed);
}

ATTEMPT(try_populate)
{
	return try_advice(MADV_POPULATE_WRITE, first, count, failed);
}

static void madvise_dontneed(void)
{
	no_allocation_lost(try_dontneed);
}

static void madvise_populate(void)
{
	no_allocation_lost(try_populate);
}

/* The break that stays where it was is brk's way to fail. */
ATTEMPT(try_brk)
{
	char *end = (char *)syscall(SYS_brk, 0);
	char *moved = (char *)FAILING(syscall(SYS_brk, end + PAGES * PAGE));
	bool grown = moved == end + PAGES * PAGE;

	if (!grown)
		expect_equal(moved, end);
	else
		poke(end + PAGES * PAGE - 1, 1);
	expect_equal(syscall(SYS_brk, end), end);
	return grown ? 0 : ENOMEM;
}

static void brk_grows(void)
{
	no_allocation_lost(try_brk);
}

ATTEMPT(try_msync)
{
	int fd = file_create("file", 3 * PAGE), error;
	char *memory = map_file(fd, 3 * PAGE, RW, MAP_SHARED, 0);

	poke(memory, 7);
	poke(memory + 2 * PAGE, 9);
	error = FAILING(msync(memory, 3 * PAGE, MS_SYNC)) < 0 ? errno : 0;
	munmap(memory, 3 * PAGE);
	expect_equal(file_byte("file", 0), 7);
	expect_equal(file_byte("file", 2 * (off_t)PAGE), 9);
	close(fd);
	unlink("file");
	return error;
}

static void msync_file(void)
{
	scratch_enter();
	no_allocation_lost(try_msync);
}

/*
 * --- faults: whatever fails, there is memory, so in the end they succeed ------------------------
 */

static void fill_bytes(char *memory)
{
	for (int i = 0; i < PAGES; i++)
		poke(memory + i * PAGE, (unsigned char)(i + 1));
}

static void expect_bytes(const char *memory)
{
	for (int i = 0; i < PAGES; i++)
		expect_equal(peek(memory + i * PAGE), i + 1);
}

/* Far from all others, so that page tables are wanted as well. */
ATTEMPT(try_anonymous_fault)
{
	char *memory = map_fixed(free_range(2 * GIB) + GIB, PAGES * PAGE, RW);

	FAILING((fill_bytes(memory), 0));
	expect_bytes(memory);
	munmap(memory, PAGES * PAGE);
	return 0;
}

static void anonymous_fault(void)
{
	no_allocation_lost(try_anonymous_fault);
}

static int fault_file(int type, unsigned first, unsigned count, unsigned long *failed)
{
	int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0600);
	char *memory;

	expect(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
	memory = map_file(fd, PAGES * PAGE, RW, type, 0);
	FAILING((fill_bytes(memory), 0));
	expect_bytes(memory);
	munmap(memory, PAGES * PAGE);
	expect_equal(file_byte("file", 0), type == MAP_SHARED);
	close(fd);
	unlink("file");
	return 0;
}

ATTEMPT(try_shared_file_fault)
{
	return fault_file(MAP_SHARED, first, count, failed);
}

ATTEMPT(try_private_file_fault)
{
	return fault_file(MAP_PRIVATE, first, count, failed);
}

static void file_faults(void)
{
	scratch_enter();
	no_allocation_lost(try_shared_file_fault);
	no_allocation_lost(try_private_file_fault);
}

/* A child, which shares its parent's pages, writes to them. */
ATTEMPT(try_cow_fault)
{
	char *memory = map_alone(PAGES * PAGE, RW);
	unsigned long *child_failed = (unsigned long *)map_anon(PAGE, RW, MAP_SHARED);
	pid_t pid;

	memset(memory, 0xee, PAGES * PAGE);
	*child_failed = 0;
	pid = fork_child();
	if (pid == 0) {
		failed = child_failed;
		FAILING((fill_bytes(memory), 0));
		expect_bytes(memory);
		_exit(0);
	}
	expect_exit(pid, 0);
	expect_filled(memory, 0xee, PAGES * PAGE);
	*failed = *child_failed;
	munmap(child_failed, PAGE);
	munmap(memory, PAGES * PAGE);
	return 0;
}

static void cow_fault(void)
{
	no_allocation_lost(try_cow_fault);
}

static __attribute__((noinline)) void use_stack(size_t bytes)
{
	volatile char deep[bytes];

	for (size_t i = 0; i < bytes; i += PAGE)
		deep[i] = 1;
	expect_equal(deep[0], 1);
}

ATTEMPT(try_stack_fault)
{
	unsigned long *child_failed = (unsigned long *)map_anon(PAGE, RW, MAP_SHARED);
	pid_t pid = fork_child();

	if (pid == 0) {
		failed = child_failed;
		FAILING((use_stack(300000), 0));
		_exit(0);
	}
	expect_exit(pid, 0);
	*failed = *child_failed;
	munmap(child_failed, PAGE);
	return 0;
}

static void stack_fault(void)
{
	no_allocation_lost(try_stack_fault);
}

/* --- processes -------------------------------------------------------------------------------- */

ATTEMPT(try_fork)
{
	char *memory = map_alone(PAGES * PAGE, RW);
	pid_t pid;
	int error = 0;

	fill_bytes(memory);
	trim();
	pid = (pid_t)FAILING(syscall(SYS_fork));
	if (pid < 0)
		error = errno;
	if (pid == 0)
		_exit(peek(memory + PAGE) == 2 ? 0 : 1);
	if (pid > 0)
		expect_exit(pid, 0);
	expect_bytes(memory);
	munmap(memory, PAGES * PAGE);
	return error == EAGAIN ? ENOMEM : error;
}

static void fork_fails(void)
{
	no_allocation_lost(try_fork);
}

static int thread_main(void *argument)
{
	poke(argument, 5);
	return 0;
}

ATTEMPT(try_thread)
{
	char *stack = map_anon(16 * PAGE, RW, MAP_PRIVATE);
	static _Atomic int alive;
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		    CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
	int tid, error = 0;

	alive = 1;
	trim();
	tid = FAILING(clone(thread_main, stack + 15 * PAGE, flags, stack, NULL, NULL, &alive));
	if (tid < 0)
		error = errno;
	while (tid > 0 && alive)
		sched_yield();
	if (tid > 0)
		expect_equal(peek(stack), 5);
	munmap(stack, 16 * PAGE);
	return error == EAGAIN ? ENOMEM : error;
}

static void thread_fails(void)
{
	no_allocation_lost(try_thread);
}

/* What the child became tells how many failed; it may also have died where there is no way back. */
#define EXECUTED 40 /* and above: exit statuses of the new program */

ATTEMPT(try_exec)
{
	pid_t pid = fork_child();
	int status;

	if (pid == 0) {
		int counter = open("/dev/alloc-failure", O_RDWR);

		dup2(counter, 9);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* the C library may complain */
		arm(first, count);
		execl("/proc/self/exe", "alloc_failure", "executed", NULL);
		_exit(errno == ENOMEM ? 1 : 2);
	}
	status = wait_child(pid);
	*failed = 1;
	if (WIFSIGNALED(status)) {
		expect_equal(WTERMSIG(status), SIGKILL);
		return ENOMEM;
	}
	if (WEXITSTATUS(status) == 1)
		return ENOMEM;
	expect(WEXITSTATUS(status) >= EXECUTED);
	*failed = (unsigned long)WEXITSTATUS(status) - EXECUTED;
	return 0;
}

static void exec_fails(void)
{
	no_allocation_lost(try_exec);
}

/* Ending must not need memory; what fails then nobody can tell. */
ATTEMPT(try_exit)
{
	char *memory = map_anon(PAGES * PAGE, RW, MAP_PRIVATE);
	char *shared = map_anon(PAGES * PAGE, RW, MAP_SHARED);
	pid_t pid;

	fill_bytes(memory);
	fill_bytes(shared);
	pid = fork_child();
	if (pid == 0) {
		fill_bytes(memory);
		arm(first, count);
		_exit(3);
	}
	expect_exit(pid, 3);
	munmap(memory, PAGES * PAGE);
	munmap(shared, PAGES * PAGE);
	*failed = first < 10;
	return 0;
}

static void exit_succeeds(void)
{
	no_allocation_lost(try_exit);
}

/* --- files and pipes -------------------------------------------------------------------------- */

ATTEMPT(try_open)
{
	int fd = FAILING(open("file", O_RDWR | O_CREAT | O_EXCL, 0600));
	int error = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (fd >= 0)
		expect(unlink("file") == 0);
	else
		unlink("file");
	return error;
}

ATTEMPT(try_write)
{
	static char bytes[5 * 4096 + 100];
	int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0600), error = 0;
	ssize_t got;

	fill_pattern(bytes, 0, sizeof(bytes));
	got = FAILING(write(fd, bytes, sizeof(bytes)));
	if (got < 0)
		error = errno;
	expect_equal(fd_size(fd), got < 0 ? 0 : got);
	if (got > 0) {
		memset(bytes, 0, sizeof(bytes));
		expect_equal(pread(fd, bytes, sizeof(bytes), 0), got);
		expect_pattern(bytes, 0, (size_t)got);
	}
	close(fd);
	unlink("file");
	return error;
}

ATTEMPT(try_read)
{
	static char bytes[3 * 4096];
	int fd = file_create("file", sizeof(bytes));
	ssize_t got = FAILING(read(fd, bytes, sizeof(bytes)));
	int error = got < 0 ? errno : 0;

	if (got >= 0)
		expect_pattern(bytes, 0, (size_t)got);
	close(fd);
	unlink("file");
	return error;
}

static void tmpfs_files(void)
{
	scratch_enter();
	no_allocation_lost(try_open);
	no_allocation_lost(try_write);
	no_allocation_lost(try_read);
}

ATTEMPT(try_pipe)
{
	int fds[2] = {-1, -1};
	int error = FAILING(pipe(fds)) < 0 ? errno : 0;

	if (error == ENFILE)
		error = ENOMEM;
	if (!error) {
		close(fds[0]);
		close(fds[1]);
	}
	return error;
}

ATTEMPT(try_pipe_write)
{
	static char bytes[20000];
	int fds[2], error = 0;
	ssize_t got;

	expect(pipe(fds) == 0);
	got = FAILING(write(fds[1], bytes, sizeof(bytes)));
	if (got < 0)
		error = errno;
	else
		expect_equal(read(fds[0], bytes, sizeof(bytes)), got);
	close(fds[0]);
	close(fds[1]);
	return error;
}

static void pipes(void)
{
	no_allocation_lost(try_pipe);
	no_allocation_lost(try_pipe_write);
}

static const struct tap_case cases[] = {
	{"mmap of private memory", mmap_private},
	{"mmap of shared memory, populated", mmap_shared_populated},
	{"mmap in the middle of a mapping", mmap_replaces},
	{"mmap of a file", mmap_file},
	{"munmap of a mapping's middle", munmap_middle},
	{"mprotect of a mapping's middle", mprotect_middle},
	{"mremap to where there are no page tables", mremap_moves},
	{"mremap that shrinks", mremap_shrinks},
	{"madvise: MADV_DONTNEED", madvise_dontneed},
	{"madvise: MADV_POPULATE_WRITE", madvise_populate},
	{"brk", brk_grows},
	{"msync of a file", msync_file},
	{"faults of private anonymous memory", anonymous_fault},
	{"faults of files, shared and private", file_faults},
	{"copy on write", cow_fault},
	{"growth of the stack", stack_fault},
	{"fork", fork_fails},
	{"clone of a thread", thread_fails},
	{"execve", exec_fails},
	{"exit", exit_succeeds},
	{"open, write and read of a file", tmpfs_files},
	{"pipes", pipes},
};

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "executed") == 0) {
		device = 9;
		return EXECUTED + (int)disarm();
	}
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
