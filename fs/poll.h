/*
 * fs/poll.h - the table that ops->poll fills through poll_wait (fs/file.h).
 *
 * For kernel code that waits on files itself; programs come through the calls of poll.c.
 */
#pragma once

#include <fs/file.h>

#define POLL_INLINE_ENTRIES 8

struct poll_entry {
	struct wait_queue *queue;
	struct waiter waiter;
};

struct poll_chunk;

/* Lives on the waiting task's stack; used by that task only. */
struct poll_table {
	struct poll_entry entries[POLL_INLINE_ENTRIES];
	struct poll_chunk *chunks; /* more of them, newest first */
	size_t count;              /* queues we are on */
	enum wait_mode mode;
	int error;                 /* -ENOMEM: not on all queues */
};

void poll_table_begin(struct poll_table *table);
/* Off all queues. Before the files (which own the queues) are put. */
void poll_table_end(struct poll_table *table);
