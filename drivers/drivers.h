/*
 * drivers/drivers.h - the drivers as kernel_main and reboot(2) see them.
 *
 * The order at boot, each step needing those before it:
 *
 *   drivers_early_init()      nothing: the log is heard from here on
 *   fw_cfg_early_init()       nothing: extra kernel command line (drivers/fw_cfg.h)
 *   interrupt_init()          kernel_map_device, trap gates loaded, interrupts off
 * (drivers/interrupt.h) time_init()               interrupt_init (kernel/time.h)
 *   lapic_timer_start(vector) time_init (drivers/lapic.h)
 *   drivers_init()            heap, scheduler, interrupts on, /dev
 */
#pragma once

#include <kernel/base/types.h>

/* Finds the serial port and makes it the log's sink. No memory, no locks, interrupts off or on. */
void drivers_early_init(void);

/*
 * ACPI, fw_cfg's DMA, PCI, the framebuffer, virtio, console input: everything that needs memory and
 * a task to sleep in. Returns when all devices of the machine have their nodes in /dev. Missing
 * devices are no error.
 */
void drivers_init(void);

/*
 * Before a power-off or reset: waits until the hosts of all virtio ports have what was written,
 * or do not take any of it for some seconds. Sleeps.
 */
void drivers_shutdown(void);
