/*
 * race_unmap.c - taking memory away from under its readers: munmap, MAP_FIXED, MADV_DONTNEED,
 * mremap.
 *
 * The main thread takes the mapping through two states, A and B, again and again, and counts
 * `step`: 4g is on the way to A in generation g, 4g + 1 is A, 4g + 2 on the way to B, 4g + 3 is B.
 * Readers look at the step before and after an access. On the way they may read what was or what
 * comes; in a state exactly what it says. Freed frames are handed out again at once, with a
 * foreign mark in them: a stale TLB entry shows it.
 */
#include "race.h"

#define PAGES 8
#define ROUNDS 150
#define READERS 2
#define FOREIGN 0xdead0000dead0000 /* what is written into memory that readers do not know */

enum phase { TO_A, A, TO_B, B };

static char *map, *pool; /* what is read; where freed frames turn up again */
static uint64_t rounds;
static _Atomic uint64_t step;
static _Atomic bool stop;

static uint64_t stamp_of(size_t page, uint64_t generation)
{
	return (uint64_t)(page + 1) << 32 | generation;
}

static void stamp_pages(char *memory, uint64_t generation)
{
	for (size_t page = 0; page < PAGES; page++)
		atomic_store(page_word(memory, page), stamp_of(page, generation));
}

/* Take frames, most likely those that were just freed, mark them and give them back. */
static void reuse_frames(void)
{
	for (size_t page = 0; page < PAGES; page++)
		atomic_store(page_word(pool, page), FOREIGN);
	expect(madvise(pool, PAGES * PAGE, MADV_DONTNEED) == 0);
}

static void enter(uint64_t generation, enum phase phase)
{
	atomic_store(&step, 4 * generation + phase);
}

/* What a reader got from a page between two looks at `step`. */
struct sight {
	uint64_t before, after; /* the step */
	size_t page;
	int signal;
	uint64_t value; /* if signal is 0 */
};

static void look(struct sight *sight, const char *memory, size_t page)
{
	sight->page = page;
	sight->before = atomic_load(&step);
	sight->signal = try_load(memory + page * PAGE, &sight->value);
	sight->after = atomic_load(&step);
}

/* The phase, if nothing changed during the access; -1 otherwise. */
static int phase_of(const struct sight *sight)
{
	return sight->before == sight->after ? (int)(sight->before % 4) : -1;
}

static bool is_stamp(const struct sight *sight)
{
	uint64_t first = (sight->before + 1) / 4; /* in state B the old contents are gone */

	for (uint64_t generation = first; generation <= sight->after / 4; generation++)
		if (sight->value == stamp_of(sight->page, generation))
			return true;
	return false;
}

#define expect_sight(sight, condition)                                                             \
	do {                                                                                       \
		if (!(condition))                                                                  \
			tap_fail(HERE,                                                             \
				 "expected %s: page %zu, steps %lu to %lu, signal %d, value "      \
				 "0x%lx",                                                          \
				 #condition, (sight)->page, (sight)->before, (sight)->after,       \
				 (sight)->signal, (sight)->value);                                 \
	} while (0)

/* --- the frame of all cases ------------------------------------------------------------------- */

/* What a case does with PAGES pages at `map`, and what its readers may see. */
struct plot {
	void (*to_a)(uint64_t generation);
	void (*to_b)(uint64_t generation);
	void (*judge)(const struct sight *sight);
};

static const struct plot *plot;

static void *read_pages(void *number)
{
	struct sight sight;

	for (size_t page = (size_t)number; !atomic_load(&stop); page = (page + 1) % PAGES) {
		look(&sight, map, page);
		plot->judge(&sight);
	}
	return NULL;
}

static void play(const struct plot *what)
{
	pthread_t readers[READERS];
	char *range = map_anon((2 * PAGES + 3) * PAGE, PROT_NONE, MAP_PRIVATE);

	plot = what;
	race_catch_faults();
	map = range + PAGE; /* with neighbours, so that unmapping splits a zone */
	pool = map_fixed(range + (PAGES + 2) * PAGE, PAGES * PAGE, RW);
	for (size_t i = 0; i < READERS; i++)
		thread_start(&readers[i], read_pages, (void *)i);
	for (uint64_t generation = 0; generation < rounds; generation++) {
		enter(generation, TO_A);
		what->to_a(generation);
		enter(generation, A);
		sched_yield();
		enter(generation, TO_B);
		what->to_b(generation);
		enter(generation, B);
		reuse_frames();
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < READERS; i++)
		thread_join(readers[i]);
}

/* --- munmap ----------------------------------------------------------------------------------- */

