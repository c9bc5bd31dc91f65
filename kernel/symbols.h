/*
 * kernel/symbols.h - addresses to function names, for backtraces. The table is made by
 * tools/make_symbols.py after the first link.
 */
#pragma once

#include <kernel/base/types.h>

/* The function containing `address`, and how far into it; NULL if it is no kernel text. */
const char *symbol_find(uintptr_t address, uintptr_t *offset);

/*
 * Logs the call chain that starts at frame pointer `rbp`: one line per caller, innermost first.
 * Stops at anything that does not look like a kernel stack.
 */
void backtrace_log(uintptr_t rbp);
/* The same chain as addresses, at most `max`; how many there are. Any context. */
unsigned backtrace_collect(uintptr_t rbp, uintptr_t *chain, unsigned max);
/* One line for one address of a chain. */
void backtrace_log_address(uintptr_t address);
