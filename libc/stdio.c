/*
 * libc/stdio.c - buffered files (C17 7.21); print.c has the printf family.
 *
 * A stream's buffer holds either bytes read ahead or bytes not yet written:
 *
 *     reading   [at, end) was read from the descriptor and not handed out yet
 *     writing   [0, at) is to be written; end is 0
 *
 * Going from one to the other settles the buffer first: read-ahead is given back by moving the
 * descriptor's offset, pending bytes are written. All open streams are in one list, so that
 * exit can flush them. The buffers of the three standard streams are static: a program that
 * only prints never calls malloc.
 */
#include <stdio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stdio_private.h"

enum buffering { BUFFER_UNDECIDED, BUFFER_FULL, BUFFER_LINE, BUFFER_NONE };

struct file_stream {
	int fd;
	bool readable, writable;
	bool at_eof, failed;
	bool on_heap; /* the stream and its buffer come from malloc */
	enum buffering buffering;
	size_t at, end;
	char *buffer; /* BUFSIZ bytes */
	struct file_stream *next;
};

static char stdin_buffer[BUFSIZ], stdout_buffer[BUFSIZ], stderr_buffer[BUFSIZ];

static struct file_stream stdin_stream = {
	.fd = STDIN_FILENO, .readable = true, .buffer = stdin_buffer};
static struct file_stream stdout_stream = {
	.fd = STDOUT_FILENO, .writable = true, .buffer = stdout_buffer, .next = &stdin_stream};
static struct file_stream stderr_stream = {
	.fd = STDERR_FILENO,
	.writable = true,
	.buffering = BUFFER_NONE,
	.buffer = stderr_buffer,
	.next = &stdout_stream,
};

FILE *const stdin = &stdin_stream;
FILE *const stdout = &stdout_stream;
FILE *const stderr = &stderr_stream;

static struct file_stream *open_streams = &stderr_stream;

/* ---- the buffer ---- */

static int fail(FILE *file)
{
	file->failed = true;
	return EOF;
}

static int write_out(FILE *file, const char *bytes, size_t count)
{
	while (count) {
		ssize_t written = write(file->fd, bytes, count);

		if (written < 0 && errno != EINTR)
			return fail(file);
		if (written > 0) {
			bytes += written;
			count -= (size_t)written;
		}
	}
	return 0;
}

/* Leaves the buffer empty and the descriptor where the stream's user thinks it is. */
static int settle(FILE *file)
{
	size_t pending = file->at, ahead = file->end;

	file->at = file->end = 0;
	if (ahead > pending)
		lseek(file->fd, (off_t)pending - (off_t)ahead, SEEK_CUR); /* a pipe keeps it lost */
	else if (!ahead && pending)
		return write_out(file, file->buffer, pending);
	return 0;
}

static void decide_buffering(FILE *file)
{
	int saved_errno = errno;

	if (file->buffering == BUFFER_UNDECIDED)
		file->buffering = isatty(file->fd) ? BUFFER_LINE : BUFFER_FULL;
	errno = saved_errno;
}

