/*
 * /dev/fb0: what the requests of <linux/fb.h> say, bytes at offsets, mappings of device memory.
 * Skipped where there is no screen. What the screen showed is put back at the end.
 */
#include "helpers.h"

#include <linux/fb.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define FB_MAJOR 29 /* Linux: Documentation/admin-guide/devices.txt */

struct screen {
	int fd;
	struct fb_fix_screeninfo fix;
	struct fb_var_screeninfo var;
	size_t size;   /* bytes */
	size_t mapped; /* the same in whole pages */
};

static int open_or_skip(int flags)
{
	int fd = open("/dev/fb0", flags);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == EACCES))
		tap_skip("no /dev/fb0 for us");
	expect(fd >= 0);
	return fd;
}

static struct screen screen_open(void)
{
	struct screen screen = {.fd = open_or_skip(O_RDWR)};

	expect_equal(ioctl(screen.fd, FBIOGET_FSCREENINFO, &screen.fix), 0);
	expect_equal(ioctl(screen.fd, FBIOGET_VSCREENINFO, &screen.var), 0);
	screen.size = screen.fix.smem_len;
	screen.mapped = (screen.size + PAGE - 1) / PAGE * PAGE;
	return screen;
}

static char *map_screen(const struct screen *screen, size_t bytes, int prot, int flags,
			off_t offset)
{
	return map_file(screen->fd, bytes, prot, flags, offset);
}

static unsigned char byte_at(const struct screen *screen, size_t offset)
{
	unsigned char byte;

	expect_equal(pread(screen->fd, &byte, 1, (off_t)offset), 1);
	return byte;
}

static void set_byte(const struct screen *screen, size_t offset, unsigned char byte)
{
	expect_equal(pwrite(screen->fd, &byte, 1, (off_t)offset), 1);
}

/* --- requests --- */

static void node(void)
{
	struct stat status;
	int fd = open_or_skip(O_RDONLY);

	expect_equal(fstat(fd, &status), 0);
	expect(S_ISCHR(status.st_mode));
	expect_equal(major(status.st_rdev), FB_MAJOR);
	expect_equal(minor(status.st_rdev), 0);
}

static void described(void)
{
	struct screen screen = screen_open();
	const struct fb_var_screeninfo *var = &screen.var;

	expect_equal(screen.fix.type, FB_TYPE_PACKED_PIXELS);
	expect_equal(screen.fix.visual, FB_VISUAL_TRUECOLOR);
	expect(var->xres > 0 && var->yres > 0 && var->bits_per_pixel >= 16);
	expect(var->xres_virtual >= var->xres && var->yres_virtual >= var->yres);
	expect(screen.fix.line_length >= var->xres_virtual * (var->bits_per_pixel / 8));
	expect(screen.size >= (size_t)screen.fix.line_length * var->yres_virtual);
	expect(var->red.length > 0 && var->red.offset + var->red.length <= var->bits_per_pixel);
	expect(var->red.offset != var->green.offset && var->green.offset != var->blue.offset);
	if (on_stos())
		expect(var->xres == 1024 && var->yres == 768 && var->bits_per_pixel == 32);
}

static void bad_pointers(void)
{
	struct screen screen = screen_open();
	char *read_only = map_anon(PAGE, PROT_READ, MAP_PRIVATE);

	expect_errno(ioctl(screen.fd, FBIOGET_VSCREENINFO, NULL), EFAULT);
	expect_errno(ioctl(screen.fd, FBIOGET_FSCREENINFO, NULL), EFAULT);
	expect_errno(ioctl(screen.fd, FBIOPUT_VSCREENINFO, NULL), EFAULT);
	expect_errno(ioctl(screen.fd, FBIOPAN_DISPLAY, NULL), EFAULT);
	expect_errno(ioctl(screen.fd, FBIOGETCMAP, NULL), EFAULT);
	expect_errno(ioctl(screen.fd, FBIOPUTCMAP, NULL), EFAULT);
	expect_errno(ioctl(screen.fd, FBIOGET_VSCREENINFO, read_only), EFAULT);
	expect_errno(ioctl(screen.fd, FBIOGET_FSCREENINFO, read_only), EFAULT);
}

