/* kernel/panic_report.h - panic with the interrupted registers at hand (traps). */
#pragma once

#include <kernel/trap.h>

noreturn_fn printf_like(2, 3) void panic_with_frame(const struct trap_frame *frame,
						    const char *format, ...);