/* Makes the empty buffer hold what one read gives; false at the end or on an error. */
static bool fill(FILE *file)
{
	ssize_t got;

	if (!file->readable) {
		errno = EBADF;
		fail(file);
		return false;
	}
	if (settle(file) < 0)
		return false;
	do {
		got = read(file->fd, file->buffer, BUFSIZ);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		fail(file);
	else if (got == 0)
		file->at_eof = true;
	else
		file->end = (size_t)got;
	return got > 0;
}

static bool begin_writing(FILE *file)
{
	if (!file->writable) {
		errno = EBADF;
		fail(file);
		return false;
	}
	decide_buffering(file);
	return !file->end || settle(file) == 0;
}

int stdio_put(FILE *file, const char *bytes, size_t count)
{
	if (!begin_writing(file))
		return EOF;
	if (file->at + count > BUFSIZ && settle(file) < 0)
		return EOF;
	if (count > BUFSIZ)
		return write_out(file, bytes, count);
	memcpy(file->buffer + file->at, bytes, count);
	file->at += count;
	if (file->buffering == BUFFER_LINE && memchr(bytes, '\n', count))
		return settle(file);
	return 0;
}

int stdio_end_of_call(FILE *file)
{
	return file->buffering == BUFFER_NONE ? settle(file) : 0;
}

/* ---- opening and closing ---- */

/* The open(2) flags of a mode string, or -1. */
static int parse_mode(const char *mode)
{
	bool update = strchr(mode, '+');
	int flags = update ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;

	switch (*mode) {
	case 'r':
		break;
	case 'w':
		flags |= O_CREAT | O_TRUNC;
		break;
	case 'a':
		flags |= O_CREAT | O_APPEND;
		break;
	default:
		errno = EINVAL;
		return -1;
	}
	return strchr(mode, 'e') ? flags | O_CLOEXEC : flags;
}

FILE *fdopen(int fd, const char *mode)
{
	int flags = parse_mode(mode);
	FILE *file;

	if (flags < 0)
		return NULL;
	file = malloc(sizeof(*file) + BUFSIZ);
	if (!file)
		return NULL;
	*file = (struct file_stream){
		.fd = fd,
		.readable = (flags & O_ACCMODE) != O_WRONLY,
		.writable = (flags & O_ACCMODE) != O_RDONLY,
		.on_heap = true,
		.buffer = (char *)(file + 1),
		.next = open_streams,
	};
	open_streams = file;
	return file;
}

FILE *fopen(const char *path, const char *mode)
{
	const mode_t everybody = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH;
	int flags = parse_mode(mode);
	FILE *file;
	int fd;

	if (flags < 0)
		return NULL;
	fd = open(path, flags, everybody);
	if (fd < 0)
		return NULL;
	file = fdopen(fd, mode);
	if (!file)
		close(fd);
	return file;
}

int fclose(FILE *file)
{
	struct file_stream **link = &open_streams;
	int result = settle(file);

	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	if (close(file->fd) < 0)
		result = EOF;
	if (file->on_heap)
		free(file);
	return result;
}

int fflush(FILE *file)
{
	int result = 0;

	if (file)
		return settle(file);
	for (file = open_streams; file; file = file->next) {
		if (settle(file) < 0)
			result = EOF;
	}
	return result;
}

int fileno(FILE *file)
{
	return file->fd;
}

int feof(FILE *file)
{
	return file->at_eof;
}

int ferror(FILE *file)
{
	return file->failed;
}

void clearerr(FILE *file)
{
	file->at_eof = file->failed = false;
}

/* ---- position ---- */

int fseek(FILE *file, long offset, int whence)
{
	if (settle(file) < 0 || lseek(file->fd, offset, whence) < 0)
		return -1;
	file->at_eof = false;
	return 0;
}

long ftell(FILE *file)
{
	off_t offset = lseek(file->fd, 0, SEEK_CUR);

	if (offset < 0)
		return -1;
	return file->end ? offset - (off_t)(file->end - file->at) : offset + (off_t)file->at;
}

void rewind(FILE *file)
{
	fseek(file, 0, SEEK_SET);
	clearerr(file);
}

/* ---- reading ---- */

/* Whether at least one byte read ahead is left, or could be had. */
static bool have_input(FILE *file)
{
	return (file->end && file->at < file->end) || fill(file);
}

size_t fread(void *buffer, size_t bytes, size_t count, FILE *file)
{
	size_t total = bytes * count, done = 0;

	while (done < total && have_input(file)) {
		size_t part = file->end - file->at;

		if (part > total - done)
			part = total - done;
		memcpy((char *)buffer + done, file->buffer + file->at, part);
		file->at += part;
		done += part;
	}
	return bytes ? done / bytes : 0;
}

int fgetc(FILE *file)
{
	return have_input(file) ? (unsigned char)file->buffer[file->at++] : EOF;
}

int getchar(void)
{
	return fgetc(stdin);
}

char *fgets(char *line, int size, FILE *file)
{
	int length = 0, byte = 0;

	while (length < size - 1 && byte != '\n' && (byte = fgetc(file)) != EOF)
		line[length++] = (char)byte;
	if (!length || (byte == EOF && file->failed))
		return NULL;
	line[length] = '\0';
	return line;
}

/* ---- writing ---- */

size_t fwrite(const void *buffer, size_t bytes, size_t count, FILE *file)
{
	if (!bytes || stdio_put(file, buffer, bytes * count) < 0 || stdio_end_of_call(file) < 0)
		return 0;
	return count;
}

int fputc(int byte, FILE *file)
{
	char one = (char)byte;

	return fwrite(&one, 1, 1, file) == 1 ? (unsigned char)byte : EOF;
}

int putchar(int byte)
{
	return fputc(byte, stdout);
}

int fputs(const char *text, FILE *file)
{
	size_t length = strlen(text);

	return fwrite(text, 1, length, file) == length ? 0 : EOF;
}

int puts(const char *text)
{
	return fputs(text, stdout) < 0 || putchar('\n') < 0 ? EOF : 0;
}

int remove(const char *path)
{
	return unlink(path) == 0 || (errno == EISDIR && rmdir(path) == 0) ? 0 : -1;
}
