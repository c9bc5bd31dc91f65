/*
 * test_object.c - lazy loading and write-back, counted by /dev/test-object.
 *
 * stos only: the device does not exist on Linux, where the cases are skipped.
 */
#include "tap.h"

#include "helpers.h"

#include <sched.h>
#include <sys/mman.h>

#define DEVICE "/dev/test-object"
#define PAGES 64
#define STORE_OFFSET ((off_t)1 << 20)
#define DATA_OFFSET ((off_t)2 << 20)
#define RW (PROT_READ | PROT_WRITE)

struct counts {
	long loads, dirties, runs, pages, bytes, held;
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
	expect(sscanf(text, "loads %ld dirties %ld runs %ld pages %ld bytes %ld held %ld",
		      &now.loads, &now.dirties, &now.runs, &now.pages, &now.bytes, &now.held) == 6);
	return now;
}

static void command(int fd, const char *text)
{
	expect_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
}

static int store_byte(int fd, off_t offset)
{
	unsigned char byte;

	expect(pread(fd, &byte, 1, STORE_OFFSET + offset) == 1);
	return byte;
}

/* Until so many loads or writes wait by command. */
static void wait_held(int fd, long count)
{
	while (counts_of(fd).held != count)
		sched_yield();
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

/* ---- write(2), fsync(2) and their kin ---- */

static void writes_are_lazy_without_flags(void)
{
	int fd = device_open();

	expect_equal(pwrite(fd, "abc", 3, DATA_OFFSET + 10), 3);
	expect_equal(counts_of(fd).dirties, 1);
	expect_equal(counts_of(fd).pages, 0);
	expect_equal(store_byte(fd, 10), 0);
	expect(fdatasync(fd) == 0);
	expect_equal(counts_of(fd).pages, 1);
	expect_equal(store_byte(fd, 10), 'a');
	expect(fsync(fd) == 0);
	expect_equal(counts_of(fd).pages, 1); /* once */
}

static void synchronous_writes(void)
{
	static const int flags[] = {O_SYNC, O_DSYNC};
	static char data[3 * 4096];

	(void)close(device_open());
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		int fd = open(DEVICE, O_RDWR | flags[i]);
		char *map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);

		poke(map + 40 * PAGE, 1); /* not of the write: stays dirty */
		memset(data, 's', sizeof(data));
		expect_equal(pwrite(fd, data, sizeof(data), DATA_OFFSET + 4096), sizeof(data));
		expect_equal(counts_of(fd).runs, 1);
		expect_equal(counts_of(fd).pages, 3);
		expect_equal(store_byte(fd, 4096), 's');
		expect_equal(peek(map + PAGE), 's');
		command(fd, "fail-sync");
		expect_errno(pwrite(fd, data, 10, DATA_OFFSET), EIO);
		expect_equal(pwrite(fd, data, 10, DATA_OFFSET), 10); /* once */
		expect_equal(store_byte(fd, 0), 's');
		expect(munmap(map, PAGES * PAGE) == 0 && close(fd) == 0);
	}
}

static void ranges_of_files(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);

	for (int page = 0; page < 10; page++)
		poke(map + page * PAGE, 1);
	expect(sync_file_range(fd, DATA_OFFSET + 2 * (off_t)PAGE, 3 * PAGE,
			       SYNC_FILE_RANGE_WAIT_AFTER) == 0);
	expect_equal(counts_of(fd).pages, 0); /* waiting starts nothing */
	expect(sync_file_range(fd, DATA_OFFSET + 2 * (off_t)PAGE, 3 * PAGE,
			       SYNC_FILE_RANGE_WRITE) == 0);
	expect_equal(counts_of(fd).runs, 1);
	expect_equal(counts_of(fd).pages, 3);
	command(fd, "fail-sync");
	expect_errno(sync_file_range(fd, DATA_OFFSET, 0, SYNC_FILE_RANGE_WRITE), EIO);
	expect(sync_file_range(fd, DATA_OFFSET, 0, SYNC_FILE_RANGE_WRITE) == 0);
	expect_equal(counts_of(fd).pages, 10);
}

