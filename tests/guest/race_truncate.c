/*
 * race_truncate.c - a file that shrinks under those who use it.
 *
 * The main thread cuts the file and fills it anew, generation after generation, counting `step` as
 * race_unmap.c does: 4g + 1 is full with generation g, 4g + 3 is empty, even numbers are on the
 * way. An access gets SIGBUS or data of then or now: never contents from before a truncation that
 * has returned, never another page's or another file's.
 */
#include "race.h"

#define PAGES 8
#define BYTES (PAGES * PAGE)
#define ROUNDS 80
#define FOREIGN 0xdead0000dead0000

enum phase { FILLING, FULL, CUTTING, EMPTY };

static char *map;
static int file;
static _Atomic uint64_t step;
static _Atomic bool stop;

static uint64_t stamp_of(size_t page, uint64_t generation)
{
	return (uint64_t)(page + 1) << 32 | generation;
}

static void enter(uint64_t generation, enum phase phase)
{
	atomic_store(&step, 4 * generation + phase);
}

/* Take frames that were just freed for something else. */
static void reuse_frames(void)
{
	static char *pool;

	if (pool == NULL)
		pool = map_anon(BYTES, RW, MAP_PRIVATE);
	for (size_t page = 0; page < PAGES; page++)
		*page_word(pool, page) = FOREIGN;
	expect(madvise(pool, BYTES, MADV_DONTNEED) == 0);
}

static void fill(uint64_t generation)
{
	expect(ftruncate(file, BYTES) == 0);
	for (size_t page = 0; page < PAGES; page++) {
		uint64_t stamp = stamp_of(page, generation);

		expect(pwrite(file, &stamp, sizeof(stamp), (off_t)(page * PAGE)) == 8);
	}
}

/* Run the threads while the file goes from full to `left` bytes and back. */
static void play(void *(*run)(void *), off_t left)
{
	uint64_t rounds = (uint64_t)race_rounds(ROUNDS);
	pthread_t threads[2];

	for (size_t i = 0; i < 2; i++)
		thread_start(&threads[i], run, (void *)i);
	for (uint64_t generation = 1; generation <= rounds; generation++) {
		enter(generation, FILLING);
		fill(generation);
		enter(generation, FULL);
		sched_yield();
		enter(generation, CUTTING);
		expect(ftruncate(file, left) == 0);
		enter(generation, EMPTY);
		reuse_frames();
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < 2; i++)
		thread_join(threads[i]);
}

/* The file, empty at first, and its mapping. */
static void make(int flags)
{
	race_catch_faults();
	scratch_enter();
	file = file_create("file", 0);
	map = map_file(file, BYTES, RW, flags, 0);
	enter(0, EMPTY);
}

/* A value read of a page between two looks at `step` is zero or a stamp of that time. */
static void expect_current(size_t page, uint64_t value, uint64_t before, uint64_t after)
{
	for (uint64_t generation = (before + 1) / 4; generation <= after / 4; generation++)
		if (value == stamp_of(page, generation))
			return;
	if (value != 0)
		tap_fail(HERE, "page %zu is 0x%lx, steps %lu to %lu", page, value, before, after);
}

/* --- loads ------------------------------------------------------------------------------------ */

static void *load_on(void *number)
{
	uint64_t before, after, value = 0;
	int signal;

	for (size_t page = (size_t)number; !atomic_load(&stop); page = (page + 1) % PAGES) {
		before = atomic_load(&step);
		signal = try_load(map + page * PAGE, &value);
		after = atomic_load(&step);
		if (signal == 0)
			expect_current(page, value, before, after);
		if (before != after)
			continue;
		if (before % 4 == FULL)
			expect(signal == 0 && value == stamp_of(page, before / 4));
		if (before % 4 == EMPTY)
			expect_equal(signal, SIGBUS);
	}
	return NULL;
}

static void loads_of_a_shared_mapping(void)
{
	make(MAP_SHARED);
	play(load_on, 0);
}

static void loads_of_a_private_mapping(void)
{
	make(MAP_PRIVATE);
	play(load_on, 0);
}

/* --- stores ----------------------------------------------------------------------------------- */

/* Store into the second half of each page, and find it, unless it was cut away meanwhile. */
static void *store_on(void *number)
{
	size_t word = 300 + (size_t)number;

	for (uint64_t round = 1; !atomic_load(&stop); round++) {
		size_t page = round % PAGES;
		_Atomic uint64_t *at = page_word(map, page) + word;
		uint64_t before = atomic_load(&step), value = 0;
		int stored = try_store((void *)at, round);
		int loaded = try_load((void *)at, &value);

		if (stored == 0 && loaded == 0 && value != round && value != 0)
			tap_fail(HERE, "stored %lu, found %lu", round, value);
		if (before != atomic_load(&step))
			continue;
		if (before % 4 == FULL)
			expect(stored == 0 && loaded == 0 && value == round);
		if (before % 4 == EMPTY)
			expect(stored == SIGBUS && loaded == SIGBUS);
	}
	return NULL;
}

