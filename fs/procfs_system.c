/*
 * fs/procfs_system.c - files of /proc about the system as a whole: memory, processors, time,
 * load. Formats: proc(5).
 */
#include <fs/procfs_private.h>
#include <fs/tmpfs.h>
#include <kernel/cmdline.h>
#include <kernel/load.h>
#include <kernel/sched.h>
#include <kernel/sys_info.h>
#include <kernel/time.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <string.h>

#define USER_HZ 100ul /* sysconf(_SC_CLK_TCK) */
#define NS_PER_USER_TICK (NS_PER_SEC / USER_HZ)
#define PAGE_KIB (PAGE_SIZE / 1024)

/* meminfo */

static void print_kib(struct text *text, const char *key, uint64_t kib)
{
	text_print(text, "%-16s%8lu kB\n", key, kib);
}

static int show_meminfo(struct text *text, const struct proc_node *node)
{
	uint64_t counts[FRAME_ZERO + 1];
	uint64_t shared = tmpfs_pages(), cached, free = frame_free_count();

	(void)node;
	frame_kind_counts(counts);
	cached = counts[FRAME_CACHE];
	print_kib(text, "MemTotal:", frame_total_count() * PAGE_KIB);
	print_kib(text, "MemFree:", free * PAGE_KIB);
	/* What could be had without harm: pages of tmpfs have no other home. */
	print_kib(text, "MemAvailable:", (free + cached - MIN(shared, cached)) * PAGE_KIB);
	print_kib(text, "Buffers:", 0);
	print_kib(text, "Cached:", cached * PAGE_KIB);
	print_kib(text, "SwapCached:", 0);
	print_kib(text, "Active:", counts[FRAME_ANON] * PAGE_KIB);
	print_kib(text, "Inactive:", cached * PAGE_KIB);
	print_kib(text, "SwapTotal:", 0);
	print_kib(text, "SwapFree:", 0);
	print_kib(text, "Dirty:", 0);
	print_kib(text, "Writeback:", 0);
	print_kib(text, "AnonPages:", counts[FRAME_ANON] * PAGE_KIB);
	print_kib(text, "Shmem:", shared * PAGE_KIB);
	print_kib(text, "Slab:", heap_bytes() / 1024);
	print_kib(text, "SReclaimable:", 0);
	print_kib(text, "SUnreclaim:", heap_bytes() / 1024);
	print_kib(text, "PageTables:", counts[FRAME_TABLE] * PAGE_KIB);
	return 0;
}

/* Time and load */

struct system_totals {
	uint64_t user_ns, system_ns; /* of all processes there are, and of children waited for */
	uint64_t switches, threads;
	int last_pid;
};

static bool visit_totals(struct process *process, void *arg)
{
	struct system_totals *totals = arg;
	struct task *task;

	totals->user_ns += process->dead_user_ns + process->child_user_ns;
	totals->system_ns += process->dead_system_ns + process->child_system_ns;
	totals->switches += process->dead_voluntary + process->dead_involuntary +
			    process->child_voluntary + process->child_involuntary;
	totals->threads += process->thread_count;
	totals->last_pid = MAX(totals->last_pid, process->pid);
	list_for_each_entry(task, &process->threads, thread_link) {
		totals->user_ns += task->user_ns;
		totals->system_ns += task->system_ns;
		totals->switches += task->voluntary_switches + task->involuntary_switches;
	}
	return true;
}

static struct system_totals totals_read(void)
{
	struct system_totals totals = {0};

	spin_lock(&task_tree_lock);
	process_for_each(visit_totals, &totals);
	spin_unlock(&task_tree_lock);
	return totals;
}

static uint64_t idle_ns(const struct system_totals *totals)
{
	uint64_t up = time_monotonic_ns(), busy = totals->user_ns + totals->system_ns;

	return up > busy ? up - busy : 0;
}

static void print_cpu(struct text *text, const char *name, const struct system_totals *totals)
{
	/* user nice system idle iowait irq softirq steal guest guest_nice */
	text_print(text, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", name,
		   totals->user_ns / NS_PER_USER_TICK, totals->system_ns / NS_PER_USER_TICK,
		   idle_ns(totals) / NS_PER_USER_TICK);
}

static int show_stat(struct text *text, const struct proc_node *node)
{
	struct system_totals totals = totals_read();

	(void)node;
	print_cpu(text, "cpu ", &totals);
	print_cpu(text, "cpu0", &totals);
	text_print(text, "intr 0\nctxt %lu\nbtime %lu\n", totals.switches,
		   (time_real_ns() - time_monotonic_ns()) / NS_PER_SEC);
	text_print(text, "processes %d\nprocs_running %lu\nprocs_blocked 0\nsoftirq 0\n",
		   totals.last_pid, sched_runnable_count());
	return 0;
}

static int show_uptime(struct text *text, const struct proc_node *node)
{
	struct system_totals totals = totals_read();
	uint64_t up = time_monotonic_ns(), idle = idle_ns(&totals);
	const uint64_t hundredth = NS_PER_SEC / 100;

	(void)node;
	text_print(text, "%lu.%02lu %lu.%02lu\n", up / NS_PER_SEC, up / hundredth % 100,
		   idle / NS_PER_SEC, idle / hundredth % 100);
	return 0;
}

