/*
 * libc/number.c - text to numbers (C17 7.22.1).
 *
 * One parser reads a sign and a magnitude; the signed and unsigned functions differ in the
 * limits they hold the result to. long and long long are the same 64 bits.
 */
#include <stdlib.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>

struct parsed {
	unsigned long magnitude;
	bool negative;
	bool overflow;
};

/* The value of a digit, or something no base has. */
static int digit_value(int byte)
{
	if (isdigit(byte))
		return byte - '0';
	if (isalpha(byte))
		return tolower(byte) - 'a' + 10;
	return INT_MAX;
}

/* Steps over 0x if hexadecimal digits follow it; settles the base if it is 0. */
static const char *parse_prefix(const char *text, int *base)
{
	if (text[0] == '0' && tolower(text[1]) == 'x' && digit_value(text[2]) < 16 &&
	    (*base == 0 || *base == 16)) {
		*base = 16;
		return text + 2;
	}
	if (*base == 0)
		*base = text[0] == '0' ? 8 : 10;
	return text;
}

static struct parsed parse(const char *text, char **end, int base)
{
	struct parsed result = {.magnitude = 0};
	const char *at = text, *digits;

	while (isspace(*at))
		at++;
	result.negative = *at == '-';
	if (*at == '-' || *at == '+')
		at++;
	digits = at = parse_prefix(at, &base);
	for (; digit_value(*at) < base; at++) {
		unsigned long digit = (unsigned long)digit_value(*at);

		if (__builtin_mul_overflow(result.magnitude, (unsigned long)base,
					   &result.magnitude) ||
		    __builtin_add_overflow(result.magnitude, digit, &result.magnitude))
			result.overflow = true;
	}
	if (end)
		*end = (char *)(at == digits ? text : at);
	return result;
}

unsigned long strtoul(const char *text, char **end, int base)
{
	struct parsed parsed = parse(text, end, base);

	if (parsed.overflow) {
		errno = ERANGE;
		return ULONG_MAX;
	}
	return parsed.negative ? -parsed.magnitude : parsed.magnitude;
}

long strtol(const char *text, char **end, int base)
{
	struct parsed parsed = parse(text, end, base);
	unsigned long limit = parsed.negative ? (unsigned long)LONG_MAX + 1 : LONG_MAX;

	if (parsed.overflow || parsed.magnitude > limit) {
		errno = ERANGE;
		return parsed.negative ? LONG_MIN : LONG_MAX;
	}
	return (long)(parsed.negative ? -parsed.magnitude : parsed.magnitude);
}

unsigned long long strtoull(const char *text, char **end, int base)
{
	return strtoul(text, end, base);
}

long long strtoll(const char *text, char **end, int base)
{
	return strtol(text, end, base);
}

int atoi(const char *text)
{
	return (int)strtol(text, NULL, 10);
}
