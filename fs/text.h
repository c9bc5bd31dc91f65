/*
 * fs/text.h - text of any length that grows while it is written: what files of /proc show.
 *
 * In chunks of a page, so that fifty thousand lines need no large block. Nothing here locks or
 * sleeps; a text belongs to whoever made it.
 */
#pragma once

#include <mm/user_copy.h>
#include <stdarg.h>

struct text {
	char **chunks;
	size_t chunk_count, chunk_capacity;
	size_t length; /* bytes */
	int error;     /* -ENOMEM: what came after is missing */
};

void text_init(struct text *text);
void text_free(struct text *text);

/* Memory that runs out is remembered in text->error: look at it once, at the end. */
void text_append(struct text *text, const char *bytes, size_t length);
printf_like(2, 3) void text_print(struct text *text, const char *format, ...);
/* A name in which the characters of `special` become \ooo, as in /proc/mounts. */
void text_append_escaped(struct text *text, const char *name, const char *special);

/* read(2) at `pos`: bytes copied (0 at the end), or -EFAULT. */
ssize_t text_read(const struct text *text, struct io_buffer *io, uint64_t pos);
