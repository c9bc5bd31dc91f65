/*
 * mapfuzz.h - what the parts of the random differential test share.
 *
 * A sequence is a list of operations, each decided by (seed, thread, index) alone: leaving one out
 * changes no other, which is what lets shrink.py drop operations. A player carries out the
 * sequence of one thread, in arenas and with files of its own, at fixed addresses; whatever the
 * kernel answers is mixed into the player's digest, and in a trace printed like C.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096ul
#define OPERATIONS_MAX 4096u
#define THREADS_MAX 8u

/* An arena's pages; operations begin inside and may reach a little beyond its end. */
#define ARENA_PAGES 16u
/*
 * The first, the second (for the first thread: the heap, above the break), and where maps are read.
 */
#define ARENAS 2u
#define ARENA_MARGIN 64u /* pages around an arena that belong to it */

enum file_number { FILE_BOTH, FILE_READ, FILE_WRITE, FILE_MEMFD, FILES };

struct arena {
	const char *name; /* in a trace: "a", "b", "heap" */
	char *base;
};

struct player {
	unsigned thread;
	unsigned position;  /* of the operation being carried out */
	unsigned depth;	    /* how many forks below the sequence's first process */
	uint64_t digest;
	uint64_t dice;	    /* the operation's own */
	uint64_t stores;    /* that succeeded, for --plant */
	struct arena arenas[ARENAS];
	int files[FILES];
};

struct options {
	uint64_t seed, count;
	unsigned operations, threads;
	uint64_t plant; /* 0: none. See plant() in operations.c */
	bool trace;
	bool left_out[THREADS_MAX][OPERATIONS_MAX];
};

extern struct options options;

/* ---- dice (player.c) ---- */

/* The next of the operation's dice: below `bound`, and whether one in `n`. */
unsigned choose(struct player *player, unsigned bound);
bool one_in(struct player *player, unsigned n);

/* ---- results (player.c) ---- */

void mix(struct player *player, uint64_t value);
/* Part of a trace's line; nothing without --trace. */
void say(struct player *player, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The operation's answer: mixed in, and the end of the trace's line. */
void answer(struct player *player, long value);
/* The same for a call of libc's: -1 means -errno. */
void answer_call(struct player *player, long value);

/* ---- accesses that may fault (player.c) ---- */

enum access { ACCESS_LOAD, ACCESS_STORE, ACCESS_EXECUTE };
struct fault {
	int signal, code; /* 0: there was none */
	uintptr_t address;
};

void faults_catch(void);
/* Loads a word into *value, stores *value, or calls what lies at `at`. */
struct fault try_access(char *at, enum access access, uint64_t *value);
/* Mixed in, the address relative to the arena; and the end of the trace's line. */
void answer_fault(struct player *player, const struct fault *fault, uint64_t value);

/* ---- a sequence (player.c) ---- */

void player_begin(struct player *player, uint64_t seed, unsigned thread);
/* All operations from player->position on, up to the exit of the innermost fork's child. */
void player_run(struct player *player);
/* Some of [beg, beg + length) is a mapping of that file. */
bool player_maps(const struct player *player, const char *beg, size_t length,
		 enum file_number file);
/* Contents of arenas and files, and the zones: mixed in. */
void player_verify(struct player *player);

/* ---- pieces.c ---- */

/*
 * mremap, but what only its history keeps apart is one mapping. `elsewhere`: room that nobody else
 * uses.
 */
char *remap_whole(char *from, size_t old_length, size_t new_length, int flags, char *to,
		  char *elsewhere);

/* ---- operations.c ---- */

struct operation {
	const char *name;
	unsigned weight;
	void (*run)(struct player *player);
};

const struct operation *operation_choose(struct player *player);
/* True: this operation ended the process's part of the sequence. */
bool operation_is_exit(const struct operation *operation);
