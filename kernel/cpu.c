/*
 * kernel/cpu.c - setting up a processor: GDT, TSS, IDT, control registers, SYSCALL.
 *
 * Called once per processor, early, with interrupts off: by kernel_main and processors.c. Sources:
 * SDM vol. 3, chapters 2 (control registers), 3 (segments), 6 (interrupts), 8 (TSS); vol. 2,
 * SYSCALL.
 */
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <kernel/cpu.h>
#include <kernel/task.h>
#include <kernel/trap.h>
#include <mm/frame.h>
#include <string.h>

#define CR0_WP (1ul << 16)
#define CR4_UMIP (1ul << 11)
#define CR4_SMEP (1ul << 20)
#define CR4_SMAP (1ul << 21)
#define EFER_SCE 1ul
#define EFER_NXE (1ul << 11)

#define RFLAGS_CLEARED_BY_SYSCALL 0x47700ul /* TF, IF, DF, IOPL, NT, AC */

#define IST_STACK_SIZE 4096
enum ist { IST_NONE, IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK, IST_COUNT };

#define GATE_INTERRUPT 0x8e00u /* present, DPL 0, 64-bit interrupt gate (SDM vol. 3, 6.14.1) */
#define GATE_USER 0x6000u      /* DPL 3: INT3 and INTO may come from user mode */

struct idt_gate {
	uint16_t offset_low, selector, flags, offset_mid;
	uint32_t offset_high, reserved;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* Null, kernel code, kernel data, user data, user code, TSS (two slots). */
#define GDT_ENTRIES 7

struct cpu_tables {
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
	uint8_t ist_stacks[IST_COUNT - 1][IST_STACK_SIZE] __attribute__((aligned(16)));
};

extern const uintptr_t trap_stubs[256]; /* trap_entry.asm */
void syscall_entry(void);               /* syscall_entry.asm */

struct cpu_features cpu_features;
struct cpu cpus[CPU_MAX];
_Atomic uint32_t cpus_running = 1;
static struct cpu_tables boot_tables;
static struct idt_gate idt[256] __attribute__((aligned(16)));

/* The offsets that the assembly files use. */
static_assert(offsetof(struct cpu, self) == 0, "boot.asm, processor_start.asm");
static_assert(offsetof(struct cpu, kernel_stack_top) == 16, "syscall_entry.asm");
static_assert(offsetof(struct cpu, user_stack_pointer) == 24, "syscall_entry.asm");
static_assert(offsetof(struct cpu, current) == 8, "syscall_entry.asm");
static_assert(offsetof(struct cpu, need_resched) == 36, "syscall_entry.asm");
static_assert(offsetof(struct task, signal_pending) == 512, "syscall_entry.asm");
static_assert(offsetof(struct trap_frame, rbp) == 4 * 8, "syscall_entry.asm");
static_assert(offsetof(struct trap_frame, r10) == 7 * 8, "syscall_entry.asm");
static_assert(offsetof(struct cpu, stack_canary) == 40, "gcc's stack protector");
static_assert(offsetof(struct trap_frame, rax) == 10 * 8, "syscall_entry.asm");
static_assert(offsetof(struct trap_frame, vector) == 15 * 8, "trap_entry.asm");
static_assert(sizeof(struct tss) == 104, "SDM vol. 3, figure 8-11");

bool cpu_is_trap_stack(uintptr_t address)
{
	const struct cpu_tables *tables = this_cpu()->tables;

	return tables && address - (uintptr_t)tables->ist_stacks < sizeof(tables->ist_stacks);
}

static void features_read(void)
{
	struct cpuid basic = cpuid_read(0, 0);
	struct cpuid leaf1 = cpuid_read(1, 0);
	struct cpuid extended = cpuid_read(0x80000001u, 0);
	struct cpuid leaf7 = {0};

	if (basic.eax >= 7)
		leaf7 = cpuid_read(7, 0);
	cpu_features = (struct cpu_features){
		.nx = extended.edx & (1u << 20),
		.gigabyte_pages = extended.edx & (1u << 26),
		.rdrand = leaf1.ecx & (1u << 30),
		.fsgsbase = leaf7.ebx & (1u << 0),
		.smep = leaf7.ebx & (1u << 7),
		.erms = leaf7.ebx & (1u << 9),
		.smap = leaf7.ebx & (1u << 20),
		.umip = leaf7.ecx & (1u << 2),
	};
}

static void control_registers_init(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if (cpu_features.smep)
		cr4 |= CR4_SMEP;
	if (cpu_features.smap)
		cr4 |= CR4_SMAP;
	if (cpu_features.umip)
		cr4 |= CR4_UMIP;
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

bool cpu_is_protected(void)
{
	uint64_t cr0, cr4;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	return (cr0 & CR0_WP) && (msr_read(MSR_EFER) & EFER_NXE) &&
	       (!cpu_features.smep || (cr4 & CR4_SMEP)) && (!cpu_features.smap || (cr4 & CR4_SMAP));
}

static void idt_init(void)
{
	for (unsigned vector = 0; vector < 256; vector++) {
		uintptr_t stub = trap_stubs[vector];
		uint16_t flags = GATE_INTERRUPT;

		if (vector == TRAP_BREAKPOINT || vector == TRAP_OVERFLOW)
			flags |= GATE_USER;
		if (vector == TRAP_DOUBLE_FAULT)
			flags |= IST_DOUBLE_FAULT;
		else if (vector == TRAP_NMI)
			flags |= IST_NMI;
		else if (vector == TRAP_MACHINE_CHECK)
			flags |= IST_MACHINE_CHECK;
		idt[vector] = (struct idt_gate){
			.offset_low = (uint16_t)stub,
			.selector = SELECTOR_KERNEL_CODE,
			.flags = flags,
			.offset_mid = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
		};
	}
}

static void tables_load(struct cpu_tables *tables)
{
	uintptr_t tss = (uintptr_t)&tables->tss;
	struct table_pointer gdt_pointer = {sizeof(tables->gdt) - 1, (uintptr_t)tables->gdt};
	struct table_pointer idt_pointer = {sizeof(idt) - 1, (uintptr_t)idt};

	tables->gdt[SELECTOR_KERNEL_CODE / 8] = 0x00209b0000000000ull; /* 64-bit code, DPL 0 */
	tables->gdt[SELECTOR_KERNEL_DATA / 8] = 0x0000930000000000ull;
	tables->gdt[SELECTOR_USER_DATA / 8] = 0x0000f30000000000ull; /* DPL 3 */
	tables->gdt[SELECTOR_USER_CODE / 8] = 0x0020fb0000000000ull;
	tables->gdt[SELECTOR_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
					0x89ull << 40 | (tss >> 24 & 0xff) << 56;
	tables->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
	for (unsigned i = 0; i < IST_COUNT - 1; i++)
		tables->tss.ist[i] = (uintptr_t)tables->ist_stacks[i] + IST_STACK_SIZE;
	tables->tss.io_map_base = sizeof(struct tss);

	__asm__ volatile("lgdt %0" : : "m"(gdt_pointer));
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
			 :
			 : "i"(SELECTOR_KERNEL_CODE)
			 : "rax", "memory");
	__asm__ volatile("mov %0, %%ss; mov %0, %%ds; mov %0, %%es" : : "r"(SELECTOR_KERNEL_DATA));
	__asm__ volatile("lidt %0" : : "m"(idt_pointer));
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS));
}

