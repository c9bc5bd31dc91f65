/* mm/sys_mem.h - the memory system calls; contracts are their Linux manual pages. */
#pragma once

#include <kernel/base/types.h>

long sys_mmap(uintptr_t addr, size_t length, int prot, int flags, int fd, uint64_t offset);
long sys_munmap(uintptr_t addr, size_t length);
long sys_mprotect(uintptr_t addr, size_t length, int prot);
long sys_msync(uintptr_t addr, size_t length, int flags);
long sys_madvise(uintptr_t addr, size_t length, int advice);
long sys_brk(uintptr_t brk);
long sys_mremap(uintptr_t old_addr, size_t old_length, size_t new_length, int flags,
		uintptr_t new_addr);
long sys_remap_file_pages(uintptr_t addr, size_t length, int prot, uint64_t index, int flags);
long sys_mincore(uintptr_t addr, size_t length, uintptr_t result);
long sys_mlock(uintptr_t addr, size_t length);
long sys_mlock2(uintptr_t addr, size_t length, int flags);
long sys_munlock(uintptr_t addr, size_t length);
long sys_mlockall(int flags);
long sys_munlockall(void);
long sys_pkey_mprotect(uintptr_t addr, size_t length, int prot, int pkey);
long sys_pkey_alloc(unsigned flags, unsigned access_rights);
long sys_pkey_free(int pkey);

/* mm/sys_process_vm.c */
long sys_process_vm_readv(int pid, uintptr_t own_vector, size_t own_count, uintptr_t other_vector,
			  size_t other_count, uint64_t flags);
long sys_process_vm_writev(int pid, uintptr_t own_vector, size_t own_count, uintptr_t other_vector,
			   size_t other_count, uint64_t flags);
