/*
 * fs/procfs_system.c - files of /proc about the system as a whole: time, load. Formats: proc(5).
 *
 * Not here: what each processor is and does (procfs_processors.c), memory (procfs_vmstat.c). Tests:
 * tests/guest/proc_sched.c.
 */
#include <fs/procfs_private.h>
#include <kernel/cmdline.h>
#include <kernel/load.h>
#include <kernel/sched.h>
#include <kernel/sys_info.h>
#include <kernel/time.h>
#include <mm/heap.h>
#include <string.h>

#define USER_HZ 100ul /* sysconf(_SC_CLK_TCK) */
#define NS_PER_USER_TICK (NS_PER_SEC / USER_HZ)

/* Time and load */

struct cpu_times {
	uint64_t user_ns, nice_ns, system_ns, idle_ns;
};

static uint64_t counter(const uint64_t *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static struct cpu_times times_of(const struct cpu *cpu)
{
	return (struct cpu_times){
		.user_ns = counter(&cpu->user_ns),
		.nice_ns = counter(&cpu->nice_ns),
		.system_ns = counter(&cpu->system_ns),
		.idle_ns = sched_idle_ns(cpu),
	};
}

static void times_add(struct cpu_times *sum, const struct cpu_times *times)
{
	sum->user_ns += times->user_ns;
	sum->nice_ns += times->nice_ns;
	sum->system_ns += times->system_ns;
	sum->idle_ns += times->idle_ns;
}

/* user nice system idle iowait irq softirq steal guest guest_nice */
static void print_times(struct text *text, const struct cpu_times *times)
{
	text_print(text, " %lu %lu %lu %lu 0 0 0 0 0 0\n", times->user_ns / NS_PER_USER_TICK,
		   times->nice_ns / NS_PER_USER_TICK, times->system_ns / NS_PER_USER_TICK,
		   times->idle_ns / NS_PER_USER_TICK);
}

static void print_all_times(struct text *text)
{
	struct cpu_times each[CPU_MAX], sum = {0};
	uint32_t count = cpu_count();

	for (uint32_t i = 0; i < count; i++) {
		each[i] = times_of(&cpus[i]);
		times_add(&sum, &each[i]);
	}
	text_print(text, "cpu ");
	print_times(text, &sum);
	for (uint32_t i = 0; i < count; i++) {
		text_print(text, "cpu%u", i);
		print_times(text, &each[i]);
	}
}

static uint64_t switch_count(void)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < cpu_count(); i++)
		count += counter(&cpus[i].switches);
	return count;
}

static int show_stat(struct text *text, const struct proc_node *node)
{
	(void)node;
	print_all_times(text);
	text_print(text, "intr %lu\nctxt %lu\nbtime %lu\n", proc_interrupt_count(), switch_count(),
		   (time_real_ns() - time_monotonic_ns()) / NS_PER_SEC);
	text_print(text, "processes %lu\nprocs_running %lu\nprocs_blocked 0\n", task_history().made,
		   sched_runnable_count());
	return 0;
}

static int show_uptime(struct text *text, const struct proc_node *node)
{
	const uint64_t hundredth = NS_PER_SEC / 100;
	uint64_t up = time_monotonic_ns(), idle = 0;

	(void)node;
	for (uint32_t i = 0; i < cpu_count(); i++)
		idle += sched_idle_ns(&cpus[i]);
	text_print(text, "%lu.%02lu %lu.%02lu\n", up / NS_PER_SEC, up / hundredth % 100,
		   idle / NS_PER_SEC, idle / hundredth % 100);
	return 0;
}

static bool count_threads(struct process *process, void *arg)
{
	*(uint64_t *)arg += process->thread_count;
	return true;
}

