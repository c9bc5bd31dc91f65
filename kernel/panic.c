/*
 * kernel/panic.c - the last words: message, registers, the fault in words, the task and its zones,
 * the last fault events, a backtrace, where the other processors were. Then QEMU ends with a
 * failure status.
 *
 * Nothing here takes a lock or allocates: the machine may be in any state. The others are stopped
 * first, by NMI. One that panics meanwhile waits to be stopped: its call chain tells of it.
 */
#include <boot/boot_info.h>
#include <drivers/power.h>
#include <kernel/base/lock_check.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <kernel/cpu.h>
#include <kernel/nmi.h>
#include <kernel/panic_report.h>
#include <kernel/symbols.h>
#include <kernel/task.h>
#include <kernel/trap_return.h>
#include <mm/fault.h>
#include <mm/fault_ring.h>
#include <mm/heap.h>
#include <mm/kernel_map.h>
#include <mm/mem_space.h>
#include <stdarg.h>
#include <vsnprintf.h>

#define PANIC_ZONES_MAX 40
#define PANIC_EVENTS_MAX 8

static _Atomic uint32_t panicking; /* the processor that reports, + 1 */

/* What an address probably is. */
static const char *address_in_words(uintptr_t address)
{
	if (address < PAGE_SIZE)
		return "a null pointer, or a field of one";
	if (address < USER_SPACE_END)
		return "a user address";
	if (address >> 48 == HEAP_POISON >> 48 || address >> 48 == FRAME_POISON >> 48)
		return "the poison of freed memory";
	if (address < 0xffff800000000000ul)
		return "not canonical";
	if (address >= DIRECT_MAP_BASE &&
	    address < DIRECT_MAP_BASE + (frame_array_count << PAGE_SHIFT))
		return "the direct map of RAM";
	if (kernel_stack_is_guard(address))
		return "the guard page of a kernel stack: it overflowed";
	if (address >= KERNEL_BASE)
		return "the kernel's image";
	return "an unused kernel address";
}

static void report_registers(const struct trap_frame *f)
{
	uintptr_t offset = 0;
	const char *name = symbol_find(f->rip, &offset);

	log_error("rip %016lx %s+%#lx  cs %02lx rflags %06lx", f->rip, name ? name : "?", offset,
		  f->cs, f->rflags);
	log_error("rsp %016lx rbp %016lx cr2 %016lx cr3 %016lx", f->rsp, f->rbp, cr2_read(),
		  cr3_read());
	log_error("rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
	log_error("rsi %016lx rdi %016lx r8  %016lx r9  %016lx", f->rsi, f->rdi, f->r8, f->r9);
	log_error("r10 %016lx r11 %016lx r12 %016lx r13 %016lx", f->r10, f->r11, f->r12, f->r13);
	log_error("r14 %016lx r15 %016lx vector %lu (%s) error code %#lx", f->r14, f->r15,
		  f->vector, trap_name(f->vector), f->error_code);
	if (f->vector == TRAP_PAGE_FAULT)
		log_error("%s of %#lx, %s: %s", fault_access_in_words(f->error_code), cr2_read(),
			  f->error_code & 1 ? "which is mapped without that right"
					    : "which is not mapped",
			  address_in_words(cr2_read()));
}

static void report_task(void)
{
	struct task *task = current_task();
	struct mem_zone *zone;
	unsigned count = 0;

	if (!task)
		return;
	log_error("processor %u, task %s[%d]", this_cpu()->id, task->name, task->tid);
	if (!task->space)
		return;
	log_error("its zones:");
	list_for_each_entry(zone, &task->space->zones.list, next) {
		if (++count > PANIC_ZONES_MAX)
			break;
		log_error("  %012lx-%012lx %c%c%c%c offset %#lx", zone->beg, zone->end,
			  zone->prot & 1 ? 'r' : '-', zone->prot & 2 ? 'w' : '-',
			  zone->prot & 4 ? 'x' : '-', zone->flags & ZONE_SHARED ? 's' : 'p',
			  zone->offset);
	}
}

/* Bit n: cpus[n] answered. */
static uint64_t stop_others(void)
{
	uint64_t answered = 0;

	for (uint32_t i = 0; i < cpu_count(); i++)
		if (&cpus[i] != this_cpu() && nmi_ask(&cpus[i], true))
			answered |= 1ull << i;
	return answered;
}

static void report_others(uint64_t answered)
{
	if (cpu_count() > 1)
		log_error("the other processors:");
	for (uint32_t i = 0; i < cpu_count(); i++) {
		if (&cpus[i] == this_cpu())
			continue;
		if (answered & 1ull << i)
			nmi_log_answer(&cpus[i]);
		else
			log_error("processor %u does not answer", i);
	}
}

/* One processor reports; true for it, the first time. */
static bool panic_begin(void)
{
	uint32_t self = this_cpu()->id + 1, nobody = 0;

	irq_disable();
	if (atomic_compare_exchange_strong(&panicking, &nobody, self))
		return true;
	while (nobody != self) /* that one will stop us */
		cpu_relax();
	return false;
}

noreturn_fn static void panic_end(const struct trap_frame *frame, const char *message)
{
	uint64_t stopped;

	if (!panic_begin())
		power_fail(); /* while reporting: what is out already must do */
	stopped = stop_others();
	log_panic_mode();
	log_error("\nstos: panic: %s", message);
	if (frame)
		report_registers(frame);
	report_task();
	fault_ring_log_last(PANIC_EVENTS_MAX);
	lock_check_log_held();
	log_error("backtrace:");
	backtrace_log((uintptr_t)__builtin_frame_address(0));
	if (frame && !trap_from_user(frame)) {
		log_error("interrupted:");
		backtrace_log(frame->rbp);
	}
	report_others(stopped);
	power_fail();
}

#define PANIC_MESSAGE_MAX 256

void panic(const char *format, ...)
{
	char message[PANIC_MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	panic_end(NULL, message);
}

void panic_with_frame(const struct trap_frame *frame, const char *format, ...)
{
	char message[PANIC_MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	panic_end(frame, message);
}

noreturn_fn void __stack_chk_fail(void);
/* gcc's stack protector calls this (GCC manual, -fstack-protector). */
void __stack_chk_fail(void)
{
	panic("a kernel function overwrote its stack frame's canary");
}
