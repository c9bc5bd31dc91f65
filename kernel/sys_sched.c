/*
 * kernel/sys_sched.c - where threads run and how eagerly, as programs ask for it: processors, nice
 * values.
 *
 * Both belong to the thread, as on Linux. The scheduler reads a thread's nice value when it gives
 * it its next slice (run_queue.c), so a new one is felt within a round.
 *
 * Locks: task_tree_lock to look at threads that are not ours; the run queue's, inside
 * task_set_affinity.
 * Not here: policies (sys_policy.c), what is done about it all (sched.c, run_queue.c).
 * Tests: tests/guest/sched.c, sched_affinity.c.
 */
#include <kernel/base/errno.h>
#include <kernel/sched.h>
#include <kernel/sys_sched.h>
#include <kernel/task.h>
#include <mm/user_copy.h>

struct task *sched_target(int tid)
{
	struct task *task = current_task();

	if (tid)
		return task_find(tid);
	task_get(task);
	return task;
}

bool sched_may_change(const struct task *task)
{
	const struct process *self = current_process(), *process = task->process;

	return self->euid == 0 || self->euid == process->uid || self->euid == process->euid;
}

/* RLIMIT_NICE counts from 1, which is nice 19: getrlimit(2). */
bool sched_may_nice(const struct task *task, int nice)
{
	struct process *process = task->process;
	uint64_t limit;

	if (nice >= atomic_load(&task->nice) || process_is_root())
		return true;
	spin_lock(&process->signal_lock);
	limit = process->limits[RLIMIT_NICE].rlim_cur;
	spin_unlock(&process->signal_lock);
	return (uint64_t)(NICE_MAX + 1 - nice) <= limit;
}

/* ---- processors ---- */

long sys_sched_yield(void)
{
	task_yield();
	return 0;
}

long sys_getcpu(uintptr_t cpu, uintptr_t node, uintptr_t unused)
{
	uint32_t id = cpu_read(id);
	uint32_t first_node = 0;

	(void)unused; /* a cache, before Linux 2.6.24 */
	if ((cpu && put_user(cpu, id)) || (node && put_user(node, first_node)))
		return -EFAULT;
	return 0;
}

/* One word of bits holds all the processors there may be; more of a caller's set is not looked at.
 */
static uint64_t cpus_that_run(void)
{
	return (1ull << cpu_count()) - 1;
}

long sys_sched_setaffinity(int tid, size_t size, uintptr_t mask)
{
	uint64_t wanted = 0;
	struct task *task;
	long error = 0;

	if (copy_from_user(&wanted, mask, MIN(size, sizeof(wanted))))
		return -EFAULT;
	task = sched_target(tid);
	if (!task)
		return -ESRCH;
	wanted &= cpus_that_run();
	if (!sched_may_change(task))
		error = -EPERM;
	else if (!wanted)
		error = -EINVAL;
	else
		task_set_affinity(task, wanted);
	task_put(task);
	return error;
}

long sys_sched_getaffinity(int tid, size_t size, uintptr_t mask)
{
	struct task *task;
	uint64_t allowed;

	if (size * 8 < cpu_count() || size % sizeof(allowed))
		return -EINVAL;
	task = sched_target(tid);
	if (!task)
		return -ESRCH;
	allowed = task->affinity & cpus_that_run();
	task_put(task);
	return put_user(mask, allowed) ? -EFAULT : (long)sizeof(allowed);
}

/* ---- nice values ---- */

struct nice_request {
	int which, who;
	bool set;
	int nice;   /* to set; or the lowest found */
	int result; /* 0, -ESRCH, -EPERM, -EACCES */
};

static void nice_thread(struct nice_request *request, struct task *task) REQUIRES(task_tree_lock)
{
	int nice = atomic_load(&task->nice);

	if (!request->set) {
		request->nice = request->result ? nice : MIN(request->nice, nice);
		request->result = 0;
	} else if (!sched_may_change(task)) {
		request->result = -EPERM;
	} else if (!sched_may_nice(task, request->nice)) {
		request->result = -EACCES;
	} else {
		atomic_store(&task->nice, request->nice);
		if (request->result == -ESRCH)
			request->result = 0;
	}
}

static bool nice_concerns(const struct nice_request *request, const struct process *process)
{
	const struct process *self = current_process();

	if (request->which == PRIO_PGRP)
		return process->process_group ==
		       (request->who ? request->who : self->process_group);
	return process->uid == (request->who ? (uint32_t)request->who : self->uid);
}

static bool nice_process(struct process *process, void *arg) NO_THREAD_SAFETY_ANALYSIS
{
	struct nice_request *request = arg;
	struct task *task;

	if (nice_concerns(request, process))
		list_for_each_entry (task, &process->threads, thread_link)
			nice_thread(request, task);
	return true;
}

static int nice_do(struct nice_request *request)
{
	struct task *task = NULL;

	if (request->which < PRIO_PROCESS || request->which > PRIO_USER)
		return -EINVAL;
	request->result = -ESRCH;
	if (request->which == PRIO_PROCESS)
		task = sched_target(request->who);
	spin_lock(&task_tree_lock);
	if (task)
		nice_thread(request, task);
	else if (request->which != PRIO_PROCESS)
		process_for_each(nice_process, request);
	spin_unlock(&task_tree_lock);
	if (task)
		task_put(task);
	return request->result;
}

/* The system call answers 20 - nice, so that no answer looks like an error. */
long sys_getpriority(int which, int who)
{
	struct nice_request request = {.which = which, .who = who};
	int error = nice_do(&request);

	return error ? error : NICE_MAX + 1 - request.nice;
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
