/*
 * fault_counts.c - getrusage's fault counts agree with what happened, exactly.
 *
 * Each step is measured between two calls of getrusage, whose own pages were used before. Huge
 * pages are refused (MADV_NOHUGEPAGE), for they would make one fault of many.
 */
#include "tap.h"

#include "helpers.h"

#define PAGES 50

struct faults {
	long minor, major;
};

static struct faults faults_now(void)
{
	struct rusage usage;

	expect(getrusage(RUSAGE_THREAD, &usage) == 0);
	return (struct faults){usage.ru_minflt, usage.ru_majflt};
}

/*
 * The step costs so many minor faults, and no major ones. Measured once before, for the stack's
 * sake.
 */
#define expect_faults(step, wanted)                                                                \
	do {                                                                                       \
		struct faults before = faults_now(), after;                                        \
		before = faults_now();                                                             \
		step;                                                                              \
		after = faults_now();                                                              \
		if (after.minor - before.minor != (wanted) || after.major != before.major)         \
			tap_fail(HERE, "%s: %ld minor and %ld major faults, expected %ld", #step,  \
				 after.minor - before.minor, after.major - before.major,           \
				 (long)(wanted));                                                  \
	} while (0)

static char *map_fresh(int flags)
{
	char *memory = map_anon(PAGES * PAGE, PROT_READ | PROT_WRITE, flags);

	madvise(memory, PAGES * PAGE, MADV_NOHUGEPAGE);
	return memory;
}

static void write_each(char *memory, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		poke(memory + i * PAGE, 1);
}

static void read_each(const char *memory, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		peek(memory + i * PAGE);
}

static void private_memory(void)
{
	char *memory = map_fresh(MAP_PRIVATE);

	expect_faults((void)0, 0);
	expect_faults(read_each(memory, PAGES / 2), PAGES / 2);
	expect_faults(read_each(memory, PAGES / 2), 0);
	/* The zero page is left at the first write. */
	expect_faults(write_each(memory, PAGES), PAGES);
	expect_faults(write_each(memory, PAGES), 0);
	expect(madvise(memory, PAGES * PAGE, MADV_DONTNEED) == 0);
	expect_faults(write_each(memory, PAGES), PAGES);
	expect_faults(munmap(memory, PAGES * PAGE), 0);
}

static void shared_memory(void)
{
	char *memory = map_fresh(MAP_SHARED);

	expect_faults(write_each(memory, PAGES), PAGES);
	expect_faults(read_each(memory, PAGES), 0);
	memory = map_fresh(MAP_SHARED);
	/* What a read brought in needs no second fault for a write. */
	expect_faults(peek(memory), 1);
	expect_faults(poke(memory, 1), 0);
}

static void populated(void)
{
	char *memory;

	expect_faults(memory = map_fresh(MAP_PRIVATE | MAP_POPULATE), PAGES);
	expect_faults(write_each(memory, PAGES), 0);
	memory = map_fresh(MAP_PRIVATE);
	write_each(memory, 10);
	/* Only what is missing. */
	expect_faults(expect(madvise(memory, PAGES * PAGE, MADV_POPULATE_WRITE) == 0), PAGES - 10);
	expect_faults(expect(madvise(memory, PAGES * PAGE, MADV_POPULATE_WRITE) == 0), 0);
}

static void by_the_kernel(void)
{
	char *memory = map_fresh(MAP_PRIVATE);
	int pipes[2];

	expect(pipe(pipes) == 0);
	expect(write(pipes[1], "abc", 3) == 3);
	expect_faults(expect(read(pipes[0], memory, 3) == 3), 1);
	expect_faults(expect(write(pipes[1], memory, 3) == 3), 0);
	expect_faults(expect(read(pipes[0], memory, 3) == 3), 0);
}

static void protection(void)
{
	char *memory = map_fresh(MAP_PRIVATE);

	write_each(memory, PAGES);
	expect(mprotect(memory, PAGES * PAGE, PROT_READ) == 0);
	expect_faults(read_each(memory, PAGES), 0);
	expect(mprotect(memory, PAGES * PAGE, PROT_NONE) == 0);
	expect(mprotect(memory, PAGES * PAGE, PROT_READ) == 0);
	expect_faults(read_each(memory, PAGES), 0);
}

