/* time.h - clocks and sleeping. Structures and clock numbers are Linux's. */
#pragma once

#include <linux/time.h>
#include <sys/types.h>

time_t time(time_t *result);
int clock_gettime(int clock, struct timespec *result);
int nanosleep(const struct timespec *wanted, struct timespec *left);
