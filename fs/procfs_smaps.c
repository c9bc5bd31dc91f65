/*
 * fs/procfs_smaps.c - /proc/<pid>/smaps and smaps_rollup: for each zone, or for all together, what
 * is in memory and who shares it. Formats: proc(5), Linux's Documentation/filesystems/proc.rst.
 *
 * Locks: the space for reading, so that one reading shows one moment of the zones.
 * Not here: the counting (mm/zone_usage.c). Tests: tests/guest/smaps.c.
 */
#include <fs/procfs_private.h>
#include <linux/mman.h>
#include <mm/mem_object.h>
#include <mm/zone_usage.h>
#include <string.h>

static void print_bytes(struct text *text, const char *key, uint64_t bytes)
{
	text_print(text, "%s:%*s%8lu kB\n", key, 15 - (int)strlen(key), "", bytes / 1024);
}

static void print_share(struct text *text, const char *key, uint64_t share)
{
	print_bytes(text, key, share >> PSS_SHIFT);
}

/* What both files have, in Linux's order. */
static void print_usage(struct text *text, const struct zone_usage *usage, bool rollup,
			uint64_t locked)
{
	print_bytes(text, "Rss", usage->resident);
	print_share(text, "Pss", usage->pss);
	print_share(text, "Pss_Dirty", usage->pss_dirty);
	if (rollup) {
		print_share(text, "Pss_Anon", usage->pss_anon);
		print_share(text, "Pss_File", usage->pss_file);
		print_share(text, "Pss_Shmem", usage->pss_shmem);
	}
	print_bytes(text, "Shared_Clean", usage->shared_clean);
	print_bytes(text, "Shared_Dirty", usage->shared_dirty);
	print_bytes(text, "Private_Clean", usage->private_clean);
	print_bytes(text, "Private_Dirty", usage->private_dirty);
	print_bytes(text, "Referenced", usage->referenced);
	print_bytes(text, "Anonymous", usage->anonymous);
	print_bytes(text, "LazyFree", 0);
	print_bytes(text, "AnonHugePages", 0);
	print_bytes(text, "ShmemPmdMapped", 0);
	print_bytes(text, "FilePmdMapped", 0);
	print_bytes(text, "Shared_Hugetlb", 0);
	print_bytes(text, "Private_Hugetlb", 0);
	print_bytes(text, "Swap", 0);
	print_bytes(text, "SwapPss", 0);
	print_share(text, "Locked", locked);
}

/* Two letters each: proc(5). A shared mapping that can never write is none of Linux's "sh". */
static void print_flags(struct text *text, const struct mem_zone *zone)
{
	bool shared = zone->flags & ZONE_SHARED, writer = zone->max_prot & PROT_WRITE;
	bool device = zone->object && zone->object->ops->map_device;
	const struct {
		bool holds;
		const char *letters;
	} flags[] = {
		{zone->prot & PROT_READ, "rd"},
		{zone->prot & PROT_WRITE, "wr"},
		{zone->prot & PROT_EXEC, "ex"},
		{shared && writer, "sh"},
		{zone->max_prot & PROT_READ, "mr"},
		{writer, "mw"},
		{zone->max_prot & PROT_EXEC, "me"},
		{shared, "ms"},
		{zone->flags & ZONE_STACK, "gd"},
		{device, "pf"},
		{zone->flags & ZONE_LOCKED, "lo"},
		{device, "io"},
		{zone->flags & ZONE_SEQUENTIAL, "sr"},
		{zone->flags & ZONE_RANDOM, "rr"},
		{zone->flags & ZONE_DONT_FORK, "dc"},
		{device, "de"},
		{zone->flags & ZONE_LOCK_ON_FAULT, "lf"},
		{!shared && (zone->prot & PROT_WRITE), "ac"},
		{zone->flags & ZONE_WIPE_ON_FORK, "wf"},
		{device || (zone->flags & ZONE_DONT_DUMP), "dd"},
		{zone->flags & ZONE_HUGE, "hg"},
		{zone->flags & ZONE_NO_HUGE, "nh"},
		{zone->flags & ZONE_MERGEABLE, "mg"},
	};

	text_print(text, "VmFlags: ");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].holds)
			text_print(text, "%s ", flags[i].letters);
	text_append(text, "\n", 1);
}

static void show_zone_usage(struct text *text, struct mem_space *space, const struct mem_zone *zone)
{
	struct zone_usage usage = {0};

	zone_usage_add(space, zone, &usage);
	print_bytes(text, "Size", zone->end - zone->beg);
	print_bytes(text, "KernelPageSize", PAGE_SIZE);
	print_bytes(text, "MMUPageSize", PAGE_SIZE);
	print_usage(text, &usage, false, zone->flags & ZONE_LOCKED ? usage.pss : 0);
	text_print(text, "THPeligible:           0\n");
	print_flags(text, zone);
}

int proc_show_smaps(struct text *text, const struct proc_node *node)
{
	return proc_show_zones(text, node->process, show_zone_usage);
}

int proc_show_smaps_rollup(struct text *text, const struct proc_node *node)
{
	struct mem_space *space = process_hold_space(node->process);
	struct zone_usage usage = {0};
	uintptr_t beg = 0, end = 0;
	uint64_t locked = 0, before;
	const struct mem_zone *zone;

	if (!space)
		return -ESRCH;
	rw_read_lock(&space->lock);
	list_for_each_entry(zone, &space->zones.list, next) {
		if (end == 0)
			beg = zone->beg;
		end = zone->end;
		before = usage.pss;
		zone_usage_add(space, zone, &usage);
		if (zone->flags & ZONE_LOCKED)
			locked += usage.pss - before;
	}
	rw_read_unlock(&space->lock);
	text_print(text, "%08lx-%08lx ---p 00000000 00:00 0                          [rollup]\n",
		   beg, end);
	print_usage(text, &usage, true, locked);
	mem_space_drop(space);
	return 0;
}