static void the_mode_there_is(void)
{
	struct screen screen = screen_open();
	struct fb_var_screeninfo wanted = screen.var;

	expect_equal(ioctl(screen.fd, FBIOPUT_VSCREENINFO, &wanted), 0);
	expect_equal(memcmp(&wanted, &screen.var, sizeof(wanted)), 0);
}

/* Linux's drivers differ: some round to what they have instead. */
static void no_other_mode(void)
{
	struct screen screen = screen_open();
	struct fb_var_screeninfo now;

	if (!on_stos())
		tap_skip("drivers differ");
	for (unsigned i = 0; i < 9; i++) {
		struct fb_var_screeninfo wanted = screen.var;
		__u32 *fields[] = {&wanted.xres,	 &wanted.yres,
				   &wanted.xres_virtual, &wanted.yres_virtual,
				   &wanted.yoffset,	 &wanted.bits_per_pixel,
				   &wanted.grayscale,	 &wanted.red.offset,
				   &wanted.rotate};

		*fields[i] += 1;
		expect_errno(ioctl(screen.fd, FBIOPUT_VSCREENINFO, &wanted), EINVAL);
	}
	expect_equal(ioctl(screen.fd, FBIOGET_VSCREENINFO, &now), 0);
	expect_equal(memcmp(&now, &screen.var, sizeof(now)), 0);
}

static void panning(void)
{
	struct screen screen = screen_open();
	struct fb_var_screeninfo wanted = screen.var;

	if (on_stos())
		expect_equal(ioctl(screen.fd, FBIOPAN_DISPLAY, &wanted), 0);
	wanted.xoffset = wanted.xres_virtual;
	expect_errno(ioctl(screen.fd, FBIOPAN_DISPLAY, &wanted), EINVAL);
	wanted.xoffset = 0;
	wanted.yoffset = wanted.yres_virtual;
	expect_errno(ioctl(screen.fd, FBIOPAN_DISPLAY, &wanted), EINVAL);
}

static void blanking(void)
{
	struct screen screen = screen_open();

	expect_errno(ioctl(screen.fd, FBIOBLANK, FB_BLANK_POWERDOWN + 1), EINVAL);
	if (!on_stos())
		return;
	set_byte(&screen, 0, 0x5a);
	expect_equal(ioctl(screen.fd, FBIOBLANK, FB_BLANK_POWERDOWN), 0);
	expect_equal(byte_at(&screen, 0), 0x5a);
	expect_equal(ioctl(screen.fd, FBIOBLANK, FB_BLANK_UNBLANK), 0);
	expect_equal(byte_at(&screen, 0), 0x5a);
}

static void other_requests(void)
{
	struct screen screen = screen_open();
	char argument[256] = "";

	expect_errno(ioctl(screen.fd, FBIO_CURSOR, argument), EINVAL);
	expect_errno(ioctl(screen.fd, FBIO_ALLOC, argument), ENOTTY);
	expect_errno(ioctl(screen.fd, FBIOGET_VBLANK, argument), ENOTTY);
	expect_errno(ioctl(screen.fd, FBIO_WAITFORVSYNC, argument), ENOTTY);
	expect_errno(ioctl(screen.fd, TCGETS, argument), ENOTTY);
}

/* --- bytes at offsets --- */

static void bytes(void)
{
	struct screen screen = screen_open();
	static unsigned char wrote[3 * 4096 + 5], got[sizeof(wrote)];
	off_t at = 4096 - 3;

	fill_pattern(wrote, 0, sizeof(wrote));
	expect_equal(lseek(screen.fd, at, SEEK_SET), at);
	expect_equal(write(screen.fd, wrote, sizeof(wrote)), sizeof(wrote));
	expect_equal(lseek(screen.fd, 0, SEEK_CUR), at + (off_t)sizeof(wrote));
	expect_equal(pread(screen.fd, got, sizeof(got), at), sizeof(got));
	expect_pattern(got, 0, sizeof(got));
	expect_equal(lseek(screen.fd, at + 7, SEEK_SET), at + 7);
	expect_equal(read(screen.fd, got, 10), 10);
	expect_pattern(got, 7, 10);
	expect_equal(lseek(screen.fd, 0, SEEK_CUR), at + 17);
}

