/* drivers/pic.h - the two 8259 interrupt controllers: lines 0 to 15 at TRAP_IRQ_BASE. */
#pragma once

#include <kernel/base/types.h>

#define PIC_LINES 16

/* Remaps both, all lines masked. Once, interrupts off. */
void pic_init(void);
/* One line on or off. The caller serialises (drivers/interrupt.c). */
void pic_unmask(unsigned line);
void pic_mask(unsigned line);
/*
 * In the handler's processor, interrupts off: false when `line` (7 or 15) came without a request
 * in service, and then is already acknowledged as far as it needs to be.
 */
must_check bool pic_is_real(unsigned line);
void pic_eoi(unsigned line);
