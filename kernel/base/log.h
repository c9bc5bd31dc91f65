/*
 * kernel/base/log.h - the kernel's messages, to the console (COM1).
 *
 * LOG_QUIET boots show warnings and errors only; `loglevel=info` or `loglevel=debug` on the
 * kernel command line shows more. Any context, any lock held: the log's lock has the last rank.
 */
#pragma once

#include <kernel/base/types.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

printf_like(2, 3) void log_print(enum log_level level, const char *format, ...);
void log_set_level(enum log_level level);

/* Every byte of the log goes through `write` (set once by the serial driver). May not sleep. */
void log_set_sink(void (*write)(const char *bytes, size_t length));
/* From panic on: locks are ignored, all levels shown. */
void log_panic_mode(void);

#define log_error(...) log_print(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_print(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_print(LOG_DEBUG, __VA_ARGS__)
