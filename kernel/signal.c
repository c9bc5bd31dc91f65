/*
 * kernel/signal.c - signals: queues, masks, sending.
 *
 * Sending puts a signal on the process's queue or a thread's, unless it would be ignored anyway,
 * and wakes a thread that can take it. A signal that ends the process by default does so at
 * once: every thread is told to leave (group_exiting), and takes nothing more.
 *
 * Locks: signal_lock of the target process; the threads' list may be walked under it.
 * Not here: what a signal does when it is taken (signal_deliver.c), system calls (sys_signal.c,
 * sys_kill.c).
 */
#include <kernel/base/panic.h>
#include <kernel/sched.h>
#include <kernel/signal_private.h>
#include <kernel/task_id.h>
#include <mm/heap.h>
#include <string.h>

struct queued_signal {
	struct list_node node;
	siginfo_t info;
};

static struct object_cache queued_cache;

/* Caused by what the thread itself did: taken before all others. */
#define SIGNALS_SYNCHRONOUS                                                                        \
	(SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) |     \
	 SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))

void signal_init(void)
{
	object_cache_init(&queued_cache, "signal", sizeof(struct queued_signal),
			  alignof(struct queued_signal));
}

void signal_queue_init(struct signal_queue *queue)
{
	queue->set = 0;
	queue->count = 0;
	list_init(&queue->infos);
}

/* Takes the signals of `mask` off the queue, unseen. */
static void queue_discard(struct signal_queue *queue, uint64_t mask)
{
	struct queued_signal *queued, *next;

	if (!(queue->set & mask))
		return;
	queue->set &= ~mask;
	list_for_each_entry_safe (queued, next, &queue->infos, node) {
		if (!(mask & SIGNAL_BIT(queued->info.si_signo)))
			continue;
		list_remove(&queued->node);
		object_free(&queued_cache, queued);
		queue->count--;
	}
}

void signal_queue_free(struct signal_queue *queue)
{
	queue_discard(queue, UINT64_MAX);
}

static void info_fill(siginfo_t *to, int signal, const siginfo_t *info)
{
	if (info) {
		*to = *info;
	} else {
		memset(to, 0, sizeof(*to));
		to->si_code = SI_KERNEL;
	}
	to->si_signo = signal;
}

/*
 * Signals below SIGRTMIN are pending once at most; real-time ones queue (signal(7)). Without
 * room for its siginfo a signal is pending all the same, but sigqueue(3)'s is refused.
 */
static int queue_add(struct signal_queue *queue, int signal, const siginfo_t *info, uint64_t limit)
{
	struct queued_signal *queued = NULL;

	if (signal < SIGRTMIN && (queue->set & SIGNAL_BIT(signal)))
		return 0;
	if (queue->count < limit)
		queued = object_alloc(&queued_cache);
	if (!queued && signal >= SIGRTMIN && info && info->si_code < 0)
		return -EAGAIN;
	queue->set |= SIGNAL_BIT(signal);
	if (queued) {
		info_fill(&queued->info, signal, info);
		list_push_back(&queue->infos, &queued->node);
		queue->count++;
	}
	return 0;
}

static void queue_take(struct signal_queue *queue, int signal, siginfo_t *info)
{
	struct queued_signal *queued, *found = NULL;
	bool more = false;

	list_for_each_entry (queued, &queue->infos, node) {
		if (queued->info.si_signo != signal)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = queued;
	}
	if (!more)
		queue->set &= ~SIGNAL_BIT(signal);
	if (found) {
		*info = found->info;
		list_remove(&found->node);
		object_free(&queued_cache, found);
		queue->count--;
	} else {
		info_fill(info, signal, NULL);
		info->si_code = SI_USER;
	}
}

static int signal_first(uint64_t set)
{
	if (set & SIGNALS_SYNCHRONOUS)
		set &= SIGNALS_SYNCHRONOUS;
	return __builtin_ctzll(set) + 1;
}

int signal_dequeue(struct task *task, uint64_t blocked, siginfo_t *info)
{
	struct signal_queue *queue = &task->pending;

	if (!(queue->set & ~blocked))
		queue = &task->process->pending;
	if (!(queue->set & ~blocked))
		return 0;
	int signal = signal_first(queue->set & ~blocked);

	queue_take(queue, signal, info);
	return signal;
}

