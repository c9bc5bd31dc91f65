/*
 * tests/host/test_madt.c - drivers/madt.c: what the firmware's table of processors says.
 *
 * Tables are built here byte by byte as ACPI 6.4, 5.2.12 says. Each is parsed in a block of exactly
 * its size, so that the address sanitizer sees a byte too far; every truncation of a table is
 * tried, every byte of it damaged, and random ones.
 */
#include "host_kernel.h"

#include <drivers/madt.h>
#include <stdlib.h>
#include <string.h>

/* --- building --------------------------------------------------------------------------- */

#define HEADER_SIZE 44 /* of an ACPI table, then the local APIC's address and flags */

static struct {
	uint8_t bytes[1 << 16];
	size_t size;
} table;

static void add(uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		table.bytes[table.size++] = (uint8_t)(value >> 8 * i);
}

static void begin(void)
{
	table.size = 0;
	memcpy(table.bytes, MADT_SIGNATURE, 4);
	for (size_t i = 4; i < HEADER_SIZE; i++)
		table.bytes[i] = 0xaa; /* nothing of it may matter */
	table.size = HEADER_SIZE;
}

static void add_processor(unsigned apic_id, unsigned flags)
{
	add(0, 1);
	add(8, 1);
	add(apic_id + 100, 1); /* ACPI's own number */
	add(apic_id, 1);
	add(flags, 4);
}

static void add_x2_processor(uint32_t apic_id, unsigned flags)
{
	add(9, 1);
	add(16, 1);
	add(0, 2);
	add(apic_id, 4);
	add(flags, 4);
	add(77, 4);
}

static void add_ioapic(uint32_t registers, uint32_t first_input)
{
	add(1, 1);
	add(12, 1);
	add(0x0500, 2);
	add(registers, 4);
	add(first_input, 4);
}

static void add_override(unsigned line, uint32_t input, unsigned flags)
{
	add(2, 1);
	add(10, 1);
	add(0, 1);
	add(line, 1);
	add(input, 4);
	add(flags, 2);
}

static void add_unknown(unsigned type, unsigned length)
{
	add(type, 1);
	add(length, 1);
	for (unsigned i = 2; i < length; i++)
		add(0xff, 1);
}

/* From a block of exactly that size. */
static struct madt parse(const uint8_t *bytes, size_t size)
{
	uint8_t *exact = malloc(size);
	struct madt madt;

	if (size > 0)
		memcpy(exact, bytes, size);
	memset(&madt, 0x5a, sizeof(madt));
	madt_parse(exact, size, &madt);
	free(exact);
	assert_true(madt.processor_count <= MADT_PROCESSORS_MAX);
	assert_true(madt.ioapic_count <= MADT_IOAPICS_MAX);
	assert_true(madt.override_count <= MADT_OVERRIDES_MAX);
	return madt;
}

static struct madt parse_built(void)
{
	return parse(table.bytes, table.size);
}

/* --- good tables ------------------------------------------------------------------------ */

/* As QEMU makes it for two processors. */
static void build_usual(void)
{
	begin();
	add_processor(0, 1);
	add_processor(1, 1);
	add_ioapic(0xfec00000, 0);
	add_override(0, 2, 0);
	add_override(9, 9, 0xd);
	add_unknown(4, 6); /* which input NMIs come by */
}

static void usual(void **state)
{
	struct madt madt;

	(void)state;
	build_usual();
	madt = parse_built();
	assert_int_equal(madt.processor_count, 2);
	assert_int_equal(madt.processors[0], 0);
	assert_int_equal(madt.processors[1], 1);
	assert_int_equal(madt.ioapic_count, 1);
	assert_int_equal(madt.ioapics[0].registers, 0xfec00000);
	assert_int_equal(madt.ioapics[0].first_input, 0);
	assert_int_equal(madt.override_count, 2);
	assert_int_equal(madt.overrides[0].line, 0);
	assert_int_equal(madt.overrides[0].input, 2);
	assert_false(madt.overrides[0].active_low || madt.overrides[0].level);
	assert_int_equal(madt.overrides[1].line, 9);
}

/* Bits 0-1: 1 is active high, 3 low. Bits 2-3: 1 is by edge, 3 by level. 0: as the bus has it. */
static void polarity_and_trigger(void **state)
{
	static const struct {
		unsigned flags;
		bool active_low, level;
	} rows[] = {{0x0, false, false}, {0x5, false, false}, {0x7, true, false},
		    {0xd, false, true},	 {0xf, true, true},   {0xfff0, false, false}};

	(void)state;
	begin();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		add_override(i, i, rows[i].flags);
	struct madt madt = parse_built();

	assert_int_equal(madt.override_count, ARRAY_SIZE(rows));
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(madt.overrides[i].active_low, rows[i].active_low);
		assert_int_equal(madt.overrides[i].level, rows[i].level);
	}
}

static void absent_processors(void **state)
{
	struct madt madt;

	(void)state;
	begin();
	add_processor(0, 1);
	add_processor(1, 0); /* not enabled */
	add_processor(2, 2); /* could be plugged in later */
	add_processor(3, 3);
	add_x2_processor(4, 0);
	add_x2_processor(5, 1);
	madt = parse_built();
	assert_int_equal(madt.processor_count, 3);
	assert_int_equal(madt.processors[1], 3);
	assert_int_equal(madt.processors[2], 5);
}

