/* fs/fs_private.h - what only the files of fs/ share. */
#pragma once

#include <fs/file.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <kernel/task.h>

#define NAME_MAX_BYTES 255 /* NAME_MAX of <linux/limits.h>, which fits a getdents entry */

/* The calling process, or NULL in kernel tasks and early at boot: these act as root. */
static inline struct process *fs_process(void)
{
	struct task *task = current_task();

	return task ? task->process : NULL;
}

static inline uint32_t fs_uid(void)
{
	struct process *process = fs_process();

	return process ? process->euid : 0;
}

static inline uint32_t fs_gid(void)
{
	struct process *process = fs_process();

	return process ? process->egid : 0;
}

/* access(2) asks for the real ids. */
static inline uint32_t fs_real_uid(void)
{
	struct process *process = fs_process();

	return process ? process->uid : 0;
}

static inline uint32_t fs_real_gid(void)
{
	struct process *process = fs_process();

	return process ? process->gid : 0;
}

/* The calling process's soft limit RLIMIT_*. */
static inline uint64_t fs_limit(unsigned which)
{
	struct process *process = fs_process();

	return process ? process->limits[which].rlim_cur : RLIM_INFINITY;
}

/* An open file that never became visible, or whose release was called. file.c */
void file_free(struct file *file);
void file_init_cache(void); /* fs_init */

/*
 * Adds `share` (1 writing, -1 executing) to inode->writers, unless the other side is there: then
 * false (ETXTBSY). Whoever took it subtracts it again. open.c
 */
must_check bool inode_take_share(struct inode *inode, int share);

/* Growing to `size` beyond RLIMIT_FSIZE is -EFBIG and SIGXFSZ, as for write. sys_attribute.c */
must_check int inode_check_size(const struct inode *inode, uint64_t size);

/* The file was read: atime, unless O_NOATIME or the mount forbids. */
static inline void file_accessed(struct file *file)
{
	if (file->inode->atime_ns > file->inode->mtime_ns)
		return;
	if (atomic_load_explicit(&file->flags, memory_order_relaxed) & O_NOATIME)
		return;
	if (!file->path.mount ||
	    !(atomic_load(&file->path.mount->flags) & (MS_NOATIME | MS_RDONLY)))
		inode_accessed(file->inode);
}

/*
 * The caller may take the name away: write in `dir` (EACCES), and in a sticky directory owner
 * of it or of the file (EPERM). dir is locked. name.c
 */
must_check int name_may_remove(const struct inode *dir, const struct dentry *dentry);
