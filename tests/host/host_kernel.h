/*
 * tests/host/host_kernel.h - what kernel sources need to run inside a test program.
 *
 * The headers below include/ stand in for those of the same name in the kernel and come first
 * in the include path. The rest of the kernel's interface (panic, the slow parts of locks) is
 * host_kernel.c. Includes cmocka and what that wants, in its order.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <kernel/base/cpu.h>
#include <kernel/base/lock.h>
#include <kernel/base/panic.h>

/* Physical memory [0, bytes), all zeroes, not touched yet. One at a time. */
void host_ram_create(uint64_t bytes);
void host_ram_destroy(void);
/* RAM from 0 to bytes, without holes, and the frame allocator and heap over it (host_memory.c). */
void host_memory_begin(uint64_t bytes);
void host_memory_end(void);

/* Fails the test unless this processor holds no lock, and has interrupts and preemption on. */
void host_assert_idle(void);

/* Random numbers that are the same in every run; STOS_SEED in the environment changes them. */
uint64_t host_random(void);
/* Below `limit`. */
uint64_t host_random_below(uint64_t limit);
void host_random_restart(void);

/*
 * panic() jumps here when it is set. The checking build knows which locks the processor holds,
 * and releases them then.
 */
extern _Thread_local jmp_buf *host_panic_jump;
extern char host_panic_text[256];

/* The statement must panic, and the text must contain `part`. */
#define assert_panics(part, statement)                                                             \
	do {                                                                                       \
		jmp_buf jump_;                                                                     \
		host_panic_jump = &jump_;                                                          \
		if (setjmp(jump_) == 0) {                                                          \
			statement;                                                                 \
			host_panic_jump = NULL;                                                    \
			fail_msg("did not panic: %s", #statement);                                 \
		}                                                                                  \
		host_panic_jump = NULL;                                                            \
		if (!strstr(host_panic_text, part))                                                \
			fail_msg("panicked with: %s", host_panic_text);                            \
	} while (0)
