/*
 * kernel/task.c - making tasks and letting go of them.
 *
 * fork.c and kernel_task_create make them; exit.c ends them; the scheduler drops the last of a
 * dead one. Kernel tasks belong to kernel_process, have no number, no space and no files.
 *
 * Not here: switching (sched.c), processes (process.c), numbers (task_id.c).
 */
#include <fs/file.h>
#include <kernel/base/panic.h>
#include <kernel/futex.h>
#include <kernel/sched.h>
#include <kernel/task_id.h>
#include <kernel/task_private.h>
#include <kernel/time.h>
#include <kernel/trap.h>
#include <mm/heap.h>
#include <mm/kernel_map.h>
#include <mm/mem_space.h>
#include <string.h>

static struct object_cache task_cache;

/* As its maker's: sched(7). */
static void settings_inherit(struct task *task, const struct task *maker)
{
	int nice = atomic_load(&maker->nice);

	task->affinity = maker->affinity;
	atomic_init(&task->policy, atomic_load(&maker->policy));
	atomic_init(&task->nice, atomic_load(&maker->reset_on_fork) ? MAX(nice, 0) : nice);
}

static void task_init(struct task *task, struct process *process, const char *name)
{
	atomic_init(&task->refs, 1);
	atomic_init(&task->state, TASK_SLEEPING);
	/* It can be found, and its affinity set, before it starts. */
	atomic_init(&task->cpu, cpu_read(id));
	task->process = process;
	settings_inherit(task, current_task());
	task->started_ns = time_monotonic_ns();
	task->alt_stack.flags = SS_DISABLE;
	strlcpy(task->name, name, sizeof(task->name));
	list_init(&task->run_link);
	list_init(&task->thread_link);
	signal_queue_init(&task->pending);
	wait_queue_init(&task->vfork_wait);
	process_get(process);
	atomic_fetch_add(&process->unfinished, 1);
}

struct task *task_alloc(struct process *process, const char *name)
{
	struct task *task = object_alloc_zeroed(&task_cache);

	if (!task)
		return NULL;
	task->kernel_stack = kernel_stack_alloc();
	if (!task->kernel_stack) {
		object_free(&task_cache, task);
		return NULL;
	}
	task->user_frame = (struct trap_frame *)(task->kernel_stack + KERNEL_STACK_SIZE -
						 sizeof(struct trap_frame));
	task_init(task, process, name);
	return task;
}

void task_get(struct task *task)
{
	atomic_fetch_add_explicit(&task->refs, 1, memory_order_relaxed);
}

void task_put(struct task *task)
{
	if (atomic_fetch_sub_explicit(&task->refs, 1, memory_order_acq_rel) != 1)
		return;
	kassert(!task->space && !task->files && !task->fs);
	signal_queue_free(&task->pending);
	kernel_stack_free(task->kernel_stack);
	process_put(task->process);
	object_free(&task_cache, task);
}

void task_drop_files(struct task *task)
{
	struct file_table *files = task->files;
	struct fs_context *fs = task->fs;

	spin_lock(&task_tree_lock);
	task->files = NULL;
	task->fs = NULL;
	spin_unlock(&task_tree_lock);
	if (files)
		file_table_put(files);
	if (fs)
		fs_context_put(fs);
}

void task_discard(struct task *task)
{
	task_drop_files(task);
	if (task->space)
		mem_space_put_user(task->space);
	task->space = NULL;
	atomic_fetch_sub(&task->process->unfinished, 1);
	task_put(task);
}

struct task *task_find(int tid)
{
	struct task_id *record;
	struct task *task = NULL;

	spin_lock(&task_tree_lock);
	record = tid > 0 ? task_id_find(tid) : NULL;
	if (record && record->task) {
		task = record->task;
		task_get(task);
	}
	spin_unlock(&task_tree_lock);
	return task;
}

struct task *kernel_task_create(const char *name, void (*fn)(void *arg), void *arg)
{
	struct task *task = task_alloc(&kernel_process, name);

	if (!task)
		return NULL;
	task_prepare_stack(task, fn, arg);
	task_start(task);
	return task;
}

void tasks_init(void)
{
	object_cache_init(&task_cache, "task", sizeof(struct task), alignof(struct task));
	process_init();
	signal_init();
	futex_init();
}

struct mem_space *task_set_space(struct mem_space *space)
{
	struct task *task = current_task();
	struct mem_space *old = task->space, *left;

	spin_lock(&task_tree_lock);
	task->space = space;
	left = mem_space_switch(space);
	spin_unlock(&task_tree_lock);
	if (left)
		mem_space_drop(left);
	return old;
}
