/*
 * smaps.c - what /proc/<pid>/smaps, smaps_rollup, pagemap, status and statm tell of memory, counted
 * page by page.
 */
#include "tap.h"

#include "helpers.h"

#include <sys/prctl.h>

#define PAGES 40
#define KIB(pages) ((long)(pages) * 4)
#define NOBODY 65534

/* One zone's lines of smaps. */
struct zone {
	long size, rss, pss, shared_clean, shared_dirty, private_clean, private_dirty;
	long referenced, anonymous, swap, page, locked;
	char flags[64];
};

static char text[262144];

static long value_of(const char *lines, const char *end, const char *key)
{
	size_t length = strlen(key);

	for (const char *at = lines; at != NULL && at < end; at = strchr(at, '\n') + 1)
		if (strncmp(at, key, length) == 0 && at[length] == ':')
			return strtol(at + length + 1, NULL, 10);
	tap_fail(HERE, "smaps has no %s", key);
}

/* The zone that begins at the address, as smaps of the file has it. */
static struct zone zone_in(const char *path, const void *address)
{
	struct zone zone;
	char head[32], *lines, *end;

	proc_read(path, text, sizeof(text));
	snprintf(head, sizeof(head), "%08lx-", (unsigned long)address);
	lines = strstr(text, head);
	if (lines == NULL)
		tap_fail(HERE, "%s has no zone %s", path, head);
	lines = strchr(lines, '\n') + 1;
	end = strstr(lines, "VmFlags:");
	expect(end != NULL);
	zone.size = value_of(lines, end, "Size");
	zone.rss = value_of(lines, end, "Rss");
	zone.pss = value_of(lines, end, "Pss");
	zone.shared_clean = value_of(lines, end, "Shared_Clean");
	zone.shared_dirty = value_of(lines, end, "Shared_Dirty");
	zone.private_clean = value_of(lines, end, "Private_Clean");
	zone.private_dirty = value_of(lines, end, "Private_Dirty");
	zone.referenced = value_of(lines, end, "Referenced");
	zone.anonymous = value_of(lines, end, "Anonymous");
	zone.swap = value_of(lines, end, "Swap");
	zone.page = value_of(lines, end, "KernelPageSize");
	zone.locked = value_of(lines, end, "Locked");
	expect(value_of(lines, end, "MMUPageSize") == 4 && value_of(lines, end, "SwapPss") == 0);
	snprintf(zone.flags, sizeof(zone.flags), "%.*s", (int)strcspn(end, "\n"), end);
	return zone;
}

static struct zone zone_of(const void *address)
{
	return zone_in("/proc/self/smaps", address);
}

static bool has_flag(const struct zone *zone, const char *flag)
{
	char wanted[8];

	snprintf(wanted, sizeof(wanted), " %s ", flag);
	return strstr(zone->flags, wanted) != NULL;
}

static char *map_fresh(size_t pages)
{
	char *memory = map_alone(pages * PAGE, PROT_READ | PROT_WRITE);

	madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
	return memory;
}

static void write_each(char *memory, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		poke(memory + i * PAGE, 1);
}

static void private_memory(void)
{
	char *memory = map_fresh(PAGES);
	struct zone zone = zone_of(memory);

	expect_equal(zone.size, KIB(PAGES));
	expect_equal(zone.page, 4);
	expect_equal(zone.rss, 0);
	expect_equal(zone.pss, 0);
	for (int i = 0; i < 5; i++)
		peek(memory + i * (int)PAGE);
	/* The zero page is nobody's. */
	expect_equal(zone_of(memory).rss, 0);
	write_each(memory, 7);
	zone = zone_of(memory);
	expect_equal(zone.rss, KIB(7));
	expect_equal(zone.pss, KIB(7));
	expect_equal(zone.private_dirty, KIB(7));
	expect_equal(zone.private_clean + zone.shared_clean + zone.shared_dirty, 0);
	expect_equal(zone.referenced, KIB(7));
	expect_equal(zone.anonymous, KIB(7));
	expect_equal(zone.swap, 0);
	expect_equal(zone.locked, 0);
	/* Out of reach, but still there. */
	expect(mprotect(memory, PAGES * PAGE, PROT_NONE) == 0);
	expect_equal(zone_of(memory).rss, KIB(7));
	expect(madvise(memory, 3 * PAGE, MADV_DONTNEED) == 0);
	expect_equal(zone_of(memory).rss, KIB(4));
}

