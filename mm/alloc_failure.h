/*
 * mm/alloc_failure.h - in the checking build, chosen allocations fail though there is memory.
 *
 * Writing "N M" to /dev/alloc-failure lets the N-th allocation of the calling task from then on
 * fail (1 is the next), and the M - 1 behind it; "0" ends that, and looks whether the task's space
 * is as it must be. Reading tells how many allocations there were since N was written, and how many
 * failed. What interrupts allocate does not count. execve keeps what was written, a new task
 * begins without.
 *
 * Tests: tests/guest/alloc_failure.c.
 */
#pragma once

#include <kernel/base/types.h>

#ifdef STOS_CHECK
/* For the allocators, before they look for memory: whether to say that there is none. */
bool alloc_fails(void);
/* Makes the device. After fs_init. */
void alloc_failure_init(void);
#else
static inline bool alloc_fails(void)
{
	return false;
}
static inline void alloc_failure_init(void)
{
}
#endif
