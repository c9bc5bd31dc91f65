/*
 * drivers/tty_line.h - the line discipline N_TTY: what typed bytes become before a program
 * reads them, what is echoed, and what written bytes become (termios(3)).
 *
 * Pure: no locks, no sleeping, no hardware; tests/host/test_tty_line.c drives it byte by byte.
 * The caller's lock guards all of it.
 */
#pragma once

#include <asm/termbits.h>
#include <asm/termios.h>
#include <kernel/base/types.h>

#define TTY_LINE_SIZE 4096 /* input kept; a power of two. Linux: N_TTY_BUF_SIZE */

/* Where echo and processed output go: at most `size` bytes, the rest is dropped. */
struct tty_output {
	char *bytes;
	size_t size, length;
};

struct tty_line {
	struct termios termios;
	char input[TTY_LINE_SIZE];
	uint8_t line_end[TTY_LINE_SIZE / 8]; /* bit set: this byte ends a canonical line */
	uint32_t tail, committed, head; /* free-running: tail <= committed <= head */
	uint32_t lines;                 /* ends in [tail, committed) */
	uint32_t column;                /* of the cursor, for tabs */
	uint32_t edit_column;           /* column where the line being edited began */
	bool literal_next;              /* after ^V */
	bool stopped;                   /* by ^S: hold output */
};

/* Linux's initial settings (tty_std_termios). */
void tty_line_init(struct tty_line *line);

/*
 * One typed byte. Echo goes to `echo`, which should have room for TTY_ECHO_MAX bytes; only
 * the echo of ^R and ^U on long lines may need more, and is cut short. Returns the signal to
 * send to the foreground group, or 0.
 */
#define TTY_ECHO_MAX 32
must_check int tty_line_input(struct tty_line *line, char byte, struct tty_output *echo);

/* There is something to read and no room for more: input should wait until it is read. */
bool tty_line_full(const struct tty_line *line);
/* A read would find something: a whole line, or (not canonical) `minimum` bytes. */
bool tty_line_readable(const struct tty_line *line, size_t minimum);
/* Bytes that FIONREAD reports. */
size_t tty_line_count(const struct tty_line *line);
/*
 * Takes up to `size` bytes. Canonical: stops after a line's end and then sets *ended (an end of
 * file, ^D, counts but is not copied). Returns the bytes copied.
 */
size_t tty_line_take(struct tty_line *line, char *dst, size_t size, bool *ended);
/* Forgets all input (TCFLSH, ^C). */
void tty_line_flush(struct tty_line *line);
/* New settings; input already typed stays readable. */
void tty_line_set(struct tty_line *line, const struct termios *termios);

/* Output processing (OPOST): as many of the bytes as fit into `output`; returns how many. */
size_t tty_line_output(struct tty_line *line, const char *bytes, size_t length,
		       struct tty_output *output);
