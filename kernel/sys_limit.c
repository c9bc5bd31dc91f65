/*
 * kernel/sys_limit.c - resource limits, and what was used.
 *
 * Limits are kept for every resource; those that mean something here are enforced where the
 * resource is (process_limit).
 */
#include <kernel/base/errno.h>
#include <kernel/sys_info.h>
#include <kernel/task_id.h>
#include <kernel/usage.h>
#include <mm/user_copy.h>

#define NOFILE_MAX 1048576ul /* Linux's default of fs.nr_open */

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
	if (new && !error) {
		limit->rlim_max = new->rlim_max;
		/* process_limit reads it without the lock. */
		__atomic_store_n(&limit->rlim_cur, new->rlim_cur, __ATOMIC_RELAXED);
	}
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
