/*
 * fs/poll.c - waiting for several files at once: poll(2), select(2).
 *
 * All four calls (select and pselect6 are in select.c) make an array of struct poll_item, each a
 * file, what is asked and what holds, and hand it to poll_items:
 *
 *	look at each item once with the table: ops->poll puts the caller on its wait queues
 *	until something holds, a signal comes or the time is over:
 *		set the caller's state to sleeping, look at each item again, then sleep
 *
 * No wake-up is lost: an event before the second look is seen by it, one after it finds the
 * caller on the file's queue with its state already set. If ops->poll itself sleeps in the
 * second look (for a mutex), the state is "running" afterwards, and the sleep returns at once:
 * one more look.
 *
 * A signal mask (ppoll, pselect6) is exchanged before the first look. When a signal ends the
 * wait, the old one comes back after the handler has run, else at once (kernel/signal.c).
 *
 * Files are held for the whole call, so closing a descriptor meanwhile takes no queue away.
 *
 * Locks: none held while sleeping. Tests: tests/guest/poll_*.c.
 */
#include <fs/poll.h>
#include <fs/poll_private.h>
#include <fs/sys_special.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <linux/time_types.h>
#include <mm/heap.h>
#include <string.h>

/* The table */

#define CHUNK_ENTRIES 64

struct poll_chunk {
	struct poll_chunk *older;
	struct poll_entry entries[CHUNK_ENTRIES];
};

void poll_table_begin(struct poll_table *table)
{
	table->chunks = NULL;
	table->count = 0;
	table->mode = WAIT_INTERRUPTIBLE;
	table->error = 0;
}

static struct poll_entry *table_entry(struct poll_table *table)
{
	size_t beyond = table->count - POLL_INLINE_ENTRIES;

	if (table->count < POLL_INLINE_ENTRIES)
		return &table->entries[table->count];
	if (beyond % CHUNK_ENTRIES == 0) {
		struct poll_chunk *chunk = kmalloc(sizeof(*chunk));

		if (!chunk)
			return NULL;
		chunk->older = table->chunks;
		table->chunks = chunk;
	}
	return &table->chunks->entries[beyond % CHUNK_ENTRIES];
}

void poll_wait(struct poll_table *table, struct wait_queue *queue)
{
	struct poll_entry *entry;

	if (!table || table->error)
		return;
	entry = table_entry(table);
	if (!entry) {
		table->error = -ENOMEM;
		return;
	}
	table->count++;
	entry->queue = queue;
	wait_begin(queue, &entry->waiter, table->mode);
}

static void entries_end(struct poll_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		wait_end(entries[i].queue, &entries[i].waiter);
}

void poll_table_end(struct poll_table *table)
{
	size_t beyond = table->count - MIN(table->count, (size_t)POLL_INLINE_ENTRIES);

	entries_end(table->entries, table->count - beyond);
	while (table->chunks) {
		struct poll_chunk *chunk = table->chunks;
		size_t here = (beyond - 1) % CHUNK_ENTRIES + 1;

		entries_end(chunk->entries, here);
		beyond -= here;
		table->chunks = chunk->older;
		kfree(chunk);
	}
	table->count = 0;
}

/* The wait */

static unsigned file_poll(struct file *file, struct poll_table *table)
{
	if (!file->ops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return file->ops->poll(file, table);
}

/* Looks at each item; nobody needs the queues any more once something holds. Items that hold. */
static int items_look(struct poll_item *items, size_t count, struct poll_table *table)
{
	int ready = 0;

	for (size_t i = 0; i < count; i++) {
		struct poll_item *item = &items[i];

		if (item->file)
			item->events = file_poll(item->file, ready ? NULL : table) & item->wanted;
		ready += item->events != 0;
	}
	return ready;
}

int poll_items(struct poll_item *items, size_t count, uint64_t deadline_ns)
{
	bool look_only = wait_deadline_passed(deadline_ns);
	struct wait_queue nobody; /* we are on the files' queues: this one carries the state */
	struct poll_table table;
	int ready, error = -ETIMEDOUT;

	poll_table_begin(&table);
	ready = items_look(items, count, look_only ? NULL : &table);
	if (!ready && !look_only && !table.error) {
		wait_queue_init(&nobody);
		error = wait_event_timeout(&nobody, (ready = items_look(items, count, NULL)) > 0,
					   deadline_ns);
	}
	poll_table_end(&table);
	if (ready)
		return ready;
	if (table.error)
		return table.error;
	return error == -ETIMEDOUT ? 0 : -ERESTARTNOHAND;
}

void poll_items_free(struct poll_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].file)
			file_put(items[i].file);
	kfree(items);
}

/* Time */

