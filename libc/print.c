/*
 * libc/print.c - formatted text to files: vformat (vsnprintf.c) with a stream as the sink.
 */
#include <stdio.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "stdio_private.h"

struct stream_sink {
	FILE *file;
	bool failed;
};

static void stream_sink_put(void *context, const char *text, size_t bytes)
{
	struct stream_sink *sink = context;

	if (stdio_put(sink->file, text, bytes) < 0)
		sink->failed = true;
}

int vfprintf(FILE *file, const char *format, va_list arguments)
{
	struct stream_sink sink = {.file = file};
	int length = vformat(stream_sink_put, &sink, format, arguments);

	if (stdio_end_of_call(file) < 0 || sink.failed)
		return -1;
	return length;
}

int vprintf(const char *format, va_list arguments)
{
	return vfprintf(stdout, format, arguments);
}

int fprintf(FILE *file, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vfprintf(file, format, arguments);
	va_end(arguments);
	return length;
}

int printf(const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vprintf(format, arguments);
	va_end(arguments);
	return length;
}

/* What does not fit in the buffer is cut: this is for messages where a stream is too much. */
int dprintf(int fd, const char *format, ...)
{
	char text[512];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0)
		return -1;
	return (int)write(fd, text, strnlen(text, sizeof(text)));
}

void perror(const char *what)
{
	const char *message = strerror(errno);

	if (what && *what)
		fprintf(stderr, "%s: %s\n", what, message);
	else
		fprintf(stderr, "%s\n", message);
}
