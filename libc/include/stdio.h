/*
 * stdio.h - buffered files and formatted text (C17 7.21).
 *
 * What vsnprintf.h says about conversions holds for all of printf's family. stdout is line
 * buffered on a terminal and fully buffered elsewhere, stderr is not buffered.
 */
#pragma once

#include <linux/fs.h> /* SEEK_SET and its kin */
#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>
#include <vsnprintf.h>

#define EOF (-1)
#define BUFSIZ 4096

typedef struct file_stream FILE;

extern FILE *const stdin;
extern FILE *const stdout;
extern FILE *const stderr;

FILE *fopen(const char *path, const char *mode); /* r w a, with + e(close-on-exec) b(ignored) */
FILE *fdopen(int fd, const char *mode);
int fclose(FILE *file);
int fflush(FILE *file); /* NULL: every open file */
int fileno(FILE *file);
int feof(FILE *file);
int ferror(FILE *file);
void clearerr(FILE *file);

size_t fread(void *buffer, size_t bytes, size_t count, FILE *file);
size_t fwrite(const void *buffer, size_t bytes, size_t count, FILE *file);
int fseek(FILE *file, long offset, int whence);
long ftell(FILE *file);
void rewind(FILE *file);

int fgetc(FILE *file);
int getchar(void);
char *fgets(char *line, int size, FILE *file);
int fputc(int byte, FILE *file);
int putchar(int byte);
int fputs(const char *text, FILE *file);
int puts(const char *text);

int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int fprintf(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
int vprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
int vfprintf(FILE *file, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
int dprintf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
void perror(const char *what);

int rename(const char *from, const char *to);
int remove(const char *path);
