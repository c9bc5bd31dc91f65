/*
 * kernel/trap.c - what a trap or interrupt means, and the way back to user mode.
 *
 * trap_entry.asm:trap_common calls trap_dispatch with interrupts off. Page faults go to
 * mm/fault.c; its answer, an enum fault_result, becomes a signal here. Other exceptions from
 * user mode are signals; from the kernel they are a panic.
 *
 * Not here: system calls (syscall.c), devices' handlers (drivers/interrupt.c).
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <drivers/interrupt.h>
#include <drivers/lapic.h>
#include <kernel/base/cross_call.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <kernel/cpu.h>
#include <kernel/fpu.h>
#include <kernel/nmi.h>
#include <kernel/panic_report.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/trap.h>
#include <kernel/trap_return.h>
#include <mm/check.h>
#include <mm/fault.h>
#include <mm/user_copy_fixup.h>

static const char *const exception_names[32] = {
	[TRAP_DIVIDE] = "divide error",
	[TRAP_DEBUG] = "debug",
	[TRAP_NMI] = "non-maskable interrupt",
	[TRAP_BREAKPOINT] = "breakpoint",
	[TRAP_OVERFLOW] = "overflow",
	[TRAP_BOUND] = "bound range",
	[TRAP_INVALID_OPCODE] = "invalid opcode",
	[TRAP_DEVICE_NOT_AVAILABLE] = "device not available",
	[TRAP_DOUBLE_FAULT] = "double fault",
	[TRAP_INVALID_TSS] = "invalid TSS",
	[TRAP_SEGMENT_NOT_PRESENT] = "segment not present",
	[TRAP_STACK] = "stack segment",
	[TRAP_GENERAL_PROTECTION] = "general protection",
	[TRAP_PAGE_FAULT] = "page fault",
	[TRAP_FLOATING_POINT] = "x87 floating point",
	[TRAP_ALIGNMENT] = "alignment check",
	[TRAP_MACHINE_CHECK] = "machine check",
	[TRAP_SIMD] = "SIMD floating point",
};

const char *trap_name(uint64_t vector)
{
	if (vector < ARRAY_SIZE(exception_names) && exception_names[vector])
		return exception_names[vector];
	return "unexpected trap";
}

static void floating_point_signal(const struct trap_frame *frame)
{
	int code = fpu_exception_code(frame->vector == TRAP_SIMD);

	if (code)
		signal_force(SIGFPE, code, frame->rip);
}

/* The signal, and its si_code, of an exception in user mode: as Linux does (signal(7)). */
static void exception_signal(const struct trap_frame *frame)
{
	switch (frame->vector) {
	case TRAP_DIVIDE:
		signal_force(SIGFPE, FPE_INTDIV, frame->rip);
		break;
	case TRAP_DEBUG:
	case TRAP_BREAKPOINT:
		signal_force(SIGTRAP, TRAP_BRKPT, frame->rip);
		break;
	case TRAP_INVALID_OPCODE:
		signal_force(SIGILL, ILL_ILLOPN, frame->rip);
		break;
	case TRAP_FLOATING_POINT:
	case TRAP_SIMD:
		floating_point_signal(frame);
		break;
	case TRAP_ALIGNMENT:
		signal_force(SIGBUS, BUS_ADRALN, 0);
		break;
	case TRAP_STACK:
	case TRAP_SEGMENT_NOT_PRESENT:
		signal_force(SIGBUS, SI_KERNEL, 0);
		break;
	default:
		signal_force(SIGSEGV, SI_KERNEL, 0);
		break;
	}
}

static void page_fault_signal(enum fault_result result, uintptr_t address)
{
	switch (result) {
	case FAULT_DONE:
		break;
	case FAULT_NO_ZONE:
		signal_force(SIGSEGV, SEGV_MAPERR, address);
		break;
	case FAULT_FORBIDDEN:
		signal_force(SIGSEGV, SEGV_ACCERR, address);
		break;
	case FAULT_NO_PAGE:
		signal_force(SIGBUS, BUS_ADRERR, address);
		break;
	case FAULT_NO_MEMORY:
		signal_force(SIGKILL, SI_KERNEL, 0);
		break;
	case FAULT_KILLED:
		break; /* on the way back to user mode the task will end */
	case FAULT_RETRY:
	case FAULT_MUST_LOAD:
	case FAULT_MUST_DIRTY:
	case FAULT_MUST_GROW:
	case FAULT_NEEDS_MEMORY:
		panic("page_fault_handler returned %d", result);
	}
}