static void failed_fsync_is_eio_once(void)
{
	int fd = device_open();

	expect_equal(pwrite(fd, "x", 1, DATA_OFFSET), 1);
	command(fd, "fail-sync");
	expect_errno(fsync(fd), EIO);
	expect_equal(store_byte(fd, 0), 0);
	expect(fsync(fd) == 0);
	expect_equal(store_byte(fd, 0), 'x');
}

static void failed_load_of_read_and_write(void)
{
	int fd = device_open();
	char byte;

	command(fd, "fail-load 3");
	expect_errno(pread(fd, &byte, 1, DATA_OFFSET + 3 * (off_t)PAGE), EIO);
	expect_errno(pwrite(fd, "x", 1, DATA_OFFSET + 3 * (off_t)PAGE), EIO);
	expect_equal(pread(fd, &byte, 1, DATA_OFFSET + 4 * (off_t)PAGE), 1);
	command(fd, "fail-load 64");
	expect_equal(pread(fd, &byte, 1, DATA_OFFSET + 3 * (off_t)PAGE), 1); /* tried again */
}

static void failed_dirty(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);

	command(fd, "fail-dirty 2");
	expect_write_kills(map + 2 * PAGE, SIGBUS);
	expect_equal(peek(map + 2 * PAGE), 0); /* it may be read */
	expect_errno(pwrite(fd, "x", 1, DATA_OFFSET + 2 * (off_t)PAGE), EIO);
	poke(map + 3 * PAGE, 1);
	expect(fsync(fd) == 0);
	expect_equal(counts_of(fd).pages, 1);
}

/* A run is at most 64 pages here; a dirty page on each side of a clean one makes two. */
static void sparse_runs(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);

	for (int page = 0; page < PAGES; page += 2)
		poke(map + page * PAGE, 1);
	expect(msync(map, PAGES * PAGE, MS_SYNC) == 0);
	expect_equal(counts_of(fd).runs, PAGES / 2);
	expect_equal(counts_of(fd).pages, PAGES / 2);
	for (int page = 0; page < PAGES; page++)
		poke(map + page * PAGE, 2);
	expect(msync(map, PAGES * PAGE, MS_ASYNC) == 0);
	expect_equal(counts_of(fd).pages, PAGES / 2); /* MS_ASYNC starts nothing */
	expect(msync(map, PAGES * PAGE, MS_SYNC | MS_INVALIDATE) == 0);
	expect_equal(counts_of(fd).runs, PAGES / 2 + 1);
	expect_equal(counts_of(fd).pages, PAGES / 2 + PAGES);
}

/* ---- the end of the file ---- */

static void nothing_past_the_end(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);

	command(fd, "size 8292"); /* two pages and 100 bytes */
	memset(map, 'e', 3 * PAGE); /* the last page's tail too */
	expect_write_kills(map + 3 * PAGE, SIGBUS);
	expect(msync(map, PAGES * PAGE, MS_SYNC) == 0);
	expect_equal(counts_of(fd).bytes, 8292);
	expect_equal(store_byte(fd, 8291), 'e');
	expect_equal(store_byte(fd, 8292), 0);
	command(fd, "size 12288");
	expect_equal(peek(map + 8291), 'e');
	expect_filled(map + 8292, 0, 12288 - 8292); /* not revealed by extension */
	expect_equal(pwrite(fd, "z", 1, DATA_OFFSET + 20000), 1); /* extends by a hole */
	expect_filled(map + 8292, 0, 20000 - 8292);
	expect_equal(peek(map + 20000), 'z');
}

static void truncated_pages_are_not_written(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);

	for (int page = 0; page < 8; page++)
		poke(map + page * PAGE, 1);
	command(fd, "size 12288");
	expect(msync(map, PAGES * PAGE, MS_SYNC) == 0);
	expect_equal(counts_of(fd).pages, 3);
	command(fd, "size 32768");
	expect_equal(peek(map + 5 * PAGE), 0);
}

/* ---- advice ---- */

