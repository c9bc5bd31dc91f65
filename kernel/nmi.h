/*
 * kernel/nmi.h - asking another processor where it is, by an interrupt that nothing holds off.
 */
#pragma once

#include <kernel/base/cpu.h>
#include <kernel/trap.h>

/*
 * Asks; true if it answered within some tenths of a second. With `stop` it does not go on
 * afterwards. Any context, interrupts on or off; takes no lock. One asker at a time per processor.
 */
bool nmi_ask(struct cpu *cpu, bool stop);
/* Logs what it answered last: its task and call chain. */
void nmi_log_answer(const struct cpu *cpu);
/* trap.c, in an NMI: true if it was a question. Does not return if that was to stop. */
bool nmi_answer(const struct trap_frame *frame);
