/*
 * user/imshow.c - imshow PICTURE: shows a PPM picture on the screen, through /dev/fb0.
 *
 * The screen's memory is a file. By default that file is mapped, shared, and the rows are stored
 * into the mapping: each first store into a page is a fault that mm/fault.c answers with the page
 * of the device itself. With --write the same rows go out by pwrite(2). Both show the same.
 *
 * How pixels lie in memory is asked by two requests of <linux/fb.h>, so this runs wherever Linux's
 * framebuffers are, whatever their size and colour format.
 *
 * Not here: the picture's format (ppm.c). Tests: tests/serial/test_framebuffer.py.
 */
#include "ppm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SCREEN_PATH "/dev/fb0"

enum { EXIT_USAGE = 2, FIRST_READ = 64 * 1024 };

static const char help[] =
	"usage: imshow [--write] [--scale] PICTURE\n"
	"\n"
	"Shows PICTURE, a PPM file (P6 or P3), in the middle of the screen, on black. What does\n"
	"not fit is cut off at the edges.\n"
	"  --scale  as large as the screen allows, proportions kept\n"
	"  --write  by write(2), row by row, instead of mapping " SCREEN_PATH "\n"
	"Exit status: 0 shown, 1 could not be shown, 2 wrong usage.\n"
	"Try: imshow --scale /usr/share/testcard.ppm\n";

__attribute__((format(printf, 1, 2), noreturn)) static void give_up(const char *format, ...)
{
	va_list arguments;

	fputs("imshow: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\n", stderr);
	exit(EXIT_FAILURE);
}

/* ---- the screen ---- */

struct screen {
	int fd;
	struct fb_fix_screeninfo fix;
	struct fb_var_screeninfo var;
	size_t pixel_bytes;
	unsigned char *mapping; /* NULL: write instead */
};

static void screen_open(struct screen *screen, bool map)
{
	screen->fd = open(SCREEN_PATH, O_RDWR | O_CLOEXEC);
	if (screen->fd < 0)
		give_up("%s: %s%s", SCREEN_PATH, strerror(errno),
			errno == ENOENT ? " (this machine has no display)" : "");
	if (ioctl(screen->fd, FBIOGET_FSCREENINFO, &screen->fix) < 0 ||
	    ioctl(screen->fd, FBIOGET_VSCREENINFO, &screen->var) < 0)
		give_up("%s: %s", SCREEN_PATH, strerror(errno));
	screen->pixel_bytes = screen->var.bits_per_pixel / 8;
	if (screen->fix.visual != FB_VISUAL_TRUECOLOR || screen->pixel_bytes < 2 ||
	    screen->pixel_bytes > sizeof(uint32_t))
		give_up("%s: only true colour of 16 to 32 bits can be shown", SCREEN_PATH);
	screen->mapping = NULL;
	if (!map)
		return;
	screen->mapping =
		mmap(NULL, screen->fix.smem_len, PROT_READ | PROT_WRITE, MAP_SHARED, screen->fd, 0);
	if (screen->mapping == MAP_FAILED)
		give_up("mapping %s: %s", SCREEN_PATH, strerror(errno));
}

static size_t row_bytes(const struct screen *screen)
{
	return screen->pixel_bytes * screen->var.xres;
}

static void screen_put_row(const struct screen *screen, size_t y, const unsigned char *row)
{
	size_t offset = (y + screen->var.yoffset) * screen->fix.line_length +
			screen->var.xoffset * screen->pixel_bytes;
	size_t done = 0;
	ssize_t written;

	if (screen->mapping) {
		memcpy(screen->mapping + offset, row, row_bytes(screen));
		return;
	}
	for (; done < row_bytes(screen); done += (size_t)written) {
		written = pwrite(screen->fd, row + done, row_bytes(screen) - done,
				 (off_t)(offset + done));
		if (written < 0)
			give_up("writing %s: %s", SCREEN_PATH, strerror(errno));
	}
}

/* 0 to 255 as the field has it, at its place in the pixel. */
static uint32_t in_field(unsigned char value, const struct fb_bitfield *field)
{
	uint32_t most = (UINT32_C(1) << field->length) - 1;

	return (value * most + 127) / 255 << field->offset;
}

static void put_pixel(const struct screen *screen, unsigned char *place, const unsigned char *rgb)
{
	uint32_t pixel = in_field(rgb[0], &screen->var.red) | in_field(rgb[1], &screen->var.green) |
			 in_field(rgb[2], &screen->var.blue);

	memcpy(place, &pixel, screen->pixel_bytes); /* little-endian, as we are */
}

