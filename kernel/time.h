/*
 * kernel/time.h - what time it is. Monotonic time is nanoseconds since boot, from the
 * processor's time stamp counter, calibrated once (drivers/timer.c); the wall clock adds the
 * real-time clock's reading at boot, adjusted by clock_settime(2).
 */
#pragma once

#include <kernel/base/types.h>

#define NS_PER_SEC 1000000000ul
#define NS_PER_MS 1000000ul
#define NS_PER_US 1000ul
#define TIMER_HZ 250

void time_init(void);
uint64_t time_monotonic_ns(void);
uint64_t time_tsc_hz(void);  /* the time stamp counter's frequency, as measured */
uint64_t time_real_ns(void); /* since 1970-01-01 UTC */
void time_set_real_ns(uint64_t ns);
