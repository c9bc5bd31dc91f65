/*
 * kernel/futex.c - sleeping on a word of user memory (futex(2)).
 *
 * A sleeper stands in a bucket of a hash table, chosen by its key (mm/futex_key.h: what word it
 * is, whoever sees it). The word is compared and the sleeper queued under the bucket's lock, and a
 * waker takes that lock after it has changed the word, so no wake-up is lost. The word is read
 * with page faults disabled; if it is not mapped just now the lock is let go, the page
 * faulted in, and all begins again.
 *
 * A sleeper's record lies on its stack. It leaves only through waiter_leave, which takes the
 * bucket's lock, so a waker that holds the lock may use the record to the end.
 *
 * Locks: one bucket, or two in address order; user memory under them only with faults disabled.
 * Not here: FUTEX_WAKE_OP (futex_wake_op.c); locks that the kernel hands from owner to owner
 * (futex_pi.c); robust lists (futex_robust.c).
 * Tests: tests/guest/futex.c, futex_pi.c, threads_*.c.
 */
#include <kernel/base/errno.h>
#include <kernel/futex.h>
#include <kernel/futex_private.h>
#include <kernel/task.h>
#include <kernel/time_abi.h>
#include <linux/futex.h>
#include <mm/mem_object.h>
#include <mm/mem_space.h>
#include <mm/user_copy.h>

#define BUCKET_COUNT 256
/* In a key of private memory: FUTEX_PRIVATE_FLAG was not given, which makes it another futex. */
#define KEY_NOT_PRIVATE 1ul

static struct futex_bucket buckets[BUCKET_COUNT];

