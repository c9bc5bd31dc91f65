/*
 * mm/pressure.c - out of memory: the largest process dies, the kernel never does.
 *
 * Called where a frame could not be had, by faults and the page cache. One task at a time looks for
 * memory; who comes meanwhile sleeps until its round is over, and tries again. A round gives back
 * what allocators keep for reuse. If that is not enough, a process dies: one that is on its way out
 * already, or else the largest is killed; the round is over when it has left. init is spared.
 *
 * Those that wait may hold sleeping locks that the victim needs. So a round ends in bounded time:
 * the victim is passed over from then on, and they fail, which lets go of their locks.
 *
 * Locks: none of its own; task_tree_lock to look at processes.
 * Tests: tests/serial/test_memory.py.
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
#define LOOK_NS (20 * NS_PER_MS)   /* others may have given back enough meanwhile */
#define VICTIM_NS (2 * NS_PER_SEC) /* for a victim to leave */

static struct wait_queue round_end = WAIT_QUEUE_INIT(round_end);
static _Atomic bool round_running;
static _Atomic uint64_t rounds_late; /* ROUND_LATE so far */

enum round_result {
	ROUND_DONE,
	ROUND_LATE,   /* somebody does not leave */
	ROUND_NOBODY, /* is left that could */
};

struct victim_search {
	struct process *process; /* a reference */
	uint64_t pages;
	bool dying; /* it is on its way out already */
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
	bool dying = process->group_exiting; /* without a space: that is being unmapped */

	if (process->pid == 1 || process->zombie || process->pressure_late)
		return true;
	if (!dying && pages == 0)
		return true;
	if (dying || pages >= search->pages) { /* of equals the youngest */
		if (search->process)
			process_put(search->process);
		process_get(process);
		search->process = process;
		search->pages = pages;
		search->dying = dying;
	}
	return !dying;
}

static void kill_victim(struct process *process, uint64_t pages)
{
	log_warning("out of memory: killed process %d, which had %lu KiB", process->pid,
		    pages * (PAGE_SIZE / 1024));
	signal_send_process(process, SIGKILL, NULL);
}

/* It need not wait for all those that run because they do not notice the lack. */
static void process_hurry(struct process *process)
{
	struct task *task;

	spin_lock(&task_tree_lock);
	list_for_each_entry (task, &process->threads, thread_link)
		task_hurry(task);
	spin_unlock(&task_tree_lock);
}

static bool process_gone(const struct process *process)
{
	bool gone;

	spin_lock(&task_tree_lock);
	gone = process->zombie;
	spin_unlock(&task_tree_lock);
	return gone;
}

/* Until it has left, or enough came back from elsewhere. False: not in time. */
static bool wait_gone(struct process *process)
{
	uint64_t now_ns = time_monotonic_ns(), end_ns = now_ns + VICTIM_NS;

	for (; now_ns < end_ns; now_ns = time_monotonic_ns()) {
		int error = wait_event_mode(&process->thread_event, process_gone(process),
					    WAIT_KILLABLE, now_ns + LOOK_NS);

		if (error != -ETIMEDOUT || frame_free_count() >= FRAMES_ENOUGH)
			return true;
	}
	return false;
}

/* A process leaves. */
static enum round_result end_one(void)
{
	struct victim_search search = {0};
	enum round_result result = ROUND_DONE;

	spin_lock(&task_tree_lock);
	process_for_each(consider, &search);
	spin_unlock(&task_tree_lock);
	if (!search.process)
		return ROUND_NOBODY;
	if (!search.dying)
		kill_victim(search.process, search.pages);
	process_hurry(search.process);
	if (!wait_gone(search.process)) {
		atomic_store(&search.process->pressure_late, true);
		result = ROUND_LATE;
	}
	process_put(search.process);
	return result;
}

static bool enough_after(void (*trim)(void))
{
	trim();
	return frame_free_count() >= FRAMES_ENOUGH;
}

/* Stacks last: every processor is interrupted for them, however few there are. */
static enum round_result round_run(void)
{
	if (enough_after(task_ids_trim) || enough_after(heap_trim) ||
	    enough_after(kernel_stacks_trim))
		return ROUND_DONE;
	return end_one();
}

void mem_trim(void)
{
	task_ids_trim();
	kernel_stacks_trim();
	heap_trim(); /* last: it gives back what the others freed */
}

bool mem_pressure_relieve(bool may_hold_locks)
{
	uint64_t late = atomic_load(&rounds_late);
	enum round_result result = ROUND_DONE;

	might_sleep(); /* also where trimming alone will do: nothing reclaims under a spinlock */
	if (signal_fatal_pending(current_task()))
		return false;
	if (atomic_exchange(&round_running, true)) {
		if (wait_event_mode(&round_end, !atomic_load(&round_running), WAIT_KILLABLE,
				    UINT64_MAX))
			return false;
	} else {
		result = round_run();
		if (result == ROUND_LATE)
			atomic_fetch_add(&rounds_late, 1);
		atomic_store(&round_running, false);
		wake_up_all(&round_end);
	}
	if (result == ROUND_NOBODY || signal_fatal_pending(current_task()))
		return false;
	return !may_hold_locks || late == atomic_load(&rounds_late);
}
