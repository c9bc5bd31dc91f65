/*
 * memory_sums.c - after random work, everything that tells of a process's memory tells the same:
 * smaps zone by zone, its rollup, maps, status, statm, stat, pagemap and mincore.
 *
 * What a single page counts as is smaps.c's business; faults are counted in fault_counts.c.
 */
#include "helpers.h"

#include <sys/prctl.h>

#define RW (PROT_READ | PROT_WRITE)
#define REGIONS 24
#define REGION_PAGES 32
#define KIB_PER_PAGE 4

/* --- work ------------------------------------------------------------------------------------- */

static unsigned dice_state;

static unsigned dice(unsigned sides)
{
	dice_state = dice_state * 1103515245u + 12345u;
	return (dice_state >> 16) % sides;
}

static char *region_map(unsigned kind, int file, int memfd)
{
	switch (kind) {
	case 0:
		return map_anon(REGION_PAGES * PAGE, RW, MAP_SHARED);
	case 1:
		return map_file(file, REGION_PAGES * PAGE, RW, MAP_SHARED, 0);
	case 2:
		return map_file(file, REGION_PAGES * PAGE, RW, MAP_PRIVATE, 0);
	case 3:
		return map_file(memfd, REGION_PAGES * PAGE, RW, MAP_SHARED, 0);
	case 4:
		return map_file(memfd, REGION_PAGES * PAGE, RW, MAP_PRIVATE, 0);
	default:
		return map_alone(REGION_PAGES * PAGE, RW);
	}
}

/* Something with some of a region's pages; what cannot be done just is not. */
static void region_use(char *region)
{
	size_t first = dice(REGION_PAGES), pages = 1 + dice((unsigned)(REGION_PAGES - first));
	char *beg = region + first * PAGE;
	static const int advice[] = {MADV_DONTNEED, MADV_POPULATE_READ, MADV_RANDOM, MADV_DONTDUMP};

	switch (dice(7)) {
	case 0:
		mprotect(beg, pages * PAGE, PROT_NONE);
		break;
	case 1:
		mprotect(beg, pages * PAGE, dice(2) ? PROT_READ : RW);
		break;
	case 2:
		mlock(beg, pages * PAGE);
		break;
	case 3:
		munlock(beg, pages * PAGE);
		break;
	case 4:
		madvise(beg, pages * PAGE, advice[dice(ARRAY_LENGTH(advice))]);
		break;
	case 5:
		mremap(beg, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       free_range(pages * PAGE));
		break;
	default:
		if (mprotect(beg, pages * PAGE, RW) == 0)
			for (size_t i = 0; i < pages; i++)
				dice(3) ? poke(beg + i * PAGE, 1) : (void)peek(beg + i * PAGE);
	}
}

/* A child that has written some of what it shares, and waits. */
static pid_t sharer_start(char *const *regions, struct gate *ready)
{
	pid_t pid = fork_child();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the case fail */
	for (int i = 0; i < 60; i++)
		region_use(regions[dice(REGIONS)]);
	gate_open(ready);
	for (;;)
		pause();
}

static pid_t work(unsigned seed)
{
	static char *regions[REGIONS];
	struct gate ready;
	int file, memfd = memfd_create("sums", 0);
	pid_t sharer;

	dice_state = seed;
	scratch_enter();
	file = file_create("file", REGION_PAGES * PAGE);
	expect(memfd >= 0 && ftruncate(memfd, REGION_PAGES * PAGE) == 0);
	for (size_t i = 0; i < REGIONS; i++)
		regions[i] = region_map(dice(8), file, memfd);
	for (int i = 0; i < 400; i++)
		region_use(regions[dice(REGIONS)]);
	gate_make(&ready);
	sharer = sharer_start(regions, &ready);
	gate_pass(&ready);
	for (int i = 0; i < 60; i++)
		region_use(regions[dice(REGIONS)]);
	return sharer;
}

