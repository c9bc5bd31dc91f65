/* errno.h - why the last system call failed. The numbers are Linux's. */
#pragma once

#include <asm/errno.h>

extern int errno; /* one task a process here: no thread-local storage */