static void will_need_loads(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ, MAP_SHARED, 0);

	expect(madvise(map + 4 * PAGE, 8 * PAGE, MADV_WILLNEED) == 0);
	expect_equal(counts_of(fd).loads, 8);
	for (int page = 4; page < 12; page++)
		(void)peek(map + page * PAGE);
	expect_equal(counts_of(fd).loads, 8);
	expect(posix_fadvise(fd, DATA_OFFSET, 6 * (off_t)PAGE, POSIX_FADV_WILLNEED) == 0);
	expect_equal(counts_of(fd).loads, 12);
	expect(readahead(fd, DATA_OFFSET + 60 * (off_t)PAGE, 100 * PAGE) == 0); /* to the end */
	expect_equal(counts_of(fd).loads, 16);
	command(fd, "fail-load 20");
	expect(madvise(map + 20 * PAGE, PAGE, MADV_WILLNEED) == 0); /* only advice */
}

static void not_needed_goes(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);
	char byte;

	poke(map + PAGE, 1);
	expect(madvise(map, PAGES * PAGE, MADV_DONTNEED) == 0); /* the mapping's, not the cache's */
	expect_equal(counts_of(fd).pages, 0);
	expect_equal(peek(map + PAGE), 1);
	expect_equal(counts_of(fd).loads, 1);
	expect_equal(pread(fd, &byte, 1, DATA_OFFSET + 5 * (off_t)PAGE), 1);
	expect_equal(pwrite(fd, "w", 1, DATA_OFFSET + 7 * (off_t)PAGE), 1);
	expect_equal(counts_of(fd).loads, 3);
	expect(posix_fadvise(fd, DATA_OFFSET, 0, POSIX_FADV_DONTNEED) == 0);
	expect_equal(counts_of(fd).pages, 2); /* what is dirty is written first */
	expect_equal(peek(map + PAGE), 1);
	expect_equal(counts_of(fd).loads, 3); /* mapped: it stayed */
	expect_equal(peek(map + 7 * PAGE), 'w');
	expect_equal(peek(map + 5 * PAGE), 0);
	expect_equal(counts_of(fd).loads, 5); /* these went */
}

/* ---- while a page is loaded or written ---- */

static pid_t child_reads(char *address)
{
	pid_t pid = fork_child();

	if (pid == 0) {
		(void)peek(address);
		child_end();
	}
	return pid;
}

static void one_load_for_waiters(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ, MAP_SHARED, 0);
	pid_t pids[3];

	command(fd, "hold-load 5");
	for (int i = 0; i < 3; i++)
		pids[i] = child_reads(map + 5 * PAGE);
	wait_held(fd, 1); /* the others wait for the first */
	expect_equal(peek(map + 6 * PAGE), 0); /* other pages are not held up */
	command(fd, "release");
	for (int i = 0; i < 3; i++)
		expect_exit(pids[i], 0);
	expect_equal(counts_of(fd).loads, 2);
}

static void truncate_during_load(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ, MAP_SHARED, 0);
	pid_t reader, cutter;

	command(fd, "hold-load 5");
	reader = child_reads(map + 5 * PAGE);
	wait_held(fd, 1);
	cutter = fork_child();
	if (cutter == 0) {
		command(fd, "size 4096"); /* waits for the load */
		child_end();
	}
	while (pread(fd, &(char){0}, 1, DATA_OFFSET + (off_t)PAGE) == 1)
		sched_yield(); /* until the new size is there */
	command(fd, "release");
	expect_exit(cutter, 0);
	expect_killed(reader, SIGBUS);
}

static void killed_during_load(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, PROT_READ, MAP_SHARED, 0);
	pid_t pid;

	command(fd, "hold-load 5");
	pid = child_reads(map + 5 * PAGE);
	wait_held(fd, 1);
	expect(kill(pid, SIGKILL) == 0);
	expect_killed(pid, SIGKILL);
	wait_held(fd, 0);
	command(fd, "release");
	expect_equal(peek(map + 5 * PAGE), 0);
}