static void at_the_end(void)
{
	struct screen screen = screen_open();
	off_t end = (off_t)screen.size;
	char text[64] = "0123456789";

	expect_equal(pwrite(screen.fd, text, 10, end - 4), 4);
	expect_equal(pread(screen.fd, text, 10, end - 4), 4);
	expect_equal(memcmp(text, "0123", 4), 0);
	expect_equal(pread(screen.fd, text, 10, end), 0);
	expect_equal(pread(screen.fd, text, 10, end + 1), 0);
	expect_equal(pwrite(screen.fd, text, 0, end), 0);
	expect_errno(pwrite(screen.fd, text, 1, end), ENOSPC);
	expect_errno(pwrite(screen.fd, text, 1, end + 1), EFBIG);
	expect_errno(pwrite(screen.fd, text, 0, end + 1), EFBIG);
	expect_errno(pwrite(screen.fd, text, 1, -1), EINVAL);
}

/* More than there is: all of it, and the reason is EFBIG when nothing could be written. */
static void more_than_all(void)
{
	struct screen screen = screen_open();
	char *buffer = map_anon(screen.mapped + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	expect_equal(pread(screen.fd, buffer, screen.size + 1, 0), screen.size);
	expect_equal(pwrite(screen.fd, buffer, screen.size + 1, 0), screen.size);
	expect_equal(pwrite(screen.fd, buffer, screen.size + 1, (off_t)screen.size - 5), 5);
	expect_errno(pwrite(screen.fd, buffer, screen.size + 1, (off_t)screen.size), EFBIG);
}

static void bad_buffers(void)
{
	struct screen screen = screen_open();
	char *edge = map_alone(PAGE, PROT_READ | PROT_WRITE) + PAGE - 10;

	expect_errno(pwrite(screen.fd, edge + 10, 10, 0), EFAULT);
	expect_errno(pread(screen.fd, edge + 10, 10, 0), EFAULT);
	expect(pread(screen.fd, edge, 20, 0) == 10 || errno == EFAULT); /* Linux 6.1: nothing */
	expect(pwrite(screen.fd, edge, 20, 0) == 10 || errno == EFAULT);
}

static void seeking(void)
{
	struct screen screen = screen_open();
	off_t end = (off_t)screen.size;
	char byte;

	expect_equal(lseek(screen.fd, end + 100, SEEK_SET), end + 100);
	expect_equal(read(screen.fd, &byte, 1), 0);
	expect_errno(write(screen.fd, &byte, 1), EFBIG);
	expect_equal(lseek(screen.fd, -100, SEEK_CUR), end);
	expect_errno(write(screen.fd, &byte, 1), ENOSPC);
	expect_equal(lseek(screen.fd, 5, SEEK_END), 5); /* the node's own size is 0 */
	expect_errno(lseek(screen.fd, -1, SEEK_SET), EINVAL);
	expect_errno(lseek(screen.fd, 0, 99), EINVAL);
	expect_equal(lseek(screen.fd, 0, SEEK_CUR), 5);
}

static void access_modes(void)
{
	int reader = open_or_skip(O_RDONLY), writer = open_or_skip(O_WRONLY);
	char byte = 0, *map;

	expect_errno(write(reader, &byte, 1), EBADF);
	expect_errno(read(writer, &byte, 1), EBADF);
	expect_errno(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0), EACCES);
	expect_errno(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, writer, 0), EACCES);
	expect_errno(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, writer, 0), EACCES);
	map = map_file(reader, PAGE, PROT_READ, MAP_SHARED, 0);
	expect_errno(mprotect(map, PAGE, PROT_READ | PROT_WRITE), EACCES);
	expect_write_kills(map, SIGSEGV);
	map = map_file(reader, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	poke(map, 1);
	expect_equal(ioctl(reader, FBIOGET_VSCREENINFO, &(struct fb_var_screeninfo){0}), 0);
}

