/*
 * tests/host/test_cpio.c - fs/cpio.c: both readers, on good and on damaged archives.
 *
 * Archives are built here, byte by byte as the format says. Each is read from memory and as a
 * stream, and both must give the same entries and the same end. Input lies in blocks of exactly
 * its size, so that the address sanitizer sees a byte too far; every truncation of an archive
 * is tried, every byte of it damaged, and random bytes.
 */
#include "host_kernel.h"

#include <fs/cpio.h>
#include <kernel/base/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- building --------------------------------------------------------------------------- */

static struct {
	uint8_t bytes[256 << 10];
	size_t size;
} archive;

static void add_bytes(const void *bytes, size_t size)
{
	assert_true(size <= sizeof(archive.bytes) - archive.size);
	if (size > 0)
		memcpy(archive.bytes + archive.size, bytes, size);
	archive.size += size;
}

static void add_nuls(size_t size)
{
	memset(archive.bytes + archive.size, 0, size);
	archive.size += size;
}

static void add_padding(void)
{
	add_nuls(-archive.size & 3);
}

/* The header's fields in their order, all different, then the name with `padding` NULs more. */
static void add_header(const char *name, size_t padding, uint32_t mode, uint32_t size)
{
	char header[111];

	snprintf(header, sizeof(header),
		 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 0x1111u, mode, 1000u,
		 1001u, 2u, 0x66554433u, size, 8u, 9u, 10u, 11u,
		 (unsigned)(strlen(name) + 1 + padding), 0u);
	add_bytes(header, 110);
	add_bytes(name, strlen(name) + 1);
	add_nuls(padding);
	add_padding();
}

static void add_entry(const char *name, uint32_t mode, const void *data, uint32_t size)
{
	add_header(name, 0, mode, size);
	add_bytes(data, size);
	add_padding();
}

/* Its data at a multiple of 4096, as in the initrd. */
static void add_aligned(const char *name, const void *data, uint32_t size)
{
	size_t end = archive.size + 110 + strlen(name) + 1;

	add_header(name, -end & 4095, 0100644, size);
	assert_int_equal(archive.size % 4096, 0);
	add_bytes(data, size);
	add_padding();
}

static void add_trailer(void)
{
	add_entry("TRAILER!!!", 0, NULL, 0);
}

static const char text[] = "The quick brown fox jumps over the lazy dog.";

/* Directories, files of every length mod 4, a link, a device. Returns the number of entries. */
static unsigned add_small_archive(void)
{
	add_entry(".", 040755, NULL, 0);
	add_entry("etc", 040755, NULL, 0);
	add_entry("etc/motd", 0100644, text, 44);
	add_entry("a", 0100600, text, 1);
	add_entry("ab", 0100600, text, 2);
	add_entry("abc", 0100600, text, 3);
	add_entry("bin/sh", 0120777, "busybox", 7);
	add_entry("dev/null", 020666, NULL, 0);
	add_trailer();
	return 8;
}

/* --- reading ---------------------------------------------------------------------------- */

struct seen {
	unsigned entries;
	int end;       /* what ended it: 0 or -EINVAL */
	uint64_t hash; /* of all that was read */
};