static void syscall_init(void)
{
	/* SYSCALL loads CS from bits 47:32; SYSRET CS and SS from bits 63:48 plus 16 and 8. */
	msr_write(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << 32 |
				    (uint64_t)((SELECTOR_USER_DATA - 8) | 3) << 48);
	msr_write(MSR_LSTAR, (uintptr_t)syscall_entry);
	msr_write(MSR_SFMASK, RFLAGS_CLEARED_BY_SYSCALL);
	msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE | EFER_NXE);
}

#define TABLES_ORDER 2 /* 16 KiB */
static_assert(sizeof(struct cpu_tables) <= PAGE_SIZE << TABLES_ORDER, "cpu_allocate_tables");

int cpu_allocate_tables(struct cpu *cpu)
{
	struct frame *block = frame_alloc_block(TABLES_ORDER);

	if (!block)
		return -ENOMEM;
	cpu->tables = frame_virt(block);
	memset(cpu->tables, 0, sizeof(*cpu->tables));
	return 0;
}

void cpu_free_tables(struct cpu *cpu)
{
	frame_free_block(phys_to_frame(virt_to_phys(cpu->tables)), TABLES_ORDER);
	cpu->tables = NULL;
}

void cpu_init(struct cpu *cpu)
{
	if (cpu == &cpus[0]) {
		features_read();
		idt_init();
		cpu->tables = &boot_tables;
	}
	control_registers_init();
	tables_load(cpu->tables);
	/* Loading DS to GS leaves the bases alone in 64-bit mode except GS: set it again. */
	msr_write(MSR_GS_BASE, (uintptr_t)cpu);
	msr_write(MSR_KERNEL_GS_BASE, 0);
	syscall_init();
}

void cpu_set_kernel_stack(uintptr_t top)
{
	struct cpu *cpu = this_cpu();

	cpu->kernel_stack_top = top;
	cpu->tables->tss.rsp[0] = top;
}