/*
 * From the kernel only the copy functions may touch user addresses: their fault is handled
 * as the user's own would be, and where it cannot be, they return to their fix-up.
 */
static void page_fault_in_kernel(struct trap_frame *frame, const struct fault *fault)
{
	struct task *task = current_task();
	uintptr_t fixup = user_copy_fixup(frame->rip);

	if (!fixup || fault->address >= USER_SPACE_END || !task || !task->space)
		panic_with_frame(frame, "page fault in the kernel at %#lx", fault->address);
	if (!task->user_faults_disabled && this_cpu()->preempt_count == 0) {
		irq_enable();
		enum fault_result result = page_fault_handler(task->space, fault);
		irq_disable();
		if (result == FAULT_DONE)
			return;
	}
	frame->rip = fixup;
}

static void page_fault(struct trap_frame *frame)
{
	struct fault fault = fault_from_trap(cr2_read(), frame->error_code, frame->rip);
	enum fault_result result;

	if (!trap_from_user(frame)) {
		page_fault_in_kernel(frame, &fault);
		return;
	}
	irq_enable();
	result = page_fault_handler(current_task()->space, &fault);
	page_fault_signal(result, fault.address);
	irq_disable();
}

static void interrupt_handle(const struct trap_frame *frame)
{
	switch (frame->vector) {
	case TRAP_TIMER:
		lapic_eoi();
		sched_tick(trap_from_user(frame));
		break;
	case TRAP_CROSS_CALL:
		lapic_eoi();
		cross_call_serve();
		break;
	case TRAP_KICK: /* that we are here is all: need_resched and signals come on the way out */
		lapic_eoi();
		break;
	case TRAP_SPURIOUS: /* wants no acknowledgement: SDM vol. 3, 11.9 */
		break;
	default:
		interrupt_dispatch(frame->vector);
	}
}

static_assert(ARRAY_SIZE(cpus[0].interrupts) == TRAP_COUNT - TRAP_IRQ_BASE, "kernel/base/cpu.h");

static void interrupt(struct trap_frame *frame)
{
	struct cpu *cpu = this_cpu();
	uint32_t held_base = cpu->held_base; /* the order of locks begins afresh in a handler */

	cpu->interrupts[frame->vector - TRAP_IRQ_BASE]++;
	cpu->irq_depth++;
	cpu->held_base = cpu->held_count;
	preempt_disable();
	interrupt_handle(frame);
	preempt_enable_no_resched();
	cpu->held_base = held_base;
	cpu->irq_depth--;
	if (!trap_from_user(frame) && cpu->need_resched && cpu->preempt_count == 0)
		schedule_preempted();
}

void trap_dispatch(struct trap_frame *frame)
{
	if (frame->vector == TRAP_PAGE_FAULT) {
		page_fault(frame);
	} else if (frame->vector >= TRAP_IRQ_BASE) {
		interrupt(frame);
	} else if (frame->vector == TRAP_NMI && nmi_answer(frame)) {
		return;
	} else if (trap_from_user(frame) && frame->vector != TRAP_NMI &&
		   frame->vector != TRAP_DOUBLE_FAULT && frame->vector != TRAP_MACHINE_CHECK) {
		irq_enable();
		exception_signal(frame);
		irq_disable();
	} else {
		panic_with_frame(frame, "%s in the kernel, error code %#lx",
				 trap_name(frame->vector), frame->error_code);
	}
}

static bool work_is_due(const struct task *task)
{
	return cpu_read(need_resched) ||
	       atomic_load_explicit(&task->signal_pending, memory_order_relaxed);
}

static seldom_fn void work_before_return(struct trap_frame *frame, struct task *task)
{
	do {
		irq_enable();
		if (cpu_read(need_resched))
			schedule();
		if (atomic_load_explicit(&task->signal_pending, memory_order_relaxed))
			signal_deliver(frame);
		irq_disable();
	} while (work_is_due(task));
}

/* Interrupts off on entry and return: nothing may become due between the test and the return. */
void trap_return_to_user(struct trap_frame *frame)
{
	struct task *task = current_task();

	if (unlikely(work_is_due(task)))
		work_before_return(frame, task);
	lock_check_none_held();
	mem_check_none_held();
}
