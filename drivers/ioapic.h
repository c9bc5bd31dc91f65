/* drivers/ioapic.h - I/O APICs: from a device's interrupt line to a processor's vector. */
#pragma once

#include <drivers/madt.h>

/* Masks every input of every I/O APIC; without any in the table, the PC's usual one. Once. */
void ioapic_init(const struct madt *madt);
/*
 * Lets line 0 to 15 of the old interrupt controllers interrupt the processor of `apic_id` at
 * `vector`. The caller serialises. Lines nothing is connected to are left alone, with a warning.
 */
void ioapic_route_line(const struct madt *madt, unsigned line, unsigned vector, uint32_t apic_id);
