/*
 * user/ppm.c - reads PPM pictures; ppm.h says what that is.
 *
 *   "P6" or "P3", width, height, the largest sample (1 to 65535): separated by white space and
 *   comments, # to the end of the line. One white space, then the samples, red, green, blue of
 *   each pixel: in P6 as one byte, or two (the high one first) where the largest is above 255; in
 *   P3 as decimal numbers.
 *
 * Before memory is asked for, the data is known to be long enough: a header that promises a
 * gigantic picture costs nothing.
 */
#include "ppm.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define CHANNELS 3
#define SIDE_MAX (UINT32_C(1) << 24) /* pixels: products of sides and sizes fit into 64 bits */
#define SAMPLE_MAX 65535u
#define SHOWN_MAX 255u

struct cursor {
	const unsigned char *at, *end;
};

static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* To the end of the comment's line, or of the data. */
static void skip_comment(struct cursor *cursor)
{
	while (cursor->at < cursor->end && *cursor->at != '\n' && *cursor->at != '\r')
		cursor->at++;
}

static void skip_space(struct cursor *cursor)
{
	while (cursor->at < cursor->end) {
		if (*cursor->at == '#')
			skip_comment(cursor);
		else if (is_space(*cursor->at))
			cursor->at++;
		else
			return;
	}
}

/* A number of at most `most`; `bad` is what something else is called. */
static enum ppm_result read_number(struct cursor *cursor, uint32_t most, enum ppm_result bad,
				   uint32_t *number)
{
	uint32_t value = 0;

	skip_space(cursor);
	if (cursor->at == cursor->end)
		return PPM_TRUNCATED;
	if (!is_digit(*cursor->at))
		return bad;
	for (; cursor->at < cursor->end && is_digit(*cursor->at); cursor->at++) {
		value = value * 10 + (uint32_t)(*cursor->at - '0');
		if (value > most)
			return bad;
	}
	*number = value;
	return PPM_GOOD;
}

struct header {
	bool text; /* P3 */
	uint32_t width, height, largest;
};

/* The one white space between header and samples; a comment's end is one, too. */
static enum ppm_result end_header(struct cursor *cursor)
{
	if (cursor->at < cursor->end && *cursor->at == '#')
		skip_comment(cursor);
	if (cursor->at == cursor->end)
		return PPM_TRUNCATED;
	return is_space(*cursor->at++) ? PPM_GOOD : PPM_BAD_HEADER;
}

static enum ppm_result read_header(struct cursor *cursor, struct header *header)
{
	const unsigned char *magic = cursor->at;
	enum ppm_result result;

	if (cursor->end - cursor->at < 3 || magic[0] != 'P' ||
	    (magic[1] != '6' && magic[1] != '3') || (!is_space(magic[2]) && magic[2] != '#'))
		return PPM_OTHER_FORMAT;
	header->text = magic[1] == '3';
	cursor->at += 2;
	result = read_number(cursor, SIDE_MAX, PPM_BAD_HEADER, &header->width);
	if (result == PPM_GOOD)
		result = read_number(cursor, SIDE_MAX, PPM_BAD_HEADER, &header->height);
	if (result == PPM_GOOD)
		result = read_number(cursor, SAMPLE_MAX, PPM_BAD_HEADER, &header->largest);
	if (result == PPM_GOOD)
		result = end_header(cursor);
	if (result == PPM_GOOD && (!header->width || !header->height || !header->largest))
		result = PPM_BAD_HEADER;
	return result;
}

/* The fewest bytes that can hold the samples. */
static uint64_t least_bytes(const struct header *header)
{
	uint64_t samples = (uint64_t)CHANNELS * header->width * header->height;

	if (header->text)
		return 2 * samples - 1; /* digits, and what separates them */
	return header->largest > SHOWN_MAX ? 2 * samples : samples;
}

static enum ppm_result read_sample(struct cursor *cursor, const struct header *header,
				   uint32_t *sample)
{
	if (header->text)
		return read_number(cursor, header->largest, PPM_BAD_SAMPLE, sample);
	*sample = *cursor->at++;
	if (header->largest > SHOWN_MAX)
		*sample = *sample << 8 | *cursor->at++;
	return *sample <= header->largest ? PPM_GOOD : PPM_BAD_SAMPLE;
}

static enum ppm_result read_samples(struct cursor *cursor, const struct header *header,
				    unsigned char *rgb)
{
	size_t count = (size_t)CHANNELS * header->width * header->height;

	for (size_t i = 0; i < count; i++) {
		uint32_t sample;
		enum ppm_result result = read_sample(cursor, header, &sample);

		if (result != PPM_GOOD)
			return result;
		rgb[i] = (unsigned char)((sample * SHOWN_MAX + header->largest / 2) /
					 header->largest);
	}
	return PPM_GOOD;
}

enum ppm_result ppm_read(const unsigned char *data, size_t bytes, struct ppm *picture)
{
	struct cursor cursor = {data, data + bytes};
	struct header header;
	enum ppm_result result = read_header(&cursor, &header);
	unsigned char *rgb;

	if (result != PPM_GOOD)
		return result;
	if ((uint64_t)(cursor.end - cursor.at) < least_bytes(&header))
		return PPM_TRUNCATED;
	rgb = malloc((size_t)CHANNELS * header.width * header.height);
	if (!rgb)
		return PPM_NO_MEMORY;
	result = read_samples(&cursor, &header, rgb);
	if (result != PPM_GOOD) {
		free(rgb);
		return result;
	}
	*picture = (struct ppm){header.width, header.height, rgb};
	return PPM_GOOD;
}

const char *ppm_result_in_words(enum ppm_result result)
{
	switch (result) {
	case PPM_GOOD:
		return "a PPM picture";
	case PPM_OTHER_FORMAT:
		return "not a PPM picture (P6 or P3)";
	case PPM_BAD_HEADER:
		return "the PPM header is damaged";
	case PPM_TRUNCATED:
		return "the picture is truncated";
	case PPM_BAD_SAMPLE:
		return "a sample is larger than the header allows, or is no number";
	case PPM_NO_MEMORY:
		break;
	}
	return "not enough memory for the picture";
}