static void map_stamped(uint64_t generation)
{
	map_fixed(map, PAGES * PAGE, RW);
	stamp_pages(map, generation);
}

static void unmap(uint64_t generation)
{
	(void)generation;
	expect(munmap(map, PAGES * PAGE) == 0);
}

static void check_unmapped(const struct sight *sight)
{
	int phase = phase_of(sight);

	if (phase == A)
		expect_sight(sight, sight->signal == 0 && is_stamp(sight));
	else if (phase == B)
		expect_sight(sight, sight->signal == SIGSEGV);
	else
		expect_sight(sight, sight->signal == SIGSEGV ||
					    (sight->signal == 0 && sight->value == 0) ||
					    (sight->signal == 0 && is_stamp(sight)));
}

static void unmapped_under_readers(void)
{
	static const struct plot unmapping = {map_stamped, unmap, check_unmapped};

	play(&unmapping);
}

/* --- MAP_FIXED -------------------------------------------------------------------------------- */

static int files[2]; /* stamped with generation 1 and 2 */

static void map_first_file(uint64_t generation)
{
	(void)generation;
	expect(mmap(map, PAGES * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, files[0], 0) == map);
}

static void map_second_file(uint64_t generation)
{
	(void)generation;
	expect(mmap(map, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, files[1], 0) == map);
}

static void check_replaced(const struct sight *sight)
{
	int phase = phase_of(sight);
	bool first = sight->signal == 0 && sight->value == stamp_of(sight->page, 1);
	bool second = sight->signal == 0 && sight->value == stamp_of(sight->page, 2);

	if (phase == A)
		expect_sight(sight, first);
	else if (phase == B)
		expect_sight(sight, second);
	else
		expect_sight(sight, first || second || sight->signal == SIGSEGV);
}

static void files_replace_each_other(void)
{
	static const struct plot replacing = {map_first_file, map_second_file, check_replaced};

	scratch_enter();
	for (int i = 0; i < 2; i++) {
		files[i] = file_create(i == 0 ? "first" : "second", PAGES * PAGE);
		for (size_t page = 0; page < PAGES; page++) {
			uint64_t stamp = stamp_of(page, (uint64_t)i + 1);

			expect(pwrite(files[i], &stamp, 8, (off_t)(page * PAGE)) == 8);
		}
	}
	play(&replacing);
}

static void map_zeros(uint64_t generation)
{
	(void)generation;
	map_fixed(map, PAGES * PAGE, RW);
}

static void check_renewed(const struct sight *sight)
{
	int phase = phase_of(sight);

	if (phase == A)
		expect_sight(sight, sight->signal == 0 && is_stamp(sight));
	else if (phase == B)
		expect_sight(sight, sight->signal == 0 && sight->value == 0);
	else
		expect_sight(sight, sight->signal == SIGSEGV ||
					    (sight->signal == 0 && sight->value == 0) ||
					    (sight->signal == 0 && is_stamp(sight)));
}

static void zeros_replace_contents(void)
{
	static const struct plot renewing = {map_stamped, map_zeros, check_renewed};

	play(&renewing);
}

/* --- MADV_DONTNEED ---------------------------------------------------------------------------- */

static void stamp_again(uint64_t generation)
{
	if (generation == 0)
		map_fixed(map, PAGES * PAGE, RW);
	stamp_pages(map, generation);
}

static void drop(uint64_t generation)
{
	(void)generation;
	expect(madvise(map, PAGES * PAGE, MADV_DONTNEED) == 0);
}

static void check_dropped(const struct sight *sight)
{
	if (sight->before > 0) /* mapped for good */
		expect_sight(sight, sight->signal == 0);
	check_renewed(sight);
}

static void dropped_under_readers(void)
{
	static const struct plot dropping = {stamp_again, drop, check_dropped};

	play(&dropping);
}

/* --- mremap ----------------------------------------------------------------------------------- */

/* The pages move between two addresses: at step 4g + 1 they are at the first. */
static char *first, *second;
static _Atomic uint64_t stores; /* that the writer has made */

static void *read_moved(void *number)
{
	struct sight at_first, at_second;

	for (size_t page = (size_t)number; !atomic_load(&stop); page = (page + 1) % PAGES) {
		look(&at_first, first, page);
		look(&at_second, second, page);
		if (phase_of(&at_first) == B)
			expect_sight(&at_first, at_first.signal == SIGSEGV);
		else if (phase_of(&at_first) == A || at_first.signal != SIGSEGV)
			expect_sight(&at_first, at_first.value == stamp_of(page, 7));
		if (phase_of(&at_second) == A)
			expect_sight(&at_second, at_second.signal == SIGSEGV);
		else if (phase_of(&at_second) == B || at_second.signal != SIGSEGV)
			expect_sight(&at_second, at_second.value == stamp_of(page, 7));
	}
	return NULL;
}

