/*
 * drivers/pic.c - the 8259A pair (Intel 8259A data sheet: ICW1-4), put out of action.
 *
 * The I/O APIC has the lines (ioapic.c). The pair is given vectors of its own before it is
 * masked, because a spurious request would otherwise look like an exception.
 */
#include <drivers/pic.h>
#include <kernel/base/io.h>

#define PIC_MASTER 0x20
#define PIC_SLAVE 0xa0
#define PIC_DATA 1	   /* added to the above: mask register and ICW2-4 */
#define PIC_CASCADE_LINE 2 /* of the master: where the slave is connected */
#define PIC_SLAVE_LINES 8  /* first line of the slave */
#define PIC_ICW1_INIT 0x11 /* edge triggered, cascaded, ICW4 follows */
#define PIC_ICW4_8086 0x01
#define PIC_ALL_MASKED 0xff

void pic_silence(unsigned vector)
{
	io_out8(PIC_MASTER, PIC_ICW1_INIT);
	io_out8(PIC_SLAVE, PIC_ICW1_INIT);
	io_out8(PIC_MASTER + PIC_DATA, (uint8_t)vector);
	io_out8(PIC_SLAVE + PIC_DATA, (uint8_t)(vector + PIC_SLAVE_LINES));
	io_out8(PIC_MASTER + PIC_DATA, 1 << PIC_CASCADE_LINE);
	io_out8(PIC_SLAVE + PIC_DATA, PIC_CASCADE_LINE);
	io_out8(PIC_MASTER + PIC_DATA, PIC_ICW4_8086);
	io_out8(PIC_SLAVE + PIC_DATA, PIC_ICW4_8086);
	io_out8(PIC_MASTER + PIC_DATA, PIC_ALL_MASKED);
	io_out8(PIC_SLAVE + PIC_DATA, PIC_ALL_MASKED);
}