static void hash_bytes(struct seen *seen, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		seen->hash = (seen->hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ul; /* FNV */
}

static void hash_entry(struct seen *seen, const struct cpio_entry *entry)
{
	const uint64_t fields[] = {entry->ino,	      entry->mode,	entry->uid,
				   entry->gid,	      entry->nlink,	entry->mtime,
				   entry->dev_major,  entry->dev_minor, entry->rdev_major,
				   entry->rdev_minor, entry->size,	entry->offset};

	hash_bytes(seen, fields, sizeof(fields));
	hash_bytes(seen, entry->name, strlen(entry->name));
	assert_true(strlen(entry->name) < CPIO_NAME_SIZE);
	assert_true(entry->offset % 4 == 0 || entry->size == 0); /* or cut off in the padding */
	seen->entries++;
}

static struct seen read_memory(const uint8_t *bytes, size_t size)
{
	struct seen seen = {0};
	struct cpio_reader reader;
	struct cpio_entry entry;

	cpio_reader_init(&reader, bytes, size);
	while ((seen.end = cpio_reader_next(&reader, &entry)) == 1) {
		hash_entry(&seen, &entry);
		assert_ptr_equal(entry.data, bytes + entry.offset);
		hash_bytes(&seen, entry.data, entry.size);
	}
	return seen;
}

static const uint8_t *stream_bytes;
static size_t stream_size, stream_pos;

static void stream_read(void *buf, size_t size)
{
	if (size > stream_size - stream_pos)
		fail_msg("reads %zu bytes where %zu are left", size, stream_size - stream_pos);
	if (size > 0)
		memcpy(buf, stream_bytes + stream_pos, size);
	stream_pos += size;
}

/* Data in pieces of `piece` bytes; 0: it is not read at all, and not hashed. */
static struct seen read_stream(const uint8_t *bytes, size_t size, size_t piece)
{
	char *name = malloc(CPIO_NAME_SIZE);
	uint8_t *buf = malloc(piece);
	struct seen seen = {0};
	struct cpio_stream stream;
	struct cpio_entry entry;

	stream_bytes = bytes;
	stream_size = size;
	stream_pos = 0;
	cpio_stream_init(&stream, stream_read, size, name);
	while ((seen.end = cpio_stream_next(&stream, &entry)) == 1) {
		size_t got, total = 0;

		hash_entry(&seen, &entry);
		assert_null(entry.data);
		assert_int_equal(entry.offset, stream_pos);
		while (piece && (got = cpio_stream_data(&stream, buf, piece)) > 0) {
			assert_true(got == piece || total + got == entry.size);
			hash_bytes(&seen, buf, got);
			total += got;
		}
		assert_true(!piece || total == entry.size);
	}
	free(name);
	free(buf);
	return seen;
}

/* Both ways, which must agree. The bytes are copied into a block of their size. */
static struct seen read_both(const uint8_t *bytes, size_t size)
{
	uint8_t *exact = malloc(size);
	struct seen memory, stream;

	if (size > 0)
		memcpy(exact, bytes, size);
	memory = read_memory(exact, size);
	stream = read_stream(exact, size, 5);
	free(exact);
	assert_int_equal(memory.entries, stream.entries);
	assert_int_equal(memory.end, stream.end);
	assert_int_equal(memory.hash, stream.hash);
	return memory;
}

static void expect(unsigned entries, int end)
{
	struct seen seen = read_both(archive.bytes, archive.size);

	assert_int_equal(seen.entries, entries);
	assert_int_equal(seen.end, end);
}

static int begin(void **state)
{
	(void)state;
	host_random_restart();
	archive.size = 0;
	return 0;
}

/* --- good archives ---------------------------------------------------------------------- */

static void fields_are_read(void **state)
{
	struct cpio_reader reader;
	struct cpio_entry entry;

	(void)state;
	add_entry("etc/motd", 0100644, text, 44);
	add_entry("next", 0100600, "x", 1);
	add_trailer();
	cpio_reader_init(&reader, archive.bytes, archive.size);
	assert_int_equal(cpio_reader_next(&reader, &entry), 1);
	assert_string_equal(entry.name, "etc/motd");
	assert_int_equal(entry.ino, 0x1111);
	assert_int_equal(entry.mode, 0100644);
	assert_int_equal(entry.uid, 1000);
	assert_int_equal(entry.gid, 1001);
	assert_int_equal(entry.nlink, 2);
	assert_int_equal(entry.mtime, 0x66554433);
	assert_int_equal(entry.size, 44);
	assert_int_equal(entry.dev_major, 8);
	assert_int_equal(entry.dev_minor, 9);
	assert_int_equal(entry.rdev_major, 10);
	assert_int_equal(entry.rdev_minor, 11);
	assert_int_equal(entry.offset, 120); /* 110 + 9, to a multiple of 4 */
	assert_memory_equal(entry.data, text, 44);
	assert_int_equal(cpio_reader_next(&reader, &entry), 1);
	assert_string_equal(entry.name, "next");
	assert_memory_equal(entry.data, "x", 1);
	assert_int_equal(cpio_reader_next(&reader, &entry), 0);
	assert_int_equal(cpio_reader_next(&reader, &entry), 0);
}

static void small_archive(void **state)
{
	unsigned entries = add_small_archive();

	(void)state;
	expect(entries, 0);
	for (unsigned nuls = 0; nuls < 600; nuls += 7) { /* cpio pads to blocks of 512 */
		archive.size = 0;
		add_small_archive();
		add_nuls(nuls);
		expect(entries, 0);
	}
}

static void unread_data_is_skipped(void **state)
{
	unsigned entries = add_small_archive();
	struct seen seen = read_stream(archive.bytes, archive.size, 0);

	(void)state;
	assert_int_equal(seen.entries, entries);
	assert_int_equal(seen.end, 0);
	for (size_t piece = 1; piece < 50; piece++) {
		struct seen pieces = read_stream(archive.bytes, archive.size, piece);

		assert_int_equal(pieces.hash, read_memory(archive.bytes, archive.size).hash);
	}
}

static void aligned_data(void **state)
{
	static uint8_t data[3 * 4096 + 5];
	struct cpio_reader reader;
	struct cpio_entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)host_random();
	add_entry("bin", 040755, NULL, 0);
	add_aligned("bin/busybox", data, sizeof(data));
	add_aligned("lib/libc.so.6", data + 7, 2 * 4096);
	add_entry("small", 0100644, text, 9);
	add_trailer();
	expect(4, 0);
	cpio_reader_init(&reader, archive.bytes, archive.size);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(cpio_reader_next(&reader, &entry), 1);
		if (i == 1) {
			assert_string_equal(entry.name, "bin/busybox");
			assert_int_equal(entry.offset % 4096, 0);
			assert_int_equal(entry.size, sizeof(data));
			assert_memory_equal(entry.data, data, sizeof(data));
		} else if (i == 2) {
			assert_int_equal(entry.offset % 4096, 0);
			assert_memory_equal(entry.data, data + 7, 2 * 4096);
		}
	}
}

