/*
 * drivers/serial.c - a 16550 at COM1 (PC16550D data sheet; register names of <linux/serial_reg.h>).
 *
 * Way in: drivers_early_init (probe, log sink), drivers_init (receive interrupt); the console
 * terminal writes through serial_write, the log through serial_write_text.
 *
 * Sending polls: wait for "transmitter holding register empty", then fill the 16-byte FIFO.
 * Receiving is by interrupt: the FIFO is emptied into the terminal, which queues and wakes.
 *
 * Locks: serial_sending is no ranked spinlock, for it is taken under the log's lock, before the
 * processor's own data exists, and from a panic that interrupted its holder. Nothing is taken
 * under it, interrupts are off while it is held, and waiting for it is bounded. The log holds it
 * for a whole text, which no other processor's bytes then come into; the terminal for as many bytes
 * as the FIFO takes. serial_receive_lock: bytes reach the terminal in the order they came in,
 * whichever processors the interrupts go to.
 *
 * Not here: line editing, echo, Ctrl-C (tty.c).
 */
#include <drivers/serial.h>
#include <drivers/tty.h>
#include <kernel/base/cpu.h>
#include <kernel/base/io.h>
#include <kernel/base/lock.h>
#include <kernel/trap.h>
#include <linux/serial_reg.h>

#define COM1_PORT 0x3f8
#define COM1_LINE 4
#define SERIAL_FIFO_BYTES 16
#define SERIAL_DIVISOR_115200 1 /* of the 1.8432 MHz crystal / 16 */
/* A port read takes about a microsecond: some seconds, then the port counts as stuck. */
#define SERIAL_POLLS_MAX 4000000u

static bool serial_present; /* [I] after serial_early_init */
static atomic_flag serial_sending = ATOMIC_FLAG_INIT;
static struct spinlock serial_receive_lock = SPINLOCK_INIT(RANK_DRIVER); /* also the handler's */

static void serial_out(unsigned reg, uint8_t value)
{
	io_out8((uint16_t)(COM1_PORT + reg), value);
}

static uint8_t serial_in(unsigned reg)
{
	return io_in8((uint16_t)(COM1_PORT + reg));
}

/* The scratch register keeps what is written to it; an empty bus reads as 0xff. */
static bool serial_probe(void)
{
	static const uint8_t patterns[] = {0x5a, 0xa5};

	for (unsigned i = 0; i < ARRAY_SIZE(patterns); i++) {
		serial_out(UART_SCR, patterns[i]);
		if (serial_in(UART_SCR) != patterns[i])
			return false;
	}
	return true;
}

void serial_early_init(void)
{
	if (!serial_probe())
		return;
	serial_out(UART_IER, 0);
	serial_out(UART_LCR, UART_LCR_DLAB);
	serial_out(UART_DLL, SERIAL_DIVISOR_115200);
	serial_out(UART_DLM, 0);
	serial_out(UART_LCR, UART_LCR_WLEN8);
	serial_out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT |
				 UART_FCR_TRIGGER_8);
	/* OUT2 connects the chip's interrupt output to the line. */
	serial_out(UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	serial_present = true;
}

static bool serial_wait_empty(void)
{
	for (unsigned polls = 0; polls < SERIAL_POLLS_MAX; polls++) {
		if (serial_in(UART_LSR) & UART_LSR_THRE)
			return true;
		cpu_relax();
	}
	return false;
}

/*
 * Interrupts off from here on. Whoever cannot get it in time has it nevertheless, mixed output
 * beats none: its holder stopped, and will not give it back.
 */
static uint64_t serial_sending_begin(void)
{
	uint64_t flags = irq_save();

	for (unsigned polls = 0; polls < SERIAL_POLLS_MAX; polls++) {
		if (!atomic_flag_test_and_set_explicit(&serial_sending, memory_order_acquire))
			break;
		cpu_relax();
	}
	return flags;
}

static void serial_sending_end(uint64_t flags)
{
	atomic_flag_clear_explicit(&serial_sending, memory_order_release);
	irq_restore(flags);
}

/* At most one FIFO of bytes; false when the port is stuck. serial_sending is held. */
static bool serial_send_burst(const char *bytes, size_t length)
{
	bool empty = serial_wait_empty();

	for (size_t i = 0; empty && i < length; i++)
		serial_out(UART_TX, (uint8_t)bytes[i]);
	return empty;
}

void serial_write(const char *bytes, size_t length)
{
	bool sent = serial_present;

	while (sent && length) {
		size_t burst = MIN(length, (size_t)SERIAL_FIFO_BYTES);
		uint64_t flags = serial_sending_begin();

		sent = serial_send_burst(bytes, burst);
		serial_sending_end(flags);
		bytes += burst;
		length -= burst;
	}
}

void serial_write_text(const char *text, size_t length)
{
	bool sent = serial_present;
	uint64_t flags = serial_sending_begin();

	while (sent && length) {
		size_t burst = 0;

		while (burst < MIN(length, (size_t)SERIAL_FIFO_BYTES) && text[burst] != '\n')
			burst++;
		sent = burst ? serial_send_burst(text, burst) : serial_send_burst("\r\n", 2);
		burst = MAX(burst, (size_t)1); /* a line's end is one byte of the text */
		text += burst;
		length -= burst;
	}
	serial_sending_end(flags);
}

static const struct tty_driver serial_tty_driver = {
    .write = serial_write,
};

/* Emptying the FIFO is what ends the request. */
static void serial_interrupt(void *arg)
{
	char bytes[SERIAL_FIFO_BYTES];
	uint64_t flags = spin_lock_irq(&serial_receive_lock);
	size_t count;

	do {
		count = 0;
		while (count < sizeof(bytes) && serial_in(UART_LSR) & UART_LSR_DR)
			bytes[count++] = (char)serial_in(UART_RX);
		if (count)
			tty_input(arg, bytes, count);
	} while (count == sizeof(bytes));
	spin_unlock_irq(&serial_receive_lock, flags);
}

void serial_init(void)
{
	if (!serial_present)
		return;
	tty_set_driver(&tty_console, &serial_tty_driver);
	interrupt_register_line(COM1_LINE, serial_interrupt, &tty_console);
	serial_out(UART_IER, UART_IER_RDI);
	/* The line is edge triggered: what came before it was unmasked would never be noticed. */
	serial_interrupt(&tty_console);
}
