/*
 * mm/check_frames.c - whose are all the references on pages and tables? The checking build asks.
 *
 * A frame's count is made of entries of page tables, its place in a cache or as a space's root, and
 * what tasks hold for a moment. The first three can be looked up; the last is counted as it changes
 * (mem_check_hold, called by frame.c and whoever gives a reference to an entry or a cache, or takes
 * it back). So there are two checks, and both are exact whatever else goes on:
 *
 *   a task that goes back to user mode holds nothing (mem_check_none_held);
 *   at one moment, for each frame: count - entries - cache is not below zero, and the sum of that
 *   over all frames is what all tasks hold (mem_check_frames).
 *
 * That moment: one processor calls all others, each of which waits in its interrupt handler until
 * the last to come has looked at everything. If one was found under a spinlock, or with preemption
 * off, what it was about is half done: they part and meet again.
 *
 * Locks: spaces_lock, the list of all spaces. Who looks takes none.
 * Tests: tests/guest/mem_check.c.
 */
#include <kernel/base/cross_call.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <mm/check.h>
#include <mm/mem_object.h>
#include <mm/mem_space.h>
#include <mm/page_table.h>

static struct spinlock spaces_lock = SPINLOCK_INIT(RANK_PAGE_TABLE);
static struct list_node spaces GUARDED_BY(spaces_lock) = LIST_INIT(spaces); /* by all_link */
static _Atomic int64_t held; /* by all tasks */

/* ---- as it changes ---- */

static bool is_counted(enum frame_kind kind)
{
	return kind == FRAME_TABLE || kind == FRAME_ANON || kind == FRAME_CACHE;
}

void mem_check_hold(const struct frame *frame, int64_t change)
{
	struct task *task = current_task();

	if (!is_counted(frame_kind(frame)))
		return;
	atomic_fetch_add(&held, change);
	if (task)
		task->frames_held += change;
}

void mem_check_none_held(void)
{
	int64_t count = current_task()->frames_held;

	if (count)
		mem_check_failed("a task leaves the kernel with %ld references on pages and tables",
				 count);
}

void mem_check_space_begin(struct mem_space *space)
{
	spin_lock(&spaces_lock);
	list_push_back(&spaces, &space->all_link);
	mem_check_hold(phys_to_frame(space->root), -1);
	spin_unlock(&spaces_lock);
}

void mem_check_space_end(struct mem_space *space)
{
	spin_lock(&spaces_lock);
	list_remove(&space->all_link);
	mem_check_hold(phys_to_frame(space->root), 1);
	spin_unlock(&spaces_lock);
}

/* ---- at one moment ---- */

static void count_entry(struct frame *frame)
{
	enum frame_kind kind;

	if (frame < frame_array || frame >= frame_array + frame_array_count) {
		mem_check_failed("an entry refers to %#lx, which is no RAM", frame_phys(frame));
		return;
	}
	kind = frame_kind(frame);
	if (is_counted(kind))
		frame->entries++;
	else if (kind != FRAME_ZERO)
		mem_check_failed("an entry refers to frame %#lx of kind %d", frame_phys(frame),
				 kind);
}

static bool is_in_cache(const struct frame *frame)
{
	if (frame_kind(frame) != FRAME_CACHE || !frame->object)
		return false;
	if (page_index_find(&frame->object->pages, frame->index) != frame)
		mem_check_failed("frame %#lx is not in the cache it names", frame_phys(frame));
	return true;
}

/* How many of the frame's references are a task's; forgets what was counted. */
static int64_t references_held(struct frame *frame)
{
	uint32_t refs = frame_refs(frame), known = frame->entries;

	frame->entries = 0;
	if (refs >= FRAME_REFS_SATURATED)
		return 0;
	known += is_in_cache(frame);
	if (refs < known)
		mem_check_failed(
			"frame %#lx of kind %d has %u references, of entries and its cache %u",
			frame_phys(frame), frame_kind(frame), refs, known);
	return (int64_t)refs - known;
}

/* Nobody else runs, and nobody is under a spinlock. */
static void look_at_frames(void) NO_THREAD_SAFETY_ANALYSIS
{
	const struct frame *last = NULL;
	struct mem_space *space;
	int64_t sum = 0;

	list_for_each_entry(space, &spaces, all_link) {
		count_entry(phys_to_frame(space->root));
		page_table_each_frame(space, count_entry);
	}
	for (struct frame *frame = frame_array; frame < frame_array + frame_array_count; frame++) {
		int64_t count = is_counted(frame_kind(frame)) ? references_held(frame) : 0;

		sum += count;
		if (count)
			last = frame;
	}
	if (sum != atomic_load(&held))
		mem_check_failed("%ld references are no entry's and no cache's, tasks hold %ld; "
				 "one is on %#lx of kind %d",
				 sum, atomic_load(&held), last ? frame_phys(last) : 0,
				 last ? (int)frame_kind(last) : FRAME_FREE);
	if (frame_refs(frame_zero) != FRAME_REFS_PINNED)
		mem_check_failed("the zero frame is counted: %#x", frame_refs(frame_zero));
}

/* ---- the moment ---- */

struct meeting {
	uint32_t expected;
	_Atomic uint32_t present;
	_Atomic bool disturbed; /* somebody could not leave what it was about */
	_Atomic bool over;
};

/* On each of the others. Who was interrupted outside spinlocks has only the handler's count. */
static void meet(void *arg)
{
	struct meeting *meeting = arg;
	struct cpu *cpu = this_cpu();

	if (cpu->irq_depth != 1 || cpu->preempt_count != 1)
		atomic_store(&meeting->disturbed, true);
	if (atomic_fetch_add(&meeting->present, 1) + 1 == meeting->expected) {
		if (!atomic_load(&meeting->disturbed))
			look_at_frames();
		atomic_store(&meeting->over, true);
	}
	while (!atomic_load(&meeting->over))
		cpu_relax();
}

static bool look_stopped(void)
{
	struct meeting meeting = {0};

	preempt_disable();
	meeting.expected = cpu_count() - 1;
	if (meeting.expected == 0)
		look_at_frames();
	else
		cross_call((1ull << cpu_count()) - 1, meet, &meeting);
	preempt_enable();
	return !atomic_load(&meeting.disturbed);
}

void mem_check_frames(void)
{
	static _Atomic bool busy; /* one meeting at a time */

	might_sleep();
	while (atomic_exchange(&busy, true))
		task_yield();
	while (!look_stopped())
		task_yield();
	atomic_store(&busy, false);
}
