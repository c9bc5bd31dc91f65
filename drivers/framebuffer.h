/* drivers/framebuffer.h - /dev/fb0: the screen's memory, as Linux's fbdev shows it. */
#pragma once

/*
 * Registers /dev/fb0 where there is a display: the mode the loader set, or one of our own. Once, in
 * drivers_init, after pci_init. Without a display there is no /dev/fb0.
 */
void framebuffer_init(void);
