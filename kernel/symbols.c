/*
 * kernel/symbols.c - addresses to names, and the walk up the frame pointers.
 */
#include <boot/boot_info.h>
#include <kernel/base/log.h>
#include <kernel/cpu.h>
#include <kernel/symbols.h>
#include <kernel/task.h>

struct symbol {
	uint64_t address, name; /* offset of the name */
};

struct symbol_table {
	uint64_t count;
	struct symbol symbols[];
};

extern const struct symbol_table kernel_symbols; /* generated */

const char *symbol_find(uintptr_t address, uintptr_t *offset)
{
	const struct symbol_table *table = &kernel_symbols;
	uint64_t low = 0, high = table->count;

	if (address < (uintptr_t)kernel_text_begin || address >= (uintptr_t)kernel_text_end)
		return NULL;
	while (low < high) { /* the last symbol at or below the address */
		uint64_t mid = low + (high - low) / 2;

		if (table->symbols[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return NULL;
	*offset = address - table->symbols[low - 1].address;
	return (const char *)&table->symbols[table->count] + table->symbols[low - 1].name;
}

#define BACKTRACE_MAX 32
#define FRAME_BYTES (2 * sizeof(uintptr_t)) /* the caller's frame pointer, the return address */

/*
 * A frame can be read there. An NMI may come while rbp is still the user's; and for an instant
 * during a switch the current task's stack is not the one in use: the chain is short then.
 */
static bool is_kernel_stack(uintptr_t address)
{
	const struct task *task = current_task();

	if (address % sizeof(uintptr_t) != 0)
		return false;
	if (task && address - task->kernel_stack <= KERNEL_STACK_SIZE - FRAME_BYTES)
		return true;
	return cpu_is_trap_stack(address) || address - (uintptr_t)boot_stack <=
		       (uintptr_t)(boot_stack_top - boot_stack) - FRAME_BYTES;
}

unsigned backtrace_collect(uintptr_t rbp, uintptr_t *chain, unsigned max)
{
	unsigned depth = 0;

	while (depth < max && is_kernel_stack(rbp)) {
		const uintptr_t *frame = (const uintptr_t *)rbp;

		if (frame[1] < (uintptr_t)kernel_text_begin ||
		    frame[1] >= (uintptr_t)kernel_text_end)
			break;
		chain[depth++] = frame[1];
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
	return depth;
}

void backtrace_log_address(uintptr_t address)
{
	uintptr_t offset = 0;
	const char *name = symbol_find(address, &offset);

	log_error("  %s+%#lx  [%#lx]", name ? name : "?", offset, address);
}

/* A call that does not return may be its function's last instruction: look up where it was made. */
static void backtrace_log_return(uintptr_t address)
{
	uintptr_t offset = 0;
	const char *name = symbol_find(address - 1, &offset);

	log_error("  %s+%#lx  [%#lx]", name ? name : "?", offset + 1, address);
}

void backtrace_log(uintptr_t rbp)
{
	uintptr_t chain[BACKTRACE_MAX];
	unsigned depth = backtrace_collect(rbp, chain, BACKTRACE_MAX);

	for (unsigned i = 0; i < depth; i++)
		backtrace_log_return(chain[i]);
}
