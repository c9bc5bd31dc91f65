/*
 * kernel/base/panic.h - the end, with an explanation.
 *
 * panic() is for our own mistakes and broken hardware, never for what a user program did.
 * It prints the message, registers, the task's zones, the last fault events and a symbolised
 * backtrace, then ends QEMU with a failure status (or halts on other machines).
 */
#pragma once

#include <kernel/base/types.h>

noreturn_fn printf_like(1, 2) void panic(const char *format, ...);

/* Always on. The condition is an invariant of ours, never something a program passed in. */
#define kassert(condition)                                                                         \
	do {                                                                                       \
		if (unlikely(!(condition)))                                                        \
			panic("assertion failed: %s (%s:%d)", #condition, __FILE__, __LINE__);     \
	} while (0)

/* Expensive checks: only in the checking build (./stos --check). */
#ifdef STOS_CHECK
#define kcheck(condition) kassert(condition)
#else
#define kcheck(condition) ((void)sizeof(condition))
#endif