uint64_t poll_deadline_after(uint64_t seconds, uint64_t ns)
{
	uint64_t now = time_monotonic_ns();

	if (seconds > (UINT64_MAX - now) / NS_PER_SEC - 1)
		return UINT64_MAX;
	return now + seconds * NS_PER_SEC + ns;
}

int poll_deadline_from_timespec(uintptr_t user, uint64_t *deadline_ns)
{
	struct __kernel_timespec time;

	*deadline_ns = UINT64_MAX;
	if (!user)
		return 0;
	if (get_user(time, user))
		return -EFAULT;
	if (time.tv_sec < 0 || time.tv_nsec < 0 || (uint64_t)time.tv_nsec >= NS_PER_SEC)
		return -EINVAL;
	*deadline_ns = poll_deadline_after((uint64_t)time.tv_sec, (uint64_t)time.tv_nsec);
	return 0;
}

uint64_t poll_remaining_ns(uint64_t deadline_ns)
{
	uint64_t now = time_monotonic_ns();

	return deadline_ns > now ? deadline_ns - now : 0;
}

void poll_put_remaining(uintptr_t user, uint64_t deadline_ns)
{
	uint64_t left = poll_remaining_ns(deadline_ns);
	struct __kernel_timespec time = {
		.tv_sec = (__kernel_time64_t)(left / NS_PER_SEC),
		.tv_nsec = (long long)(left % NS_PER_SEC),
	};

	if (user)
		(void)copy_to_user_partial(user, &time, sizeof(time));
}

/* The signal mask of ppoll and pselect6 */

int poll_mask_begin(uintptr_t user, size_t size)
{
	uint64_t mask;

	if (!user)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (get_user(mask, user))
		return -EFAULT;
	signal_mask_borrow(mask);
	return 0;
}

void poll_mask_end(uintptr_t user, long result)
{
	if (user)
		signal_mask_return(result == -ERESTARTNOHAND);
}

/* poll and ppoll */

unsigned poll_descriptor_limit(void)
{
	uint64_t limit = current_process()->limits[RLIMIT_NOFILE].rlim_cur;

	return (unsigned)MIN(limit, 1u << 20);
}

static void item_from_pollfd(struct poll_item *item, const struct pollfd *pollfd)
{
	*item = (struct poll_item){.descriptor = pollfd->fd};
	if (pollfd->fd < 0)
		return;
	item->file = file_from_descriptor(pollfd->fd);
	item->wanted = (unsigned short)pollfd->events | POLLERR | POLLHUP;
	if (!item->file)
		item->events = POLLNVAL;
}

/* Items for the user's array; *items is NULL where count is 0. */
static int items_from_pollfds(uintptr_t fds, size_t count, struct poll_item **items)
{
	*items = NULL;
	if (count == 0)
		return 0;
	*items = kzalloc_array(count, sizeof(**items));
	if (!*items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct pollfd pollfd;

		if (get_user(pollfd, fds + i * sizeof(pollfd))) {
			poll_items_free(*items, i);
			return -EFAULT;
		}
		item_from_pollfd(&(*items)[i], &pollfd);
	}
	return 0;
}

static int put_revents(uintptr_t fds, const struct poll_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uintptr_t at = fds + i * sizeof(struct pollfd) + offsetof(struct pollfd, revents);

		if (put_user(at, (short)items[i].events))
			return -EFAULT;
	}
	return 0;
}

static long poll_until(uintptr_t fds, unsigned count, uint64_t deadline_ns)
{
	struct poll_item *items;
	long result;

	if (count > poll_descriptor_limit())
		return -EINVAL;
	result = items_from_pollfds(fds, count, &items);
	if (result)
		return result;
	result = poll_items(items, count, deadline_ns);
	if (result >= 0 && put_revents(fds, items, count))
		result = -EFAULT;
	poll_items_free(items, count);
	return result;
}

long sys_poll(uintptr_t fds, unsigned count, int timeout_ms)
{
	uint64_t deadline_ns = UINT64_MAX;
	long result;

	if (timeout_ms >= 0)
		deadline_ns = poll_deadline_after(0, (uint64_t)timeout_ms * NS_PER_MS);
	deadline_ns = signal_deadline_resume(deadline_ns);
	result = poll_until(fds, count, deadline_ns);
	if (result == -ERESTARTNOHAND)
		signal_deadline_keep(deadline_ns);
	return result;
}

long sys_ppoll(uintptr_t fds, unsigned count, uintptr_t timeout, uintptr_t mask, size_t mask_size)
{
	uint64_t deadline_ns;
	long result = poll_deadline_from_timespec(timeout, &deadline_ns);

	if (!result)
		result = poll_mask_begin(mask, mask_size);
	if (result)
		return result;
	result = poll_until(fds, count, deadline_ns);
	poll_mask_end(mask, result);
	poll_put_remaining(timeout, deadline_ns);
	return result;
}
