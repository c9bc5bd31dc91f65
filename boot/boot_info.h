/*
 * boot/boot_info.h - what the loader told us, in one form for multiboot2 and PVH.
 */
#pragma once

#include <mm/frame.h>

#define BOOT_RANGES_MAX 64
#define BOOT_MODULES_MAX 8
#define BOOT_CMDLINE_SIZE 2048

/* Where a colour's bits are in a pixel: the lowest, and how many. */
struct boot_color_field {
	uint8_t offset, length;
};

/* A linear framebuffer of true colour that the loader has set up. */
struct boot_framebuffer {
	phys_t base; /* 0: there is none */
	uint32_t pitch; /* bytes from row to row */
	uint32_t width, height; /* pixels */
	uint32_t bits_per_pixel;
	struct boot_color_field red, green, blue;
};

struct boot_info {
	struct memory_range usable[BOOT_RANGES_MAX]; /* RAM, as the firmware says */
	size_t usable_count;
	struct memory_range modules[BOOT_MODULES_MAX]; /* initrd archives */
	size_t module_count;
	char cmdline[BOOT_CMDLINE_SIZE];
	phys_t rsdp; /* of ACPI, or 0: look for it */
	uint8_t rsdp_copy[36]; /* ACPI 6.4, 5.2.5.3 */
	struct boot_framebuffer framebuffer;
};

extern struct boot_info boot_info; /* [I] after boot_info_read */

/*
 * Reads the loader's structures, which lie below 4 GiB. Panics on a magic number that is
 * neither multiboot2's nor PVH's. `information` is not looked at again.
 */
void boot_info_read(uint32_t magic, phys_t information);

/* Linker symbols (boot/stos.ld); only their addresses mean something. */
extern char boot_begin[], boot_end[];
extern char kernel_text_begin[], kernel_text_end[];
extern char kernel_rodata_begin[], kernel_rodata_end[];
extern char kernel_data_begin[], kernel_data_end[];
extern char boot_stack_guard[], boot_stack[], boot_stack_top[];

#define KERNEL_BASE 0xffffffff80000000ul

/* Of an address in the kernel's image. */
static inline phys_t image_phys(const void *address)
{
	return (uintptr_t)address - KERNEL_BASE;
}
