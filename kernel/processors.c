/*
 * kernel/processors.c - starting the other processors.
 *
 * All are sent INIT at first, which takes them time, then one after another a start-up interrupt
 * (SDM vol. 3, 9.4.4). Each runs boot/processor_start.asm in a page below 1 MiB, then
 * processor_main on its idle task's stack, and says that it is there; only then comes the next, so
 * one block and one page serve all.
 *
 * One that does not come is left out. One that comes and then gets stuck is left out too, with all
 * behind it: it has the next number, and the memory that belongs to that.
 *
 * The first task calls processors_start. Tests: test_processors.py in tests/serial/ and
 * tests/debug/.
 */
#include <boot/boot_info.h>
#include <drivers/interrupt.h>
#include <drivers/lapic.h>
#include <drivers/power.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <kernel/cpu.h>
#include <kernel/processors.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <mm/direct_map.h>
#include <mm/kernel_map.h>
#include <string.h>

#define START_PAGE 0x8000ul /* processor_start.asm; the tables lie in the three pages behind it */
#define START_TABLES (START_PAGE + PAGE_SIZE)
#define START_END (START_TABLES + 3 * PAGE_SIZE)

#define INIT_NS (10 * NS_PER_MS)   /* SDM vol. 3, 9.4.4.1: between INIT and the first start-up */
#define ANSWER_NS (1 * NS_PER_SEC) /* an emulated processor may have to wait for a host's */
#define ARRIVAL_NS (5 * NS_PER_SEC)
#define RESEND_NS (1 * NS_PER_MS)

/* At the beginning of processor_start.asm, after a jump. */
struct start_block {
	uint64_t jump;
	uint64_t cpu, stack, entry;
	uint32_t root;
	_Atomic uint32_t apic_id; /* of whom it is for; or closed, by that, or by us */
};

#define BLOCK_CLOSED UINT32_MAX

/*
 * How far the processor is that took the block. It says ARRIVED, or we say LEFT_OUT: whoever is
 * first.
 */
static _Atomic enum arrival { COMING, ARRIVED, LEFT_OUT } arrival;

extern const char processor_start_begin[], processor_start_end[];

static bool arrival_decide(enum arrival decision)
{
	enum arrival coming = COMING;

	return atomic_compare_exchange_strong(&arrival, &coming, decision);
}

static noreturn_fn void processor_main(struct cpu *cpu)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(kernel_root) : "memory");
	cpu_init(cpu);
	lapic_init_this();
	sched_init();
	if (!arrival_decide(ARRIVED))
		power_halt();
	while (cpu_count() <= cpu->id)
		cpu_relax();
	/* From here on it is told of changes; what it read before may be stale. */
	cr3_write(kernel_root);
	lapic_timer_start(TRAP_TIMER, TIMER_HZ);
	sched_idle();
}

static bool start_page_is_ram(void)
{
	for (size_t i = 0; i < boot_info.usable_count; i++)
		if (boot_info.usable[i].beg <= START_PAGE && boot_info.usable[i].end >= START_END)
			return true;
	return false;
}

/* False when it does not come in time. */
static bool wait_taken(struct start_block *block, uint32_t apic_id)
{
	uint64_t begin_ns = time_monotonic_ns(), resend_ns = begin_ns + RESEND_NS;

	for (;;) {
		uint64_t now_ns = time_monotonic_ns();
		uint32_t expected = apic_id;

		if (atomic_load(&block->apic_id) == BLOCK_CLOSED)
			return true;
		if (now_ns - begin_ns > ANSWER_NS)
			return !atomic_compare_exchange_strong(&block->apic_id, &expected,
							       BLOCK_CLOSED);
		if (now_ns > resend_ns) { /* some miss the first one */
			lapic_send_startup(apic_id, START_PAGE);
			resend_ns = UINT64_MAX;
		}
		cpu_relax();
	}
}

