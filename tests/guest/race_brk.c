/*
 * race_brk.c - the break grows and shrinks while other threads map and unmap, right above it too.
 *
 * A page belongs to one of them: the break never grows over a mapping, a mapping asked for with
 * MAP_FIXED_NOREPLACE never lands in the break. Every page is zero when it comes and keeps its
 * owner's mark until it goes.
 */
#include "race.h"

#define PAGES 12 /* the zone in dispute above the first break */
#define ROUNDS 600

static char *base; /* the first break, page aligned */
static _Atomic bool stop;

static char *set_break(char *end)
{
	return (char *)syscall(SYS_brk, end);
}

/* New pages are zero; mark them. */
static void take(char *memory, size_t pages, uint64_t mark)
{
	for (size_t page = 0; page < pages; page++) {
		expect_equal(*page_word(memory, page), 0);
		*page_word(memory, page) = mark;
	}
}

static void expect_own(char *memory, size_t pages, uint64_t mark)
{
	for (size_t page = 0; page < pages; page++)
		expect_equal(*page_word(memory, page), mark);
}

/* Map pages just above the break, if they are free, and give them back. */
static void *map_in_the_way(void *number)
{
	uint64_t dice = (size_t)number, taken = 0;

	while (!atomic_load(&stop)) {
		char *at = base + dice_roll(&dice) % PAGES * PAGE;
		size_t pages = 1 + dice_roll(&dice) % 2;
		char *got = mmap(at, pages * PAGE, RW,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (got == MAP_FAILED) {
			expect_equal(errno, EEXIST);
			sched_yield();
			continue;
		}
		expect(got == at);
		take(at, pages, (size_t)number << 32 | ++taken);
		expect_own(at, pages, (size_t)number << 32 | taken);
		expect(munmap(at, pages * PAGE) == 0);
	}
	return NULL;
}

static void *map_anywhere(void *number)
{
	for (uint64_t taken = 1; !atomic_load(&stop); taken++) {
		char *memory = map_anon(3 * PAGE, RW, MAP_PRIVATE);

		take(memory, 3, (size_t)number << 32 | taken);
		expect(mprotect(memory + PAGE, PAGE, PROT_READ) == 0);
		expect_own(memory, 3, (size_t)number << 32 | taken);
		expect(munmap(memory, 3 * PAGE) == 0);
	}
	return NULL;
}

/* Move the break about; what it holds is ours. */
static void move_break(void)
{
	uint64_t dice = 99;
	size_t have = 0;

	for (int round = 0; round < race_rounds(ROUNDS); round++) {
		size_t want = dice_roll(&dice) % (PAGES + 1);
		char *got = set_break(base + want * PAGE);

		if (got != base + want * PAGE) {
			expect(want > have && got == base + have * PAGE); /* refused */
			sched_yield();
			continue;
		}
		if (want > have)
			take(base + have * PAGE, want - have, 5);
		have = want;
		expect_own(base, have, 5);
	}
	expect(set_break(base) == base);
}

static void break_against_mmap(void)
{
	pthread_t threads[3];

	base = (char *)(((uintptr_t)set_break(NULL) + PAGE - 1) & -PAGE);
	/* a heap that nobody uses: what malloc wants from now on comes from mmap */
	expect(set_break(base + PAGES * PAGE) == base + PAGES * PAGE);
	thread_start(&threads[0], map_in_the_way, (void *)1L);
	thread_start(&threads[1], map_in_the_way, (void *)2L);
	thread_start(&threads[2], map_anywhere, (void *)3L);
	expect(set_break(base) == base);
	move_break();
	atomic_store(&stop, true);
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		thread_join(threads[i]);
}

/* Threads move the break at once: each call is one step, so the last one told is where it is. */
static void *shake_break(void *number)
{
	uint64_t dice = (size_t)number;

	for (int round = 0; round < race_rounds(ROUNDS); round++) {
		char *want = base + (1 + dice_roll(&dice) % PAGES) * PAGE;

		expect(set_break(want) == want);
		atomic_store(page_word(base, 0), dice); /* the first page stays all the time */
	}
	return NULL;
}

static void threads_move_the_break(void)
{
	pthread_t thread;
	char *end;

	base = (char *)(((uintptr_t)set_break(NULL) + PAGE - 1) & -PAGE);
	expect(set_break(base + PAGES * PAGE) == base + PAGES * PAGE);
	thread_start(&thread, shake_break, (void *)1L);
	shake_break((void *)2L);
	thread_join(thread);
	end = set_break(NULL);
	expect(end > base && end <= base + PAGES * PAGE);
	for (char *page = base; page < end; page += PAGE)
		poke(page, 1);
	expect(set_break(base + PAGES * PAGE) == base + PAGES * PAGE);
	expect_filled(end, 0, (size_t)(base + PAGES * PAGE - end));
}

static const struct tap_case cases[] = {
	{"brk against mmap right above it", break_against_mmap},
	{"threads move the break at once", threads_move_the_break},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
