/*
 * mm/pressure.c - out of memory: the largest process dies, the kernel never does.
 *
 * Called where a frame could not be had, by faults and the page cache. init is spared. The
 * caller may hold sleeping locks that the victim needs, so it waits for a bounded time only.
 */
#include <kernel/base/log.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <mm/kernel_map.h>
#include <mm/mem_space.h>
#include <mm/pressure.h>

#define FRAMES_ENOUGH 64
#define WAIT_STEP_NS (4 * NS_PER_MS)
#define WAIT_STEPS 500 /* two seconds for a victim to leave */

struct victim_search {
	struct process *process; /* a reference */
	uint64_t pages;
	bool dying; /* a process that was killed has not left yet */
	char name[TASK_NAME_SIZE];
};

/* What the end of the space's users might give back. */
static uint64_t space_pages(const struct mem_space *space)
{
	return atomic_load(&space->anon_pages) + atomic_load(&space->file_pages) +
	       atomic_load(&space->table_pages) +
	       (space->zones.count * sizeof(struct mem_zone) >> PAGE_SHIFT);
}

static uint64_t process_pages(struct process *process)
{
	struct task *task;

	list_for_each_entry(task, &process->threads, thread_link)
		if (task->space)
			return space_pages(task->space);
	return 0;
}

static bool consider(struct process *process, void *arg)
{
	struct victim_search *search = arg;
	uint64_t pages = process_pages(process);

	if (process->pid == 1 || process->zombie || pages == 0)
		return true;
	if (process->group_exiting) {
		search->dying = true;
		return true;
	}
	if (pages >= search->pages) { /* of equals the youngest */
		if (search->process)
			process_put(search->process);
		process_get(process);
		search->process = process;
		search->pages = pages;
	}
	return true;
}

static bool kill_largest(void)
{
	struct victim_search search = {0};

	spin_lock(&task_tree_lock);
	process_for_each(consider, &search);
	spin_unlock(&task_tree_lock);
	if (search.process && !search.dying) {
		log_warning("out of memory: killed process %d, which had %lu KiB", search.process->pid,
			    search.pages * (PAGE_SIZE / 1024));
		signal_send_process(search.process, SIGKILL, NULL);
	}
	if (search.process)
		process_put(search.process);
	return search.process || search.dying;
}

void mem_trim(void)
{
	task_ids_trim();
	kernel_stacks_trim();
	heap_trim(); /* last: it gives back what the others freed */
}

bool mem_pressure_relieve(void)
{
	mem_trim();
	if (frame_free_count() >= FRAMES_ENOUGH)
		return true;
	if (signal_fatal_pending(current_task()) || !kill_largest())
		return false;
	for (unsigned step = 0; step < WAIT_STEPS; step++) {
		if (frame_free_count() >= FRAMES_ENOUGH)
			return true;
		if (signal_fatal_pending(current_task()))
			return false;
		task_sleep_uninterruptible(time_monotonic_ns() + WAIT_STEP_NS);
	}
	return false;
}
