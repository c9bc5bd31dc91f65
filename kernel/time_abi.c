/* kernel/time_abi.c - times as programs pass them: see time_abi.h. */
#include <kernel/base/errno.h>
#include <kernel/time_abi.h>
#include <mm/user_copy.h>

static uint64_t ns_from_parts(int64_t seconds, uint64_t ns)
{
	uint64_t total;

	if (__builtin_mul_overflow((uint64_t)seconds, NS_PER_SEC, &total) ||
	    __builtin_add_overflow(total, ns, &total))
		return UINT64_MAX;
	return total;
}

int timespec_read(uintptr_t user, uint64_t *ns)
{
	struct __kernel_timespec time;

	if (get_user(time, user))
		return -EFAULT;
	if (time.tv_sec < 0 || time.tv_nsec < 0 || (uint64_t)time.tv_nsec >= NS_PER_SEC)
		return -EINVAL;
	*ns = ns_from_parts(time.tv_sec, (uint64_t)time.tv_nsec);
	return 0;
}

int timeval_read(uintptr_t user, uint64_t *ns)
{
	struct __kernel_old_timeval time;

	if (get_user(time, user))
		return -EFAULT;
	if (time.tv_sec < 0 || time.tv_usec < 0 || (uint64_t)time.tv_usec >= NS_PER_SEC / NS_PER_US)
		return -EINVAL;
	*ns = ns_from_parts(time.tv_sec, (uint64_t)time.tv_usec * NS_PER_US);
	return 0;
}

int timespec_write(uintptr_t user, uint64_t ns)
{
	struct __kernel_timespec time = {
		.tv_sec = (int64_t)(ns / NS_PER_SEC),
		.tv_nsec = (long long)(ns % NS_PER_SEC),
	};

	return put_user(user, time);
}

struct __kernel_old_timeval timeval_from_ns(uint64_t ns)
{
	return (struct __kernel_old_timeval){
		.tv_sec = (long)(ns / NS_PER_SEC),
		.tv_usec = (long)(ns % NS_PER_SEC / NS_PER_US),
	};
}

int timeval_write(uintptr_t user, uint64_t ns)
{
	struct __kernel_old_timeval time = timeval_from_ns(ns);

	return put_user(user, time);
}

uint64_t deadline_after(uint64_t duration_ns)
{
	uint64_t now = time_monotonic_ns();

	return duration_ns < UINT64_MAX - now ? now + duration_ns : UINT64_MAX;
}

uint64_t deadline_at_real(uint64_t real_ns)
{
	uint64_t now = time_real_ns();

	return real_ns > now ? deadline_after(real_ns - now) : 1;
}
