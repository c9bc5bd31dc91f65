/*
 * mm/mem_space.h - one address space: its zones, its page tables, its limits.
 *
 * Shared by CLONE_VM. `users` are tasks that run in it; `holders` keep the struct (a peek from
 * /proc, a processor that still has it loaded). The last user tears the zones down.
 */
#pragma once

#include <kernel/base/rw_lock.h>
#include <mm/mem_zone.h>

struct mem_space {
	_Atomic uint32_t users, holders;
	struct rw_lock lock;      /* [Z]: zones and everything below unless marked */
	struct mem_zones zones;
	phys_t root;              /* [I] the root table */
	_Atomic uint64_t loaded_on; /* processors that have it loaded, one bit each */
	uintptr_t brk_beg, brk_end; /* brk_end: exact, as the program set it */
	uintptr_t mmap_top;       /* [I] mappings are placed below, top down */
	uintptr_t stack_top;
	uintptr_t arg_beg, arg_end, env_beg, env_end; /* for /proc */
	_Atomic uint64_t anon_pages, file_pages;      /* resident, for /proc */
	_Atomic uint64_t shmem_pages;                 /* of file_pages: of objects in memory */
	_Atomic uint64_t peak_resident_pages;         /* as last noted: see mem_space_note_peak */
	_Atomic uint64_t table_pages;
	uint64_t mapped_pages;    /* sum of the zones */
	uint64_t data_pages;      /* of those, private and writable, but no stack: RLIMIT_DATA */
	uint64_t locked_pages;    /* of those that are ZONE_LOCKED: RLIMIT_MEMLOCK */
	uint64_t peak_pages;
	uint32_t lock_future;     /* ZONE_LOCK_FLAGS of every new zone: mlockall(MCL_FUTURE) */
	_Atomic uint32_t barriers; /* registered by membarrier(2): MEMBARRIER_CMD_REGISTER_* */
	struct file *exe;         /* for /proc/<pid>/exe */
#ifdef STOS_CHECK
	struct list_node all_link; /* all spaces (mm/check_frames.c) */
#endif
};

static inline uint64_t mem_space_resident(const struct mem_space *space)
{
	return atomic_load(&((struct mem_space *)space)->anon_pages) +
	       atomic_load(&((struct mem_space *)space)->file_pages);
}

/*
 * The most pages ever resident. Noted where pages are about to go; so what is resident now may be
 * more.
 */
static inline void mem_space_note_peak(struct mem_space *space)
{
	uint64_t now = mem_space_resident(space);

	if (now > atomic_load_explicit(&space->peak_resident_pages, memory_order_relaxed))
		atomic_store_explicit(&space->peak_resident_pages, now, memory_order_relaxed);
}

static inline uint64_t mem_space_peak_resident(struct mem_space *space)
{
	mem_space_note_peak(space);
	return atomic_load(&space->peak_resident_pages);
}

/* An empty space with users 1: 0 or -ENOMEM. */
must_check int mem_space_create(struct mem_space **space);
/* A copy for fork: zones duplicated, private pages copy-on-write. 0 or -ENOMEM, unwound. Sleeps. */
must_check int mem_space_fork(struct mem_space *from, struct mem_space **copy);
void mem_space_get_user(struct mem_space *space);
/* The last one unmaps everything. Sleeps. */
void mem_space_put_user(struct mem_space *space);
void mem_space_hold(struct mem_space *space);
void mem_space_drop(struct mem_space *space);

/*
 * Loads `space` (NULL: the kernel's own tables) on this processor; preemption is off. Returns what
 * was loaded before, for the caller to drop where it holds no lock; NULL if there is nothing to
 * drop.
 */
must_check struct mem_space *mem_space_switch(struct mem_space *space);

/*
 * The calling processor, whose task does not need it, unloads `space`; somebody else holds it too.
 * Interrupts or preemption are off.
 */
void mem_space_leave(struct mem_space *space);

/*
 * The system calls' bodies, errors as in their manual pages but where noted. Addresses and lengths
 * are the user's and come unchecked: these round them, and refuse what leaves user space. The
 * space is unlocked on entry, and they take its lock. All sleep.
 */
/*
 * mmap(2) of `length` bytes, not 0; `offset` is page aligned, `prot` has PROT_* only. `file` is
 * NULL for anonymous memory; what is mapped takes references of its own.
 */
