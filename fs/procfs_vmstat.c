/*
 * fs/procfs_vmstat.c - /proc/meminfo and /proc/vmstat: the memory of the system as a whole.
 * Formats: proc(5).
 *
 * Both are written from one struct memory_state. What stos does not have (swap, huge pages, a list
 * of inactive pages) is 0 or left out.
 *
 * Tests: tests/guest/smaps.c, fault_counts.c.
 */
#include <fs/procfs_private.h>
#include <kernel/base/cpu.h>
#include <mm/frame_census.h>
#include <mm/heap.h>

#define PAGE_KIB (PAGE_SIZE / 1024)

struct memory_state {
	uint64_t total, free;                 /* pages */
	uint64_t kinds[FRAME_ZERO + 1];       /* frames of each kind */
	struct frame_census cached;
	uint64_t faults, major_faults;        /* since boot */
};

static void state_read(struct memory_state *state)
{
	*state = (struct memory_state){.total = frame_total_count(), .free = frame_free_count()};
	frame_kind_counts(state->kinds);
	frame_census(&state->cached);
	for (uint32_t i = 0; i < cpu_count(); i++) {
		state->faults += __atomic_load_n(&cpus[i].faults, __ATOMIC_RELAXED);
		state->major_faults += __atomic_load_n(&cpus[i].major_faults, __ATOMIC_RELAXED);
	}
}

static void print_kib(struct text *text, const char *key, uint64_t kib)
{
	text_print(text, "%-16s%8lu kB\n", key, kib);
}

static void print_pages(struct text *text, const char *key, uint64_t pages)
{
	print_kib(text, key, pages * PAGE_KIB);
}

int proc_show_meminfo(struct text *text, const struct proc_node *node)
{
	struct memory_state state;
	uint64_t cached;

	(void)node;
	state_read(&state);
	cached = state.cached.file + state.cached.shmem;
	print_pages(text, "MemTotal:", state.total);
	print_pages(text, "MemFree:", state.free);
	/* What could be had without harm: pages in memory only have no other home. */
	print_pages(text, "MemAvailable:", state.free + state.cached.file);
	print_kib(text, "Buffers:", 0);
	print_pages(text, "Cached:", cached);
	print_kib(text, "SwapCached:", 0);
	print_pages(text, "Active:", state.kinds[FRAME_ANON]);
	print_pages(text, "Inactive:", cached);
	print_kib(text, "SwapTotal:", 0);
	print_kib(text, "SwapFree:", 0);
	print_pages(text, "Dirty:", state.cached.dirty);
	print_pages(text, "Writeback:", state.cached.writeback);
	print_pages(text, "AnonPages:", state.kinds[FRAME_ANON]);
	print_pages(text, "Mapped:", state.cached.mapped);
	print_pages(text, "Shmem:", state.cached.shmem);
	print_kib(text, "Slab:", heap_bytes() / 1024);
	print_kib(text, "SReclaimable:", 0);
	print_kib(text, "SUnreclaim:", heap_bytes() / 1024);
	print_pages(text, "PageTables:", state.kinds[FRAME_TABLE]);
	return 0;
}

int proc_show_vmstat(struct text *text, const struct proc_node *node)
{
	struct memory_state state;

	(void)node;
	state_read(&state);
	text_print(text, "nr_free_pages %lu\nnr_anon_pages %lu\nnr_mapped %lu\nnr_file_pages %lu\n",
		   state.free, state.kinds[FRAME_ANON], state.cached.mapped,
		   state.cached.file + state.cached.shmem);
	text_print(text,
		   "nr_dirty %lu\nnr_writeback %lu\nnr_slab_reclaimable 0\nnr_slab_unreclaimable "
		   "%lu\n",
		   state.cached.dirty, state.cached.writeback, heap_bytes() / PAGE_SIZE);
	text_print(text, "nr_shmem %lu\nnr_page_table_pages %lu\npgfault %lu\npgmajfault %lu\n",
		   state.cached.shmem, state.kinds[FRAME_TABLE], state.faults, state.major_faults);
	text_print(text, "nr_memmap_pages 0\nnr_memmap_boot_pages %lu\n", frame_array_pages());
	return 0;
}