/* --- mapping --- */

static void shared_is_the_screen(void)
{
	struct screen screen = screen_open();
	char *map = map_screen(&screen, screen.mapped, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *again = map_screen(&screen, 2 * PAGE, PROT_READ, MAP_SHARED, 4 * PAGE);

	for (size_t at = 0; at < screen.size; at += PAGE + 61) {
		poke(map + at, pattern(at));
		check("mapped, then read", byte_at(&screen, at) == pattern(at));
		set_byte(&screen, at, (unsigned char)~pattern(at));
		check("written, then seen", peek(map + at) == (unsigned char)~pattern(at));
	}
	poke(map + screen.size - 1, 0x77);
	expect_equal(byte_at(&screen, screen.size - 1), 0x77);
	poke(map + 5 * PAGE + 3, 0x66);
	expect_equal(peek(again + PAGE + 3), 0x66);
	expect_equal(msync(map, screen.mapped, MS_SYNC), 0);
	expect_equal(fsync(screen.fd), 0);
}

static void map_edges(void)
{
	struct screen screen = screen_open();
	off_t end = (off_t)screen.mapped;

	expect_errno(mmap(NULL, screen.mapped + 1, PROT_READ, MAP_SHARED, screen.fd, 0), EINVAL);
	expect_errno(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, screen.fd, end), EINVAL);
	expect_errno(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, screen.fd, end + (off_t)PAGE), EINVAL);
	expect_errno(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, screen.fd, end - (off_t)PAGE),
		     EINVAL);
	expect_errno(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, screen.fd, end - (off_t)PAGE),
		     EINVAL);
	expect_errno(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, screen.fd, 5), EINVAL);
	expect_errno(mmap(NULL, 0, PROT_READ, MAP_SHARED, screen.fd, 0), EINVAL);
	expect_errno(mmap(NULL, PAGE, PROT_READ, 0, screen.fd, 0), EINVAL);
	peek(map_screen(&screen, 1, PROT_READ, MAP_SHARED, end - (off_t)PAGE));
}

