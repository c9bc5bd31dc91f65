/*
 * drivers/interrupt.h - from an interrupt vector to a driver's handler.
 *
 * Drivers register with interrupt_register_line and interrupt_allocate_vector (kernel/trap.h).
 */
#pragma once

#include <kernel/base/types.h>
#include <kernel/trap.h>

/* Sets up the PIC pair and this processor's local APIC, all lines masked. Once, interrupts off. */
void interrupt_init(void);

/*
 * Called by the trap code for vectors TRAP_IRQ_BASE to 255 but TRAP_TIMER, with interrupts off:
 * calls the handler and acknowledges.
 */
void interrupt_dispatch(uint64_t vector);