/* Interrupts can be sent to ids up to 254; one that is listed twice is one. */
static void ids_that_cannot_be_used(void **state)
{
	struct madt madt;

	(void)state;
	begin();
	add_processor(254, 1);
	add_processor(255, 1);
	add_x2_processor(255, 1);
	add_x2_processor(256, 1);
	add_x2_processor(0xffffffff, 1);
	add_processor(254, 1);
	add_x2_processor(254, 1);
	madt = parse_built();
	assert_int_equal(madt.processor_count, 1);
	assert_int_equal(madt.processors[0], 254);
}

static void more_than_fits(void **state)
{
	struct madt madt;

	(void)state;
	begin();
	for (unsigned i = 0; i < 300; i++)
		add_x2_processor(i, 1);
	for (unsigned i = 0; i < MADT_IOAPICS_MAX + 5; i++)
		add_ioapic(0xfec00000 + 0x1000 * i, 24 * i);
	for (unsigned i = 0; i < MADT_OVERRIDES_MAX + 5; i++)
		add_override(i, i, 0);
	madt = parse_built();
	assert_int_equal(madt.processor_count, 255);
	assert_int_equal(madt.processors[254], 254);
	assert_int_equal(madt.ioapic_count, MADT_IOAPICS_MAX);
	assert_int_equal(madt.ioapics[MADT_IOAPICS_MAX - 1].first_input,
			 24 * (MADT_IOAPICS_MAX - 1));
	assert_int_equal(madt.override_count, MADT_OVERRIDES_MAX);
}

/* --- damaged ones ----------------------------------------------------------------------- */

static void nothing_but_a_header(void **state)
{
	struct madt madt;

	(void)state;
	begin();
	for (size_t size = 0; size <= HEADER_SIZE; size++) {
		madt = parse(table.bytes, size);
		assert_int_equal(madt.processor_count + madt.ioapic_count + madt.override_count, 0);
	}
}

/* A record of a known type that is too short for it is skipped, one longer than that is read. */
static void records_of_other_lengths(void **state)
{
	struct madt madt;

	(void)state;
	begin();
	add_unknown(0, 7);
	add_unknown(1, 11);
	add_unknown(2, 9);
	add_unknown(9, 15);
	add_unknown(0, 2);
	add_processor(3, 1);
	table.bytes[table.size - 7] = 12; /* the processor's length */
	add(0, 4);
	add_processor(4, 1);
	madt = parse_built();
	assert_int_equal(madt.processor_count, 2);
	assert_int_equal(madt.processors[0], 3);
	assert_int_equal(madt.processors[1], 4);
	assert_int_equal(madt.ioapic_count + madt.override_count, 0);
}

/* A record that cannot lead to the next one ends the table; what came before counts. */
static void records_that_lead_nowhere(void **state)
{
	(void)state;
	for (unsigned length = 0; length < 2; length++) {
		struct madt madt;

		begin();
		add_processor(0, 1);
		add(77, 1);
		add(length, 1);
		add_processor(1, 1);
		madt = parse_built();
		assert_int_equal(madt.processor_count, 1);
	}
}

static bool begins_like(const struct madt *part, const struct madt *whole)
{
	return part->processor_count <= whole->processor_count &&
	       memcmp(part->processors, whole->processors,
		      part->processor_count * sizeof(part->processors[0])) == 0 &&
	       part->ioapic_count <= whole->ioapic_count &&
	       part->override_count <= whole->override_count;
}

static void every_truncation(void **state)
{
	struct madt whole, last = {0};

	(void)state;
	build_usual();
	add_x2_processor(200, 1);
	whole = parse_built();
	for (size_t size = 0; size < table.size; size++) {
		struct madt part = parse(table.bytes, size);

		assert_true(begins_like(&part, &whole));
		assert_true(begins_like(&last, &part)); /* a byte more never means less */
		last = part;
	}
	assert_int_equal(whole.processor_count, 3);
	assert_int_equal(last.processor_count, 2);
}

static void every_byte_damaged(void **state)
{
	(void)state;
	build_usual();
	for (size_t at = HEADER_SIZE; at < table.size; at++) {
		uint8_t good = table.bytes[at];

		for (unsigned value = 0; value < 256; value++) {
			table.bytes[at] = (uint8_t)value;
			parse_built();
		}
		table.bytes[at] = good;
	}
}

static void random_tables(void **state)
{
	(void)state;
	host_random_restart();
	for (unsigned round = 0; round < 20000; round++) {
		begin();
		for (uint64_t left = host_random_below(400); left > 0; left--)
			add(left % 3 ? host_random_below(20) : host_random(), 1);
		parse_built();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual),
		cmocka_unit_test(polarity_and_trigger),
		cmocka_unit_test(absent_processors),
		cmocka_unit_test(ids_that_cannot_be_used),
		cmocka_unit_test(more_than_fits),
		cmocka_unit_test(nothing_but_a_header),
		cmocka_unit_test(records_of_other_lengths),
		cmocka_unit_test(records_that_lead_nowhere),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(every_byte_damaged),
		cmocka_unit_test(random_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
