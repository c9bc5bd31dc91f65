/* fs/text.c - text that grows in chunks of a page (fs/text.h). Used by procfs. */
#include <fs/text.h>
#include <kernel/base/errno.h>
#include <mm/heap.h>
#include <string.h>
#include <vsnprintf.h>

#define CHUNK_SIZE PAGE_SIZE
#define FIRST_CAPACITY 8 /* chunks */

void text_init(struct text *text)
{
	*text = (struct text){0};
}

void text_free(struct text *text)
{
	for (size_t i = 0; i < text->chunk_count; i++)
		kfree(text->chunks[i]);
	kfree(text->chunks);
	text_init(text);
}

static bool grow_index(struct text *text)
{
	size_t capacity = text->chunk_capacity ? text->chunk_capacity * 2 : FIRST_CAPACITY;
	char **chunks = kzalloc_array(capacity, sizeof(*chunks));

	if (!chunks)
		return false;
	if (text->chunk_count > 0)
		memcpy(chunks, text->chunks, text->chunk_count * sizeof(*chunks));
	kfree(text->chunks);
	text->chunks = chunks;
	text->chunk_capacity = capacity;
	return true;
}

static bool add_chunk(struct text *text)
{
	char *chunk;

	if (text->chunk_count == text->chunk_capacity && !grow_index(text))
		return false;
	chunk = kmalloc(CHUNK_SIZE);
	if (!chunk)
		return false;
	text->chunks[text->chunk_count++] = chunk;
	return true;
}

void text_append(struct text *text, const char *bytes, size_t length)
{
	while (length > 0 && !text->error) {
		size_t at = text->length % CHUNK_SIZE;
		size_t part = MIN(length, CHUNK_SIZE - at);

		if (at == 0 && !add_chunk(text)) {
			text->error = -ENOMEM;
			return;
		}
		memcpy(text->chunks[text->chunk_count - 1] + at, bytes, part);
		text->length += part;
		bytes += part;
		length -= part;
	}
}

static void text_sink(void *context, const char *bytes, size_t length)
{
	text_append(context, bytes, length);
}

void text_print(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vformat(text_sink, text, format, arguments);
	va_end(arguments);
}

void text_append_escaped(struct text *text, const char *name, const char *special)
{
	while (*name) {
		size_t plain = strcspn(name, special);

		text_append(text, name, plain);
		name += plain;
		if (*name)
			text_print(text, "\\%03o", (unsigned)(unsigned char)*name++);
	}
}

ssize_t text_read(const struct text *text, struct io_buffer *io, uint64_t pos)
{
	ssize_t done = 0;

	while (io->left > 0 && pos < text->length) {
		size_t at = pos % CHUNK_SIZE;
		size_t part = MIN(io->left, MIN(CHUNK_SIZE - at, text->length - pos));
		size_t copied = io_put(io, text->chunks[pos / CHUNK_SIZE] + at, part);

		done += (ssize_t)copied;
		pos += copied;
		if (copied < part)
			return done > 0 ? done : -EFAULT;
	}
	return done;
}