static void store_during_write_back(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);
	pid_t syncer, writer;

	poke(map + PAGE, 1);
	command(fd, "hold-sync");
	syncer = fork_child();
	if (syncer == 0) {
		expect(msync(map, PAGES * PAGE, MS_SYNC) == 0);
		child_end();
	}
	wait_held(fd, 1);
	expect_equal(proc_number("/proc/meminfo", "Writeback"), 4); /* KiB */
	poke(map + 2 * PAGE, 2); /* another page is not held up */
	writer = fork_child();
	if (writer == 0) {
		poke(map + PAGE + 1, 3);
		child_end();
	}
	command(fd, "release");
	expect_exit(syncer, 0);
	expect_exit(writer, 0);
	expect(fsync(fd) == 0);
	expect_equal(store_byte(fd, (off_t)PAGE), 1);
	expect_equal(store_byte(fd, (off_t)PAGE + 1), 3);
	expect_equal(store_byte(fd, 2 * (off_t)PAGE), 2);
	expect(fsync(fd) == 0);
	expect(counts_of(fd).pages <= 4); /* nothing is written for ever */
	expect_equal(proc_number("/proc/meminfo", "Writeback"), 0);
}

static void truncate_during_write_back(void)
{
	int fd = device_open();
	char *map = map_file(fd, PAGES * PAGE, RW, MAP_SHARED, 0);
	pid_t syncer, cutter;

	memset(map, 'd', 4 * PAGE);
	command(fd, "hold-sync");
	syncer = fork_child();
	if (syncer == 0) {
		expect(msync(map, PAGES * PAGE, MS_SYNC) == 0);
		child_end();
	}
	wait_held(fd, 1);
	cutter = fork_child();
	if (cutter == 0) {
		command(fd, "size 4100"); /* waits for the pages under way */
		child_end();
	}
	while (pread(fd, &(char){0}, 1, DATA_OFFSET + 5000) == 1)
		sched_yield(); /* until the new size is there */
	command(fd, "release");
	expect_exit(syncer, 0);
	expect_exit(cutter, 0);
	expect(fsync(fd) == 0);
	expect_equal(store_byte(fd, 4099), 'd');
	expect_equal(store_byte(fd, 4100), 0); /* gone, and not written after it went */
	expect_equal(store_byte(fd, 3 * (off_t)PAGE), 0);
	expect_read_kills(map + 2 * PAGE, SIGBUS);
	command(fd, "size 16384");
	expect_equal(peek(map + 4099), 'd');
	expect_filled(map + 4100, 0, 4 * PAGE - 4100);
}

static const struct tap_case cases[] = {
	{"mmap loads nothing, the first touch one page, the second nothing (lab 8)",
	 loads_are_lazy},
	{"a shared and a private mapping load a page once", one_load_for_all},
	{"MAP_POPULATE loads every page", populate_loads_all},
	{"msync writes dirty pages only, neighbours in one run (lab 26)", only_dirty_pages},
	{"a store after msync is noticed again", stores_are_noticed_again},
	{"msync writes its range only", range_of_msync},
	{"pages of a private mapping are never written (lab 2)", private_is_never_written},
	{"a page that cannot be loaded is SIGBUS", failed_load_is_sigbus},
	{"a failed write is EIO, once; the page stays dirty", failed_sync_is_eio_once},
	{"what was stored before munmap is still written (lab 13)", unmapping_keeps_dirt},
	{"write(2) writes nothing back, fdatasync once", writes_are_lazy_without_flags},
	{"O_SYNC and O_DSYNC write what they wrote, and only that", synchronous_writes},
	{"sync_file_range writes its range", ranges_of_files},
	{"a failed fsync is EIO, once; the page stays dirty", failed_fsync_is_eio_once},
	{"read and write of a page that cannot be loaded are EIO", failed_load_of_read_and_write},
	{"a page that may not become dirty: SIGBUS, EIO", failed_dirty},
	{"each run of dirty pages is one request", sparse_runs},
	{"nothing past the end is written, or appears when the file grows", nothing_past_the_end},
	{"pages that were cut off are not written", truncated_pages_are_not_written},
	{"MADV_WILLNEED, POSIX_FADV_WILLNEED and readahead load", will_need_loads},
	{"POSIX_FADV_DONTNEED writes, then forgets what nobody maps", not_needed_goes},
	{"who waits for a page waits for one load", one_load_for_waiters},
	{"a file cut while its page is loaded: SIGBUS", truncate_during_load},
	{"killed while a page is loaded", killed_during_load},
	{"a store while its page is written is not lost", store_during_write_back},
	{"a file cut while its pages are written", truncate_during_write_back},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
