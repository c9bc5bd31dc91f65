/*
 * string.h - memory blocks and NUL-terminated strings.
 *
 * For user programs and for the kernel alike: nothing here allocates, locks, sleeps or sets
 * errno. Contracts are those of C17 7.24 and POSIX.1-2017; strlcpy is OpenBSD's.
 */
#pragma once

#include <stddef.h>

/*
 * The four below are builtins of the compiler, which copies, fills and compares a few bytes of
 * known number in place and calls the functions otherwise; -ffreestanding alone would always call.
 * The test on the host gives them names of its own first.
 */
#ifndef memcpy
#define memcpy(to, from, bytes) __builtin_memcpy(to, from, bytes)
#define memmove(to, from, bytes) __builtin_memmove(to, from, bytes)
#define memset(to, byte, bytes) __builtin_memset(to, byte, bytes)
#define memcmp(left, right, bytes) __builtin_memcmp(left, right, bytes)
#endif

void *(memcpy)(void *restrict to, const void *restrict from, size_t bytes);
void *(memmove)(void *to, const void *from, size_t bytes); /* the blocks may overlap */
void *(memset)(void *to, int byte, size_t bytes);
int (memcmp)(const void *left, const void *right, size_t bytes);
void *memchr(const void *block, int byte, size_t bytes);

size_t strlen(const char *string);
size_t strnlen(const char *string, size_t max); /* reads at most max bytes */
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t max);
char *strchr(const char *string, int byte);  /* finds the terminator too; NULL = absent */
char *strrchr(const char *string, int byte); /* the last one */
char *strstr(const char *string, const char *part);
size_t strspn(const char *string, const char *set);
size_t strcspn(const char *string, const char *set);
char *strcpy(char *restrict to, const char *restrict from);

/*
 * Copies what fits in `size` bytes including the terminator, which is always written unless
 * size is 0. Returns strlen(from): the copy was cut when that is >= size.
 */
size_t strlcpy(char *restrict to, const char *restrict from, size_t size);
size_t strlcat(char *restrict to, const char *restrict from, size_t size);

/* Only in user programs: string_alloc.c and messages.c. */
char *strdup(const char *string);
char *strndup(const char *string, size_t max);
char *strerror(int error);
char *strsignal(int number);
