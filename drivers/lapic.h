/* drivers/lapic.h - each processor's local APIC: acknowledging, its timer, its number. */
#pragma once

#include <kernel/base/types.h>

/* Where devices write to signal an interrupt (SDM vol. 3, 11.11.1), | id << 12. */
#define LAPIC_MESSAGE_ADDRESS 0xfee00000u
#define LAPIC_MESSAGE_ID_SHIFT 12

/*
 * Maps the registers and enables the boot processor's. Interrupts off. Panics when the processor
 * has none: nothing would ever preempt.
 */
void lapic_init(void);
/* Enables the calling processor's, where lapic_init has run on another. */
void lapic_init_this(void);
/* Ends the interrupt being handled. */
void lapic_eoi(void);
/* The calling processor's APIC id. */
uint32_t lapic_id(void);

/* Interrupts another processor at `vector`, or by NMI. Any context. */
void lapic_send(uint32_t apic_id, unsigned vector);
void lapic_send_nmi(uint32_t apic_id);
/* Resets another processor; then lets it run from a page below 1 MiB (SDM vol. 3, 9.4.4). */
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, phys_t page);

/* The timer counts down from the largest value, without interrupts: for calibration. */
void lapic_timer_count_freely(void);
/* What is left of the count. */
uint32_t lapic_timer_count(void);
/* How often it counts per second; told by time_init(). */
void lapic_timer_set_frequency(uint64_t hz);
/* So many interrupts per second at `vector` on the calling processor. After time_init(). */
void lapic_timer_start(unsigned vector, unsigned per_second);
