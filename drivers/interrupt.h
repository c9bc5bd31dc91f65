/*
 * drivers/interrupt.h - from an interrupt vector to a driver's handler.
 *
 * Drivers register with interrupt_register_line and interrupt_allocate_vector (kernel/trap.h).
 */
#pragma once

#include <drivers/madt.h>
#include <kernel/trap.h>

/* Silences the old controllers, enables this processor's local APIC. Once, interrupts off. */
void interrupt_init(void);
/* Finds the I/O APICs; all lines stay masked until somebody registers. Once, after acpi_init. */
void interrupt_lines_init(void);
/* What the firmware says about processors and interrupts; empty where it says nothing. */
const struct madt *interrupt_madt(void);

/*
 * Called by the trap code for vectors TRAP_IRQ_BASE to TRAP_TIMER - 1, with interrupts off: calls
 * the handler and acknowledges.
 */
void interrupt_dispatch(uint64_t vector);
