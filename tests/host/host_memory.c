/*
 * tests/host/host_memory.c - the real frame allocator and heap, over memory of this process.
 */
#include "host_kernel.h"

#include <mm/frame.h>
#include <mm/heap.h>

void host_memory_begin(uint64_t bytes)
{
	struct memory_range usable = {0, bytes};
	static bool heap_ready;

	host_ram_create(bytes);
	frame_init(&usable, 1, NULL, 0);
	if (!heap_ready)
		heap_init();
	heap_ready = true;
}

/* The heap must have given everything back: its caches outlive the frames. */
void host_memory_end(void)
{
	host_assert_idle();
	heap_trim();
	assert_int_equal(heap_bytes(), 0);
	frame_check();
	host_ram_destroy();
}
