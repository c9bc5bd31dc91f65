/*
 * mm/pressure.h - when frames run out: kill the largest process, say so, and let the caller
 * try again.
 */
#pragma once

#include <kernel/base/types.h>

/*
 * Called where an allocation failed, with no spinlock held. Kills the largest process (unless
 * one that was killed is still on its way out) and sleeps until frames came back. True: try
 * again. False: nothing could be freed in reasonable time, or the caller itself is being
 * killed: fail with -ENOMEM.
 */
must_check bool mem_pressure_relieve(void);

/* Gives back what allocators keep for reuse: empty slabs, kernel stacks, task numbers. Any task context. */
void mem_trim(void);
