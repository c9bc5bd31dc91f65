/*
 * kernel/sys_policy.c - scheduling policies: sched(7).
 *
 *   SCHED_OTHER, SCHED_BATCH    a slice in every round, as long as the nice value says
 *   SCHED_IDLE                  the shortest slice, and never before another that wakes up
 *   SCHED_FIFO, RR, DEADLINE    refused with EPERM, to root too: nothing here would keep what
 *                               they promise
 *
 * A request is checked in Linux's order (kernel/sched/syscalls.c): first whether it means anything
 * (EINVAL), then whether the caller may (EPERM).
 *
 * Locks: none; policy, nice value and flag are atomic, one by one.
 * Tests: tests/guest/sched.c.
 */
#include <kernel/base/errno.h>
#include <kernel/run_queue.h>
#include <kernel/sys_sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/time_types.h>
#include <mm/user_copy.h>
#include <string.h>

#define REAL_TIME_PRIORITY_MAX 99 /* sched(7) */
#define ATTR_SIZE_FIRST 48	  /* sched_setattr(2): struct sched_attr of Linux 3.14 */

struct policy_request {
	int policy;
	uint32_t priority;
	bool reset_on_fork;
	bool only_reset; /* nothing else is changed */
	bool set_nice;
	int nice;
	bool timed; /* SCHED_DEADLINE's times are given */
};

