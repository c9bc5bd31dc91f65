/*
 * stress.c - many processes and threads that map, change, fork and verify at random.
 *
 *   stress [--seed N] [--rounds N | --seconds N] [--processes N] [--threads N]
 *
 * Every worker (a thread) rolls dice that start from the seed and does one operation after the
 * other: on mappings of its own whose contents it knows to the page (regions.c), on memory and
 * files that all share (partners.c), with children (children.c). What it reads it verifies. A
 * failure prints seed, process, thread and operation; the same seed rolls the same dice, though
 * not the same interleaving. With --seconds, runs of --rounds follow each other until the time is
 * over, each with the next seed. It runs on Linux as well; ends with status 0 or 1.
 *
 * Tests: stress.* in tests/CMakeLists.txt; docs/testing.md tells how to let it run for hours.
 */
#include "stress.h"

#include <getopt.h>

struct stress stress = {.seed = 1, .processes = 3, .threads = 2, .rounds = 300};

static unsigned long seconds;

/* --- what a worker needs ---------------------------------------------------------------------- */

void stress_fail(const struct worker *worker, const char *file, int line, const char *format, ...)
{
	const char *slash = strrchr(file, '/');
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dprintf(STDOUT_FILENO,
		"stress: --seed %lu: process %u, thread %u, operation %lu (%s): %s:%d: %s\n",
		stress.seed, worker->process, worker->thread, worker->operation, worker->doing,
		slash ? slash + 1 : file, line, text);
	_exit(1);
}

int stress_load(const void *address, uint64_t *value)
{
	return try_load(address, value);
}

int stress_store(void *address, uint64_t value)
{
	return try_store(address, value);
}

/* --- workers ---------------------------------------------------------------------------------- */

static const struct {
	const struct operation *operations;
	const size_t *count;
} sets[] = {
	{region_operations, &region_operations_count},
	{partner_operations, &partner_operations_count},
	{child_operations, &child_operations_count},
};

static unsigned total_weight(void)
{
	unsigned sum = 0;

	for (size_t set = 0; set < ARRAY_LENGTH(sets); set++)
		for (size_t i = 0; i < *sets[set].count; i++)
			sum += sets[set].operations[i].weight;
	return sum;
}

static const struct operation *choose_operation(struct worker *worker)
{
	unsigned left = choose(worker, total_weight());

	for (size_t set = 0; set < ARRAY_LENGTH(sets); set++)
		for (size_t i = 0; i < *sets[set].count; i++) {
			const struct operation *operation = &sets[set].operations[i];

			if (left < operation->weight)
				return operation;
			left -= operation->weight;
		}
	abort();
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	worker->doing = "begin";
	regions_begin(worker);
	partner_begin(worker);
	for (worker->operation = 1; worker->operation <= stress.rounds; worker->operation++) {
		const struct operation *operation = choose_operation(worker);

		worker->doing = operation->name;
		operation->run(worker);
	}
	worker->doing = "end";
	regions_verify(worker);
	regions_end(worker);
	partner_end(worker);
	return NULL;
}

/* The seed of one worker: never 0, and different for each. */
static uint64_t worker_seed(unsigned process, unsigned thread)
{
	uint64_t dice = (stress.seed << 16 | process << 8 | thread) + 1;

	for (int i = 0; i < 20; i++)
		dice_roll(&dice);
	return dice;
}

static void run_process(unsigned process)
{
	struct worker workers[stress.threads];
	pthread_t threads[stress.threads];

	race_catch_faults();
	partners_enter();
	for (unsigned i = 0; i < stress.threads; i++)
		workers[i] = (struct worker){
			.process = process, .thread = i, .dice = worker_seed(process, i)};
	for (unsigned i = 1; i < stress.threads; i++)
		must(&workers[i], pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
	work(&workers[0]);
	for (unsigned i = 1; i < stress.threads; i++)
		must(&workers[i], pthread_join(threads[i], NULL) == 0);
}

/* --- a run ------------------------------------------------------------------------------------ */

/* One seed; false if a process failed, after which the others are ended. */
static bool run_seed(void)
{
	pid_t pids[stress.processes];
	bool good = true;

	partners_make();
	for (unsigned i = 0; i < stress.processes; i++) {
		pids[i] = fork_party();
		if (pids[i] == 0) {
			run_process(i);
			_exit(0);
		}
	}
	for (unsigned left = stress.processes; left > 0; left--) {
		int status;
		pid_t pid = wait(&status);

		if (pid > 0 && status == 0)
			continue;
		if (good)
			dprintf(STDOUT_FILENO, "stress: --seed %lu: a process ended with 0x%x\n",
				stress.seed, status);
		good = false;
		for (unsigned i = 0; i < stress.processes; i++)
			if (pids[i] != pid)
				kill(pids[i], SIGKILL); /* not reaped yet, or of nobody */
	}
	if (good)
		partners_check();
	return good;
}

static void usage(void)
{
	dprintf(STDERR_FILENO, "usage: stress [--seed N] [--rounds N | --seconds N] "
			       "[--processes N] [--threads N]\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'},
		{"rounds", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 'S'},
		{"processes", required_argument, NULL, 'p'},
		{"threads", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned long value = option == '?' ? 0 : strtoul(optarg, NULL, 0);

		if (option == '?' || value == 0)
			usage();
		if (option == 's')
			stress.seed = value;
		else if (option == 'r')
			stress.rounds = value;
		else if (option == 'S')
			seconds = value;
		else if (option == 'p')
			stress.processes = value < 64 ? (unsigned)value : 64;
		else
			stress.threads = value < 64 ? (unsigned)value : 64;
	}
	if (optind < argc)
		usage();
}

int main(int argc, char **argv)
{
	struct timespec begin, now;
	uint64_t runs = 0;

	parse(argc, argv);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		if (!run_seed())
			return 1;
		runs++;
		stress.seed++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < (time_t)seconds);
	printf("stress: %lu runs, the last with --seed %lu, of %u processes with %u threads and "
	       "%lu operations each: all verified\n",
	       runs, stress.seed - 1, stress.processes, stress.threads, stress.rounds);
	return 0;
}
