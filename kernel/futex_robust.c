/*
 * kernel/futex_robust.c - futexes whose owner dies (get_robust_list(2), and "robust-futexes" in
 * Linux's documentation).
 *
 * A thread keeps a list, in its own memory, of the locks it holds. When it ends, each that still
 * carries its thread id is marked FUTEX_OWNER_DIED and one waiter is woken. The list is the
 * program's, so it may be broken, circular or unmapped: the walk stops then.
 */
#include <kernel/base/errno.h>
#include <kernel/futex.h>
#include <kernel/sys_task.h>
#include <kernel/task.h>
#include <linux/futex.h>
#include <mm/user_copy.h>

/* The low bit of a list pointer: a priority-inheritance futex, which nobody can hold here. */
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

/* False: the list cannot be trusted any further. */
static bool owner_died(uintptr_t address, int tid)
{
	uint32_t value, seen;

	if (address % sizeof(value) || user_load_u32(address, &value))
		return false;
	for (;;) {
		if ((value & FUTEX_TID_MASK) != (uint32_t)tid)
			return true;
		if (user_cmpxchg_u32(address, value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED,
				     &seen))
			return false;
		if (seen == value)
			break;
		value = seen;
	}
	if (value & FUTEX_WAITERS)
		(void)futex_wake(address, 1);
	return true;
}

void futex_robust_exit(struct task *task)
{
	uintptr_t head_address = task->robust_list;
	uintptr_t pending, entry;
	struct robust_list_head head;

	task->robust_list = 0;
	if (!head_address || get_user(head, head_address))
		return;
	pending = (uintptr_t)head.list_op_pending & ~ENTRY_IS_PI;
	entry = (uintptr_t)head.list.next & ~ENTRY_IS_PI;
	for (unsigned i = 0; i < ROBUST_LIST_LIMIT && entry != head_address; i++) {
		uintptr_t next;
		bool readable = !get_user(next, entry);

		/* A lock operation was under way on `pending`: it is done last. */
		if (entry != pending &&
		    !owner_died(entry + (uintptr_t)head.futex_offset, task->tid))
			return;
		if (!readable)
			return;
		entry = next & ~ENTRY_IS_PI;
	}
	if (pending)
		(void)owner_died(pending + (uintptr_t)head.futex_offset, task->tid);
}
