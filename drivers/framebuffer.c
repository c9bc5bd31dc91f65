/*
 * drivers/framebuffer.c - /dev/fb0: the screen's memory for read(2), write(2) and mmap(2).
 *
 * Where the mode comes from: GRUB sets the one the kernel's header asks for (boot/boot.asm) and
 * tells it by a multiboot2 tag. Booted without GRUB, QEMU's standard adapter is programmed here
 * (bochs_display.c). It stays as it is from then on.
 *
 * The interface is Linux's fbdev (<linux/fb.h>; Linux, Documentation/fb/api.rst; the errors are
 * those of drivers/video/fbdev/core):
 *
 *   open, mmap -> framebuffer_mmap; a touch -> mm/fault.c -> framebuffer_map_device, which answers
 *   with the page of the device. It has no struct frame: nothing counts it, and fork, munmap and
 *   mprotect just forget the entry, for it can be faulted in again. A store into a private mapping
 *   copies the page, as with a file.
 *
 * The mapping is uncached, the kernel's (for read and write) and programs' alike, so all see the
 * same bytes at once.
 *
 * Locks: none. What describes the device never changes; pixels are as atomic as stores are.
 * Not here: text on the screen (there is none), modes (bochs_display.c).
 * Tests: tests/guest/framebuffer.c, tests/serial/test_framebuffer.py.
 */
#include <boot/boot_info.h>
#include <drivers/bochs_display.h>
#include <drivers/framebuffer.h>
#include <fs/device.h>
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/base/log.h>
#include <linux/fb.h>
#include <linux/ioctl.h>
#include <linux/major.h>
#include <mm/kernel_map.h>
#include <mm/mem_object.h>
#include <string.h>

#define WIDTH 1024u /* where we choose; boot/boot.asm asks GRUB for the same */
#define HEIGHT 768u
#define SIDE_MAX 16384u /* pixels; beyond it a loader's word is not believed */

static struct framebuffer {
	struct mem_object object;
	struct fb_fix_screeninfo fix; /* [I] */
	struct fb_var_screeninfo var; /* [I] */
	char *memory;		      /* [I] fix.smem_len bytes, our own mapping */
	bool can_blank;		      /* [I] */
} screen;

/* --- mmap --- */

static int framebuffer_map_device(struct mem_object *object, uint64_t index,
				  struct device_page *page)
{
	uint64_t offset = index << PAGE_SHIFT;

	if (offset >= atomic_load(&object->size))
		return -EINVAL;
	page->phys = screen.fix.smem_start + offset;
	page->memory = screen.memory + offset;
	page->uncached = true;
	return 0;
}

static const struct mem_operations framebuffer_memory_operations = {
	.map_device = framebuffer_map_device,
};

/* As vm_iomap_memory() of Linux: the whole range must be there. */
static int framebuffer_mmap(struct file *file, struct mem_zone *zone)
{
	uint64_t size = atomic_load(&screen.object.size);

	(void)file;
	if (zone->offset > size || zone->end - zone->beg > size - zone->offset)
		return -EINVAL;
	mem_object_get(&screen.object);
	zone->object = &screen.object;
	zone->ops = screen.object.ops;
	return 0;
}

/* --- read and write --- */

static int framebuffer_open(struct inode *inode, struct file *file)
{
	(void)inode;
	file->seekable = true;
	return 0;
}

static ssize_t framebuffer_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	(void)file;
	return io_put_text(io, screen.memory, screen.fix.smem_len, pos);
}

/* Up to the end, and nothing beyond it: why less was written, the next call tells. */
static ssize_t framebuffer_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	uint64_t size = screen.fix.smem_len;
	size_t wanted, done;
	int error = 0;

	(void)file;
	if (pos > size)
		return -EFBIG;
	wanted = MIN(io->left, size - pos);
	if (wanted < io->left)
		error = io->left > size ? -EFBIG : -ENOSPC;
	done = io_get(io, screen.memory + pos, wanted);
	if (done < wanted)
		error = -EFAULT;
	return done ? (ssize_t)done : error;
}

/* --- ioctl --- */

/*
 * The one mode there is. What the fields from `activate` on say (timings, inches) is no matter
 * here.
 */
static int put_mode(uintptr_t arg)
{
	struct fb_var_screeninfo wanted;

	if (get_user(wanted, arg))
		return -EFAULT;
	if (memcmp(&wanted, &screen.var, offsetof(struct fb_var_screeninfo, activate)) ||
	    wanted.rotate != screen.var.rotate)
		return -EINVAL;
	return put_user(arg, screen.var);
}

/* The memory has no more rows than the screen: it can only begin at the first pixel. */
static int pan(uintptr_t arg)
{
	struct fb_var_screeninfo wanted;

	if (get_user(wanted, arg))
		return -EFAULT;
	return wanted.xoffset || wanted.yoffset ? -EINVAL : 0;
}

static int blank(uintptr_t level)
{
	if (level > FB_BLANK_POWERDOWN || !screen.can_blank)
		return -EINVAL;
	bochs_display_blank(level != FB_BLANK_UNBLANK);
	return 0;
}

