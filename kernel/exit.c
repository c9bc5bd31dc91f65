/*
 * kernel/exit.c - the end of threads and processes.
 *
 *   exit_group, a fatal signal    every thread is told to leave (signal_begin_group_exit)
 *   task_exit, in each thread     futexes and the space, files, out of the list of threads
 *   the last thread               terminal, children to pid 1, zombie, the parent is told
 *   schedule                      the scheduler drops the dead task's last reference
 *
 * The process stays as a zombie until wait4.c takes it, or goes at once when the parent ignores
 * SIGCHLD.
 *
 * Not here: telling the parent (wait4.c), robust futexes (futex.c).
 */
#include <drivers/tty.h>
#include <kernel/base/panic.h>
#include <kernel/futex.h>
#include <kernel/sched.h>
#include <kernel/signal_private.h>
#include <kernel/sys_task.h>
#include <kernel/task_id.h>
#include <kernel/task_private.h>
#include <kernel/usage.h>
#include <mm/check.h>
#include <mm/mem_space.h>
#include <mm/user_copy.h>
#include <string.h>

/*
 * No signal is for this thread any more; what the process has pending, others must take. Without
 * exit_group the last thread to get here gives the process its status (as on Linux since 5.17), and
 * not the last to be done: from here on others can see it end, by its tid that becomes 0, and they
 * may then overtake it.
 */
static void leave_signals(struct task *task, int status)
{
	struct process *process = task->process;

	spin_lock(&process->signal_lock);
	task->exiting = true;
	if (++process->exiting_count == process->thread_count && !process->group_exiting) {
		process->exit_status = status;
		atomic_store(&process->group_exiting, true);
	}
	signal_retarget(process, task);
	spin_unlock(&process->signal_lock);
}

/*
 * set_tid_address(2): pthread_join waits for the zero. As on Linux, the last in a space keeps it.
 */
static void clear_tid(struct task *task)
{
	uintptr_t address = task->clear_child_tid;
	int zero = 0;

	task->clear_child_tid = 0;
	if (address && atomic_load(&task->space->users) > 1 && !put_user(address, zero))
		(void)futex_wake(address, 1);
}

void task_leave_space(struct task *task)
{
	futex_task_end(task);
	clear_tid(task);
}

static void drop_space(struct task *task)
{
	struct mem_space *space;

	if (!task->space)
		return;
	task_leave_space(task);
	space = task_set_space(NULL);
	task_vfork_release(task);
	process_note_peak(task->process, space);
	mem_space_put_user(space);
}

static void add_usage(struct process *process, const struct task *task) REQUIRES(task_tree_lock)
{
	process->dead_user_ns += task->user_ns;
	process->dead_system_ns += task->system_ns;
	process->dead_minor_faults += task->minor_faults;
	process->dead_major_faults += task->major_faults;
	process->dead_voluntary += task->voluntary_switches;
	process->dead_involuntary += task->involuntary_switches;
}

/* Out of the process. True: this was its last thread. */
static bool leave_threads(struct task *task)
{
	struct process *process = task->process;
	bool last, stopped;
	int stop_signal;

	spin_lock(&task_tree_lock);
	spin_lock(&process->signal_lock);
	list_remove(&task->thread_link);
	last = --process->thread_count == 0;
	process->exiting_count--;
	/* The others may have been waiting for this one to stop too. */
	stopped = !last && !process->group_exiting && process->stopped &&
		  process->stopped_count == process->thread_count;
	stop_signal = process->stop_signal;
	spin_unlock(&process->signal_lock);
	add_usage(process, task);
	memcpy(process->name, task->name, sizeof(process->name));
	task_id_find(task->tid)->task = NULL;
	if (stopped)
		(void)process_notify_parent(process, CLD_STOPPED, stop_signal);
	spin_unlock(&task_tree_lock);
	if (!last)
		wake_up_all(&process->thread_event);
	return last;
}

/*
 * A child with a parent in another group of its session ties its group to, say, a shell. Now that
 * tie is gone, because `leaving`, one of the two, ends. If it was the last and members are
 * stopped, they get SIGHUP and SIGCONT (POSIX, exit).
 */