bool signal_fatal_pending(struct task *task)
{
	struct process *process = task->process;
	struct task *exec_task = atomic_load_explicit(&process->exec_task, memory_order_relaxed);

	return atomic_load_explicit(&process->group_exiting, memory_order_relaxed) ||
	       (exec_task && exec_task != task);
}

static bool deliverable_locked(struct task *task)
{
	struct process *process = task->process;

	return ((task->pending.set | process->pending.set) & ~task->blocked) != 0 ||
	       process->stopped || process->continue_notify || signal_fatal_pending(task);
}

void signal_recalculate(struct task *task)
{
	atomic_store(&task->signal_pending, deliverable_locked(task) || task->restore_blocked);
}

bool signal_deliverable(struct task *task)
{
	struct process *process = task->process;
	bool deliverable;

	if (!atomic_load(&task->signal_pending))
		return false;
	spin_lock(&process->signal_lock);
	deliverable = deliverable_locked(task);
	spin_unlock(&process->signal_lock);
	return deliverable;
}

void signal_notice(struct task *task, bool fatal)
{
	atomic_store(&task->signal_pending, true);
	task_wake_for_signal(task, fatal);
}

bool signal_begin_group_exit(struct process *process, int status)
{
	struct task *task;

	if (process->group_exiting)
		return false;
	process->exit_status = status;
	atomic_store(&process->group_exiting, true);
	list_for_each_entry (task, &process->threads, thread_link)
		signal_notice(task, true);
	wake_up_all(&process->stop_event);
	return true;
}

void signal_retarget(struct process *process, struct task *except)
{
	struct task *task;

	if (!process->pending.set)
		return;
	list_for_each_entry (task, &process->threads, thread_link)
		if (task != except && !task->exiting && (process->pending.set & ~task->blocked))
			signal_notice(task, false);
}

void signal_discard(struct process *process, uint64_t mask)
{
	struct task *task;

	queue_discard(&process->pending, mask);
	list_for_each_entry (task, &process->threads, thread_link)
		queue_discard(&task->pending, mask);
}

/* SIGCONT undoes stops and the other way round, even where the new one is blocked or ignored. */
static void cancel_opposites(struct process *process, int signal)
{
	uint64_t cancelled = 0;
	struct task *task;

	if (signal == SIGCONT)
		cancelled = SIGNALS_STOPPING;
	else if (SIGNALS_STOPPING & SIGNAL_BIT(signal))
		cancelled = SIGNAL_BIT(SIGCONT);
	else
		return;
	signal_discard(process, cancelled);
	if (signal == SIGCONT)
		process->continues++;
	if (signal == SIGCONT && process->stopped) {
		atomic_store(&process->stopped, false);
		process->continue_notify = true;
		list_for_each_entry (task, &process->threads, thread_link)
			signal_notice(task, false);
		wake_up_all(&process->stop_event);
	}
}

bool signal_action_ignores(const struct process *process, int signal)
{
	uintptr_t handler = process->actions[signal].handler;

	if (handler == SIGNAL_DEFAULT)
		return process->protected || (SIGNALS_IGNORED & SIGNAL_BIT(signal));
	return handler == SIGNAL_IGNORE;
}

/* A blocked signal is kept whatever the action: the action may change before it is unblocked. */
static bool signal_ignored(const struct process *process, const struct task *target, int signal)
{
	const struct task *task;

	if (!signal_action_ignores(process, signal))
		return false;
	list_for_each_entry (task, &process->threads, thread_link)
		if ((!target || task == target) &&
		    ((task->blocked | task->awaited) & SIGNAL_BIT(signal)))
			return false;
	return true;
}

/* A stopped process takes nothing but SIGKILL until it is continued. */
static bool task_wants(const struct task *task, int signal)
{
	if (task->exiting || (task->process->stopped && signal != SIGKILL))
		return false;
	return !(task->blocked & SIGNAL_BIT(signal));
}

static struct task *choose_thread(struct process *process, int signal)
{
	struct task *task;

	if (current_process() == process && task_wants(current_task(), signal))
		return current_task();
	list_for_each_entry (task, &process->threads, thread_link)
		if (task_wants(task, signal))
			return task;
	return NULL;
}

static bool ends_process(const struct process *process, const struct task *task, int signal)
{
	return process->actions[signal].handler == SIGNAL_DEFAULT &&
	       !((SIGNALS_IGNORED | SIGNALS_STOPPING) & SIGNAL_BIT(signal)) &&
	       !(task->awaited & SIGNAL_BIT(signal)) && !process->protected;
}

