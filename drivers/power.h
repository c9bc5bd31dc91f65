/* drivers/power.h - the ways a machine stops. None returns. */
#pragma once

#include <kernel/base/types.h>

/* Reads from the ACPI tables how power_off will be done. After acpi_init. */
void power_init(void);

/*
 * These act at once, in any context, interrupts on or off; reboot(2) has stopped the tasks and
 * called drivers_shutdown() before.
 */
noreturn_fn void power_off(void);
noreturn_fn void power_reset(void);
/* The end of a panic: QEMU ends with status 3 (isa-debug-exit), any other machine halts. */
noreturn_fn void power_fail(void);
/* Stops the processor for good, interrupts off. */
noreturn_fn void power_halt(void);
