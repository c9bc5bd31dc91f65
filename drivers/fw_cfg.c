/*
 * drivers/fw_cfg.c - QEMU's firmware configuration device (QEMU: docs/specs/fw_cfg.rst; names of
 * <linux/qemu_fw_cfg.h>).
 *
 * Way in: boot reads opt/stos/append very early, by ports; kernel_main streams opt/stos/overlay,
 * hundreds of megabytes perhaps, by DMA.
 *
 * DMA writes to physical memory: a destination in the direct map is given to the device as it is;
 * any other (kernel image, stacks) is filled through a bounce buffer. The device has finished
 * when the write that started it returns, but the protocol says to look at the control word.
 *
 * Locks: none; one reader at a time is the contract.
 */
#include <drivers/fw_cfg.h>
#include <kernel/base/cpu.h>
#include <kernel/base/io.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <linux/qemu_fw_cfg.h>
#include <mm/frame.h>
#include <string.h>

/* x86 ports: fw_cfg.rst, "Register Locations". */
#define FW_CFG_PORT_SELECT 0x510
#define FW_CFG_PORT_DATA 0x511
#define FW_CFG_PORT_DMA_HIGH 0x514
#define FW_CFG_PORT_DMA_LOW 0x518
#define FW_CFG_SIGNATURE_TEXT "QEMU"
#define FW_CFG_DMA_CHUNK (4ul << 20)
#define FW_CFG_BOUNCE_ORDER 2

/* Big-endian, as all of the interface. */
struct fw_cfg_bounce {
	struct fw_cfg_dma_access access;
	uint8_t data[(PAGE_SIZE << FW_CFG_BOUNCE_ORDER) - sizeof(struct fw_cfg_dma_access)];
};

static bool fw_cfg_present;		    /* [I] after fw_cfg_early_init */
static struct fw_cfg_bounce *fw_cfg_bounce; /* [I] after fw_cfg_init; NULL: ports only */

static void fw_cfg_select_key(uint16_t key)
{
	io_out16(FW_CFG_PORT_SELECT, key);
}

static void fw_cfg_read_port(uint8_t *bytes, size_t size)
{
	__asm__ volatile("rep insb"
			 : "+D"(bytes), "+c"(size)
			 : "d"((uint16_t)FW_CFG_PORT_DATA)
			 : "memory");
}

void fw_cfg_early_init(void)
{
	uint8_t signature[FW_CFG_SIG_SIZE];

	fw_cfg_select_key(FW_CFG_SIGNATURE);
	fw_cfg_read_port(signature, sizeof(signature));
	fw_cfg_present = memcmp(signature, FW_CFG_SIGNATURE_TEXT, sizeof(signature)) == 0;
}

void fw_cfg_init(void)
{
	struct frame *block;
	uint32_t id; /* little-endian, this one item */

	if (!fw_cfg_present)
		return;
	fw_cfg_select_key(FW_CFG_ID);
	fw_cfg_read_port((uint8_t *)&id, sizeof(id));
	if (!(id & FW_CFG_VERSION_DMA))
		return;
	block = frame_alloc_block(FW_CFG_BOUNCE_ORDER);
	if (block)
		fw_cfg_bounce = frame_virt(block);
}

static void fw_cfg_read_dma(phys_t to, size_t size)
{
	volatile struct fw_cfg_dma_access *access = &fw_cfg_bounce->access;
	phys_t where = virt_to_phys(fw_cfg_bounce);
	uint32_t control;

	access->length = __builtin_bswap32((uint32_t)size);
	access->address = __builtin_bswap64(to);
	access->control = __builtin_bswap32(FW_CFG_DMA_CTL_READ);
	atomic_thread_fence(memory_order_seq_cst);
	io_out32(FW_CFG_PORT_DMA_HIGH, __builtin_bswap32((uint32_t)(where >> 32)));
	io_out32(FW_CFG_PORT_DMA_LOW, __builtin_bswap32((uint32_t)where));
	do {
		cpu_relax();
		control = __builtin_bswap32(access->control);
	} while (control & ~(uint32_t)FW_CFG_DMA_CTL_ERROR);
	if (control & FW_CFG_DMA_CTL_ERROR)
		panic("fw_cfg: DMA of %zu bytes to %#lx failed", size, (unsigned long)to);
}

static bool in_direct_map(const void *p)
{
	uintptr_t address = (uintptr_t)p;

	return address >= DIRECT_MAP_BASE && address - DIRECT_MAP_BASE < frame_array_count
									     << PAGE_SHIFT;
}

void fw_cfg_read(void *buf, size_t size)
{
	uint8_t *to = buf;

	if (!fw_cfg_bounce) {
		fw_cfg_read_port(to, size);
		return;
	}
	while (size) {
		bool direct = in_direct_map(to);
		size_t chunk = MIN(size, direct ? FW_CFG_DMA_CHUNK : sizeof(fw_cfg_bounce->data));

		fw_cfg_read_dma(virt_to_phys(direct ? to : fw_cfg_bounce->data), chunk);
		if (!direct)
			memcpy(to, fw_cfg_bounce->data, chunk);
		to += chunk;
		size -= chunk;
	}
}

/* The directory: a count, then that many entries. */
bool fw_cfg_find(const char *name, struct fw_cfg_item *item)
{
	struct fw_cfg_file entry;
	uint32_t count;

	if (!fw_cfg_present)
		return false;
	fw_cfg_select_key(FW_CFG_FILE_DIR);
	fw_cfg_read_port((uint8_t *)&count, sizeof(count));
	for (count = __builtin_bswap32(count); count; count--) {
		fw_cfg_read_port((uint8_t *)&entry, sizeof(entry));
		if (strncmp(entry.name, name, sizeof(entry.name)) != 0)
			continue;
		item->size = __builtin_bswap32(entry.size);
		item->select = __builtin_bswap16(entry.select);
		return true;
	}
	return false;
}

void fw_cfg_select(const struct fw_cfg_item *item)
{
	fw_cfg_select_key(item->select);
}
