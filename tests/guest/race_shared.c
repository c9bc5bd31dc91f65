/*
 * race_shared.c - memory and files that several processes use at once.
 *
 * Counts by atomic instructions are exact, the first touch of a page happens once whoever comes
 * first, and a file is the same bytes through read, write and every mapping, whoever takes pages
 * away meanwhile.
 */
#include "race.h"

#include <linux/falloc.h>

#define PAGES 64
#define PARTIES 4 /* processes, one of them with a second thread */

static char *map;
static _Atomic unsigned *arrivals; /* in shared memory */

static void *add_to_pages(void *unused)
{
	for (size_t page = 0; page < PAGES; page++) {
		meet(arrivals, PARTIES + 1,
		     (unsigned)page + 1); /* the first touch of all at once */
		atomic_fetch_add(page_word(map, page), 1);
	}
	for (int round = 0; round < 200; round++)
		for (size_t page = 0; page < PAGES; page++)
			atomic_fetch_add(page_word(map, page) + 1, 1);
	return unused;
}

/* Run it in PARTIES processes and PARTIES + 1 threads. */
static void run_parties(void *(*run)(void *))
{
	pid_t pids[PARTIES - 1];
	pthread_t thread;

	arrivals = (_Atomic unsigned *)map_shared(PAGE);
	for (size_t i = 0; i < ARRAY_LENGTH(pids); i++) {
		pids[i] = fork_party();
		if (pids[i] == 0) {
			run((void *)(i + 2));
			child_end();
		}
	}
	thread_start(&thread, run, (void *)1L);
	run((void *)0L);
	thread_join(thread);
	for (size_t i = 0; i < ARRAY_LENGTH(pids); i++)
		expect_exit(pids[i], 0);
}

static void count_in_pages(void)
{
	run_parties(add_to_pages);
	for (size_t page = 0; page < PAGES; page++) {
		expect_equal(*page_word(map, page), PARTIES + 1);
		expect_equal(*(page_word(map, page) + 1), 200 * (PARTIES + 1));
	}
}

static void anonymous(void)
{
	map = map_shared(PAGES * PAGE);
	count_in_pages();
}

static void of_a_file(void)
{
	int fd;

	scratch_enter();
	fd = file_create("file", 0);
	expect(ftruncate(fd, PAGES * PAGE) == 0);
	map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);
	count_in_pages();
	for (size_t page = 0; page < PAGES; page++) {
		uint64_t words[2];

		expect(pread(fd, words, sizeof(words), (off_t)(page * PAGE)) == sizeof(words));
		expect(words[0] == PARTIES + 1 && words[1] == 200 * (PARTIES + 1));
	}
}

/* Each process maps the file anew for every page, and unmaps it: the count is the file's. */
static int count_file;

static void *map_and_add(void *unused)
{
	for (size_t round = 0; round < 100; round++)
		for (size_t page = 0; page < 4; page++) {
			char *own =
				map_file(count_file, PAGE, RW, MAP_SHARED, (off_t)(page * PAGE));

			atomic_fetch_add(page_word(own, 0), 1);
			expect(munmap(own, PAGE) == 0);
		}
	return unused;
}

static void mappings_of_their_own(void)
{
	scratch_enter();
	count_file = file_create("file", 0);
	expect(ftruncate(count_file, 4 * PAGE) == 0);
	run_parties(map_and_add);
	for (size_t page = 0; page < 4; page++) {
		uint64_t count;

		expect(pread(count_file, &count, 8, (off_t)(page * PAGE)) == 8);
		expect_equal(count, 100 * (PARTIES + 1));
	}
}

/* A lock of one atomic word guards what is counted by ordinary loads and stores. */
static void *count_under_lock(void *unused)
{
	_Atomic uint64_t *lock = page_word(map, 0);
	volatile uint64_t *guarded = (volatile uint64_t *)(map + PAGE);

	for (int round = 0; round < 2000; round++) {
		unsigned turns = 0;

		while (atomic_exchange(lock, 1) != 0)
			race_pause(&turns);
		guarded[0] = guarded[0] + 1;
		guarded[PAGE / 8] = guarded[0];
		atomic_store(lock, 0);
	}
	return unused;
}

static void guarded_by_a_lock(void)
{
	volatile uint64_t *guarded;

	map = map_shared(3 * PAGE);
	guarded = (volatile uint64_t *)(map + PAGE);
	run_parties(count_under_lock);
	expect_equal(guarded[0], 2000 * (PARTIES + 1));
	expect_equal(guarded[PAGE / 8], guarded[0]);
}

/* --- mappings against read and write ---------------------------------------------------------- */

#define TURNS 2000