static void shared_after_fork(void)
{
	char *memory = map_fresh(PAGES), path[64];
	struct gate done, end;
	struct zone zone;
	pid_t pid;

	write_each(memory, PAGES);
	gate_make(&done);
	gate_make(&end);
	pid = fork_child();
	if (pid == 0) {
		write_each(memory, 10);
		gate_open(&done);
		gate_pass(&end);
		_exit(0);
	}
	gate_pass(&done);
	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	for (int i = 0; i < 2; i++) {
		zone = zone_in(i ? path : "/proc/self/smaps", memory);
		expect_equal(zone.rss, KIB(PAGES));
		expect_equal(zone.private_dirty, KIB(10));
		expect_equal(zone.shared_dirty, KIB(PAGES - 10));
		expect_equal(zone.pss, KIB(10) + KIB(PAGES - 10) / 2);
	}
	gate_open(&end);
	expect_exit(pid, 0);
	zone = zone_of(memory);
	expect_equal(zone.private_dirty, KIB(PAGES));
	expect_equal(zone.pss, KIB(PAGES));
}

static void a_file(void)
{
	int fd = memfd_create("test", 0);
	char *one, *two, *private;
	struct zone zone;

	expect(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
	one = map_file(fd, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	write_each(one, 12);
	zone = zone_of(one);
	expect_equal(zone.rss, KIB(12));
	expect_equal(zone.private_dirty, KIB(12));
	expect_equal(zone.anonymous, 0);
	two = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
	peek(two);
	zone = zone_of(two);
	expect_equal(zone.rss, 4);
	expect_equal(zone.pss, 2);
	expect_equal(zone.shared_dirty, 4);
	private = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	poke(private, 1);
	zone = zone_of(private);
	expect_equal(zone.rss, 4);
	expect_equal(zone.anonymous, 4);
	expect_equal(zone.private_dirty, 4);
}

static void flags(void)
{
	int fd = memfd_create("test", 0);
	char *memory = map_fresh(1), *map, path[64];
	struct zone zone = zone_of(memory);
	int reader;

	expect(ftruncate(fd, PAGE) == 0);
	expect(has_flag(&zone, "rd") && has_flag(&zone, "wr") && !has_flag(&zone, "ex"));
	expect(has_flag(&zone, "mr") && has_flag(&zone, "mw") && has_flag(&zone, "me"));
	expect(!has_flag(&zone, "sh") && !has_flag(&zone, "ms") && has_flag(&zone, "ac"));
	map = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	zone = zone_of(map);
	expect(has_flag(&zone, "sh") && has_flag(&zone, "ms") && has_flag(&zone, "mw"));
	expect(!has_flag(&zone, "ac"));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY);
	map = map_file(reader, PAGE, PROT_READ, MAP_SHARED, 0);
	zone = zone_of(map);
	expect(has_flag(&zone, "rd") && !has_flag(&zone, "wr") && !has_flag(&zone, "mw"));
	expect(has_flag(&zone, "ms") && !has_flag(&zone, "sh"));
}

static void locked(void)
{
	char *memory = map_fresh(4);
	struct zone zone;
	long before = proc_number("/proc/self/status", "VmLck");

	if (mlock(memory, 4 * PAGE) < 0)
		tap_skip("no memory may be locked");
	zone = zone_of(memory);
	expect_equal(zone.locked, KIB(4));
	expect_equal(zone.rss, KIB(4));
	expect(has_flag(&zone, "lo"));
	expect_equal(proc_number("/proc/self/status", "VmLck") - before, KIB(4));
	expect_equal(proc_number("/proc/self/smaps_rollup", "Locked"), KIB(4));
	expect(munlock(memory, 4 * PAGE) == 0);
	zone = zone_of(memory);
	expect(zone.locked == 0 && !has_flag(&zone, "lo"));
	expect(mlock2(memory, 4 * PAGE, MLOCK_ONFAULT) == 0);
	zone = zone_of(memory);
	expect(has_flag(&zone, "lo") && has_flag(&zone, "lf"));
}

static void all_together(void)
{
	static const char *const keys[] = {"Rss", "Private_Dirty", "Shared_Clean", "Anonymous",
					   "Swap"};
	static long sums[ARRAY_LENGTH(keys)], rss_of_all;

	/* Twice: the first reading uses memory itself. */
	for (int round = 0; round < 2; round++) {
		memset(sums, 0, sizeof(sums));
		proc_read("/proc/self/smaps", text, sizeof(text));
		for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
			for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
				if (strncmp(line, keys[i], strlen(keys[i])) == 0 &&
				    line[strlen(keys[i])] == ':')
					sums[i] += strtol(line + strlen(keys[i]) + 1, NULL, 10);
		rss_of_all = proc_number("/proc/self/smaps_rollup", "Rss");
	}
	expect_equal(rss_of_all, sums[0]);
	for (size_t i = 1; i < ARRAY_LENGTH(keys); i++)
		check(keys[i], proc_number("/proc/self/smaps_rollup", keys[i]) == sums[i]);
	expect(proc_number("/proc/self/smaps_rollup", "Pss") <= sums[0]);
	expect(proc_number("/proc/self/smaps_rollup", "Pss_Anon") +
		       proc_number("/proc/self/smaps_rollup", "Pss_File") +
		       proc_number("/proc/self/smaps_rollup", "Pss_Shmem") <=
	       proc_number("/proc/self/smaps_rollup", "Pss"));
}

static long status_of(const char *key)
{
	return proc_number("/proc/self/status", key);
}

/* Linux counts these in batches: a mebibyte more or less. */
static bool about(long value, long wanted)
{
	return on_stos() ? labs(value - wanted) <= KIB(8) : labs(value - wanted) <= 1024;
}

static void status(void)
{
	size_t bytes = 8 * MIB;
	long anon = status_of("RssAnon"), shmem = status_of("RssShmem"), data = status_of("VmData");
	long size = status_of("VmSize"), tables = status_of("VmPTE");
	char *memory, *shared;

	memory = map_fresh(bytes / PAGE);
	shared = map_anon(bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
	madvise(shared, bytes, MADV_NOHUGEPAGE);
	expect_equal(status_of("VmSize") - size, 2 * bytes / 1024);
	expect_equal(status_of("VmData") - data, bytes / 1024);
	memset(memory, 1, bytes);
	memset(shared, 1, bytes);
	expect(about(status_of("RssAnon") - anon, bytes / 1024));
	expect(about(status_of("RssShmem") - shmem, bytes / 1024));
	expect(status_of("VmPTE") - tables >= KIB(4) && status_of("VmPTE") - tables <= KIB(16));
	expect_equal(status_of("VmRSS"),
		     status_of("RssAnon") + status_of("RssFile") + status_of("RssShmem"));
	expect(status_of("VmStk") >= 4 && status_of("VmExe") > 0 && status_of("VmLib") >= 0);
	expect(munmap(memory, bytes) == 0 && munmap(shared, bytes) == 0);
	expect(about(status_of("RssAnon"), anon));
	expect(about(status_of("RssShmem"), shmem));
	expect_equal(status_of("VmSize"), size);
	/* The peaks stay. */
	expect(status_of("VmHWM") - status_of("VmRSS") >= (long)(2 * bytes / 1024) - 2048);
	expect(status_of("VmPeak") - status_of("VmSize") >= (long)(2 * bytes / 1024));
}

static void statm(void)
{
	long size, resident, shared, code, library, data, dirty, more[2];
	size_t bytes = 4 * MIB;
	char line[256], *memory;

	/* Twice: the first time brings in the pages of the code that does it. */
	for (int round = 0; round < 2; round++) {
		proc_read("/proc/self/statm", line, sizeof(line));
		expect(sscanf(line, "%ld %ld %ld %ld %ld %ld %ld", &size, &resident, &shared, &code,
			      &library, &data, &dirty) == 7);
		memory = map_fresh(1);
		memset(memory, 1, PAGE);
		expect(munmap(memory, PAGE) == 0);
	}
	expect(library == 0 && dirty == 0 && code > 0 && data > 0 && shared <= resident &&
	       resident <= size);
	memory = map_fresh(bytes / PAGE);
	memset(memory, 1, bytes);
	proc_read("/proc/self/statm", line, sizeof(line));
	expect(sscanf(line, "%ld %ld", &more[0], &more[1]) == 2);
	expect_equal(more[0] - size, bytes / PAGE);
	expect(about((more[1] - resident) * 4, bytes / 1024));
}

#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_FILE (UINT64_C(1) << 61)
#define PAGEMAP_EXCLUSIVE (UINT64_C(1) << 56)
#define PAGEMAP_FRAME ((UINT64_C(1) << 55) - 1)

static uint64_t pagemap(const void *address)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	expect(pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)address / PAGE * 8)) ==
	       sizeof(entry));
	close(fd);
	return entry;
}

