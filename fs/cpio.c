/*
 * fs/cpio.c - reads newc archives, from memory or from a stream.
 *
 * Called by fs/initrd.c, which makes the files. Both readers share the header's parser and the
 * rules; they differ in how bytes are come by. Every length is checked against what is left of
 * the input before it is used, so a reader never looks past the end; positions are 64 bits wide
 * and the lengths 32, so sums cannot wrap.
 *
 * Not here: hard links (entries with equal dev and ino, of which the last has the data),
 * permissions, files (fs/initrd.c).
 * Tests: tests/host/test_cpio.c.
 */
#include <fs/cpio.h>
#include <kernel/base/errno.h>
#include <string.h>

/* cpio(5): a magic of 6 characters, then 13 fields of 8 hexadecimal digits. */
#define CPIO_MAGIC "070701"
#define CPIO_MAGIC_SIZE 6u
#define CPIO_FIELD_SIZE 8u
#define CPIO_ALIGN 4u
#define CPIO_TRAILER "TRAILER!!!"

enum cpio_field {
	CPIO_INO,
	CPIO_MODE,
	CPIO_UID,
	CPIO_GID,
	CPIO_NLINK,
	CPIO_MTIME,
	CPIO_FILESIZE,
	CPIO_DEV_MAJOR,
	CPIO_DEV_MINOR,
	CPIO_RDEV_MAJOR,
	CPIO_RDEV_MINOR,
	CPIO_NAMESIZE,
	CPIO_CHECK, /* 0 in this format */
	CPIO_FIELDS
};

#define CPIO_HEADER_SIZE (CPIO_MAGIC_SIZE + CPIO_FIELDS * CPIO_FIELD_SIZE)

/* The name's size may count padding up to the next page, no more. */
#define CPIO_NAMESIZE_MAX (CPIO_NAME_SIZE + PAGE_SIZE)

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool hex_field(const uint8_t *digits, uint32_t *value)
{
	*value = 0;
	for (unsigned i = 0; i < CPIO_FIELD_SIZE; i++) {
		int digit = hex_digit(digits[i]);

		if (digit < 0)
			return false;
		*value = *value << 4 | (uint32_t)digit;
	}
	return true;
}

/* Everything but name, offset and data. 0 or -EINVAL. */
static int header_parse(const uint8_t header[CPIO_HEADER_SIZE], struct cpio_entry *entry,
			uint32_t *namesize)
{
	uint32_t field[CPIO_FIELDS];

	if (memcmp(header, CPIO_MAGIC, CPIO_MAGIC_SIZE) != 0)
		return -EINVAL;
	for (unsigned i = 0; i < CPIO_FIELDS; i++) {
		if (!hex_field(header + CPIO_MAGIC_SIZE + i * CPIO_FIELD_SIZE, &field[i]))
			return -EINVAL;
	}
	*entry = (struct cpio_entry){
	    .ino = field[CPIO_INO],
	    .mode = field[CPIO_MODE],
	    .uid = field[CPIO_UID],
	    .gid = field[CPIO_GID],
	    .nlink = field[CPIO_NLINK],
	    .mtime = field[CPIO_MTIME],
	    .size = field[CPIO_FILESIZE],
	    .dev_major = field[CPIO_DEV_MAJOR],
	    .dev_minor = field[CPIO_DEV_MINOR],
	    .rdev_major = field[CPIO_RDEV_MAJOR],
	    .rdev_minor = field[CPIO_RDEV_MINOR],
	};
	*namesize = field[CPIO_NAMESIZE];
	return *namesize <= CPIO_NAMESIZE_MAX ? 0 : -EINVAL;
}

/*
 * `have` bytes of a name whose size is `namesize`: the string must end within them and within
 * CPIO_NAME_SIZE. What follows its NUL is padding.
 */
static bool name_is_valid(const char *name, size_t have)
{
	return memchr(name, '\0', MIN(have, (size_t)CPIO_NAME_SIZE)) != NULL;
}

static bool is_trailer(const struct cpio_entry *entry)
{
	return strcmp(entry->name, CPIO_TRAILER) == 0;
}

/* --- from memory ------------------------------------------------------------------------ */

void cpio_reader_init(struct cpio_reader *reader, const void *bytes, uint64_t size)
{
	*reader = (struct cpio_reader){.bytes = bytes, .size = size};
}

/* Moves to pos + size, then to the next multiple of 4. False: the input ends before. */
static bool reader_skip(struct cpio_reader *reader, uint64_t size)
{
	if (size > reader->size - reader->pos)
		return false;
	reader->pos = MIN(ALIGN_UP(reader->pos + size, CPIO_ALIGN), reader->size);
	return true;
}

