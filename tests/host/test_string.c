/*
 * tests/host/test_string.c - libc/string.c against the host's C library.
 *
 * Blocks: every length and alignment up to a few words, with guard bytes around them; moves over
 * every distance of overlap. Strings: all of the host's answers, by sign where only that is
 * defined. The source is included under other names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define memcpy stos_memcpy
#define memmove stos_memmove
#define memset stos_memset
#define memcmp stos_memcmp
#define memchr stos_memchr
#define strlen stos_strlen
#define strnlen stos_strnlen
#define strcmp stos_strcmp
#define strncmp stos_strncmp
#define strchr stos_strchr
#define strrchr stos_strrchr
#define strstr stos_strstr
#define strspn stos_strspn
#define strcspn stos_strcspn
#define strcpy stos_strcpy
#define strlcpy stos_strlcpy
#define strlcat stos_strlcat
#include "../../libc/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strspn
#undef strcspn
#undef strcpy
#undef strlcpy
#undef strlcat

enum { ROOM = 160, LENGTHS = 70, SHIFTS = 9 };

static int sign(int number)
{
	return (number > 0) - (number < 0);
}

static void fill(unsigned char *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		block[i] = (unsigned char)random();
}

static void test_memcpy(void **state)
{
	unsigned char from[ROOM], expected[ROOM], actual[ROOM];

	(void)state;
	for (size_t length = 0; length < LENGTHS; length++) {
		for (size_t to = 0; to < SHIFTS; to++) {
			for (size_t at = 0; at < SHIFTS; at++) {
				fill(from, ROOM);
				fill(expected, ROOM);
				memcpy(actual, expected, ROOM);
				memcpy(expected + to, from + at, length);
				assert_ptr_equal(stos_memcpy(actual + to, from + at, length),
						 actual + to);
				assert_memory_equal(actual, expected, ROOM);
			}
		}
	}
}

static void test_memmove_overlap(void **state)
{
	unsigned char expected[ROOM], actual[ROOM];

	(void)state;
	for (size_t length = 0; length < LENGTHS; length++) {
		for (size_t to = 0; to < LENGTHS; to++) {
			for (size_t at = 0; at < SHIFTS * 3; at++) {
				fill(expected, ROOM);
				memcpy(actual, expected, ROOM);
				memmove(expected + to, expected + at, length);
				stos_memmove(actual + to, actual + at, length);
				assert_memory_equal(actual, expected, ROOM);
			}
		}
	}
}

static void test_memset(void **state)
{
	unsigned char expected[ROOM], actual[ROOM];

	(void)state;
	for (size_t length = 0; length < LENGTHS; length++) {
		for (size_t to = 0; to < SHIFTS; to++) {
			fill(expected, ROOM);
			memcpy(actual, expected, ROOM);
			memset(expected + to, 0x1a5, length);
			assert_ptr_equal(stos_memset(actual + to, 0x1a5, length), actual + to);
			assert_memory_equal(actual, expected, ROOM);
		}
	}
}

static void test_memcmp(void **state)
{
	unsigned char left[ROOM], right[ROOM];

	(void)state;
	for (size_t length = 0; length < LENGTHS; length++) {
		for (size_t odd = 0; odd <= length; odd++) {
			fill(left, ROOM);
			memcpy(right, left, ROOM);
			right[odd] ^= (unsigned char)(1 + random() % 255);
			assert_int_equal(sign(stos_memcmp(left, right, length)),
					 sign(memcmp(left, right, length)));
		}
	}
}

static void test_memchr(void **state)
{
	unsigned char block[64];

	(void)state;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (unsigned char)(i * 5);
	for (int byte = 0; byte < 256; byte++) {
		for (size_t length = 0; length <= sizeof(block); length++)
			assert_ptr_equal(stos_memchr(block, byte, length),
					 memchr(block, byte, length));
	}
}

static const char *const words[] = {"",
				    "a",
				    "b",
				    "ab",
				    "aab",
				    "abab",
				    "aaaab",
				    "\xff",
				    "a\xff",
				    "abcdefgh",
				    "abcdefgi",
				    "bcd",
				    "fghi",
				    "/usr/bin",
				    "usr",
				    "a=b=c",
				    "=",
				    " \t\n ",
				    "0123456789abcdef"};
enum { WORDS = sizeof(words) / sizeof(*words) };

static void test_one_string(void **state)
{
	(void)state;
	for (size_t i = 0; i < WORDS; i++) {
		assert_int_equal(stos_strlen(words[i]), strlen(words[i]));
		for (size_t max = 0; max < 20; max++)
			assert_int_equal(stos_strnlen(words[i], max), strnlen(words[i], max));
		for (int byte = 0; byte < 256; byte++) {
			assert_ptr_equal(stos_strchr(words[i], byte), strchr(words[i], byte));
			assert_ptr_equal(stos_strrchr(words[i], byte), strrchr(words[i], byte));
		}
	}
}

static void test_two_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < WORDS; i++) {
		for (size_t j = 0; j < WORDS; j++) {
			const char *left = words[i], *right = words[j];

			assert_int_equal(sign(stos_strcmp(left, right)), sign(strcmp(left, right)));
			assert_ptr_equal(stos_strstr(left, right), strstr(left, right));
			assert_int_equal(stos_strspn(left, right), strspn(left, right));
			assert_int_equal(stos_strcspn(left, right), strcspn(left, right));
			for (size_t max = 0; max < 20; max++)
				assert_int_equal(sign(stos_strncmp(left, right, max)),
						 sign(strncmp(left, right, max)));
		}
	}
}

/* snprintf with "%s" cuts as strlcpy does, and the host has that one. */
static void test_copies(void **state)
{
	char expected[32], actual[32];

	(void)state;
	for (size_t i = 0; i < WORDS; i++) {
		assert_ptr_equal(stos_strcpy(actual, words[i]), actual);
		assert_string_equal(actual, words[i]);
		for (size_t size = 0; size < sizeof(actual); size++) {
			memset(expected, '#', sizeof(expected));
			memset(actual, '#', sizeof(actual));
			assert_int_equal(stos_strlcpy(actual, words[i], size),
					 snprintf(expected, size, "%s", words[i]));
			assert_memory_equal(actual, expected, sizeof(actual));
		}
	}
}

static void test_strlcat(void **state)
{
	char text[8] = "abc";

	(void)state;
	assert_int_equal(stos_strlcat(text, "de", sizeof(text)), 5);
	assert_string_equal(text, "abcde");
	assert_int_equal(stos_strlcat(text, "fghi", sizeof(text)), 9);
	assert_string_equal(text, "abcdefg");
	assert_int_equal(stos_strlcat(text, "xy", 3), 5);
	assert_string_equal(text, "abcdefg");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memcpy),	    cmocka_unit_test(test_memmove_overlap),
		cmocka_unit_test(test_memset),	    cmocka_unit_test(test_memcmp),
		cmocka_unit_test(test_memchr),	    cmocka_unit_test(test_one_string),
		cmocka_unit_test(test_two_strings), cmocka_unit_test(test_copies),
		cmocka_unit_test(test_strlcat),
	};

	srandom(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
