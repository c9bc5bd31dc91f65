/* kernel/sys_time.h - the system calls about time; contracts as in section 2 of the manual. */
#pragma once

#include <kernel/base/types.h>

long sys_clock_gettime(int clock, uintptr_t time);
long sys_clock_getres(int clock, uintptr_t resolution);
long sys_clock_settime(int clock, uintptr_t time);
long sys_gettimeofday(uintptr_t time, uintptr_t zone);
long sys_time(uintptr_t seconds);
long sys_times(uintptr_t buffer);
long sys_nanosleep(uintptr_t duration, uintptr_t remaining);
long sys_clock_nanosleep(int clock, int flags, uintptr_t time, uintptr_t remaining);

/* kernel/itimer.c: ITIMER_REAL only, the others are EINVAL. */
long sys_alarm(unsigned seconds);
long sys_getitimer(int which, uintptr_t value);
long sys_setitimer(int which, uintptr_t value, uintptr_t old_value);