static void concatenated_archives(void **state)
{
	(void)state;
	for (unsigned gap = 0; gap < 40; gap += 4) {
		archive.size = 0;
		add_small_archive();
		add_nuls(gap);
		add_small_archive();
		add_nuls(4);
		add_trailer(); /* an empty one */
		add_small_archive();
		expect(24, 0);
	}
}

static void no_archive_at_all(void **state)
{
	(void)state;
	expect(0, 0);
	add_nuls(1000);
	expect(0, 0);
	archive.size = 0;
	add_bytes("\x7f"
		  "ELF",
		  4);
	add_nuls(200);
	expect(0, -EINVAL);
}

/* --- damaged archives ------------------------------------------------------------------- */

/* The padding behind an entry's last byte may be missing. */
static size_t last_byte(const struct cpio_entry *entry)
{
	if (entry->size > 0)
		return entry->offset + entry->size;
	return (size_t)((const uint8_t *)entry->name - archive.bytes) + strlen(entry->name) + 1;
}

/* How many entries lie in the first `size` bytes. */
static unsigned whole_entries(size_t size)
{
	struct cpio_reader reader;
	struct cpio_entry entry;
	unsigned entries = 0;

	cpio_reader_init(&reader, archive.bytes, archive.size);
	while (cpio_reader_next(&reader, &entry) == 1 && last_byte(&entry) <= size)
		entries++;
	return entries;
}

static void every_truncation(void **state)
{
	size_t trailer, whole;
	unsigned entries = add_small_archive();

	(void)state;
	trailer = archive.size - 124; /* 110 + 11, to a multiple of 4 */
	assert_memory_equal(archive.bytes + trailer + 110, "TRAILER!!!", 11);
	whole = trailer + 121;
	for (size_t size = 0; size < archive.size; size++) {
		struct seen seen = read_both(archive.bytes, size);

		assert_int_equal(seen.entries, MIN(whole_entries(size), entries));
		assert_int_equal(seen.end, size == 0 || size >= whole ? 0 : -EINVAL);
	}
}

static void truncated_second_archive(void **state)
{
	size_t first;

	(void)state;
	add_small_archive();
	add_nuls(8);
	first = archive.size;
	add_small_archive();
	for (size_t size = first + 1; size < archive.size - 3; size++) {
		struct seen seen = read_both(archive.bytes, size);

		assert_int_equal(seen.entries, whole_entries(size));
		assert_int_equal(seen.end, -EINVAL);
	}
}

