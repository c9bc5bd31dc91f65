/*
 * cost_file.c - rows of the program `cost` about a file whose pages are all in the cache: see
 * cost.h.
 *
 * The file lies in the root file system, which is tmpfs in both kernels.
 */
#include "cost.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PAGES 2048u
#define FILE_NAME "/cost.data"

static int data;
static char buffer[PAGE];

static void file_make(const struct cost_row *row)
{
	(void)row;
	data = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(data >= 0);
	memset(buffer, 1, sizeof(buffer));
	for (unsigned i = 0; i < PAGES; i++)
		must(write(data, buffer, PAGE) == (ssize_t)PAGE);
}

static void file_unmake(const struct cost_row *row)
{
	(void)row;
	close(data);
	must(unlink(FILE_NAME) == 0);
}

static uint64_t file_read_fault(const struct cost_row *row)
{
	char *memory = map(PAGES * PAGE, PROT_READ, MAP_SHARED, data);
	uint64_t taken = read_pages(memory, row->units);

	unmap(memory, PAGES * PAGE);
	return taken;
}

static uint64_t file_private_write(const struct cost_row *row)
{
	char *memory = map(PAGES * PAGE, RW, MAP_PRIVATE, data);
	uint64_t taken = write_pages(memory, row->units);

	unmap(memory, PAGES * PAGE);
	return taken;
}

static uint64_t file_shared_write(const struct cost_row *row)
{
	char *memory = map(PAGES * PAGE, RW, MAP_SHARED, data);
	uint64_t taken = write_pages(memory, row->units);

	unmap(memory, PAGES * PAGE);
	return taken;
}

static uint64_t read_4k(const struct cost_row *row)
{
	uint64_t begin;

	must(lseek(data, 0, SEEK_SET) == 0);
	begin = ticks();
	for (unsigned i = 0; i < row->units; i++)
		must(read(data, buffer, PAGE) == (ssize_t)PAGE);
	return ticks_since(begin);
}

static uint64_t write_4k(const struct cost_row *row)
{
	uint64_t begin;

	must(lseek(data, 0, SEEK_SET) == 0);
	begin = ticks();
	for (unsigned i = 0; i < row->units; i++)
		must(write(data, buffer, PAGE) == (ssize_t)PAGE);
	return ticks_since(begin);
}

#define ROW(function)                                                                              \
	{.name = #function, .sample = function, .units = PAGES,       \
	 .begin = file_make, .end = file_unmake}

static const struct cost_row table[] = {
	ROW(file_read_fault), ROW(file_private_write), ROW(file_shared_write),
	ROW(read_4k),	      ROW(write_4k),
};

const struct cost_rows file_rows = {table, sizeof(table) / sizeof(*table)};
