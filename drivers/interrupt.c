/*
 * drivers/interrupt.c - the table of interrupt handlers.
 *
 * Way in: trap.c calls interrupt_dispatch. Vectors from TRAP_IRQ_BASE are the 16 lines of old,
 * which the I/O APIC delivers; those from TRAP_DEVICE_BASE to TRAP_TIMER are message-signalled and
 * handed out one by one. All go to the first processor.
 *
 * Locks: interrupt_lock for changes (and the I/O APICs' registers). Dispatch takes no lock: a
 * slot's argument is written before its handler, and a slot is never emptied again.
 */
#include <drivers/acpi.h>
#include <drivers/interrupt.h>
#include <drivers/ioapic.h>
#include <drivers/lapic.h>
#include <drivers/pic.h>
#include <kernel/base/errno.h>
#include <kernel/base/lock.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>

struct interrupt_slot {
	_Atomic(interrupt_handler) handler; /* NULL: nobody's */
	void *arg;
	_Atomic bool complained;
};

static struct spinlock interrupt_lock = SPINLOCK_INIT(RANK_DRIVER);
static struct interrupt_slot interrupt_slots[TRAP_TIMER - TRAP_IRQ_BASE] GUARDED_BY(interrupt_lock);
static unsigned interrupt_next_vector = TRAP_DEVICE_BASE; /* [interrupt_lock] */

static struct madt madt; /* [I] after interrupt_lines_init */

void interrupt_init(void)
{
	pic_silence(TRAP_IRQ_BASE);
	lapic_init();
	cpus[0].apic_id = lapic_id();
}

void interrupt_lines_init(void)
{
	const struct acpi_table *table = acpi_find_table(MADT_SIGNATURE);

	if (table)
		madt_parse(table, table->length, &madt);
	else
		log_warning("acpi: no table of processors: one is used, interrupts as on any PC");
	ioapic_init(&madt);
}

const struct madt *interrupt_madt(void)
{
	return &madt;
}

static void interrupt_slot_set(unsigned vector, interrupt_handler handler, void *arg)
    REQUIRES(interrupt_lock)
{
	struct interrupt_slot *slot = &interrupt_slots[vector - TRAP_IRQ_BASE];

	kassert(!atomic_load_explicit(&slot->handler, memory_order_relaxed));
	slot->arg = arg;
	atomic_store_explicit(&slot->handler, handler, memory_order_release);
}

void interrupt_register_line(unsigned line, interrupt_handler handler, void *arg)
{
	uint64_t flags;

	kassert(line < PIC_LINES);
	flags = spin_lock_irq(&interrupt_lock);
	interrupt_slot_set(TRAP_IRQ_BASE + line, handler, arg);
	ioapic_route_line(&madt, line, TRAP_IRQ_BASE + line, cpus[0].apic_id);
	spin_unlock_irq(&interrupt_lock, flags);
}

int interrupt_allocate_vector(interrupt_handler handler, void *arg)
{
	int vector = -ENOSPC;
	uint64_t flags = spin_lock_irq(&interrupt_lock);

	if (interrupt_next_vector < TRAP_TIMER) {
		vector = (int)interrupt_next_vector++;
		interrupt_slot_set((unsigned)vector, handler, arg);
	}
	spin_unlock_irq(&interrupt_lock, flags);
	return vector;
}

interrupt_handler interrupt_handler_of(unsigned vector)
{
	return atomic_load_explicit(&interrupt_slots[vector - TRAP_IRQ_BASE].handler,
				    memory_order_acquire);
}

static void interrupt_call(uint64_t vector)
{
	struct interrupt_slot *slot = &interrupt_slots[vector - TRAP_IRQ_BASE];
	interrupt_handler handler = atomic_load_explicit(&slot->handler, memory_order_acquire);

	if (handler)
		handler(slot->arg);
	else if (!atomic_exchange_explicit(&slot->complained, true, memory_order_relaxed))
		log_warning("interrupt: nobody handles vector %u", (unsigned)vector);
}

void interrupt_dispatch(uint64_t vector)
{
	interrupt_call(vector);
	lapic_eoi();
}
