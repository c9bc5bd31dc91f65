/*
 * kernel/sys_sched.h - the system calls about where threads run and how eagerly; contracts as in
 * section 2 of the manual, and sched(7).
 */
#pragma once

#include <kernel/base/types.h>

/* kernel/sys_sched.c */
long sys_sched_yield(void);
long sys_getcpu(uintptr_t cpu, uintptr_t node, uintptr_t unused);
long sys_sched_setaffinity(int tid, size_t size, uintptr_t mask);
long sys_sched_getaffinity(int tid, size_t size, uintptr_t mask);
long sys_getpriority(int which, int who);
long sys_setpriority(int which, int who, int nice);

/* kernel/sys_policy.c */
long sys_sched_setscheduler(int tid, int policy, uintptr_t param);
long sys_sched_getscheduler(int tid);
long sys_sched_setparam(int tid, uintptr_t param);
long sys_sched_getparam(int tid, uintptr_t param);
long sys_sched_setattr(int tid, uintptr_t attr, uint32_t flags);
long sys_sched_getattr(int tid, uintptr_t attr, uint32_t size, uint32_t flags);
long sys_sched_get_priority_max(int policy);
long sys_sched_get_priority_min(int policy);
long sys_sched_rr_get_interval(int tid, uintptr_t interval);

/* Between the two. */
struct task;
/* The thread of that number, the caller's for 0, with a reference; NULL: there is none. */
struct task *sched_target(int tid);
/* The caller may change how the thread is scheduled: sched_setscheduler(2). */
bool sched_may_change(const struct task *task);
/* The caller may give the thread this nice value: it is none lower, or a limit allows it. */
bool sched_may_nice(const struct task *task, int nice);
