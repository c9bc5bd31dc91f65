/*
 * kernel/futex.h - futexes: sleeping on a word of user memory (futex(2)).
 */
#pragma once

#include <kernel/base/types.h>

struct task;

/*
 * FUTEX_WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_BITSET, WAKE_BITSET, LOCK_PI, LOCK_PI2,
 * TRYLOCK_PI, UNLOCK_PI, with FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME; others are ENOSYS.
 * `timeout` is a pointer or a count, as the operation says.
 */
long sys_futex(uintptr_t address, int operation, uint32_t value, uintptr_t timeout,
	       uintptr_t address2, uint32_t value3);
long sys_set_robust_list(uintptr_t head, size_t size);
long sys_get_robust_list(int tid, uintptr_t head, uintptr_t size);

void futex_init(void);
/* Wakes up to `count` sleepers of a word in the calling task's space, shared or not: how many, or
 * -errno. Sleeps. */
int futex_wake(uintptr_t address, int count);
/*
 * The calling task leaves its space, by exit or execve: what it holds gets FUTEX_OWNER_DIED, and a
 * waiter each. Until futex_task_begin nobody waits for it any more. Sleeps.
 */
void futex_task_end(struct task *task);
void futex_task_begin(struct task *task);
