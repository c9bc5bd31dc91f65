/* cost_memory.c - rows of the program `cost` about mappings and anonymous faults: see cost.h. */
#define _GNU_SOURCE
#include "cost.h"

#include <sys/prctl.h>

#define PAGES 2048u /* of a row that counts pages */

/* --- calls that touch no memory --------------------------------------------------------------- */

static uint64_t mmap_munmap(const struct cost_row *row)
{
	uint64_t begin = ticks();

	for (unsigned i = 0; i < row->units; i++)
		unmap(map_anon(PAGE, 0), PAGE);
	return ticks_since(begin);
}

/* A page in the middle of 64 becomes read-only, which makes three zones of one, and back. */
static uint64_t mprotect_split_merge(const struct cost_row *row)
{
	char *memory = map_anon(64 * PAGE, 0), *page = memory + 30 * PAGE;
	uint64_t begin, taken;

	(void)write_pages(memory, 64);
	begin = ticks();
	for (unsigned i = 0; i < row->units; i++) {
		must(mprotect(page, PAGE, PROT_READ) == 0);
		must(mprotect(page, PAGE, RW) == 0);
	}
	taken = ticks_since(begin);
	unmap(memory, 64 * PAGE);
	return taken;
}

/* Four pages more at the end of 512 resident ones, and four less, where they are. */
static uint64_t mremap_in_place(const struct cost_row *row)
{
	char *memory = map_anon(1024 * PAGE, 0);
	uint64_t begin, taken;

	unmap(memory + 512 * PAGE, 512 * PAGE);
	(void)write_pages(memory, 512);
	begin = ticks();
	for (unsigned i = 0; i < row->units; i++) {
		must(mremap(memory, 512 * PAGE, 516 * PAGE, 0) == memory);
		must(mremap(memory, 516 * PAGE, 512 * PAGE, 0) == memory);
	}
	taken = ticks_since(begin);
	unmap(memory, 512 * PAGE);
	return taken;
}

/* --- faults ----------------------------------------------------------------------------------- */

static uint64_t anon_read_fault(const struct cost_row *row)
{
	char *memory = map_anon(PAGES * PAGE, 0);
	uint64_t taken = read_pages(memory, row->units);

	unmap(memory, PAGES * PAGE);
	return taken;
}

static uint64_t anon_write_fault(const struct cost_row *row)
{
	char *memory = map_anon(PAGES * PAGE, 0);
	uint64_t taken = write_pages(memory, row->units);

	unmap(memory, PAGES * PAGE);
	return taken;
}

/* As many pages where the kernel may use huge ones, if it has them. */
static uint64_t huge_write_fault(const struct cost_row *row)
{
	const size_t huge = 2 * MIB, size = row->units * PAGE;
	char *memory = map_anon(size + huge, 0);
	char *aligned = (char *)(((uintptr_t)memory + huge - 1) & ~(huge - 1));
	uint64_t taken;

	(void)prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	(void)madvise(aligned, size, MADV_HUGEPAGE);
	taken = write_pages(aligned, row->units);
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	unmap(memory, size + huge);
	return taken;
}

static uint64_t populate(const struct cost_row *row)
{
	uint64_t begin = ticks(), taken;
	char *memory = map_anon(row->units * PAGE, MAP_POPULATE);

	taken = ticks_since(begin);
	unmap(memory, row->units * PAGE);
	return taken;
}

static uint64_t munmap_resident(const struct cost_row *row)
{
	char *memory = map_anon(row->units * PAGE, 0);
	uint64_t begin;

	(void)write_pages(memory, row->units);
	begin = ticks();
	unmap(memory, row->units * PAGE);
	return ticks_since(begin);
}

/* --- many zones ------------------------------------------------------------------------------- */

static char *zones;

/* row->size zones: every other page of one mapping gets other rights. */
static void zones_make(const struct cost_row *row)
{
	zones = map(row->size * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (unsigned long i = 0; i < row->size; i += 2)
		must(mprotect(zones + i * PAGE, PAGE, RW) == 0);
}

static void zones_unmake(const struct cost_row *row)
{
	unmap(zones, row->size * PAGE);
}

#define ZONES(count)                                                                               \
	{.name = "zones_fault_" #count, .sample = anon_write_fault, .units = 512,                  \
	 .size = count, .begin = zones_make, .end = zones_unmake},                                 \
	{.name = "zones_mmap_" #count, .sample = mmap_munmap, .units = 200,                        \
	 .size = count, .begin = zones_make, .end = zones_unmake}

/* clang-format off */
static const struct cost_row table[] = {
	{.name = "mmap_munmap", .sample = mmap_munmap, .units = 500},
	{.name = "mprotect_split_merge", .sample = mprotect_split_merge, .units = 300},
	{.name = "mremap_in_place", .sample = mremap_in_place, .units = 300},
	{.name = "anon_read_fault", .sample = anon_read_fault, .units = PAGES},
	{.name = "anon_write_fault", .sample = anon_write_fault, .units = PAGES},
	{.name = "huge_write_fault", .sample = huge_write_fault, .units = 2 * PAGES},
	{.name = "populate", .sample = populate, .units = PAGES},
	{.name = "munmap_resident", .sample = munmap_resident, .units = PAGES},
	ZONES(10),
	ZONES(1000),
	ZONES(50000),
};
/* clang-format on */

const struct cost_rows memory_rows = {table, sizeof(table) / sizeof(*table)};
