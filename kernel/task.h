/*
 * kernel/task.h - tasks (threads) and processes (groups of them).
 *
 * A task is what the scheduler runs: registers, a kernel stack, a signal mask, a thread id. A
 * process is what wait and kill see: a process id, parent and children, handlers, limits,
 * descriptors. Field keys: [I] set once, [T] the owning task only, [A] atomic,
 * [R] the lock of the run queue `cpu` names, [P] task_tree_lock, [S] process->signal_lock, [PS]
 * both to write, either to read.
 *
 * References. A task is born with one, which belongs to its life: the scheduler drops it
 * (task_put) after it has switched away from a TASK_DEAD task for the last time. Each task holds
 * one on its process; the tree of processes holds another until the process is waited for.
 */
#pragma once

#include <asm/signal.h>
#include <kernel/base/lock.h>
#include <kernel/base/wait.h>
#include <kernel/signal.h>
#include <kernel/timer_tree.h>
#include <linux/resource.h>

struct mem_space;
struct file_table;
struct fs_context;
struct process;
struct trap_frame;
struct tty;

#define TASK_NAME_SIZE 16 /* PR_SET_NAME's limit */
#define KERNEL_STACK_SIZE 16384ul
#define FPU_STATE_SIZE 512 /* FXSAVE area: SDM vol. 1, 10.5.1 */

#define NICE_MIN (-20) /* setpriority(2) */
#define NICE_MAX 19

#define PROCESS_GROUPS_MAX 32 /* setgroups(2) with more is EINVAL */

/* ITIMER_REAL: kernel/itimer.c owns it. */
struct interval_timer {
	struct timer_node node; /* in the tree: armed */
	uint64_t interval_ns;   /* 0: once */
};

enum task_state { TASK_RUNNABLE, TASK_SLEEPING, TASK_STOPPED, TASK_DEAD };

struct task {
	uint8_t fpu_state[FPU_STATE_SIZE] __attribute__((aligned(16))); /* [T] */
	_Atomic bool signal_pending;    /* look for signals before going to user mode */
	uintptr_t kernel_stack_pointer; /* saved by task_switch */
	uintptr_t kernel_stack;         /* [I] lowest address */
	struct trap_frame *user_frame;  /* [I] the user's registers, at the stack's top */
	uintptr_t fs_base;              /* [T] user's FS base (TLS) */
	uintptr_t gs_base;              /* [T] user's GS base */
	_Atomic uint32_t refs;
	int tid;                        /* [P] changes only when a later thread execs */
	struct process *process;        /* [I] */
	struct mem_space *space;        /* [T] written, others [P]; NULL: kernel task or dead */
	char name[TASK_NAME_SIZE];      /* [T] */

	/* scheduling */
	_Atomic uint32_t state;         /* enum task_state */
	enum wait_mode wait_mode;       /* [T] what may end the sleep */
	bool on_run_queue;              /* [R] or on its way to one */
	_Atomic uint32_t cpu;           /* [R] runs, waits or last ran there */
	uint64_t affinity;              /* [R] where it may run, a bit each */
	_Atomic int nice;               /* [A] NICE_MIN to NICE_MAX */
	_Atomic int policy;             /* [A] SCHED_NORMAL, SCHED_BATCH or SCHED_IDLE */
	_Atomic bool reset_on_fork;     /* [A] a child gets no nice value below 0 */
	int64_t slice_ns;               /* [R] left to it in this round; below 0: it owes */
	uint64_t round;                 /* [R] when it got its slice */
	uint64_t run_since_ns;          /* [R] since when it runs */
	struct list_node run_link;      /* [R] */
	uint64_t user_ns, system_ns;    /* CPU time */
	uint64_t voluntary_switches, involuntary_switches;
	uint64_t started_ns;

#ifdef STOS_CHECK
	struct lock_record sleep_held[HELD_SLEEPING_MAX]; /* [T] sleeping locks (lock_check.h) */
	uint32_t sleep_held_count;
	struct alloc_failure {
		uint64_t first, count; /* of the allocations that fail; first 0: none */
		uint64_t seen, failed; /* allocations since then */
	} alloc_failure;               /* [T] mm/alloc_failure.h */
	int64_t frames_held;           /* [T] references on pages and tables: mem_check_hold */
#endif

