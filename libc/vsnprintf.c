/*
 * libc/vsnprintf.c - formatted text, for user programs and for the kernel.
 *
 * vformat walks the format once. Text between conversions goes to the sink as it is; each
 * conversion becomes a struct conversion (parse_conversion), is fetched from the arguments by
 * its length modifier, and is laid out by emit_field as
 *
 *     [spaces] [sign or 0x] [zeros] digits-or-text [spaces]
 *
 * Nothing is buffered here but the digits of one number. The list of conversions is in
 * vsnprintf.h. Tests: tests/host/test_vsnprintf.c compares with the host's C library.
 */
#include "include/vsnprintf.h"
#include "include/string.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum length { LENGTH_INT, LENGTH_CHAR, LENGTH_SHORT, LENGTH_LONG, LENGTH_LONG_LONG };

struct conversion {
	bool left, plus, space, alternate, zero; /* flags - + space # 0 */
	bool has_precision;
	int width;
	int precision;
	enum length length;
	char letter;
};

struct output {
	format_sink sink;
	void *context;
	uint64_t length; /* bytes sent so far */
};

/* What emit_field lays out: `zeros` stand between the prefix and the text. */
struct field {
	const char *prefix;
	const char *text;
	size_t text_bytes;
	size_t zeros;
};

/* Enough for 64 bits in base 8. */
enum { MAX_DIGITS = 22 };

static void emit(struct output *out, const char *text, size_t bytes)
{
	if (bytes)
		out->sink(out->context, text, bytes);
	out->length += bytes;
}

static void emit_repeated(struct output *out, char byte, size_t count)
{
	char block[16];

	memset(block, byte, sizeof(block));
	while (count) {
		size_t part = count < sizeof(block) ? count : sizeof(block);

		emit(out, block, part);
		count -= part;
	}
}

static void emit_field(struct output *out, const struct conversion *conv, const struct field *field)
{
	size_t prefix_bytes = strlen(field->prefix);
	size_t used = prefix_bytes + field->zeros + field->text_bytes;
	size_t padding = (size_t)conv->width > used ? (size_t)conv->width - used : 0;

	if (!conv->left)
		emit_repeated(out, ' ', padding);
	emit(out, field->prefix, prefix_bytes);
	emit_repeated(out, '0', field->zeros);
	emit(out, field->text, field->text_bytes);
	if (conv->left)
		emit_repeated(out, ' ', padding);
}

static unsigned int base_of(char letter)
{
	switch (letter) {
	case 'x':
	case 'X':
	case 'p':
		return 16;
	case 'o':
		return 8;
	default:
		return 10;
	}
}

/* Writes the digits of `value` so that they end at `end`; none for 0. Returns where they begin. */
static char *digits_before(char *end, uint64_t value, char letter)
{
	const char *digits = letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	unsigned int base = base_of(letter);

	for (; value; value /= base)
		*--end = digits[value % base];
	return end;
}

/* Lays out a magnitude; `sign` is "", "-", "+" or " ". */
static void emit_number(struct output *out, const struct conversion *conv, const char *sign,
			uint64_t magnitude)
{
	char buffer[MAX_DIGITS];
	char *end = buffer + sizeof(buffer);
	char *digits = digits_before(end, magnitude, conv->letter);
	struct field field = {.prefix = sign, .text = digits, .text_bytes = (size_t)(end - digits)};
	size_t wanted = conv->has_precision ? (size_t)conv->precision : 1;

	if (conv->letter == 'p' || (conv->alternate && magnitude && base_of(conv->letter) == 16))
		field.prefix = conv->letter == 'X' ? "0X" : "0x";
	if (!conv->has_precision && conv->zero && !conv->left) {
		size_t prefix_bytes = strlen(field.prefix);

		if ((size_t)conv->width > prefix_bytes + wanted)
			wanted = (size_t)conv->width - prefix_bytes;
	}
	if (field.text_bytes < wanted)
		field.zeros = wanted - field.text_bytes;
	else if (conv->letter == 'o' && conv->alternate)
		field.zeros = 1; /* the octal mark is a leading zero, unless one is there */
	emit_field(out, conv, &field);
}