/* Count up in the second word of the first page, wherever it is. */
static void *write_moved(void *unused)
{
	while (!atomic_load(&stop)) {
		uint64_t next = atomic_load(&stores) + 1;

		if (try_store(first + 8, next) == 0 || try_store(second + 8, next) == 0)
			atomic_store(&stores, next);
	}
	return unused;
}

static void move(char *from, char *to)
{
	expect(mremap(from, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

static void moved_under_readers_and_a_writer(void)
{
	char *range = map_anon((3 * PAGES + 4) * PAGE, PROT_NONE, MAP_PRIVATE);
	pthread_t reader, writer;

	race_catch_faults();
	first = map_fixed(range + PAGE, PAGES * PAGE, RW);
	second = range + (PAGES + 2) * PAGE;
	pool = map_fixed(range + (2 * PAGES + 3) * PAGE, PAGES * PAGE, RW);
	stamp_pages(first, 7);
	atomic_store(&step, A);
	thread_start(&reader, read_moved, NULL);
	thread_start(&writer, write_moved, NULL);
	for (uint64_t generation = 0; generation < rounds; generation++) {
		enter(generation, TO_B);
		move(first, second);
		enter(generation, B);
		reuse_frames();
		enter(generation + 1, TO_A);
		move(second, first);
		enter(generation + 1, A);
		reuse_frames();
	}
	atomic_store(&stop, true);
	thread_join(reader);
	thread_join(writer);
	expect_equal(*(uint64_t *)(first + 8), atomic_load(&stores));
}

/* --- several at once -------------------------------------------------------------------------- */

/* Each thread maps and unmaps single pages of its own, every other one of a common range. */
static void *unmap_every_other(void *number)
{
	for (uint64_t round = 0; round < rounds; round++)
		for (size_t page = (size_t)number; page < PAGES; page += 2) {
			char *at = map + page * PAGE;
			uint64_t value;

			expect(munmap(at, PAGE) == 0);
			expect(try_load(at, &value) == SIGSEGV);
			map_fixed(at, PAGE, RW);
			expect(try_load(at, &value) == 0 && value == 0);
			atomic_store(page_word(at, 0), stamp_of(page, round));
		}
	return NULL;
}

static void neighbours_unmapped_at_once(void)
{
	pthread_t thread;

	race_catch_faults();
	map = map_enclosed(PAGES * PAGE);
	thread_start(&thread, unmap_every_other, (void *)1L);
	unmap_every_other((void *)0L);
	thread_join(thread);
	for (size_t page = 0; page < PAGES; page++)
		expect_equal(*page_word(map, page), stamp_of(page, rounds - 1));
	expect_zone(map, PAGES * PAGE, "rw-p");
}

/* Threads that map where they like get ranges of their own, zeroed and theirs alone. */
static void *map_anywhere(void *number)
{
	uint64_t dice = (size_t)number + 1, mark;

	for (uint64_t round = 0; round < rounds; round++) {
		size_t pages = 1 + dice_roll(&dice) % (2 * PAGES);
		char *memory = map_anon(pages * PAGE, RW, MAP_PRIVATE);

		mark = stamp_of((size_t)number, round);
		for (size_t page = 0; page < pages; page++) {
			expect_equal(*page_word(memory, page), 0);
			atomic_store(page_word(memory, page), mark);
		}
		for (size_t page = 0; page < pages; page++)
			expect_equal(*page_word(memory, page), mark);
		expect(munmap(memory, pages * PAGE) == 0);
	}
	return NULL;
}

static void everybody_maps(void)
{
	pthread_t threads[3];

	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		thread_start(&threads[i], map_anywhere, (void *)i);
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		thread_join(threads[i]);
}

static const struct tap_case cases[] = {
	{"munmap: old contents, then nothing", unmapped_under_readers},
	{"MAP_FIXED: one file's contents, then the other's", files_replace_each_other},
	{"MAP_FIXED: old contents, then zeros", zeros_replace_contents},
	{"MADV_DONTNEED: old contents, then zeros", dropped_under_readers},
	{"mremap: contents move, and no store is lost", moved_under_readers_and_a_writer},
	{"threads unmap neighbouring pages at once", neighbours_unmapped_at_once},
	{"threads map and unmap anywhere", everybody_maps},
};

int main(int argc, char **argv)
{
	rounds = (uint64_t)race_rounds(ROUNDS);
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
