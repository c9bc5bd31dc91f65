/* sys/sysinfo.h - memory and uptime; struct sysinfo is Linux's. */
#pragma once

#include <linux/sysinfo.h>

int sysinfo(struct sysinfo *result);
