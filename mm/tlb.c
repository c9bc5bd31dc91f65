/*
 * mm/tlb.c - forgetting translations. Whoever takes rights away from an entry calls this before
 * it relies on the change.
 *
 * One processor runs today, so a flush is local; the interface already says which space and range,
 * and space->loaded_on says which processors would have to be told.
 */
#include <kernel/base/cpu.h>
#include <kernel/cpu.h>
#include <mm/page_table.h>

#define FLUSH_ALL_PAGES 32 /* above this, forgetting everything is cheaper than page by page */

void tlb_flush_range(struct mem_space *space, uintptr_t beg, uintptr_t end)
{
	preempt_disable();
	if (atomic_load(&space->loaded_on) & 1ull << this_cpu()->id) {
		if ((end - beg) >> PAGE_SHIFT > FLUSH_ALL_PAGES)
			cr3_write(cr3_read());
		else
			for (uintptr_t page = beg; page < end; page += PAGE_SIZE)
				__asm__ volatile("invlpg (%0)" : : "r"(page) : "memory");
	}
	preempt_enable();
}
