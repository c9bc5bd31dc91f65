/*
 * drivers/madt.c - reading the MADT (ACPI Specification 6.4, 5.2.12).
 *
 * A header, then records that begin with their type and length. Way in: drivers_init hands the
 * table to interrupt.c, and processors.c asks for the processors.
 *
 * Tests: tests/host/test_madt.c.
 */
#include <drivers/acpi.h>
#include <drivers/madt.h>
#include <string.h>

/* Record types: ACPI 6.4, table 5.21. */
enum madt_type {
	MADT_LOCAL_APIC = 0,
	MADT_IO_APIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LOCAL_X2APIC = 9,
};

#define MADT_ENABLED 1u /* table 5.23; without it the processor is absent, or broken */

/* MPS INTI flags: table 5.27. */
#define MADT_POLARITY_MASK 0x3u
#define MADT_POLARITY_LOW 0x3u
#define MADT_TRIGGER_MASK 0xcu
#define MADT_TRIGGER_LEVEL 0xcu

struct packed_struct madt_table {
	struct acpi_table header;
	uint32_t local_apic;
	uint32_t flags;
};

struct packed_struct madt_record {
	uint8_t type, length;
};

struct packed_struct madt_local_apic {
	struct madt_record record;
	uint8_t acpi_id, apic_id;
	uint32_t flags;
};

struct packed_struct madt_local_x2apic {
	struct madt_record record;
	uint16_t reserved;
	uint32_t apic_id, flags, acpi_id;
};

struct packed_struct madt_io_apic {
	struct madt_record record;
	uint8_t id, reserved;
	uint32_t address, first_input;
};

struct packed_struct madt_source_override {
	struct madt_record record;
	uint8_t bus, line;
	uint32_t input;
	uint16_t flags;
};

#define XAPIC_ID_MAX 254u /* 255 addresses all: SDM vol. 3, 11.6.1 */

static void add_processor(struct madt *madt, uint32_t apic_id, uint32_t flags)
{
	if (!(flags & MADT_ENABLED) || apic_id > XAPIC_ID_MAX ||
	    madt->processor_count == MADT_PROCESSORS_MAX)
		return;
	for (unsigned i = 0; i < madt->processor_count; i++)
		if (madt->processors[i] == apic_id)
			return;
	madt->processors[madt->processor_count++] = apic_id;
}

static void add_ioapic(struct madt *madt, const struct madt_io_apic *record)
{
	if (madt->ioapic_count < MADT_IOAPICS_MAX)
		madt->ioapics[madt->ioapic_count++] = (struct madt_ioapic){
			.registers = record->address, .first_input = record->first_input};
}

static void add_override(struct madt *madt, const struct madt_source_override *record)
{
	if (madt->override_count < MADT_OVERRIDES_MAX)
		madt->overrides[madt->override_count++] = (struct madt_override){
			.line = record->line,
			.input = record->input,
			.active_low = (record->flags & MADT_POLARITY_MASK) == MADT_POLARITY_LOW,
			.level = (record->flags & MADT_TRIGGER_MASK) == MADT_TRIGGER_LEVEL,
		};
}

static void add_record(struct madt *madt, const struct madt_record *record)
{
	const struct madt_local_apic *local = (const void *)record;
	const struct madt_local_x2apic *x2 = (const void *)record;

	if (record->type == MADT_LOCAL_APIC && record->length >= sizeof(*local))
		add_processor(madt, local->apic_id, local->flags);
	else if (record->type == MADT_LOCAL_X2APIC && record->length >= sizeof(*x2))
		add_processor(madt, x2->apic_id, x2->flags);
	else if (record->type == MADT_IO_APIC && record->length >= sizeof(struct madt_io_apic))
		add_ioapic(madt, (const void *)record);
	else if (record->type == MADT_OVERRIDE &&
		 record->length >= sizeof(struct madt_source_override))
		add_override(madt, (const void *)record);
}

void madt_parse(const void *table, size_t length, struct madt *madt)
{
	const uint8_t *bytes = table;
	size_t at = sizeof(struct madt_table);

	memset(madt, 0, sizeof(*madt));
	while (at + sizeof(struct madt_record) <= length) {
		const struct madt_record *record = (const void *)(bytes + at);

		if (record->length < sizeof(*record) || record->length > length - at)
			return;
		add_record(madt, record);
		at += record->length;
	}
}
