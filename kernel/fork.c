/*
 * kernel/fork.c - clone, clone3, fork, vfork: another task like the caller.
 *
 *   clone_check      which flags go together
 *   task, process    allocated; nobody can see them
 *   resources        descriptors, directories, space: copied, or shared by CLONE_*
 *   clone_publish    a number, and into the tree: from here on it can be found and signalled
 *   task_start       it runs, returning 0 from the same system call
 *
 * Each step that fails undoes those before it. A thread needs VM and SIGHAND; handlers are a
 * process's own, so CLONE_SIGHAND without CLONE_THREAD is refused, as are namespaces,
 * CLONE_PIDFD and CLONE_INTO_CGROUP.
 *
 * Not here: copying the space (mm/), the new task's first steps (sched.c, trap_entry.asm).
 * Tests: tests/guest/threads_clone.c, fork_wait.c.
 */
#include <fs/file.h>
#include <kernel/fpu.h>
#include <kernel/sched.h>
#include <kernel/signal_private.h>
#include <kernel/sys_task.h>
#include <kernel/task_id.h>
#include <kernel/task_private.h>
#include <kernel/trap.h>
#include <linux/sched.h>
#include <mm/mem_space.h>
#include <mm/user_copy.h>
#include <string.h>

/* A struct clone_args may be as large as this: clone(2), E2BIG. */
#define CLONE_ARGS_SIZE_MAX PAGE_SIZE
#define PID_NAMESPACE_DEPTH_MAX 32u /* the longest set_tid */

struct clone_request {
	uint64_t flags; /* CLONE_* without the exit signal */
	int exit_signal;
	uintptr_t stack, parent_tid, child_tid, tls;
};

/* Flags without an effect here: no semaphore undo, no tracing, no I/O contexts. */
#define FLAGS_WITHOUT_EFFECT                                                                       \
	(CLONE_SYSVSEM | CLONE_PTRACE | CLONE_UNTRACED | CLONE_DETACHED | CLONE_IO)
#define FLAGS_SUPPORTED                                                                            \
	(FLAGS_WITHOUT_EFFECT | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK |  \
	 CLONE_PARENT | CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | \
	 CLONE_CHILD_SETTID | CLONE_CLEAR_SIGHAND)

static int clone_check(const struct clone_request *request)
{
	uint64_t flags = request->flags;

	if (flags & ~(uint64_t)FLAGS_SUPPORTED)
		return -EINVAL;
	if (!(flags & CLONE_THREAD) != !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_PARENT) && current_process()->pid == 1)
		return -EINVAL;
	if ((flags & CLONE_SETTLS) && request->tls >= USER_SPACE_END)
		return -EPERM;
	return 0;
}

struct task_count {
	uint32_t uid;
	uint64_t count;
};

static bool count_tasks(struct process *process, void *arg)
{
	struct task_count *count = arg;

	if (process->uid == count->uid)
		count->count += process->thread_count;
	return true;
}

/* RLIMIT_NPROC: tasks of one user; root is free of it. */
static bool task_limit_reached(void)
{
	struct task_count count = {.uid = current_process()->uid};

	if (process_is_root())
		return false;
	spin_lock(&task_tree_lock);
	process_for_each(count_tasks, &count);
	spin_unlock(&task_tree_lock);
	return count.count >= process_limit(RLIMIT_NPROC);
}

static int copy_files(struct task *child, uint64_t flags)
{
	struct task *task = current_task();
	int error;

	if (flags & CLONE_FILES) {
		child->files = file_table_get(task->files);
	} else {
		error = file_table_copy(task->files, &child->files);
		if (error)
			return error;
	}
	if (flags & CLONE_FS) {
		child->fs = fs_context_get(task->fs);
		return 0;
	}
	return fs_context_copy(task->fs, &child->fs);
}

static int copy_space(struct task *child, uint64_t flags)
{
	struct mem_space *space = current_task()->space;

	if (!(flags & CLONE_VM))
		return mem_space_fork(space, &child->space);
	mem_space_get_user(space);
	child->space = space;
	return 0;
}

