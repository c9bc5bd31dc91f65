/*
 * kernel/futex_robust.c - futexes whose owner dies (get_robust_list(2), and "robust-futexes" in
 * Linux's documentation).
 *
 * A thread keeps a list, in its own memory, of the locks it holds. When it ends, each that still
 * carries its thread id is marked FUTEX_OWNER_DIED and one waiter is woken. The list is the
 * program's, so it may be broken, circular or unmapped: the walk stops then.
 *
 * A lock of FUTEX_LOCK_PI is marked likewise, but its waiters are futex_pi.c's business.
 */
#include <kernel/base/errno.h>
#include <kernel/futex.h>
#include <kernel/futex_private.h>
#include <kernel/sys_task.h>
#include <kernel/task.h>
#include <linux/futex.h>
#include <mm/user_copy.h>

/* The low bit of a list pointer: the lock is one of FUTEX_LOCK_PI. */
#define ENTRY_IS_PI 1ul

long sys_set_robust_list(uintptr_t head, size_t size)
{
	if (size != sizeof(struct robust_list_head))
		return -EINVAL;
	current_task()->robust_list = head;
	return 0;
}

long sys_get_robust_list(int tid, uintptr_t head, uintptr_t size)
{
	struct task *task = current_task();
	uint64_t bytes = sizeof(struct robust_list_head);
	uintptr_t value;

	if (tid == 0) {
		task_get(task);
	} else {
		task = task_find(tid);
		if (!task)
			return -ESRCH;
	}
	if (task->process != current_process() && !process_is_root()) {
		task_put(task);
		return -EPERM;
	}
	value = task->robust_list;
	task_put(task);
	return put_user(size, bytes) || put_user(head, value) ? -EFAULT : 0;
}

/* What a pointer of the list says of a lock. */
struct robust_entry {
	uintptr_t address; /* of its struct robust_list */
	bool pi;
};

static struct robust_entry entry_decode(const struct robust_list *pointer)
{
	uintptr_t value = (uintptr_t)pointer;

	return (struct robust_entry){.address = value & ~ENTRY_IS_PI, .pi = value & ENTRY_IS_PI};
}

/*
 * False: the list cannot be trusted any further. `pending`: the owner died in the middle of taking
 * or releasing it; if it was released already, a waiter may have been left asleep.
 */
static bool owner_died(uintptr_t address, bool pi, bool pending)
{
	uint32_t tid = (uint32_t)current_task()->tid;
	uint32_t value, seen;

	if (address % sizeof(value) || user_load_u32(address, &value))
		return false;
	if (pending && !pi && !(value & FUTEX_TID_MASK)) {
		(void)futex_wake(address, 1);
		return true;
	}
	for (;;) {
		if ((value & FUTEX_TID_MASK) != tid)
			return true;
		if (user_cmpxchg_u32(address, value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED,
				     &seen))
			return false;
		if (seen == value)
			break;
		value = seen;
	}
	if (!pi && (value & FUTEX_WAITERS))
		(void)futex_wake(address, 1);
	return true;
}

void futex_robust_exit(struct task *task)
{
	uintptr_t head_address = task->robust_list;
	struct robust_entry pending, entry;
	struct robust_list_head head;
	uintptr_t offset;

	task->robust_list = 0;
	if (!head_address || get_user(head, head_address))
		return;
	offset = (uintptr_t)head.futex_offset;
	pending = entry_decode(head.list_op_pending);
	entry = entry_decode(head.list.next);
	for (unsigned i = 0; i < ROBUST_LIST_LIMIT && entry.address != head_address; i++) {
		struct robust_list node;
		bool readable = !get_user(node, entry.address); /* before another may own it */

		/* A lock operation was under way on `pending`: it is done last. */
		if (entry.address != pending.address &&
		    !owner_died(entry.address + offset, entry.pi, false))
			return;
		if (!readable)
			return;
		entry = entry_decode(node.next);
	}
	if (pending.address)
		(void)owner_died(pending.address + offset, pending.pi, true);
}

void futex_task_end(struct task *task)
{
	futex_robust_exit(task);
	futex_pi_exit(task);
}

void futex_task_begin(struct task *task)
{
	atomic_store(&task->futex_ended, false);
}
