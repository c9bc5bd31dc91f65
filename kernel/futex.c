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
 * Not here: robust lists (futex_robust.c); priority inheritance (ENOSYS).
 */
#include <kernel/base/errno.h>
#include <kernel/futex.h>
#include <kernel/task.h>
#include <kernel/time_abi.h>
#include <linux/futex.h>
#include <mm/futex_key.h>
#include <mm/mem_object.h>
#include <mm/mem_space.h>
#include <mm/user_copy.h>

#define BUCKET_COUNT 256

struct futex_bucket {
	struct spinlock lock;
	struct list_node waiters; /* oldest first */
};

struct futex_waiter {
	struct list_node node;		     /* [bucket] */
	struct futex_key key;		     /* [bucket] */
	uint32_t bitset;		     /* [I] */
	struct futex_bucket *_Atomic bucket; /* [bucket] changed by a requeue */
	_Atomic bool woken;		     /* [bucket] no longer in the bucket */
	struct wait_queue sleep;
};

static struct futex_bucket buckets[BUCKET_COUNT];

void futex_init(void)
{
	for (unsigned i = 0; i < BUCKET_COUNT; i++) {
		spin_init(&buckets[i].lock, RANK_SIGNAL);
		list_init(&buckets[i].waiters);
	}
}

static struct futex_bucket *bucket_of(const struct futex_key *key)
{
	/* Fibonacci hashing; futexes lie at multiples of four. */
	uint64_t hash = (key->a ^ key->b >> 2) * 0x9e3779b97f4a7c15ull;

	return &buckets[hash >> 56];
}

static_assert(BUCKET_COUNT == 256, "bucket_of takes 8 bits");

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->a == b->a && a->b == b->b;
}

static void key_put(const struct futex_key *key)
{
	if (key->object)
		mem_object_put(key->object);
}

static int key_get(uintptr_t address, bool shared, struct futex_key *key)
{
	if (address % sizeof(uint32_t))
		return -EINVAL;
	if (address >= USER_SPACE_END)
		return -EFAULT;
	return mem_futex_key(current_task()->space, address, shared, key);
}

static int load_word(uintptr_t address, uint32_t *value)
{
	int error;

	user_faults_disable();
	error = user_load_u32(address, value);
	user_faults_enable();
	return error;
}

