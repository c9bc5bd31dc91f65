/*
 * tests/host/test_vsnprintf.c - libc/vsnprintf.c against the host's C library.
 *
 * Every case formats the same arguments with both and compares the text and the length, into a
 * large buffer and into one of every smaller size. The source is included under other names.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define vsnprintf stos_vsnprintf
#define snprintf stos_snprintf
#include "../../libc/vsnprintf.c"
#undef vsnprintf
#undef snprintf

/* Formats are put together at run time here, and undefined ones are left out by the tables. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

enum { ROOM = 512 };

static void compare_at(size_t size, const char *format, va_list arguments)
{
	char expected[ROOM], actual[ROOM];
	va_list again;
	int expected_length, length;

	memset(expected, '#', sizeof(expected));
	memset(actual, '#', sizeof(actual));
	va_copy(again, arguments);
	expected_length = vsnprintf(expected, size, format, again);
	va_end(again);
	va_copy(again, arguments);
	length = stos_vsnprintf(actual, size, format, again);
	va_end(again);
	if (length != expected_length || memcmp(expected, actual, size) != 0 ||
	    memchr(actual + size, '#', sizeof(actual) - size) != actual + size)
		fail_msg("format \"%s\", size %zu: expected %d \"%.*s\", got %d \"%.*s\"", format,
			 size, expected_length, (int)size, expected, length, (int)size, actual);
}

static void compare(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void compare(const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	compare_at(ROOM - 1, format, arguments);
	va_end(arguments);
	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	for (int size = 0; size <= length + 1 && size < ROOM; size++) {
		va_start(arguments, format);
		compare_at((size_t)size, format, arguments);
		va_end(arguments);
	}
}

/* All sets of flags that C defines for a conversion of this kind. */
static void flags_for(unsigned int set, const char *allowed, char *flags)
{
	for (; *allowed; allowed++, set >>= 1) {
		if (set & 1)
			*flags++ = *allowed;
	}
	*flags = '\0';
}

static const char *const widths[] = {"", "1", "5", "24", "40"};
static const char *const precisions[] = {"", ".", ".0", ".1", ".5", ".30"};

static void compare_letter(char letter, const char *allowed, long long value)
{
	char flags[8], format[32];

	for (unsigned int set = 0; set < 1U << strlen(allowed); set++) {
		flags_for(set, allowed, flags);
		for (size_t w = 0; w < sizeof(widths) / sizeof(*widths); w++) {
			for (size_t p = 0; p < sizeof(precisions) / sizeof(*precisions); p++) {
				snprintf(format, sizeof(format), "%%%s%s%sll%c", flags, widths[w],
					 precisions[p], letter);
				compare(format, value);
			}
		}
	}
}

static void test_integers(void **state)
{
	static const long long values[] = {0,	    1,	     -1,       7,	  8,
					   9,	    10,	     255,      -256,	  1000000,
					   INT_MAX, INT_MIN, UINT_MAX, LLONG_MAX, LLONG_MIN};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		compare_letter('d', "-+ 0", values[i]);
		compare_letter('i', "-+ 0", values[i]);
		compare_letter('u', "-0", values[i]);
		compare_letter('x', "-0#", values[i]);
		compare_letter('X', "-0#", values[i]);
		compare_letter('o', "-0#", values[i]);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	for (int value = -70000; value <= 70000; value += 33) {
		compare("%hhd %hhu %hhx", (signed char)value, (unsigned char)value,
			(unsigned char)value);
		compare("%hd %hu %hX %ho", (short)value, (unsigned short)value,
			(unsigned short)value, (unsigned short)value);
		compare("%d %u %x %ld %lu", value, (unsigned int)value, (unsigned int)value,
			(long)value, (unsigned long)value);
		compare("%zu %zd %td %jd %ju", (size_t)value, (ssize_t)value, (ptrdiff_t)value,
			(intmax_t)value, (uintmax_t)value);
	}
}

static void test_text(void **state)
{
	(void)state;
	compare("plain");
	compare("100%% of %%d");
	compare("%s|%10s|%-10s|%.2s|%-8.3s|", "alpha", "beta", "gamma", "delta", "epsilon");
	compare("[%.4s] [%.0s] [%.*s]", "abcdefg", "abc", 3, "abcdefg");
	compare("%c|%5c|%-5c|%c", 'a', 'b', 'c', '\0');
	compare("%s%s%s", "", "x", "");
	compare("%*d|%-*d|%*.*x", 8, 42, 8, 42, 12, 5, 0xabc);
	compare("%*d|%.*d|%.*d", -8, 42, -3, 42, 0, 0);
	compare("%*s|%.*s", -8, "left", -1, "all of it");
}

static void test_null(void **state)
{
	char text[32];
	const char *volatile none = NULL;

	(void)state;
	compare("%p %20p %-20p|", (void *)0, (void *)0, (void *)0);
	compare("%p %20p %-20p|", (void *)text, (void *)text, (void *)UINTPTR_MAX);
	assert_int_equal(stos_snprintf(text, sizeof(text), "%s|%8s", none, none), 15);
	assert_string_equal(text, "(null)|  (null)");
}

/* The host's sanitizer looks for a terminator beyond the precision, so ours is asked alone. */
static void test_unterminated(void **state)
{
	const char letters[4] = {'a', 'b', 'c', 'd'};
	char text[32];

	(void)state;
	assert_int_equal(stos_snprintf(text, sizeof(text), "%.4s|%.*s", letters, 3, letters), 8);
	assert_string_equal(text, "abcd|abc");
}

/* Formats the compiler would complain about, hidden from it. */
static void check_odd(const char *format, int expected_length, const char *expected)
{
	char text[16];

	assert_int_equal(stos_snprintf(text, sizeof(text), format, "a", 4), expected_length);
	assert_string_equal(text, expected);
}

static void test_unknown_stands(void **state)
{
	(void)state;
	check_odd("%s %5", 4, "a %5");
	check_odd("%s %-3y %d", 8, "a %-3y 4");
	check_odd("%", 1, "%");
}

static void test_long_output(void **state)
{
	(void)state;
	check_odd("%2147483647s", INT_MAX, "               ");
	check_odd("%2147483647s!", -1, "               ");
	check_odd("%99999999999s", INT_MAX, "               ");
}

static void test_random(void **state)
{
	static const char letters[] = "diuxXo";
	char format[64], flags[8];

	(void)state;
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		char letter = letters[(size_t)random() % (sizeof(letters) - 1)];
		unsigned long long value =
			(unsigned long long)random() << 33 ^ (unsigned long long)random() << 2;

		flags_for((unsigned int)random() & 7,
			  strchr("di", letter) ? "-+0"
			  : letter == 'u'      ? "-0"
					       : "-0#",
			  flags);
		snprintf(format, sizeof(format), "<%%%s%ld.%ldll%c|%%%s%ldll%c>", flags,
			 random() % 30, random() % 30, letter, flags, random() % 70, letter);
		value >>= random() % 64;
		compare(format, value, ~value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),     cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_text),	     cmocka_unit_test(test_null),
		cmocka_unit_test(test_unterminated), cmocka_unit_test(test_unknown_stands),
		cmocka_unit_test(test_long_output),  cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
