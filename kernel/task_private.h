/*
 * kernel/task_private.h - what the files about tasks share: making, linking and ending them.
 */
#pragma once

#include <kernel/task.h>

/* A task of `process` with a kernel stack, not linked anywhere, not running. NULL: no memory. */
must_check struct task *task_alloc(struct process *process, const char *name);
/* Undoes task_alloc of a task that never ran: also drops its files, fs and space if it has them. */
void task_discard(struct task *task);
/* Drops files and directories. Sleeps. */
void task_drop_files(struct task *task);

void process_init(void); /* from tasks_init */
/* A process like `parent` (credentials, limits, handlers), not linked anywhere. NULL: no memory. */
must_check struct process *process_alloc(struct process *parent);
/* Into the tree: a number, parent, group, session, its first task. */
must_check int process_link(struct process *process, struct process *parent, struct task *task)
	REQUIRES(task_tree_lock);
/* Gives a process another parent. It is in no list of children. */
void process_set_parent(struct process *process, struct process *parent) REQUIRES(task_tree_lock);
/* Another thread of a living process. 0, -EAGAIN or -ENOMEM. signal_lock is held too. */
must_check int process_link_thread(struct process *process, struct task *task)
	REQUIRES(task_tree_lock);
/* Out of the tree, the number given back; the tree's reference goes to the caller. */
void process_unlink(struct process *process) REQUIRES(task_tree_lock);

/*
 * wait4.c. The parent hears that a child ended (CLD_EXITED, CLD_KILLED), stopped or continued.
 * `status` is what si_status says. True: the child has ended and nobody will wait for it.
 */
bool process_notify_parent(struct process *child, int code, int status) REQUIRES(task_tree_lock);
/* The same of a zombie, from its exit status. */
bool process_notify_exit(struct process *child) REQUIRES(task_tree_lock);

/* exit.c. Kills the caller's other threads and waits for them; -EINTR if it is to die itself. */
must_check int process_kill_other_threads(void);
/* What a thread owes others in its space before it leaves it: futexes it holds, the cleared tid. */
void task_leave_space(struct task *task);
/* fork.c. The parent in vfork goes on. */
void task_vfork_release(struct task *task);
/* task.c. Another space for the calling task (NULL: none), loaded at once; the old one is the
 * caller's to drop. */
struct mem_space *task_set_space(struct mem_space *space);

/* itimer.c. */
void itimer_init(void);
void itimer_cancel(struct process *process);
