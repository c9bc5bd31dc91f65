/*
 * drivers/bochs_display.c - QEMU's standard display adapter (-vga std, -device bochs-display): PCI
 * function 1234:1111, with the "dispi" registers that the Bochs emulator introduced.
 *
 * Way in: framebuffer.c, to set a mode where the loader has set none, and to blank the screen.
 *
 * Source: QEMU, docs/specs/standard-vga: range 0 is the video memory, range 2 the registers (VGA's
 * from 0x400 on, as at ports 0x3c0 and up; dispi's, 16 bits each, from 0x500 on).
 *
 * Locks: none; blanking is two registers of one meaning, and whoever comes last wins.
 * Tests: tests/serial/test_framebuffer.py.
 */
#include <drivers/bochs_display.h>
#include <drivers/pci.h>

#define BOCHS_VENDOR 0x1234
#define BOCHS_DEVICE 0x1111
#define MEMORY_BAR 0
#define REGISTERS_BAR 2
#define REGISTERS_SIZE 0x1000
#define CLASS_VGA 0x030000 /* PCI class, subclass, interface: there is a VGA core */

#define VGA_REGISTERS 0x400
#define VGA_ATTRIBUTE 0x00	  /* port 0x3c0 */
#define VGA_ATTRIBUTE_SHOW 0x20u  /* address source: the screen shows the memory */
#define VGA_MISCELLANEOUS 0x02	  /* port 0x3c2 */
#define VGA_MISCELLANEOUS_COLOR 1u /* the status register is at 0x3da */
#define VGA_STATUS 0x1a		  /* port 0x3da; once read, the next write to 0x3c0 is an index */

#define DISPI_REGISTERS 0x500
enum dispi_register {
	DISPI_ID,
	DISPI_WIDTH,
	DISPI_HEIGHT,
	DISPI_BITS_PER_PIXEL,
	DISPI_ENABLE,
	DISPI_BANK,
	DISPI_VIRTUAL_WIDTH,
	DISPI_VIRTUAL_HEIGHT,
	DISPI_X_OFFSET,
	DISPI_Y_OFFSET,
};
#define DISPI_ID_VERSIONS 0xfff0u /* the rest is the version */
#define DISPI_ID_ANY 0xb0c0u
#define DISPI_ENABLED 0x01u
#define DISPI_LINEAR 0x40u

#define BYTES_PER_PIXEL 4u

static struct pci_device *adapter;	    /* [I] NULL: not there */
static volatile uint8_t *adapter_registers; /* [I] */

static volatile uint16_t *dispi(enum dispi_register index)
{
	return (volatile uint16_t *)(adapter_registers + DISPI_REGISTERS) + index;
}

static void consider(struct pci_device *device, void *arg)
{
	(void)arg;
	if (device->vendor != BOCHS_VENDOR || device->device != BOCHS_DEVICE || adapter)
		return;
	pci_enable(device);
	adapter_registers = pci_map_bar(device, REGISTERS_BAR, 0, REGISTERS_SIZE);
	if (adapter_registers && (*dispi(DISPI_ID) & DISPI_ID_VERSIONS) == DISPI_ID_ANY)
		adapter = device;
}

bool bochs_display_find(void)
{
	pci_for_each(consider, NULL);
	return adapter;
}

phys_t bochs_display_memory(void)
{
	return adapter->bars[MEMORY_BAR].base;
}

bool bochs_display_set_mode(uint32_t width, uint32_t height, struct boot_framebuffer *mode)
{
	const struct pci_bar *memory = &adapter->bars[MEMORY_BAR];

	if (memory->io || !memory->base || memory->size / BYTES_PER_PIXEL / width < height)
		return false;
	*dispi(DISPI_ENABLE) = 0;
	*dispi(DISPI_WIDTH) = (uint16_t)width;
	*dispi(DISPI_HEIGHT) = (uint16_t)height;
	*dispi(DISPI_BITS_PER_PIXEL) = 8 * BYTES_PER_PIXEL;
	*dispi(DISPI_BANK) = 0;
	*dispi(DISPI_VIRTUAL_WIDTH) = (uint16_t)width;
	*dispi(DISPI_VIRTUAL_HEIGHT) = (uint16_t)height;
	*dispi(DISPI_X_OFFSET) = 0;
	*dispi(DISPI_Y_OFFSET) = 0;
	*dispi(DISPI_ENABLE) = DISPI_ENABLED | DISPI_LINEAR;
	if (bochs_display_can_blank())
		bochs_display_blank(false);
	*mode = (struct boot_framebuffer){
		.base = memory->base,
		.pitch = BYTES_PER_PIXEL * width,
		.width = width,
		.height = height,
		.bits_per_pixel = 8 * BYTES_PER_PIXEL,
		.red = {.offset = 16, .length = 8},
		.green = {.offset = 8, .length = 8},
		.blue = {.offset = 0, .length = 8},
	};
	return true;
}

bool bochs_display_can_blank(void)
{
	return adapter->class_code == CLASS_VGA;
}

void bochs_display_blank(bool blank)
{
	volatile uint8_t *vga = adapter_registers + VGA_REGISTERS;

	vga[VGA_MISCELLANEOUS] = VGA_MISCELLANEOUS_COLOR;
	(void)vga[VGA_STATUS];
	vga[VGA_ATTRIBUTE] = blank ? 0 : VGA_ATTRIBUTE_SHOW;
}
