/*
 * kernel/signal_deliver.c - what a signal does to the thread that takes it.
 *
 * On the way back to user mode trap.c calls signal_deliver, which takes one signal after another
 * until none is left that this thread may take, and each does one of:
 *
 *   default: ignore      nothing
 *   default: terminate   the whole process ends
 *   default: stop        every thread sleeps in stop_event until SIGCONT or a fatal signal
 *   a handler            a frame on the user's stack (signal_frame.c); the next signal's frame
 *                        goes on top of it, so handlers run last-taken first
 *
 * An interrupted system call then starts again or is EINTR. No core files are written:
 * "terminate" and "dump core" are the same here.
 *
 * Locks: the process's signal_lock; task_tree_lock, before it, to tell the parent.
 */
#include <kernel/base/errno.h>
#include <kernel/sched.h>
#include <kernel/signal_private.h>
#include <kernel/task_id.h>
#include <kernel/task_private.h>
#include <kernel/trap.h>

/* The stop during which there had been `continues` SIGCONTs is over. */
static bool stop_ended(struct process *process, uint32_t continues)
{
	bool ended;

	spin_lock(&process->signal_lock);
	ended = !process->stopped || process->continues != continues;
	spin_unlock(&process->signal_lock);
	return ended;
}

/*
 * Sleeps until the process is continued, or to die. The last thread to stop tells the parent. If
 * the process is stopped again before the thread gets to run, it returns all the same, to be
 * counted again.
 */
static void stop_sleep(struct task *task)
{
	struct process *process = task->process;
	uint32_t continues;
	bool counted, last;
	int signal;

	spin_lock(&process->signal_lock);
	counted = process->stopped;
	last = counted && ++process->stopped_count == process->thread_count;
	signal = process->stop_signal;
	continues = process->continues;
	spin_unlock(&process->signal_lock);
	if (last) {
		spin_lock(&task_tree_lock);
		(void)process_notify_parent(process, CLD_STOPPED, signal);
		spin_unlock(&task_tree_lock);
	}
	wait_event(&process->stop_event,
		   stop_ended(process, continues) || signal_fatal_pending(task));
	spin_lock(&process->signal_lock);
	if (counted && process->stopped && process->continues == continues)
		process->stopped_count--; /* it leaves while the others stay */
	spin_unlock(&process->signal_lock);
}

/* A stop signal's default action; an orphaned group is not stopped: who would continue it? */
static void stop_begin(struct process *process, int signal, uint32_t continues)
{
	struct task *task;
	bool orphaned = false;

	if (signal != SIGSTOP) {
		spin_lock(&task_tree_lock);
		orphaned = process_group_orphaned(process->process_group, NULL);
		spin_unlock(&task_tree_lock);
	}
	spin_lock(&process->signal_lock);
	/*
	 * SIGCONT may have come since the signal was taken off its queue: then it wins. Another
	 * thread may have taken a stop signal too: whoever has stopped since stays counted.
	 */
	if (!orphaned && !process->group_exiting && process->continues == continues &&
	    !process->stopped) {
		process->stop_signal = signal;
		process->stopped_count = 0;
		atomic_store(&process->stopped, true);
		list_for_each_entry (task, &process->threads, thread_link)
			signal_notice(task, false);
	}
	spin_unlock(&process->signal_lock);
}

struct delivery {
	int signal;
	siginfo_t info;
	struct signal_action action;
	uint32_t continues; /* STEP_STOP: how often the process had been continued */
};

enum delivery_step {
	STEP_NONE,	/* nothing is left to do */
	STEP_AGAIN,	/* it was to be ignored */
	STEP_LEAVE,	/* the thread ends */
	STEP_STOPPED,	/* the process is stopped: sleep */
	STEP_CONTINUED, /* it was continued: tell the parent */
	STEP_STOP,	/* stop the process */
	STEP_HANDLER,
};

/* What is to be done next; signal_lock is held. */
static enum delivery_step delivery_choose(struct task *task, struct delivery *delivery)
{
	struct process *process = task->process;
	struct signal_action *action;
	int signal;

