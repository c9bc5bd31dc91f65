/*
 * tests/host/test_ppm.c - user/ppm.c: good pictures, every truncation, damaged and random ones.
 * Each input lies in a block of exactly its size, so that ASan sees a byte read too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above. */
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <user/ppm.h>

static enum ppm_result read_bytes(const void *bytes, size_t size, struct ppm *picture)
{
	unsigned char *exact = malloc(size);
	enum ppm_result result;

	assert_true(exact || !size);
	if (size > 0)
		memcpy(exact, bytes, size);
	memset(picture, 0x5a, sizeof(*picture));
	result = ppm_read(exact, size, picture);
	free(exact);
	return result;
}

static enum ppm_result result_of(const void *bytes, size_t size)
{
	struct ppm picture;
	enum ppm_result result = read_bytes(bytes, size, &picture);

	if (result == PPM_GOOD)
		free(picture.rgb);
	return result;
}

static enum ppm_result result_of_text(const char *text)
{
	return result_of(text, strlen(text));
}

static void expect_picture(const void *bytes, size_t size, size_t width, size_t height,
			   const unsigned char *rgb)
{
	struct ppm picture;

	assert_int_equal(read_bytes(bytes, size, &picture), PPM_GOOD);
	assert_int_equal(picture.width, width);
	assert_int_equal(picture.height, height);
	assert_memory_equal(picture.rgb, rgb, 3 * width * height);
	free(picture.rgb);
}

#define EXPECT_PICTURE(bytes, width, height, ...)                                                  \
	expect_picture(bytes, sizeof(bytes) - 1, width, height,                                    \
		       (const unsigned char[]){__VA_ARGS__})

/* --- good pictures --- */

static void binary(void **state)
{
	(void)state;
	EXPECT_PICTURE("P6\n2 1\n255\n\1\2\3\4\5\6", 2, 1, 1, 2, 3, 4, 5, 6);
	EXPECT_PICTURE("P6 1 2 255 \0\n \xff#\t", 1, 2, 0, 10, 32, 255, 35, 9);
	EXPECT_PICTURE("P6\n1 1\n255\n\1\2\3and more is another picture", 1, 1, 1, 2, 3);
}

static void text(void **state)
{
	(void)state;
	EXPECT_PICTURE("P3\n2 1\n255\n1 2 3\n4 5 6\n", 2, 1, 1, 2, 3, 4, 5, 6);
	EXPECT_PICTURE("P3 1 1 255 0 128 255", 1, 1, 0, 128, 255);
	EXPECT_PICTURE("P3 1 1 255\r\n\t0  0128 # half\n\f\v255", 1, 1, 0, 128, 255);
}

static void comments(void **state)
{
	(void)state;
	EXPECT_PICTURE("P6#x\n# 9 9\n2# wide\r1 # high\n\n#\n255\n\1\2\3\4\5\6", 2, 1, 1, 2, 3, 4,
		       5, 6);
	EXPECT_PICTURE("P6 1 1 255#the end\n#\2\3", 1, 1, '#', 2, 3);
	EXPECT_PICTURE("P6 1 1 255 #\2\3", 1, 1, '#', 2, 3);
}

/* Samples are scaled to 0..255, rounded to the nearest. */
static void largest_samples(void **state)
{
	(void)state;
	EXPECT_PICTURE("P3 1 1 1 0 1 1", 1, 1, 0, 255, 255);
	EXPECT_PICTURE("P3 1 1 3 1 2 3", 1, 1, 85, 170, 255);
	EXPECT_PICTURE("P3 1 1 65535 0 65535 32767", 1, 1, 0, 255, 127);
	EXPECT_PICTURE("P6 1 1 100 \0\144\62", 1, 1, 0, 255, 128);
	EXPECT_PICTURE("P6 1 1 256 \0\0\1\0\0\200", 1, 1, 0, 255, 128);
	EXPECT_PICTURE("P6 1 1 65535 \xff\xff\0\xff\x80\x00", 1, 1, 255, 1, 128);
}

/* --- others --- */

static void other_formats(void **state)
{
	(void)state;
	assert_int_equal(result_of("", 0), PPM_OTHER_FORMAT);
	assert_int_equal(result_of_text("P6"), PPM_OTHER_FORMAT);
	assert_int_equal(result_of_text("P5 1 1 255 x"), PPM_OTHER_FORMAT);
	assert_int_equal(result_of_text("P61 1 1 255 xxx"), PPM_OTHER_FORMAT);
	assert_int_equal(result_of_text(" P6 1 1 255 xxx"), PPM_OTHER_FORMAT);
	assert_int_equal(result_of_text("\x89PNG\r\n\x1a\n"), PPM_OTHER_FORMAT);
}

