/* sys/types.h - POSIX's names for the kernel's types. */
#pragma once

#include <asm/posix_types.h>
#include <stddef.h>
#include <stdint.h>

typedef __kernel_ssize_t ssize_t;
typedef __kernel_long_t off_t;
typedef __kernel_pid_t pid_t;
typedef __kernel_uid32_t uid_t;
typedef __kernel_gid32_t gid_t;
typedef __kernel_long_t time_t;
typedef __kernel_ulong_t ino_t;
typedef __kernel_ulong_t dev_t;
typedef unsigned int mode_t;
