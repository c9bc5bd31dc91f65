/*
 * mm/pressure.h - when frames run out: kill the largest process, say so, and let the caller
 * try again.
 */
#pragma once

#include <kernel/base/types.h>

/*
 * Called where an allocation of one frame failed, with no spinlock held. Kills the largest process
 * (unless one is on its way out) and sleeps until that has left, or frames came back. True: try
 * again. False, for -ENOMEM: the caller itself is being killed, there is nobody to kill, or
 * somebody who was killed did not leave in two seconds, and the caller may hold a sleeping lock
 * that he waits for.
 */
must_check bool mem_pressure_relieve(bool may_hold_locks);

/*
 * Gives back what allocators keep for reuse: empty slabs, kernel stacks, task numbers. Any task
 * context.
 */
void mem_trim(void);