static bool policy_is_fair(int policy)
{
	return policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

static bool policy_is_real_time(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool request_has_meaning(const struct policy_request *request)
{
	if (policy_is_real_time(request->policy))
		return request->priority >= 1 && request->priority <= REAL_TIME_PRIORITY_MAX;
	if (request->priority)
		return false;
	return policy_is_fair(request->policy) ||
	       (request->policy == SCHED_DEADLINE && request->timed);
}

static bool request_is_allowed(const struct policy_request *request, const struct task *task)
{
	int nice = atomic_load(&task->nice);
	bool leaves_idle =
		atomic_load(&task->policy) == SCHED_IDLE && request->policy != SCHED_IDLE;

	if (!policy_is_fair(request->policy))
		return false;
	if (process_is_root())
		return true;
	if (request->set_nice && !sched_may_nice(task, request->nice))
		return false;
	/* As if the nice value became so much lower. */
	if (leaves_idle && nice < NICE_MAX && !sched_may_nice(task, nice - 1))
		return false;
	return sched_may_change(task) &&
	       (request->reset_on_fork || !atomic_load(&task->reset_on_fork));
}

static int request_apply(const struct policy_request *request, struct task *task)
{
	if (!request_has_meaning(request))
		return -EINVAL;
	if (!request_is_allowed(request, task))
		return -EPERM;
	if (request->set_nice)
		atomic_store(&task->nice, request->nice);
	if (!request->only_reset)
		atomic_store(&task->policy, request->policy);
	atomic_store(&task->reset_on_fork, request->reset_on_fork);
	return 0;
}

/* NULL where Linux's calls say EINVAL for a negative number, and ESRCH for one that names nobody.
 */
static struct task *target_or_error(int tid, long *error)
{
	struct task *task = tid < 0 ? NULL : sched_target(tid);

	*error = tid < 0 ? -EINVAL : task ? 0 : -ESRCH;
	return task;
}

#define POLICY_KEPT (-1)

static long set_policy(int tid, int policy, uintptr_t param)
{
	struct policy_request request = {.policy = policy};
	struct sched_param given;
	struct task *task;
	long error;

	if (!param || tid < 0)
		return -EINVAL;
	if (get_user(given, param))
		return -EFAULT;
	task = target_or_error(tid, &error);
	if (!task)
		return error;
	request.priority = (uint32_t)given.sched_priority;
	if (policy == POLICY_KEPT) {
		request.policy = atomic_load(&task->policy);
		request.reset_on_fork = atomic_load(&task->reset_on_fork);
	} else if (policy & SCHED_RESET_ON_FORK) {
		request.policy &= ~SCHED_RESET_ON_FORK;
		request.reset_on_fork = true;
	}
	error = request_apply(&request, task);
	task_put(task);
	return error;
}

long sys_sched_setscheduler(int tid, int policy, uintptr_t param)
{
	return policy < 0 ? -EINVAL : set_policy(tid, policy, param);
}

long sys_sched_setparam(int tid, uintptr_t param)
{
	return set_policy(tid, POLICY_KEPT, param);
}

long sys_sched_getscheduler(int tid)
{
	long result;
	struct task *task = target_or_error(tid, &result);

	if (!task)
		return result;
	result = atomic_load(&task->policy);
	if (atomic_load(&task->reset_on_fork))
		result |= SCHED_RESET_ON_FORK;
	task_put(task);
	return result;
}

long sys_sched_getparam(int tid, uintptr_t param)
{
	struct sched_param none = {.sched_priority = 0};
	struct task *task;
	long error;

	if (!param)
		return -EINVAL;
	task = target_or_error(tid, &error);
	if (!task)
		return error;
	task_put(task);
	return put_user(param, none);
}

/* ---- sched_setattr(2) ---- */

/* A larger struct than ours is fine as long as what we do not know is 0. */
static int attr_read(struct sched_attr *attr, uintptr_t address)
{
	uint32_t size;
	uint8_t byte;

	if (get_user(size, address))
		return -EFAULT;
	if (!size)
		size = ATTR_SIZE_FIRST;
	if (size < ATTR_SIZE_FIRST || size > PAGE_SIZE)
		goto wrong_size;
	memset(attr, 0, sizeof(*attr));
	for (uint32_t i = sizeof(*attr); i < size; i++) {
		if (get_user(byte, address + i))
			return -EFAULT;
		if (byte)
			goto wrong_size;
	}
	return copy_from_user(attr, address, MIN(size, sizeof(*attr)));

wrong_size:
	size = sizeof(*attr);
	return put_user(address, size) ? -EFAULT : -E2BIG;
}

static void request_from_attr(struct policy_request *request, const struct sched_attr *attr,
			      const struct task *task)
{
	*request = (struct policy_request){
		.policy = (int)attr->sched_policy,
		.priority = attr->sched_priority,
		.reset_on_fork = attr->sched_flags & SCHED_FLAG_RESET_ON_FORK,
		.nice = MAX(NICE_MIN, MIN(attr->sched_nice, NICE_MAX)),
		.timed = attr->sched_runtime && attr->sched_deadline,
	};
	if (attr->sched_flags & SCHED_FLAG_KEEP_POLICY) {
		request->policy = atomic_load(&task->policy);
		request->reset_on_fork = atomic_load(&task->reset_on_fork);
	}
	/* As on Linux, the policy counts as a parameter that is kept. */
	request->only_reset = attr->sched_flags & SCHED_FLAG_KEEP_PARAMS;
	request->set_nice = !request->only_reset && policy_is_fair(request->policy);
}

long sys_sched_setattr(int tid, uintptr_t address, uint32_t flags)
{
	struct policy_request request;
	struct sched_attr attr;
	struct task *task;
	long error;

	if (!address || tid < 0 || flags)
		return -EINVAL;
	error = attr_read(&attr, address);
	if (error)
		return error;
	if ((int)attr.sched_policy < 0 || (attr.sched_flags & ~(uint64_t)SCHED_FLAG_ALL))
		return -EINVAL;
	if (attr.sched_flags & SCHED_FLAG_UTIL_CLAMP)
		return -EOPNOTSUPP; /* as Linux without CONFIG_UCLAMP_TASK */
	task = target_or_error(tid, &error);
	if (!task)
		return error;
	request_from_attr(&request, &attr, task);
	error = request_apply(&request, task);
	task_put(task);
	return error;
}

long sys_sched_getattr(int tid, uintptr_t address, uint32_t size, uint32_t flags)
{
	struct sched_attr attr = {.size = MIN(size, sizeof(attr))};
	struct task *task;
	long error;

	if (!address || size > PAGE_SIZE || size < ATTR_SIZE_FIRST || flags)
		return -EINVAL;
	task = target_or_error(tid, &error);
	if (!task)
		return error;
	attr.sched_policy = (uint32_t)atomic_load(&task->policy);
	attr.sched_nice = atomic_load(&task->nice);
	if (atomic_load(&task->reset_on_fork))
		attr.sched_flags = SCHED_FLAG_RESET_ON_FORK;
	task_put(task);
	if (copy_to_user(address, &attr, attr.size))
		return -EFAULT;
	return clear_user(address + attr.size, size - attr.size);
}

/* ---- what is possible ---- */

static long priority_limit(int policy, int real_time)
{
	if (policy_is_real_time(policy))
		return real_time;
	return policy_is_fair(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

long sys_sched_get_priority_max(int policy)
{
	return priority_limit(policy, REAL_TIME_PRIORITY_MAX);
}

long sys_sched_get_priority_min(int policy)
{
	return priority_limit(policy, 1);
}

long sys_sched_rr_get_interval(int tid, uintptr_t interval)
{
	struct __kernel_timespec slice = {0};
	struct task *task;
	long error;

	task = target_or_error(tid, &error);
	if (!task)
		return error;
	slice.tv_nsec = run_queue_slice_ns(run_queue_nice(task));
	task_put(task);
	return put_user(interval, slice);
}
