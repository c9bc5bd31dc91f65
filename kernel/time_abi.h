/* kernel/time_abi.h - times as programs pass them (struct timespec, timeval), and deadlines. */
#pragma once

#include <kernel/base/types.h>
#include <kernel/time.h>
#include <linux/time_types.h>

#define USER_HZ 100 /* clock ticks of times(2), AT_CLKTCK */

/* A struct timespec of the user's in ns, at most UINT64_MAX: 0, -EFAULT, or -EINVAL if it is no
 * time. */
must_check int timespec_read(uintptr_t user, uint64_t *ns);
/* A struct timeval in ns, likewise. */
must_check int timeval_read(uintptr_t user, uint64_t *ns);
/* 0 or -EFAULT. */
must_check int timespec_write(uintptr_t user, uint64_t ns);
must_check int timeval_write(uintptr_t user, uint64_t ns);

struct __kernel_old_timeval timeval_from_ns(uint64_t ns);

/* Monotonic time in `duration_ns`: never 0, UINT64_MAX (never) if it would overflow. */
uint64_t deadline_after(uint64_t duration_ns);
/* The monotonic time when the wall clock will show `real_ns`. Past: a time in the past, not 0. */
uint64_t deadline_at_real(uint64_t real_ns);

static inline uint64_t ns_to_ticks(uint64_t ns)
{
	return ns / (NS_PER_SEC / USER_HZ);
}
