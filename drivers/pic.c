/*
 * drivers/pic.c - the 8259A pair (Intel 8259A data sheet: ICW1-4, OCW1-3).
 *
 * Way in: interrupt.c, which holds its lock around the mask registers. The local APIC passes
 * the pair's interrupts on through its LINT0 pin (lapic.c, "virtual wire").
 */
#include <drivers/pic.h>
#include <kernel/base/io.h>
#include <kernel/trap.h>

#define PIC_MASTER 0x20
#define PIC_SLAVE 0xa0
#define PIC_DATA 1	   /* added to the above: mask register and ICW2-4 */
#define PIC_CASCADE_LINE 2 /* of the master: where the slave is connected */
#define PIC_SLAVE_LINES 8  /* first line of the slave */
#define PIC_ICW1_INIT 0x11 /* edge triggered, cascaded, ICW4 follows */
#define PIC_ICW4_8086 0x01
#define PIC_OCW2_EOI 0x60 /* specific end of interrupt, level in bits 0-2 */
#define PIC_OCW3_READ_ISR 0x0b
#define PIC_SPURIOUS_LEVEL 7 /* what a controller answers when the request has gone away */

static uint16_t pic_masked = 0xffff;

static void pic_write_masks(void)
{
	io_out8(PIC_MASTER + PIC_DATA, (uint8_t)pic_masked);
	io_out8(PIC_SLAVE + PIC_DATA, (uint8_t)(pic_masked >> PIC_SLAVE_LINES));
}

void pic_init(void)
{
	io_out8(PIC_MASTER, PIC_ICW1_INIT);
	io_out8(PIC_SLAVE, PIC_ICW1_INIT);
	io_out8(PIC_MASTER + PIC_DATA, TRAP_IRQ_BASE);
	io_out8(PIC_SLAVE + PIC_DATA, TRAP_IRQ_BASE + PIC_SLAVE_LINES);
	io_out8(PIC_MASTER + PIC_DATA, 1 << PIC_CASCADE_LINE);
	io_out8(PIC_SLAVE + PIC_DATA, PIC_CASCADE_LINE);
	io_out8(PIC_MASTER + PIC_DATA, PIC_ICW4_8086);
	io_out8(PIC_SLAVE + PIC_DATA, PIC_ICW4_8086);
	pic_masked = (uint16_t) ~(1u << PIC_CASCADE_LINE);
	pic_write_masks();
}

void pic_unmask(unsigned line)
{
	pic_masked &= (uint16_t) ~(1u << line);
	pic_write_masks();
}

void pic_mask(unsigned line)
{
	pic_masked |= (uint16_t)(1u << line);
	pic_write_masks();
}

static void pic_eoi_level(uint16_t controller, unsigned level)
{
	io_out8(controller, (uint8_t)(PIC_OCW2_EOI | level));
}

void pic_eoi(unsigned line)
{
	if (line >= PIC_SLAVE_LINES) {
		pic_eoi_level(PIC_SLAVE, line - PIC_SLAVE_LINES);
		line = PIC_CASCADE_LINE;
	}
	pic_eoi_level(PIC_MASTER, line);
}

bool pic_is_real(unsigned line)
{
	uint16_t controller = line >= PIC_SLAVE_LINES ? PIC_SLAVE : PIC_MASTER;

	if (line % PIC_SLAVE_LINES != PIC_SPURIOUS_LEVEL)
		return true;
	io_out8(controller, PIC_OCW3_READ_ISR);
	if (io_in8(controller) & 1 << PIC_SPURIOUS_LEVEL)
		return true;
	/* The master did see a request from the slave, which waits for its acknowledgement. */
	if (controller == PIC_SLAVE)
		pic_eoi_level(PIC_MASTER, PIC_CASCADE_LINE);
	return false;
}
