/*
 * libc/string_alloc.c - the string functions that need memory; string.c has all others.
 */
#include <string.h>

#include <stdint.h>
#include <stdlib.h>

char *strndup(const char *string, size_t max)
{
	size_t length = strnlen(string, max);
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	memcpy(copy, string, length);
	copy[length] = '\0';
	return copy;
}

char *strdup(const char *string)
{
	return strndup(string, SIZE_MAX);
}
