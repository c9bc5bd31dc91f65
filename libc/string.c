/*
 * libc/string.c - memory blocks and strings, for user programs and for the kernel.
 *
 * Blocks move in 8-byte words: the processor's `rep movsq` and `rep stosq` need one step a
 * word, under an instruction-counting emulator too, and no vector registers, which the kernel
 * does not own. A block's last 1 to 7 bytes are one more word that overlaps the words before
 * it, so that there is no loop over bytes.
 *
 * The compiler knows these functions by name and likes to turn a loop that looks like one of
 * them into a call of it, which would never end here: the file is built with
 * -fno-tree-loop-distribute-patterns, and must have no undefined symbol.
 *
 * Not here: what allocates (string_alloc.c). Tests: tests/host/test_string.c.
 */
#include "include/string.h"

#include <stdint.h>

/* Eight, four or two bytes anywhere, of any type. */
typedef uint64_t __attribute__((may_alias, aligned(1))) word64_t;
typedef uint32_t __attribute__((may_alias, aligned(1))) word32_t;
typedef uint16_t __attribute__((may_alias, aligned(1))) word16_t;

enum { WORD = sizeof(word64_t) };

/* Copies fewer than eight bytes; everything is read before anything is written. */
static void copy_few(char *to, const char *from, size_t bytes)
{
	if (bytes >= sizeof(word32_t)) {
		word32_t first = *(const word32_t *)from;
		word32_t last = *(const word32_t *)(from + bytes - sizeof(word32_t));

		*(word32_t *)to = first;
		*(word32_t *)(to + bytes - sizeof(word32_t)) = last;
	} else if (bytes >= sizeof(word16_t)) {
		word16_t first = *(const word16_t *)from;
		char last = from[bytes - 1];

		*(word16_t *)to = first;
		to[bytes - 1] = last;
	} else if (bytes) {
		*to = *from;
	}
}

void *(memcpy)(void *restrict to, const void *restrict from, size_t bytes)
{
	return (memmove)(to, from, bytes); /* not the builtin: it knows that they do not overlap */
}

/* Upwards with the processor's block move. The last word is read first: an overlapping move
   may write over it. */
static void copy_upwards(char *to, const char *from, size_t bytes)
{
	word64_t last = *(const word64_t *)(from + bytes - WORD);
	char *last_to = to + bytes - WORD;
	size_t words = bytes / WORD;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	*(word64_t *)last_to = last;
}

/* Downwards word by word, for a destination that begins inside the source. */
static void copy_downwards(char *to, const char *from, size_t bytes)
{
	word64_t first = *(const word64_t *)from;
	size_t left;

	for (left = bytes; left >= WORD; left -= WORD)
		*(word64_t *)(to + left - WORD) = *(const word64_t *)(from + left - WORD);
	*(word64_t *)to = first;
}

void *(memmove)(void *to, const void *from, size_t bytes)
{
	if (bytes < WORD)
		copy_few(to, from, bytes);
	else if ((uintptr_t)to - (uintptr_t)from >= bytes) /* also when `to` is below */
		copy_upwards(to, from, bytes);
	else
		copy_downwards(to, from, bytes);
	return to;
}

void *(memset)(void *to, int byte, size_t bytes)
{
	uint64_t pattern = (uint8_t)byte * UINT64_C(0x0101010101010101);
	char *at = to;

	if (bytes >= WORD) {
		size_t words = bytes / WORD;

		*(word64_t *)(at + bytes - WORD) = pattern;
		__asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
	} else if (bytes >= sizeof(word32_t)) {
		*(word32_t *)at = (uint32_t)pattern;
		*(word32_t *)(at + bytes - sizeof(word32_t)) = (uint32_t)pattern;
	} else if (bytes) {
		at[0] = (char)byte;
		at[bytes / 2] = (char)byte;
		at[bytes - 1] = (char)byte;
	}
	return to;
}

int (memcmp)(const void *left, const void *right, size_t bytes)
{
	const unsigned char *l = left, *r = right;

	while (bytes >= WORD && *(const word64_t *)l == *(const word64_t *)r) {
		l += WORD;
		r += WORD;
		bytes -= WORD;
	}
	for (; bytes; l++, r++, bytes--) {
		if (*l != *r)
			return *l - *r;
	}
	return 0;
}

void *memchr(const void *block, int byte, size_t bytes)
{
	const unsigned char *at = block;

	for (; bytes; at++, bytes--) {
		if (*at == (unsigned char)byte)
			return (void *)(uintptr_t)at;
	}
	return NULL;
}

size_t strlen(const char *string)
{
	const char *end = string;

	while (*end)
		end++;
	return (size_t)(end - string);
}

size_t strnlen(const char *string, size_t max)
{
	size_t length = 0;

	while (length < max && string[length])
		length++;
	return length;
}

int strcmp(const char *left, const char *right)
{
	return strncmp(left, right, SIZE_MAX);
}

int strncmp(const char *left, const char *right, size_t max)
{
	for (; max; left++, right++, max--) {
		unsigned char l = (unsigned char)*left, r = (unsigned char)*right;

		if (l != r)
			return l - r;
		if (!l)
			break;
	}
	return 0;
}

char *strchr(const char *string, int byte)
{
	for (;; string++) {
		if (*string == (char)byte)
			return (char *)(uintptr_t)string;
		if (!*string)
			return NULL;
	}
}

char *strrchr(const char *string, int byte)
{
	const char *found = NULL;

	do {
		if (*string == (char)byte)
			found = string;
	} while (*string++);
	return (char *)(uintptr_t)found;
}

char *strstr(const char *string, const char *part)
{
	size_t length = strlen(part);

	for (;; string++) {
		if (strncmp(string, part, length) == 0)
			return (char *)(uintptr_t)string;
		if (!*string)
			return NULL;
	}
}

size_t strspn(const char *string, const char *set)
{
	size_t length = 0;

	while (string[length] && strchr(set, string[length]))
		length++;
	return length;
}

size_t strcspn(const char *string, const char *set)
{
	size_t length = 0;

	while (!strchr(set, string[length])) /* finds the terminator, too */
		length++;
	return length;
}

char *strcpy(char *restrict to, const char *restrict from)
{
	return memcpy(to, from, strlen(from) + 1);
}

size_t strlcpy(char *restrict to, const char *restrict from, size_t size)
{
	size_t length = strlen(from);

	if (size) {
		size_t copied = length < size ? length : size - 1;

		memcpy(to, from, copied);
		to[copied] = '\0';
	}
	return length;
}

size_t strlcat(char *restrict to, const char *restrict from, size_t size)
{
	size_t length = strnlen(to, size);

	return length + strlcpy(to + length, from, size - length);
}
