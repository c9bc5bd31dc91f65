/*
 * drivers/pci.c - PCI by configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2;
 * register names of <linux/pci_regs.h>).
 *
 * Way in: drivers_init calls pci_init; virtio_pci.c asks for its devices.
 *
 * Buses are found by walking: bus 0, and behind each bridge the bus the firmware numbered. The
 * firmware has assigned all ranges; here they are only read, and sized by writing all ones
 * (6.2.5.1), with decoding off meanwhile.
 *
 * Locks: pci_config_lock for the address and data port pair. The list is built once.
 */
#include <drivers/lapic.h>
#include <drivers/pci.h>
#include <kernel/base/errno.h>
#include <kernel/base/io.h>
#include <kernel/base/lock.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <mm/heap.h>
#include <mm/kernel_map.h>

#define PCI_CONFIG_ADDRESS 0xcf8
#define PCI_CONFIG_DATA 0xcfc
#define PCI_CONFIG_ENABLE 0x80000000u
#define PCI_SLOTS 32
#define PCI_FUNCTIONS 8
#define PCI_VENDOR_NONE 0xffff
#define PCI_MULTI_FUNCTION 0x80 /* in PCI_HEADER_TYPE: 6.2.1 */
#define PCI_HEADER_TYPE_BITS 0x7f
#define PCI_CAPABILITIES_MAX 48 /* as many fit in 192 bytes: the end of a list that is a ring */
#define PCI_BUS_DEPTH_MAX 16

static struct spinlock pci_config_lock = SPINLOCK_INIT(RANK_DRIVER);
static struct list_node pci_devices = LIST_INIT(pci_devices); /* [I] after pci_init */

static void pci_address(const struct pci_device *device, unsigned offset) REQUIRES(pci_config_lock)
{
	uint32_t where = (uint32_t)device->bus << 16 | (uint32_t)device->slot << 11 |
			 (uint32_t)device->function << 8 | (offset & 0xfc);

	io_out32(PCI_CONFIG_ADDRESS, PCI_CONFIG_ENABLE | where);
}

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
	uint64_t flags = spin_lock_irq(&pci_config_lock);
	uint32_t value;

	pci_address(device, offset);
	value = io_in32(PCI_CONFIG_DATA);
	spin_unlock_irq(&pci_config_lock, flags);
	return value;
}

uint16_t pci_read16(const struct pci_device *device, unsigned offset)
{
	return (uint16_t)(pci_read32(device, offset) >> (offset & 2) * 8);
}

uint8_t pci_read8(const struct pci_device *device, unsigned offset)
{
	return (uint8_t)(pci_read32(device, offset) >> (offset & 3) * 8);
}

void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value)
{
	uint64_t flags = spin_lock_irq(&pci_config_lock);

	pci_address(device, offset);
	io_out32(PCI_CONFIG_DATA, value);
	spin_unlock_irq(&pci_config_lock, flags);
}

/* As 16 bits: the other half of the word may hold bits that clear when written. */
void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value)
{
	uint64_t flags = spin_lock_irq(&pci_config_lock);

	pci_address(device, offset);
	io_out16((uint16_t)(PCI_CONFIG_DATA + (offset & 2)), value);
	spin_unlock_irq(&pci_config_lock, flags);
}

