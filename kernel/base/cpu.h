/*
 * kernel/base/cpu.h - per-processor data, reached through GS, and preemption.
 *
 * One struct cpu per processor; only its own processor writes it unless a field says otherwise.
 * trap_entry.asm and syscall_entry.asm know the first offsets (asserted in kernel/cpu.c).
 */
#pragma once

#include <kernel/base/lock_check.h>
#include <kernel/base/types.h>

#define CPU_MAX 16

struct task;
struct cpu_tables;
struct mem_space;

struct __attribute__((aligned(64))) cpu {
	struct cpu *self;             /* gs:0 */
	struct task *current;         /* gs:8 */
	uintptr_t kernel_stack_top;   /* gs:16, of the current task: where syscall_entry starts */
	uintptr_t user_stack_pointer; /* gs:24, scratch of syscall_entry */
	uint32_t preempt_count;       /* gs:32, spinlocks held + explicit preempt_disable */
	uint32_t need_resched;        /* gs:36, set by the timer and by wake-ups */
	uint64_t stack_canary;        /* gs:40, where gcc's stack protector looks for it */
	uint32_t id;                  /* [I] its place in cpus[] */
	uint32_t apic_id;             /* [I] how interrupts are sent to it */
	uint32_t irq_depth;           /* inside an interrupt handler */
	struct task *idle;
	struct task *previous;        /* whom the current task followed */
	struct mem_space *loaded_space; /* whose root table CR3 holds */
	struct mem_space *left_space;   /* loaded before: dropped when the switch is complete */
	struct task *leaving;         /* switched away from, and may not run here again */
	struct cpu_tables *tables;    /* its GDT and TSS, and stacks for the worst traps */
	_Atomic uint64_t callers;     /* who waits in cross_call for it, a bit each; all write */
	_Atomic uint64_t ticks;       /* timer interrupts taken: others see that it goes on */
	uint64_t user_ns, nice_ns, system_ns; /* how its time was spent, by ticks */
	uint64_t accounted_ns;        /* the time up to which it was told, but for idling */
	uint64_t idle_ns;             /* exact, without the present idling */
	bool slow_tick;               /* it is idle and its timer slow */
	uint64_t switches;            /* of tasks */
	uint64_t faults, major_faults; /* page faults that were no mistakes of the program's */
	uint64_t interrupts[256 - 32]; /* taken, by vector - TRAP_IRQ_BASE */
	uint32_t held_count;          /* checking build (lock_check.h): spinlocks held, by age */
	uint32_t held_base;           /* where the running interrupt handler's begin */
#ifdef STOS_CHECK
	struct lock_record held[HELD_SPINLOCKS_MAX];
	struct lock_record long_held;   /* the one just released was held too long */
	uint64_t long_held_ns;        /* for so long; 0: none */
#endif
};

/* cpus[0] is the one that booted. Those at and above cpu_count() do not run. */
extern struct cpu cpus[CPU_MAX];
extern _Atomic uint32_t cpus_running;

static inline uint32_t cpu_count(void)
{
	return atomic_load_explicit(&cpus_running, memory_order_acquire);
}

/*
 * A field of this processor's struct, read in one instruction. The comma takes _Atomic off its
 * type.
 */
#define cpu_read(field)                                                                            \
	({                                                                                         \
		__typeof__(((void)0, ((struct cpu *)0)->field)) value_;                            \
		__asm__ volatile("mov %%gs:%c1, %0"                                                \
				 : "=r"(value_)                                                    \
				 : "i"(offsetof(struct cpu, field))                                \
				 : "memory");                                                      \
		value_;                                                                            \
	})

/* One more in a 64-bit counter of this processor's struct, in one instruction. */
#define cpu_count_one(field)                                                                       \
	__asm__ volatile("incq %%gs:%c0" : : "i"(offsetof(struct cpu, field)) : "memory")

/* Only stable while preemption is off. */
static inline struct cpu *this_cpu(void)
{
	return cpu_read(self);
}

static inline struct task *current_task(void)
{
	return cpu_read(current);
}

/* Kernel code may be preempted where preempt_count is 0 and interrupts are on. */
static inline void preempt_disable(void)
{
	__asm__ volatile("incl %%gs:%c0" : : "i"(offsetof(struct cpu, preempt_count)) : "memory");
}

/* Out of line: reschedules if that became due meanwhile. */
void preempt_enable(void);

static inline void preempt_enable_no_resched(void)
{
	__asm__ volatile("decl %%gs:%c0" : : "i"(offsetof(struct cpu, preempt_count)) : "memory");
}

#define EFLAGS_IF 0x200ul /* SDM vol. 1, 3.4.3 */

static inline uint64_t irq_save(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags;
}

static inline void irq_restore(uint64_t flags)
{
	if (flags & EFLAGS_IF)
		__asm__ volatile("sti" : : : "memory");
}

static inline void irq_enable(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline bool irq_enabled(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	return flags & EFLAGS_IF;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline uint64_t cpu_tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* What the processor can do, read once at boot by cpu_features_read(). */
struct cpu_features {
	bool nx, smep, smap, umip, gigabyte_pages, rdrand, fsgsbase, erms;
};
extern struct cpu_features cpu_features;
