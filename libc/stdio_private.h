/* libc/stdio_private.h - what print.c needs of stdio.c. */
#pragma once

#include <stdio.h>

/* Appends bytes to the stream; they may stay in its buffer. Returns 0 or EOF. */
int stdio_put(FILE *file, const char *bytes, size_t count);

/* Writes out an unbuffered stream: one call of the library is one write(2). Returns 0 or EOF. */
int stdio_end_of_call(FILE *file);
