/*
 * fs/cpio.h - reads newc archives (cpio -H newc), from memory or from a stream.
 *
 * Format: the kernel documentation's "initramfs buffer format", and cpio(5), "New ASCII
 * format". Each entry is a header of 110 bytes, the name with its NUL, and the data; name and
 * data are padded to a multiple of 4 bytes from the archive's start. The name may be padded with
 * more NULs that its size counts, which is how data is brought to a page boundary. The entry
 * TRAILER!!! ends an archive; NULs and another archive may follow.
 *
 * Pure: tested on the host (tests/host/test_cpio.c). Nothing in an archive is trusted.
 */
#pragma once

#include <kernel/base/types.h>

#define CPIO_NAME_SIZE 4096 /* of the longest name, NUL included: PATH_MAX */

struct cpio_entry {
	const char *name; /* NUL-terminated, as it is in the archive; valid until the next call */
	uint32_t ino, mode, uid, gid, nlink, mtime; /* mode: S_IF* and permissions */
	uint32_t dev_major, dev_minor;              /* with ino: which are links of one file */
	uint32_t rdev_major, rdev_minor;            /* of a device node */
	uint32_t size;                              /* bytes of data */
	uint64_t offset;                            /* of the data, from the archives' start */
	const void *data;                           /* in memory; NULL when reading a stream */
};

/* An archive in memory. */
struct cpio_reader {
	const uint8_t *bytes;
	uint64_t size;
	uint64_t pos;
	bool open; /* an entry came since the last TRAILER!!! */
};

void cpio_reader_init(struct cpio_reader *reader, const void *bytes, uint64_t size);
/* 1: the next entry; 0: the end; -EINVAL: this is no archive, or a damaged or truncated one. */
must_check int cpio_reader_next(struct cpio_reader *reader, struct cpio_entry *entry);

/* An archive that arrives in order. */
struct cpio_stream {
	void (*read)(void *buf, size_t size); /* the next `size` bytes, all of them; may sleep */
	char *name;         /* the caller's buffer of CPIO_NAME_SIZE bytes */
	uint64_t size, pos; /* bytes of the stream, bytes read */
	uint32_t data_left; /* bytes of the current entry's data not read */
	bool open;
};

void cpio_stream_init(struct cpio_stream *stream, void (*read)(void *buf, size_t size),
		      uint64_t size, char *name);
/* As cpio_reader_next. Data of the entry before that was not read is skipped. */
must_check int cpio_stream_next(struct cpio_stream *stream, struct cpio_entry *entry);
/* Reads up to `size` bytes of the entry's data; fewer only at its end. Returns how many. */
size_t cpio_stream_data(struct cpio_stream *stream, void *buf, size_t size);