/* No crash, no disagreement; in the header's digits a wrong character is always noticed. */
static void every_byte_damaged(void **state)
{
	static const uint8_t values[] = {0,   1,   '/', '0', '7', '8', ':',
					 '@', 'F', 'G', 'a', 'f', 'g', 255};
	size_t size;

	(void)state;
	add_small_archive();
	size = archive.size;
	for (size_t i = 0; i < size; i++) {
		uint8_t kept = archive.bytes[i];

		for (size_t j = 0; j < ARRAY_SIZE(values); j++) {
			archive.bytes[i] = values[j];
			read_both(archive.bytes, size);
		}
		archive.bytes[i] = 'g';
		if (i < 110)
			assert_int_equal(read_both(archive.bytes, size).end, -EINVAL);
		archive.bytes[i] = kept;
	}
	assert_int_equal(read_both(archive.bytes, size).end, 0);
}

static void random_damage(void **state)
{
	uint8_t *copy;
	size_t size;

	(void)state;
	add_small_archive();
	add_small_archive();
	size = archive.size;
	copy = malloc(size);
	for (unsigned round = 0; round < 20000; round++) {
		memcpy(copy, archive.bytes, size);
		for (unsigned i = 0; i < 1 + round % 5; i++)
			copy[host_random_below(size)] =
			    host_random_below(2) ? (uint8_t)host_random()
						 : "0123456789ABCDEFabcdef"[host_random_below(22)];
		read_both(copy, 1 + host_random_below(size));
	}
	free(copy);
}

/* Overwrites one field of the first header. */
static void set_field(unsigned field, const char *digits)
{
	memcpy(archive.bytes + 6 + field * 8, digits, 8);
}

static void wrong_headers(void **state)
{
	const struct {
		unsigned field;
		const char *digits;
	} wrong[] = {
	    {6, "FFFFFFFF"},  {6, "00001000"},	{6, "7FFFFFFF"},  /* filesize */
	    {11, "00000000"}, {11, "FFFFFFFF"}, {11, "00000001"}, /* namesize: without the NUL */
	    {11, "00002001"}, {0, "0x001111"},	{1, " 0081A4"},	  {2, "-0000001"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		archive.size = 0;
		add_small_archive();
		set_field(wrong[i].field, wrong[i].digits);
		expect(0, -EINVAL);
	}
	for (size_t i = 0; i < 3; i++) { /* other formats: with checksums, octal, binary */
		archive.size = 0;
		add_small_archive();
		memcpy(archive.bytes,
		       i == 0	? "070702"
		       : i == 1 ? "070707"
				: "\xc7\x71\x31\x31\x31\x31",
		       6);
		expect(0, -EINVAL);
	}
	archive.size = 0;
	add_small_archive();
	memmove(archive.bytes + 1, archive.bytes, archive.size); /* not at a multiple of 4 */
	archive.bytes[0] = 0;
	archive.size++;
	expect(0, -EINVAL);
}

static void names(void **state)
{
	static char name[5001];

	(void)state;
	memset(name, 'n', 4095);
	add_entry(name, 0100644, text, 3); /* the longest */
	add_entry("", 0100644, text, 3);   /* what to make of it is the unpacker's business */
	add_header(name, 4096, 0100644, 0);
	add_trailer();
	expect(3, 0);

	archive.size = 0;
	name[4095] = 'n'; /* one more */
	add_entry(name, 0100644, text, 3);
	add_trailer();
	expect(0, -EINVAL);

	archive.size = 0;
	add_header("padded", 5000, 0100644, 0);
	add_trailer();
	expect(1, 0);
	archive.size = 0;
	add_header("padded", 9000, 0100644, 0);
	add_trailer();
	expect(0, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(fields_are_read, begin),
	    cmocka_unit_test_setup(small_archive, begin),
	    cmocka_unit_test_setup(unread_data_is_skipped, begin),
	    cmocka_unit_test_setup(aligned_data, begin),
	    cmocka_unit_test_setup(concatenated_archives, begin),
	    cmocka_unit_test_setup(no_archive_at_all, begin),
	    cmocka_unit_test_setup(every_truncation, begin),
	    cmocka_unit_test_setup(truncated_second_archive, begin),
	    cmocka_unit_test_setup(every_byte_damaged, begin),
	    cmocka_unit_test_setup(random_damage, begin),
	    cmocka_unit_test_setup(wrong_headers, begin),
	    cmocka_unit_test_setup(names, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
