/*
 * race_writeback.c - stores that come while msync and fsync write back: none may be lost.
 *
 * Threads and processes store on through shared mappings while others write back. When all is
 * still, a last msync must have stored what memory holds. A file is looked at through read(2); on
 * stos, /dev/test-object also shows what its backing store holds, beyond the page cache.
 */
#include "race.h"

#define PAGES 16
#define ROUNDS 100
#define DEVICE "/dev/test-object"
#define STORE_OFFSET ((off_t)1 << 20) /* where the device shows its store */

static char *map;
static int file;
static _Atomic bool stop;

/* Count up in a word of its own in every page. */
static void *store_on(void *number)
{
	size_t word = (size_t)number;

	for (uint64_t value = 1; !atomic_load(&stop); value++)
		for (size_t page = 0; page < PAGES; page++) {
			_Atomic uint64_t *at = page_word(map, page) + word;

			atomic_store(at, value);
			expect_equal(atomic_load(at), value);
		}
	return NULL;
}

/* Add to words in every page from several threads: the sum is exact. */
static _Atomic uint64_t added;

static void *add_on(void *unused)
{
	while (!atomic_load(&stop))
		for (size_t page = 0; page < PAGES; page++) {
			atomic_fetch_add(page_word(map, page) + 8, 1);
			atomic_fetch_add(&added, 1);
		}
	return unused;
}

static void *fsync_on(void *unused)
{
	while (!atomic_load(&stop)) {
		expect(fsync(file) == 0);
		sched_yield();
	}
	return unused;
}

/* Write back all the time that `run` runs in two threads; then once more. */
static void write_back_against(void *(*run)(void *))
{
	pthread_t threads[3];

	thread_start(&threads[0], run, (void *)0L);
	thread_start(&threads[1], run, (void *)1L);
	thread_start(&threads[2], fsync_on, NULL);
	for (int round = 0; round < race_rounds(ROUNDS); round++) {
		expect(msync(map, PAGES * PAGE, round % 8 ? MS_SYNC : MS_ASYNC) == 0);
		sched_yield();
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < 3; i++)
		thread_join(threads[i]);
	expect(msync(map, PAGES * PAGE, MS_SYNC) == 0);
}

/* What is stored at this offset equals the mapping, byte for byte. */
static void expect_stored(off_t offset)
{
	char stored[PAGE];

	for (size_t page = 0; page < PAGES; page++) {
		off_t at = offset + (off_t)(page * PAGE);

		expect(pread(file, stored, PAGE, at) == (ssize_t)PAGE);
		if (memcmp(stored, map + page * PAGE, PAGE) != 0)
			tap_fail(HERE, "page %zu differs from what is stored", page);
	}
}

static void expect_sum(void)
{
	uint64_t sum = 0;

	for (size_t page = 0; page < PAGES; page++)
		sum += atomic_load(page_word(map, page) + 8);
	expect_equal(sum, atomic_load(&added));
}

static void file_make(void)
{
	scratch_enter();
	file = file_create("file", 0);
	expect(ftruncate(file, PAGES * PAGE) == 0);
	map = map_file(file, PAGES * PAGE, RW, MAP_SHARED, 0);
}

static void device_make(void)
{
	file = open(DEVICE, O_RDWR);
	if (file < 0 && errno == ENOENT)
		tap_skip("no " DEVICE);
	expect(file >= 0);
	map = map_file(file, PAGES * PAGE, RW, MAP_SHARED, 0);
}

static void stores_to_a_file(void)
{
	file_make();
	write_back_against(store_on);
	expect_stored(0);
}

static void sums_in_a_file(void)
{
	file_make();
	write_back_against(add_on);
	expect_sum();
	expect_stored(0);
}

static void stores_to_the_device(void)
{
	device_make();
	write_back_against(store_on);
	expect_stored(STORE_OFFSET);
}

static void sums_in_the_device(void)
{
	device_make();
	write_back_against(add_on);
	expect_sum();
	expect_stored(STORE_OFFSET);
}

/* Unmapping by a process that stored: its last stores are dirt for the next write-back. */
static void unmapped_by_processes(void)
{
	device_make();
	for (uint64_t round = 1; round <= 30; round++) {
		pid_t pids[2];

		for (size_t i = 0; i < 2; i++) {
			pids[i] = fork_party();
			if (pids[i] == 0) {
				for (size_t page = i; page < PAGES; page += 2)
					atomic_store(page_word(map, page), round);
				if (round % 2 == 0)
					expect(munmap(map, PAGES * PAGE) == 0);
				child_end();
			}
		}
		for (int sync = 0; sync < 5; sync++)
			expect(msync(map, PAGES * PAGE, MS_SYNC) == 0);
		expect_exit(pids[0], 0);
		expect_exit(pids[1], 0);
		expect(fsync(file) == 0);
		for (size_t page = 0; page < PAGES; page++)
			expect_equal(*page_word(map, page), round);
		expect_stored(STORE_OFFSET);
	}
}

static const struct tap_case cases[] = {
	{"stores to a file during write-back", stores_to_a_file},
	{"sums in a file during write-back", sums_in_a_file},
	{"stores to the test device reach its store", stores_to_the_device},
	{"sums in the test device reach its store", sums_in_the_device},
	{"stores of processes that unmap and end", unmapped_by_processes},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