static void emit_signed(struct output *out, const struct conversion *conv, int64_t value)
{
	const char *sign = value < 0 ? "-" : conv->plus ? "+" : conv->space ? " " : "";

	emit_number(out, conv, sign, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static void emit_string(struct output *out, const struct conversion *conv, const char *text)
{
	size_t most = conv->has_precision ? (size_t)conv->precision : SIZE_MAX;
	struct field field = {.prefix = ""};

	field.text = text ? text : "(null)";
	field.text_bytes = strnlen(field.text, most);
	emit_field(out, conv, &field);
}

static void emit_char(struct output *out, const struct conversion *conv, char byte)
{
	emit_field(out, conv, &(struct field){.prefix = "", .text = &byte, .text_bytes = 1});
}

static void emit_pointer(struct output *out, struct conversion *conv, const void *pointer)
{
	if (pointer) {
		emit_number(out, conv, "", (uintptr_t)pointer);
	} else {
		conv->has_precision = false;
		emit_string(out, conv, "(nil)");
	}
}

/* A decimal number, held at INT_MAX. */
static int parse_number(const char **at)
{
	int number = 0;

	for (; **at >= '0' && **at <= '9'; ++*at) {
		int digit = **at - '0';

		number = number > (INT_MAX - digit) / 10 ? INT_MAX : number * 10 + digit;
	}
	return number;
}

static bool parse_flag(struct conversion *conv, char byte)
{
	switch (byte) {
	case '-':
		return conv->left = true;
	case '+':
		return conv->plus = true;
	case ' ':
		return conv->space = true;
	case '#':
		return conv->alternate = true;
	case '0':
		return conv->zero = true;
	default:
		return false;
	}
}

static const char *parse_length(struct conversion *conv, const char *at)
{
	switch (*at) {
	case 'h':
		conv->length = at[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
		return at + (at[1] == 'h' ? 2 : 1);
	case 'l':
		conv->length = at[1] == 'l' ? LENGTH_LONG_LONG : LENGTH_LONG;
		return at + (at[1] == 'l' ? 2 : 1);
	case 'z':
	case 't':
	case 'j':
		conv->length = LENGTH_LONG; /* size_t, ptrdiff_t, intmax_t: x86_64 SysV ABI */
		return at + 1;
	default:
		return at;
	}
}

/*
 * Reads a conversion from after its % to its letter; returns where the format goes on. The
 * arguments come in by pointer because * takes some of them.
 */
static const char *parse_conversion(struct conversion *conv, const char *at, va_list *arguments)
{
	while (parse_flag(conv, *at))
		at++;
	if (*at == '*') {
		int width = va_arg(*arguments, int);

		if (width < 0)
			conv->left = true;
		conv->width = width == INT_MIN ? INT_MAX : width < 0 ? -width : width;
		at++;
	} else {
		conv->width = parse_number(&at);
	}
	if (*at == '.') {
		at++;
		if (*at == '*') {
			conv->precision = va_arg(*arguments, int);
			at++;
		} else {
			conv->precision = parse_number(&at);
		}
		conv->has_precision = conv->precision >= 0; /* negative: as if there were none */
	}
	at = parse_length(conv, at);
	conv->letter = *at;
	return *at ? at + 1 : at;
}

static int64_t fetch_signed(const struct conversion *conv, va_list *arguments)
{
	switch (conv->length) {
	case LENGTH_CHAR:
		return (signed char)va_arg(*arguments, int);
	case LENGTH_SHORT:
		return (short)va_arg(*arguments, int);
	case LENGTH_LONG:
		return va_arg(*arguments, long);
	case LENGTH_LONG_LONG:
		return va_arg(*arguments, long long);
	case LENGTH_INT:
		break;
	}
	return va_arg(*arguments, int);
}

static uint64_t fetch_unsigned(const struct conversion *conv, va_list *arguments)
{
	switch (conv->length) {
	case LENGTH_CHAR:
		return (unsigned char)va_arg(*arguments, unsigned int);
	case LENGTH_SHORT:
		return (unsigned short)va_arg(*arguments, unsigned int);
	case LENGTH_LONG:
		return va_arg(*arguments, unsigned long);
	case LENGTH_LONG_LONG:
		return va_arg(*arguments, unsigned long long);
	case LENGTH_INT:
		break;
	}
	return va_arg(*arguments, unsigned int);
}

/* Returns false for a letter it does not know; then nothing was written or taken. */
static bool emit_conversion(struct output *out, struct conversion *conv, va_list *arguments)
{
	switch (conv->letter) {
	case 'd':
	case 'i':
		emit_signed(out, conv, fetch_signed(conv, arguments));
		return true;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		emit_number(out, conv, "", fetch_unsigned(conv, arguments));
		return true;
	case 'c':
		emit_char(out, conv, (char)va_arg(*arguments, int));
		return true;
	case 's':
		emit_string(out, conv, va_arg(*arguments, const char *));
		return true;
	case 'p':
		emit_pointer(out, conv, va_arg(*arguments, const void *));
		return true;
	case '%':
		emit(out, "%", 1);
		return true;
	default:
		return false;
	}
}

int vformat(format_sink sink, void *context, const char *format, va_list arguments)
{
	struct output out = {.sink = sink, .context = context};
	va_list left;

	va_copy(left, arguments);
	while (*format) {
		struct conversion conv = {.width = 0};
		const char *begin = format;

		while (*format && *format != '%')
			format++;
		emit(&out, begin, (size_t)(format - begin));
		if (!*format)
			break;
		begin = format;
		format = parse_conversion(&conv, format + 1, &left);
		if (!emit_conversion(&out, &conv, &left))
			emit(&out, begin, (size_t)(format - begin));
	}
	va_end(left);
	return out.length > INT_MAX ? -1 : (int)out.length;
}

struct memory_sink {
	char *at;
	size_t left; /* room, without the terminator */
};

static void memory_sink_put(void *context, const char *text, size_t bytes)
{
	struct memory_sink *memory = context;
	size_t fitting = bytes < memory->left ? bytes : memory->left;

	memcpy(memory->at, text, fitting);
	memory->at += fitting;
	memory->left -= fitting;
}

int vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
	char nowhere[1];
	struct memory_sink memory = {.at = size ? buffer : nowhere, .left = size ? size - 1 : 0};
	int length = vformat(memory_sink_put, &memory, format, arguments);

	*memory.at = '\0';
	return length;
}

int snprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(buffer, size, format, arguments);
	va_end(arguments);
	return length;
}
