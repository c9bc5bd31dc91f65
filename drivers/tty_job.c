/*
 * drivers/tty_job.c - whose terminal it is: sessions, the foreground group, background signals
 * (credentials(7), setsid(2), tcsetpgrp(3), POSIX.1-2017 chapter 11.1).
 *
 * A session's leader acquires a terminal (TIOCSCTTY, or by opening one); its children inherit
 * it in fork. The terminal knows the session and the one group that may read. Everyone else in
 * the session is in the background and is stopped when it reads.
 *
 * Locks: task_tree_lock guards process->tty, tty->session and tty->foreground. Signals are sent
 * after it is released.
 */
#include <drivers/tty_private.h>
#include <kernel/task.h>

static bool is_session_leader(const struct process *process)
{
	return process->session == process->pid;
}

struct group_search {
	int group;
	int session; /* of a member */
	bool found, anchored;
};

/*
 * A group is orphaned when no member's parent is in another group of the same session: nobody
 * could continue it. init does not count as such a parent.
 */
static bool visit_group_member(struct process *process, void *arg)
{
	struct group_search *search = arg;
	const struct process *parent = process->parent;

	if (process->process_group != search->group)
		return true;
	search->found = true;
	search->session = process->session;
	if (!process->zombie && parent && parent->pid != 1 &&
	    parent->process_group != search->group && parent->session == process->session)
		search->anchored = true;
	return !search->anchored;
}

static struct group_search group_find(int group) REQUIRES(task_tree_lock)
{
	struct group_search search = {.group = group};

	process_for_each(visit_group_member, &search);
	return search;
}

/* The calling thread would not be stopped by it. */
static bool signal_is_ignored(int signal)
{
	struct process *process = current_process();
	uintptr_t handler;

	if (current_task()->blocked & 1ul << (signal - 1))
		return true;
	spin_lock(&process->signal_lock);
	handler = process->actions[signal].handler;
	spin_unlock(&process->signal_lock);
	return handler == (uintptr_t)SIG_IGN;
}

int tty_job_check(struct tty *tty, int signal)
{
	struct process *process = current_process();
	bool background, orphaned = false;
	int group;

	spin_lock(&task_tree_lock);
	group = process->process_group;
	background = process->tty == tty && tty->foreground && tty->foreground != group;
	if (background)
		orphaned = !group_find(group).anchored;
	spin_unlock(&task_tree_lock);

	if (!background)
		return 0;
	if (signal_is_ignored(signal))
		return signal == SIGTTIN ? -EIO : 0;
	if (orphaned)
		return -EIO;
	/* The caller is a member, so the group is not empty. */
	(void)signal_send_group(group, signal, NULL);
	return -ERESTARTSYS;
}

void tty_job_signal(struct tty *tty, int signal)
{
	int group;

	spin_lock(&task_tree_lock);
	group = tty->foreground;
	spin_unlock(&task_tree_lock);
	/* A group that is gone by now needs no signal. */
	if (group)
		(void)signal_send_group(group, signal, NULL);
}

struct tty *tty_job_controlling(void)
{
	struct tty *tty;

	spin_lock(&task_tree_lock);
	tty = current_process()->tty;
	spin_unlock(&task_tree_lock);
	return tty;
}

struct session_search {
	struct tty *tty;
	int session;
	bool leader_alive;
};

static bool visit_session_leader(struct process *process, void *arg)
{
	struct session_search *search = arg;

	if (process->pid != search->session)
		return true;
	search->leader_alive = !process->zombie && process->tty == search->tty;
	return false;
}

/* A terminal whose session's leader is gone is anybody's. */
static bool is_taken(struct tty *tty) REQUIRES(task_tree_lock)
{
	struct session_search search = {.tty = tty, .session = tty->session};

	if (tty->session)
		process_for_each(visit_session_leader, &search);
	return search.leader_alive;
}

static bool visit_detach(struct process *process, void *arg)
{
	if (process->tty == arg)
		process->tty = NULL;
	return true;
}

static void detach_session(struct tty *tty) REQUIRES(task_tree_lock)
{
	process_for_each(visit_detach, tty);
	tty->session = 0;
	tty->foreground = 0;
}

static void attach(struct tty *tty, struct process *leader) REQUIRES(task_tree_lock)
{
	detach_session(tty);
	tty->session = leader->session;
	tty->foreground = leader->process_group;
	leader->tty = tty;
}

void tty_job_open(struct tty *tty)
{
	struct process *process = current_process();

	spin_lock(&task_tree_lock);
	if (is_session_leader(process) && !process->tty && !is_taken(tty))
		attach(tty, process);
	spin_unlock(&task_tree_lock);
}

int tty_job_acquire(struct tty *tty, bool steal)
{
	struct process *process = current_process();
	int error = 0;

	spin_lock(&task_tree_lock);
	if (is_session_leader(process) && process->tty == tty)
		error = 0;
	else if (!is_session_leader(process) || process->tty)
		error = -EPERM;
	else if (is_taken(tty) && !(steal && process->euid == 0))
		error = -EPERM;
	else
		attach(tty, process);
	spin_unlock(&task_tree_lock);
	return error;
}

/* A process gives its terminal up, a leader for all its session: the group to hang up, or 0. */
static int leave(struct tty *tty, struct process *process) REQUIRES(task_tree_lock)
{
	int group = tty->foreground;

	process->tty = NULL;
	if (!is_session_leader(process))
		return 0;
	detach_session(tty);
	return group;
}

static void hang_up(int group)
{
	if (!group)
		return;
	(void)signal_send_group(group, SIGHUP, NULL);
	(void)signal_send_group(group, SIGCONT, NULL);
}

int tty_job_release(struct tty *tty)
{
	struct process *process = current_process();
	int group = 0, error = -ENOTTY;

	spin_lock(&task_tree_lock);
	if (process->tty == tty) {
		group = leave(tty, process);
		error = 0;
	}
	spin_unlock(&task_tree_lock);
	hang_up(group);
	return error;
}

void tty_leader_exit(struct process *leader)
{
	int group = 0;

	spin_lock(&task_tree_lock);
	if (is_session_leader(leader) && leader->tty)
		group = leave(leader->tty, leader);
	spin_unlock(&task_tree_lock);
	hang_up(group);
}

int tty_job_foreground(struct tty *tty)
{
	int group = -ENOTTY;

	spin_lock(&task_tree_lock);
	if (current_process()->tty == tty)
		group = tty->foreground;
	spin_unlock(&task_tree_lock);
	return group;
}

int tty_job_session(struct tty *tty)
{
	int session = -ENOTTY;

	spin_lock(&task_tree_lock);
	if (current_process()->tty == tty && tty->session)
		session = tty->session;
	spin_unlock(&task_tree_lock);
	return session;
}

int tty_job_set_foreground(struct tty *tty, int group)
{
	struct process *process = current_process();
	struct group_search search;
	int error = tty_job_check(tty, SIGTTOU);

	if (error)
		return error == -EIO ? -ENOTTY : error;
	if (group < 0)
		return -EINVAL;
	spin_lock(&task_tree_lock);
	search = group_find(group);
	if (process->tty != tty || tty->session != process->session)
		error = -ENOTTY;
	else if (!search.found)
		error = -ESRCH;
	else if (search.session != process->session)
		error = -EPERM;
	else
		tty->foreground = group;
	spin_unlock(&task_tree_lock);
	return error;
}