void futex_init(void)
{
	for (unsigned i = 0; i < BUCKET_COUNT; i++) {
		spin_init(&buckets[i].lock, RANK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

struct futex_bucket *futex_bucket_of(const struct futex_key *key)
{
	/* Fibonacci hashing; futexes lie at multiples of four. */
	uint64_t hash = (key->a ^ key->b >> 2) * 0x9e3779b97f4a7c15ull;

	return &buckets[hash >> 56];
}

static_assert(BUCKET_COUNT == 256, "bucket_of takes 8 bits");

bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->a == b->a && a->b == b->b;
}

void futex_key_put(const struct futex_key *key)
{
	if (key->object)
		mem_object_put(key->object);
}

struct futex_bucket *futex_bucket_number(unsigned i)
{
	return i < BUCKET_COUNT ? &buckets[i] : NULL;
}

/*
 * Linux finds a shared word's page, for writing if that can be: what cannot be touched is EFAULT,
 * and so is private memory that cannot be written.
 */
static int shared_key_get(uintptr_t address, enum futex_access access, struct futex_key *key)
{
	bool writable = !user_fault_in(address, sizeof(uint32_t), true);
	int error;

	if (!writable &&
	    (access == FUTEX_WRITES || user_fault_in(address, sizeof(uint32_t), false)))
		return -EFAULT;
	error = mem_futex_key(current_task()->space, address, true, key);
	if (error || key->object)
		return error;
	key->b |= KEY_NOT_PRIVATE;
	return writable ? 0 : -EFAULT;
}

int futex_key_get(uintptr_t address, bool shared, enum futex_access access, struct futex_key *key)
{
	if (address % sizeof(uint32_t))
		return -EINVAL;
	if (shared)
		return shared_key_get(address, access, key);
	return mem_futex_key(current_task()->space, address, false, key);
}

int futex_word_load(uintptr_t address, uint32_t *value)
{
	int error;

	user_faults_disable();
	error = user_load_u32(address, value);
	user_faults_enable();
	return error;
}

int futex_word_exchange(uintptr_t address, uint32_t expected, uint32_t desired, uint32_t *seen)
{
	int error;

	user_faults_disable();
	error = user_cmpxchg_u32(address, expected, desired, seen);
	user_faults_enable();
	return error;
}

/* In the bucket, if the word still has the value: 0, -EAGAIN, -EFAULT. */
static int waiter_enter(struct futex_waiter *waiter, uintptr_t address, uint32_t value)
{
	struct futex_bucket *bucket = futex_bucket_of(&waiter->key);
	uint32_t current;

	for (;;) {
		spin_lock(&bucket->lock);
		if (!futex_word_load(address, &current))
			break;
		spin_unlock(&bucket->lock);
		if (user_fault_in(address, sizeof(current), false))
			return -EFAULT;
	}
	if (current == value) {
		atomic_init(&waiter->bucket, bucket);
		list_push_back(&bucket->waiters, &waiter->node);
	}
	spin_unlock(&bucket->lock);
	return current == value ? 0 : -EAGAIN;
}

/* Out of the bucket, which a requeue may change meanwhile. True: somebody woke it. */
static bool waiter_leave(struct futex_waiter *waiter)
{
	struct futex_bucket *bucket;
	bool woken;

	for (;;) {
		bucket = atomic_load(&waiter->bucket);
		spin_lock(&bucket->lock);
		if (bucket == atomic_load(&waiter->bucket))
			break;
		spin_unlock(&bucket->lock);
	}
	woken = atomic_load(&waiter->woken);
	if (!woken)
		list_remove(&waiter->node);
	spin_unlock(&bucket->lock);
	return woken;
}

static int futex_wait(uintptr_t address, bool shared, uint32_t value, uint32_t bitset,
		      uint64_t deadline_ns)
{
	struct futex_waiter waiter = {.bitset = bitset};
	int result;

	if (bitset == 0)
		return -EINVAL;
	result = futex_key_get(address, shared, FUTEX_READS, &waiter.key);
	if (result)
		return result;
	wait_queue_init(&waiter.sleep);
	result = waiter_enter(&waiter, address, value);
	if (!result) {
		result = wait_event_timeout(&waiter.sleep, atomic_load(&waiter.woken), deadline_ns);
		if (waiter_leave(&waiter))
			result = 0;
	}
	futex_key_put(&waiter.key);
	return result;
}

/* The bucket is locked. */
static void waiter_wake(struct futex_waiter *waiter)
{
	list_remove(&waiter->node);
	atomic_store(&waiter->woken, true);
	wake_up_all(&waiter->sleep);
}

int futex_wake_key(struct futex_bucket *bucket, const struct futex_key *key, int count,
		   uint32_t bitset)
{
	struct futex_waiter *waiter, *next;
	int woken = 0;

	list_for_each_entry_safe (waiter, next, &bucket->waiters, node) {
		if (!futex_key_equal(&waiter->key, key))
			continue;
		if (waiter->task)
			return -EINVAL;
		if (!(waiter->bitset & bitset))
			continue;
		waiter_wake(waiter);
		if (++woken >= count)
			break;
	}
	return woken;
}

static int futex_wake_bitset(uintptr_t address, bool shared, int count, uint32_t bitset)
{
	struct futex_bucket *bucket;
	struct futex_key key;
	int result;

	if (bitset == 0)
		return -EINVAL;
	result = futex_key_get(address, shared, FUTEX_READS, &key);
	if (result)
		return result;
	bucket = futex_bucket_of(&key);
	spin_lock(&bucket->lock);
	result = futex_wake_key(bucket, &key, count, bitset);
	spin_unlock(&bucket->lock);
	futex_key_put(&key);
	return result;
}

int futex_wake(uintptr_t address, int count)
{
	return futex_wake_bitset(address, true, count, FUTEX_BITSET_MATCH_ANY);
}

int futex_pair_get(struct futex_pair *pair, uintptr_t first, uintptr_t second, bool shared,
		   enum futex_access second_access)
{
	int error;

	pair->address[0] = first;
	pair->address[1] = second;
	error = futex_key_get(first, shared, FUTEX_READS, &pair->key[0]);
	if (error)
		return error;
	error = futex_key_get(second, shared, second_access, &pair->key[1]);
	if (error) {
		futex_key_put(&pair->key[0]);
		return error;
	}
	pair->bucket[0] = futex_bucket_of(&pair->key[0]);
	pair->bucket[1] = futex_bucket_of(&pair->key[1]);
	return 0;
}

void futex_pair_put(const struct futex_pair *pair)
{
	futex_key_put(&pair->key[0]);
	futex_key_put(&pair->key[1]);
}

void futex_pair_lock(const struct futex_pair *pair) NO_THREAD_SAFETY_ANALYSIS
{
	struct futex_bucket *low = MIN(pair->bucket[0], pair->bucket[1]);
	struct futex_bucket *high = MAX(pair->bucket[0], pair->bucket[1]);

	spin_lock(&low->lock);
	if (high != low)
		spin_lock(&high->lock);
}

void futex_pair_unlock(const struct futex_pair *pair) NO_THREAD_SAFETY_ANALYSIS
{
	struct futex_bucket *low = MIN(pair->bucket[0], pair->bucket[1]);
	struct futex_bucket *high = MAX(pair->bucket[0], pair->bucket[1]);

	if (high != low)
		spin_unlock(&high->lock);
	spin_unlock(&low->lock);
}

/* To the second word, with a reference to its key's object; the caller drops the first's. */
static void waiter_move(struct futex_waiter *waiter, const struct futex_pair *pair)
{
	list_remove(&waiter->node);
	list_push_back(&pair->bucket[1]->waiters, &waiter->node);
	waiter->key = pair->key[1];
	if (waiter->key.object)
		mem_object_get(waiter->key.object);
	atomic_store(&waiter->bucket, pair->bucket[1]);
}

/*
 * Wakes up to `wake` sleepers of the first word and moves up to `requeue` more to the second: how
 * many together, or -EINVAL at one in FUTEX_LOCK_PI. *moved references to the first key's object
 * are then the caller's to drop. The pair is locked.
 */
static int requeue_key(const struct futex_pair *pair, int wake, int requeue, int *moved)
{
	bool same = futex_key_equal(&pair->key[0], &pair->key[1]);
	struct futex_waiter *waiter, *next;
	int woken = 0, passed = 0;

	list_for_each_entry_safe (waiter, next, &pair->bucket[0]->waiters, node) {
		if (woken == wake && passed == requeue)
			break;
		if (!futex_key_equal(&waiter->key, &pair->key[0]))
			continue;
		if (waiter->task)
			return -EINVAL;
		if (woken < wake) {
			waiter_wake(waiter);
			woken++;
			continue;
		}
		passed++;
		if (!same) {
			waiter_move(waiter, pair);
			*moved = passed;
		}
	}
	return woken + passed;
}

/* `expected` NULL: unconditionally. */
static int futex_requeue(uintptr_t first, uintptr_t second, bool shared, int wake, int requeue,
			 const uint32_t *expected)
{
	struct futex_pair pair;
	uint32_t current;
	int result, moved = 0;

	if (wake < 0 || requeue < 0)
		return -EINVAL;
	result = futex_pair_get(&pair, first, second, shared, FUTEX_READS);
	if (result)
		return result;
	for (;;) {
		futex_pair_lock(&pair);
		if (!expected || !futex_word_load(first, &current))
			break;
		futex_pair_unlock(&pair);
		result = user_fault_in(first, sizeof(current), false);
		if (result)
			goto put_pair;
	}
	if (expected && current != *expected)
		result = -EAGAIN;
	else
		result = requeue_key(&pair, wake, requeue, &moved);
	futex_pair_unlock(&pair);
	while (moved-- > 0)
		futex_key_put(&pair.key[0]);
put_pair:
	futex_pair_put(&pair);
	return result;
}

/* FUTEX_WAIT's timeout is relative; the others' absolute, by either clock, FUTEX_LOCK_PI's by
 * CLOCK_REALTIME. */
static int wait_deadline(int operation, uintptr_t timeout, uint64_t *deadline_ns)
{
	int command = operation & FUTEX_CMD_MASK;
	uint64_t time_ns;
	int error;

	*deadline_ns = UINT64_MAX;
	if (!timeout)
		return 0;
	error = timespec_read(timeout, &time_ns);
	if (error)
		return error;
	if (command == FUTEX_WAIT)
		*deadline_ns = signal_deadline_resume(deadline_after(time_ns));
	else if (command == FUTEX_LOCK_PI || (operation & FUTEX_CLOCK_REALTIME))
		*deadline_ns = deadline_at_real(time_ns);
	else
		*deadline_ns = time_ns;
	return 0;
}

static long sys_futex_wait(uintptr_t address, int operation, uint32_t value, uintptr_t timeout,
			   uint32_t bitset)
{
	uint64_t deadline_ns;
	int result = wait_deadline(operation, timeout, &deadline_ns);

	if (result)
		return result;
	result = futex_wait(address, !(operation & FUTEX_PRIVATE_FLAG), value, bitset, deadline_ns);
	if (result != -ERESTARTSYS || !timeout)
		return result;
	if ((operation & FUTEX_CMD_MASK) == FUTEX_WAIT)
		signal_deadline_keep(deadline_ns);
	return -ERESTARTNOHAND;
}

static long sys_futex_lock(uintptr_t address, int operation, uintptr_t timeout)
{
	uint64_t deadline_ns;
	int error = wait_deadline(operation, timeout, &deadline_ns);

	if (error)
		return error;
	return futex_lock_pi(address, !(operation & FUTEX_PRIVATE_FLAG), deadline_ns);
}

static bool takes_clock(int command)
{
	return command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI2;
}

long sys_futex(uintptr_t address, int operation, uint32_t value, uintptr_t timeout,
	       uintptr_t address2, uint32_t value3)
{
	bool shared = !(operation & FUTEX_PRIVATE_FLAG);
	int command = operation & FUTEX_CMD_MASK;
	int count = (int)value, count2 = (int)timeout;

	if ((operation & FUTEX_CLOCK_REALTIME) && !takes_clock(command))
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
		return sys_futex_wait(address, operation, value, timeout, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return sys_futex_wait(address, operation, value, timeout, value3);
	case FUTEX_WAKE:
		return futex_wake_bitset(address, shared, count, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake_bitset(address, shared, count, value3);
	case FUTEX_REQUEUE:
		return futex_requeue(address, address2, shared, count, count2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(address, address2, shared, count, count2, &value3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(address, address2, shared, count, count2, value3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return sys_futex_lock(address, operation, timeout);
	case FUTEX_TRYLOCK_PI:
		return futex_trylock_pi(address, shared);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(address, shared);
	default:
		return -ENOSYS;
	}
}
