/*
 * kernel/sys_task.h - the system calls that make and end tasks; contracts as in section 2 of
 * the manual.
 */
#pragma once

#include <kernel/base/types.h>

/* kernel/fork.c. The order of clone's arguments is x86_64's. */
long sys_clone(uint64_t flags, uintptr_t stack, uintptr_t parent_tid, uintptr_t child_tid,
	       uintptr_t tls);
/*
 * `args` is a struct clone_args of that size (clone(2)); E2BIG where it says more than stos knows.
 */
long sys_clone3(uintptr_t args, size_t size);
long sys_fork(void);
long sys_vfork(void);
long sys_set_tid_address(uintptr_t address);

/* kernel/exec.c */
long sys_execve(uintptr_t path, uintptr_t argv, uintptr_t envp);

/* kernel/exit.c */
long sys_exit(int status);
long sys_exit_group(int status);

/* kernel/wait4.c */
long sys_wait4(int pid, uintptr_t status, int options, uintptr_t usage);
long sys_waitid(int which, int id, uintptr_t info, int options, uintptr_t usage);

/* kernel/pidfd.c */
long sys_pidfd_open(int pid, unsigned flags);
long sys_process_madvise(int pidfd, uintptr_t vector, size_t count, int advice, unsigned flags);
