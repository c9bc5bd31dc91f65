/*
 * kernel/process.c - processes: making, linking into the tree, finding.
 *
 * The tree: every process but kernel_process has a parent; a process stays in it as a zombie
 * until it was waited for (wait4.c). Orphans go to pid 1 (exit.c).
 *
 * Not here: threads' records (task.c), numbers, groups and sessions (task_id.c).
 */
#include <kernel/base/panic.h>
#include <kernel/fpu.h>
#include <kernel/sched.h>
#include <kernel/task_id.h>
#include <kernel/task_private.h>
#include <kernel/time.h>
#include <linux/sched.h>
#include <mm/heap.h>
#include <mm/mem_space.h>
#include <string.h>

struct spinlock task_tree_lock = SPINLOCK_INIT(RANK_TASK_TREE);
struct process kernel_process;

static struct list_node all_processes GUARDED_BY(task_tree_lock) = LIST_INIT(all_processes);
static struct object_cache process_cache;

/* Defaults as on Linux, but for the number of descriptors that may be asked for. */
static const struct rlimit default_limits[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIMIT_FSIZE] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIMIT_DATA] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIMIT_STACK] = {8ul << 20, RLIM_INFINITY},
	[RLIMIT_CORE] = {0, RLIM_INFINITY},
	[RLIMIT_RSS] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIMIT_NPROC] = {TASK_ID_MAX / 2, TASK_ID_MAX / 2},
	[RLIMIT_NOFILE] = {1024, 4096},
	[RLIMIT_MEMLOCK] = {8ul << 20, 8ul << 20},
	[RLIMIT_AS] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIMIT_LOCKS] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIMIT_SIGPENDING] = {1024, 4096},
	[RLIMIT_MSGQUEUE] = {819200, 819200},
	[RLIMIT_NICE] = {0, 0},
	[RLIMIT_RTPRIO] = {0, 0},
	[RLIMIT_RTTIME] = {RLIM_INFINITY, RLIM_INFINITY},
};

static void process_setup(struct process *process)
{
	atomic_init(&process->refs, 1);
	process->session = -1;
	process->started_ns = time_monotonic_ns();
	list_init(&process->threads);
	list_init(&process->children);
	list_init(&process->sibling);
	list_init(&process->all_link);
	list_init(&process->group_link);
	wait_queue_init(&process->thread_event);
	wait_queue_init(&process->child_event);
	wait_queue_init(&process->stop_event);
	spin_init(&process->signal_lock, RANK_SIGNAL);
	signal_queue_init(&process->pending);
}

void process_init(void)
{
	object_cache_init(&process_cache, "process", sizeof(struct process),
			  alignof(struct process));
	task_id_init();
	process_setup(&kernel_process);
	memcpy(kernel_process.limits, default_limits, sizeof(default_limits));
}

static void ids_copy(struct process *process, const struct process *parent)
{
	process->uid = parent->uid;
	process->euid = parent->euid;
	process->suid = parent->suid;
	process->gid = parent->gid;
	process->egid = parent->egid;
	process->sgid = parent->sgid;
	process->group_count = parent->group_count;
	memcpy(process->groups, parent->groups, parent->group_count * sizeof(parent->groups[0]));
}

struct process *process_alloc(struct process *parent)
{
	struct process *process = object_alloc_zeroed(&process_cache);

	if (!process)
		return NULL;
	process_setup(process);
	process->no_new_privs = parent->no_new_privs;
	process->not_dumpable = parent->not_dumpable;
	process->no_huge_pages = parent->no_huge_pages;
	spin_lock(&parent->signal_lock);
	ids_copy(process, parent);
	memcpy(process->actions, parent->actions, sizeof(process->actions));
	memcpy(process->limits, parent->limits, sizeof(process->limits));
	spin_unlock(&parent->signal_lock);
	return process;
}

void process_get(struct process *process)
{
	atomic_fetch_add_explicit(&process->refs, 1, memory_order_relaxed);
}

void process_put(struct process *process)
{
	if (atomic_fetch_sub_explicit(&process->refs, 1, memory_order_acq_rel) != 1)
		return;
	kassert(list_empty(&process->threads) && list_empty(&process->children));
	signal_queue_free(&process->pending);
	object_free(&process_cache, process);
}

int process_link_thread(struct process *process, struct task *task)
{
	struct task_id *record;
	int tid = task_id_allocate(&record);

	if (tid < 0)
		return tid;
	record->task = task;
	task->tid = tid;
	list_push_back(&process->threads, &task->thread_link);
	process->thread_count++;
	return 0;
}

