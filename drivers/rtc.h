/* drivers/rtc.h - the battery-backed clock, read once at boot. */
#pragma once

#include <kernel/base/types.h>

/* What the clock shows, taken as UTC: seconds since 1970-01-01. 0 when it shows nonsense. */
uint64_t rtc_read_seconds(void);

/* Seconds since 1970-01-01 of a date of the Gregorian calendar from 1970 on; month and day from 1.
 */
uint64_t rtc_unix_seconds(unsigned year, unsigned month, unsigned day, unsigned hour,
			  unsigned minute, unsigned second);
