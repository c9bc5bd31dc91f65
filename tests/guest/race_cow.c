/*
 * race_cow.c - copying after fork, with others looking on and writing at the same time.
 *
 * One child holds all pages of a range, so that each page is one round: its first store must
 * copy. What may go wrong: a thread that still reads the old page through its TLB; two copies of
 * which one is lost; a page taken over by its last holder while a holder is being made; a store
 * that lands in the child's page.
 */
#include "race.h"

#define PAGES 128
#define OLD 1 /* what each page's words hold before the fork */

static char *map;

/* A child that keeps every page of `map`, until told; then it expects them untouched. */
struct keeper {
	struct gate end;
	pid_t pid;
};

static void expect_words(size_t word, uint64_t value)
{
	for (size_t page = 0; page < PAGES; page++)
		expect_equal(atomic_load(page_word(map, page) + word), value);
}

/* Page p's first word is OLD + p * growth. */
static void keeper_fork(struct keeper *keeper, uint64_t growth)
{
	gate_make(&keeper->end);
	keeper->pid = fork_party();
	if (keeper->pid == 0) {
		close(keeper->end.fds[1]);
		gate_pass(&keeper->end);
		for (size_t page = 0; page < PAGES; page++)
			expect_equal(*page_word(map, page), OLD + page * growth);
		for (size_t word = 1; word < 4; word++)
			expect_words(word, OLD);
		child_end();
	}
}

static void keeper_end(struct keeper *keeper)
{
	gate_open(&keeper->end);
	expect_exit(keeper->pid, 0);
	close(keeper->end.fds[0]);
	close(keeper->end.fds[1]);
}

static void map_fill(void)
{
	for (size_t page = 0; page < PAGES; page++)
		for (size_t word = 0; word < 4; word++)
			atomic_store(page_word(map, page) + word, OLD);
}

/* --- one writes, two watch -------------------------------------------------------------------- */

static _Atomic uint64_t highest; /* word seen by anybody: page p holds 16p + OLD and onwards */
static _Atomic size_t at_page;	 /* the page in work */
static _Atomic unsigned ready;	 /* watchers that have read the old page, over all rounds */

static void watch_page(size_t page)
{
	_Atomic uint64_t *word = page_word(map, page);
	uint64_t seen, value;
	unsigned turns = 0;

	expect_equal(atomic_load(word), 16 * page + OLD);
	atomic_fetch_add(&ready, 1);
	while (atomic_load(&at_page) == page) {
		seen = atomic_load(&highest);
		value = atomic_load(word);
		if (value < seen && seen < 16 * page + 16)
			tap_fail(HERE, "page %zu: read %lu after somebody had seen %lu", page,
				 value, seen);
		if (value > seen)
			atomic_compare_exchange_strong(&highest, &seen, value);
		race_pause(&turns);
	}
}

static void *watch_pages(void *round)
{
	(void)round;
	for (size_t page = 0; page < PAGES; page++) {
		unsigned turns = 0;

		while (atomic_load(&at_page) < page)
			race_pause(&turns);
		if (atomic_load(&at_page) == page)
			watch_page(page);
	}
	return NULL;
}

/* Store to each page once both have the old one in their TLBs; the first store copies. */
static void write_watched_pages(void)
{
	for (size_t page = 0; page < PAGES; page++) {
		spin_until(atomic_load(&ready) == 2 * (page + 1));
		for (uint64_t value = 16 * page + OLD + 1; value < 16 * page + 8; value++)
			atomic_store(page_word(map, page), value);
		atomic_store(&at_page, page + 1);
	}
}

static void nobody_reads_the_old_page(void)
{
	map = map_anon(PAGES * PAGE, RW, MAP_PRIVATE);
	map_fill();
	for (int round = 0; round < 4; round++) {
		pthread_t watchers[2];
		struct keeper keeper;

		for (size_t page = 0; page < PAGES; page++)
			atomic_store(page_word(map, page), 16 * page + OLD);
		keeper_fork(&keeper, 16);
		atomic_store(&at_page, 0);
		atomic_store(&ready, 0);
		atomic_store(&highest, 0);
		thread_start(&watchers[0], watch_pages, NULL);
		thread_start(&watchers[1], watch_pages, NULL);
		write_watched_pages();
		thread_join(watchers[0]);
		thread_join(watchers[1]);
		keeper_end(&keeper);
	}
}