static void look_as_nobody(const char *memory)
{
	if (geteuid() != 0)
		return;
	expect(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	prctl(PR_SET_DUMPABLE, 1);
	expect((pagemap(memory) & (PAGEMAP_PRESENT | PAGEMAP_FRAME)) == PAGEMAP_PRESENT);
}

static void pagemap_entries(void)
{
	char *memory = map_fresh(3), *shared = map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	uint64_t entry;
	pid_t pid;
	int fd;

	expect((pagemap(memory) & PAGEMAP_PRESENT) == 0);
	poke(memory, 1);
	poke(shared, 1);
	entry = pagemap(memory);
	expect((entry & PAGEMAP_PRESENT) && (entry & PAGEMAP_EXCLUSIVE) && !(entry & PAGEMAP_FILE));
	entry = pagemap(shared);
	expect((entry & PAGEMAP_PRESENT) && (entry & PAGEMAP_FILE) && (entry & PAGEMAP_EXCLUSIVE));
	pid = fork_child();
	if (pid == 0) {
		expect((pagemap(memory) & (PAGEMAP_PRESENT | PAGEMAP_EXCLUSIVE)) ==
		       PAGEMAP_PRESENT);
		poke(memory, 2);
		expect(pagemap(memory) & PAGEMAP_EXCLUSIVE);
		look_as_nobody(memory);
		_exit(0);
	}
	expect_exit(pid, 0);
	expect(pagemap(memory) & PAGEMAP_EXCLUSIVE);
	fd = open("/proc/self/pagemap", O_RDONLY);
	expect_errno(pread(fd, &entry, 7, 0), EINVAL);
	expect_errno(pread(fd, &entry, 8, 4), EINVAL);
	expect_errno(write(fd, &entry, 8), EBADF);
}

static void others_may_not_look(void)
{
	static const char *const files[] = {"maps", "smaps", "smaps_rollup", "pagemap", "environ"};
	pid_t parent = getpid(), pid;

	if (geteuid() != 0)
		tap_skip("not root");
	pid = fork_child();
	if (pid == 0) {
		expect(setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		       setresuid(NOBODY, NOBODY, NOBODY) == 0);
		for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
			char path[64];
			int fd;

			snprintf(path, sizeof(path), "/proc/%d/%s", parent, files[i]);
			errno = 0;
			fd = open(path, O_RDONLY);
			/* Linux opens smaps_rollup before it asks. */
			if (fd >= 0)
				fd = (int)read(fd, path, 1);
			check_errno(files[i], fd, EACCES);
		}
		snprintf(text, sizeof(text), "/proc/%d/status", parent);
		expect(open(text, O_RDONLY) >= 0);
		child_end();
	}
	expect_exit(pid, 0);
}

