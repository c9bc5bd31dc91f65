/* kernel/sys_signal.h - the system calls about signals; contracts as in section 2 of the manual. */
#pragma once

#include <kernel/base/types.h>

/* Sleeps until a signal is delivered; the result of pause(2). */
long sys_pause(void);
long sys_rt_sigaction(int signal, uintptr_t action, uintptr_t old_action, size_t set_size);
long sys_rt_sigprocmask(int how, uintptr_t set, uintptr_t old_set, size_t set_size);
long sys_rt_sigreturn(void); /* kernel/signal_frame.c */
long sys_rt_sigpending(uintptr_t set, size_t set_size);
long sys_rt_sigtimedwait(uintptr_t set, uintptr_t info, uintptr_t timeout, size_t set_size);
long sys_rt_sigqueueinfo(int pid, int signal, uintptr_t info);
long sys_rt_tgsigqueueinfo(int pid, int tid, int signal, uintptr_t info);
long sys_rt_sigsuspend(uintptr_t set, size_t set_size);
long sys_sigaltstack(uintptr_t stack, uintptr_t old_stack);
long sys_kill(int pid, int signal);
long sys_tkill(int tid, int signal);
long sys_tgkill(int pid, int tid, int signal);
