/*
 * kernel/sys_id.h - the system calls about who one is: process, thread, user, group and session
 * ids; contracts as in section 2 of the manual.
 */
#pragma once

#include <kernel/base/types.h>

long sys_getpid(void);
long sys_getppid(void);
long sys_gettid(void);

long sys_getpgrp(void);
long sys_getpgid(int pid);
long sys_setpgid(int pid, int group);
long sys_getsid(int pid);
long sys_setsid(void);

/* kernel/sys_user.c */
long sys_getuid(void);
long sys_geteuid(void);
long sys_getgid(void);
long sys_getegid(void);
long sys_setuid(uint32_t uid);
long sys_setgid(uint32_t gid);
long sys_setreuid(uint32_t ruid, uint32_t euid);
long sys_setregid(uint32_t rgid, uint32_t egid);
long sys_setresuid(uint32_t ruid, uint32_t euid, uint32_t suid);
long sys_getresuid(uintptr_t ruid, uintptr_t euid, uintptr_t suid);
long sys_setresgid(uint32_t rgid, uint32_t egid, uint32_t sgid);
long sys_getresgid(uintptr_t rgid, uintptr_t egid, uintptr_t sgid);
long sys_getgroups(int size, uintptr_t list);
long sys_setgroups(int size, uintptr_t list);
