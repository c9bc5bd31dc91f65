/*
 * kernel/task_id.h - the numbers: thread ids, process ids, process groups and sessions.
 *
 * One number space, as in POSIX: a number is free when it names no thread, no process, no
 * group and no session. A two-level table makes every lookup two loads.
 *
 * Locks: task_tree_lock for everything here. For kernel/ only.
 */
#pragma once

#include <kernel/task.h>

#define TASK_ID_MAX 32768 /* ids are below; Linux's default pid_max */
#define TASK_ID_BLOCK 32  /* the table grows by so many at once: three blocks fill a page */

struct task_id {
	struct task *task;	 /* the thread of that id */
	struct process *process; /* the process of that id, zombies too */
	struct list_node group;	 /* processes of the process group of that id */
	unsigned session_count;	 /* processes in the session of that id */
};

/* The record of a number, or NULL: it is free, and so are its neighbours. */
struct task_id *task_id_find(int id) REQUIRES(task_tree_lock);
/* A free number, or -EAGAIN when all are taken, -ENOMEM. It counts as taken once its record is
 * filled. */
must_check int task_id_allocate(struct task_id **record) REQUIRES(task_tree_lock);
/* The record of number 0 (group and session of the first processes). Once, early. */
void task_id_init(void);

/*
 * Moves a process to a group, to a session (a new one was in session -1: none). 0 is a number
 * like any other here. The number is in use, or is the process's own.
 */
void process_join_group(struct process *process, int group) REQUIRES(task_tree_lock);
void process_join_session(struct process *process, int session) REQUIRES(task_tree_lock);
/* Out of both, for good. */
void process_leave_groups(struct process *process) REQUIRES(task_tree_lock);
/* No member has a parent in the same session but another group (POSIX, 3.264). */
bool process_group_orphaned(int group, const struct process *except) REQUIRES(task_tree_lock);