/* --- what is told ----------------------------------------------------------------------------- */

static char smaps[1 << 20], maps[1 << 17], text[1 << 14];
static bool judging; /* not yet: what looking itself needs is to be there first */

enum field {
	SIZE,
	RSS,
	PSS,
	SHARED_CLEAN,
	SHARED_DIRTY,
	PRIVATE_CLEAN,
	PRIVATE_DIRTY,
	REFERENCED,
	ANONYMOUS,
	SWAP,
	LOCKED,
	FIELDS
};

static const char *const names[FIELDS] = {
	"Size",		 "Rss",	       "Pss",	    "Shared_Clean", "Shared_Dirty", "Private_Clean",
	"Private_Dirty", "Referenced", "Anonymous", "Swap",	    "Locked"};

struct told {
	long fields[FIELDS];			 /* sums of all zones, in KiB */
	long locked_size, data_size, stack_size; /* of the zones that count as such */
	int zones;
};

static bool flag_in(const char *flags, const char *letters)
{
	const char *end = strchr(flags, '\n'), *found = strstr(flags, letters);

	return found != NULL && found < end;
}

#define PAGEMAP_PRESENT (UINT64_C(1) << 63)

/* The zone's entries of pagemap that are present; in private memory, mincore says the same. */
static long present_pages(uintptr_t beg, uintptr_t end, bool compare)
{
	static uint64_t entries[2048], zero;
	static unsigned char resident[ARRAY_LENGTH(entries)];
	static char *untouched;
	int fd = open("/proc/self/pagemap", O_RDONLY);
	long present = 0;

	if (untouched == NULL) { /* the common page of zeros is no memory of ours: which is it? */
		untouched = map_alone(PAGE, RW);
		peek(untouched);
	}
	expect(pread(fd, &zero, 8, (off_t)((uintptr_t)untouched / PAGE * 8)) == 8);
	for (size_t pages; beg < end; beg += pages * PAGE) {
		pages = (end - beg) / PAGE;
		pages = pages < ARRAY_LENGTH(entries) ? pages : ARRAY_LENGTH(entries);
		expect(pread(fd, entries, pages * 8, (off_t)(beg / PAGE * 8)) ==
		       (ssize_t)pages * 8);
		expect(mincore((void *)beg, pages * PAGE, resident) == 0);
		for (size_t i = 0; i < pages; i++) {
			bool there = entries[i] & PAGEMAP_PRESENT;

			present += there && (entries[i] & ((UINT64_C(1) << 55) - 1)) !=
						    (zero & ((UINT64_C(1) << 55) - 1));
			if (compare && judging)
				expect_equal(resident[i] & 1, there);
		}
	}
	close(fd);
	return present;
}

/* One zone's lines; what its own numbers must be to each other. */
static void add_zone(struct told *told, const char *lines, const char *flags)
{
	long fields[FIELDS] = {0};
	uintptr_t beg, end;
	char rights[5], path[64] = "";
	unsigned long inode;

	expect(sscanf(lines, "%lx-%lx %4s %*x %*s %lu %63s", &beg, &end, rights, &inode, path) >=
	       4);
	if (strcmp(path, "[vsyscall]") == 0) /* the kernel's, in its own half */
		return;
	for (const char *at = strchr(lines, '\n') + 1; at < flags; at = strchr(at, '\n') + 1)
		for (int i = 0; i < FIELDS; i++)
			if (strncmp(at, names[i], strlen(names[i])) == 0 &&
			    at[strlen(names[i])] == ':')
				fields[i] = strtol(at + strlen(names[i]) + 1, NULL, 10);
	expect_equal(fields[SIZE], (end - beg) / 1024);
	expect_equal(fields[SHARED_CLEAN] + fields[SHARED_DIRTY] + fields[PRIVATE_CLEAN] +
			     fields[PRIVATE_DIRTY],
		     fields[RSS]);
	expect(fields[RSS] <= fields[SIZE] && fields[PSS] <= fields[RSS]);
	expect(fields[REFERENCED] <= fields[RSS] && fields[ANONYMOUS] <= fields[RSS]);
	expect(fields[LOCKED] == (flag_in(flags, " lo ") ? fields[PSS] : 0));
	expect_equal(flag_in(flags, " rd "), rights[0] == 'r');
	expect_equal(flag_in(flags, " wr "), rights[1] == 'w');
	expect_equal(flag_in(flags, " ms "), rights[3] == 's');
	for (int i = 0; i < FIELDS; i++)
		told->fields[i] += fields[i];
	if (flag_in(flags, " lo "))
		told->locked_size += fields[SIZE];
	if (flag_in(flags, " gd "))
		told->stack_size += fields[SIZE];
	else if (rights[1] == 'w' && rights[3] == 'p')
		told->data_size += fields[SIZE];
	if (strncmp(path, "[v", 2) != 0) { /* vdso and vvar: pages that are the kernel's */
		long present = present_pages(beg, end, rights[3] == 'p' && inode == 0);

		if (judging)
			expect_equal(present * KIB_PER_PAGE, fields[RSS]);
	}
	told->zones++;
}

