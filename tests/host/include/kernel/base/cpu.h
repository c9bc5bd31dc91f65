/*
 * tests/host/include/kernel/base/cpu.h - the host's stand-in for kernel/base/cpu.h.
 *
 * Each thread is a processor, whose number the test may change. Interrupts and preemption are
 * flags and counts that host_kernel.c watches.
 */
#pragma once

#include <kernel/base/types.h>

#define CPU_MAX 16

static inline uint32_t cpu_count(void)
{
	return CPU_MAX;
}

struct task;
struct spinlock;

struct cpu {
	uint32_t id;
	struct task *current;
	uint32_t preempt_count;
	uint32_t need_resched;
	bool irqs_off;
	struct spinlock *held[16];
	uint32_t held_count;
};

extern _Thread_local struct cpu host_cpu;

#define cpu_read(field) (host_cpu.field)
#define EFLAGS_IF 0x200ul

static inline struct cpu *this_cpu(void)
{
	return &host_cpu;
}

static inline struct task *current_task(void)
{
	return host_cpu.current;
}

static inline void preempt_disable(void)
{
	host_cpu.preempt_count++;
}

void preempt_enable(void);
void preempt_enable_no_resched(void);

static inline uint64_t irq_save(void)
{
	uint64_t flags = host_cpu.irqs_off ? 0 : EFLAGS_IF;

	host_cpu.irqs_off = true;
	return flags;
}

static inline void irq_restore(uint64_t flags)
{
	if (flags & EFLAGS_IF)
		host_cpu.irqs_off = false;
}

static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}
