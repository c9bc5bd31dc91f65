/*
 * kernel/nmi.c - where another processor is (kernel/nmi.h). Called by panic.c and hang.c.
 *
 * The asker writes what it wants and sends an NMI; the one asked writes down its call chain and
 * says so. It logs nothing itself: it may have been interrupted while it held the log's lock.
 *
 * Tests: tests/debug/test_processors.py.
 */
#include <drivers/lapic.h>
#include <drivers/power.h>
#include <kernel/base/log.h>
#include <kernel/nmi.h>
#include <kernel/symbols.h>
#include <kernel/task.h>
#include <kernel/time.h>

#define NMI_WAIT_NS (300 * NS_PER_MS)
#define NMI_CHAIN 24

enum nmi_request { NMI_NOTHING, NMI_ASKED, NMI_ASKED_TO_STOP };

static struct nmi_place {
	_Atomic uint32_t request; /* enum nmi_request */
	_Atomic bool answered;
	bool user;
	uintptr_t rip;
	unsigned depth;
	uintptr_t chain[NMI_CHAIN];
} places[CPU_MAX];

bool nmi_ask(struct cpu *cpu, bool stop)
{
	struct nmi_place *place = &places[cpu->id];
	uint64_t until_ns = time_monotonic_ns() + NMI_WAIT_NS;

	atomic_store(&place->answered, false);
	atomic_store(&place->request, stop ? NMI_ASKED_TO_STOP : NMI_ASKED);
	lapic_send_nmi(cpu->apic_id);
	while (!atomic_load(&place->answered))
		if (time_monotonic_ns() > until_ns)
			return false;
	return true;
}

bool nmi_answer(const struct trap_frame *frame)
{
	struct nmi_place *place = &places[this_cpu()->id];
	uint32_t request = atomic_exchange(&place->request, NMI_NOTHING);

	if (request == NMI_NOTHING)
		return false;
	place->user = trap_from_user(frame);
	place->rip = frame->rip;
	place->depth = place->user ? 0 : backtrace_collect(frame->rbp, place->chain, NMI_CHAIN);
	atomic_store(&place->answered, true);
	if (request == NMI_ASKED_TO_STOP)
		power_halt();
	return true;
}

void nmi_log_answer(const struct cpu *cpu)
{
	const struct nmi_place *place = &places[cpu->id];
	const struct task *task = cpu->current;

	log_error("processor %u, task %s[%d]:", cpu->id, task->name, task->tid);
	if (place->user) {
		log_error("  user mode, rip %#lx", place->rip);
		return;
	}
	backtrace_log_address(place->rip);
	for (unsigned i = 0; i < place->depth; i++)
		backtrace_log_address(place->chain[i]);
}