static struct told read_smaps(void)
{
	struct told told = {0};
	char *flags;

	proc_read("/proc/self/smaps", smaps, sizeof(smaps));
	for (char *at = smaps; *at != '\0'; at = strchr(flags, '\n') + 1) {
		flags = strstr(at, "VmFlags:");
		expect(flags != NULL);
		add_zone(&told, at, flags);
	}
	return told;
}

/* smaps begins each zone with its line of maps. */
static void compare_with_maps(void)
{
	char *line = maps, *end;

	proc_read("/proc/self/maps", maps, sizeof(maps));
	proc_read("/proc/self/smaps", smaps, sizeof(smaps));
	for (char *at = smaps; *at != '\0'; at = strchr(at, '\n') + 1) {
		if (!strchr("0123456789abcdef", *at))
			continue;
		end = strchr(line, '\n');
		expect(end != NULL && strncmp(at, line, (size_t)(end - line) + 1) == 0);
		line = end + 1;
	}
	expect_equal(*line, '\0');
}

static void compare_with_rollup(const struct told *told)
{
	for (int i = RSS; i < FIELDS; i++) {
		long all = proc_number("/proc/self/smaps_rollup", names[i]);

		if (i == PSS || i == LOCKED) /* parts of pages: each zone is rounded down */
			check(names[i],
			      all >= told->fields[i] && all <= told->fields[i] + told->zones);
		else
			check(names[i], all == told->fields[i]);
	}
}

/* Linux counts pages in batches: a mebibyte more or less. */
static bool about(long value, long wanted)
{
	return on_stos() ? value == wanted : labs(value - wanted) <= 1024;
}

static long status_of(const char *key)
{
	return proc_number("/proc/self/status", key);
}

static void compare_with_status(const struct told *told)
{
	expect_equal(status_of("VmSize"), told->fields[SIZE]);
	expect_equal(status_of("VmLck"), told->locked_size);
	expect_equal(status_of("VmData"), told->data_size);
	expect_equal(status_of("VmStk"), told->stack_size);
	expect_equal(status_of("VmSwap"), told->fields[SWAP]);
	expect(about(status_of("VmRSS"), told->fields[RSS]));
	expect(about(status_of("RssAnon"), told->fields[ANONYMOUS]));
	expect_equal(status_of("RssAnon") + status_of("RssFile") + status_of("RssShmem"),
		     status_of("VmRSS"));
	expect(status_of("VmHWM") >= status_of("VmRSS") &&
	       status_of("VmPeak") >= status_of("VmSize"));
}

