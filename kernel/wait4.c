/*
 * kernel/wait4.c - parents and children: how a parent hears, and wait4 and waitid.
 *
 * A child's end, stop or continuation wakes the parent's child_event and, as a rule, sends
 * SIGCHLD. wait4 looks through the children each time it is woken: O(children).
 *
 * Locks: task_tree_lock. Not here: the end itself (exit.c).
 */
#include <kernel/base/errno.h>
#include <kernel/sched.h>
#include <kernel/sys_task.h>
#include <kernel/task_private.h>
#include <kernel/time_abi.h>
#include <kernel/usage.h>
#include <linux/wait.h>
#include <mm/user_copy.h>
#include <string.h>

/* Wait status words: wait(2), "W..." macros. */
#define STATUS_STOPPED(signal) ((signal) << 8 | 0x7f)
#define STATUS_CONTINUED 0xffff

static int status_code(int status)
{
	return (status & 0x7f) == 0 ? CLD_EXITED : CLD_KILLED;
}

static int status_value(int status)
{
	return (status & 0x7f) == 0 ? status >> 8 & 0xff : status & 0x7f;
}

static void child_info(siginfo_t *info, struct process *child, int code, int status)
	REQUIRES(task_tree_lock)
{
	struct cpu_time time = process_cpu_time(child);

	memset(info, 0, sizeof(*info));
	info->si_signo = SIGCHLD;
	info->si_code = code;
	info->si_pid = child->pid;
	info->si_uid = child->uid;
	info->si_status = status;
	info->si_utime = (long)ns_to_ticks(time.user_ns);
	info->si_stime = (long)ns_to_ticks(time.system_ns);
}

bool process_notify_parent(struct process *child, int code, int status)
{
	struct process *parent = child->parent;
	bool ended = code == CLD_EXITED || code == CLD_KILLED;
	int signal = ended ? child->exit_signal : SIGCHLD;
	const struct signal_action *action = &parent->actions[SIGCHLD];
	bool unwanted = false, quiet;
	siginfo_t info;

	spin_lock(&parent->signal_lock);
	quiet = action->handler == (uintptr_t)SIG_IGN || (!ended && (action->flags & SA_NOCLDSTOP));
	if (ended && signal == SIGCHLD)
		unwanted = action->handler == (uintptr_t)SIG_IGN || (action->flags & SA_NOCLDWAIT);
	spin_unlock(&parent->signal_lock);
	if (code == CLD_STOPPED)
		child->stop_unreported = true;
	if (code == CLD_CONTINUED)
		child->continue_unreported = true;
	if (signal > 0 && !(signal == SIGCHLD && quiet)) {
		child_info(&info, child, code, status);
		(void)signal_send_process(parent, signal, &info);
	}
	wake_up_all(&parent->child_event);
	return unwanted;
}

bool process_notify_exit(struct process *child)
{
	int status = child->exit_status;

	return process_notify_parent(child, status_code(status), status_value(status));
}

struct wait_request {
	int which, id; /* P_ALL, P_PID, P_PGID */
	int options;
	/* the answer */
	int pid, code, value, status;
	uint32_t uid;
	struct usage usage;
	struct process *reaped; /* the tree's reference, to be dropped where one may sleep */
};

static bool wait_eligible(const struct wait_request *request, const struct process *child)
{
	bool is_clone = child->exit_signal != SIGCHLD;

	if (request->which == P_PID && child->pid != request->id)
		return false;
	if (request->which == P_PGID && child->process_group != request->id)
		return false;
	return (request->options & __WALL) || is_clone == !!(request->options & __WCLONE);
}

static void wait_answer(struct wait_request *request, struct process *child, int code, int value,
			int status) REQUIRES(task_tree_lock)
{
	request->pid = child->pid;
	request->uid = child->uid;
	request->code = code;
	request->value = value;
	request->status = status;
	request->usage = usage_of_process(child);
}

static void reap(struct wait_request *request, struct process *child) REQUIRES(task_tree_lock)
{
	usage_add_child(child->parent, child);
	process_unlink(child);
	request->reaped = child;
}

