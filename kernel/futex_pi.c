/*
 * kernel/futex_pi.c - locks whose owner the kernel knows: FUTEX_LOCK_PI and its kin (futex(2)).
 *
 * The word holds the owner's thread id, 0 when free, with FUTEX_WAITERS and FUTEX_OWNER_DIED beside
 * it. Programs lock and unlock it without the kernel while nobody waits; a waiter sets
 * FUTEX_WAITERS, which sends the owner into FUTEX_UNLOCK_PI. There the lock goes to the longest
 * waiter at once: at no time could another take it.
 *
 * All waiters of a word agree about its owner (waiter->owner), which only changes for all of them
 * under the bucket's lock:
 *
 *   unlock          the first waiter is taken off; it is the others' owner now
 *   the owner dies  they have none; the first is woken and, in its own memory, takes the word
 *
 * An owner that dies sets task->futex_ended and then looks through the buckets; a waiter queues
 * itself and then looks at futex_ended: so one of the two sees the other.
 *
 * Linux lends the owner its waiters' real-time priority meanwhile; there are none here, so first
 * come is first served. A circle of owners waiting for each other is not found, only waiting for
 * oneself.
 *
 * Locks: the word's bucket. Tests: tests/guest/futex_pi.c.
 */
#include <kernel/base/errno.h>
#include <kernel/futex_private.h>
#include <kernel/task.h>
#include <linux/futex.h>
#include <mm/user_copy.h>

/* Results besides 0 (it is ours) and -errno. */
enum { LOCK_AGAIN = 1, LOCK_QUEUED };

static _Atomic uint32_t queued_count; /* waiters in buckets: without any, no owner needs to look */

static struct futex_waiter *first_waiter(struct futex_bucket *bucket, const struct futex_key *key)
	REQUIRES(bucket->lock)
{
	struct futex_waiter *waiter;

	list_for_each_entry (waiter, &bucket->waiters, node)
		if (futex_key_equal(&waiter->key, key))
			return waiter;
	return NULL;
}

static void set_owner(struct futex_bucket *bucket, const struct futex_key *key, struct task *owner)
	REQUIRES(bucket->lock)
{
	struct futex_waiter *waiter;

	list_for_each_entry (waiter, &bucket->waiters, node)
		if (futex_key_equal(&waiter->key, key))
			waiter->owner = owner;
}

static void waiter_enqueue(struct futex_bucket *bucket, struct futex_waiter *waiter)
	REQUIRES(bucket->lock)
{
	list_push_back(&bucket->waiters, &waiter->node);
	atomic_fetch_add(&queued_count, 1);
}

static void waiter_dequeue(struct futex_waiter *waiter)
{
	list_remove(&waiter->node);
	atomic_fetch_sub(&queued_count, 1);
}

/* 0, LOCK_AGAIN when the word is not what it was, -EFAULT when it is not there just now. */
static int word_change(uintptr_t address, uint32_t from, uint32_t to)
{
	uint32_t seen;
	int error = futex_word_exchange(address, from, to, &seen);

	return !error && seen != from ? LOCK_AGAIN : error;
}

/* The word's thread id is that of the owner its waiters know; or was, and is being cleared. */
static bool owner_agrees(uint32_t word, const struct task *owner)
{
	uint32_t tid = word & FUTEX_TID_MASK;

	if (!owner)
		return true;
	return tid == (uint32_t)owner->tid || (tid == 0 && (word & FUTEX_OWNER_DIED));
}

/*
 * One attempt: the lock is taken, or its owner is found to stand behind. `word` is what it held,
 * `owner` whom that names, or NULL.
 */