/* Colours are in the pixels, no console is on the screen: what these ask about is not there. */
static int refuse(uintptr_t arg, size_t size)
{
	char request[sizeof(struct fb_cmap)];

	return copy_from_user(request, arg, size) ? -EFAULT : -EINVAL;
}

static int64_t framebuffer_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
	(void)file;
	switch (command) {
	case FBIOGET_VSCREENINFO:
		return put_user(arg, screen.var);
	case FBIOGET_FSCREENINFO:
		return put_user(arg, screen.fix);
	case FBIOPUT_VSCREENINFO:
		return put_mode(arg);
	case FBIOPAN_DISPLAY:
		return pan(arg);
	case FBIOBLANK:
		return blank(arg);
	case FBIOGETCMAP:
	case FBIOPUTCMAP:
		return refuse(arg, sizeof(struct fb_cmap));
	case FBIOGET_CON2FBMAP:
	case FBIOPUT_CON2FBMAP:
		return refuse(arg, sizeof(struct fb_con2fbmap));
	case FBIO_CURSOR:
		return -EINVAL;
	default:
		return -ENOTTY;
	}
}

/* The screen shows each store at once. */
static int framebuffer_fsync(struct file *file, uint64_t beg, uint64_t end, bool data_only)
{
	(void)file;
	(void)beg;
	(void)end;
	(void)data_only;
	return 0;
}

static const struct file_operations framebuffer_operations = {
	.open = framebuffer_open,
	.read = framebuffer_read,
	.write = framebuffer_write,
	.ioctl = framebuffer_ioctl,
	.mmap = framebuffer_mmap,
	.fsync = framebuffer_fsync,
};

/* --- finding it --- */

static bool field_is_usable(struct boot_color_field field, uint32_t bits)
{
	return field.length > 0 && field.length <= 16 && field.offset + field.length <= bits;
}

/* Whole bytes, whole pages at the start, nothing that overflows. */
static bool mode_is_usable(const struct boot_framebuffer *mode)
{
	uint32_t bits = mode->bits_per_pixel;

	return (bits == 16 || bits == 24 || bits == 32) && mode->base % PAGE_SIZE == 0 &&
	       mode->width > 0 && mode->width <= SIDE_MAX && mode->height > 0 &&
	       mode->height <= SIDE_MAX && mode->pitch >= mode->width * (bits / 8) &&
	       mode->pitch <= UINT32_MAX / mode->height && field_is_usable(mode->red, bits) &&
	       field_is_usable(mode->green, bits) && field_is_usable(mode->blue, bits);
}

static struct fb_bitfield bitfield(struct boot_color_field field)
{
	return (struct fb_bitfield){.offset = field.offset, .length = field.length};
}

static void describe(const struct boot_framebuffer *mode)
{
	screen.fix = (struct fb_fix_screeninfo){
		.id = "stos",
		.smem_start = mode->base,
		.smem_len = mode->pitch * mode->height,
		.type = FB_TYPE_PACKED_PIXELS,
		.visual = FB_VISUAL_TRUECOLOR,
		.line_length = mode->pitch,
		.accel = FB_ACCEL_NONE,
	};
	screen.var = (struct fb_var_screeninfo){
		.xres = mode->width,
		.yres = mode->height,
		.xres_virtual = mode->width,
		.yres_virtual = mode->height,
		.bits_per_pixel = mode->bits_per_pixel,
		.red = bitfield(mode->red),
		.green = bitfield(mode->green),
		.blue = bitfield(mode->blue),
		.activate = FB_ACTIVATE_NOW,
		.height = UINT32_MAX, /* in millimetres: unknown */
		.width = UINT32_MAX,
		.vmode = FB_VMODE_NONINTERLACED,
	};
}

void framebuffer_init(void)
{
	struct boot_framebuffer mode = boot_info.framebuffer;
	bool adapter = bochs_display_find();

	if (!mode.base && !(adapter && bochs_display_set_mode(WIDTH, HEIGHT, &mode)))
		return;
	if (!mode_is_usable(&mode)) {
		log_warning("framebuffer: %ux%u, %u bits per pixel at %#lx cannot be used",
			    mode.width, mode.height, mode.bits_per_pixel, mode.base);
		return;
	}
	describe(&mode);
	screen.can_blank =
	    adapter && bochs_display_memory() == mode.base && bochs_display_can_blank();
	screen.memory = kernel_map_device(mode.base, screen.fix.smem_len);
	mem_object_init(&screen.object, &framebuffer_memory_operations,
			PAGE_ALIGN_UP((uint64_t)screen.fix.smem_len));
	if (device_register(FB_MAJOR, 0, "fb0", S_IFCHR | 0600, &framebuffer_operations, NULL))
		log_warning("/dev/fb0 could not be made");
	log_info("framebuffer: %ux%u, %u bits per pixel at %#lx", mode.width, mode.height,
		 mode.bits_per_pixel, mode.base);
}
