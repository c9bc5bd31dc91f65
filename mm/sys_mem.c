/*
 * mm/sys_mem.c - the memory system calls: arguments checked as Linux does, then mem_map.c and friends.
 */
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <mm/check.h>
#include <mm/mem_space.h>
#include <mm/sys_mem.h>

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

/* What MAP_SHARED_VALIDATE must know (mmap(2)). */
#define MAP_KNOWN                                                                                  \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE |   \
	 MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_FIXED_NOREPLACE)

static int mmap_check(size_t length, int flags, uint64_t offset)
{
	int type = flags & MAP_TYPE;

	if (offset % PAGE_SIZE || length == 0)
		return -EINVAL;
	if ((flags & MAP_ANONYMOUS) && type == MAP_SHARED_VALIDATE)
		return -EINVAL; /* there is no file that could validate */
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && (flags & ~MAP_KNOWN))
		return -EOPNOTSUPP;
	if ((flags & MAP_GROWSDOWN) && (type != MAP_PRIVATE || !(flags & MAP_ANONYMOUS)))
		return -EINVAL; /* only what has no offset can grow below its beginning */
	if (PAGE_ALIGN_UP(length) == 0)
		return -ENOMEM;
	if (offset + PAGE_ALIGN_UP(length) < offset)
		return -EOVERFLOW;
	if (!(flags & MAP_ANONYMOUS) && offset + PAGE_ALIGN_UP(length) > INT64_MAX)
		return -EOVERFLOW; /* no file is as long: off_t is signed */
	return 0;
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
	error = mmap_check(length, flags, offset);
	if (!error && (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && addr % PAGE_SIZE)
		error = -EINVAL;
	if (!error)
		error = mem_map(space, addr, length, prot & PROT_ALL, flags, file, offset, &result);
	if (file)
		file_put(file);
	if (error)
		return error;
	if ((flags & (MAP_POPULATE | MAP_LOCKED)) && !(flags & MAP_NONBLOCK) && (prot & PROT_ALL))
		(void)mem_populate(space, result, length, prot & PROT_WRITE);
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
	struct mem_space *space = current_task()->space;
	int error;

	if (prot & ~PROT_ALL)
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

long sys_mremap(uintptr_t old_addr, size_t old_length, size_t new_length, int flags, uintptr_t new_addr)
{
	struct mem_space *space = current_task()->space;
	uintptr_t result;
	int error = mem_remap(space, old_addr, old_length, new_length, flags, new_addr, &result);

	mem_check_after_change(space);
	return error ? error : (long)result;
}
