/*
 * kernel/trap.h - what trap_entry.asm and syscall_entry.asm push, and what they call.
 */
#pragma once

#include <kernel/base/types.h>

/*
 * The interrupted registers, on the kernel stack. Both entries build the same frame; the
 * offsets are repeated in trap_entry.asm and asserted in trap.c. `vector` is the trap or
 * interrupt number; TRAP_VECTOR_SYSCALL for a system call, whose number is in `error_code`.
 */
struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t vector;
	uint64_t error_code;
	uint64_t rip, cs, rflags, rsp, ss; /* pushed by the processor */
};

#define TRAP_VECTOR_SYSCALL 0x100ull
/* exec and signal return replaced every register: no system call's frame any more, so iretq. */
#define TRAP_VECTOR_REPLACED 0x101ull

/* Exception vectors: SDM vol. 3, table 6-1. */
enum trap_vector {
	TRAP_DIVIDE = 0,
	TRAP_DEBUG = 1,
	TRAP_NMI = 2,
	TRAP_BREAKPOINT = 3,
	TRAP_OVERFLOW = 4,
	TRAP_BOUND = 5,
	TRAP_INVALID_OPCODE = 6,
	TRAP_DEVICE_NOT_AVAILABLE = 7,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_INVALID_TSS = 10,
	TRAP_SEGMENT_NOT_PRESENT = 11,
	TRAP_STACK = 12,
	TRAP_GENERAL_PROTECTION = 13,
	TRAP_PAGE_FAULT = 14,
	TRAP_FLOATING_POINT = 16,
	TRAP_ALIGNMENT = 17,
	TRAP_MACHINE_CHECK = 18,
	TRAP_SIMD = 19,
	TRAP_IRQ_BASE = 32,    /* the 16 interrupt lines of old */
	TRAP_DEVICE_BASE = 48, /* message-signalled interrupts */
	TRAP_TIMER = 0xf0,     /* local APIC timer */
	TRAP_KICK = 0xf1,      /* another processor wants this one to look (processor_kick) */
	TRAP_CROSS_CALL = 0xf2, /* ... to run something (kernel/base/cross_call.h) */
	TRAP_SPURIOUS = 0xff,
	TRAP_COUNT = 256,
};

static inline bool trap_from_user(const struct trap_frame *frame)
{
	return (frame->cs & 3) == 3;
}

/*
 * An interrupt handler: interrupts off, preemption off, may not sleep. The interrupt
 * controller is acknowledged by the caller after it returns.
 */
typedef void (*interrupt_handler)(void *arg);

/* Lines 0 to 15 of the old interrupt controllers; also unmasks the line. */
void interrupt_register_line(unsigned line, interrupt_handler handler, void *arg);
/* A vector for message-signalled interrupts, or -ENOSPC. */
must_check int interrupt_allocate_vector(interrupt_handler handler, void *arg);
/* Who handles vector TRAP_IRQ_BASE to TRAP_TIMER - 1: NULL if nobody does. */
interrupt_handler interrupt_handler_of(unsigned vector);

/* The selectors of the GDT (kernel/cpu.c); SYSRET fixes their order (SDM vol. 2, SYSRET). */
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA 0x1b
#define SELECTOR_USER_CODE 0x23
#define SELECTOR_TSS 0x28
