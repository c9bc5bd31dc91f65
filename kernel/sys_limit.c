/*
 * kernel/sys_limit.c - resource limits, what was used, and nice values.
 *
 * Limits are kept for every resource; those that mean something here are enforced where the
 * resource is (process_limit). Nice values are recorded, but all tasks get equal turns.
 */
#include <kernel/base/errno.h>
#include <kernel/sys_info.h>
#include <kernel/task_id.h>
#include <kernel/usage.h>
#include <mm/user_copy.h>

#define NOFILE_MAX 1048576ul /* Linux's default of fs.nr_open */
#define NICE_MIN (-20)
#define NICE_MAX 19

/* POSIX, setrlimit: only root may raise a hard limit. */
static int limit_check(unsigned resource, const struct rlimit *old, const struct rlimit *new)
{
	if (new->rlim_cur > new->rlim_max)
		return -EINVAL;
	if (new->rlim_max > old->rlim_max && !process_is_root())
		return -EPERM;
	if (resource == RLIMIT_NOFILE && new->rlim_max > NOFILE_MAX)
		return -EPERM;
	return 0;
}

/* Either may be NULL. */
static int limit_exchange(struct process *process, unsigned resource, const struct rlimit *new,
			  struct rlimit *old)
{
	struct rlimit *limit = &process->limits[resource];
	int error = 0;

	spin_lock(&process->signal_lock);
	*old = *limit;
	if (new)
		error = limit_check(resource, limit, new);
	if (new && !error)
		*limit = *new;
	spin_unlock(&process->signal_lock);
	return error;
}

long sys_getrlimit(unsigned resource, uintptr_t limit)
{
	return sys_prlimit64(0, resource, 0, limit);
}

long sys_setrlimit(unsigned resource, uintptr_t limit)
{
	struct rlimit probe;

	if (get_user(probe, limit))
		return -EFAULT;
	return sys_prlimit64(0, resource, limit, 0);
}

static bool may_limit(const struct process *process)
{
	const struct process *self = current_process();

	return process == self || process_is_root() ||
	       (self->uid == process->uid && self->uid == process->euid &&
		self->uid == process->suid && self->gid == process->gid &&
		self->gid == process->egid && self->gid == process->sgid);
}

/* struct rlimit and rlimit64 are the same on x86_64. */
static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "prlimit64");

long sys_prlimit64(int pid, unsigned resource, uintptr_t new_limit, uintptr_t old_limit)
{
	struct process *process;
	struct rlimit new, old;
	int error = -EPERM;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (new_limit && get_user(new, new_limit))
		return -EFAULT;
	process = process_find(pid ? pid : current_process()->pid);
	if (!process)
		return -ESRCH;
	if (may_limit(process))
		error = limit_exchange(process, resource, new_limit ? &new : NULL, &old);
	process_put(process);
	if (error)
		return error;
	return old_limit ? put_user(old_limit, old) : 0;
}

long sys_getrusage(int who, uintptr_t usage)
{
	struct process *process = current_process();
	struct rusage rusage;
	struct usage used;

	spin_lock(&task_tree_lock);
	switch (who) {
	case RUSAGE_SELF:
		used = usage_of_process(process);
		break;
	case RUSAGE_CHILDREN:
		used = usage_of_children(process);
		break;
	case RUSAGE_THREAD:
		used = usage_of_thread();
		break;
	default:
		spin_unlock(&task_tree_lock);
		return -EINVAL;
	}
	spin_unlock(&task_tree_lock);
	usage_to_abi(&used, &rusage);
	return put_user(usage, rusage);
}

struct nice_request {
	int which, who;
	bool set;
	int nice;   /* to set; or the lowest found */
	int result; /* 0, -ESRCH, -EPERM, -EACCES */
};

static bool nice_concerns(const struct nice_request *request, const struct process *process)
{
	const struct process *self = current_process();

	switch (request->which) {
	case PRIO_PROCESS:
		return process->pid == (request->who ? request->who : self->pid);
	case PRIO_PGRP:
		return process->process_group ==
		       (request->who ? request->who : self->process_group);
	default:
		return process->uid == (request->who ? (uint32_t)request->who : self->uid);
	}
}

static bool nice_visit(struct process *process, void *arg)
{
	struct nice_request *request = arg;
	const struct process *self = current_process();

	if (!nice_concerns(request, process))
		return true;
	if (!request->set) {
		if (request->result || process->nice < request->nice)
			request->nice = process->nice;
		request->result = 0;
	} else if (self->euid && self->euid != process->uid && self->euid != process->euid) {
		request->result = -EPERM;
	} else if (self->euid && request->nice < process->nice) {
		request->result = -EACCES;
	} else {
		process->nice = request->nice;
		if (request->result == -ESRCH)
			request->result = 0;
	}
	return true;
}

static int nice_do(struct nice_request *request)
{
	if (request->which < PRIO_PROCESS || request->which > PRIO_USER)
		return -EINVAL;
	request->result = -ESRCH;
	spin_lock(&task_tree_lock);
	process_for_each(nice_visit, request);
	spin_unlock(&task_tree_lock);
	return request->result;
}

/* The system call answers 20 - nice, so that no answer looks like an error. */
long sys_getpriority(int which, int who)
{
	struct nice_request request = {.which = which, .who = who};
	int error = nice_do(&request);

	return error ? error : 20 - request.nice;
}

long sys_setpriority(int which, int who, int nice)
{
	struct nice_request request = {
		.which = which,
		.who = who,
		.set = true,
		.nice = MAX(NICE_MIN, MIN(nice, NICE_MAX)),
	};

	return nice_do(&request);
}
