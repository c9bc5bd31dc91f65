/* drivers/acpi.h - the firmware's ACPI tables: finding and checking them. */
#pragma once

#include <kernel/base/types.h>

/* The header all tables begin with: ACPI 6.4, table 5.4. */
struct packed_struct acpi_table {
	char signature[4];
	uint32_t length; /* bytes, this header included */
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	uint32_t creator_id;
	uint32_t creator_revision;
};

/* The fixed description table ("FACP"), the part used here: ACPI 6.4, table 5.9. */
struct packed_struct acpi_fadt {
	struct acpi_table header;
	uint32_t firmware_control;
	uint32_t dsdt;
	uint8_t reserved;
	uint8_t preferred_profile;
	uint16_t sci_interrupt;
	uint32_t smi_command;
	uint8_t acpi_enable;
	uint8_t acpi_disable;
	uint8_t s4bios_request;
	uint8_t pstate_control;
	uint32_t pm1a_event;
	uint32_t pm1b_event;
	uint32_t pm1a_control;
	uint32_t pm1b_control;
};

#define ACPI_RSDP_SIZE 36 /* revision 2: ACPI 6.4, table 5.3 */

/*
 * What the boot loader knows of the root pointer: where it lies (0: unknown), and a copy of its
 * ACPI_RSDP_SIZE bytes (NULL, or all zero: none). Before acpi_init; without either, the BIOS area
 * is searched.
 */
void acpi_set_rsdp(phys_t where, const void *copy);

/* Maps and checks every table the root table lists. Once, in drivers_init. */
void acpi_init(void);

/* The first table with this four-letter signature ("FACP", "APIC"), or NULL. Never freed. */
const struct acpi_table *acpi_find_table(const char *signature);

/* Maps the table at `where`: NULL when its length or checksum is wrong. Boot only. */
const struct acpi_table *acpi_map_table(phys_t where);

/*
 * The sleep type that means "soft off", from the _S5_ package of AML bytes (the body of a DSDT):
 * false when there is none of the usual form. Pure.
 */
must_check bool acpi_find_s5(const uint8_t *aml, size_t size, uint8_t *sleep_type);