/* In the bucket, if the word still has the value: 0, -EAGAIN, -EFAULT. */
static int waiter_enter(struct futex_waiter *waiter, uintptr_t address, uint32_t value)
{
	struct futex_bucket *bucket = bucket_of(&waiter->key);
	uint32_t current;

	for (;;) {
		spin_lock(&bucket->lock);
		if (!load_word(address, &current))
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
	result = key_get(address, shared, &waiter.key);
	if (result)
		return result;
	wait_queue_init(&waiter.sleep);
	result = waiter_enter(&waiter, address, value);
	if (!result) {
		result = wait_event_timeout(&waiter.sleep, atomic_load(&waiter.woken), deadline_ns);
		if (waiter_leave(&waiter))
			result = 0;
	}
	key_put(&waiter.key);
	return result;
}

/* The bucket is locked. */
static void waiter_wake(struct futex_waiter *waiter)
{
	list_remove(&waiter->node);
	atomic_store(&waiter->woken, true);
	wake_up_all(&waiter->sleep);
}

/* Up to `count` sleepers of the key, but one at least, as on Linux. The bucket is locked. */
static int wake_key(struct futex_bucket *bucket, const struct futex_key *key, uint32_t count,
		    uint32_t bitset)
{
	struct futex_waiter *waiter, *next;
	uint32_t woken = 0;

	list_for_each_entry_safe (waiter, next, &bucket->waiters, node) {
		if (!key_equal(&waiter->key, key) || !(waiter->bitset & bitset))
			continue;
		waiter_wake(waiter);
		if (++woken >= count)
			break;
	}
	return (int)woken;
}

static int futex_wake_bitset(uintptr_t address, bool shared, uint32_t count, uint32_t bitset)
{
	struct futex_bucket *bucket;
	struct futex_key key;
	int result;

	if (bitset == 0)
		return -EINVAL;
	result = key_get(address, shared, &key);
	if (result)
		return result;
	bucket = bucket_of(&key);
	spin_lock(&bucket->lock);
	result = wake_key(bucket, &key, count, bitset);
	spin_unlock(&bucket->lock);
	key_put(&key);
	return result;
}

int futex_wake(uintptr_t address, uint32_t count)
{
	return futex_wake_bitset(address, true, count, FUTEX_BITSET_MATCH_ANY);
}

/* The words of an operation on two futexes. */
struct futex_pair {
	uintptr_t address[2];
	struct futex_key key[2];
	struct futex_bucket *bucket[2];
};

static int pair_get(struct futex_pair *pair, uintptr_t first, uintptr_t second, bool shared)
{
	int error;

	pair->address[0] = first;
	pair->address[1] = second;
	error = key_get(first, shared, &pair->key[0]);
	if (error)
		return error;
	error = key_get(second, shared, &pair->key[1]);
	if (error) {
		key_put(&pair->key[0]);
		return error;
	}
	pair->bucket[0] = bucket_of(&pair->key[0]);
	pair->bucket[1] = bucket_of(&pair->key[1]);
	return 0;
}

static void pair_put(const struct futex_pair *pair)
{
	key_put(&pair->key[0]);
	key_put(&pair->key[1]);
}

static void pair_lock(const struct futex_pair *pair) NO_THREAD_SAFETY_ANALYSIS
{
	struct futex_bucket *low = MIN(pair->bucket[0], pair->bucket[1]);
	struct futex_bucket *high = MAX(pair->bucket[0], pair->bucket[1]);

	spin_lock(&low->lock);
	if (high != low)
		spin_lock(&high->lock);
}

static void pair_unlock(const struct futex_pair *pair) NO_THREAD_SAFETY_ANALYSIS
{
	struct futex_bucket *low = MIN(pair->bucket[0], pair->bucket[1]);
	struct futex_bucket *high = MAX(pair->bucket[0], pair->bucket[1]);

	if (high != low)
		spin_unlock(&high->lock);
	spin_unlock(&low->lock);
}

/*
 * Moves up to `count` sleepers of the first word to the second. Each holds a reference to its
 * key's object: it gets one to the new, and the old one's is the caller's to drop (*dropped).
 */
static int requeue_key(const struct futex_pair *pair, uint32_t count, uint32_t *dropped)
{
	struct futex_waiter *waiter, *next;
	uint32_t moved = 0;

	if (count == 0)
		return 0;
	list_for_each_entry_safe (waiter, next, &pair->bucket[0]->waiters, node) {
		if (!key_equal(&waiter->key, &pair->key[0]))
			continue;
		list_remove(&waiter->node);
		list_push_back(&pair->bucket[1]->waiters, &waiter->node);
		waiter->key = pair->key[1];
		if (waiter->key.object)
			mem_object_get(waiter->key.object);
		atomic_store(&waiter->bucket, pair->bucket[1]);
		if (++moved >= count)
			break;
	}
	*dropped = moved;
	return (int)moved;
}

/* `expected` NULL: unconditionally. */
static int futex_requeue(uintptr_t first, uintptr_t second, bool shared, int wake, int requeue,
			 const uint32_t *expected)
{
	struct futex_pair pair;
	uint32_t current, dropped = 0;
	int result;

	if (wake < 0 || requeue < 0)
		return -EINVAL;
	result = pair_get(&pair, first, second, shared);
	if (result)
		return result;
	for (;;) {
		pair_lock(&pair);
		if (!expected || !load_word(first, &current))
			break;
		pair_unlock(&pair);
		result = user_fault_in(first, sizeof(current), false);
		if (result)
			goto put_pair;
	}
	if (expected && current != *expected) {
		result = -EAGAIN;
	} else {
		if (wake > 0)
			result = wake_key(pair.bucket[0], &pair.key[0], (uint32_t)wake,
					  FUTEX_BITSET_MATCH_ANY);
		if (!key_equal(&pair.key[0], &pair.key[1]))
			result += requeue_key(&pair, (uint32_t)requeue, &dropped);
	}
	pair_unlock(&pair);
	while (dropped-- > 0)
		key_put(&pair.key[0]);
put_pair:
	pair_put(&pair);
	return result;
}

/* FUTEX_WAKE_OP's operation, packed into a word: futex(2). */
struct wake_operation {
	uint32_t operation, compare;
	int32_t operand, compare_operand;
};

static struct wake_operation wake_operation_decode(uint32_t packed)
{
	struct wake_operation op = {
		.operation = packed >> 28 & 0xf,
		.compare = packed >> 24 & 0xf,
		.operand = (int32_t)(packed << 8) >> 20,
		.compare_operand = (int32_t)(packed << 20) >> 20,
	};

	if (op.operation & FUTEX_OP_OPARG_SHIFT) {
		op.operation &= ~(uint32_t)FUTEX_OP_OPARG_SHIFT;
		op.operand = (int32_t)(1u << (op.operand & 31));
	}
	return op;
}

static int wake_operation_apply(const struct wake_operation *op, uint32_t old, uint32_t *new)
{
	uint32_t operand = (uint32_t)op->operand;

	switch (op->operation) {
	case FUTEX_OP_SET:
		*new = operand;
		return 0;
	case FUTEX_OP_ADD:
		*new = old + operand;
		return 0;
	case FUTEX_OP_OR:
		*new = old | operand;
		return 0;
	case FUTEX_OP_ANDN:
		*new = old & ~operand;
		return 0;
	case FUTEX_OP_XOR:
		*new = old ^ operand;
		return 0;
	default:
		return -ENOSYS;
	}
}

static int wake_operation_compare(const struct wake_operation *op, uint32_t old)
{
	int32_t value = (int32_t)old;

	switch (op->compare) {
	case FUTEX_OP_CMP_EQ:
		return value == op->compare_operand;
	case FUTEX_OP_CMP_NE:
		return value != op->compare_operand;
	case FUTEX_OP_CMP_LT:
		return value < op->compare_operand;
	case FUTEX_OP_CMP_LE:
		return value <= op->compare_operand;
	case FUTEX_OP_CMP_GT:
		return value > op->compare_operand;
	case FUTEX_OP_CMP_GE:
		return value >= op->compare_operand;
	default:
		return -ENOSYS;
	}
}

/* Faults are disabled: -EFAULT when the page is not there just now. */
static int change_word(const struct wake_operation *op, uintptr_t address, uint32_t *old)
{
	uint32_t seen, new;
	int error;

	user_faults_disable();
	error = user_load_u32(address, &seen);
	while (!error) {
		error = wake_operation_apply(op, seen, &new);
		if (!error)
			error = user_cmpxchg_u32(address, seen, new, old);
		if (error || *old == seen)
			break;
		seen = *old;
	}
	user_faults_enable();
	return error;
}

static int futex_wake_op(uintptr_t first, uintptr_t second, bool shared, uint32_t wake,
			 uint32_t wake_second, uint32_t packed)
{
	struct wake_operation op = wake_operation_decode(packed);
	struct futex_pair pair;
	uint32_t old;
	int result = pair_get(&pair, first, second, shared);

	if (result)
		return result;
	for (;;) {
		pair_lock(&pair);
		result = change_word(&op, second, &old);
		if (result != -EFAULT)
			break;
		pair_unlock(&pair);
		result = user_fault_in(second, sizeof(old), true);
		if (result)
			goto put_pair;
	}
	if (!result)
		result = wake_operation_compare(&op, old);
	if (result >= 0) {
		bool also_second = result;

		result = wake_key(pair.bucket[0], &pair.key[0], wake, FUTEX_BITSET_MATCH_ANY);
		if (also_second)
			result += wake_key(pair.bucket[1], &pair.key[1], wake_second,
					   FUTEX_BITSET_MATCH_ANY);
	}
	pair_unlock(&pair);
put_pair:
	pair_put(&pair);
	return result;
}

/* FUTEX_WAIT's timeout is relative, FUTEX_WAIT_BITSET's absolute, by either clock. */
static int wait_deadline(int operation, uintptr_t timeout, uint64_t *deadline_ns)
{
	uint64_t time_ns;
	int error;

	*deadline_ns = UINT64_MAX;
	if (!timeout)
		return 0;
	error = timespec_read(timeout, &time_ns);
	if (error)
		return error;
	if ((operation & FUTEX_CMD_MASK) == FUTEX_WAIT)
		*deadline_ns = signal_deadline_resume(deadline_after(time_ns));
	else if (operation & FUTEX_CLOCK_REALTIME)
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

long sys_futex(uintptr_t address, int operation, uint32_t value, uintptr_t timeout,
	       uintptr_t address2, uint32_t value3)
{
	bool shared = !(operation & FUTEX_PRIVATE_FLAG);
	int command = operation & FUTEX_CMD_MASK;
	uint32_t value2 = (uint32_t)timeout;

	if ((operation & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
		return sys_futex_wait(address, operation, value, timeout, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return sys_futex_wait(address, operation, value, timeout, value3);
	case FUTEX_WAKE:
		return futex_wake_bitset(address, shared, value, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake_bitset(address, shared, value, value3);
	case FUTEX_REQUEUE:
		return futex_requeue(address, address2, shared, (int)value, (int)value2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(address, address2, shared, (int)value, (int)value2, &value3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(address, address2, shared, value, value2, value3);
	default:
		return -ENOSYS;
	}
}