/* False when it has taken the block, but does not get on. */
static bool wait_arrived(void)
{
	uint64_t end_ns = time_monotonic_ns() + ARRIVAL_NS;

	while (atomic_load(&arrival) == COMING) {
		if (time_monotonic_ns() > end_ns)
			return !arrival_decide(LEFT_OUT);
		cpu_relax();
	}
	return true;
}

enum start_result { START_DONE, START_SILENT, START_STUCK };

static enum start_result processor_start(struct cpu *cpu, struct start_block *block)
{
	block->cpu = (uintptr_t)cpu;
	block->stack = cpu->kernel_stack_top;
	atomic_store(&arrival, COMING);
	atomic_store(&block->apic_id, cpu->apic_id);
	lapic_send_startup(cpu->apic_id, START_PAGE);
	if (!wait_taken(block, cpu->apic_id))
		return START_SILENT;
	if (!wait_arrived())
		return START_STUCK;
	atomic_fetch_add(&cpus_running, 1);
	return START_DONE;
}

static int processor_prepare(struct cpu *cpu, uint32_t id, uint32_t apic_id)
{
	uintptr_t stack = kernel_stack_alloc();

	if (!stack)
		return -ENOMEM;
	memset(cpu, 0, sizeof(*cpu));
	if (cpu_allocate_tables(cpu)) {
		kernel_stack_free(stack);
		return -ENOMEM;
	}
	cpu->self = cpu;
	cpu->id = id;
	cpu->apic_id = apic_id;
	cpu->kernel_stack_top = stack + KERNEL_STACK_SIZE;
	cpu->stack_canary = cpus[0].stack_canary; /* a function may begin here and end there */
	return 0;
}

static void processor_forget(struct cpu *cpu)
{
	cpu_free_tables(cpu);
	kernel_stack_free(cpu->kernel_stack_top - KERNEL_STACK_SIZE);
}

/* False: the next number cannot be given to another any more. */
static bool start_one(uint32_t apic_id, struct start_block *block)
{
	uint32_t id = cpu_count();
	struct cpu *cpu = &cpus[id];

	if (processor_prepare(cpu, id, apic_id)) {
		log_warning("processor with APIC id %u is left out: no memory", apic_id);
		return true;
	}
	switch (processor_start(cpu, block)) {
	case START_DONE:
		break;
	case START_SILENT:
		log_warning("processor with APIC id %u does not start: it is left out", apic_id);
		processor_forget(cpu);
		break;
	case START_STUCK:
		log_warning("processor with APIC id %u got stuck: it is left out, "
			    "with those behind it", apic_id);
		return false;
	}
	return true;
}

static void block_init(struct start_block *block)
{
	memcpy(block, processor_start_begin, (size_t)(processor_start_end - processor_start_begin));
	block->entry = (uintptr_t)processor_main;
	block->root = (uint32_t)kernel_map_start_tables(START_TABLES);
	atomic_store(&block->apic_id, BLOCK_CLOSED);
}

void processors_start(void)
{
	const struct madt *madt = interrupt_madt();
	struct start_block *block = phys_to_virt(START_PAGE);

	if (madt->processor_count < 2)
		return;
	if (!start_page_is_ram()) {
		log_warning("no memory at %#lx: only one processor can be used", START_PAGE);
		return;
	}
	block_init(block);
	for (unsigned i = 0; i < madt->processor_count; i++)
		if (madt->processors[i] != cpus[0].apic_id)
			lapic_send_init(madt->processors[i]);
	task_sleep_uninterruptible(time_monotonic_ns() + INIT_NS);
	for (unsigned i = 0; i < madt->processor_count; i++) {
		if (madt->processors[i] == cpus[0].apic_id)
			continue;
		if (cpu_count() == CPU_MAX) {
			log_warning("stos uses %u of %u processors", CPU_MAX,
				    madt->processor_count);
			break;
		}
		if (!start_one(madt->processors[i], block))
			break;
	}
	log_info("%u processors", cpu_count());
}
