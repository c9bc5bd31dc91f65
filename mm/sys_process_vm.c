/*
 * mm/sys_process_vm.c - process_vm_readv(2) and process_vm_writev(2): several pieces of the
 * caller's memory and of another process's, copied through a page of the kernel's.
 *
 * Nothing of either space is pinned or locked across a copy to the other, so both may be the same
 * and may change meanwhile. Arguments are checked in Linux's order (mm/process_vm_access.c).
 *
 * Tests: tests/guest/process_vm.c.
 */
#include <kernel/base/errno.h>
#include <kernel/task.h>
#include <linux/uio.h>
#include <mm/heap.h>
#include <mm/mem_space.h>
#include <mm/sys_mem.h>
#include <mm/user_copy.h>

#define TOTAL_MAX 0x7ffff000ul /* Linux's MAX_RW_COUNT: read(2) */

/* A vector copied in, and the place in it. */
struct pieces {
	struct iovec *vector;
	size_t count, at;
	size_t total; /* bytes not yet passed */
};

/* `own`: the caller's memory, which must be user space at least. */
static int check_pieces(struct pieces *pieces, bool own)
{
	for (size_t i = 0; i < pieces->count; i++) {
		uintptr_t addr = (uintptr_t)pieces->vector[i].iov_base;
		size_t length = pieces->vector[i].iov_len;

		if ((ssize_t)length < 0)
			return -EINVAL;
		if (own && (addr > USER_SPACE_END || length > USER_SPACE_END - addr))
			return -EFAULT;
		pieces->total = MIN(pieces->total + length, TOTAL_MAX);
	}
	return 0;
}

static int pieces_copy_in(struct pieces *pieces, uintptr_t user, size_t count, bool own)
{
	int error;

	*pieces = (struct pieces){.count = count};
	if (count > UIO_MAXIOV)
		return -EINVAL;
	if (count == 0)
		return 0;
	pieces->vector = kmalloc(count * sizeof(struct iovec));
	if (!pieces->vector)
		return -ENOMEM;
	error = copy_from_user(pieces->vector, user, count * sizeof(struct iovec));
	if (!error)
		error = check_pieces(pieces, own);
	if (error)
		kfree(pieces->vector);
	return error;
}

/* The next run of bytes, at most `most`; 0 at the end. */
static size_t pieces_next(struct pieces *pieces, size_t most, uintptr_t *addr)
{
	struct iovec *piece = &pieces->vector[pieces->at];

	while (pieces->at < pieces->count && piece->iov_len == 0) {
		piece++;
		pieces->at++;
	}
	if (pieces->at == pieces->count)
		return 0;
	*addr = (uintptr_t)piece->iov_base;
	return MIN(MIN(piece->iov_len, most), pieces->total);
}

static void pieces_pass(struct pieces *pieces, size_t bytes)
{
	struct iovec *piece = &pieces->vector[pieces->at];

	piece->iov_base = (char *)piece->iov_base + bytes;
	piece->iov_len -= bytes;
	pieces->total -= bytes;
}

/*
 * Between the caller's pieces and the kernel's page: bytes moved, short at a bad address or the
 * end.
 */
static size_t move_own(struct pieces *own, char *page, size_t size, bool from_user)
{
	size_t done = 0, part, missing;
	uintptr_t addr;

	while (done < size && (part = pieces_next(own, size - done, &addr)) > 0) {
		missing = from_user ? copy_from_user_partial(page + done, addr, part)
				    : copy_to_user_partial(addr, page + done, part);
		pieces_pass(own, part - missing);
		done += part - missing;
		if (missing)
			break;
	}
	return done;
}

/*
 * One run within a page of the other's: bytes moved; short ends the call. *wanted is the run's
 * length.
 */
static size_t move_run(struct mem_space *space, struct pieces *own, struct pieces *other,
		       char *page, bool write, size_t *wanted)
{
	uintptr_t addr = 0;
	size_t size = MIN(pieces_next(other, PAGE_SIZE, &addr), own->total), done;

	*wanted = MIN(size, PAGE_SIZE - addr % PAGE_SIZE);
	if (write) {
		done = move_own(own, page, *wanted, true);
		done = mem_space_write_remote(space, addr, page, done, false);
	} else {
		done = mem_space_read_remote(space, addr, page, *wanted, false);
		done = move_own(own, page, done, false);
	}
	pieces_pass(other, done);
	return done;
}

static long move_all(struct mem_space *space, struct pieces *own, struct pieces *other, bool write)
{
	char *page = kmalloc(PAGE_SIZE);
	size_t total = 0, done, wanted;
	long error = 0;

	if (!page)
		return -ENOMEM;
	while (own->total > 0 && other->total > 0 && !error) {
		done = move_run(space, own, other, page, write, &wanted);
		total += done;
		if (done < wanted)
			error = -EFAULT;
		else if (signal_fatal_pending(current_task()))
			error = -EINTR;
	}
	kfree(page);
	return total ? (long)total : error;
}

/* A thread's number does for its process's. Held, or -ESRCH, -EPERM. */
static int find_space(int pid, struct mem_space **space)
{
	struct task *task = task_find(pid);
	int error = 0;

	if (!task)
		return -ESRCH;
	*space = NULL;
	if (!process_may_access(task->process))
		error = -EPERM;
	else
		*space = process_hold_space(task->process);
	task_put(task);
	return error || *space ? error : -ESRCH;
}

static long process_vm(int pid, struct pieces *own, struct pieces *other, bool write)
{
	struct mem_space *space;
	long result;
	int error;

	if (other->total == 0)
		return 0;
	error = find_space(pid, &space);
	if (error)
		return error;
	result = move_all(space, own, other, write);
	mem_space_drop(space);
	return result;
}

static long process_vm_call(int pid, uintptr_t own_vector, size_t own_count, uintptr_t other_vector,
			    size_t other_count, uint64_t flags, bool write)
{
	struct pieces own, other;
	long result;

	if (flags)
		return -EINVAL;
	result = pieces_copy_in(&own, own_vector, own_count, true);
	if (result)
		return result;
	if (own.total > 0) {
		result = pieces_copy_in(&other, other_vector, other_count, false);
		if (!result) {
			result = process_vm(pid, &own, &other, write);
			kfree(other.vector);
		}
	}
	kfree(own.vector);
	return result;
}

long sys_process_vm_readv(int pid, uintptr_t own_vector, size_t own_count, uintptr_t other_vector,
			  size_t other_count, uint64_t flags)
{
	return process_vm_call(pid, own_vector, own_count, other_vector, other_count, flags, false);
}

long sys_process_vm_writev(int pid, uintptr_t own_vector, size_t own_count, uintptr_t other_vector,
			   size_t other_count, uint64_t flags)
{
	return process_vm_call(pid, own_vector, own_count, other_vector, other_count, flags, true);
}