static void the_system(void)
{
	size_t bytes = 8 * MIB;
	long shmem = proc_number("/proc/meminfo", "Shmem"),
	     anon = proc_number("/proc/meminfo", "AnonPages");
	char *memory = map_fresh(bytes / PAGE);
	char *shared = map_anon(bytes, PROT_READ | PROT_WRITE, MAP_SHARED);

	madvise(shared, bytes, MADV_NOHUGEPAGE);
	memset(memory, 1, bytes);
	memset(shared, 1, bytes);
	if (!on_stos())
		tap_skip("others use memory too");
	expect(about(proc_number("/proc/meminfo", "Shmem") - shmem, bytes / 1024));
	expect(about(proc_number("/proc/meminfo", "AnonPages") - anon, bytes / 1024));
	expect(proc_number("/proc/meminfo", "Mapped") >= (long)bytes / 1024);
	expect(proc_number("/proc/meminfo", "Cached") >= (long)bytes / 1024);
	expect(proc_number("/proc/meminfo", "PageTables") >= KIB(8));
}

static const struct tap_case cases[] = {
	{"private memory", private_memory},
	{"who shares it after fork", shared_after_fork},
	{"a file's pages", a_file},
	{"VmFlags", flags},
	{"locked memory", locked},
	{"smaps_rollup is their sum", all_together},
	{"status: sizes and peaks", status},
	{"statm", statm},
	{"pagemap", pagemap_entries},
	{"EACCES for others", others_may_not_look},
	{"meminfo", the_system},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