static int reader_entry(struct cpio_reader *reader, struct cpio_entry *entry)
{
	uint64_t start = reader->pos;
	uint32_t namesize;

	if (reader->size - start < CPIO_HEADER_SIZE ||
	    header_parse(reader->bytes + start, entry, &namesize))
		return -EINVAL;
	if (!reader_skip(reader, CPIO_HEADER_SIZE + (uint64_t)namesize))
		return -EINVAL;
	entry->name = (const char *)reader->bytes + start + CPIO_HEADER_SIZE;
	entry->offset = reader->pos;
	entry->data = reader->bytes + reader->pos;
	if (!name_is_valid(entry->name, namesize) || !reader_skip(reader, entry->size))
		return -EINVAL;
	return 1;
}

int cpio_reader_next(struct cpio_reader *reader, struct cpio_entry *entry)
{
	int result;

	for (;;) {
		while (!reader->open && reader->pos < reader->size && !reader->bytes[reader->pos])
			reader->pos++; /* between archives */
		if (!reader->open && reader->pos == reader->size)
			return 0;
		if (reader->pos % CPIO_ALIGN)
			return -EINVAL;
		result = reader_entry(reader, entry);
		if (result < 0)
			return result;
		reader->open = !is_trailer(entry);
		if (reader->open)
			return 1;
	}
}

/* --- from a stream ---------------------------------------------------------------------- */

void cpio_stream_init(struct cpio_stream *stream, void (*read)(void *buf, size_t size),
		      uint64_t size, char *name)
{
	*stream = (struct cpio_stream){.read = read, .name = name, .size = size};
}

static uint64_t stream_left(const struct cpio_stream *stream)
{
	return stream->size - stream->pos;
}

/* The caller has made sure that so much is left. */
static void stream_read(struct cpio_stream *stream, void *buf, size_t size)
{
	stream->read(buf, size);
	stream->pos += size;
}

static void stream_skip(struct cpio_stream *stream, uint64_t size)
{
	uint8_t scratch[256];

	while (size > 0) {
		size_t part = MIN(size, sizeof(scratch));

		stream_read(stream, scratch, part);
		size -= part;
	}
}

static void stream_align(struct cpio_stream *stream)
{
	uint64_t padding = ALIGN_UP(stream->pos, CPIO_ALIGN) - stream->pos;

	stream_skip(stream, MIN(padding, stream_left(stream)));
}

/* Reads the first byte that is not NUL padding; false: there is none. */
static bool stream_skip_nuls(struct cpio_stream *stream, uint8_t *first)
{
	while (stream_left(stream) > 0) {
		stream_read(stream, first, 1);
		if (*first)
			return true;
	}
	return false;
}

static int stream_name(struct cpio_stream *stream, uint32_t namesize)
{
	size_t have = MIN(namesize, (uint32_t)CPIO_NAME_SIZE);

	if (namesize > stream_left(stream))
		return -EINVAL;
	stream_read(stream, stream->name, have);
	stream_skip(stream, namesize - have);
	stream_align(stream);
	return name_is_valid(stream->name, have) ? 0 : -EINVAL;
}

/* With `have` bytes of the header in `header` already. */
static int stream_entry(struct cpio_stream *stream, uint8_t header[CPIO_HEADER_SIZE], size_t have,
			struct cpio_entry *entry)
{
	uint32_t namesize;

	if (stream_left(stream) < CPIO_HEADER_SIZE - have)
		return -EINVAL;
	stream_read(stream, header + have, CPIO_HEADER_SIZE - have);
	if (header_parse(header, entry, &namesize) || stream_name(stream, namesize))
		return -EINVAL;
	if (entry->size > stream_left(stream))
		return -EINVAL;
	entry->name = stream->name;
	entry->offset = stream->pos;
	stream->data_left = entry->size;
	return 1;
}

int cpio_stream_next(struct cpio_stream *stream, struct cpio_entry *entry)
{
	uint8_t header[CPIO_HEADER_SIZE];
	int result;

	for (;;) {
		size_t have = 0;

		stream_skip(stream, stream->data_left);
		stream->data_left = 0;
		stream_align(stream);
		if (!stream->open) {
			if (!stream_skip_nuls(stream, &header[0]))
				return 0;
			have = 1;
		}
		if ((stream->pos - have) % CPIO_ALIGN)
			return -EINVAL;
		result = stream_entry(stream, header, have, entry);
		if (result < 0)
			return result;
		stream->open = !is_trailer(entry);
		if (stream->open)
			return 1;
	}
}

size_t cpio_stream_data(struct cpio_stream *stream, void *buf, size_t size)
{
	size_t part = MIN(size, (size_t)stream->data_left);

	if (part == 0)
		return 0;
	stream_read(stream, buf, part);
	stream->data_left -= (uint32_t)part;
	return part;
}
