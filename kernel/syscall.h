/* kernel/syscall.h - the table of system calls, for traces. */
#pragma once

#include <kernel/base/types.h>

/* "mmap" of 9, or NULL for a number without a row. */
const char *syscall_name(uint64_t number);