	/* memory */
	uint32_t user_faults_disabled;  /* [T] see mm/user_copy.h */
	uint64_t minor_faults, major_faults;

	/* signals */
	uint64_t blocked;               /* [S] written by the owner only; bit n-1: signal n */
	uint64_t awaited;               /* [S] sigtimedwait: unblocked for its sleep only */
	uint64_t saved_blocked;         /* [T] sigsuspend, ppoll: put back after a handler */
	bool restore_blocked;           /* [T] */
	bool exiting;                   /* [S] will not go back to user mode */
	struct signal_queue pending;    /* [S] to this thread */
	struct signal_stack alt_stack;  /* [T] */
	uint64_t restart_deadline_ns;   /* [T] see signal_deadline_resume; 0: none */

	/* threads */
	struct list_node thread_link;   /* [PS] in process->threads */
	uintptr_t clear_child_tid;      /* [T] set_tid_address(2) */
	uintptr_t robust_list;          /* [T] set_robust_list(2) */
	_Atomic bool futex_ended;       /* [A] nobody may wait for a lock of this thread any more */
	struct file_table *files;       /* [T]; shared by CLONE_FILES */
	struct fs_context *fs;          /* [T]; cwd, root, umask; shared by CLONE_FS */
	struct wait_queue vfork_wait;   /* vfork's parent sleeps here until exec or exit */
	_Atomic bool vfork_released;    /* [A] that has come */
};

struct process {
	_Atomic uint32_t refs;
	int pid;                        /* [I] tgid */
	struct list_node threads;       /* [PS] */
	unsigned thread_count;          /* [PS] alive */
	unsigned exiting_count;         /* [S] of them, on their way out (exit.c) */
	_Atomic uint32_t unfinished;    /* threads that have not left their processor for good */
	struct wait_queue thread_event; /* a thread ended, or was finished: for exec and wait4 */
	struct process *parent;         /* [P] */
	_Atomic int parent_pid;         /* [P] to write: getppid asks often */
	struct list_node children;      /* [P] */
	struct list_node sibling;       /* [P] */
	struct list_node all_link;      /* [P] all processes */
	int process_group, session;     /* [P] */
	struct list_node group_link;    /* [P] members of the process group (task_id.h) */
	struct tty *tty;                /* [P] controlling terminal */
	char name[TASK_NAME_SIZE];      /* [P] of its last thread, once that ended: for /proc */
	bool zombie;                    /* [P] all threads gone, not yet waited for */
	_Atomic bool pressure_late;     /* [A] it does not end: mm/pressure.c */
	bool executed;                  /* [P] has exec'ed since fork (setpgid) */
	int exit_signal;                /* [P] to the parent, usually SIGCHLD; 0: none */
	struct wait_queue child_event;  /* wait4 sleeps here */

	struct spinlock signal_lock;    /* [S] */
	struct signal_action actions[_NSIG + 1]; /* [S] */
	struct signal_queue pending;    /* [S] to any thread */
	_Atomic bool group_exiting;     /* [S] exit_group or a fatal signal: every thread leaves */
	int exit_status;                /* [S] wait status form, final once group_exiting is set */
	struct task *_Atomic exec_task; /* [S] all threads but this one leave: it execs */
	_Atomic bool stopped;           /* [S] by SIGSTOP and friends */
	unsigned stopped_count;         /* [S] threads that sleep because of it */
	int stop_signal;                /* [S] */
	uint32_t continues;             /* [S] SIGCONTs so far */
	bool continue_notify;           /* [S] the parent has yet to hear of SIGCONT */
	struct wait_queue stop_event;   /* stopped threads sleep here */
	bool protected;                 /* [S] pid 1: only signals it handles reach it */
	bool stop_unreported, continue_unreported; /* [P] for wait4's WUNTRACED, WCONTINUED */
	_Atomic int death_signal;       /* [A] PR_SET_PDEATHSIG; sent when the parent ends */

