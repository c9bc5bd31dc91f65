/*
 * kernel/signal.h - signals: queues, sending, delivery (signal(7), rt_sigaction(2)).
 *
 * Structures are Linux's own: sigset_t (64 bits), siginfo_t and struct sigaction come from the
 * uapi headers. signal.c sends and chooses; signal_frame.c writes and reads the user's stack.
 */
#pragma once

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <kernel/base/list.h>
#include <kernel/base/types.h>
#include <linux/signal.h>

struct process;
struct task;
struct trap_frame;

/* Signals are 1 to _NSIG; glibc's own header and Linux's internal one agree on 64. */
#define _NSIG 64
#define SIGNAL_BIT(n) (1ull << ((n)-1))
/* Never blocked, caught or ignored. */
#define SIGNAL_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

/* Pending signals: one bit each, and a siginfo for each queued one. */
struct signal_queue {
	uint64_t set;            /* bit n-1: signal n is pending */
	struct list_node infos;  /* struct queued_signal, oldest first */
	unsigned count;          /* of them; limited by RLIMIT_SIGPENDING */
};

/* As the kernel keeps a handler (struct sigaction of the uapi, in its syscall form). */
struct signal_action {
	uintptr_t handler;  /* SIG_DFL, SIG_IGN or an address */
	uint64_t flags;     /* SA_* */
	uintptr_t restorer;
	uint64_t mask;
};

struct signal_stack {
	uintptr_t base;
	size_t size;
	int flags; /* SS_DISABLE, SS_AUTODISARM */
};

void signal_init(void);
void signal_queue_init(struct signal_queue *queue);
void signal_queue_free(struct signal_queue *queue);

/*
 * Sending. `info` may be NULL: SI_KERNEL. Any context with interrupts on; takes the target's
 * signal_lock, so no lock of that rank or a later one may be held. 0, or -EAGAIN when a
 * real-time signal found its queue full.
 */
/* To a process (any thread may take it). */
int signal_send_process(struct process *process, int signal, const siginfo_t *info);
/* To one thread. */
int signal_send_task(struct task *task, int signal, const siginfo_t *info);
/* To every process of a group: 0 or -ESRCH when it is empty. Takes task_tree_lock. */
int signal_send_group(int process_group, int signal, const siginfo_t *info);
/*
 * A fault's signal to the calling thread: delivered even if blocked or ignored (then the
 * default action, as Linux's force_sig).
 */
void signal_force(int signal, int code, uintptr_t address);

/* The calling task has a deliverable signal (not blocked, not ignored), must stop or must exit. */
bool signal_deliverable(struct task *task);
/* The thread is to end: its process does (SIGKILL too), or another thread of it execs. No locks. */
bool signal_fatal_pending(struct task *task);

/*
 * Called on every way back to user mode with interrupts on, when task->signal_pending: stops,
 * exits, or changes `frame` so that the handler runs. Restarts a system call that returned
 * -ERESTARTSYS, -ERESTARTNOHAND or -ERESTARTNOINTR.
 */
void signal_deliver(struct trap_frame *frame);

/* execve, CLONE_CLEAR_SIGHAND: handlers become default, what is ignored stays so. */
void signal_reset_handlers(struct process *process);

/* The calling thread's mask; SIGKILL and SIGSTOP are left out of it. */
void signal_set_blocked(uint64_t blocked);
/*
 * sigsuspend, ppoll, pselect6: another mask for the duration of the call. Before returning,
 * signal_mask_return: with `interrupted` (the call returns -ERESTARTNOHAND) the old mask comes back
 * after the handler ran, else at once.
 */
void signal_mask_borrow(uint64_t mask);
void signal_mask_return(bool interrupted);

/*
 * A call with a relative timeout that is restarted without a handler having run (after a stop,
 * say) goes on with its first deadline: it passes its deadline through signal_deadline_resume,
 * which answers the remembered one if there is one, and calls signal_deadline_keep before it
 * returns -ERESTARTNOHAND.
 */
uint64_t signal_deadline_resume(uint64_t deadline_ns);
void signal_deadline_keep(uint64_t deadline_ns);
