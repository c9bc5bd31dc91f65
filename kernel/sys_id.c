/*
 * kernel/sys_id.c - process, group and session ids: who is whose (credentials(7), setpgid(2)).
 */
#include <kernel/base/errno.h>
#include <kernel/sys_id.h>
#include <kernel/task_id.h>

long sys_getpid(void)
{
	return current_process()->pid;
}

long sys_gettid(void)
{
	return current_task()->tid;
}

long sys_getppid(void)
{
	return atomic_load_explicit(&current_process()->parent_pid, memory_order_relaxed);
}

/* A process by number, 0 for the caller's; NULL: ESRCH. */
static struct process *find_locked(int pid) REQUIRES(task_tree_lock)
{
	struct task_id *record;

	if (pid == 0)
		return current_process();
	record = pid > 0 ? task_id_find(pid) : NULL;
	return record ? record->process : NULL;
}

long sys_getpgid(int pid)
{
	struct process *process;
	long group = -ESRCH;

	spin_lock(&task_tree_lock);
	process = find_locked(pid);
	if (process)
		group = process->process_group;
	spin_unlock(&task_tree_lock);
	return group;
}

long sys_getpgrp(void)
{
	return sys_getpgid(0);
}

long sys_getsid(int pid)
{
	struct process *process;
	long session = -ESRCH;

	spin_lock(&task_tree_lock);
	process = find_locked(pid);
	if (process)
		session = process->session;
	spin_unlock(&task_tree_lock);
	return session;
}

/* POSIX, setpgid: whom one may move, and where to. */
static int setpgid_check(const struct process *process, int group) REQUIRES(task_tree_lock)
{
	const struct process *self = current_process();
	struct task_id *record;
	struct process *member;

	if (process != self) {
		if (process->parent != self)
			return -ESRCH;
		if (process->session != self->session)
			return -EPERM;
		if (process->executed)
			return -EACCES;
	}
	if (process->session == process->pid)
		return -EPERM;
	if (group == process->pid)
		return 0;
	record = task_id_find(group);
	if (!record || list_empty(&record->group))
		return -EPERM;
	member = list_first(&record->group, struct process, group_link);
	return member->session == self->session ? 0 : -EPERM;
}

long sys_setpgid(int pid, int group)
{
	struct process *process;
	int error = -ESRCH;

	if (group < 0)
		return -EINVAL;
	spin_lock(&task_tree_lock);
	process = find_locked(pid);
	if (process) {
		if (group == 0)
			group = process->pid;
		error = setpgid_check(process, group);
		if (!error)
			process_join_group(process, group);
	}
	spin_unlock(&task_tree_lock);
	return error;
}

long sys_setsid(void)
{
	struct process *process = current_process();
	long result = -EPERM;

	spin_lock(&task_tree_lock);
	/* Not while its number names a group, its own or one it left members in. */
	if (list_empty(&task_id_find(process->pid)->group)) {
		process_join_session(process, process->pid);
		process_join_group(process, process->pid);
		process->tty = NULL;
		result = process->pid;
	}
	spin_unlock(&task_tree_lock);
	return result;
}
