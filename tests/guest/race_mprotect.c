/*
 * race_mprotect.c - taking rights away from threads that use them.
 *
 * After mprotect has returned, no processor may go on with the rights of before: a page that
 * became read-only does not change any more, one that became PROT_NONE is not read. With another
 * process sharing the pages copy-on-write, giving the rights back must not show it a store.
 */
#include "race.h"

#define PAGES 8
#define ROUNDS 150
#define THREADS 2

static char *map;
static _Atomic unsigned step; /* odd: the rights are gone, for sure; even: on the way */
static _Atomic bool stop;

/* Each thread counts in words of its own, a word in every page. */
static _Atomic uint64_t *word_of(size_t thread, size_t page)
{
	return page_word(map, page) + thread;
}

static void *store_on(void *number)
{
	size_t thread = (size_t)number;

	for (uint64_t value = 1; !atomic_load(&stop); value++)
		for (size_t page = 0; page < PAGES; page++) {
			unsigned before = atomic_load(&step);
			int signal = try_store((void *)word_of(thread, page), value);

			if (before % 2 == 1 && before == atomic_load(&step) && signal != SIGSEGV)
				tap_fail(HERE, "a store to page %zu after mprotect returned", page);
		}
	return NULL;
}

static void snapshot(uint64_t words[THREADS][PAGES])
{
	for (size_t thread = 0; thread < THREADS; thread++)
		for (size_t page = 0; page < PAGES; page++)
			words[thread][page] = atomic_load(word_of(thread, page));
}

static void start(pthread_t *threads, void *(*run)(void *))
{
	race_catch_faults();
	for (size_t i = 0; i < THREADS; i++)
		thread_start(&threads[i], run, (void *)i);
}

static void end(pthread_t *threads)
{
	atomic_store(&stop, true);
	for (size_t i = 0; i < THREADS; i++)
		thread_join(threads[i]);
}

/* While the pages are read-only, nothing in them moves. */
static void expect_still(void)
{
	uint64_t then[THREADS][PAGES], now[THREADS][PAGES];

	snapshot(then);
	for (int look = 0; look < 8; look++) {
		linger(8 * look);
		snapshot(now);
		expect(memcmp(then, now, sizeof(then)) == 0);
	}
}

static void take_rights_from_writers(void)
{
	pthread_t threads[THREADS];

	start(threads, store_on);
	for (int round = 0; round < race_rounds(ROUNDS); round++) {
		expect(mprotect(map, PAGES * PAGE, PROT_READ) == 0);
		atomic_fetch_add(&step, 1);
		expect_still();
		atomic_fetch_add(&step, 1);
		expect(mprotect(map, PAGES * PAGE, RW) == 0);
		sched_yield();
	}
	end(threads);
}

static void no_store_lands(void)
{
	map = map_enclosed(PAGES * PAGE);
	take_rights_from_writers();
}

static void no_store_lands_in_a_file(void)
{
	int fd;

	scratch_enter();
	fd = file_create("file", 0);
	expect(ftruncate(fd, PAGES * PAGE) == 0);
	map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);
	take_rights_from_writers();
}

/* --- PROT_NONE -------------------------------------------------------------------------------- */

static void *read_on(void *number)
{
	uint64_t value = 0;

	for (size_t page = (size_t)number; !atomic_load(&stop); page = (page + 1) % PAGES) {
		unsigned before = atomic_load(&step);
		int signal = try_load(page_word(map, page), &value);

		if (signal == 0 && value != page + 1)
			tap_fail(HERE, "page %zu reads 0x%lx", page, value);
		if (before % 2 == 1 && before == atomic_load(&step) && signal != SIGSEGV)
			tap_fail(HERE, "page %zu is readable after mprotect returned", page);
	}
	return NULL;
}

static void nothing_is_read(void)
{
	pthread_t threads[THREADS];

	map = map_enclosed(PAGES * PAGE);
	for (size_t page = 0; page < PAGES; page++)
		*page_word(map, page) = page + 1;
	start(threads, read_on);
	for (int round = 0; round < race_rounds(ROUNDS); round++) {
		expect(mprotect(map, PAGES * PAGE, PROT_NONE) == 0);
		atomic_fetch_add(&step, 1);
		linger(64);
		atomic_fetch_add(&step, 1);
		expect(mprotect(map, PAGES * PAGE, round % 2 ? RW : PROT_READ) == 0);
		sched_yield();
	}
	end(threads);
}

/* --- shared copy-on-write with a child -------------------------------------------------------- */

static void a_child_sees_no_store(void)
{
	pthread_t threads[THREADS];

	map = map_enclosed(PAGES * PAGE);
	start(threads, store_on);
	for (int round = 0; round < race_rounds(40); round++) {
		uint64_t then[THREADS][PAGES], now[THREADS][PAGES];
		pid_t pid;

		expect(mprotect(map, PAGES * PAGE, PROT_READ) == 0);
		pid = fork_party();
		if (pid == 0) {
			snapshot(then);
			for (int look = 0; look < 8; look++) {
				linger(64);
				snapshot(now);
				expect(memcmp(then, now, sizeof(then)) == 0);
			}
			child_end();
		}
		snapshot(then); /* still read-only here: the same as in the child */
		expect(mprotect(map, PAGES * PAGE, RW) == 0);
		expect_exit(pid, 0);
	}
	end(threads);
}

/* --- neighbours ------------------------------------------------------------------------------- */

/* Change the rights of every other page, and find them as changed, whatever the neighbours do. */
static void *protect_every_other(void *number)
{
	uint64_t value;

	for (uint64_t round = 0; round < ROUNDS / 2; round++)
		for (size_t page = (size_t)number; page < PAGES; page += THREADS) {
			char *at = map + page * PAGE;

			expect(try_store(at, round) == 0);
			expect(mprotect(at, PAGE, PROT_READ) == 0);
			expect(try_store(at, round + 1) == SIGSEGV);
			expect(try_load(at, &value) == 0 && value == round);
			expect(mprotect(at, PAGE, PROT_NONE) == 0);
			expect(try_load(at, &value) == SIGSEGV);
			expect(mprotect(at, PAGE, RW) == 0);
			expect(try_load(at, &value) == 0 && value == round);
		}
	return NULL;
}

static void neighbours_change_at_once(void)
{
	pthread_t threads[THREADS];

	map = map_enclosed(PAGES * PAGE);
	start(threads, protect_every_other);
	end(threads);
	expect_zone(map, PAGES * PAGE, "rw-p");
}

static const struct tap_case cases[] = {
	{"PROT_READ: no store lands once mprotect has returned", no_store_lands},
	{"the same in a shared mapping of a file", no_store_lands_in_a_file},
	{"PROT_NONE: nothing is read, and contents are kept", nothing_is_read},
	{"rights given back do not reach into a child", a_child_sees_no_store},
	{"threads change rights of neighbouring pages at once", neighbours_change_at_once},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
