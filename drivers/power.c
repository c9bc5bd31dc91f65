/*
 * drivers/power.c - power off, reset, and the end of a panic.
 *
 * Way in: reboot(2), panic.
 *
 * Power off is one register write, its parameters collected at boot: "soft off" in the sleep type
 * field of PM1a_CNT (ACPI 6.4, 4.8.3.2). Without usable tables the address where QEMU's firmware
 * puts that register is tried. Reset: the keyboard controller's pulse, then a triple fault.
 */
#include <drivers/acpi.h>
#include <drivers/power.h>
#include <kernel/base/cpu.h>
#include <kernel/base/io.h>
#include <kernel/base/log.h>

/* PM1 control register: ACPI 6.4, table 4.15. */
#define PM1_SCI_ENABLE 0x0001u
#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_TYPE_MASK 0x1c00u
#define PM1_SLEEP_ENABLE 0x2000u
#define ACPI_ENABLE_POLLS_MAX 1000000u

#define QEMU_PM1_CONTROL 0x604 /* SeaBIOS: PM base 0x600, both machine types */
#define QEMU_SLEEP_TYPE_OFF 0
#define QEMU_DEBUG_EXIT 0xf4	 /* -device isa-debug-exit,iobase=0xf4 */
#define QEMU_DEBUG_EXIT_FAILED 1 /* QEMU's exit status is twice this plus one */

#define KEYBOARD_COMMAND 0x64 /* 8042 */
#define KEYBOARD_PULSE_RESET 0xfe
#define KEYBOARD_INPUT_FULL 0x02
#define KEYBOARD_POLLS_MAX 100000u

struct power_registers {
	uint16_t control_a, control_b; /* ports; 0: not there */
	uint16_t smi_command;
	uint8_t acpi_enable;
	uint8_t sleep_type;
};

static struct power_registers power = {
    .control_a = QEMU_PM1_CONTROL,
    .sleep_type = QEMU_SLEEP_TYPE_OFF,
}; /* [I] after power_init */

void power_init(void)
{
	const struct acpi_fadt *fadt = (const struct acpi_fadt *)acpi_find_table("FACP");
	const struct acpi_table *dsdt;
	uint8_t sleep_type;

	if (!fadt || fadt->header.length < sizeof(*fadt) || !fadt->pm1a_control)
		return;
	dsdt = acpi_map_table(fadt->dsdt);
	if (!dsdt ||
	    !acpi_find_s5((const uint8_t *)(dsdt + 1), dsdt->length - sizeof(*dsdt), &sleep_type)) {
		log_warning("power: no _S5_ object, power-off is a guess");
		return;
	}
	power = (struct power_registers){
	    .control_a = (uint16_t)fadt->pm1a_control,
	    .control_b = (uint16_t)fadt->pm1b_control,
	    .smi_command = (uint16_t)fadt->smi_command,
	    .acpi_enable = fadt->acpi_enable,
	    .sleep_type = sleep_type,
	};
	log_debug("power: off is sleep type %u at port %#x", sleep_type, power.control_a);
}

void power_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* The registers obey only in ACPI mode; the firmware switches to it on request (4.8.2). */
static void acpi_mode_enter(void)
{
	if (!power.smi_command || !power.acpi_enable)
		return;
	if (io_in16(power.control_a) & PM1_SCI_ENABLE)
		return;
	io_out8(power.smi_command, power.acpi_enable);
	for (unsigned polls = 0; polls < ACPI_ENABLE_POLLS_MAX; polls++)
		if (io_in16(power.control_a) & PM1_SCI_ENABLE)
			return;
}

static void pm1_sleep(uint16_t port)
{
	uint16_t value;

	if (!port)
		return;
	value = io_in16(port) & (uint16_t)~PM1_SLEEP_TYPE_MASK;
	value |= (uint16_t)(power.sleep_type << PM1_SLEEP_TYPE_SHIFT) & PM1_SLEEP_TYPE_MASK;
	io_out16(port, value | PM1_SLEEP_ENABLE);
}

void power_off(void)
{
	irq_disable();
	acpi_mode_enter();
	pm1_sleep(power.control_a);
	pm1_sleep(power.control_b);
	power.sleep_type = QEMU_SLEEP_TYPE_OFF;
	pm1_sleep(QEMU_PM1_CONTROL);
	power_halt();
}

/* With an empty interrupt table, any exception is a triple fault: the processor shuts down. */
static void triple_fault(void)
{
	struct packed_struct {
		uint16_t limit;
		uint64_t base;
	} empty = {0, 0};

	__asm__ volatile("lidt %0; ud2" : : "m"(empty));
}

void power_reset(void)
{
	irq_disable();
	for (unsigned polls = 0; polls < KEYBOARD_POLLS_MAX; polls++)
		if (!(io_in8(KEYBOARD_COMMAND) & KEYBOARD_INPUT_FULL))
			break;
	io_out8(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
	for (unsigned polls = 0; polls < KEYBOARD_POLLS_MAX; polls++)
		(void)io_in8(KEYBOARD_COMMAND);
	triple_fault();
	power_halt();
}

void power_fail(void)
{
	irq_disable();
	io_out8(QEMU_DEBUG_EXIT, QEMU_DEBUG_EXIT_FAILED);
	power_halt();
}
