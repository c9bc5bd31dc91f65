/*
 * drivers/acpi.c - ACPI tables (ACPI Specification 6.4, chapter 5), and the one AML object that
 * power-off needs (chapter 20). There is no AML interpreter.
 *
 * Way in: drivers_init calls acpi_init; power.c, and later the processors' start, look tables up.
 *
 * The tables lie in memory that the firmware reserves, which the direct map need not cover, so
 * each is mapped as a device. All is written by acpi_init alone; no locks.
 */
#include <drivers/acpi.h>
#include <kernel/base/log.h>
#include <mm/kernel_map.h>
#include <string.h>

/* ACPI 6.4, 5.2.5.1 and table 5.3. */
#define RSDP_SIGNATURE "RSD PTR "
#define RSDP_SIGNATURE_SIZE 8
#define RSDP_ALIGNMENT 16
#define RSDP_V1_SIZE 20
#define BIOS_AREA_BEG 0xe0000u
#define BIOS_AREA_END 0x100000u

struct packed_struct acpi_rsdp {
	char signature[RSDP_SIGNATURE_SIZE];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
};
_Static_assert(sizeof(struct acpi_rsdp) == ACPI_RSDP_SIZE, "ACPI 6.4, table 5.3");
_Static_assert(offsetof(struct acpi_fadt, pm1a_control) == 64, "ACPI 6.4, table 5.9");

#define ACPI_TABLES_MAX 32
#define ACPI_TABLE_SIZE_MAX (4u << 20)

static struct acpi_rsdp acpi_rsdp;			      /* all zero: not found yet */
static const struct acpi_table *acpi_tables[ACPI_TABLES_MAX]; /* [I] after acpi_init */
static unsigned acpi_table_count;			      /* [I] after acpi_init */

static bool checksum_is_zero(const void *bytes, size_t size)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
	return sum == 0;
}

static bool rsdp_is_valid(const struct acpi_rsdp *rsdp)
{
	return memcmp(rsdp->signature, RSDP_SIGNATURE, RSDP_SIGNATURE_SIZE) == 0 &&
	       checksum_is_zero(rsdp, RSDP_V1_SIZE);
}

/* Revision 0 has no more than the first 20 bytes. */
static bool rsdp_take(const void *candidate)
{
	if (!rsdp_is_valid(candidate))
		return false;
	memset(&acpi_rsdp, 0, sizeof(acpi_rsdp));
	memcpy(&acpi_rsdp, candidate, RSDP_V1_SIZE);
	if (acpi_rsdp.revision >= 2)
		memcpy(&acpi_rsdp, candidate, sizeof(acpi_rsdp));
	return true;
}

static phys_t acpi_rsdp_hint;

void acpi_set_rsdp(phys_t where, const void *copy)
{
	acpi_rsdp_hint = where;
	if (copy)
		(void)rsdp_take(copy);
}

static bool rsdp_find(void)
{
	const uint8_t *area;

	if (rsdp_is_valid(&acpi_rsdp))
		return true;
	if (acpi_rsdp_hint && rsdp_take(kernel_map_device(acpi_rsdp_hint, ACPI_RSDP_SIZE)))
		return true;
	area = kernel_map_device(BIOS_AREA_BEG, BIOS_AREA_END - BIOS_AREA_BEG);
	for (size_t at = 0; at + ACPI_RSDP_SIZE <= BIOS_AREA_END - BIOS_AREA_BEG;
	     at += RSDP_ALIGNMENT)
		if (rsdp_take(area + at))
			return true;
	return false;
}

const struct acpi_table *acpi_map_table(phys_t where)
{
	const struct acpi_table *table;
	uint32_t length;

	if (!where)
		return NULL;
	table = kernel_map_device(where, sizeof(*table));
	length = table->length;
	if (length < sizeof(*table) || length > ACPI_TABLE_SIZE_MAX)
		return NULL;
	if (where % PAGE_SIZE + length > PAGE_SIZE)
		table = kernel_map_device(where, length);
	if (!checksum_is_zero(table, length)) {
		log_warning("acpi: table %.4s has a wrong checksum", table->signature);
		return NULL;
	}
	return table;
}

static void acpi_add_table(phys_t where)
{
	const struct acpi_table *table;

	if (acpi_table_count == ACPI_TABLES_MAX)
		return;
	table = acpi_map_table(where);
	if (table)
		acpi_tables[acpi_table_count++] = table;
}

/* The root table: physical addresses of the others, 4 bytes each in the RSDT, 8 in the XSDT. */
static void acpi_add_all(const struct acpi_table *root, size_t entry_size)
{
	const uint8_t *entries = (const uint8_t *)(root + 1);
	size_t count = (root->length - sizeof(*root)) / entry_size;

	for (size_t i = 0; i < count; i++) {
		uint64_t where = 0;

		memcpy(&where, entries + i * entry_size, entry_size);
		acpi_add_table(where);
	}
}

void acpi_init(void)
{
	const struct acpi_table *root;

	if (!rsdp_find()) {
		log_info("acpi: no tables found");
		return;
	}
	root = acpi_map_table(acpi_rsdp.xsdt);
	if (root) {
		acpi_add_all(root, sizeof(uint64_t));
		return;
	}
	root = acpi_map_table(acpi_rsdp.rsdt);
	if (root)
		acpi_add_all(root, sizeof(uint32_t));
}

const struct acpi_table *acpi_find_table(const char *signature)
{
	for (unsigned i = 0; i < acpi_table_count; i++)
		if (memcmp(acpi_tables[i]->signature, signature, 4) == 0)
			return acpi_tables[i];
	return NULL;
}

/* AML encodings: ACPI 6.4, 20.2.3 and 20.2.5.4. */
enum aml_op {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_PACKAGE = 0x12,
	AML_ROOT = '\\',
};

/* At `at`, after the name: PackageOp PkgLength NumElements, then the first element. */
static bool s5_package_parse(const uint8_t *aml, size_t size, size_t at, uint8_t *sleep_type)
{
	if (at + 2 >= size || aml[at] != AML_PACKAGE)
		return false;
	at++;
	at += 1 + (aml[at] >> 6); /* the length's first byte says how many more there are */
	at += 1;		  /* number of elements */
	if (at + 1 >= size)
		return false;
	switch (aml[at]) {
	case AML_ZERO:
	case AML_ONE:
		*sleep_type = aml[at];
		return true;
	case AML_BYTE:
		*sleep_type = aml[at + 1];
		return true;
	default:
		return false;
	}
}

bool acpi_find_s5(const uint8_t *aml, size_t size, uint8_t *sleep_type)
{
	for (size_t at = 2; at + 4 < size; at++) {
		if (memcmp(aml + at, "_S5_", 4) != 0)
			continue;
		if (aml[at - 1] != AML_NAME &&
		    !(aml[at - 1] == AML_ROOT && aml[at - 2] == AML_NAME))
			continue;
		if (s5_package_parse(aml, size, at + 4, sleep_type))
			return true;
	}
	return false;
}
