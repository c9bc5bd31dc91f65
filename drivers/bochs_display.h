/* drivers/bochs_display.h - QEMU's standard display adapter: setting a mode, going dark. */
#pragma once

#include <boot/boot_info.h>

/* Looks for the adapter; false: there is none, and nothing below may be called. After pci_init. */
must_check bool bochs_display_find(void);
/* Where its memory begins: what the loader calls the framebuffer, if it set the mode. */
phys_t bochs_display_memory(void);
/* 32 bits per pixel, cleared. False when its memory is too small; else *mode says what there is. */
must_check bool bochs_display_set_mode(uint32_t width, uint32_t height,
				       struct boot_framebuffer *mode);
/* It has a VGA core, which can be told to show nothing. */
bool bochs_display_can_blank(void);
/* Shows nothing, or the picture again. Any context. */
void bochs_display_blank(bool blank);