static void after_fork(void)
{
	char *memory = map_fresh(MAP_PRIVATE);
	struct gate parent_done;
	pid_t pid;

	write_each(memory, PAGES);
	gate_make(&parent_done);
	pid = fork_child();
	if (pid == 0) {
		faults_now();
		expect_faults(read_each(memory, PAGES), 0);
		expect_faults(write_each(memory, PAGES), PAGES);
		expect_faults(write_each(memory, PAGES), 0);
		_exit(0);
	}
	expect_exit(pid, 0);
	/* The last holder writes: a fault without a copy. */
	expect_faults(write_each(memory, PAGES), PAGES);
}

static void a_file(void)
{
	int fd = memfd_create("test", 0);
	char *map, *private;

	expect(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
	map = map_file(fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	expect_faults(write_each(map, PAGES), PAGES);
	private = map_file(fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	/* A private write copies at once. */
	expect_faults(write_each(private, PAGES), PAGES);
	expect_faults(read_each(private, PAGES), 0);
	expect(munmap(private, PAGES * PAGE) == 0);
	private = map_file(fd, PAGES * PAGE, PROT_READ, MAP_PRIVATE, 0);
	/* A read brings neighbours in: at most sixteen pages. */
	{
		struct faults before = faults_now(), after;

		before = faults_now();
		read_each(private, PAGES);
		after = faults_now();
		expect(after.minor - before.minor >= PAGES / 16);
		expect(after.minor - before.minor <= PAGES);
		expect_equal(after.major, before.major);
	}
}

static void children_count(void)
{
	pid_t pid = fork_child();
	struct rusage usage, more;

	if (pid == 0)
		_exit(0);
	expect_exit(pid, 0);
	expect(getrusage(RUSAGE_CHILDREN, &usage) == 0);
	expect(usage.ru_minflt > 0);
	pid = fork_child();
	if (pid == 0)
		_exit(0);
	expect_exit(pid, 0);
	expect(getrusage(RUSAGE_CHILDREN, &more) == 0);
	expect(more.ru_minflt > usage.ru_minflt);
}

static void *volatile fault_page;
static volatile sig_atomic_t segv_count;

/* Gives the page at the third try. */
static void on_segv(int signal)
{
	(void)signal;
	if (++segv_count == 3)
		mprotect(fault_page, PAGE, PROT_READ | PROT_WRITE);
}

static void signals_do_not_count(void)
{
	char *memory = map_fresh(MAP_PRIVATE);
	struct sigaction action = {.sa_handler = on_segv};

	expect(sigaction(SIGSEGV, &action, NULL) == 0);
	fault_page = memory;
	raise(SIGSEGV); /* the handler's own pages */
	segv_count = 0;
	expect(mprotect(memory, PAGE, PROT_NONE) == 0);
	expect_faults(poke(memory, 1), 1);
	expect_equal(segv_count, 3);
}

/* The value of a line "KEY VALUE". */
static long vmstat(const char *key)
{
	static char text[16384];
	size_t length = strlen(key);

	proc_read("/proc/vmstat", text, sizeof(text));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return atol(line + length);
	tap_fail(HERE, "no %s", key);
}

static void of_the_system(void)
{
	char *memory = map_fresh(MAP_PRIVATE);
	long before = vmstat("pgfault"), now;

	write_each(memory, PAGES);
	now = vmstat("pgfault");
	expect(now - before >= PAGES);
	if (on_stos())
		expect(now - before <= PAGES + 10);
	expect(vmstat("pgmajfault") >= 0);
	if (on_stos()) /* Linux before 6.12 does not tell what describing the memory takes */
		expect(vmstat("nr_memmap_boot_pages") > 0);
}

static void in_stat(void)
{
	static char text[1024];
	char *memory = map_fresh(MAP_PRIVATE), *fields;
	long counts[3];

	/* The first round is for the pages of the reading itself. */
	for (int round = 0; round < 3; round++) {
		proc_read("/proc/self/stat", text, sizeof(text));
		fields = strrchr(text, ')');
		expect(sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %ld", &counts[round]) == 1);
		if (round == 1)
			write_each(memory, PAGES);
	}
	expect_equal(counts[2] - counts[1], PAGES);
}

static const struct tap_case cases[] = {
	{"private memory: one fault for each page", private_memory},
	{"shared memory", shared_memory},
	{"MAP_POPULATE counts what it brings in", populated},
	{"faults of the kernel's on the program's behalf", by_the_kernel},
	{"mprotect costs no reader a fault", protection},
	{"after fork", after_fork},
	{"a file's pages", a_file},
	{"children's faults are the parent's when waited for", children_count},
	{"a fault that becomes a signal is not counted", signals_do_not_count},
	{"/proc/vmstat counts for all", of_the_system},
	{"/proc/self/stat tells the same", in_stat},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
