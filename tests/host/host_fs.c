/*
 * tests/host/host_fs.c - what the file layer stands on, for test programs: one task that never
 * waits, "user" memory that is plain memory, a clock that ticks at each look.
 *
 * Built freestanding, like the kernel sources beside it: no header of the C library.
 */
#include "host_fs.h"

#include <fs/dentry.h>
#include <fs/device.h>
#include <fs/file.h>
#include <fs/file_table.h>
#include <fs/fs_context.h>
#include <fs/fs_private.h>
#include <fs/mount.h>
#include <fs/tmpfs.h>
#include <kernel/base/panic.h>
#include <kernel/base/wait.h>
#include <kernel/time.h>
#include <mm/mm_init.h>
#include <mm/page_index.h>
#include <mm/page_table.h>
#include <mm/pressure.h>
#include <mm/user_copy.h>
#include <string.h>

void host_memory_begin(uint64_t bytes);
void host_memory_end(void);

struct spinlock task_tree_lock = SPINLOCK_INIT(RANK_TASK_TREE);
static struct process the_process;
static struct task the_task;
static struct super_block *root_super;
static struct path root_path;
static unsigned signals;
static uint64_t clock_ns = 1700000000ull * NS_PER_SEC;

/* --- begin and end --- */

void host_fs_begin(uint64_t ram_bytes)
{
	static bool once;

	host_memory_begin(ram_bytes);
	the_task = (struct task){.process = &the_process};
	the_process = (struct process){.pid = 1};
	list_init(&the_process.threads);
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		the_process.limits[i].rlim_cur = RLIM_INFINITY;
	the_process.limits[RLIMIT_NOFILE].rlim_cur = 1024;
	host_cpu.current = &the_task;
	if (!once) {
		page_index_init();
		mem_objects_init();
		inode_init_cache();
		file_init_cache();
		dentry_init();
		tmpfs_init();
		once = true;
	}
	kassert(tmpfs_create(0, 0755, &root_super) == 0);
	kassert(mount_root_init(root_super, &root_path) == 0);
	kassert(fs_context_create(&root_path, &the_task.fs) == 0);
	atomic_store(&the_task.fs->umask, 0);
	kassert(file_table_create(&the_task.files) == 0);
}

void host_fs_end(void)
{
	file_table_put(the_task.files);
	fs_context_put(the_task.fs);
	list_remove(&root_path.mount->link);
	kassert(atomic_load(&root_path.mount->refs) == 1);
	mount_put(root_path.mount);
	host_memory_end();
}

void host_fs_become(uint32_t uid, uint32_t gid)
{
	the_process.euid = uid;
	the_process.egid = gid;
}

void host_fs_limit(unsigned which, uint64_t limit)
{
	the_process.limits[which].rlim_cur = limit;
}

unsigned host_fs_signals(void)
{
	unsigned count = signals;

	signals = 0;
	return count;
}

/* --- kernel/ --- */

uint64_t time_real_ns(void)
{
	return clock_ns += 1000;
}

bool signal_fatal_pending(struct task *task)
{
	(void)task;
	return false;
}

int signal_send_task(struct task *task, int signal, const siginfo_t *info)
{
	(void)task;
	(void)signal;
	(void)info;
	signals++;
	return 0;
}

void mutex_init(struct mutex *mutex, enum lock_rank rank)
{
	*mutex = (struct mutex){.rank = (uint16_t)rank};
}

void mutex_lock_slow(struct mutex *mutex)
{
	panic("a single task waits for a mutex of rank %u", mutex->rank);
}

void mutex_unlock_slow(struct mutex *mutex)
{
	panic("a mutex of rank %u is released by who does not hold it", mutex->rank);
}

void wait_queue_init(struct wait_queue *queue)
{
	spin_init(&queue->lock, RANK_WAIT_QUEUE);
	list_init(&queue->waiters);
}

void wake_up_all(struct wait_queue *queue)
{
	kassert(list_empty(&queue->waiters));
}

void wait_begin(struct wait_queue *queue, struct waiter *waiter, enum wait_mode mode)
{
	(void)queue;
	(void)waiter;
	(void)mode;
}

void wait_end(struct wait_queue *queue, struct waiter *waiter)
{
	(void)queue;
	(void)waiter;
}

bool wait_interrupted(enum wait_mode mode)
{
	return mode == WAIT_INTERRUPTIBLE; /* nobody will ever wake us: as if by a signal */
}

bool wait_deadline_passed(uint64_t deadline_ns)
{
	(void)deadline_ns;
	return false;
}

void wait_sleep(uint64_t deadline_ns)
{
	(void)deadline_ns;
	panic("a test sleeps");
}

/* --- mm/ --- */

bool mem_pressure_relieve(bool may_hold_locks)
{
	(void)may_hold_locks;
	return false;
}

void page_table_clear_range(struct mem_space *space, uintptr_t beg, uintptr_t end,
			    enum clear_what what)
{
	(void)space;
	(void)beg;
	(void)end;
	(void)what;
	panic("nothing is mapped in a test of files");
}

static bool bad_address(uintptr_t addr, size_t size)
{
	return addr < PAGE_SIZE || addr >= USER_SPACE_END || size > USER_SPACE_END - addr;
}

size_t copy_from_user_partial(void *dst, uintptr_t src, size_t size)
{
	if (bad_address(src, size))
		return size;
	memcpy(dst, (const void *)src, size);
	return 0;
}

size_t copy_to_user_partial(uintptr_t dst, const void *src, size_t size)
{
	if (bad_address(dst, size))
		return size;
	memcpy((void *)dst, src, size);
	return 0;
}

int copy_from_user(void *dst, uintptr_t src, size_t size)
{
	return copy_from_user_partial(dst, src, size) ? -EFAULT : 0;
}

int copy_to_user(uintptr_t dst, const void *src, size_t size)
{
	return copy_to_user_partial(dst, src, size) ? -EFAULT : 0;
}

ssize_t copy_string_from_user(char *dst, uintptr_t src, size_t size)
{
	size_t length;

	if (bad_address(src, 1))
		return -EFAULT;
	length = strnlen((const char *)src, size);
	if (length == size)
		return -ENAMETOOLONG;
	memcpy(dst, (const void *)src, length + 1);
	return (ssize_t)length;
}

int user_fault_in(uintptr_t addr, size_t size, bool for_write)
{
	(void)for_write;
	return bad_address(addr, size) ? -EFAULT : 0;
}

void user_faults_disable(void)
{
}

void user_faults_enable(void)
{
}

size_t io_put(struct io_buffer *io, const void *src, size_t size)
{
	size_t done = MIN(size, io->left);

	if (!io->kernel && bad_address(io->addr, done))
		return 0;
	memcpy((void *)io->addr, src, done);
	io->addr += done;
	io->left -= done;
	return done;
}

size_t io_get(struct io_buffer *io, void *dst, size_t size)
{
	size_t done = MIN(size, io->left);

	if (!io->kernel && bad_address(io->addr, done))
		return 0;
	memcpy(dst, (const void *)io->addr, done);
	io->addr += done;
	io->left -= done;
	return done;
}

/* --- fs/ --- */

/* FIFOs open at once and are neither readable nor writable. */
const struct file_operations fifo_file_operations;