	if (signal_fatal_pending(task))
		return STEP_LEAVE;
	if (process->continue_notify) {
		process->continue_notify = false;
		return STEP_CONTINUED;
	}
	if (process->stopped)
		return STEP_STOPPED;
	signal = signal_dequeue(task, task->blocked, &delivery->info);
	if (signal == 0) {
		signal_recalculate(task);
		return STEP_NONE;
	}
	delivery->signal = signal;
	action = &process->actions[signal];
	if (signal_action_ignores(process, signal))
		return STEP_AGAIN;
	if (action->handler != SIGNAL_DEFAULT) {
		delivery->action = *action;
		if (action->flags & SA_RESETHAND)
			action->handler = SIGNAL_DEFAULT;
		return STEP_HANDLER;
	}
	if (SIGNALS_STOPPING & SIGNAL_BIT(signal)) {
		delivery->continues = process->continues;
		return STEP_STOP;
	}
	(void)signal_begin_group_exit(process, signal);
	return STEP_LEAVE;
}

/* The next signal with a handler: true. False: none is left. Does not return when the task is to
 * end. */
static bool delivery_next(struct task *task, struct delivery *delivery)
{
	struct process *process = task->process;

	for (;;) {
		enum delivery_step step;

		spin_lock(&process->signal_lock);
		step = delivery_choose(task, delivery);
		spin_unlock(&process->signal_lock);
		switch (step) {
		case STEP_NONE:
			return false;
		case STEP_HANDLER:
			return true;
		case STEP_AGAIN:
			break;
		case STEP_LEAVE:
			task_exit(process->group_exiting ? process->exit_status : 0);
		case STEP_STOPPED:
			stop_sleep(task);
			break;
		case STEP_CONTINUED:
			spin_lock(&task_tree_lock);
			(void)process_notify_parent(process, CLD_CONTINUED, SIGCONT);
			spin_unlock(&task_tree_lock);
			break;
		case STEP_STOP:
			stop_begin(process, delivery->signal, delivery->continues);
			break;
		}
	}
}

/* The two bytes of the SYSCALL instruction are executed again. */
static void restart_call(struct trap_frame *frame)
{
	frame->rip -= 2;
	frame->rax = frame->error_code;
}

/* An interrupted system call: starts again, or EINTR. */
static void interrupted_call(struct trap_frame *frame, const struct signal_action *handler)
{
	if (frame->vector != TRAP_VECTOR_SYSCALL)
		return;
	switch ((int64_t)frame->rax) {
	case -ERESTARTNOINTR:
		restart_call(frame);
		break;
	case -ERESTARTSYS:
		if (!handler || (handler->flags & SA_RESTART))
			restart_call(frame);
		else
			frame->rax = (uint64_t)-EINTR;
		break;
	case -ERESTARTNOHAND:
		if (!handler)
			restart_call(frame);
		else
			frame->rax = (uint64_t)-EINTR;
		break;
	default:
		break;
	}
}

/* Without room for the frame the handler cannot run: SIGSEGV; and if it is SIGSEGV's, the end. */
static void delivery_failed(struct process *process, int signal)
{
	if (signal == SIGSEGV) {
		spin_lock(&process->signal_lock);
		process->actions[SIGSEGV] = (struct signal_action){.handler = SIGNAL_DEFAULT};
		spin_unlock(&process->signal_lock);
	}
	signal_force(SIGSEGV, SI_KERNEL, 0);
}

static void run_handler(struct trap_frame *frame, const struct delivery *delivery)
{
	struct task *task = current_task();
	const struct signal_action *action = &delivery->action;
	uint64_t blocked = task->restore_blocked ? task->saved_blocked : task->blocked;
	uint64_t mask = action->mask;

	interrupted_call(frame, action);
	task->restart_deadline_ns = 0;
	if (signal_frame_push(frame, &delivery->info, action, blocked)) {
		delivery_failed(task->process, delivery->signal);
		return;
	}
	if (!(action->flags & SA_NODEFER))
		mask |= SIGNAL_BIT(delivery->signal);
	task->restore_blocked = false;
	signal_set_blocked(task->blocked | mask);
}

void signal_deliver(struct trap_frame *frame)
{
	struct task *task = current_task();
	struct delivery delivery;

	while (delivery_next(task, &delivery))
		run_handler(frame, &delivery);
	interrupted_call(frame, NULL);
	if (task->restore_blocked) {
		task->restore_blocked = false;
		signal_set_blocked(task->saved_blocked);
	}
}
