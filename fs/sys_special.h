/* fs/sys_special.h - the system calls of pipe.c and poll.c; contracts as in the man pages. */
#pragma once

#include <kernel/base/types.h>

long sys_pipe(uintptr_t fds);
long sys_pipe2(uintptr_t fds, unsigned flags);

long sys_poll(uintptr_t fds, unsigned count, int timeout_ms);
long sys_ppoll(uintptr_t fds, unsigned count, uintptr_t timeout, uintptr_t mask, size_t mask_size);
long sys_select(int count, uintptr_t reads, uintptr_t writes, uintptr_t excepts, uintptr_t timeout);
long sys_pselect6(int count, uintptr_t reads, uintptr_t writes, uintptr_t excepts,
		  uintptr_t timeout, uintptr_t mask_argument);