static void stores_to_a_shared_mapping(void)
{
	make(MAP_SHARED);
	play(store_on, 0);
}

/* Private copies behind the new end go with the file's pages. */
static void stores_to_a_private_mapping(void)
{
	make(MAP_PRIVATE);
	play(store_on, 0);
}

/* --- read(2) and write(2) --------------------------------------------------------------------- */

static void *read_on(void *number)
{
	uint64_t before, after, value;
	ssize_t got;

	for (size_t page = (size_t)number; !atomic_load(&stop); page = (page + 1) % PAGES) {
		before = atomic_load(&step);
		got = pread(file, &value, sizeof(value), (off_t)(page * PAGE));
		after = atomic_load(&step);
		expect(got == 0 || got == sizeof(value));
		if (got != 0)
			expect_current(page, value, before, after);
		if (before == after && before % 4 == EMPTY)
			expect_equal(got, 0);
		if (before == after && before % 4 == FULL)
			expect(got != 0 && value == stamp_of(page, before / 4));
	}
	return NULL;
}

static void reads(void)
{
	make(MAP_SHARED);
	play(read_on, 0);
}

/* The mapping as buffer of read and write: EFAULT or short, in place of SIGBUS. */
static void *copy_on(void *number)
{
	struct gate through;
	char buffer[PAGE];
	ssize_t got;

	gate_make(&through);
	for (size_t page = (size_t)number; !atomic_load(&stop); page = (page + 1) % PAGES) {
		got = write(through.fds[1], map + page * PAGE, PAGE);
		expect(got == -1 ? errno == EFAULT : got > 0 && got <= (ssize_t)PAGE);
		if (got > 0)
			expect_equal(read(through.fds[0], buffer, PAGE), got);
	}
	return NULL;
}

static void mapping_as_buffer(void)
{
	make(MAP_SHARED);
	play(copy_on, 0);
}

/* --- the last page ---------------------------------------------------------------------------- */

/* The file is cut inside page 0: what stays is read throughout, what comes back is zero. */
static void *load_around_the_end(void *number)
{
	uint64_t before, kept = 0, cut = 0;

	(void)number;
	while (!atomic_load(&stop)) {
		before = atomic_load(&step);
		if (before / 4 == 0)
			continue; /* still empty as made */
		expect(try_load(map, &kept) == 0 && kept >> 32 == 1);
		expect(try_load(map + 2048, &cut) == 0);
		if (before == atomic_load(&step) && before % 4 == EMPTY)
			expect_equal(cut, 0);
		if (cut != 0)
			tap_fail(HERE, "0x%lx behind the end, step %lu", cut, before);
	}
	return NULL;
}

static void cut_inside_a_page(void)
{
	make(MAP_SHARED);
	fill(0); /* from here on at least 8 bytes are always there */
	play(load_around_the_end, 8);
}

/* --- the pages around ------------------------------------------------------------------------- */

#define AROUND 40 /* more than one fault maps */

/* A load of page 1 looks at the pages behind it too, while they are cut off. */
static void *load_with_those_behind(void *unused)
{
	uint64_t value = 0;

	while (!atomic_load(&stop)) {
		int signal = try_load(map + PAGE, &value);

		expect(signal == 0 ? value == stamp_of(0, 1) || value == 0 : signal == SIGBUS);
		expect(madvise(map, 2 * PAGE, MADV_DONTNEED) == 0);
	}
	return unused;
}

static void cut_behind_a_load(void)
{
	int rounds = race_rounds(ROUNDS * 20);
	pthread_t thread;
	uint64_t *data;

	make(MAP_SHARED);
	map = map_file(file, AROUND * PAGE, PROT_READ, MAP_SHARED, 0);
	data = (uint64_t *)map_anon(AROUND * PAGE, RW, MAP_PRIVATE);
	for (size_t word = 0; word < AROUND * PAGE / sizeof(*data); word++)
		data[word] = stamp_of(0, 1);
	thread_start(&thread, load_with_those_behind, NULL);
	for (int round = 0; round < rounds; round++) {
		expect(pwrite(file, data, AROUND * PAGE, 0) == AROUND * PAGE);
		expect(ftruncate(file, PAGE) == 0);
	}
	atomic_store(&stop, true);
	thread_join(thread);
}

static const struct tap_case cases[] = {
	{"loads through a shared mapping", loads_of_a_shared_mapping},
	{"loads through a private mapping", loads_of_a_private_mapping},
	{"stores through a shared mapping", stores_to_a_shared_mapping},
	{"stores through a private mapping", stores_to_a_private_mapping},
	{"read(2)", reads},
	{"write(2) from the mapping", mapping_as_buffer},
	{"a cut inside a page", cut_inside_a_page},
	{"a cut behind a page that is being loaded", cut_behind_a_load},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
