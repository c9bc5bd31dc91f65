/*
 * throughput.c - what one and two processors get done in the same time, by wall clock.
 *
 * Each row runs a job in N parties, N = 1 and 2, and tells operations per second of both and their
 * ratio: 2 would be perfect. Every sample is the best of several, for the machine may be noisy.
 * The parties begin together; the clock stops when the last has done its share.
 *
 *   throughput [SAMPLES]
 *
 * A static program, for stos and for Linux. README.md tells how to run it.
 */
#include "../guest/race.h"

#define MOST_PARTIES 2

struct job {
	const char *name;
	void (*run)(unsigned party, unsigned long operations);
	unsigned long operations; /* of each party, in one sample */
	bool threads;		  /* parties are threads of one process */
};

/* --- jobs ------------------------------------------------------------------------------------- */

#define FAULT_PAGES 256

/* Fault fresh anonymous pages; one operation is one page, with its share of mmap and munmap. */
static void fault(unsigned party, unsigned long operations)
{
	(void)party;
	for (unsigned long done = 0; done < operations; done += FAULT_PAGES) {
		char *memory = map_anon(FAULT_PAGES * PAGE, RW, MAP_PRIVATE);

		for (size_t page = 0; page < FAULT_PAGES; page++)
			poke(memory + page * PAGE, 1);
		expect(munmap(memory, FAULT_PAGES * PAGE) == 0);
	}
}

static char *ranges; /* one for each thread, a gigabyte apart: no page table is shared */

/* Fault pages of an own range that is mapped for good; MADV_DONTNEED empties it again. */
static void fault_own_range(unsigned party, unsigned long operations)
{
	char *memory = ranges + party * GIB;

	for (unsigned long done = 0; done < operations; done += FAULT_PAGES) {
		for (size_t page = 0; page < FAULT_PAGES; page++)
			poke(memory + page * PAGE, 1);
		expect(madvise(memory, FAULT_PAGES * PAGE, MADV_DONTNEED) == 0);
	}
}

/* The same without giving back: faults alone. */
static void fault_once(unsigned party, unsigned long operations)
{
	char *memory = ranges + party * GIB;

	for (size_t page = 0; page < operations; page++)
		poke(memory + page * PAGE, 1);
}

static void fork_exit_wait(unsigned party, unsigned long operations)
{
	(void)party;
	for (unsigned long i = 0; i < operations; i++) {
		pid_t pid = fork_child();

		if (pid == 0)
			_exit(0);
		expect_exit(pid, 0);
	}
}

static void system_calls(unsigned party, unsigned long operations)
{
	(void)party;
	for (unsigned long i = 0; i < operations; i++)
		syscall(SYS_getppid);
}

static void user_mode(unsigned party, unsigned long operations)
{
	uint64_t dice = party + 1;

	for (unsigned long i = 0; i < operations; i++)
		dice_roll(&dice);
	expect(dice != 0);
}

/* A pair of processes that hand one byte back and forth. */
static void pipe_round_trips(unsigned party, unsigned long operations)
{
	struct gate there, back;
	pid_t pid;

	(void)party;
	gate_make(&there);
	gate_make(&back);
	pid = fork_child();
	for (unsigned long i = 0; i < operations; i++) {
		if (pid == 0) {
			gate_pass(&there);
			gate_open(&back);
		} else {
			gate_open(&there);
			gate_pass(&back);
		}
	}
	if (pid == 0)
		child_end();
	expect_exit(pid, 0);
}

static const struct job jobs[] = {
	{"user mode alone", user_mode, 20000000, false},
	{"processes: system calls (getppid)", system_calls, 500000, false},
	{"processes: faults, mmap, munmap", fault, 16384, false},
	{"processes: fork, exit, wait", fork_exit_wait, 200, false},
	{"process pairs: pipe round trips", pipe_round_trips, 5000, false},
	{"threads: system calls (getppid)", system_calls, 500000, true},
	{"threads: faults, own range", fault_own_range, 16384, true},
	{"threads: faults alone, own range", fault_once, 8192, true},
	{"threads: faults, mmap, munmap", fault, 16384, true},
};

/* --- measuring -------------------------------------------------------------------------------- */

static const struct job *job;
static unsigned parties;
static _Atomic unsigned *arrivals; /* shared with the processes */

static void *take_part(void *party)
{
	meet(arrivals, parties + 1, 1);
	job->run((unsigned)(size_t)party, job->operations);
	return NULL;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Seconds from the common begin to the end of the last party. */
static double sample(void)
{
	pthread_t threads[MOST_PARTIES];
	pid_t pids[MOST_PARTIES];
	double begin;

	atomic_store(&arrivals[0], 0);
	for (unsigned i = 0; i < parties; i++) {
		if (job->threads) {
			thread_start(&threads[i], take_part, (void *)(size_t)i);
		} else if ((pids[i] = fork_party()) == 0) {
			take_part((void *)(size_t)i);
			child_end();
		}
	}
	spin_until(atomic_load(&arrivals[0]) == parties);
	begin = now();
	atomic_fetch_add(&arrivals[0], 1);
	for (unsigned i = 0; i < parties; i++) {
		if (job->threads)
			thread_join(threads[i]);
		else
			expect_exit(pids[i], 0);
	}
	return now() - begin;
}

/* Operations per second of all parties together, the best of several samples. */
static double measure(unsigned number, int samples)
{
	double best = 0;

	parties = number;
	for (int i = 0; i < samples; i++) {
		double speed;

		ranges = map_anon(MOST_PARTIES * GIB, RW, MAP_PRIVATE | MAP_NORESERVE);
		expect(madvise(ranges, MOST_PARTIES * GIB, MADV_NOHUGEPAGE) == 0 ||
		       errno == EINVAL);
		speed = parties * (double)job->operations / sample();
		expect(munmap(ranges, MOST_PARTIES * GIB) == 0);
		if (speed > best)
			best = speed;
	}
	return best;
}

int main(int argc, char **argv)
{
	int samples = argc > 1 ? atoi(argv[1]) : 5;

	arrivals = (_Atomic unsigned *)map_shared(PAGE);
	printf("%-36s %14s %14s %6s\n", "operations per second", "1 party", "2 parties", "ratio");
	for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++) {
		double one, two;

		job = &jobs[i];
		one = measure(1, samples);
		two = measure(2, samples);
		printf("%-36s %14.0f %14.0f %6.2f\n", job->name, one, two, two / one);
		fflush(stdout);
	}
	return 0;
}