static int send_locked(struct process *process, struct task *target, int signal,
		       const siginfo_t *info)
{
	struct task *task;
	int error;

	if (process->group_exiting || list_empty(&process->threads))
		return 0;
	cancel_opposites(process, signal);
	if (signal_ignored(process, target, signal))
		return 0;
	error = queue_add(target ? &target->pending : &process->pending, signal, info,
			  process->limits[RLIMIT_SIGPENDING].rlim_cur);
	if (error)
		return error;
	if (target)
		task = task_wants(target, signal) ? target : NULL;
	else
		task = choose_thread(process, signal);
	if (!task)
		return 0;
	if (ends_process(process, task, signal))
		(void)signal_begin_group_exit(process, signal);
	else
		signal_notice(task, false);
	return 0;
}

int signal_send_process(struct process *process, int signal, const siginfo_t *info)
{
	int error;

	spin_lock(&process->signal_lock);
	error = send_locked(process, NULL, signal, info);
	spin_unlock(&process->signal_lock);
	return error;
}

int signal_send_task(struct task *task, int signal, const siginfo_t *info)
{
	struct process *process = task->process;
	int error = 0;

	spin_lock(&process->signal_lock);
	if (!task->exiting)
		error = send_locked(process, task, signal, info);
	spin_unlock(&process->signal_lock);
	return error;
}

int signal_send_group(int process_group, int signal, const siginfo_t *info)
{
	struct task_id *record;
	struct process *process;
	int result = -ESRCH;

	spin_lock(&task_tree_lock);
	record = task_id_find(process_group);
	if (record) {
		list_for_each_entry (process, &record->group, group_link) {
			(void)signal_send_process(process, signal, info);
			result = 0;
		}
	}
	spin_unlock(&task_tree_lock);
	return result;
}

void signal_force(int signal, int code, uintptr_t address)
{
	struct task *task = current_task();
	struct process *process = task->process;
	struct signal_action *action = &process->actions[signal];
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_code = code;
	info.si_addr = (void *)address;
	spin_lock(&process->signal_lock);
	if ((task->blocked & SIGNAL_BIT(signal)) || action->handler == SIGNAL_IGNORE)
		*action = (struct signal_action){.handler = SIGNAL_DEFAULT};
	task->blocked &= ~SIGNAL_BIT(signal);
	if (action->handler == SIGNAL_DEFAULT)
		process->protected = false;
	(void)queue_add(&task->pending, signal, &info, UINT64_MAX);
	atomic_store(&task->signal_pending, true);
	spin_unlock(&process->signal_lock);
}

void signal_set_blocked(uint64_t blocked)
{
	struct task *task = current_task();
	struct process *process = task->process;
	uint64_t newly;

	spin_lock(&process->signal_lock);
	newly = blocked & ~task->blocked;
	task->blocked = blocked & ~SIGNAL_UNBLOCKABLE;
	if (newly & process->pending.set)
		signal_retarget(process, task);
	signal_recalculate(task);
	spin_unlock(&process->signal_lock);
}

void signal_mask_borrow(uint64_t mask)
{
	struct task *task = current_task();

	task->saved_blocked = task->blocked;
	task->restore_blocked = true;
	signal_set_blocked(mask);
}

void signal_mask_return(bool interrupted)
{
	struct task *task = current_task();

	if (interrupted)
		return;
	task->restore_blocked = false;
	signal_set_blocked(task->saved_blocked);
}

uint64_t signal_deadline_resume(uint64_t deadline_ns)
{
	struct task *task = current_task();
	uint64_t kept = task->restart_deadline_ns;

	task->restart_deadline_ns = 0;
	return kept ? kept : deadline_ns;
}

void signal_deadline_keep(uint64_t deadline_ns)
{
	current_task()->restart_deadline_ns = deadline_ns;
}

void signal_reset_handlers(struct process *process)
{
	spin_lock(&process->signal_lock);
	for (int signal = 1; signal <= _NSIG; signal++) {
		struct signal_action *action = &process->actions[signal];
		uintptr_t handler =
			action->handler == SIGNAL_IGNORE ? SIGNAL_IGNORE : SIGNAL_DEFAULT;

		*action = (struct signal_action){.handler = handler};
	}
	spin_unlock(&process->signal_lock);
}
