/*
 * fs/select.c - select(2) and pselect6: sets of descriptors, translated to what poll.c waits for.
 *
 * Each descriptor in any of the three sets becomes one struct poll_item; what holds afterwards
 * decides which bits stay. Tests: tests/guest/poll.c.
 */
#include <fs/poll_private.h>
#include <fs/sys_special.h>
#include <kernel/base/errno.h>
#include <kernel/time.h>
#include <linux/time_types.h>
#include <mm/heap.h>

/* Time */

/* A struct timeval, whose microseconds may exceed a second, or none (NULL: forever). */
static int deadline_from_timeval(uintptr_t user, uint64_t *deadline_ns)
{
	struct __kernel_old_timeval time;
	uint64_t us_per_sec = NS_PER_SEC / NS_PER_US, us;

	*deadline_ns = UINT64_MAX;
	if (!user)
		return 0;
	if (get_user(time, user))
		return -EFAULT;
	if (time.tv_sec < 0 || time.tv_usec < 0)
		return -EINVAL;
	us = (uint64_t)time.tv_usec;
	*deadline_ns = poll_deadline_after((uint64_t)time.tv_sec + us / us_per_sec,
				      us % us_per_sec * NS_PER_US);
	return 0;
}

static void put_remaining_timeval(uintptr_t user, uint64_t deadline_ns)
{
	uint64_t left = poll_remaining_ns(deadline_ns);
	struct __kernel_old_timeval time = {
		.tv_sec = (__kernel_long_t)(left / NS_PER_SEC),
		.tv_usec = (__kernel_long_t)(left % NS_PER_SEC / NS_PER_US),
	};

	if (user)
		(void)copy_to_user_partial(user, &time, sizeof(time));
}

/* The sets */

/* What makes a descriptor readable, writable, exceptional: select(2), "Correspondence". */
#define READ_EVENTS (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define WRITE_EVENTS (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define EXCEPT_EVENTS (POLLPRI)

#define SET_COUNT 3
#define WORD_BITS 64u

static const unsigned set_events[SET_COUNT] = {READ_EVENTS, WRITE_EVENTS, EXCEPT_EVENTS};

/* The three sets of a call, `words` words each, one after the other. */
struct select_sets {
	uintptr_t user[SET_COUNT];
	uint64_t *bits;
	size_t words;
};

static uint64_t *set_word(const struct select_sets *sets, unsigned set, unsigned descriptor)
{
	return &sets->bits[set * sets->words + descriptor / WORD_BITS];
}

static bool set_has(const struct select_sets *sets, unsigned set, unsigned descriptor)
{
	return *set_word(sets, set, descriptor) >> descriptor % WORD_BITS & 1;
}

static int sets_load(struct select_sets *sets)
{
	sets->bits = kzalloc_array(MAX(sets->words, 1u) * SET_COUNT, sizeof(uint64_t));
	if (!sets->bits)
		return -ENOMEM;
	for (unsigned set = 0; set < SET_COUNT; set++) {
		if (sets->user[set] && copy_from_user(set_word(sets, set, 0), sets->user[set],
						      sets->words * sizeof(uint64_t))) {
			kfree(sets->bits);
			return -EFAULT;
		}
	}
	return 0;
}

static int sets_store(const struct select_sets *sets)
{
	for (unsigned set = 0; set < SET_COUNT; set++)
		if (sets->user[set] && copy_to_user(sets->user[set], set_word(sets, set, 0),
						    sets->words * sizeof(uint64_t)))
			return -EFAULT;
	return 0;
}

/* The events asked for a descriptor by all three sets; 0: it is in none. */
static unsigned sets_wanted(const struct select_sets *sets, unsigned descriptor)
{
	unsigned wanted = 0;

	for (unsigned set = 0; set < SET_COUNT; set++)
		if (set_has(sets, set, descriptor))
			wanted |= set_events[set];
	return wanted;
}