static void compare_with_statm(const struct told *told)
{
	long size, resident, shared, code, data, bytes, pages;
	char *after_name;

	proc_read("/proc/self/statm", text, sizeof(text));
	expect(sscanf(text, "%ld %ld %ld %ld 0 %ld 0", &size, &resident, &shared, &code, &data) ==
	       5);
	expect_equal(size * KIB_PER_PAGE, told->fields[SIZE]);
	expect_equal(data * KIB_PER_PAGE, told->data_size + told->stack_size);
	expect(about(resident * KIB_PER_PAGE, told->fields[RSS]));
	expect(about((resident - shared) * KIB_PER_PAGE, told->fields[ANONYMOUS]));
	proc_read("/proc/self/stat", text, sizeof(text));
	after_name = strrchr(text, ')');
	expect(after_name != NULL);
	/* proc(5): fields 23 and 24; the name was the second. */
	for (int field = 2; field < 23; field++)
		after_name = strchr(after_name + 1, ' ');
	expect(sscanf(after_name, " %ld %ld", &bytes, &pages) == 2);
	expect_equal(bytes / 1024, told->fields[SIZE]);
	expect(about(pages * KIB_PER_PAGE, told->fields[RSS]));
}

static void compare_all(unsigned seed)
{
	struct told told;
	pid_t sharer;

	if (geteuid() != 0)
		tap_skip("not root: pagemap hides which pages are zeros");
	sharer = work(seed);
	for (int round = 0; round < 3; round++) {
		told = read_smaps();
		compare_with_maps();
		proc_number("/proc/self/smaps_rollup", "Rss");
		status_of("VmRSS");
		proc_read("/proc/self/statm", text, sizeof(text));
		judging = round > 0;
	}
	compare_with_rollup(&told);
	compare_with_status(&told);
	compare_with_statm(&told);
	kill(sharer, SIGKILL);
	expect_killed(sharer, SIGKILL);
}

static void seed_1(void)
{
	compare_all(1);
}

static void seed_2(void)
{
	compare_all(2);
}

static void seed_3(void)
{
	compare_all(3);
}

/* --- two processes ---------------------------------------------------------------------------- */

static long pss_of(const char *path, const void *address)
{
	char head[32], *lines;

	proc_read(path, smaps, sizeof(smaps));
	snprintf(head, sizeof(head), "%08lx-", (unsigned long)address);
	lines = strstr(smaps, head);
	expect(lines != NULL);
	lines = strstr(lines, "\nPss:");
	expect(lines != NULL);
	return strtol(lines + 5, NULL, 10);
}

/* The shares that all processes have of a mapping add up to the pages there are. */
static void shares_add_up(void)
{
	char *map = map_alone(64 * PAGE, RW), path[64];
	struct gate ready;
	pid_t pids[3];
	long sum;

	madvise(map, 64 * PAGE, MADV_NOHUGEPAGE);
	memset(map, 1, 64 * PAGE);
	gate_make(&ready);
	for (int i = 0; i < 3; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			memset(map, 2,
			       (size_t)(i + 1) * 8 * PAGE); /* 8, 16 and 24 pages of its own */
			gate_open(&ready);
			for (;;)
				pause();
		}
	}
	for (int i = 0; i < 3; i++)
		gate_pass(&ready);
	sum = pss_of("/proc/self/smaps", map);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/proc/%d/smaps", pids[i]);
		sum += pss_of(path, map);
	}
	/* 64 of the parent's and 48 of the children's; each share is rounded down. */
	expect(sum <= (64 + 48) * KIB_PER_PAGE && sum > (64 + 48) * KIB_PER_PAGE - 4);
	for (int i = 0; i < 3; i++) {
		kill(pids[i], SIGKILL);
		expect_killed(pids[i], SIGKILL);
	}
	expect_equal(pss_of("/proc/self/smaps", map), 64 * KIB_PER_PAGE);
}

static const struct tap_case cases[] = {
	{"all sums agree after random work", seed_1},
	{"all sums agree after other work", seed_2},
	{"all sums agree after work of a third kind", seed_3},
	{"the shares of all processes add up", shares_add_up},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