unsigned pci_find_capability(const struct pci_device *device, uint8_t id, unsigned after)
{
	unsigned at;

	if (!(pci_read16(device, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	at = pci_read8(device, after ? after + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST) & 0xfc;
	for (unsigned i = 0; at && i < PCI_CAPABILITIES_MAX; i++) {
		if (pci_read8(device, at + PCI_CAP_LIST_ID) == id)
			return at;
		at = pci_read8(device, at + PCI_CAP_LIST_NEXT) & 0xfc;
	}
	return 0;
}

/* What reads back as zero after writing all ones are the bits below the size. */
static uint32_t pci_size_mask(const struct pci_device *device, unsigned offset, uint32_t value)
{
	uint32_t mask;

	pci_write32(device, offset, UINT32_MAX);
	mask = pci_read32(device, offset);
	pci_write32(device, offset, value);
	return mask;
}

/* Returns how many registers it takes: two when it is a 64-bit range. */
static unsigned pci_read_bar(struct pci_device *device, unsigned index)
{
	struct pci_bar *bar = &device->bars[index];
	unsigned offset = PCI_BASE_ADDRESS_0 + 4 * index;
	uint32_t value = pci_read32(device, offset);
	uint32_t mask = pci_size_mask(device, offset, value);
	uint64_t mask64;

	if (value & PCI_BASE_ADDRESS_SPACE_IO) {
		bar->io = true;
		bar->base = value & ~3u;
		bar->size = (uint16_t) ~(mask & ~3u) + 1ul;
		return 1;
	}
	bar->base = value & ~0xfu;
	mask64 = 0xffffffff00000000ul | (mask & ~0xfu);
	if ((value & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64 &&
	    index + 1 < PCI_STD_NUM_BARS) {
		uint32_t high = pci_read32(device, offset + 4);

		bar->base |= (uint64_t)high << 32;
		mask64 = (uint64_t)pci_size_mask(device, offset + 4, high) << 32 | (mask & ~0xfu);
		bar->size = ~mask64 + 1;
		return 2;
	}
	bar->size = mask ? ~mask64 + 1 : 0;
	return 1;
}

static void pci_read_bars(struct pci_device *device)
{
	uint16_t command = pci_read16(device, PCI_COMMAND);
	unsigned index = 0;

	pci_write16(device, PCI_COMMAND,
		    command & (uint16_t) ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	while (index < PCI_STD_NUM_BARS)
		index += pci_read_bar(device, index);
	pci_write16(device, PCI_COMMAND, command);
}

static void pci_add(const struct pci_device *found)
{
	struct pci_device *device = kzalloc(sizeof(*device));

	if (!device) {
		log_error("pci: no memory for %02x:%02x.%x", found->bus, found->slot,
			  found->function);
		return;
	}
	*device = *found;
	if (device->header_type == PCI_HEADER_TYPE_NORMAL) {
		device->subsystem_vendor = pci_read16(device, PCI_SUBSYSTEM_VENDOR_ID);
		device->subsystem = pci_read16(device, PCI_SUBSYSTEM_ID);
		pci_read_bars(device);
	}
	list_push_back(&pci_devices, &device->link);
	log_debug("pci: %02x:%02x.%x %04x:%04x class %06x", device->bus, device->slot,
		  device->function, device->vendor, device->device, device->class_code);
}

/* False when nobody answers there. */
static bool pci_probe(struct pci_device *device)
{
	device->vendor = pci_read16(device, PCI_VENDOR_ID);
	if (device->vendor == PCI_VENDOR_NONE)
		return false;
	device->device = pci_read16(device, PCI_DEVICE_ID);
	device->header_type = pci_read8(device, PCI_HEADER_TYPE);
	device->class_code = pci_read32(device, PCI_CLASS_REVISION) >> 8;
	return true;
}

static void pci_scan_bus(uint8_t bus, unsigned depth);

static void pci_scan_slot(uint8_t bus, uint8_t slot, unsigned depth)
{
	unsigned functions = 1;

	for (unsigned function = 0; function < functions; function++) {
		struct pci_device found = {.bus = bus, .slot = slot, .function = (uint8_t)function};
		uint8_t behind;

		if (!pci_probe(&found))
			continue;
		if (function == 0 && found.header_type & PCI_MULTI_FUNCTION)
			functions = PCI_FUNCTIONS;
		found.header_type &= PCI_HEADER_TYPE_BITS;
		pci_add(&found);
		if (found.header_type != PCI_HEADER_TYPE_BRIDGE)
			continue;
		behind = pci_read8(&found, PCI_SECONDARY_BUS);
		if (behind > bus)
			pci_scan_bus(behind, depth + 1);
	}
}

static void pci_scan_bus(uint8_t bus, unsigned depth)
{
	if (depth > PCI_BUS_DEPTH_MAX)
		return;
	for (uint8_t slot = 0; slot < PCI_SLOTS; slot++)
		pci_scan_slot(bus, slot, depth);
}

void pci_init(void)
{
	pci_scan_bus(0, 0);
}

void pci_for_each(void (*visit)(struct pci_device *device, void *arg), void *arg)
{
	struct pci_device *device;

	list_for_each_entry (device, &pci_devices, link)
		visit(device, arg);
}

void pci_enable(struct pci_device *device)
{
	uint16_t command = pci_read16(device, PCI_COMMAND);

	pci_write16(device, PCI_COMMAND,
		    command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
}

void *pci_map_bar(const struct pci_device *device, unsigned bar, uint64_t offset, size_t size)
{
	const struct pci_bar *range;

	if (bar >= PCI_STD_NUM_BARS)
		return NULL;
	range = &device->bars[bar];
	if (range->io || !range->base || !size || size > range->size || offset > range->size - size)
		return NULL;
	return kernel_map_device(range->base + offset, size);
}

/* PCI Local Bus Specification 3.0, 6.8.2. */
int pci_msix_enable(struct pci_device *device)
{
	unsigned at = pci_find_capability(device, PCI_CAP_ID_MSIX, 0);
	uint32_t table;
	uint16_t control;

	if (!at)
		return -ENODEV;
	control = pci_read16(device, at + PCI_MSIX_FLAGS);
	table = pci_read32(device, at + PCI_MSIX_TABLE);
	device->msix_count = (control & PCI_MSIX_FLAGS_QSIZE) + 1u;
	device->msix_table =
	    pci_map_bar(device, table & PCI_MSIX_TABLE_BIR, table & PCI_MSIX_TABLE_OFFSET,
			(size_t)device->msix_count * PCI_MSIX_ENTRY_SIZE);
	if (!device->msix_table)
		return -ENODEV;
	pci_write16(device, at + PCI_MSIX_FLAGS,
		    (control & (uint16_t)~PCI_MSIX_FLAGS_MASKALL) | PCI_MSIX_FLAGS_ENABLE);
	return (int)device->msix_count;
}

void pci_msix_route(struct pci_device *device, unsigned entry, unsigned vector)
{
	volatile uint32_t *words;

	kassert(device->msix_table && entry < device->msix_count);
	words = (volatile uint32_t *)(device->msix_table + (size_t)entry * PCI_MSIX_ENTRY_SIZE);
	words[PCI_MSIX_ENTRY_VECTOR_CTRL / 4] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	words[PCI_MSIX_ENTRY_LOWER_ADDR / 4] =
	    LAPIC_MESSAGE_ADDRESS | cpus[0].apic_id << LAPIC_MESSAGE_ID_SHIFT;
	words[PCI_MSIX_ENTRY_UPPER_ADDR / 4] = 0;
	words[PCI_MSIX_ENTRY_DATA / 4] = vector;
	words[PCI_MSIX_ENTRY_VECTOR_CTRL / 4] = 0;
}