static int show_loadavg(struct text *text, const struct proc_node *node)
{
	uint64_t threads = 0;

	(void)node;
	for (unsigned i = 0; i < LOAD_COUNT; i++) {
		uint32_t load = load_average(i) + LOAD_ONE / 200; /* rounded */

		text_print(text, "%u.%02u ", load / LOAD_ONE, load % LOAD_ONE * 100 / LOAD_ONE);
	}
	spin_lock(&task_tree_lock);
	process_for_each(count_threads, &threads);
	spin_unlock(&task_tree_lock);
	text_print(text, "%lu/%lu %d\n", sched_runnable_count(), threads, task_history().last_id);
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

/* The caches' figures, copied: the visit may not allocate, a text does. */
struct slab_figures {
	struct {
		const char *name;
		uint64_t live, slabs;
		size_t size;
		unsigned per_slab, pages;
	} caches[64];
	size_t count;
};

static void note_slab(const struct object_cache *cache, void *arg)
{
	struct slab_figures *figures = arg;
	size_t i = figures->count;

	if (i == ARRAY_SIZE(figures->caches))
		return;
	figures->count++;
	figures->caches[i].name = cache->name;
	figures->caches[i].live = __atomic_load_n(&cache->live, __ATOMIC_RELAXED);
	figures->caches[i].slabs = __atomic_load_n(&cache->slabs, __ATOMIC_RELAXED);
	figures->caches[i].size = cache->size;
	figures->caches[i].per_slab = cache->per_slab;
	figures->caches[i].pages = 1u << cache->slab_order;
}

/* Format: slabinfo(5), version 2.1. */
static int show_slabinfo(struct text *text, const struct proc_node *node)
{
	struct slab_figures *figures = kzalloc(sizeof(*figures));

	(void)node;
	if (!figures)
		return -ENOMEM;
	heap_for_each_cache(note_slab, figures);
	text_print(text,
		   "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "
		   "<objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : "
		   "slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	for (size_t i = 0; i < figures->count; i++)
		text_print(text,
			   "%-17s %6lu %6lu %6lu %4u %4u : tunables %4u %4u %4u : slabdata %6lu "
			   "%6lu %6u\n",
			   figures->caches[i].name, figures->caches[i].live,
			   figures->caches[i].slabs * figures->caches[i].per_slab,
			   figures->caches[i].size, figures->caches[i].per_slab,
			   figures->caches[i].pages, 0, 0, 0, figures->caches[i].slabs,
			   figures->caches[i].slabs, 0);
	kfree(figures);
	return 0;
}

static const struct proc_entry entries[] = {
	{.name = "slabinfo", .mode = S_IFREG | 0400, .show = show_slabinfo},
	{.name = "meminfo", .mode = S_IFREG | 0444, .show = proc_show_meminfo},
	{.name = "vmstat", .mode = S_IFREG | 0444, .show = proc_show_vmstat},
	{.name = "stat", .mode = S_IFREG | 0444, .show = show_stat},
	{.name = "uptime", .mode = S_IFREG | 0444, .show = show_uptime},
	{.name = "loadavg", .mode = S_IFREG | 0444, .show = show_loadavg},
	{.name = "version", .mode = S_IFREG | 0444, .show = show_version},
	{.name = "cmdline", .mode = S_IFREG | 0444, .show = show_kernel_cmdline},
	{.name = "filesystems", .mode = S_IFREG | 0444, .show = proc_show_filesystems},
	{.name = "swaps", .mode = S_IFREG | 0444, .show = show_swaps},
};

static const struct proc_entry sysvipc_entries[] = {
	{.name = "shm", .mode = S_IFREG | 0444, .show = proc_show_sysv_shm},
};

int proc_system_init(struct dentry *root)
{
	struct dentry *sysvipc;
	int error = proc_add_files(root, entries, ARRAY_SIZE(entries));

	load_init();
	if (!error)
		error = tree_add_directory(root, "sysvipc", 0555, &sysvipc);
	return error ? error
		     : proc_add_files(sysvipc, sysvipc_entries, ARRAY_SIZE(sysvipc_entries));
}
