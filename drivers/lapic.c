/*
 * drivers/lapic.c - the local APIC in xAPIC mode (SDM vol. 3, chapter 11).
 *
 * Way in: interrupt_init and each other processor's start, then the trap code (lapic_eoi),
 * time_init (calibration) and whoever sends interrupts to other processors. The registers belong to
 * the processor that reads them, at the same address for all: no locks.
 *
 * Devices' interrupts come from the I/O APIC (ioapic.c) or as messages; pin LINT0, where the old
 * PIC is connected, stays masked.
 */
#include <drivers/lapic.h>
#include <kernel/base/cpu.h>
#include <kernel/base/panic.h>
#include <kernel/time.h>
#include <kernel/trap.h>
#include <mm/kernel_map.h>

/* Register offsets: SDM vol. 3, table 11-1. */
#define LAPIC_ID 0x020
#define LAPIC_TASK_PRIORITY 0x080
#define LAPIC_EOI 0x0b0
#define LAPIC_SPURIOUS 0x0f0
#define LAPIC_ERROR_STATUS 0x280
#define LAPIC_COMMAND 0x300 /* ICR: writing the low half sends */
#define LAPIC_COMMAND_HIGH 0x310
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_LVT_ERROR 0x370
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE 0x3e0
#define LAPIC_REGISTERS_SIZE 0x400

#define LAPIC_SPURIOUS_ENABLE 0x100u /* SDM vol. 3, figure 11-23 */
#define LAPIC_LVT_MASKED 0x10000u    /* SDM vol. 3, figure 11-8 */
#define LAPIC_LVT_PERIODIC 0x20000u
#define LAPIC_LVT_NMI 0x400u
#define LAPIC_TIMER_DIVIDE_BY_16 0x3u /* SDM vol. 3, figure 11-10 */

/* SDM vol. 3, figure 11-12 */
#define LAPIC_COMMAND_NMI 0x00400u
#define LAPIC_COMMAND_INIT 0x00500u
#define LAPIC_COMMAND_STARTUP 0x00600u
#define LAPIC_COMMAND_ASSERT 0x04000u
#define LAPIC_COMMAND_PENDING 0x01000u
#define LAPIC_COMMAND_DESTINATION_SHIFT 24
/* An accepted interrupt leaves within microseconds; a destination that is not there never does. */
#define LAPIC_PENDING_POLLS_MAX 100000u

#define MSR_APIC_BASE 0x1b /* SDM vol. 3, 11.4.4 and 11.12.1 */
#define MSR_APIC_BASE_X2APIC 0x400ul
#define MSR_APIC_BASE_ENABLE 0x800ul
#define MSR_APIC_BASE_ADDRESS 0x000ffffffffff000ul

#define CPUID_FEATURES 1
#define CPUID_FEATURES_EDX_APIC 0x200u /* SDM vol. 2, CPUID */

static volatile uint8_t *lapic_registers; /* [I] after lapic_init */
static uint64_t lapic_timer_hz;		  /* [I] after time_init */

static uint32_t lapic_read(unsigned reg)
{
	return *(volatile uint32_t *)(lapic_registers + reg);
}

static void lapic_write(unsigned reg, uint32_t value)
{
	*(volatile uint32_t *)(lapic_registers + reg) = value;
}

static uint64_t lapic_read_base(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(MSR_APIC_BASE));
	return (uint64_t)hi << 32 | lo;
}

static void lapic_write_base(uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(MSR_APIC_BASE)
			 : "memory");
}

static bool lapic_present(void)
{
	uint32_t eax = CPUID_FEATURES, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return edx & CPUID_FEATURES_EDX_APIC;
}

/* Firmware may have left it in x2APIC mode; the way back leads through "disabled". */
static phys_t lapic_enable_xapic(void)
{
	uint64_t base = lapic_read_base();

	if (base & MSR_APIC_BASE_X2APIC) {
		base &= ~(MSR_APIC_BASE_X2APIC | MSR_APIC_BASE_ENABLE);
		lapic_write_base(base);
	}
	lapic_write_base(base | MSR_APIC_BASE_ENABLE);
	return base & MSR_APIC_BASE_ADDRESS;
}

void lapic_init(void)
{
	if (!lapic_present())
		panic("the processor has no local APIC");
	lapic_registers = kernel_map_device(lapic_enable_xapic(), LAPIC_REGISTERS_SIZE);
	lapic_init_this();
}

void lapic_init_this(void)
{
	(void)lapic_enable_xapic();
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_LVT_ERROR, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT1, LAPIC_LVT_NMI);
	lapic_write(LAPIC_TASK_PRIORITY, 0);
	lapic_write(LAPIC_SPURIOUS, LAPIC_SPURIOUS_ENABLE | TRAP_SPURIOUS);
	lapic_write(LAPIC_ERROR_STATUS, 0);
	lapic_eoi();
}

void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

uint32_t lapic_id(void)
{
	return lapic_read(LAPIC_ID) >> 24;
}

/* The two halves of a command belong together: no interrupt may send another in between. */
static void lapic_command(uint32_t apic_id, uint32_t command)
{
	uint64_t flags = irq_save();

	for (unsigned polls = 0; polls < LAPIC_PENDING_POLLS_MAX; polls++) {
		if (!(lapic_read(LAPIC_COMMAND) & LAPIC_COMMAND_PENDING))
			break;
		cpu_relax();
	}
	lapic_write(LAPIC_COMMAND_HIGH, apic_id << LAPIC_COMMAND_DESTINATION_SHIFT);
	lapic_write(LAPIC_COMMAND, command);
	irq_restore(flags);
}

void lapic_send(uint32_t apic_id, unsigned vector)
{
	lapic_command(apic_id, LAPIC_COMMAND_ASSERT | vector);
}

void lapic_send_nmi(uint32_t apic_id)
{
	lapic_command(apic_id, LAPIC_COMMAND_ASSERT | LAPIC_COMMAND_NMI);
}

void lapic_send_init(uint32_t apic_id)
{
	lapic_command(apic_id, LAPIC_COMMAND_ASSERT | LAPIC_COMMAND_INIT);
}

void lapic_send_startup(uint32_t apic_id, phys_t page)
{
	kassert(page % PAGE_SIZE == 0 && page < 1ul << 20);
	lapic_command(apic_id, LAPIC_COMMAND_ASSERT | LAPIC_COMMAND_STARTUP |
				       (uint32_t)(page >> PAGE_SHIFT));
}

void lapic_timer_count_freely(void)
{
	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_TIMER_DIVIDE_BY_16);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
}

uint32_t lapic_timer_count(void)
{
	return lapic_read(LAPIC_TIMER_CURRENT);
}

void lapic_timer_set_frequency(uint64_t hz)
{
	lapic_timer_hz = hz;
}

void lapic_timer_start(unsigned vector, unsigned per_second)
{
	kassert(lapic_timer_hz >= per_second);
	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_TIMER_DIVIDE_BY_16);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_PERIODIC | vector);
	lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)MIN(lapic_timer_hz / per_second, UINT32_MAX));
}