static void tie_broken(const struct process *child, const struct process *parent,
		       const struct process *leaving) REQUIRES(task_tree_lock)
{
	int group = child->process_group;
	struct task_id *record = task_id_find(group);
	struct process *member;
	bool stopped = false;

	if (parent->process_group == group || parent->session != child->session ||
	    !process_group_orphaned(group, leaving))
		return;
	list_for_each_entry (member, &record->group, group_link)
		stopped = stopped || (member != leaving && member->stopped);
	if (!stopped)
		return;
	list_for_each_entry (member, &record->group, group_link) {
		(void)signal_send_process(member, SIGHUP, NULL);
		(void)signal_send_process(member, SIGCONT, NULL);
	}
}

static void adopt(struct process *child, struct process *init) REQUIRES(task_tree_lock)
{
	struct process *old = child->parent;
	int death_signal;

	list_remove(&child->sibling);
	process_set_parent(child, init);
	child->exit_signal = SIGCHLD;
	death_signal = atomic_load(&child->death_signal);
	if (death_signal)
		(void)signal_send_process(child, death_signal, NULL);
	if (child->zombie) {
		if (process_notify_exit(child)) {
			process_unlink(child);
			process_put(child);
		}
	} else {
		tie_broken(child, old, old);
	}
}

static void orphan_children(struct process *process) REQUIRES(task_tree_lock)
{
	struct process *init = task_id_find(1)->process;
	struct process *child, *next;

	list_for_each_entry_safe (child, next, &process->children, sibling)
		adopt(child, init);
}

static void process_end(struct process *process)
{
	bool unwanted;

	if (process->pid == 1)
		panic("init (pid 1) ended: exit code %d, signal %d",
		      process->exit_status >> 8 & 0xff, process->exit_status & 0x7f);
	itimer_cancel(process);
	if (process->session == process->pid)
		tty_leader_exit(process);
	spin_lock(&task_tree_lock);
	process->zombie = true;
	orphan_children(process);
	tie_broken(process, process->parent, process);
	unwanted = process_notify_exit(process);
	if (unwanted)
		process_unlink(process);
	wake_up_all(&process->thread_event); /* a descriptor of it may be polled (pidfd.c) */
	spin_unlock(&task_tree_lock);
	if (unwanted)
		process_put(process);
}

void task_exit(int status)
{
	struct task *task = current_task();

	if (task->process != &kernel_process) {
		leave_signals(task, status);
		drop_space(task);
		task_drop_files(task);
		if (leave_threads(task))
			process_end(task->process);
	}
	lock_check_none_held();
	mem_check_none_held();
	irq_disable(); /* dead, it may not be put back into a queue */
	atomic_store(&task->state, TASK_DEAD);
	schedule();
	panic("a dead task runs");
}

void process_exit_group(int status)
{
	struct process *process = current_process();

	spin_lock(&process->signal_lock);
	(void)signal_begin_group_exit(process, status);
	spin_unlock(&process->signal_lock);
	task_exit(process->exit_status);
}

int process_kill_other_threads(void)
{
	struct task *self = current_task(), *task;
	struct process *process = self->process;
	bool refused;

	spin_lock(&process->signal_lock);
	refused = process->group_exiting || process->exec_task;
	if (!refused && process->thread_count > 1) {
		atomic_store(&process->exec_task, self);
		list_for_each_entry (task, &process->threads, thread_link) {
			if (task == self)
				continue;
			atomic_store(&task->signal_pending, true);
			task_wake_for_signal(task, true);
		}
		wake_up_all(&process->stop_event);
	}
	spin_unlock(&process->signal_lock);
	if (refused)
		return -EINTR;
	if (wait_event_mode(&process->thread_event, process->thread_count == 1, WAIT_KILLABLE,
			    UINT64_MAX))
		return -EINTR;
	spin_lock(&process->signal_lock);
	atomic_store(&process->exec_task, NULL);
	spin_unlock(&process->signal_lock);
	return 0;
}

long sys_exit(int status)
{
	task_exit((status & 0xff) << 8);
}

long sys_exit_group(int status)
{
	process_exit_group((status & 0xff) << 8);
}
