/*
 * kernel/pidfd.c - pidfd_open: a descriptor that stands for a process, and process_madvise through
 * it.
 *
 * The file holds the process's record, so the number cannot come to mean another one. It becomes
 * readable for poll(2) when the process has ended.
 *
 * Not here: madvise itself (mm/mem_advise.c), signals and waiting through such a descriptor.
 * Tests: tests/guest/process_madvise.c.
 */
#include <fs/file_table.h>
#include <fs/mount.h>
#include <kernel/base/errno.h>
#include <kernel/sys_task.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <linux/pidfd.h>
#include <linux/uio.h>
#include <mm/mem_space.h>

static unsigned pidfd_poll(struct file *file, struct poll_table *table)
{
	struct process *process = file->data;
	bool ended;

	poll_wait(table, &process->thread_event);
	spin_lock(&task_tree_lock);
	ended = process->zombie;
	spin_unlock(&task_tree_lock);
	return ended ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_release(struct file *file)
{
	process_put(file->data);
}

static const struct file_operations pidfd_operations = {
	.poll = pidfd_poll,
	.release = pidfd_release,
};

/* Takes the process's reference if it succeeds. */
static int pidfd_create(struct process *process, uint32_t flags, struct file **result)
{
	struct inode *inode = inode_create(anon_super, 0600, NULL, NULL);

	if (!inode)
		return -ENOMEM;
	*result = file_create(NULL, inode, &pidfd_operations, O_RDWR | flags);
	inode_put(inode);
	if (!*result)
		return -ENOMEM;
	(*result)->data = process;
	return 0;
}

long sys_pidfd_open(int pid, unsigned flags)
{
	struct process *process;
	struct file *file;
	int error;

	if ((flags & ~(unsigned)PIDFD_NONBLOCK) || pid <= 0)
		return -EINVAL;
	process = process_find(pid);
	if (!process) {
		struct task *task = task_find(pid);

		if (task)
			task_put(task);
		return task ? -ENOENT : -ESRCH; /* a thread's number is not its process's */
	}
	error = pidfd_create(process, flags, &file);
	if (error) {
		process_put(process);
		return error;
	}
	error = file_table_install(file, O_CLOEXEC, 0);
	if (error < 0)
		file_put(file);
	return error;
}

/* ---- process_madvise ---- */

/* What may be said of another's memory: nothing that changes its contents. */
static bool advice_for_others(int advice)
{
	return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED;
}

static int check_others(const struct process *process, const struct mem_space *space, int advice)
{
	const struct process *caller = current_process();

	if (space == current_task()->space)
		return 0;
	if (caller->euid != 0 && (caller->uid != process->uid || caller->uid != process->euid))
		return -EACCES;
	if (!advice_for_others(advice))
		return -EINVAL;
	return caller->euid == 0 ? 0 : -EPERM; /* CAP_SYS_NICE */
}

/* Bytes advised before the first range that failed; its error if it was the first. */
static long advise_ranges(struct mem_space *space, uintptr_t vector, size_t count, int advice)
{
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		struct iovec range;
		int error;

		if (get_user(range, vector + i * sizeof(range)))
			return -EFAULT;
		error = mem_advise(space, (uintptr_t)range.iov_base, range.iov_len, advice);
		if (error)
			return done ? (long)done : error;
		done += range.iov_len;
	}
	return (long)done;
}

static long advise_process(struct process *process, uintptr_t vector, size_t count, int advice)
{
	struct mem_space *space = process_hold_space(process);
	long result;

	if (!space)
		return -ESRCH;
	result = check_others(process, space, advice);
	if (!result)
		result = advise_ranges(space, vector, count, advice);
	mem_space_drop(space);
	return result;
}

long sys_process_madvise(int pidfd, uintptr_t vector, size_t count, int advice, unsigned flags)
{
	struct borrowed_file borrowed;
	long result = -EBADF;

	if (flags || count > UIO_MAXIOV)
		return -EINVAL;
	if (!file_borrow(pidfd, &borrowed))
		return -EBADF;
	if (borrowed.file->ops == &pidfd_operations)
		result = advise_process(borrowed.file->data, vector, count, advice);
	file_return(&borrowed);
	return result;
}
