/*
 * partners.c - memory that workers use together.
 *
 *   counters  in shared anonymous memory of all processes: atomic sums, exact at the end
 *   records   in a file that all map: guarded by a lock in each, two words that must be equal
 *   words     in private memory of the threads of one process: each thread owns one in every
 *             page, while others take rights away, and fork makes all pages copy-on-write
 */
#include "stress.h"

#define COUNTERS 8 /* one in each page */
#define RECORDS 4
#define WORD_PAGES 16
#define MOST_WORKERS 4096

struct shared {
	_Atomic uint64_t added[MOST_WORKERS]; /* by each worker, over all counters */
	_Atomic uint64_t updates;	      /* of records */
};

struct record {
	_Atomic uint64_t lock;
	volatile uint64_t first, second; /* in two different cache lines */
	char filling[100];
	volatile uint64_t third;
};

struct partner {
	uint64_t words[WORD_PAGES]; /* what its word in each page holds */
	uint64_t stored;
};

static char *counters, *words;
static struct shared *shared;
static int record_file;

static int make_file(void)
{
	char name[] = "/tmp/stress-XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0 || unlink(name) < 0)
		tap_fail(HERE, "no file in /tmp: %s", tap_errno_name(errno));
	return fd;
}

/* Before the processes are forked: what all share. */
void partners_make(void)
{
	static bool made;

	if (made) {
		memset((void *)shared, 0, sizeof(*shared));
		memset(counters, 0, COUNTERS * PAGE);
	} else {
		counters = map_shared(COUNTERS * PAGE);
		shared = (struct shared *)map_shared(sizeof(*shared));
		record_file = make_file();
		made = true;
	}
	if (ftruncate(record_file, 0) < 0 || ftruncate(record_file, RECORDS * PAGE) < 0)
		tap_fail(HERE, "ftruncate: %s", tap_errno_name(errno));
}

/* In a process, before its threads: what they share. */
void partners_enter(void)
{
	words = map_enclosed(WORD_PAGES * PAGE);
}

void partner_begin(struct worker *worker)
{
	worker->other = calloc(1, sizeof(*worker->other));
	must(worker, worker->other != NULL);
}

/* --- counters --------------------------------------------------------------------------------- */

static void count(struct worker *worker)
{
	unsigned number = worker->process * stress.threads + worker->thread;
	unsigned amount = 1 + choose(worker, 100);

	atomic_fetch_add(page_word(counters, choose(worker, COUNTERS)), amount);
	atomic_fetch_add(&shared->added[number], amount);
}

/* --- records ---------------------------------------------------------------------------------- */

static void update_record(struct worker *worker)
{
	off_t offset = (off_t)(choose(worker, RECORDS) * PAGE);
	struct record *record = mmap(NULL, PAGE, RW, MAP_SHARED, record_file, offset);
	unsigned turns = 0;

	must(worker, record != MAP_FAILED);
	for (int round = 0; round < 4; round++) {
		while (atomic_exchange(&record->lock, 1) != 0)
			race_pause(&turns);
		if (record->first != record->second || record->first != record->third)
			fail(worker, "a record holds %lu, %lu, %lu", record->first, record->second,
			     record->third);
		record->first = record->first + 1;
		record->second = record->first;
		record->third = record->second;
		atomic_store(&record->lock, 0);
		atomic_fetch_add(&shared->updates, 1);
	}
	must(worker, munmap(record, PAGE) == 0);
}

/* --- words ------------------------------------------------------------------------------------ */

static void *word_of(const struct worker *worker, size_t page)
{
	return (void *)(page_word(words, page) + worker->thread);
}

/* Check the own word in some pages, and store the next number, which others may forbid a while. */
static void use_words(struct worker *worker)
{
	for (int round = 0; round < 8; round++) {
		size_t page = choose(worker, WORD_PAGES);
		uint64_t value, next = ++worker->other->stored;
		unsigned turns = 0;

		if (stress_load(word_of(worker, page), &value) != 0 ||
		    value != worker->other->words[page])
			fail(worker, "the word in page %zu is %lu, expected %lu", page, value,
			     worker->other->words[page]);
		while (stress_store(word_of(worker, page), next) != 0)
			race_pause(&turns);
		worker->other->words[page] = next;
	}
}

/* No thread's word changes while the page is read-only, until somebody makes it writable. */
static void protect_words(struct worker *worker)
{
	size_t page = choose(worker, WORD_PAGES);

	must(worker, mprotect(words + page * PAGE, PAGE, PROT_READ) == 0);
	linger(choose(worker, 20));
	must(worker, mprotect(words + page * PAGE, PAGE, RW) == 0);
}

void partner_end(struct worker *worker)
{
	uint64_t value;

	for (size_t page = 0; page < WORD_PAGES; page++)
		if (stress_load(word_of(worker, page), &value) != 0 ||
		    value != worker->other->words[page])
			fail(worker, "in the end the word in page %zu is %lu, expected %lu", page,
			     value, worker->other->words[page]);
	free(worker->other);
}

/* --- the end of a run ------------------------------------------------------------------------- */

void partners_check(void)
{
	struct worker nobody = {.doing = "the sums of all"};
	uint64_t sum = 0, added = 0, updates = 0, record[2];

	for (size_t i = 0; i < COUNTERS; i++)
		sum += atomic_load(page_word(counters, i));
	for (size_t i = 0; i < MOST_WORKERS; i++)
		added += atomic_load(&shared->added[i]);
	if (sum != added)
		fail(&nobody, "the counters sum up to %lu, added were %lu", sum, added);
	for (size_t i = 0; i < RECORDS; i++) {
		must(&nobody, pread(record_file, record, sizeof(record), (off_t)(i * PAGE)) ==
				      sizeof(record));
		updates += record[1];
	}
	if (updates != atomic_load(&shared->updates))
		fail(&nobody, "the records count %lu, updates were %lu", updates,
		     atomic_load(&shared->updates));
}

const struct operation partner_operations[] = {
	{"count", count, 10},
	{"update a record", update_record, 10},
	{"use the words", use_words, 20},
	{"protect the words", protect_words, 6},
};
const size_t partner_operations_count = ARRAY_LENGTH(partner_operations);