/* --- two threads copy one page ---------------------------------------------------------------- */

static _Atomic unsigned arrivals;

static void *write_own_word(void *number)
{
	size_t word = (size_t)number;

	for (size_t page = 0; page < PAGES; page++) {
		meet(&arrivals, 2, (unsigned)page + 1);
		atomic_store(page_word(map, page) + word, 10 + word);
		expect_equal(atomic_load(page_word(map, page) + word), 10 + word);
	}
	return NULL;
}

static void two_copy_at_once(void)
{
	map = map_anon(PAGES * PAGE, RW, MAP_PRIVATE);
	for (int round = 0; round < 4; round++) {
		struct keeper keeper;
		pthread_t thread;

		map_fill();
		keeper_fork(&keeper, 0);
		atomic_store(&arrivals, 0);
		thread_start(&thread, write_own_word, (void *)1L);
		write_own_word((void *)2L);
		thread_join(thread);
		expect_words(0, OLD);
		expect_words(1, 11);
		expect_words(2, 12);
		keeper_end(&keeper);
	}
}

/* --- sharers in different processes ----------------------------------------------------------- */

/* Page by page together with the other processes: each writes its own number and keeps it. */
static void write_together(_Atomic unsigned *together, unsigned parties, uint64_t number)
{
	for (size_t page = 0; page < PAGES; page++) {
		meet(together, parties, (unsigned)page + 1);
		expect_equal(atomic_load(page_word(map, page)), OLD);
		atomic_store(page_word(map, page), number);
		expect_equal(atomic_load(page_word(map, page)), number);
	}
	expect_words(0, number);
	expect_words(1, OLD);
}

static void both_unshare_at_once(void)
{
	_Atomic unsigned *together = (_Atomic unsigned *)map_shared(PAGE);

	map = map_anon(PAGES * PAGE, RW, MAP_PRIVATE);
	for (int round = 0; round < 4; round++) {
		pid_t pid;

		map_fill();
		atomic_store(together, 0);
		pid = fork_party();
		write_together(together, 2, pid == 0 ? 20 : 21);
		if (pid == 0)
			child_end();
		expect_exit(pid, 0);
		expect_words(0, 21);
	}
}

static void three_generations_at_once(void)
{
	_Atomic unsigned *together = (_Atomic unsigned *)map_shared(PAGE);

	map = map_anon(PAGES * PAGE, RW, MAP_PRIVATE);
	for (int round = 0; round < 4; round++) {
		pid_t child, grandchild;

		map_fill();
		atomic_store(together, 0);
		child = fork_party();
		if (child == 0) {
			grandchild = fork_party();
			write_together(together, 3, grandchild == 0 ? 30 : 31);
			if (grandchild != 0)
				expect_exit(grandchild, 0);
			child_end();
		}
		write_together(together, 3, 32);
		expect_exit(child, 0);
		expect_words(0, 32);
	}
}

/* The child lets go of each page just when the parent, soon its last holder, stores to it. */
static void last_holder_against_release(void)
{
	_Atomic unsigned *together = (_Atomic unsigned *)map_shared(PAGE);

	map = map_anon(PAGES * PAGE, RW, MAP_PRIVATE);
	for (int round = 0; round < 4; round++) {
		pid_t pid;

		map_fill();
		atomic_store(together, 0);
		pid = fork_party();
		if (pid == 0) {
			for (size_t page = 0; page < PAGES; page++) {
				meet(together, 2, (unsigned)page + 1);
				expect(munmap(map + page * PAGE, PAGE) == 0);
			}
			child_end();
		}
		write_together(together, 2, 40);
		expect_exit(pid, 0);
		expect_words(0, 40);
	}
}

/* --- fork while other threads write ----------------------------------------------------------- */

#define WRITERS 2
#define RING 16 /* pages of each writer */

static _Atomic bool stop;

