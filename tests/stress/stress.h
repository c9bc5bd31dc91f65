/*
 * stress.h - what the parts of the stress program share: a worker, its random choices, its
 * accesses that may fault, and how it fails.
 */
#pragma once

#include "../guest/race.h"

/* One thread of one process. Everything it does follows from the seed, its two numbers, and when
 * others run; what it owns nobody else touches. */
struct worker {
	unsigned process, thread;
	uint64_t dice;
	uint64_t operation;    /* number of the one at work */
	const char *doing;     /* its name */
	struct regions *mine;  /* regions.c: mappings with known contents */
	struct partner *other; /* partners.c: what it has done to memory that others use too */
};

struct stress {
	uint64_t seed;
	unsigned processes, threads;
	uint64_t rounds; /* operations of each worker */
};

extern struct stress stress;

struct operation {
	const char *name;
	void (*run)(struct worker *worker);
	unsigned weight; /* how often, among the others */
};

/* Say who failed at what, with the seed, and end this process. */
#define fail(worker, ...) stress_fail(worker, __FILE__, __LINE__, __VA_ARGS__)
__attribute__((noreturn, format(printf, 4, 5))) void
stress_fail(const struct worker *worker, const char *file, int line, const char *format, ...);

#define must(worker, condition)                                                                    \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail(worker, "expected %s (errno %s)", #condition, tap_errno_name(errno)); \
	} while (0)

/* 0 to below - 1. */
static inline unsigned choose(struct worker *worker, unsigned below)
{
	return (unsigned)(dice_roll(&worker->dice) >> 16) % below;
}

/* Load or store a word: 0, or the signal that it raised. */
int stress_load(const void *address, uint64_t *value);
int stress_store(void *address, uint64_t value);

/* regions.c */
extern const struct operation region_operations[];
extern const size_t region_operations_count;
void regions_begin(struct worker *worker);
void regions_end(struct worker *worker);
void regions_verify(struct worker *worker);
void regions_scribble(struct worker *worker);

/* partners.c */
extern const struct operation partner_operations[];
extern const size_t partner_operations_count;
void partners_make(void);
void partners_enter(void);
void partner_begin(struct worker *worker);
void partner_end(struct worker *worker);
void partners_check(void);

/* children.c */
extern const struct operation child_operations[];
extern const size_t child_operations_count;