	struct rlimit limits[RLIM_NLIMITS]; /* [S], but rlim_cur is read without */
	uint32_t uid, euid, suid, gid, egid, sgid; /* [S] to write, by its own threads only */
	uint32_t groups[PROCESS_GROUPS_MAX]; /* [S] supplementary groups */
	unsigned group_count;           /* [S] */
	bool no_new_privs, not_dumpable; /* prctl(2) */
	bool no_huge_pages;              /* the same; there are none anyway */
	struct interval_timer timer;     /* alarm(2), setitimer(2) */
	uint64_t dead_user_ns, dead_system_ns;     /* [P] of threads that ended */
	uint64_t child_user_ns, child_system_ns;   /* [P] of children waited for */
	uint64_t child_minor_faults, child_major_faults; /* [P] */
	uint64_t dead_minor_faults, dead_major_faults;   /* [P] */
	uint64_t dead_voluntary, dead_involuntary;       /* [P] switches */
	uint64_t child_voluntary, child_involuntary;     /* [P] */
	uint64_t peak_pages, child_peak_pages; /* [P] most ever resident, of spaces already left */
	uint64_t started_ns;
};

extern struct spinlock task_tree_lock;

static inline struct process *current_process(void)
{
	return current_task()->process;
}

void task_get(struct task *task);
void task_put(struct task *task);
void process_get(struct process *process);
void process_put(struct process *process);

/* With a reference, or NULL. */
struct process *process_find(int pid);
struct task *task_find(int tid);
/* Visits every process under task_tree_lock; stops when `visit` returns false. */
void process_for_each(bool (*visit)(struct process *process, void *arg), void *arg)
	REQUIRES(task_tree_lock);
/* The process with the lowest pid >= from, with a reference (for reading /proc), or NULL. */
struct process *process_next(int from);
/* The space of a process's first living thread, held (mem_space_drop), or NULL. */
struct mem_space *process_hold_space(struct process *process);
/* A process's first living thread, with a reference, or NULL. */
struct task *process_first_task(struct process *process);

/* How many threads there have been, and which number was given last. */
struct task_history {
	uint64_t made;
	int last_id;
};
struct task_history task_history(void);

/* Gives back the memory of numbers that nobody has (mem_trim). */
void task_ids_trim(void);

/* CPU time of all threads, the ended ones too. */
struct cpu_time {
	uint64_t user_ns, system_ns;
};
struct cpu_time process_cpu_time(struct process *process) REQUIRES(task_tree_lock);

/* The calling process's soft limit: RLIMIT_*. */
uint64_t process_limit(unsigned resource);
/* The calling process has the group, as its effective or a supplementary one. */
bool process_in_group(uint32_t gid);
/* The calling process may do anything (effective user 0). */
bool process_is_root(void);

/*
 * The calling process may look into `target`'s memory and change it: it is the same, it is root, or
 * all of the target's ids are its own and the target may be dumped (ptrace(2),
 * PTRACE_MODE_ATTACH_REALCREDS).
 */
bool process_may_access(const struct process *target);

/* Once, early, after the heap: caches, futexes, the process (pid 0) that kernel tasks belong to. */
void tasks_init(void);
extern struct process kernel_process;

/*
 * The first process, pid 1, its one task running fn(arg) in the kernel, which ends in init_start.
 * Runnable at once. It has no descriptors yet: fs_init gives them. Panics when memory is out.
 */
void process_create_first(void (*fn)(void *arg), void *arg);
/* A task that runs fn(arg) in the kernel. Runnable at once. NULL when memory is out. */
must_check struct task *kernel_task_create(const char *name, void (*fn)(void *arg), void *arg);

/* Ends the calling thread; the last one makes the process a zombie. Status in wait form. */
noreturn_fn void task_exit(int status);
/* Ends all threads of the calling process. */
noreturn_fn void process_exit_group(int status);