static int items_from_sets(const struct select_sets *sets, unsigned limit, struct poll_item **items,
			   size_t *count)
{
	size_t needed = 0;

	for (unsigned fd = 0; fd < limit; fd++)
		needed += sets_wanted(sets, fd) != 0;
	*count = 0;
	*items = NULL;
	if (needed == 0)
		return 0;
	*items = kzalloc_array(needed, sizeof(**items));
	if (!*items)
		return -ENOMEM;
	for (unsigned fd = 0; fd < limit; fd++) {
		struct poll_item *item = &(*items)[*count];

		item->wanted = sets_wanted(sets, fd);
		if (!item->wanted)
			continue;
		item->descriptor = (int)fd;
		item->file = file_from_descriptor((int)fd);
		if (!item->file) {
			poll_items_free(*items, *count);
			return -EBADF;
		}
		++*count;
	}
	return 0;
}

/* Leaves in each set what was asked there and holds. The bits left, in all sets. */
static long sets_from_items(struct select_sets *sets, const struct poll_item *items, size_t count)
{
	long held = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned fd = (unsigned)items[i].descriptor;

		for (unsigned set = 0; set < SET_COUNT; set++) {
			if (!set_has(sets, set, fd))
				continue;
			if (items[i].events & set_events[set])
				held++;
			else
				*set_word(sets, set, fd) &= ~(1ull << fd % WORD_BITS);
		}
	}
	return held;
}

static long select_sets_until(struct select_sets *sets, unsigned limit, uint64_t deadline_ns)
{
	struct poll_item *items;
	size_t count;
	long result = items_from_sets(sets, limit, &items, &count);

	if (result)
		return result;
	result = poll_items(items, count, deadline_ns);
	if (result >= 0) {
		result = sets_from_items(sets, items, count);
		if (sets_store(sets))
			result = -EFAULT;
	}
	poll_items_free(items, count);
	return result;
}

static long select_until(int count, const uintptr_t user[SET_COUNT], uint64_t deadline_ns)
{
	struct select_sets sets = {.user = {user[0], user[1], user[2]}};
	unsigned limit;
	long result;

	if (count < 0)
		return -EINVAL;
	/* As Linux: bits beyond what can be open are not looked at. */
	limit = MIN((unsigned)count, poll_descriptor_limit());
	sets.words = (limit + WORD_BITS - 1) / WORD_BITS;
	result = sets_load(&sets);
	if (result)
		return result;
	result = select_sets_until(&sets, limit, deadline_ns);
	kfree(sets.bits);
	return result;
}

long sys_select(int count, uintptr_t reads, uintptr_t writes, uintptr_t excepts, uintptr_t timeout)
{
	const uintptr_t user[SET_COUNT] = {reads, writes, excepts};
	uint64_t deadline_ns;
	long result = deadline_from_timeval(timeout, &deadline_ns);

	if (result)
		return result;
	result = select_until(count, user, deadline_ns);
	put_remaining_timeval(timeout, deadline_ns);
	return result;
}

long sys_pselect6(int count, uintptr_t reads, uintptr_t writes, uintptr_t excepts,
		  uintptr_t timeout, uintptr_t mask_argument)
{
	/* The sixth argument points to the mask's address and size: select(2). */
	struct {
		uintptr_t mask;
		size_t size;
	} argument = {0};
	const uintptr_t user[SET_COUNT] = {reads, writes, excepts};
	uint64_t deadline_ns;
	long result;

	if (mask_argument && get_user(argument, mask_argument))
		return -EFAULT;
	result = poll_deadline_from_timespec(timeout, &deadline_ns);
	if (!result)
		result = poll_mask_begin(argument.mask, argument.size);
	if (result)
		return result;
	result = select_until(count, user, deadline_ns);
	poll_mask_end(argument.mask, result);
	poll_put_remaining(timeout, deadline_ns);
	return result;
}
