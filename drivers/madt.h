/*
 * drivers/madt.h - the ACPI table "APIC" (MADT): which processors and I/O APICs there are.
 */
#pragma once

#include <kernel/base/types.h>

#define MADT_SIGNATURE "APIC"
#define MADT_PROCESSORS_MAX 256
#define MADT_IOAPICS_MAX 8
#define MADT_OVERRIDES_MAX 16

struct madt_ioapic {
	phys_t registers;
	uint32_t first_input; /* the global number of its first input */
};

/*
 * A line of the old interrupt controllers is connected otherwise than to the input of its number.
 */
struct madt_override {
	uint8_t line;
	uint32_t input; /* global number */
	bool active_low, level;
};

struct madt {
	uint32_t processors[MADT_PROCESSORS_MAX]; /* APIC ids of those that may be started */
	unsigned processor_count;
	struct madt_ioapic ioapics[MADT_IOAPICS_MAX];
	unsigned ioapic_count;
	struct madt_override overrides[MADT_OVERRIDES_MAX];
	unsigned override_count;
};

/*
 * Reads a table of `length` bytes, checked by acpi.c but for its records: what is malformed, or
 * more than fits, is left out. Pure.
 */
void madt_parse(const void *table, size_t length, struct madt *madt);