/* ---- the picture on it ---- */

/* Where the picture lies on the screen; edges may be beyond the screen's. */
struct place {
	long left, top;
	size_t width, height;
};

static struct place find_place(const struct screen *screen, const struct ppm *picture, bool scale)
{
	struct place place = {0, 0, picture->width, picture->height};
	size_t width = screen->var.xres, height = screen->var.yres;

	if (scale && picture->width * height >= picture->height * width) {
		place.width = width;
		place.height = picture->height * width / picture->width;
	} else if (scale) {
		place.width = picture->width * height / picture->height;
		place.height = height;
	}
	if (place.width == 0 || place.height == 0) /* a line, thinner than a pixel */
		*(place.width ? &place.height : &place.width) = 1;
	place.left = ((long)width - (long)place.width) / 2;
	place.top = ((long)height - (long)place.height) / 2;
	return place;
}

/* The screen's row `y`, from edge to edge. */
static void draw_row(const struct screen *screen, const struct ppm *picture,
		     const struct place *place, size_t y, unsigned char *row)
{
	static const unsigned char black[3];
	size_t down = (size_t)((long)y - place->top); /* huge above the picture */

	for (size_t x = 0; x < screen->var.xres; x++, row += screen->pixel_bytes) {
		size_t right = (size_t)((long)x - place->left);
		const unsigned char *rgb = black;

		if (down < place->height && right < place->width)
			rgb = picture->rgb +
			      3 * (down * picture->height / place->height * picture->width +
				   right * picture->width / place->width);
		put_pixel(screen, row, rgb);
	}
}

static void show(const struct screen *screen, const struct ppm *picture, bool scale)
{
	struct place place = find_place(screen, picture, scale);
	unsigned char *row = malloc(row_bytes(screen));

	if (!row)
		give_up("%s", strerror(errno));
	for (size_t y = 0; y < screen->var.yres; y++) {
		draw_row(screen, picture, &place, y, row);
		screen_put_row(screen, y, row);
	}
	free(row);
}

/* ---- the file ---- */

/* All of a file, which may be a pipe; *bytes is its length. */
static unsigned char *read_all(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *data = NULL;
	size_t room = 0;
	ssize_t got = 1;

	if (fd < 0)
		give_up("%s: %s", path, strerror(errno));
	for (*bytes = 0; got > 0; *bytes += (size_t)got) {
		if (*bytes == room) {
			room = room ? 2 * room : FIRST_READ;
			data = realloc(data, room);
			if (!data)
				give_up("%s: %s", path, strerror(errno));
		}
		got = read(fd, data + *bytes, room - *bytes);
		if (got < 0)
			give_up("%s: %s", path, strerror(errno));
	}
	close(fd);
	return data;
}

static struct ppm read_picture(const char *path)
{
	size_t bytes;
	unsigned char *data = read_all(path, &bytes);
	struct ppm picture;
	enum ppm_result result = ppm_read(data, bytes, &picture);

	if (result != PPM_GOOD)
		give_up("%s: %s", path, ppm_result_in_words(result));
	free(data);
	return picture;
}

struct wish {
	bool write, scale;
	const char *path;
};

static struct wish read_arguments(int count, char **arguments)
{
	struct wish wish = {0};
	int i = 1;

	for (; i < count && arguments[i][0] == '-' && strcmp(arguments[i], "--") != 0; i++) {
		if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
			fputs(help, stdout);
			exit(EXIT_SUCCESS);
		} else if (strcmp(arguments[i], "--write") == 0) {
			wish.write = true;
		} else if (strcmp(arguments[i], "--scale") == 0) {
			wish.scale = true;
		} else {
			break;
		}
	}
	if (i < count && strcmp(arguments[i], "--") == 0)
		i++;
	else if (i < count && arguments[i][0] == '-')
		i = count; /* an unknown option */
	if (i + 1 != count) {
		fputs(help, stderr);
		exit(EXIT_USAGE);
	}
	wish.path = arguments[i];
	return wish;
}

int main(int count, char **arguments)
{
	struct wish wish = read_arguments(count, arguments);
	struct ppm picture = read_picture(wish.path);
	struct screen screen;

	screen_open(&screen, !wish.write);
	show(&screen, &picture, wish.scale);
	return EXIT_SUCCESS;
}
