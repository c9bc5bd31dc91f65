/*
 * mm/tlb.c - forgetting translations. Whoever takes rights away from an entry calls this before
 * it relies on the change: before it unlocks the table, or frees the frame.
 *
 * A processor's bit in space->loaded_on is set before it loads the space (mem_space_switch), with a
 * full barrier; the entry is changed before the bits are read here, with another. So whoever may
 * have read the old entry has its bit set, and is told. It has forgotten when the call returns.
 *
 * A processor that runs a kernel task or is idle keeps the last space loaded, for that task's next
 * turn; being told of a change is the moment to give it up, so it is not told again.
 *
 * Called by page_table.c, page_gather.c, page_range.c, mem_space.c; for the kernel's own addresses
 * by kernel_map.c. Locks: none; spinlocks may be held (a table's is, often).
 */
#include <kernel/base/cross_call.h>
#include <kernel/base/panic.h>
#include <kernel/cpu.h>
#include <kernel/task.h>
#include <mm/kernel_map.h>
#include <mm/page_table.h>

#define FLUSH_ALL_PAGES 32 /* above this, forgetting everything is cheaper than page by page */

struct tlb_request {
	struct mem_space *space;
	uintptr_t beg, end;
};

/*
 * A request to leave the space (tlb_answer) must not come in between: its root would be loaded
 * again.
 */
static void flush_all(void)
{
	uint64_t flags = irq_save();

	cr3_write(cr3_read());
	irq_restore(flags);
}

static void flush_pages(uintptr_t beg, uintptr_t end)
{
	if ((end - beg) >> PAGE_SHIFT > FLUSH_ALL_PAGES)
		flush_all();
	else
		for (uintptr_t page = beg; page < end; page += PAGE_SIZE)
			__asm__ volatile("invlpg (%0)" : : "r"(page) : "memory");
}

/* On a processor that had the space loaded when it was asked. */
static void tlb_answer(void *arg)
{
	const struct tlb_request *request = arg;

	if (this_cpu()->loaded_space != request->space)
		return;
	if (this_cpu()->current->space)
		flush_pages(request->beg, request->end);
	else
		mem_space_leave(request->space);
}

void tlb_flush_range(struct mem_space *space, uintptr_t beg, uintptr_t end)
{
	struct tlb_request request = {space, beg, end};
	uint64_t loaded_on, self;

	preempt_disable();
	self = 1ull << cpu_read(id);
	atomic_thread_fence(memory_order_seq_cst);
	loaded_on = atomic_load(&space->loaded_on);
	if (loaded_on & self)
		flush_pages(beg, end);
	if (loaded_on & ~self)
		cross_call(loaded_on, tlb_answer, &request);
	preempt_enable();
}

static void tlb_answer_kernel(void *arg)
{
	const struct tlb_request *request = arg;

	flush_pages(request->beg, request->end);
}

void tlb_flush_kernel(uintptr_t beg, uintptr_t end)
{
	struct tlb_request request = {NULL, beg, end};

	preempt_disable();
	flush_pages(beg, end);
	cross_call((1ull << cpu_count()) - 1, tlb_answer_kernel, &request);
	preempt_enable();
}
