/*
 * kernel/sys_kill.c - the system calls that send signals: kill, tkill, tgkill, sigqueue.
 *
 * Signal 0 only asks whether one may be sent. Rights as in kill(2).
 */
#include <kernel/base/errno.h>
#include <kernel/sys_signal.h>
#include <kernel/task_id.h>
#include <mm/user_copy.h>
#include <string.h>

static bool may_signal(const struct process *target, int signal)
{
	const struct process *sender = current_process();

	if (sender->euid == 0 || sender->euid == target->uid || sender->euid == target->suid ||
	    sender->uid == target->uid || sender->uid == target->suid)
		return true;
	return signal == SIGCONT && sender->session == target->session;
}

static bool signal_valid(int signal)
{
	return signal >= 0 && signal <= _NSIG;
}

static void sender_info(siginfo_t *info, int code)
{
	const struct process *sender = current_process();

	memset(info, 0, sizeof(*info));
	info->si_code = code;
	info->si_pid = sender->pid;
	info->si_uid = sender->uid;
}

static int send_checked(struct process *process, int signal, const siginfo_t *info)
{
	if (!may_signal(process, signal))
		return -EPERM;
	return signal ? signal_send_process(process, signal, info) : 0;
}

/* The process of that number; a thread's number stands for its process, as on Linux. */
static struct process *find_target(int pid)
{
	struct process *process = process_find(pid);
	struct task *task;

	if (process)
		return process;
	task = task_find(pid);
	if (!task)
		return NULL;
	process = task->process;
	process_get(process);
	task_put(task);
	return process;
}

static int send_to_pid(int pid, int signal, const siginfo_t *info)
{
	struct process *process = find_target(pid);
	int error;

	if (!process)
		return -ESRCH;
	error = send_checked(process, signal, info);
	process_put(process);
	return error;
}

/* A group counts as reached when any member was. */
static int send_to_group(int group, int signal, const siginfo_t *info)
{
	int result = -ESRCH;
	struct process *process;
	struct task_id *record;

	spin_lock(&task_tree_lock);
	record = task_id_find(group);
	if (record) {
		list_for_each_entry (process, &record->group, group_link) {
			int error = send_checked(process, signal, info);

			if (result != 0)
				result = error;
		}
	}
	spin_unlock(&task_tree_lock);
	return result;
}

struct broadcast {
	int signal, result;
	const siginfo_t *info;
};

static bool broadcast_visit(struct process *process, void *arg)
{
	struct broadcast *broadcast = arg;
	int error;

	if (process->pid == 1 || process == current_process())
		return true;
	error = send_checked(process, broadcast->signal, broadcast->info);
	if (broadcast->result != 0)
		broadcast->result = error;
	return true;
}

static int send_to_all(int signal, const siginfo_t *info)
{
	struct broadcast broadcast = {.signal = signal, .result = -ESRCH, .info = info};

	spin_lock(&task_tree_lock);
	process_for_each(broadcast_visit, &broadcast);
	spin_unlock(&task_tree_lock);
	return broadcast.result;
}

long sys_kill(int pid, int signal)
{
	siginfo_t info;

	if (!signal_valid(signal))
		return -EINVAL;
	sender_info(&info, SI_USER);
	if (pid > 0)
		return send_to_pid(pid, signal, &info);
	if (pid == 0)
		return send_to_group(current_process()->process_group, signal, &info);
	if (pid == -1)
		return send_to_all(signal, &info);
	if (pid == INT32_MIN)
		return -ESRCH;
	return send_to_group(-pid, signal, &info);
}

/* pid 0: the thread of any process. */
static int send_to_thread(int pid, int tid, int signal, const siginfo_t *info)
{
	struct task *task = task_find(tid);
	int error = 0;

	if (!task)
		return -ESRCH;
	if (pid && task->process->pid != pid)
		error = -ESRCH;
	else if (!may_signal(task->process, signal))
		error = -EPERM;
	else if (signal)
		error = signal_send_task(task, signal, info);
	task_put(task);
	return error;
}

long sys_tkill(int tid, int signal)
{
	siginfo_t info;

	if (tid <= 0 || !signal_valid(signal))
		return -EINVAL;
	sender_info(&info, SI_TKILL);
	return send_to_thread(0, tid, signal, &info);
}

long sys_tgkill(int pid, int tid, int signal)
{
	siginfo_t info;

	if (pid <= 0 || tid <= 0 || !signal_valid(signal))
		return -EINVAL;
	sender_info(&info, SI_TKILL);
	return send_to_thread(pid, tid, signal, &info);
}

/* A program may not pretend to be the kernel, or kill(2), to others. */
static int queued_info_read(siginfo_t *info, uintptr_t user, int pid)
{
	if (copy_from_user(info, user, sizeof(*info)))
		return -EFAULT;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && pid != current_process()->pid)
		return -EPERM;
	return 0;
}

long sys_rt_sigqueueinfo(int pid, int signal, uintptr_t info)
{
	siginfo_t queued;
	int error = queued_info_read(&queued, info, pid);

	if (error)
		return error;
	if (!signal_valid(signal))
		return -EINVAL;
	return pid > 0 ? send_to_pid(pid, signal, &queued) : -ESRCH;
}

long sys_rt_tgsigqueueinfo(int pid, int tid, int signal, uintptr_t info)
{
	siginfo_t queued;
	int error;

	if (pid <= 0 || tid <= 0)
		return -EINVAL;
	error = queued_info_read(&queued, info, pid);
	if (error)
		return error;
	if (!signal_valid(signal))
		return -EINVAL;
	return send_to_thread(pid, tid, signal, &queued);
}
