/*
 * kernel/load.h - how many tasks wanted to run lately: getloadavg(3), for /proc/loadavg and
 * sysinfo(2).
 */
#pragma once

#include <kernel/base/types.h>

#define LOAD_COUNT 3   /* over 1, 5 and 15 minutes */
#define LOAD_ONE 2048u /* fixed point: 11 bits, as Linux's include/linux/sched/loadavg.h */

/* Starts counting; all averages are 0 until then. Once, when timers work. */
void load_init(void);
/* In units of 1 / LOAD_ONE tasks. Any context. */
uint32_t load_average(unsigned which);
