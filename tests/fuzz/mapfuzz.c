/*
 * mapfuzz.c - random sequences of memory operations, and what a kernel made of them.
 *
 *   mapfuzz [--seed N] [--count N] [--ops N] [--threads N] [--only LIST | --skip LIST]
 *           [--trace] [--plant N] [--serve]
 *
 * Each sequence is a process of its own, with as many threads as wanted, and prints one line, its
 * seed and the digest of all that the kernel answered: contents, errors, signals with address and
 * code. The same program runs on Linux and on stos; the lines must be equal. --trace prints each
 * operation and its answer. LIST is of THREAD.INDEX, and may be empty: with --only, all but those
 * operations are left out. --serve reads one "SEED LIST" after the other from standard input, the
 * list being --only's, and answers each with the line of that sequence, until the input ends.
 *
 * Called by tests/harness/fuzz_test.py and shrink.py. docs/testing.md tells how to use it.
 */
#include "mapfuzz.h"

#include <err.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEQUENCE_SECONDS 100 /* for hangs only */

struct options options = {.seed = 1, .count = 1, .operations = 100, .threads = 1};

static struct player *players; /* shared with the sequences' processes */

/* ---- options ---- */

/* Every operation of the list is left out, or every other one. */
static void parse_list(char *list, bool listed_is_left_out)
{
	memset(options.left_out, !listed_is_left_out, sizeof(options.left_out));
	for (char *item = strtok(list, ", \n"); item; item = strtok(NULL, ", \n")) {
		unsigned thread, index;

		if (sscanf(item, "%u.%u", &thread, &index) != 2 || thread >= THREADS_MAX ||
		    index >= OPERATIONS_MAX)
			errx(2, "no operation %s", item);
		options.left_out[thread][index] = listed_is_left_out;
	}
}

static bool parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{"seed", required_argument, NULL, 's'}, {"count", required_argument, NULL, 'c'},
		{"ops", required_argument, NULL, 'o'},	{"threads", required_argument, NULL, 't'},
		{"only", required_argument, NULL, 'y'}, {"skip", required_argument, NULL, 'n'},
		{"trace", no_argument, NULL, 'v'},	{"plant", required_argument, NULL, 'p'},
		{"serve", no_argument, NULL, 'e'},	{NULL, 0, NULL, 0},
	};
	bool serve = false;

	for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		if (option == 's')
			options.seed = strtoul(optarg, NULL, 0);
		else if (option == 'c')
			options.count = strtoul(optarg, NULL, 0);
		else if (option == 'o')
			options.operations = (unsigned)strtoul(optarg, NULL, 0);
		else if (option == 't')
			options.threads = (unsigned)strtoul(optarg, NULL, 0);
		else if (option == 'y' || option == 'n')
			parse_list(optarg, option == 'n');
		else if (option == 'v')
			options.trace = true;
		else if (option == 'p')
			options.plant = strtoul(optarg, NULL, 0);
		else if (option == 'e')
			serve = true;
		else
			exit(2);
	}
	if (options.threads < 1 || options.threads > THREADS_MAX ||
	    options.operations > OPERATIONS_MAX)
		errx(2, "1 to %u threads, up to %u operations", THREADS_MAX, OPERATIONS_MAX);
	return serve;
}

/* ---- a sequence ---- */

static void *play(void *argument)
{
	struct player *player = argument;

	player_run(player);
	player_verify(player);
	return NULL;
}

/* The players' files and arenas are there before the first thread begins. */
static void run_sequence(void)
{
	pthread_t threads[THREADS_MAX];

	faults_catch();
	for (unsigned i = 0; i < options.threads; i++)
		player_begin(&players[i], options.seed, i);
	for (unsigned i = 1; i < options.threads; i++)
		if (pthread_create(&threads[i], NULL, play, &players[i]))
			_exit(94);
	play(&players[0]);
	for (unsigned i = 1; i < options.threads; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static void report(int status)
{
	uint64_t digest = 0;

	for (unsigned i = 0; i < options.threads; i++)
		digest = (digest << 7 | digest >> 57) ^ players[i].digest;
	if (WIFSIGNALED(status))
		dprintf(STDOUT_FILENO, "seed %lu killed by SIG%s\n", options.seed,
			sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		dprintf(STDOUT_FILENO, "seed %lu status %d\n", options.seed, WEXITSTATUS(status));
	else
		dprintf(STDOUT_FILENO, "seed %lu digest %016lx\n", options.seed, digest);
}

static void sequence(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		alarm(SEQUENCE_SECONDS);
		run_sequence();
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		err(1, "fork or waitpid");
	report(status);
}

static void serve(void)
{
	static char line[THREADS_MAX * OPERATIONS_MAX * 8];

	while (fgets(line, sizeof(line), stdin)) {
		char *list;

		options.seed = strtoul(line, &list, 0);
		parse_list(list, false);
		sequence();
	}
}

int main(int argc, char **argv)
{
	bool serving = parse_options(argc, argv);

	players = mmap(NULL, sizeof(players[0]) * THREADS_MAX, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (players == MAP_FAILED)
		err(1, "mmap");
	if (serving) {
		serve();
		return 0;
	}
	for (uint64_t end = options.seed + options.count; options.seed < end; options.seed++)
		sequence();
	return 0;
}
