/*
 * user/demo.h - what the demos share: looking at page frames, and processes that obey.
 *
 * A demo exits with 0 when everything was as it says, 1 when something was not, and 2 when it
 * could not be tried: then give_up has said why.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_NOT_SO = 1, EXIT_NOT_TRIED = 2 };

/* What /proc/self/pagemap says of one page (Linux: Documentation/admin-guide/mm/pagemap.rst). */
struct page_look {
	bool present;
	bool of_object; /* the frame belongs to a file or to shared memory: not a private one */
	uint64_t frame; /* its number; 0 when the kernel does not tell */
};

struct page_look page_look(const void *address);
size_t count_present(const void *address, size_t pages);

size_t page_bytes(void);
long free_pages(void); /* of the whole machine */
bool on_stos(void);    /* then nobody else is using memory, and the rules are stos's */

/* Prints "NAME: ..." to stderr and exits with EXIT_NOT_TRIED; `name` is set by demo_begin. */
void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Call first: answers --help (and exits), refuses other options and a wrong number of arguments. */
void demo_begin(int count, char **arguments, const char *name, int wanted, const char *help);

/* Prints the verdict on one claim; *all becomes false with the first that does not hold. */
void claim(bool holds, bool *all, const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * A leader tells a follower, which it or another follower forked, what to do, one order at a time,
 * and waits for the report. Both call channel_open before the fork; then each closes the ends
 * that are not its own, so that a follower ends when the leader is gone.
 */
struct channel {
	int orders[2], reports[2]; /* pipes: read end, write end */
};

struct order {
	char what;
	unsigned char place;
	char value;
};

void channel_open(struct channel *channel);
void channel_close_leader(struct channel *channel);   /* in followers */
void channel_close_follower(struct channel *channel); /* in the leader, when it was forked */

void channel_ask(struct channel *channel, struct order order, void *report, size_t bytes);

bool channel_next(struct channel *channel, struct order *order); /* false: the leader is gone */
void channel_answer(struct channel *channel, const void *report, size_t bytes);