static void private_copies(void)
{
	struct screen screen = screen_open();
	char *shared = map_screen(&screen, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *private = map_screen(&screen, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

	fill_pattern(shared, 0, 4 * PAGE);
	expect_pattern(private, 0, 4 * PAGE); /* page 0 to 3 are mapped now */
	poke(private + PAGE, 0);
	expect_equal(peek(shared + PAGE), pattern(PAGE));
	expect_equal(byte_at(&screen, PAGE), pattern(PAGE));
	expect_equal(peek(private + PAGE), 0);
	expect_pattern(private + PAGE + 1, PAGE + 1, PAGE - 1); /* the rest was copied */
	poke(shared + PAGE + 1, 0);
	expect_equal(peek(private + PAGE + 1), pattern(PAGE + 1));
	poke(shared + 2 * PAGE, 0);
	expect_equal(peek(private + 2 * PAGE), 0); /* no copy yet: still the screen */
	munmap(private, 4 * PAGE);
	private = map_screen(&screen, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 3 * PAGE);
	poke(private + 5, 0); /* the first touch is the store */
	expect_equal(peek(private + 4), pattern(3 * PAGE + 4));
	expect_equal(peek(shared + 3 * PAGE + 5), pattern(3 * PAGE + 5));
}

static void fork_shares(void)
{
	struct screen screen = screen_open();
	char *shared = map_screen(&screen, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *private = map_screen(&screen, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	pid_t pid;

	poke(shared, 1);
	poke(private + PAGE, 2);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(peek(shared), 1);
		expect_equal(peek(private + PAGE), 2);
		poke(shared, 3);
		poke(shared + PAGE, 4); /* untouched by the parent */
		poke(private + PAGE, 5);
		expect_equal(peek(private), 3);
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(peek(shared), 3);
	expect_equal(peek(shared + PAGE), 4);
	expect_equal(peek(private + PAGE), 2);
	expect_equal(byte_at(&screen, PAGE), 4);
}

static void rights(void)
{
	struct screen screen = screen_open();
	char *map = map_screen(&screen, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *private = map_screen(&screen, PAGE, PROT_READ, MAP_PRIVATE, 0);

	poke(map + PAGE, 9);
	expect_equal(mprotect(map + PAGE, PAGE, PROT_READ), 0);
	expect_zone(map + PAGE, PAGE, "r--s");
	expect_equal(peek(map + PAGE), 9);
	expect_write_kills(map + PAGE, SIGSEGV);
	expect_equal(mprotect(map + PAGE, PAGE, PROT_NONE), 0);
	expect_read_kills(map + PAGE, SIGSEGV);
	expect_equal(mprotect(map + PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
	expect_equal(peek(map + PAGE), 9);
	poke(map + PAGE, 8);
	expect_equal(byte_at(&screen, PAGE), 8);

	poke(map, 7);
	expect_equal(peek(private), 7);
	expect_write_kills(private, SIGSEGV);
	expect_equal(mprotect(private, PAGE, PROT_READ | PROT_WRITE), 0);
	poke(private, 6); /* not the screen, whatever rights came when */
	expect_equal(peek(map), 7);
	expect_equal(mprotect(private, PAGE, PROT_NONE), 0);
	expect_equal(mprotect(private, PAGE, PROT_READ), 0);
	expect_equal(peek(private), 6);
}

static void unmapping(void)
{
	struct screen screen = screen_open();
	char *map = map_screen(&screen, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE);

	memset(map, 1, 3 * PAGE);
	close(screen.fd); /* the mapping stays */
	expect_equal(munmap(map + PAGE, PAGE), 0);
	expect_read_kills(map + PAGE, SIGSEGV);
	poke(map, 2);
	poke(map + 2 * PAGE, 3);
	screen.fd = open_or_skip(O_RDWR);
	expect_equal(byte_at(&screen, PAGE), 2);
	expect_equal(byte_at(&screen, 2 * PAGE), 1);
	expect_equal(byte_at(&screen, 3 * PAGE), 3);
}

static void listed(void)
{
	static char smaps[65536];
	const char *zone, *flags;
	struct screen screen = screen_open();
	char *map = map_screen(&screen, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 2 * PAGE);
	struct map_line line;

	expect_zone(map, 3 * PAGE, "rw-s");
	expect(maps_find(map, &line));
	expect_equal(line.offset, 2 * PAGE);
	expect(strcmp(line.path, "/dev/fb0") == 0);
	expect(line.inode != 0);
	/* smaps tells what kind of memory it is: a device's pages, not to be dumped or grown. */
	proc_read("/proc/self/smaps", smaps, sizeof(smaps));
	zone = strstr(smaps, "/dev/fb0");
	flags = zone ? strstr(zone, "VmFlags:") : NULL;
	expect(flags != NULL && strchr(flags, '\n') != NULL);
	*strchr(flags, '\n') = '\0';
	expect(strstr(flags, " pf ") && strstr(flags, " io ") && strstr(flags, " de ") &&
	       strstr(flags, " dd "));
	expect(strncmp(strstr(zone, "Rss:"), "Rss:                   0 kB", 27) == 0);
}

/* A device has no more pages than it has: it cannot grow, but shrink and move. */
static void remapping(void)
{
	struct screen screen = screen_open();
	char *map = map_screen(&screen, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE), *place,
	     *to;

	for (int i = 0; i < 4; i++)
		poke(map + i * PAGE, (unsigned char)(i + 1));
	expect_errno(mremap(map, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE), EFAULT);
	expect_errno(mremap(map, 4 * PAGE, 5 * PAGE, 0), EFAULT);
	expect(mremap(map, 4 * PAGE, 3 * PAGE, 0) == map);
	expect_zone(map, 3 * PAGE, "rw-s");
	place = free_range(3 * PAGE);
	to = mremap(map, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	expect(to == place);
	expect_equal(peek(to + 2 * PAGE), 3);
	poke(to + 2 * PAGE, 33);
	expect_equal(byte_at(&screen, 3 * PAGE), 33);
	expect_read_kills(map, SIGSEGV);
}

static void advice(void)
{
	struct screen screen = screen_open();
	char *map = map_screen(&screen, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *private = map_screen(&screen, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

	poke(private, 0x11);
	poke(map, 0x22);
	expect_equal(madvise(map, 2 * PAGE, MADV_NORMAL), 0);
	expect_equal(madvise(map, 2 * PAGE, MADV_WILLNEED), 0);
	expect_errno(madvise(map, 2 * PAGE, MADV_DONTNEED), EINVAL);
	expect_errno(madvise(private, 2 * PAGE, MADV_DONTNEED), EINVAL);
	expect_errno(madvise(map, 2 * PAGE, MADV_FREE), EINVAL);
	expect_errno(madvise(map, 2 * PAGE, MADV_DODUMP), EINVAL);
	expect_equal(madvise(map, 2 * PAGE, MADV_DONTDUMP), 0);
	expect_errno(madvise(map, 2 * PAGE, MADV_COLD), EINVAL);
	expect_errno(madvise(map, 2 * PAGE, MADV_PAGEOUT), EINVAL);
	expect_errno(madvise(map, 2 * PAGE, MADV_REMOVE), ENODEV);
	expect_errno(madvise(private, 2 * PAGE, MADV_REMOVE), EACCES);
	expect_equal(madvise(map, 2 * PAGE, MADV_RANDOM), 0);
	expect_equal(madvise(map, 2 * PAGE, MADV_SEQUENTIAL), 0);
	expect_equal(madvise(private, 2 * PAGE, MADV_MERGEABLE), 0);
	expect_equal(madvise(private, 2 * PAGE, MADV_UNMERGEABLE), 0);
	expect_errno(madvise(map, 2 * PAGE, MADV_POPULATE_READ), EINVAL);
	expect_errno(madvise(private, 2 * PAGE, MADV_POPULATE_WRITE), EINVAL);
	expect_equal(peek(private), 0x11);
	expect_equal(msync(map, 2 * PAGE, MS_ASYNC), 0);
	expect_equal(msync(map, 2 * PAGE, MS_SYNC | MS_INVALIDATE), 0);
}

/* A child need not have it; but what a device maps cannot be wiped, nor inherited again. */
static void advice_about_children(void)
{
	struct screen screen = screen_open();
	char *map = map_screen(&screen, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *private = map_screen(&screen, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

	expect_errno(madvise(map, PAGE, MADV_WIPEONFORK), EINVAL);
	expect_errno(madvise(private, PAGE, MADV_WIPEONFORK), EINVAL);
	expect_equal(madvise(map, PAGE, MADV_KEEPONFORK), 0);
	expect_equal(madvise(map, PAGE, MADV_DONTFORK), 0);
	expect_equal(madvise(private, PAGE, MADV_DONTFORK), 0);
	expect_errno(madvise(map, PAGE, MADV_DOFORK), EINVAL);
	expect_read_kills(map, SIGSEGV); /* a child's access */
	expect_read_kills(private, SIGSEGV);
	poke(map + PAGE, 0x33);
	expect_equal(peek(map + PAGE), 0x33);
}

/* It is no memory: never resident, and not to be locked, which succeeds and does nothing. */
static void no_memory(void)
{
	struct screen screen = screen_open();
	char *map = map_screen(&screen, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	long locked = proc_number("/proc/self/status", "VmLck");
	unsigned char resident[2] = {9, 9};

	poke(map, 1);
	peek(map + PAGE);
	expect_equal(mincore(map, 2 * PAGE, resident), 0);
	expect_equal(resident[0] | resident[1], 0);
	expect_equal(mlock(map, 2 * PAGE), 0);
	expect_equal(mlock2(map, 2 * PAGE, MLOCK_ONFAULT), 0);
	expect_equal(proc_number("/proc/self/status", "VmLck"), locked);
	expect_equal(munlock(map, 2 * PAGE), 0);
	map_screen(&screen, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_LOCKED, 0);
	expect_equal(proc_number("/proc/self/status", "VmLck"), locked);
}

/* Populating maps the device's pages, or makes the private copies; the contents are the same. */
static void populated(void)
{
	struct screen screen = screen_open();
	char *map = map_screen(&screen, screen.mapped, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_POPULATE, 0);
	char *private;

	fill_pattern(map, 0, 2 * PAGE);
	private = map_screen(&screen, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE,
			     0);
	expect_pattern(private, 0, 2 * PAGE);
	poke(private + PAGE, 0);
	expect_equal(peek(map + PAGE), pattern(PAGE));
}

/* read(2) into the screen and write(2) out of it, through a mapping. */
static void as_buffer(void)
{
	struct screen screen = screen_open();
	char *map = map_screen(&screen, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	int file, copy;

	scratch_enter();
	file = file_create("in", 3 * PAGE);
	expect_equal(read(file, map + 100, 3 * PAGE), 3 * PAGE);
	expect_pattern(map + 100, 0, 3 * PAGE);
	copy = open("out", O_RDWR | O_CREAT, 0644);
	expect_equal(write(copy, map + 100, 3 * PAGE), 3 * PAGE);
	expect_equal(file_byte("out", 2 * PAGE + 17), pattern(2 * PAGE + 17));
	expect_equal(pread(screen.fd, map + PAGE, PAGE, 100), PAGE); /* itself, elsewhere */
	expect_pattern(map + PAGE, 0, PAGE - 100);
}

static void shared_futex(void)
{
	struct screen screen = screen_open();
	char *map = map_screen(&screen, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	expect_errno(syscall(SYS_futex, map, 1 /* FUTEX_WAKE */, 1, NULL, NULL, 0), EFAULT);
}

static const struct tap_case cases[] = {
	{"the node is character device 29, 0", node},
	{"the screen is described, and the numbers fit together", described},
	{"bad pointers are EFAULT", bad_pointers},
	{"the mode there is can be set", the_mode_there_is},
	{"no other mode can be set", no_other_mode},
	{"panning stays within the memory", panning},
	{"blanking takes five levels and keeps the memory", blanking},
	{"other requests are ENOTTY or EINVAL", other_requests},
	{"bytes are written and read at offsets", bytes},
	{"at the end writes are short, then ENOSPC, beyond it EFBIG", at_the_end},
	{"more than all is all", more_than_all},
	{"bad buffers are EFAULT, or short", bad_buffers},
	{"lseek goes anywhere", seeking},
	{"descriptors open for one direction", access_modes},
	{"a shared mapping is the screen", shared_is_the_screen},
	{"mappings end where the memory does", map_edges},
	{"a private mapping copies what it stores to", private_copies},
	{"fork shares the screen, not private copies", fork_shares},
	{"mprotect gives and takes rights", rights},
	{"munmap takes parts away, close does not", unmapping},
	{"/proc/self/maps lists it", listed},
	{"mremap shrinks and moves, but does not grow it", remapping},
	{"msync has nothing to do, madvise drops nothing", advice},
	{"what madvise tells of children", advice_about_children},
	{"mincore and mlock", no_memory},
	{"MAP_POPULATE", populated},
	{"a mapping as buffer of read and write", as_buffer},
	{"no futex in shared device memory", shared_futex},
};

/* What the screen shows, or NULL: there is none. */
static void *save(size_t *size)
{
	struct fb_fix_screeninfo fix;
	int fd = open("/dev/fb0", O_RDWR);
	void *memory = NULL;

	if (fd >= 0 && ioctl(fd, FBIOGET_FSCREENINFO, &fix) == 0) {
		*size = fix.smem_len;
		memory = malloc(*size);
		if (memory && pread(fd, memory, *size, 0) != (ssize_t)*size)
			*size = 0;
	}
	close(fd);
	return memory;
}

static void restore(void *memory, size_t size)
{
	int fd = open("/dev/fb0", O_RDWR);

	if (pwrite(fd, memory, size, 0) != (ssize_t)size)
		dprintf(STDOUT_FILENO, "# the screen could not be put back\n");
	close(fd);
	free(memory);
}

int main(int argc, char **argv)
{
	size_t size = 0;
	void *before = save(&size);
	int status = tap_main(argc, argv, cases, ARRAY_LENGTH(cases));

	if (before)
		restore(before, size);
	return status;
}