/* The child has something to report that was asked for: fills in the answer. */
static bool wait_child(struct wait_request *request, struct process *child) REQUIRES(task_tree_lock)
{
	bool keep = request->options & WNOWAIT;

	if (child->zombie) {
		if (!(request->options & WEXITED))
			return false;
		wait_answer(request, child, status_code(child->exit_status),
			    status_value(child->exit_status), child->exit_status);
		if (!keep)
			reap(request, child);
		return true;
	}
	if ((request->options & WSTOPPED) && child->stopped && child->stop_unreported) {
		child->stop_unreported = keep;
		wait_answer(request, child, CLD_STOPPED, child->stop_signal,
			    STATUS_STOPPED(child->stop_signal));
		return true;
	}
	if ((request->options & WCONTINUED) && child->continue_unreported) {
		child->continue_unreported = keep;
		wait_answer(request, child, CLD_CONTINUED, SIGCONT, STATUS_CONTINUED);
		return true;
	}
	return false;
}

/* The child's number, 0 when none has anything to report, -ECHILD when none ever will. */
static int wait_scan(struct wait_request *request)
{
	struct process *process = current_process();
	struct process *child;
	int result = -ECHILD;

	spin_lock(&task_tree_lock);
	list_for_each_entry (child, &process->children, sibling) {
		if (!wait_eligible(request, child))
			continue;
		result = 0;
		if (wait_child(request, child)) {
			result = request->pid;
			break;
		}
	}
	spin_unlock(&task_tree_lock);
	return result;
}

/* Its last thread may still be on its way off a processor: its memory is back when we return. */
static void wait_finished(struct process *child)
{
	wait_event(&child->thread_event, atomic_load(&child->unfinished) == 0);
	process_put(child);
}

static int wait_for_child(struct wait_request *request)
{
	int result, interrupted;

	if (request->options & WNOHANG) {
		interrupted = 0;
		result = wait_scan(request);
	} else {
		interrupted = wait_event_interruptible(&current_process()->child_event,
						       (result = wait_scan(request)) != 0);
	}
	if (request->reaped)
		wait_finished(request->reaped);
	return interrupted ? interrupted : result;
}

static int put_usage(uintptr_t user, const struct usage *usage)
{
	struct rusage rusage;

	if (!user)
		return 0;
	usage_to_abi(usage, &rusage);
	return put_user(user, rusage);
}

long sys_wait4(int pid, uintptr_t status, int options, uintptr_t usage)
{
	struct wait_request request = {.which = P_PID, .id = pid, .options = options | WEXITED};
	int result;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1) {
		request.which = P_ALL;
	} else if (pid <= 0) {
		request.which = P_PGID;
		request.id = pid ? -pid : current_process()->process_group;
	}
	result = wait_for_child(&request);
	if (result <= 0)
		return result;
	if ((status && put_user(status, request.status)) || put_usage(usage, &request.usage))
		return -EFAULT;
	return result;
}

/* id 0 of P_PGID is the caller's group (Linux 5.4). */
static int waitid_which(struct wait_request *request)
{
	switch (request->which) {
	case P_ALL:
		return 0;
	case P_PID:
		return request->id > 0 ? 0 : -EINVAL;
	case P_PGID:
		if (request->id == 0)
			request->id = current_process()->process_group;
		return request->id >= 0 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

long sys_waitid(int which, int id, uintptr_t info, int options, uintptr_t usage)
{
	struct wait_request request = {.which = which, .id = id, .options = options};
	siginfo_t answer;
	int error, result;

	if ((options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
			 __WCLONE | __WALL)) ||
	    !(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	error = waitid_which(&request);
	if (error)
		return error;
	result = wait_for_child(&request);
	if (result < 0)
		return result;
	memset(&answer, 0, sizeof(answer));
	if (result > 0) {
		answer.si_signo = SIGCHLD;
		answer.si_code = request.code;
		answer.si_pid = request.pid;
		answer.si_uid = request.uid;
		answer.si_status = request.value;
		if (put_usage(usage, &request.usage))
			return -EFAULT;
	}
	return info ? put_user(info, answer) : 0;
}
