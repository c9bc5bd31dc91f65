/*
 * kernel/sys_info.h - the system calls that ask about the system or a task's settings, and
 * reboot; contracts as in section 2 of the manual.
 */
#pragma once

#include <kernel/base/types.h>

/* kernel/sys_info.c */
long sys_uname(uintptr_t buffer);
long sys_sethostname(uintptr_t name, size_t length);
long sys_sysinfo(uintptr_t buffer);
long sys_reboot(uint32_t magic1, uint32_t magic2, uint32_t command, uintptr_t arg);

/* kernel/sys_limit.c */
long sys_getrlimit(unsigned resource, uintptr_t limit);
long sys_setrlimit(unsigned resource, uintptr_t limit);
long sys_prlimit64(int pid, unsigned resource, uintptr_t new_limit, uintptr_t old_limit);
long sys_getrusage(int who, uintptr_t usage);

/* kernel/sys_membarrier.c */
long sys_membarrier(int command, unsigned flags, int cpu);

/* kernel/sys_prctl.c */
long sys_prctl(int option, uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5);
long sys_arch_prctl(int option, uintptr_t address);

/* The host's name into buf, with its NUL: for /proc too. At most __NEW_UTS_LEN + 1 bytes. */
void host_name(char *buf, size_t size);
/* What uname(2) says about the kernel. */
#define KERNEL_RELEASE "6.1.0-stos"
#define KERNEL_VERSION "#1 stos"
