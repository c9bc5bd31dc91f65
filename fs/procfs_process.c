/*
 * fs/procfs_process.c - the directories /proc/<pid> and /proc/<pid>/task/<tid>.
 *
 * Both have the same names but for "task" itself; the node's tid says which thread is meant. A
 * directory's names are a table, looked up on demand.
 *
 * Locks: the directory's inode is held by the callers; task_tree_lock to look at threads.
 */
#include <fs/procfs_private.h>
#include <string.h>

#define TEXT(name_, permissions, show_)                                                            \
	{                                                                                          \
		.name = name_, .mode = S_IFREG | (permissions), .show = show_                      \
	}
#define GUARDED(name_, permissions, show_)                                                         \
	{                                                                                          \
		.name = name_, .mode = S_IFREG | (permissions), .show = show_, .guarded = true     \
	}
#define FILE_OF(name_, permissions, file_ops_)                                                     \
	{                                                                                          \
		.name = name_, .mode = S_IFREG | (permissions), .file_ops = file_ops_              \
	}
#define LINK(name_, ops_)                                                                          \
	{                                                                                          \
		.name = name_, .mode = S_IFLNK | 0777, .ops = ops_                                 \
	}
#define DIRECTORY(name_, permissions, ops_, file_ops_)                                             \
	{                                                                                          \
		.name = name_, .mode = S_IFDIR | (permissions), .ops = ops_, .file_ops = file_ops_ \
	}

/* Permissions as Linux has them: fs/proc/base.c. "task" comes first, threads leave it out. */
static const struct proc_entry entries[] = {
	DIRECTORY("task", 0555, &proc_threads_dir_operations, &proc_threads_dir_file_operations),
	DIRECTORY("fd", 0500, &proc_fd_dir_operations, &proc_fd_dir_file_operations),
	DIRECTORY("fdinfo", 0555, &proc_fdinfo_dir_operations, &proc_fdinfo_dir_file_operations),
	LINK("exe", &proc_exe_operations),
	LINK("cwd", &proc_cwd_operations),
	LINK("root", &proc_root_operations),
	TEXT("stat", 0444, proc_show_stat),
	TEXT("statm", 0444, proc_show_statm),
	TEXT("status", 0444, proc_show_status),
	TEXT("comm", 0444, proc_show_comm),
	TEXT("cmdline", 0444, proc_show_cmdline),
	GUARDED("environ", 0400, proc_show_environ),
	TEXT("limits", 0444, proc_show_limits),
	GUARDED("maps", 0444, proc_show_maps),
	GUARDED("smaps", 0444, proc_show_smaps),
	GUARDED("smaps_rollup", 0444, proc_show_smaps_rollup),
	TEXT("faults", 0444, proc_show_faults),
	FILE_OF("mem", 0600, &proc_mem_operations),
	FILE_OF("pagemap", 0400, &proc_pagemap_operations),
	TEXT("mounts", 0444, proc_show_mounts),
	TEXT("mountinfo", 0444, proc_show_mountinfo),
};

/* The process may be a zombie, but has not been waited for. */
static bool process_exists(struct process *process)
{
	struct process *found = process_find(process->pid);

	if (found)
		process_put(found);
	return found == process;
}

/* The thread, with a reference, or NULL when it is gone or was never one of the process. */
static struct task *thread_find(struct process *process, int tid)
{
	struct task *task = task_find(tid);

	if (task && task->process != process) {
		task_put(task);
		task = NULL;
	}
	return task;
}

struct task *proc_node_task(const struct proc_node *node)
{
	return node->tid ? thread_find(node->process, node->tid)
			 : process_first_task(node->process);
}

bool proc_process_valid(const struct inode *inode)
{
	const struct proc_node *node = proc_node_of(inode);
	struct task *task;

	if (!node->tid)
		return process_exists(node->process);
	task = proc_node_task(node);
	if (task)
		task_put(task);
	return task != NULL;
}

/* /proc/<pid> and /proc/<pid>/task/<tid> */

static size_t first_entry(const struct proc_node *node)
{
	return node->tid ? 1 : 0;
}

static int process_lookup(struct inode *dir, struct dentry *dentry)
{
	const struct proc_node *node = proc_node_of(dir);

	if (!proc_process_valid(dir))
		return -ENOENT;
	for (size_t i = first_entry(node); i < ARRAY_SIZE(entries); i++)
		if (strcmp(dentry->name, entries[i].name) == 0)
			return proc_attach_entry(dentry, node, &entries[i]);
	return -ENOENT;
}

/* Positions: "." and "..", then 2 + the entry's place in the table. */
static int process_readdir(struct file *file, struct dir_context *context)
{
	size_t first = first_entry(proc_node_of(file->inode));

	if (!proc_process_valid(file->inode))
		return -ENOENT;
	if (!proc_put_dots(file, context))
		return 0;
	for (size_t i = MAX(context->position - 2, first); i < ARRAY_SIZE(entries); i++) {
		const struct proc_entry *entry = &entries[i];

		if (!context->put(context, entry->name, strlen(entry->name), i + 1,
				  DT_OF_MODE(entry->mode), i + 3))
			return 0;
		context->position = i + 3;
	}
	return 0;
}

const struct inode_operations proc_process_dir_operations = {
	.lookup = process_lookup,
	.release = proc_node_release,
};

const struct file_operations proc_process_dir_file_operations = {
	.readdir = process_readdir,
};

/* /proc/<pid>/task */

static int threads_lookup(struct inode *dir, struct dentry *dentry)
{
	struct proc_node node = {.process = proc_node_of(dir)->process};
	struct task *task;

	node.tid = proc_parse_number(dentry);
	task = node.tid > 0 ? thread_find(node.process, node.tid) : NULL;
	if (!task)
		return -ENOENT;
	task_put(task);
	return proc_attach(dentry, &node, S_IFDIR | 0555, &proc_process_dir_operations,
			   &proc_process_dir_file_operations);
}

static bool threads_revalidate(struct inode *dir, struct dentry *dentry)
{
	(void)dir;
	return proc_process_valid(dentry->inode);
}

/* The lowest thread id >= from, or 0. */
static int next_thread(struct process *process, int from)
{
	struct task *task;
	int lowest = 0;

	spin_lock(&task_tree_lock);
	list_for_each_entry(task, &process->threads, thread_link)
		if (task->tid >= from && (lowest == 0 || task->tid < lowest))
			lowest = task->tid;
	spin_unlock(&task_tree_lock);
	return lowest;
}

/* Positions: "." and "..", then 2 + the thread's id. */
static int threads_readdir(struct file *file, struct dir_context *context)
{
	struct process *process = proc_node_of(file->inode)->process;
	bool room = proc_put_dots(file, context);

	while (room) {
		int tid = next_thread(process, (int)(context->position - 2));

		if (!tid)
			break;
		room = proc_put_number(context, (unsigned)tid, (uint64_t)tid, DT_OF_MODE(S_IFDIR),
				       (uint64_t)tid + 3);
	}
	return 0;
}

const struct inode_operations proc_threads_dir_operations = {
	.lookup = threads_lookup,
	.revalidate = threads_revalidate,
	.release = proc_node_release,
};

const struct file_operations proc_threads_dir_file_operations = {
	.readdir = threads_readdir,
};
