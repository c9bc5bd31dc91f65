/*
 * kernel/cpu.h - setting up a processor: descriptor tables, control registers, MSRs.
 */
#pragma once

#include <kernel/base/cpu.h>

/* SDM vol. 3, figure 8-11. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_map_base;
} __attribute__((packed));

/* Model-specific registers: SDM vol. 4. */
#define MSR_APIC_BASE 0x1bu
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

/*
 * Tables and registers of the calling processor, whose struct is `cpu`; cpus[0] also reads what
 * processors can do, and comes first. Interrupts are off. The others' tables exist already.
 */
void cpu_init(struct cpu *cpu);
/* Tables for a processor that is to be started: 0 or -ENOMEM. */
must_check int cpu_allocate_tables(struct cpu *cpu);
void cpu_free_tables(struct cpu *cpu);
/*
 * Its control registers are as control_registers_init and boot left them: read-only and not
 * executable count.
 */
bool cpu_is_protected(void);
/* The address lies in this processor's stacks for double faults, NMIs and machine checks. */
bool cpu_is_trap_stack(uintptr_t address);

/* The kernel stack that traps and system calls from user mode start on. Preemption is off. */
void cpu_set_kernel_stack(uintptr_t top);

static inline void msr_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t msr_read(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid_read(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t cr2_read(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static inline uint64_t cr3_read(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

static inline void cr3_write(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}
