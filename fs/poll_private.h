/* fs/poll_private.h - between poll.c and select.c. */
#pragma once

#include <fs/file.h>

struct poll_item {
	struct file *file; /* a reference; NULL: `events` holds already, whatever it is */
	int descriptor;
	unsigned wanted, events;
};

/* Waits: how many items hold, 0 when the time is over, -ERESTARTNOHAND, -ENOMEM. */
must_check int poll_items(struct poll_item *items, size_t count, uint64_t deadline_ns);
/* Puts the files, frees the kmalloc'ed array. */
void poll_items_free(struct poll_item *items, size_t count);

/* The descriptors a process may have open: RLIMIT_NOFILE. */
unsigned poll_descriptor_limit(void);

/* Monotonic time; UINT64_MAX where it would be beyond that. */
uint64_t poll_deadline_after(uint64_t seconds, uint64_t ns);
/* A struct timespec of the user's, or none (0: forever). 0, -EFAULT, -EINVAL. */
must_check int poll_deadline_from_timespec(uintptr_t user, uint64_t *deadline_ns);
uint64_t poll_remaining_ns(uint64_t deadline_ns);
/*
 * Linux tells the program how much time was left. It does not matter where that cannot be
 * stored: the wait is over.
 */
void poll_put_remaining(uintptr_t user, uint64_t deadline_ns);

/* The caller's signal mask becomes the user's one, if there is one (0: none). */
must_check int poll_mask_begin(uintptr_t user, size_t size);
/* Before returning `result`: the old one comes back now, or after the handler ran. */
void poll_mask_end(uintptr_t user, long result);
