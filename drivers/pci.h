/*
 * drivers/pci.h - the PCI functions of the machine and their configuration space.
 *
 * Found once at boot, never freed: a struct pci_device * stays good.
 */
#pragma once

#include <kernel/base/list.h>
#include <linux/pci_regs.h>

struct pci_bar {
	phys_t base;   /* 0: not there */
	uint64_t size; /* bytes */
	bool io;       /* a range of ports */
};

struct pci_device {
	uint8_t bus, slot, function;
	uint8_t header_type; /* PCI_HEADER_TYPE_NORMAL, ... */
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem;
	uint32_t class_code; /* class, subclass, interface: 24 bits */
	struct pci_bar bars[PCI_STD_NUM_BARS];
	volatile uint8_t *msix_table; /* NULL: not enabled */
	unsigned msix_count;	      /* entries in it */
	struct list_node link;
};

/* Finds all functions. Once, in drivers_init, with the heap up. */
void pci_init(void);
/* Calls `visit` for each, in bus order. `visit` may sleep. */
void pci_for_each(void (*visit)(struct pci_device *device, void *arg), void *arg);

/* Configuration space, `offset` in bytes, naturally aligned. Any context. */
uint32_t pci_read32(const struct pci_device *device, unsigned offset);
uint16_t pci_read16(const struct pci_device *device, unsigned offset);
uint8_t pci_read8(const struct pci_device *device, unsigned offset);
void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value);
void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value);

/* The first capability of this id after offset `after` (0: from the start), or 0. */
unsigned pci_find_capability(const struct pci_device *device, uint8_t id, unsigned after);

/* Lets it answer to its memory ranges and read and write memory by itself. */
void pci_enable(struct pci_device *device);
/* `size` bytes at `offset` of a memory range, mapped uncached for good; NULL if not inside it. */
must_check void *pci_map_bar(const struct pci_device *device, unsigned bar, uint64_t offset,
			     size_t size);

/* Turns MSI-X on, all entries masked: the number of entries, or -ENODEV. */
must_check int pci_msix_enable(struct pci_device *device);
/* Entry `entry` signals `vector` on the calling processor from here on. */
void pci_msix_route(struct pci_device *device, unsigned entry, unsigned vector);
