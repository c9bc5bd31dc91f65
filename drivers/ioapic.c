/*
 * drivers/ioapic.c - the I/O APIC (Intel 82093AA data sheet).
 *
 * An index and a data register reach a table with one entry of two words for each input. Inputs are
 * numbered through all I/O APICs of the machine; the MADT says where each one's begin, and to
 * which input a line of the old interrupt controllers leads if not to the one of its number.
 *
 * Way in: interrupt.c, which serialises. The interrupt is ended at the local APIC (lapic_eoi).
 */
#include <drivers/ioapic.h>
#include <kernel/base/log.h>
#include <mm/kernel_map.h>

#define IOAPIC_INDEX 0x00
#define IOAPIC_DATA 0x10
#define IOAPIC_REGISTERS_SIZE 0x20
#define IOAPIC_VERSION 0x01 /* bits 16 to 23: number of the last input */
#define IOAPIC_TABLE 0x10   /* two registers per input */

#define IOAPIC_ACTIVE_LOW (1u << 13)
#define IOAPIC_LEVEL (1u << 15)
#define IOAPIC_MASKED (1u << 16)
#define IOAPIC_DESTINATION_SHIFT 24 /* in the high word */

#define IOAPIC_USUAL_ADDRESS 0xfec00000u

struct ioapic {
	volatile uint8_t *registers;
	uint32_t first_input, inputs;
};

static struct ioapic ioapics[MADT_IOAPICS_MAX]; /* [I] after ioapic_init */
static unsigned ioapic_count;

static uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t index)
{
	*(volatile uint32_t *)(ioapic->registers + IOAPIC_INDEX) = index;
	return *(volatile uint32_t *)(ioapic->registers + IOAPIC_DATA);
}

static void ioapic_write(const struct ioapic *ioapic, uint32_t index, uint32_t value)
{
	*(volatile uint32_t *)(ioapic->registers + IOAPIC_INDEX) = index;
	*(volatile uint32_t *)(ioapic->registers + IOAPIC_DATA) = value;
}

static void ioapic_add(phys_t registers, uint32_t first_input)
{
	struct ioapic *ioapic = &ioapics[ioapic_count++];

	ioapic->registers = kernel_map_device(registers, IOAPIC_REGISTERS_SIZE);
	ioapic->first_input = first_input;
	ioapic->inputs = (ioapic_read(ioapic, IOAPIC_VERSION) >> 16 & 0xff) + 1;
	for (uint32_t i = 0; i < ioapic->inputs; i++)
		ioapic_write(ioapic, IOAPIC_TABLE + 2 * i, IOAPIC_MASKED);
}

void ioapic_init(const struct madt *madt)
{
	for (unsigned i = 0; i < madt->ioapic_count; i++)
		ioapic_add(madt->ioapics[i].registers, madt->ioapics[i].first_input);
	if (ioapic_count == 0)
		ioapic_add(IOAPIC_USUAL_ADDRESS, 0);
}

void ioapic_route_line(const struct madt *madt, unsigned line, unsigned vector, uint32_t apic_id)
{
	uint32_t input = line, flags = 0;

	for (unsigned i = 0; i < madt->override_count; i++) {
		const struct madt_override *override = &madt->overrides[i];

		if (override->line != line)
			continue;
		input = override->input;
		flags = (override->active_low ? IOAPIC_ACTIVE_LOW : 0) |
			(override->level ? IOAPIC_LEVEL : 0);
	}
	for (unsigned i = 0; i < ioapic_count; i++) {
		const struct ioapic *ioapic = &ioapics[i];
		uint32_t entry = IOAPIC_TABLE + 2 * (input - ioapic->first_input);

		if (input < ioapic->first_input || input - ioapic->first_input >= ioapic->inputs)
			continue;
		ioapic_write(ioapic, entry + 1, apic_id << IOAPIC_DESTINATION_SHIFT);
		ioapic_write(ioapic, entry, flags | vector);
		return;
	}
	log_warning("interrupt: no I/O APIC has input %u for line %u", input, line);
}
