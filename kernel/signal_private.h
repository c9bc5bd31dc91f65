/* kernel/signal_private.h - shared by the files that implement signals. */
#pragma once

#include <kernel/signal.h>
#include <kernel/task.h>

#define SIGNAL_DEFAULT ((uintptr_t)SIG_DFL)
#define SIGNAL_IGNORE ((uintptr_t)SIG_IGN)

/* Default actions that do not end the process: signal(7). */
#define SIGNALS_IGNORED                                                                            \
	(SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH))
#define SIGNALS_STOPPING                                                                           \
	(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))

/* The thread shall look at its signals, if `fatal` even out of a killable sleep. signal_lock. */
void signal_notice(struct task *task, bool fatal);
/* Takes the next signal that `blocked` lets through; 0 if none. signal_lock is held. */
int signal_dequeue(struct task *task, uint64_t blocked, siginfo_t *info);
/* task->signal_pending anew, after the mask or a queue changed. signal_lock is held. */
void signal_recalculate(struct task *task);
/* Its action, default or not, is to do nothing. signal_lock is held. */
bool signal_action_ignores(const struct process *process, int signal);
/* Forgets pending signals, the threads' too. signal_lock is held. */
void signal_discard(struct process *process, uint64_t mask);
/* Every thread shall leave with this status; returns false if that was so already. signal_lock is
 * held. */
bool signal_begin_group_exit(struct process *process, int status);
/* Signals to the process that a thread can no longer take: wake others. signal_lock is held. */
void signal_retarget(struct process *process, struct task *except);
/* signal_frame.c: a handler's frame on the user's stack: 0 or -EFAULT. `blocked`: to restore. */
must_check int signal_frame_push(struct trap_frame *frame, const siginfo_t *info,
				 const struct signal_action *action, uint64_t blocked);
/* The stack pointer is on the alternate stack. */
bool signal_on_alt_stack(const struct task *task, uintptr_t sp);
