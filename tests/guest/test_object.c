/*
 * test_object.c - lazy loading and write-back, counted by /dev/test-object.
 *
 * stos only: the device does not exist on Linux, where the cases are skipped.
 */
#include "tap.h"

#include "helpers.h"

#include <sys/mman.h>

#define DEVICE "/dev/test-object"
#define PAGES 64

struct counts {
	long loads, dirties, runs, pages;
};

static int device_open(void)
{
	int fd = open(DEVICE, O_RDWR);

	if (fd < 0 && errno == ENOENT)
		exit(TAP_SKIPPED);
	expect(fd >= 0);
	return fd;
}

static struct counts counts_of(int fd)
{
	struct counts now;
	char text[256] = "";

	expect(pread(fd, text, sizeof(text) - 1, 0) > 0);
	expect(sscanf(text, "loads %ld dirties %ld runs %ld pages %ld", &now.loads, &now.dirties,
		      &now.runs, &now.pages) == 4);
	return now;
}

static void loads_are_lazy(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ, MAP_SHARED, 0);

	expect(counts_of(fd).loads == 0);
	(void)peek(map + 5 * PAGE);
	expect(counts_of(fd).loads == 1);
	(void)peek(map + 5 * PAGE + 17);
	expect(counts_of(fd).loads == 1);
}

static void one_load_for_all(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ, MAP_SHARED, 0);
	char *private = map_file(fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

	(void)peek(map);
	poke(private, 1);
	expect(peek(map) == 0);
	expect(counts_of(fd).loads == 1 && counts_of(fd).dirties == 0);
}

static void populate_loads_all(void)
{
	int fd = device_open();

	map_file(fd, PAGES * PAGE, PROT_READ, MAP_SHARED | MAP_POPULATE, 0);
	expect(counts_of(fd).loads == PAGES);
}

static void only_dirty_pages(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	for (int page = 0; page < PAGES; page++)
		(void)peek(map + page * PAGE);
	for (int page = 3; page < 7; page++)
		poke(map + page * PAGE, 1);
	poke(map + 20 * PAGE, 1);
	expect(counts_of(fd).dirties == 5);
	expect(msync(map, PAGES * PAGE, MS_SYNC) == 0);
	expect(counts_of(fd).runs == 2 && counts_of(fd).pages == 5);
	expect(msync(map, PAGES * PAGE, MS_SYNC) == 0);
	expect(counts_of(fd).pages == 5);
}

static void stores_are_noticed_again(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	for (int round = 1; round <= 3; round++) {
		poke(map + 9 * PAGE, (unsigned char)round);
		expect(msync(map, PAGES * PAGE, MS_SYNC) == 0);
		expect(counts_of(fd).pages == round);
	}
}

static void range_of_msync(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	for (int page = 0; page < 8; page++)
		poke(map + page * PAGE, 1);
	expect(msync(map + 2 * PAGE, 3 * PAGE, MS_SYNC) == 0);
	expect(counts_of(fd).runs == 1 && counts_of(fd).pages == 3);
	expect(fsync(fd) == 0);
	expect(counts_of(fd).runs == 3 && counts_of(fd).pages == 8);
}

static void private_is_never_written(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

	poke(map, 1);
	expect(msync(map, PAGES * PAGE, MS_SYNC) == 0 && fsync(fd) == 0);
	expect(counts_of(fd).pages == 0);
}

static void failed_load_is_sigbus(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ, MAP_SHARED, 0);

	expect(write(fd, "fail-load 4", 11) == 11);
	expect_read_kills(map + 4 * PAGE, SIGBUS);
	expect(peek(map + 5 * PAGE) == 0);
}

static void failed_sync_is_eio_once(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	poke(map, 1);
	expect(write(fd, "fail-sync", 9) == 9);
	expect(msync(map, PAGE, MS_SYNC) == -1 && errno == EIO);
	expect(counts_of(fd).pages == 0);
	expect(msync(map, PAGE, MS_SYNC) == 0);
	expect(counts_of(fd).pages == 1);
}

static void unmapping_keeps_dirt(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	poke(map + PAGE, 1);
	expect(munmap(map, PAGES * PAGE) == 0);
	expect(fsync(fd) == 0);
	expect(counts_of(fd).pages == 1);
}

static const struct tap_case cases[] = {
	{"mmap loads nothing, the first touch one page, the second nothing (lab 8)", loads_are_lazy},
	{"a shared and a private mapping load a page once", one_load_for_all},
	{"MAP_POPULATE loads every page", populate_loads_all},
	{"msync writes dirty pages only, neighbours in one run (lab 26)", only_dirty_pages},
	{"a store after msync is noticed again", stores_are_noticed_again},
	{"msync writes its range only", range_of_msync},
	{"pages of a private mapping are never written (lab 2)", private_is_never_written},
	{"a page that cannot be loaded is SIGBUS", failed_load_is_sigbus},
	{"a failed write is EIO, once; the page stays dirty", failed_sync_is_eio_once},
	{"what was stored before munmap is still written (lab 13)", unmapping_keeps_dirt},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
