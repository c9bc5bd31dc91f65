/*
 * kernel/sys_signal.c - the system calls about a task's own signals: actions, masks, waiting,
 * the alternate stack.
 *
 * Not here: kill and its kin (sys_kill.c), rt_sigreturn (signal_frame.c), what signals do
 * (signal.c).
 */
#include <kernel/base/errno.h>
#include <kernel/sched.h>
#include <kernel/signal_private.h>
#include <kernel/sys_signal.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <kernel/time_abi.h>
#include <kernel/trap.h>
#include <mm/user_copy.h>

#define SIGSET_SIZE 8 /* bytes of a mask: what libc passes as sigsetsize */

/* Others are cleared, so that a program can find out what is supported (sigaction(2)). */
#define SUPPORTED_FLAGS                                                                            \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |         \
	 SA_RESETHAND | SA_RESTORER)

static void action_set(struct process *process, int signal, const struct sigaction *action)
{
	struct signal_action *own = &process->actions[signal];

	*own = (struct signal_action){
		.handler = (uintptr_t)action->sa_handler,
		.flags = action->sa_flags & SUPPORTED_FLAGS,
		.restorer = (uintptr_t)action->sa_restorer,
		.mask = action->sa_mask & ~SIGNAL_UNBLOCKABLE,
	};
	if (signal_action_ignores(process, signal))
		signal_discard(process, SIGNAL_BIT(signal));
}

long sys_rt_sigaction(int signal, uintptr_t action, uintptr_t old_action, size_t set_size)
{
	struct process *process = current_process();
	struct signal_action before;
	struct sigaction user;

	if (set_size != SIGSET_SIZE || signal < 1 || signal > _NSIG ||
	    (action && (SIGNAL_UNBLOCKABLE & SIGNAL_BIT(signal))))
		return -EINVAL;
	if (action && get_user(user, action))
		return -EFAULT;
	spin_lock(&process->signal_lock);
	before = process->actions[signal];
	if (action)
		action_set(process, signal, &user);
	spin_unlock(&process->signal_lock);
	if (!old_action)
		return 0;
	user = (struct sigaction){
		.sa_handler = (__sighandler_t)before.handler,
		.sa_flags = before.flags,
		.sa_restorer = (__sigrestore_t)before.restorer,
		.sa_mask = before.mask,
	};
	return put_user(old_action, user);
}

long sys_rt_sigprocmask(int how, uintptr_t set, uintptr_t old_set, size_t set_size)
{
	uint64_t before = current_task()->blocked;
	uint64_t mask;

	if (set_size != SIGSET_SIZE)
		return -EINVAL;
	if (set) {
		if (get_user(mask, set))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			mask = before | mask;
			break;
		case SIG_UNBLOCK:
			mask = before & ~mask;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(mask);
	}
	return old_set ? put_user(old_set, before) : 0;
}

long sys_rt_sigpending(uintptr_t set, size_t set_size)
{
	struct task *task = current_task();
	struct process *process = task->process;
	uint64_t pending;

	if (set_size > SIGSET_SIZE)
		return -EINVAL;
	spin_lock(&process->signal_lock);
	pending = (task->pending.set | process->pending.set) & task->blocked;
	spin_unlock(&process->signal_lock);
	return copy_to_user(set, &pending, set_size);
}

/* Takes a signal of `wanted`, now or before the deadline: its number, -EAGAIN or -EINTR. */
static int signal_wait(uint64_t wanted, uint64_t deadline_ns, siginfo_t *info)
{
	struct task *task = current_task();
	struct process *process = task->process;
	int slept, signal;

	spin_lock(&process->signal_lock);
	signal = signal_dequeue(task, ~wanted, info);
	if (signal || deadline_ns == 0) {
		signal_recalculate(task);
		spin_unlock(&process->signal_lock);
		return signal ? signal : -EAGAIN;
	}
	/* Unblocked while it sleeps, so that senders wake it. */
	task->awaited = task->blocked & wanted;
	task->blocked &= ~wanted;
	signal_recalculate(task);
	spin_unlock(&process->signal_lock);

	slept = task_sleep_until(deadline_ns);

	spin_lock(&process->signal_lock);
	task->blocked |= task->awaited;
	task->awaited = 0;
	signal = signal_dequeue(task, ~wanted, info);
	signal_retarget(process, task); /* more may have come that this thread was chosen for */
	signal_recalculate(task);
	spin_unlock(&process->signal_lock);
	if (signal)
		return signal;
	return slept == 0 ? -EAGAIN : -EINTR;
}

long sys_rt_sigtimedwait(uintptr_t set, uintptr_t info, uintptr_t timeout, size_t set_size)
{
	uint64_t wanted, deadline_ns = UINT64_MAX;
	siginfo_t taken;
	int signal;

	if (set_size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(wanted, set))
		return -EFAULT;
	if (timeout) {
		uint64_t duration_ns;
		int error = timespec_read(timeout, &duration_ns);

		if (error)
			return error;
		deadline_ns = duration_ns ? deadline_after(duration_ns) : 0;
	}
	signal = signal_wait(wanted & ~SIGNAL_UNBLOCKABLE, deadline_ns, &taken);
	if (signal > 0 && info && copy_to_user(info, &taken, sizeof(taken)))
		return -EFAULT;
	return signal;
}

/* Until a handler is to run. */
static void sleep_for_signal(void)
{
	while (task_sleep_until(UINT64_MAX) == 0)
		;
}

long sys_rt_sigsuspend(uintptr_t set, size_t set_size)
{
	uint64_t mask;

	if (set_size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(mask, set))
		return -EFAULT;
	signal_mask_borrow(mask);
	sleep_for_signal();
	signal_mask_return(true);
	return -ERESTARTNOHAND;
}

long sys_pause(void)
{
	sleep_for_signal();
	return -ERESTARTNOHAND;
}

static int alt_stack_set(struct task *task, const stack_t *stack)
{
	int mode = stack->ss_flags & ~(int)SS_FLAG_BITS;

	if (signal_on_alt_stack(task, task->user_frame->rsp))
		return -EPERM;
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		task->alt_stack = (struct signal_stack){.flags = stack->ss_flags};
		return 0;
	}
	if (stack->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	task->alt_stack = (struct signal_stack){
		.base = (uintptr_t)stack->ss_sp,
		.size = stack->ss_size,
		.flags = stack->ss_flags & (int)SS_AUTODISARM,
	};
	return 0;
}

long sys_sigaltstack(uintptr_t stack, uintptr_t old_stack)
{
	struct task *task = current_task();
	stack_t before = {
		.ss_sp = (void *)task->alt_stack.base,
		.ss_size = task->alt_stack.size,
		.ss_flags = task->alt_stack.flags,
	};
	stack_t wanted;
	int error;

	if (signal_on_alt_stack(task, task->user_frame->rsp))
		before.ss_flags |= SS_ONSTACK;
	if (stack) {
		if (get_user(wanted, stack))
			return -EFAULT;
		error = alt_stack_set(task, &wanted);
		if (error)
			return error;
	}
	return old_stack ? put_user(old_stack, before) : 0;
}