static int lock_attempt(struct futex_bucket *bucket, struct futex_waiter *self, uintptr_t address,
			uint32_t word, struct task *owner) REQUIRES(bucket->lock)
{
	struct futex_waiter *first = first_waiter(bucket, &self->key);
	uint32_t now, tid = (uint32_t)self->task->tid;
	int result = futex_word_load(address, &now);

	if (result || now != word)
		return result ? result : LOCK_AGAIN;
	if ((word & FUTEX_TID_MASK) == tid)
		return -EDEADLK;
	if (!first && !(word & FUTEX_TID_MASK))
		return word_change(address, word, (word & FUTEX_OWNER_DIED) | tid);
	if (first && (!first->task || !owner_agrees(word, first->owner)))
		return -EINVAL;
	result = word_change(address, word, word | FUTEX_WAITERS);
	if (result)
		return result;
	if (!first && !owner)
		return -ESRCH;
	self->owner = first ? first->owner : owner;
	return LOCK_QUEUED;
}

/* Stands behind self->owner. It may be ending, and have marked what it held already. */
static int lock_queue(struct futex_bucket *bucket, struct futex_waiter *self, uintptr_t address,
		      uint32_t word) REQUIRES(bucket->lock)
{
	uint32_t now;
	int error;

	waiter_enqueue(bucket, self);
	if (!self->owner || !atomic_load(&self->owner->futex_ended))
		return LOCK_QUEUED;
	if (first_waiter(bucket, &self->key) != self)
		return LOCK_QUEUED; /* its owner will see the first one, and so this one */
	waiter_dequeue(self);
	error = futex_word_load(address, &now);
	if (error)
		return error;
	return now == (word | FUTEX_WAITERS) ? -ESRCH : LOCK_AGAIN;
}

/* 0, LOCK_QUEUED (not with `try`) or -errno. */
static int lock_begin(struct futex_waiter *self, uintptr_t address, bool try)
{
	struct futex_bucket *bucket = futex_bucket_of(&self->key);
	int result;

	do {
		struct task *owner;
		uint32_t word;

		if (user_load_u32(address, &word))
			return -EFAULT;
		owner = task_find((int)(word & FUTEX_TID_MASK));
		spin_lock(&bucket->lock);
		result = lock_attempt(bucket, self, address, word, owner);
		if (result == LOCK_QUEUED)
			result = try ? -EAGAIN : lock_queue(bucket, self, address, word);
		spin_unlock(&bucket->lock);
		if (owner)
			task_put(owner);
		if (result == -EFAULT && !user_fault_in(address, sizeof(word), true))
			result = LOCK_AGAIN;
	} while (result == LOCK_AGAIN);
	return result;
}

/* The owner died and `self` is next: the word is written in its memory, which the dead may not have
 * had mapped. 0, or -EFAULT when it is not there just now. */
static int inherit(struct futex_bucket *bucket, struct futex_waiter *self, uintptr_t address)
	REQUIRES(bucket->lock)
{
	uint32_t word, mine = FUTEX_WAITERS | FUTEX_OWNER_DIED | (uint32_t)self->task->tid;
	int error;

	do {
		error = futex_word_load(address, &word);
		if (!error)
			error = word_change(address, word, mine);
	} while (error == LOCK_AGAIN);
	if (!error)
		set_owner(bucket, &self->key, self->task);
	return error;
}

/* Lets the next waiter have what `self` could not take. */
static void wake_first(struct futex_bucket *bucket, const struct futex_key *key)
	REQUIRES(bucket->lock)
{
	struct futex_waiter *first = first_waiter(bucket, key);

	if (!first)
		return;
	atomic_store(&first->woken, true);
	wake_up_all(&first->sleep);
}

/* After the sleep, however it ended. 0: the lock is ours. -EFAULT: it would be, but for its page.
 */
static int lock_end_locked(struct futex_bucket *bucket, struct futex_waiter *self,
			   uintptr_t address, bool give_up, int result) REQUIRES(bucket->lock)
{
	bool orphan = !self->owner && first_waiter(bucket, &self->key) == self;

	if (self->owner == self->task)
		return 0; /* handed over, and taken off the queue */
	if (orphan && !give_up) {
		result = inherit(bucket, self, address);
		if (result)
			return result;
	}
	waiter_dequeue(self);
	if (orphan && give_up)
		wake_first(bucket, &self->key);
	return result;
}