must_check int mem_map(struct mem_space *space, uintptr_t hint, size_t length, int prot, int flags,
		       struct file *file, uint64_t offset, uintptr_t *result);
must_check int mem_unmap(struct mem_space *space, uintptr_t addr, size_t length);
/*
 * shmdt(2): what is left, in its place, of the mapping with these operations that began at `addr`.
 * 0, -EINVAL.
 */
must_check int mem_detach(struct mem_space *space, uintptr_t addr,
			  const struct mem_operations *ops);
/* `prot` may have PROT_GROWSDOWN or PROT_GROWSUP, not both. */
must_check int mem_protect(struct mem_space *space, uintptr_t addr, size_t length, int prot);
/* `flags` are checked: MS_*, not MS_SYNC with MS_ASYNC. */
must_check int mem_sync(struct mem_space *space, uintptr_t addr, size_t length, int flags);
must_check int mem_advise(struct mem_space *space, uintptr_t addr, size_t length, int advice);
/* The new end of the heap, or the old one if it cannot be moved there: never an error. */
uintptr_t mem_brk(struct mem_space *space, uintptr_t brk);
/* `new_addr` counts with MREMAP_FIXED or MREMAP_DONTUNMAP alone. */
must_check int mem_remap(struct mem_space *space, uintptr_t old_addr, size_t old_length,
			 size_t new_length, int flags, uintptr_t new_addr, uintptr_t *result);
/*
 * remap_file_pages(2) of whole pages, not none, that do not wrap around; `index` in pages. `fill`
 * makes them present. Sleeps.
 */
must_check int mem_remap_pages(struct mem_space *space, uintptr_t addr, size_t length,
			       uint64_t index, bool fill);
/*
 * mlock(2), munlock(2): the pages that the range touches; `lock` is ZONE_LOCKED, with LOCK_ON_FAULT
 * or without. mlockall(2): the zones that are there, and those that will be. All sleep.
 */
must_check int mem_lock(struct mem_space *space, uintptr_t addr, size_t length, uint32_t lock);
must_check int mem_unlock(struct mem_space *space, uintptr_t addr, size_t length);
must_check int mem_lock_all(struct mem_space *space, bool current, bool future, uint32_t lock);
void mem_unlock_all(struct mem_space *space);
/*
 * mincore(2): one byte, 0 or 1, for each of at most `pages` pages from addr on, as far as one zone
 * goes. How many they are; 0: nothing is mapped at addr. Sleeps.
 */
size_t mem_resident(struct mem_space *space, uintptr_t addr, size_t pages, unsigned char *result);
/*
 * Makes the pages of the range present, up to the first that cannot be: 0, -ENOMEM (no zone, no
 * memory), -EINVAL (the zone forbids it), -EFAULT (SIGBUS), -EINTR (the task is being killed).
 * Sleeps.
 */
int mem_populate(struct mem_space *space, uintptr_t addr, size_t length, bool for_write);

/* exec's stack: a ZONE_STACK of `initial` bytes below `top`. */
must_check int mem_map_stack(struct mem_space *space, uintptr_t top, size_t initial, int prot);
void mem_set_brk(struct mem_space *space, uintptr_t start);

/*
 * Copies between kernel memory and another (or this) space, page by page through its tables,
 * faulting pages in as an access of its owner would. Returns bytes done. Sleeps.
 */
size_t mem_space_peek(struct mem_space *space, uintptr_t addr, void *dst, size_t size);
size_t mem_space_poke(struct mem_space *space, uintptr_t addr, const void *src, size_t size);

/*
 * The same on behalf of another process: the stack does not grow. `force` ignores the zone's
 * protection as a debugger's access; a write then makes a private page its space's own. Other
 * spaces' shared pages that may not be written are not. Sleeps.
 */
size_t mem_space_read_remote(struct mem_space *space, uintptr_t addr, void *dst, size_t size,
			     bool force);
size_t mem_space_write_remote(struct mem_space *space, uintptr_t addr, const void *src, size_t size,
			      bool force);

/* The page of addr in the format of /proc/<pid>/pagemap, with its frame's number. Sleeps. */
uint64_t mem_space_pagemap(struct mem_space *space, uintptr_t addr);

/* All invariants of the space and its tables; panics where one does not hold. */
void mem_space_check(struct mem_space *space);
