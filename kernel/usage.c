/* kernel/usage.c - adding up what processes used: see usage.h. */
#include <kernel/time_abi.h>
#include <kernel/usage.h>
#include <mm/mem_space.h>
#include <string.h>

static uint64_t space_peak(const struct task *task)
{
	return task->space ? mem_space_peak_resident(task->space) : 0;
}

struct usage usage_of_process(struct process *process)
{
	struct usage usage = {
		.time = process_cpu_time(process),
		.minor_faults = process->dead_minor_faults,
		.major_faults = process->dead_major_faults,
		.voluntary = process->dead_voluntary,
		.involuntary = process->dead_involuntary,
		.peak_pages = process->peak_pages,
	};
	struct task *task;

	list_for_each_entry (task, &process->threads, thread_link) {
		usage.minor_faults += task->minor_faults;
		usage.major_faults += task->major_faults;
		usage.voluntary += task->voluntary_switches;
		usage.involuntary += task->involuntary_switches;
		usage.peak_pages = MAX(usage.peak_pages, space_peak(task));
	}
	return usage;
}

struct usage usage_of_children(const struct process *process)
{
	return (struct usage){
		.time = {process->child_user_ns, process->child_system_ns},
		.minor_faults = process->child_minor_faults,
		.major_faults = process->child_major_faults,
		.voluntary = process->child_voluntary,
		.involuntary = process->child_involuntary,
		.peak_pages = process->child_peak_pages,
	};
}

struct usage usage_of_thread(void)
{
	const struct task *task = current_task();

	return (struct usage){
		.time = {task->user_ns, task->system_ns},
		.minor_faults = task->minor_faults,
		.major_faults = task->major_faults,
		.voluntary = task->voluntary_switches,
		.involuntary = task->involuntary_switches,
		.peak_pages = space_peak(task),
	};
}

void usage_add_child(struct process *parent, struct process *child)
{
	struct usage own = usage_of_process(child);

	parent->child_user_ns += own.time.user_ns + child->child_user_ns;
	parent->child_system_ns += own.time.system_ns + child->child_system_ns;
	parent->child_minor_faults += own.minor_faults + child->child_minor_faults;
	parent->child_major_faults += own.major_faults + child->child_major_faults;
	parent->child_voluntary += own.voluntary + child->child_voluntary;
	parent->child_involuntary += own.involuntary + child->child_involuntary;
	parent->child_peak_pages =
		MAX(MAX(parent->child_peak_pages, own.peak_pages), child->child_peak_pages);
}

void process_note_peak(struct process *process, struct mem_space *space)
{
	spin_lock(&task_tree_lock);
	process->peak_pages = MAX(process->peak_pages, mem_space_peak_resident(space));
	spin_unlock(&task_tree_lock);
}

void usage_to_abi(const struct usage *usage, struct rusage *rusage)
{
	memset(rusage, 0, sizeof(*rusage));
	rusage->ru_utime = timeval_from_ns(usage->time.user_ns);
	rusage->ru_stime = timeval_from_ns(usage->time.system_ns);
	rusage->ru_maxrss = (long)(usage->peak_pages * (PAGE_SIZE / 1024));
	rusage->ru_minflt = (long)usage->minor_faults;
	rusage->ru_majflt = (long)usage->major_faults;
	rusage->ru_nvcsw = (long)usage->voluntary;
	rusage->ru_nivcsw = (long)usage->involuntary;
}