static int lock_end(struct futex_waiter *self, uintptr_t address, int result)
{
	struct futex_bucket *bucket = futex_bucket_of(&self->key);
	bool give_up = false;

	for (;;) {
		int end;

		spin_lock(&bucket->lock);
		end = lock_end_locked(bucket, self, address, give_up, result);
		spin_unlock(&bucket->lock);
		if (end != -EFAULT || give_up)
			return end;
		if (user_fault_in(address, sizeof(uint32_t), true)) {
			give_up = true;
			result = -EFAULT;
		}
	}
}

static int lock_pi(uintptr_t address, bool shared, bool try, uint64_t deadline_ns)
{
	struct futex_waiter self = {.bitset = FUTEX_BITSET_MATCH_ANY, .task = current_task()};
	int result = futex_key_get(address, shared, FUTEX_WRITES, &self.key);

	if (result)
		return result;
	wait_queue_init(&self.sleep);
	result = lock_begin(&self, address, try);
	if (result == LOCK_QUEUED) {
		result = wait_event_timeout(&self.sleep, atomic_load(&self.woken), deadline_ns);
		result = lock_end(&self, address, result);
	}
	futex_key_put(&self.key);
	return result;
}

int futex_lock_pi(uintptr_t address, bool shared, uint64_t deadline_ns)
{
	int result = lock_pi(address, shared, false, deadline_ns);

	return result == -ERESTARTSYS ? -ERESTARTNOINTR : result;
}

int futex_trylock_pi(uintptr_t address, bool shared)
{
	return lock_pi(address, shared, true, 0);
}

/* The word was `word`, naming the caller. 0, LOCK_AGAIN or -errno. */
static int unlock_attempt(struct futex_bucket *bucket, const struct futex_key *key,
			  uintptr_t address, uint32_t word) REQUIRES(bucket->lock)
{
	struct futex_waiter *first = first_waiter(bucket, key);
	int result;

	if (!first)
		return word_change(address, word, 0);
	if (!first->task || first->owner != current_task())
		return -EINVAL;
	result = word_change(address, word, FUTEX_WAITERS | (uint32_t)first->task->tid);
	if (result)
		return result;
	set_owner(bucket, key, first->task);
	waiter_dequeue(first);
	atomic_store(&first->woken, true);
	wake_up_all(&first->sleep);
	return 0;
}

int futex_unlock_pi(uintptr_t address, bool shared)
{
	struct futex_bucket *bucket;
	struct futex_key key;
	uint32_t word;
	int result;

	/* As on Linux, before anything is said about the address. */
	if (user_load_u32(address, &word))
		return -EFAULT;
	if ((word & FUTEX_TID_MASK) != (uint32_t)current_task()->tid)
		return -EPERM;
	result = futex_key_get(address, shared, FUTEX_WRITES, &key);
	if (result)
		return result;
	bucket = futex_bucket_of(&key);
	do {
		if (user_load_u32(address, &word)) {
			result = -EFAULT;
			break;
		}
		spin_lock(&bucket->lock);
		if ((word & FUTEX_TID_MASK) == (uint32_t)current_task()->tid)
			result = unlock_attempt(bucket, &key, address, word);
		else
			result = -EPERM;
		spin_unlock(&bucket->lock);
		if (result == -EFAULT && !user_fault_in(address, sizeof(word), true))
			result = LOCK_AGAIN;
	} while (result == LOCK_AGAIN);
	futex_key_put(&key);
	return result;
}

static void bucket_forget_owner(struct futex_bucket *bucket, const struct task *owner)
{
	struct futex_waiter *waiter;

	spin_lock(&bucket->lock);
	list_for_each_entry (waiter, &bucket->waiters, node) {
		if (!waiter->task || waiter->owner != owner)
			continue;
		waiter->owner = NULL;
		if (first_waiter(bucket, &waiter->key) == waiter)
			wake_first(bucket, &waiter->key);
	}
	spin_unlock(&bucket->lock);
}

void futex_pi_exit(struct task *task)
{
	struct futex_bucket *bucket;

	atomic_store(&task->futex_ended, true);
	if (atomic_load(&queued_count) == 0)
		return;
	for (unsigned i = 0; (bucket = futex_bucket_number(i)); i++)
		bucket_forget_owner(bucket, task);
}