static void bad_headers(void **state)
{
	static const char *const rows[] = {
		"P6 0 1 255 xxx",	 "P6 1 0 255 xxx",	     "P6 1 1 0 xxx",
		"P6 1 1 65536 xxxxxx",	 "P6 -1 1 255 xxx",	     "P6 1 1 255xxxx",
		"P6 x 1 255 xxx",	 "P6 1.5 1 255 xxx",	     "P6 16777217 1 255 x",
		"P6 4294967297 1 255 x", "P6 99999999999999999999 1", "P3 1 1 255,1 2 3",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (result_of_text(rows[i]) != PPM_BAD_HEADER)
			fail_msg("%s: %s", rows[i], ppm_result_in_words(result_of_text(rows[i])));
}

static void bad_samples(void **state)
{
	(void)state;
	assert_int_equal(result_of_text("P3 1 1 255 1 2 256"), PPM_BAD_SAMPLE);
	assert_int_equal(result_of_text("P3 1 1 255 1 2 9999999999"), PPM_BAD_SAMPLE);
	assert_int_equal(result_of_text("P3 1 1 255 1 x 3"), PPM_BAD_SAMPLE);
	assert_int_equal(result_of_text("P3 1 1 255 1 -2 3"), PPM_BAD_SAMPLE);
	assert_int_equal(result_of_text("P6 1 1 100 aae"), PPM_BAD_SAMPLE);
	assert_int_equal(result_of("P6 1 1 256 \0\0\1\1\0\0", 17), PPM_BAD_SAMPLE);
}

/* A promise of 2^48 pixels is not believed, and costs no memory. */
static void gigantic(void **state)
{
	(void)state;
	assert_int_equal(result_of_text("P6 16777216 16777216 65535 xxx"), PPM_TRUNCATED);
	assert_int_equal(result_of_text("P3 16777216 16777216 255 1 2 3"), PPM_TRUNCATED);
}

static void every_truncation(void **state)
{
	static const char binary_picture[] =
		"P6 # c\n3 2\n300\n\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\10\0\11"
		"\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\10\0\11";
	static const char text_picture[] = "P3\n2 2 9\n1 2 3 4 5 6\n7 8 9 0 0 9";

	(void)state;
	for (size_t size = 0; size < sizeof(binary_picture) - 1; size++)
		assert_int_equal(result_of(binary_picture, size),
				 size < 3 ? PPM_OTHER_FORMAT : PPM_TRUNCATED);
	for (size_t size = 0; size < sizeof(text_picture) - 1; size++)
		assert_int_equal(result_of(text_picture, size),
				 size < 3 ? PPM_OTHER_FORMAT : PPM_TRUNCATED);
	assert_int_equal(result_of(binary_picture, sizeof(binary_picture) - 1), PPM_GOOD);
	assert_int_equal(result_of(text_picture, sizeof(text_picture) - 1), PPM_GOOD);
}

static void every_byte_damaged(void **state)
{
	char picture[] = "P3\n2 2 99\n1 2 3 4 5 6\n7 8 9 0 0 99\n";

	(void)state;
	for (size_t at = 0; at < sizeof(picture) - 1; at++) {
		char good = picture[at];

		for (unsigned value = 0; value < 256; value++) {
			picture[at] = (char)value;
			result_of(picture, sizeof(picture) - 1);
		}
		picture[at] = good;
	}
}

/* A small generator of its own: the same bytes in every run. */
static uint64_t seed;

static unsigned below(unsigned limit)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % limit;
}

/* Random pieces of pictures in a row: most go wrong somewhere behind the start, some are good. */
static void random_pieces(void **state)
{
	static const char *const pieces[] = {"1",    "2",    " ",     "\n", "#",  "255", "65535",
					     "0",    "3 ",   "7 ",    "x",  "-",  "P6",	 "\r",
					     "300 ", "1 1 ", "# c\n", "9",  "\t", "12 ", "1 2 3 "};
	unsigned good = 0;

	(void)state;
	seed = 1;
	for (unsigned round = 0; round < 200000; round++) {
		char bytes[256] = "P6 ";
		size_t size = 3;

		bytes[1] = below(2) ? '6' : '3';
		for (unsigned count = below(24); count > 0; count--) {
			const char *piece = pieces[below(sizeof(pieces) / sizeof(pieces[0]))];

			memcpy(bytes + size, piece, strlen(piece));
			size += strlen(piece);
		}
		for (unsigned count = below(40); count > 0; count--)
			bytes[size++] = (char)below(256);
		good += result_of(bytes, size) == PPM_GOOD;
	}
	assert_true(good > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binary),
		cmocka_unit_test(text),
		cmocka_unit_test(comments),
		cmocka_unit_test(largest_samples),
		cmocka_unit_test(other_formats),
		cmocka_unit_test(bad_headers),
		cmocka_unit_test(bad_samples),
		cmocka_unit_test(gigantic),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(every_byte_damaged),
		cmocka_unit_test(random_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