static void copy_registers(struct task *child, const struct clone_request *request)
{
	struct task *task = current_task();

	*child->user_frame = *task->user_frame;
	child->user_frame->rax = 0;
	if (request->stack)
		child->user_frame->rsp = request->stack;
	fpu_save(child->fpu_state);
	child->fs_base = request->flags & CLONE_SETTLS ? request->tls : task->fs_base;
	child->gs_base = task->gs_base;
}

static void copy_signal_state(struct task *child, const struct clone_request *request)
{
	struct task *task = current_task();

	child->blocked = task->blocked;
	if (!(request->flags & CLONE_VM) || (request->flags & CLONE_VFORK))
		child->alt_stack = task->alt_stack;
	if (request->flags & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = request->child_tid;
}

/* The new task, of a new process or of the caller's, complete but not linked. */
static int clone_build(const struct clone_request *request, struct task **result)
{
	struct task *task = current_task();
	struct process *process = task->process;
	struct task *child;
	int error = -ENOMEM;

	if (request->flags & CLONE_THREAD)
		process_get(process);
	else
		process = process_alloc(process);
	if (!process)
		return -ENOMEM;
	if (request->flags & CLONE_CLEAR_SIGHAND)
		signal_reset_handlers(process);
	child = task_alloc(process, task->name);
	if (!child)
		goto put_process;
	copy_registers(child, request);
	copy_signal_state(child, request);
	error = copy_files(child, request->flags);
	if (!error)
		error = copy_space(child, request->flags);
	if (error)
		goto discard_task;
	if (request->flags & CLONE_THREAD)
		process_put(process); /* the task has one of its own */
	*result = child;
	return 0;

discard_task:
	task_discard(child);
put_process:
	process_put(process);
	return error;
}

/*
 * A signal to the caller's group that came before the child was in the tree would miss the
 * child: the caller takes the signal first and clones again.
 */
static int clone_publish(struct task *child, const struct clone_request *request)
{
	struct process *own = current_process();
	struct process *process = child->process;
	int error;

	spin_lock(&task_tree_lock);
	if (signal_deliverable(current_task())) {
		error = -ERESTARTNOINTR;
	} else if (request->flags & CLONE_THREAD) {
		spin_lock(&process->signal_lock);
		error = process_link_thread(process, child);
		signal_recalculate(child);
		spin_unlock(&process->signal_lock);
	} else if (request->flags & CLONE_PARENT) {
		process->exit_signal = own->exit_signal;
		error = process_link(process, own->parent, child);
	} else {
		/* clone(2) takes any number; what is no signal is not sent. */
		process->exit_signal = request->exit_signal <= _NSIG ? request->exit_signal : 0;
		error = process_link(process, own, child);
	}
	spin_unlock(&task_tree_lock);
	return error;
}

/* A bad address is not an error of clone. */
static void clone_tell_tid(struct task *child, const struct clone_request *request)
{
	int tid = child->tid;

	if (request->flags & CLONE_PARENT_SETTID)
		(void)!put_user(request->parent_tid, tid);
	if (request->flags & CLONE_CHILD_SETTID)
		(void)mem_space_poke(child->space, request->child_tid, &tid, sizeof(tid));
}

void task_vfork_release(struct task *task)
{
	atomic_store(&task->vfork_released, true);
	wake_up_all(&task->vfork_wait);
}

static long clone_task(const struct clone_request *request)
{
	struct process *process;
	struct task *child;
	int error = clone_check(request);
	int tid;

	if (!error && task_limit_reached())
		error = -EAGAIN;
	if (error)
		return error;
	error = clone_build(request, &child);
	if (error)
		return error;
	error = clone_publish(child, request);
	if (error) {
		process = request->flags & CLONE_THREAD ? NULL : child->process;
		task_discard(child);
		if (process)
			process_put(process);
		return error;
	}
	tid = child->tid;
	clone_tell_tid(child, request);
	task_prepare_stack(child, NULL, NULL);
	if (!(request->flags & CLONE_VFORK)) {
		task_start(child);
		return tid;
	}
	task_get(child);
	task_start(child);
	/* A fatal signal ends the wait: the space is shared by count, the child may go on alone. */
	(void)wait_event_mode(&child->vfork_wait, child->vfork_released, WAIT_KILLABLE, UINT64_MAX);
	task_put(child);
	return tid;
}

long sys_clone(uint64_t flags, uintptr_t stack, uintptr_t parent_tid, uintptr_t child_tid,
	       uintptr_t tls)
{
	struct clone_request request = {
		.flags = (uint32_t)flags & ~(uint32_t)CSIGNAL,
		.exit_signal = (int)(flags & CSIGNAL),
		.stack = stack,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.tls = tls,
	};

	return clone_task(&request);
}

/*
 * The user's struct into `args`, which may be shorter than a later program's: what stos does not
 * know must be 0 (copy_struct_from_user of Linux).
 */
static int clone_args_read(struct clone_args *args, uintptr_t user, size_t size)
{
	char rest[64];

	if (size > CLONE_ARGS_SIZE_MAX)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(args, 0, sizeof(*args));
	for (size_t at = sizeof(*args), part; at < size; at += part) {
		part = MIN(size - at, sizeof(rest));
		if (copy_from_user(rest, user + at, part))
			return -EFAULT;
		for (size_t i = 0; i < part; i++)
			if (rest[i])
				return -E2BIG;
	}
	return copy_from_user(args, user, MIN(size, sizeof(*args)));
}

/* Choosing the new task's number is refused. */
static int set_tid_check(const struct clone_args *args)
{
	int tid;

	if (!args->set_tid && !args->set_tid_size)
		return 0;
	if (!args->set_tid || !args->set_tid_size || args->set_tid_size > PID_NAMESPACE_DEPTH_MAX)
		return -EINVAL;
	if (get_user(tid, args->set_tid))
		return -EFAULT;
	return args->set_tid_size > 1 || tid < 1 || tid >= TASK_ID_MAX ? -EINVAL : -EPERM;
}

static int clone_args_check(const struct clone_args *args, size_t size)
{
	uint64_t flags = args->flags;

	if (args->exit_signal > _NSIG)
		return -EINVAL;
	if ((flags & CLONE_INTO_CGROUP) &&
	    (args->cgroup > INT32_MAX || size < CLONE_ARGS_SIZE_VER2))
		return -EINVAL;
	if (flags & (CLONE_DETACHED | CSIGNAL))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && (flags & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((flags & (CLONE_THREAD | CLONE_PARENT)) && args->exit_signal)
		return -EINVAL;
	if (!args->stack != !args->stack_size)
		return -EINVAL;
	if (args->stack >= USER_SPACE_END || args->stack_size > USER_SPACE_END - args->stack)
		return -EINVAL;
	return flags & CLONE_INTO_CGROUP ? -EBADF : 0; /* no file is a cgroup here */
}

long sys_clone3(uintptr_t user, size_t size)
{
	struct clone_request request;
	struct clone_args args;
	int error = clone_args_read(&args, user, size);

	if (!error)
		error = set_tid_check(&args);
	if (!error)
		error = clone_args_check(&args, size);
	if (error)
		return error;
	request = (struct clone_request){
		.flags = args.flags,
		.exit_signal = (int)args.exit_signal,
		.stack = args.stack + args.stack_size,
		.parent_tid = args.parent_tid,
		.child_tid = args.child_tid,
		.tls = args.tls,
	};
	return clone_task(&request);
}

long sys_fork(void)
{
	struct clone_request request = {.exit_signal = SIGCHLD};

	return clone_task(&request);
}

long sys_vfork(void)
{
	struct clone_request request = {
		.flags = CLONE_VM | CLONE_VFORK,
		.exit_signal = SIGCHLD,
	};

	return clone_task(&request);
}

long sys_set_tid_address(uintptr_t address)
{
	struct task *task = current_task();

	task->clear_child_tid = address;
	return task->tid;
}
