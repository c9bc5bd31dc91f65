/*
 * boot/boot_info.c - reads multiboot2's and PVH's structures into one struct boot_info.
 *
 * Called first thing by kernel_main, on the boot page tables: everything below 4 GiB can be
 * read through the direct map. Sources: multiboot2 specification 3.6; Xen's
 * start_info.h for PVH (QEMU fills version 1).
 */
#include <boot/boot_info.h>
#include <kernel/base/panic.h>
#include <string.h>

#define MULTIBOOT2_LOADER_MAGIC 0x36d76289u
#define PVH_BOOT_MAGIC 0x336ec578u

/* Multiboot2 tags, 3.6. */
enum multiboot2_tag_type {
	MULTIBOOT2_TAG_END = 0,
	MULTIBOOT2_TAG_CMDLINE = 1,
	MULTIBOOT2_TAG_MODULE = 3,
	MULTIBOOT2_TAG_MEMORY_MAP = 6,
	MULTIBOOT2_TAG_FRAMEBUFFER = 8,
	MULTIBOOT2_TAG_ACPI_OLD = 14,
	MULTIBOOT2_TAG_ACPI_NEW = 15,
};

#define MEMORY_TYPE_RAM 1u /* in both formats, as in E820 */

struct multiboot2_tag {
	uint32_t type, size;
};

struct multiboot2_module {
	struct multiboot2_tag tag;
	uint32_t beg, end;
	char cmdline[];
};

struct multiboot2_memory_entry {
	uint64_t base, length;
	uint32_t type, reserved;
};

struct multiboot2_memory_map {
	struct multiboot2_tag tag;
	uint32_t entry_size, entry_version;
};

#define MULTIBOOT2_FRAMEBUFFER_RGB 1u /* 3.6.12: neither a palette nor text */

struct multiboot2_framebuffer {
	struct multiboot2_tag tag;
	uint64_t base;
	uint32_t pitch, width, height;
	uint8_t bits_per_pixel, type;
	uint16_t reserved;
	struct boot_color_field red, green, blue; /* of type RGB */
};

struct pvh_start_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, cmdline, rsdp, memory_map;
	uint32_t memory_map_count, reserved;
};

struct pvh_module {
	uint64_t base, size, cmdline, reserved;
};

struct pvh_memory_entry {
	uint64_t base, size;
	uint32_t type, reserved;
};

struct boot_info boot_info;

static void add_usable(uint64_t base, uint64_t length)
{
	if (boot_info.usable_count < BOOT_RANGES_MAX)
		boot_info.usable[boot_info.usable_count++] =
			(struct memory_range){.beg = base, .end = base + length};
}

static void add_module(uint64_t beg, uint64_t end)
{
	if (boot_info.module_count < BOOT_MODULES_MAX)
		boot_info.modules[boot_info.module_count++] =
			(struct memory_range){.beg = beg, .end = end};
}

static void read_memory_map(const struct multiboot2_memory_map *map)
{
	const char *entry = (const char *)(map + 1);
	const char *end = (const char *)map + map->tag.size;

	for (; entry + sizeof(struct multiboot2_memory_entry) <= end; entry += map->entry_size) {
		const struct multiboot2_memory_entry *e = (const void *)entry;

		if (e->type == MEMORY_TYPE_RAM)
			add_usable(e->base, e->length);
	}
}

static void read_framebuffer(const struct multiboot2_framebuffer *tag)
{
	if (tag->tag.size < offsetof(struct multiboot2_framebuffer, blue) + sizeof(tag->blue) ||
	    tag->type != MULTIBOOT2_FRAMEBUFFER_RGB)
		return;
	boot_info.framebuffer = (struct boot_framebuffer){
		.base = tag->base,
		.pitch = tag->pitch,
		.width = tag->width,
		.height = tag->height,
		.bits_per_pixel = tag->bits_per_pixel,
		.red = tag->red,
		.green = tag->green,
		.blue = tag->blue,
	};
}

static void read_multiboot2_tag(const struct multiboot2_tag *tag)
{
	switch (tag->type) {
	case MULTIBOOT2_TAG_CMDLINE:
		strlcpy(boot_info.cmdline, (const char *)(tag + 1), sizeof(boot_info.cmdline));
		break;
	case MULTIBOOT2_TAG_MODULE: {
		const struct multiboot2_module *module = (const void *)tag;

		add_module(module->beg, module->end);
		break;
	}
	case MULTIBOOT2_TAG_MEMORY_MAP:
		read_memory_map((const void *)tag);
		break;
	case MULTIBOOT2_TAG_FRAMEBUFFER:
		read_framebuffer((const void *)tag);
		break;
	case MULTIBOOT2_TAG_ACPI_OLD:
	case MULTIBOOT2_TAG_ACPI_NEW:
		/* The tag holds a copy of the RSDP, in memory that will be reused. */
		memcpy(boot_info.rsdp_copy, tag + 1,
		       MIN(tag->size - sizeof(*tag), sizeof(boot_info.rsdp_copy)));
		boot_info.rsdp = image_phys(boot_info.rsdp_copy);
		break;
	default:
		break;
	}
}

static void read_multiboot2(phys_t information)
{
	const struct multiboot2_tag *tag = phys_to_virt(information + 8);

	while (tag->type != MULTIBOOT2_TAG_END) {
		read_multiboot2_tag(tag);
		tag = (const void *)((const char *)tag + ALIGN_UP(tag->size, 8u));
	}
}

static void read_pvh(phys_t information)
{
	const struct pvh_start_info *start = phys_to_virt(information);
	const struct pvh_memory_entry *memory = phys_to_virt(start->memory_map);
	const struct pvh_module *module = phys_to_virt(start->modules);

	for (uint32_t i = 0; i < start->memory_map_count; i++)
		if (memory[i].type == MEMORY_TYPE_RAM)
			add_usable(memory[i].base, memory[i].size);
	for (uint32_t i = 0; i < start->module_count; i++)
		add_module(module[i].base, module[i].base + module[i].size);
	if (start->cmdline)
		strlcpy(boot_info.cmdline, phys_to_virt(start->cmdline), sizeof(boot_info.cmdline));
	boot_info.rsdp = start->rsdp;
}

void boot_info_read(uint32_t magic, phys_t information)
{
	if (magic == MULTIBOOT2_LOADER_MAGIC)
		read_multiboot2(information);
	else if (magic == PVH_BOOT_MAGIC)
		read_pvh(information);
	else
		panic("neither multiboot2 nor PVH booted us (magic %#x)", magic);
	if (boot_info.usable_count == 0)
		panic("the loader gave no memory map");
}
