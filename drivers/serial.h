/* drivers/serial.h - COM1: the console's bytes and the kernel log. */
#pragma once

#include <kernel/base/types.h>

/*
 * Probes COM1 and sets it to 115200 8N1, FIFOs on, interrupts off. Needs nothing: callable as
 * the first thing the kernel does. Without a port all output is dropped.
 */
void serial_early_init(void);

/* Interrupt-driven receive into the console terminal from here on. After interrupt_init(). */
void serial_init(void);

/*
 * Sends the bytes as they are and returns when the port has them all. Any context: it polls,
 * takes no ranked lock and gives up on a port that has stopped taking bytes.
 */
void serial_write(const char *bytes, size_t length);

/* The log's sink: the same with CR before each LF. */
void serial_write_text(const char *text, size_t length);