/* Store 1 into every page of the own ring, first to last, then 2, 3... */
static void *write_ring(void *number)
{
	char *ring = map + (size_t)number * RING * PAGE;

	for (uint64_t value = 1; !atomic_load(&stop); value++)
		for (size_t page = 0; page < RING; page++) {
			*page_word(ring, page) = value;
			*(page_word(ring, page) + PAGE / 16) = value;
		}
	return NULL;
}

/* The ring as one instant of its writer: value up to some page, value - 1 behind it. */
static void expect_snapshot(char *ring, uint64_t least)
{
	uint64_t first = *page_word(ring, 0), value, before = first;

	expect(first >= least);
	for (size_t page = 0; page < RING; page++) {
		value = *page_word(ring, page);
		if (value > before || value + 1 < first)
			tap_fail(HERE, "page %zu holds %lu, the first %lu, the one before %lu",
				 page, value, first, before);
		if (*(page_word(ring, page) + PAGE / 16) + 1 < value)
			tap_fail(HERE, "the words of page %zu are %lu and %lu", page, value,
				 *(page_word(ring, page) + PAGE / 16));
		before = value;
	}
}

/* In the child: a snapshot that stays one, and that it can write without the parent's seeing it. */
static void check_child(const uint64_t *least)
{
	uint64_t first[WRITERS];

	for (size_t i = 0; i < WRITERS; i++) {
		expect_snapshot(map + i * RING * PAGE, least[i]);
		first[i] = *page_word(map, i * RING);
	}
	sched_yield();
	for (size_t i = 0; i < WRITERS; i++) {
		expect_snapshot(map + i * RING * PAGE, least[i]);
		expect_equal(*page_word(map, i * RING), first[i]);
	}
	for (size_t page = 0; page < WRITERS * RING; page++)
		*page_word(map, page) = UINT64_MAX;
}

static void snapshots_of_writers(void)
{
	pthread_t writers[WRITERS];
	uint64_t least[WRITERS];

	map = map_anon(WRITERS * RING * PAGE, RW, MAP_PRIVATE);
	for (size_t i = 0; i < WRITERS; i++)
		thread_start(&writers[i], write_ring, (void *)i);
	for (int round = 0; round < 100; round++) {
		pid_t pid;

		for (size_t i = 0; i < WRITERS; i++)
			least[i] = *page_word(map, i * RING);
		pid = fork_party();
		if (pid == 0) {
			check_child(least);
			child_end();
		}
		if (round % 4 != 0) /* with and without a child still at work at the next fork */
			expect_exit(pid, 0);
	}
	while (wait(NULL) > 0)
		;
	atomic_store(&stop, true);
	for (size_t i = 0; i < WRITERS; i++) {
		thread_join(writers[i]);
		expect_snapshot(map + i * RING * PAGE, least[i]);
		expect(*page_word(map, (i + 1) * RING - 1) == *page_word(map, i * RING));
	}
}

/* Two threads fork at once, each child sees what its own parent thread wrote last. */
static void *fork_often(void *number)
{
	_Atomic uint64_t *word = page_word(map, (size_t)number);

	for (uint64_t round = 1; round <= 40; round++) {
		pid_t pid;

		atomic_store(word, round);
		pid = fork_party();
		if (pid == 0) {
			expect_equal(atomic_load(word), round);
			atomic_store(word, UINT64_MAX);
			child_end();
		}
		expect_exit(pid, 0);
		expect_equal(atomic_load(word), round);
	}
	return NULL;
}

static void threads_fork_at_once(void)
{
	pthread_t thread;

	map = map_anon(2 * PAGE, RW, MAP_PRIVATE);
	thread_start(&thread, fork_often, (void *)1L);
	fork_often((void *)0L);
	thread_join(thread);
}

static const struct tap_case cases[] = {
	{"nobody reads the old page after another has seen the new", nobody_reads_the_old_page},
	{"two threads copy the same page at once", two_copy_at_once},
	{"parent and child unshare the same pages at once", both_unshare_at_once},
	{"three generations unshare the same pages at once", three_generations_at_once},
	{"the last holder writes while the other lets go", last_holder_against_release},
	{"threads write during fork: each child is a snapshot", snapshots_of_writers},
	{"two threads fork at once", threads_fork_at_once},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