static int show_loadavg(struct text *text, const struct proc_node *node)
{
	struct system_totals totals = totals_read();

	(void)node;
	for (unsigned i = 0; i < LOAD_COUNT; i++) {
		uint32_t load = load_average(i) + LOAD_ONE / 200; /* rounded */

		text_print(text, "%u.%02u ", load / LOAD_ONE, load % LOAD_ONE * 100 / LOAD_ONE);
	}
	text_print(text, "%lu/%lu %d\n", sched_runnable_count(), totals.threads,
		   totals.last_pid);
	return 0;
}

/* cpuinfo */

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid_read(uint32_t leaf)
{
	struct cpuid id;

	__asm__ volatile("cpuid"
			 : "=a"(id.eax), "=b"(id.ebx), "=c"(id.ecx), "=d"(id.edx)
			 : "a"(leaf), "c"(0));
	return id;
}

struct cpu_flag {
	unsigned bit;
	const char *name;
};

/* SDM vol. 2, CPUID, leaf 1: what programs use; names as Linux has them. */
static const struct cpu_flag flags_edx[] = {
	{0, "fpu"},   {4, "tsc"},   {5, "msr"},   {6, "pae"},   {8, "cx8"},   {9, "apic"},
	{13, "pge"},  {15, "cmov"}, {16, "pat"},  {19, "clflush"}, {23, "mmx"}, {24, "fxsr"},
	{25, "sse"},  {26, "sse2"},
};
static const struct cpu_flag flags_ecx[] = {
	{0, "pni"},   {1, "pclmulqdq"}, {9, "ssse3"}, {13, "cx16"}, {19, "sse4_1"},
	{20, "sse4_2"}, {22, "movbe"},  {23, "popcnt"}, {25, "aes"}, {30, "rdrand"},
};
/* Leaf 0x80000001, edx. */
static const struct cpu_flag flags_extended[] = {
	{11, "syscall"}, {20, "nx"}, {26, "pdpe1gb"}, {27, "rdtscp"}, {29, "lm"},
};

static void print_flags(struct text *text, uint32_t bits, const struct cpu_flag *flags, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bits & 1u << flags[i].bit)
			text_print(text, " %s", flags[i].name);
}

#define CPUID_FIRST_BRAND 0x80000002u /* three leaves of 16 characters */
#define CPUID_EXTENDED 0x80000001u

static void print_model_name(struct text *text)
{
	char brand[3 * sizeof(struct cpuid) + 1] = "";
	const char *start = brand;

	for (uint32_t i = 0; i < 3; i++) {
		struct cpuid id = cpuid_read(CPUID_FIRST_BRAND + i);

		memcpy(brand + i * sizeof(id), &id, sizeof(id));
	}
	while (*start == ' ')
		start++;
	text_print(text, "model name\t: %s\n", start);
}

static int show_cpuinfo(struct text *text, const struct proc_node *node)
{
	struct cpuid vendor = cpuid_read(0), version = cpuid_read(1);
	uint32_t family = version.eax >> 8 & 15, model = version.eax >> 4 & 15;

	(void)node;
	/* SDM vol. 2, CPUID: the extended fields count only then. */
	if (family == 6 || family == 15)
		model |= version.eax >> 12 & 0xf0;
	if (family == 15)
		family += version.eax >> 20 & 0xff;
	text_print(text, "processor\t: 0\nvendor_id\t: %.4s%.4s%.4s\n", (char *)&vendor.ebx,
		   (char *)&vendor.edx, (char *)&vendor.ecx);
	text_print(text, "cpu family\t: %u\nmodel\t\t: %u\n", family, model);
	print_model_name(text);
	text_print(text, "stepping\t: %u\nphysical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\n",
		   version.eax & 15);
	text_print(text, "cpu cores\t: 1\nfpu\t\t: yes\nflags\t\t:");
	print_flags(text, version.edx, flags_edx, ARRAY_SIZE(flags_edx));
	print_flags(text, cpuid_read(CPUID_EXTENDED).edx, flags_extended, ARRAY_SIZE(flags_extended));
	print_flags(text, version.ecx, flags_ecx, ARRAY_SIZE(flags_ecx));
	text_print(text, "\naddress sizes\t: 48 bits virtual\n\n");
	return 0;
}

/* The rest */

static int show_version(struct text *text, const struct proc_node *node)
{
	(void)node;
	text_print(text, "Linux version %s (stos) %s\n", KERNEL_RELEASE, KERNEL_VERSION);
	return 0;
}

static int show_kernel_cmdline(struct text *text, const struct proc_node *node)
{
	(void)node;
	text_print(text, "%s\n", cmdline());
	return 0;
}

static int show_swaps(struct text *text, const struct proc_node *node)
{
	(void)node;
	text_print(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

static const struct proc_entry entries[] = {
	{.name = "meminfo", .mode = S_IFREG | 0444, .show = show_meminfo},
	{.name = "stat", .mode = S_IFREG | 0444, .show = show_stat},
	{.name = "uptime", .mode = S_IFREG | 0444, .show = show_uptime},
	{.name = "loadavg", .mode = S_IFREG | 0444, .show = show_loadavg},
	{.name = "cpuinfo", .mode = S_IFREG | 0444, .show = show_cpuinfo},
	{.name = "version", .mode = S_IFREG | 0444, .show = show_version},
	{.name = "cmdline", .mode = S_IFREG | 0444, .show = show_kernel_cmdline},
	{.name = "filesystems", .mode = S_IFREG | 0444, .show = proc_show_filesystems},
	{.name = "swaps", .mode = S_IFREG | 0444, .show = show_swaps},
};

int proc_system_init(struct dentry *root)
{
	load_init();
	return proc_add_files(root, entries, ARRAY_SIZE(entries));
}
