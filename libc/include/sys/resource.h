/* sys/resource.h - what a process used; struct rusage and RUSAGE_* are Linux's. */
#pragma once

#include <linux/resource.h>

int getrusage(int who, struct rusage *result);
