/*
 * fs/fs_context.h - a task's root, working directory and umask. Shared by CLONE_FS.
 *
 * task->fs belongs to its task, which alone changes the pointer, under task_tree_lock.
 * fs_context_copy, _get and _put are in fs/file.h.
 */
#pragma once

#include <fs/inode.h>

struct process;

struct fs_context {
	_Atomic uint32_t refs;
	struct spinlock lock;   /* RANK_FILES */
	struct path root;       /* [lock] references */
	struct path cwd;        /* [lock] references */
	_Atomic uint32_t umask;
};

/* With the given root, which is the working directory too; umask 022. Takes its own references. */
must_check int fs_context_create(const struct path *root, struct fs_context **context);

/* The calling task's, with references. */
void fs_context_root(struct path *root);
void fs_context_cwd(struct path *cwd);
/* New ones: take their own references, drop the old. Sleep. */
void fs_context_set_root(const struct path *root);
void fs_context_set_cwd(const struct path *cwd);
/* Permission bits of `mode` that the umask leaves. */
uint32_t fs_context_mask(uint32_t mode);

/* For /proc: the context of a process's first living thread, with a reference, or NULL. */
struct fs_context *fs_context_of(struct process *process);
/* Its working directory or root, with references. */
void fs_context_get_paths(struct fs_context *context, struct path *root, struct path *cwd);
