/*
 * kernel/processors.c - starting the other processors.
 *
 * All are sent INIT at first, which takes them time, then one after another a start-up interrupt (SDM
 * vol. 3, 9.4.4). Each runs boot/processor_start.asm in a page below 1 MiB, then processor_main on
 * its idle task's stack, and counts itself in; only then comes the next, so one block and one page
 * serve all.
 *
 * The first task calls processors_start. Tests: test_processors.py in tests/serial/ and tests/debug/.
 */
#include <boot/boot_info.h>
#include <drivers/interrupt.h>
#include <drivers/lapic.h>
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
#define RESEND_NS (1 * NS_PER_MS)

/* At the beginning of processor_start.asm, after a jump. */
struct start_block {
	uint64_t jump;
	uint64_t cpu, stack, entry;
	uint32_t root, apic_id;
	_Atomic uint32_t taken; /* by the processor, or, if it does not come, by us */
};

extern const char processor_start_begin[], processor_start_end[];

static noreturn_fn void processor_main(struct cpu *cpu)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(kernel_root) : "memory");
	cpu_init(cpu);
	lapic_init_this();
	sched_init();
	/* From here on it is told of changes; what it read before may be stale. */
	atomic_fetch_add(&cpus_running, 1);
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
		uint32_t nobody = 0;

		if (atomic_load(&block->taken))
			return true;
		if (now_ns - begin_ns > ANSWER_NS)
			return !atomic_compare_exchange_strong(&block->taken, &nobody, 1);
		if (now_ns > resend_ns) { /* some miss the first one */
			lapic_send_startup(apic_id, START_PAGE);
			resend_ns = UINT64_MAX;
		}
		cpu_relax();
	}
}

static bool processor_start(struct cpu *cpu, struct start_block *block)
{
	uint32_t count = cpu_count();

	*block = (struct start_block){
		.jump = block->jump,
		.cpu = (uintptr_t)cpu,
		.stack = cpu->kernel_stack_top,
		.entry = (uintptr_t)processor_main,
		.root = (uint32_t)kernel_map_start_tables(START_TABLES),
		.apic_id = cpu->apic_id,
	};
	lapic_send_startup(cpu->apic_id, START_PAGE);
	if (!wait_taken(block, cpu->apic_id))
		return false;
	while (cpu_count() == count)
		cpu_relax();
	return true;
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

static void start_one(uint32_t apic_id, struct start_block *block)
{
	uint32_t id = cpu_count();
	struct cpu *cpu = &cpus[id];

	if (processor_prepare(cpu, id, apic_id)) {
		log_warning("processor with APIC id %u is left out: no memory", apic_id);
		return;
	}
	if (!processor_start(cpu, block)) {
		log_warning("processor with APIC id %u does not start: it is left out", apic_id);
		processor_forget(cpu);
	}
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
	memcpy(block, processor_start_begin, (size_t)(processor_start_end - processor_start_begin));
	for (unsigned i = 0; i < madt->processor_count; i++)
		if (madt->processors[i] != cpus[0].apic_id)
			lapic_send_init(madt->processors[i]);
	task_sleep_uninterruptible(time_monotonic_ns() + INIT_NS);
	for (unsigned i = 0; i < madt->processor_count; i++) {
		if (madt->processors[i] == cpus[0].apic_id)
			continue;
		if (cpu_count() == CPU_MAX) {
			log_warning("stos uses %u of %u processors", CPU_MAX, madt->processor_count);
			break;
		}
		start_one(madt->processors[i], block);
	}
	log_info("%u processors", cpu_count());
}