/* One process writes the next number by pwrite, the other finds it in its mapping, and back. */
static void mapping_and_calls(void)
{
	_Atomic uint64_t *word;
	uint64_t number;
	pid_t pid;
	int fd;

	scratch_enter();
	fd = file_create("file", 0);
	expect(ftruncate(fd, 2 * PAGE) == 0);
	arrivals = (_Atomic unsigned *)map_shared(PAGE);
	pid = fork_party();
	word = (_Atomic uint64_t *)map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	for (uint64_t turn = 1; turn <= TURNS; turn++) {
		bool mine = turn % 2 == (pid == 0);

		if (mine && turn % 4 < 2) {
			atomic_store(word, turn);
			atomic_store(word + PAGE / 8, turn);
		} else if (mine) {
			expect(pwrite(fd, &turn, sizeof(turn), 0) == sizeof(turn));
			expect(pwrite(fd, &turn, sizeof(turn), (off_t)PAGE) == sizeof(turn));
		}
		meet(arrivals, 2, (unsigned)(2 * turn - 1));
		expect_equal(atomic_load(word), turn);
		expect_equal(atomic_load(word + PAGE / 8), turn);
		expect(pread(fd, &number, sizeof(number), (off_t)PAGE) == sizeof(number));
		expect_equal(number, turn);
		meet(arrivals, 2, (unsigned)(2 * turn));
	}
	if (pid == 0)
		child_end();
	expect_exit(pid, 0);
}

/* Processes append to one file through one open description: no byte is lost or torn apart. */
static void *append(void *number)
{
	char line[16];

	for (int round = 0; round < 200; round++) {
		memset(line, 'a' + (char)(size_t)number, sizeof(line));
		line[15] = '\n';
		expect(write(count_file, line, sizeof(line)) == sizeof(line));
	}
	return NULL;
}

static void appending(void)
{
	static char all[(PARTIES + 1) * 200 * 16];
	size_t counts[PARTIES + 1] = {0};

	scratch_enter();
	count_file = open("file", O_RDWR | O_CREAT | O_APPEND, 0644);
	run_parties(append);
	expect(pread(count_file, all, sizeof(all), 0) == sizeof(all));
	expect_equal(fd_size(count_file), sizeof(all));
	for (char *line = all; line < all + sizeof(all); line += 16) {
		for (int i = 1; i < 15; i++)
			expect(line[i] == line[0]);
		expect(line[15] == '\n' && line[0] >= 'a' && line[0] <= 'a' + PARTIES);
		counts[line[0] - 'a']++;
	}
	for (size_t i = 0; i <= PARTIES; i++)
		expect_equal(counts[i], 200);
}

/* --- holes ------------------------------------------------------------------------------------ */

#define BETWEEN 200 /* mappings that the page leaves after one party's and before the other's */

/* The other party finds each number that was stored, or the zeros of a hole made since. */
static void find_numbers(_Atomic uint64_t *word, _Atomic uint64_t *said, _Atomic uint64_t *heard,
			 uint64_t rounds)
{
	uint64_t wrong = 0;

	for (uint64_t round = 1; round <= rounds; round++) {
		uint64_t found;

		spin_until(atomic_load(said) >= round);
		found = atomic_load(word);
		wrong += found != round && found != 0;
		atomic_store(heard, round);
	}
	expect_equal(wrong, 0); /* not before: the other party would wait for ever */
}

/* While one process punches holes, two others never see two pages in the same place. */
static void holes(void)
{
	uint64_t rounds = (uint64_t)race_rounds(1000);
	_Atomic uint64_t *said = (_Atomic uint64_t *)map_shared(PAGE), *word, *far_word = NULL;
	pid_t puncher, finder;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	word = page_word(map_file(fd, PAGE, RW, MAP_SHARED, 0), 0);
	for (int i = 0; i <= BETWEEN; i++) {
		far_word = page_word(map_file(fd, PAGE, RW, MAP_SHARED, 0), 0);
		atomic_store(far_word, 0);
	}
	puncher = fork_party();
	while (puncher == 0)
		expect(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE) == 0);
	finder = fork_party();
	if (finder == 0) {
		find_numbers(far_word, said, said + 1, rounds);
		child_end();
	}
	for (uint64_t round = 1; round <= rounds; round++) {
		atomic_store(word, round);
		atomic_store(said, round);
		spin_until(atomic_load(said + 1) >= round);
	}
	expect_exit(finder, 0);
	expect(kill(puncher, SIGKILL) == 0);
	expect_killed(puncher, SIGKILL);
}

static const struct tap_case cases[] = {
	{"shared anonymous memory: first touches and counts", anonymous},
	{"a shared file: first touches and counts", of_a_file},
	{"processes map the same file again and again", mappings_of_their_own},
	{"a lock in shared memory guards ordinary words", guarded_by_a_lock},
	{"a mapping against pread and pwrite of another process", mapping_and_calls},
	{"processes append to one file", appending},
	{"holes are punched into what processes share", holes},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