void process_set_parent(struct process *process, struct process *parent)
{
	process->parent = parent;
	atomic_store(&process->parent_pid, parent->pid);
	list_push_back(&parent->children, &process->sibling);
}

int process_link(struct process *process, struct process *parent, struct task *task)
{
	int error;

	spin_lock(&process->signal_lock);
	error = process_link_thread(process, task);
	spin_unlock(&process->signal_lock);
	if (error)
		return error;
	process->pid = task->tid;
	task_id_find(process->pid)->process = process;
	process_set_parent(process, parent);
	process->tty = parent->tty;
	list_push_back(&all_processes, &process->all_link);
	process_join_group(process, parent->process_group);
	process_join_session(process, MAX(parent->session, 0));
	return 0;
}

void process_unlink(struct process *process)
{
	struct task_id *record = task_id_find(process->pid);

	kassert(process->zombie && process->thread_count == 0);
	process_leave_groups(process);
	list_remove(&process->sibling);
	list_remove(&process->all_link);
	record->process = NULL;
	record->task = NULL;
}

void process_create_first(void (*fn)(void *arg), void *arg)
{
	struct process *process = process_alloc(&kernel_process);
	struct task *task = process ? task_alloc(process, "init") : NULL;
	int error;

	if (!task)
		panic("no memory for the first process");
	process->protected = true;
	process->exit_signal = SIGCHLD;
	fpu_reset(task->fpu_state);
	spin_lock(&task_tree_lock);
	error = process_link(process, &kernel_process, task);
	spin_unlock(&task_tree_lock);
	kassert(!error && process->pid == 1);
	task_prepare_stack(task, fn, arg);
	task_start(task);
}

struct process *process_find(int pid)
{
	struct task_id *record;
	struct process *process = NULL;

	spin_lock(&task_tree_lock);
	record = pid > 0 ? task_id_find(pid) : NULL;
	if (record && record->process) {
		process = record->process;
		process_get(process);
	}
	spin_unlock(&task_tree_lock);
	return process;
}

void process_for_each(bool (*visit)(struct process *process, void *arg), void *arg)
{
	struct process *process, *next;

	list_for_each_entry_safe (process, next, &all_processes, all_link)
		if (!visit(process, arg))
			return;
}

struct process *process_next(int from)
{
	struct process *process = NULL;

	spin_lock(&task_tree_lock);
	for (int pid = MAX(from, 1); pid < TASK_ID_MAX && !process; pid++) {
		struct task_id *record = task_id_find(pid);

		if (!record)
			pid |= TASK_ID_BLOCK - 1; /* no number of this block is in use */
		else if (record->process)
			process = record->process;
	}
	if (process)
		process_get(process);
	spin_unlock(&task_tree_lock);
	return process;
}

struct mem_space *process_hold_space(struct process *process)
{
	struct mem_space *space = NULL;
	struct task *task;

	spin_lock(&task_tree_lock);
	list_for_each_entry (task, &process->threads, thread_link) {
		if (!task->space)
			continue;
		space = task->space;
		mem_space_hold(space);
		break;
	}
	spin_unlock(&task_tree_lock);
	return space;
}

struct task *process_first_task(struct process *process)
{
	struct task *task = NULL;

	spin_lock(&task_tree_lock);
	if (!list_empty(&process->threads)) {
		task = list_first(&process->threads, struct task, thread_link);
		task_get(task);
	}
	spin_unlock(&task_tree_lock);
	return task;
}

struct cpu_time process_cpu_time(struct process *process)
{
	struct cpu_time time = {process->dead_user_ns, process->dead_system_ns};
	struct task *task;

	list_for_each_entry (task, &process->threads, thread_link) {
		time.user_ns += task->user_ns;
		time.system_ns += task->system_ns;
	}
	return time;
}

uint64_t process_limit(unsigned resource)
{
	kassert(resource < RLIM_NLIMITS);
	return __atomic_load_n(&current_process()->limits[resource].rlim_cur, __ATOMIC_RELAXED);
}

bool process_in_group(uint32_t gid)
{
	struct process *process = current_process();
	bool found = false;

	if (process->egid == gid)
		return true;
	spin_lock(&process->signal_lock);
	for (unsigned i = 0; i < process->group_count && !found; i++)
		found = process->groups[i] == gid;
	spin_unlock(&process->signal_lock);
	return found;
}

bool process_is_root(void)
{
	return current_process()->euid == 0;
}

bool process_may_access(const struct process *target)
{
	const struct process *self = current_process();

	if (self == target || process_is_root())
		return true;
	return self->uid == target->uid && self->uid == target->euid && self->uid == target->suid &&
	       self->gid == target->gid && self->gid == target->egid && self->gid == target->sgid &&
	       !target->not_dumpable;
}
