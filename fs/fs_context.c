/*
 * fs/fs_context.c - a task's root, working directory and umask.
 *
 * Path walking reads the two places (with references: another thread may chdir meanwhile), chdir
 * and chroot set them, fork copies or shares the whole.
 *
 * Locks: fs_context.lock for a few instructions; references are dropped outside it.
 */
#include <fs/file.h>
#include <fs/fs_context.h>
#include <fs/fs_private.h>
#include <fs/path.h>
#include <mm/heap.h>

#define UMASK_DEFAULT 022

int fs_context_create(const struct path *root, struct fs_context **context)
{
	struct fs_context *fresh = kzalloc(sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	atomic_init(&fresh->refs, 1);
	spin_init(&fresh->lock, RANK_FILES);
	fresh->root = fresh->cwd = *root;
	path_get(&fresh->root);
	path_get(&fresh->cwd);
	atomic_init(&fresh->umask, UMASK_DEFAULT);
	*context = fresh;
	return 0;
}

void fs_context_get_paths(struct fs_context *context, struct path *root, struct path *cwd)
{
	spin_lock(&context->lock);
	*root = context->root;
	*cwd = context->cwd;
	path_get(root);
	path_get(cwd);
	spin_unlock(&context->lock);
}

int fs_context_copy(struct fs_context *from, struct fs_context **copy)
{
	struct fs_context *fresh = kzalloc(sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	atomic_init(&fresh->refs, 1);
	spin_init(&fresh->lock, RANK_FILES);
	fs_context_get_paths(from, &fresh->root, &fresh->cwd);
	atomic_init(&fresh->umask, atomic_load(&from->umask));
	*copy = fresh;
	return 0;
}

struct fs_context *fs_context_get(struct fs_context *context)
{
	atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
	return context;
}

void fs_context_put(struct fs_context *context)
{
	if (atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) != 1)
		return;
	path_put(&context->root);
	path_put(&context->cwd);
	kfree(context);
}

static void read_place(struct fs_context *context, const struct path *place, struct path *copy)
{
	spin_lock(&context->lock);
	*copy = *place;
	path_get(copy);
	spin_unlock(&context->lock);
}

void fs_context_root(struct path *root)
{
	struct fs_context *context = current_task()->fs;

	read_place(context, &context->root, root);
}

void fs_context_cwd(struct path *cwd)
{
	struct fs_context *context = current_task()->fs;

	read_place(context, &context->cwd, cwd);
}

static void set_place(struct fs_context *context, struct path *place, const struct path *path)
{
	struct path old;

	path_get(path);
	spin_lock(&context->lock);
	old = *place;
	*place = *path;
	spin_unlock(&context->lock);
	path_put(&old);
}

void fs_context_set_root(const struct path *root)
{
	struct fs_context *context = current_task()->fs;

	set_place(context, &context->root, root);
}

void fs_context_set_cwd(const struct path *cwd)
{
	struct fs_context *context = current_task()->fs;

	set_place(context, &context->cwd, cwd);
}

uint32_t fs_context_mask(uint32_t mode)
{
	return mode & ~atomic_load_explicit(&current_task()->fs->umask, memory_order_relaxed);
}

struct fs_context *fs_context_of(struct process *process)
{
	struct fs_context *context = NULL;
	struct task *task;

	spin_lock(&task_tree_lock);
	list_for_each_entry(task, &process->threads, thread_link)
		if (task->fs) {
			context = fs_context_get(task->fs);
			break;
		}
	spin_unlock(&task_tree_lock);
	return context;
}
