/*
 * user/ppm.h - pictures in the portable pixmap format, PPM: "P6" (binary) and "P3" (text).
 *
 * Source: ppm(5) of Netpbm. Needs nothing but malloc: tests/host/test_ppm.c runs it on the host.
 */
#pragma once

#include <stddef.h>

struct ppm {
	size_t width, height; /* pixels, neither is 0 */
	unsigned char *rgb;   /* 3 bytes each, 0 to 255, row by row from the top; free() it */
};

enum ppm_result {
	PPM_GOOD,
	PPM_OTHER_FORMAT, /* does not begin as a PPM does */
	PPM_BAD_HEADER,	  /* what should be a number is none, or is out of bounds */
	PPM_TRUNCATED,
	PPM_BAD_SAMPLE, /* larger than the header's maximum, or (P3) no number */
	PPM_NO_MEMORY,
};

/* The first picture of `data`. *picture is only set when the result is PPM_GOOD. */
enum ppm_result ppm_read(const unsigned char *data, size_t bytes, struct ppm *picture);

/* For a message: "not a PPM picture". */
const char *ppm_result_in_words(enum ppm_result result);
