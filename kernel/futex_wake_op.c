/*
 * kernel/futex_wake_op.c - FUTEX_WAKE_OP: changes one word, and wakes the sleepers of another, and
 * of the first too if its old value compares as told. Called by futex.c only.
 *
 * Locks: both buckets across the change, the comparison and the wake-ups.
 */
#include <kernel/base/errno.h>
#include <kernel/futex_private.h>
#include <linux/futex.h>
#include <mm/user_copy.h>

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

/* Under the buckets' locks: -EFAULT when the page is not there just now. */
static int change_word(const struct wake_operation *op, uintptr_t address, uint32_t *old)
{
	uint32_t seen, new;
	int error = futex_word_load(address, &seen);

	while (!error) {
		error = wake_operation_apply(op, seen, &new);
		if (!error)
			error = futex_word_exchange(address, seen, new, old);
		if (error || *old == seen)
			break;
		seen = *old;
	}
	return error;
}

/* The pair is locked, the second word changed. */
static int wake_both(const struct futex_pair *pair, int wake, int wake_second,
		     bool also_second) NO_THREAD_SAFETY_ANALYSIS
{
	int first = futex_wake_key(pair->bucket[0], &pair->key[0], wake, FUTEX_BITSET_MATCH_ANY);
	int second;

	if (first < 0 || !also_second)
		return first;
	second =
		futex_wake_key(pair->bucket[1], &pair->key[1], wake_second, FUTEX_BITSET_MATCH_ANY);
	return second < 0 ? second : first + second;
}

int futex_wake_op(uintptr_t first, uintptr_t second, bool shared, int wake, int wake_second,
		  uint32_t packed)
{
	struct wake_operation op = wake_operation_decode(packed);
	struct futex_pair pair;
	uint32_t old;
	int result = futex_pair_get(&pair, first, second, shared, FUTEX_WRITES);

	if (result)
		return result;
	for (;;) {
		futex_pair_lock(&pair);
		result = change_word(&op, second, &old);
		if (result != -EFAULT)
			break;
		futex_pair_unlock(&pair);
		result = user_fault_in(second, sizeof(old), true);
		if (result)
			goto put_pair;
	}
	if (!result)
		result = wake_operation_compare(&op, old);
	if (result >= 0)
		result = wake_both(&pair, wake, wake_second, result);
	futex_pair_unlock(&pair);
put_pair:
	futex_pair_put(&pair);
	return result;
}
