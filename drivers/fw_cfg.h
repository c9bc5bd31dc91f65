/*
 * drivers/fw_cfg.h - files that QEMU's command line hands to the guest (-fw_cfg name=...).
 *
 * One reader at a time: these are for boot, before there is a second task.
 */
#pragma once

#include <kernel/base/types.h>

#define FW_CFG_APPEND "opt/stos/append"	  /* text added to the kernel command line */
#define FW_CFG_OVERLAY "opt/stos/overlay" /* newc archive unpacked over the root */

struct fw_cfg_item {
	uint32_t size; /* bytes */
	uint16_t select;
};

/* Looks for the device. By ports only: before memory, locks and the direct map. */
void fw_cfg_early_init(void);
/* Reads by DMA from here on, where the device can. After frame_init. */
void fw_cfg_init(void);

/* Finds a file by its full name; false when there is none, or no such device. */
must_check bool fw_cfg_find(const char *name, struct fw_cfg_item *item);
/* Makes this file the one read, from its start. Undone by fw_cfg_find. */
void fw_cfg_select(const struct fw_cfg_item *item);
/* The next `size` bytes of the selected file into `buf`, any kernel memory; zeros past its end. */
void fw_cfg_read(void *buf, size_t size);
