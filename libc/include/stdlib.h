/* stdlib.h - memory, the end of the process, environment, numbers, sorting (C17 7.22). */
#pragma once

#include <stddef.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1

void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void *realloc(void *block, size_t bytes);
void free(void *block);

void exit(int status) __attribute__((noreturn)); /* runs atexit's functions, flushes files */
void _Exit(int status) __attribute__((noreturn));
void abort(void) __attribute__((noreturn));
int atexit(void (*function)(void)); /* 32 places; -1 when they are full */

char *getenv(const char *name);
int setenv(const char *name, const char *value, int replace);
int unsetenv(const char *name);

int atoi(const char *text);
long strtol(const char *text, char **end, int base);
unsigned long strtoul(const char *text, char **end, int base);
long long strtoll(const char *text, char **end, int base);
unsigned long long strtoull(const char *text, char **end, int base);

void qsort(void *base, size_t count, size_t bytes, int (*compare)(const void *, const void *));
void *bsearch(const void *key, const void *base, size_t count, size_t bytes,
	      int (*compare)(const void *, const void *));

static inline int abs(int number)
{
	return number < 0 ? -number : number;
}

static inline long labs(long number)
{
	return number < 0 ? -number : number;
}
