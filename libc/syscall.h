/*
 * libc/syscall.h - how the wrappers call the kernel; only for libc/.
 *
 * CALLn(name, ...) calls __NR_name with n arguments, each widened to a register, and gives a
 * long: the result, or -1 with errno set.
 */
#pragma once

#include <sys/syscall.h>

#define CALL0(name) syscall(__NR_##name)
#define CALL1(name, a) syscall(__NR_##name, (long)(a))
#define CALL2(name, a, b) syscall(__NR_##name, (long)(a), (long)(b))
#define CALL3(name, a, b, c) syscall(__NR_##name, (long)(a), (long)(b), (long)(c))
#define CALL4(name, a, b, c, d) syscall(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d))
#define CALL6(name, a, b, c, d, e, f)                                                              \
	syscall(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
