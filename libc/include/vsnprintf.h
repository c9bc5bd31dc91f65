/*
 * vsnprintf.h - formatted text into memory or into a sink.
 *
 * For user programs (through <stdio.h>) and for the kernel alike: nothing here allocates,
 * locks or sleeps, and a call needs about 200 bytes of stack.
 *
 * Conversions: d i u x X o c s p %, flags - + space # 0, width and precision (also *),
 * lengths hh h l ll z t j. No floating point, no %n, no wide characters; an unknown
 * conversion is printed as it stands. A NULL string prints "(null)", a NULL pointer "(nil)".
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* Receives the next `bytes` bytes of the text; they are valid during the call only. */
typedef void (*format_sink)(void *context, const char *text, size_t bytes);

/* Sends the formatted text to `sink`, piece by piece. Returns its length in bytes, -1 when that
   is more than INT_MAX. */
int vformat(format_sink sink, void *context, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/*
 * C17 7.21.6.12: writes at most size - 1 bytes and a terminator (nothing when size is 0) and
 * returns the length the whole text has: it was cut when that is >= size.
 */
int vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));
int snprintf(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
