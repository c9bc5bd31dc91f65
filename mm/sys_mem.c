/*
 * mm/sys_mem.c - the memory system calls: arguments checked as Linux does, then mem_map.c and
 * friends.
 */
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <mm/check.h>
#include <mm/mm_private.h>
#include <mm/sys_mem.h>
#include <mm/user_copy.h>

/* There are no huge pages; but Linux first asks for a size that the processor would have. */
static int huge_check(int flags)
{
	int size = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	if (!(flags & MAP_HUGETLB))
		return 0;
	if (!(flags & MAP_ANONYMOUS) || (flags & MAP_GROWSDOWN))
		return -EINVAL;
	return size == 0 || size == MAP_HUGE_2MB >> MAP_HUGE_SHIFT ||
			       size == MAP_HUGE_1GB >> MAP_HUGE_SHIFT
		       ? -ENOMEM
		       : -EINVAL;
}

long sys_mmap(uintptr_t addr, size_t length, int prot, int flags, int fd, uint64_t offset)
{
	struct mem_space *space = current_task()->space;
	struct file *file = NULL;
	uintptr_t result;
	int error;

	if (!(flags & MAP_ANONYMOUS)) {
		file = file_from_descriptor(fd);
		if (file && (atomic_load(&file->flags) & O_PATH)) {
			file_put(file);
			file = NULL;
		}
		if (!file)
			return offset % PAGE_SIZE ? -EINVAL : -EBADF;
	}
	error = length == 0 || offset % PAGE_SIZE ? -EINVAL : huge_check(flags);
	if (!error)
		error = mem_map(space, addr, length, prot & PROT_ALL, flags, file, offset, &result);
	if (file)
		file_put(file);
	if (error)
		return error;
	mem_check_after_change(space);
	return (long)result;
}

long sys_munmap(uintptr_t addr, size_t length)
{
	struct mem_space *space = current_task()->space;
	int error = mem_unmap(space, addr, length);

	mem_check_after_change(space);
	return error;
}

long sys_mprotect(uintptr_t addr, size_t length, int prot)
{
	int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	struct mem_space *space = current_task()->space;
	int error;

	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	error = mem_protect(space, addr, length, prot);
	mem_check_after_change(space);
	return error;
}

long sys_msync(uintptr_t addr, size_t length, int flags)
{
	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC))
		return -EINVAL;
	if ((flags & MS_ASYNC) && (flags & MS_SYNC))
		return -EINVAL;
	return mem_sync(current_task()->space, addr, length, flags);
}

long sys_madvise(uintptr_t addr, size_t length, int advice)
{
	return mem_advise(current_task()->space, addr, length, advice);
}

long sys_brk(uintptr_t brk)
{
	struct mem_space *space = current_task()->space;
	uintptr_t result = mem_brk(space, brk);

	mem_check_after_change(space);
	return (long)result;
}

long sys_mremap(uintptr_t old_addr, size_t old_length, size_t new_length, int flags,
		uintptr_t new_addr)
{
	struct mem_space *space = current_task()->space;
	uintptr_t result;
	int error = mem_remap(space, old_addr, old_length, new_length, flags, new_addr, &result);

	mem_check_after_change(space);
	return error ? error : (long)result;
}

/* Of flags, MAP_NONBLOCK alone has a meaning; the rights are the mapping's: remap_file_pages(2). */
long sys_remap_file_pages(uintptr_t addr, size_t length, int prot, uint64_t index, int flags)
{
	struct mem_space *space = current_task()->space;
	int error;

	addr = PAGE_ALIGN_DOWN(addr);
	length = PAGE_ALIGN_DOWN(length);
	if (prot || addr + length <= addr || index + (length >> PAGE_SHIFT) < index)
		return -EINVAL;
	if (index + (length >> PAGE_SHIFT) > INT64_MAX >> PAGE_SHIFT)
		return -EOVERFLOW;
	error = mem_remap_pages(space, addr, length, index, !(flags & MAP_NONBLOCK));
	mem_check_after_change(space);
	return error;
}

#define RESIDENT_CHUNK 512 /* pages whose bytes are copied out at a time */

long sys_mincore(uintptr_t addr, size_t length, uintptr_t result)
{
	struct mem_space *space = current_task()->space;
	unsigned char chunk[RESIDENT_CHUNK];
	size_t pages, done;

	if (addr % PAGE_SIZE)
		return -EINVAL;
	if (addr > USER_SPACE_END || length > USER_SPACE_END - addr)
		return -ENOMEM;
	pages = PAGE_ALIGN_UP(length) >> PAGE_SHIFT;
	if (result > USER_SPACE_END || pages > USER_SPACE_END - result)
		return -EFAULT;
	for (; pages > 0; pages -= done, result += done, addr += done << PAGE_SHIFT) {
		if (signal_fatal_pending(current_task()))
			return -EINTR;
		done = mem_resident(space, addr, MIN(pages, (size_t)RESIDENT_CHUNK), chunk);
		if (done == 0)
			return -ENOMEM;
		if (copy_to_user(result, chunk, done))
			return -EFAULT;
	}
	return 0;
}

static long lock_range(uintptr_t addr, size_t length, uint32_t lock)
{
	struct mem_space *space = current_task()->space;
	int error = mem_lock(space, addr, length, lock);

	mem_check_after_change(space);
	return error;
}

long sys_mlock(uintptr_t addr, size_t length)
{
	return lock_range(addr, length, ZONE_LOCKED);
}

long sys_mlock2(uintptr_t addr, size_t length, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return lock_range(addr, length,
			  ZONE_LOCKED | (flags & MLOCK_ONFAULT ? ZONE_LOCK_ON_FAULT : 0));
}

long sys_munlock(uintptr_t addr, size_t length)
{
	struct mem_space *space = current_task()->space;
	int error = mem_unlock(space, addr, length);

	mem_check_after_change(space);
	return error;
}

long sys_mlockall(int flags)
{
	struct mem_space *space = current_task()->space;
	int error;

	if ((flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) ||
	    !(flags & (MCL_CURRENT | MCL_FUTURE)))
		return -EINVAL;
	error = mem_lock_all(space, flags & MCL_CURRENT, flags & MCL_FUTURE,
			     ZONE_LOCKED | (flags & MCL_ONFAULT ? ZONE_LOCK_ON_FAULT : 0));
	mem_check_after_change(space);
	return error;
}

long sys_munlockall(void)
{
	mem_unlock_all(current_task()->space);
	mem_check_after_change(current_task()->space);
	return 0;
}

/*
 * pkeys(7) on a processor without protection keys: Linux has no key there, and says EINVAL to all.
 */
long sys_pkey_mprotect(uintptr_t addr, size_t length, int prot, int pkey)
{
	return pkey == -1 ? sys_mprotect(addr, length, prot) : -EINVAL;
}

long sys_pkey_alloc(unsigned flags, unsigned access_rights)
{
	(void)flags;
	(void)access_rights;
	return -EINVAL;
}

long sys_pkey_free(int pkey)
{
	(void)pkey;
	return -EINVAL;
}
