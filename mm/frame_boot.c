/*
 * mm/frame_boot.c - from the boot loader's memory map to the frame array.
 *
 * Called once, by frame_init. The lists of usable and reserved ranges are short and unsorted:
 * they are not sorted but asked, again and again, for the next free range at or above an
 * address. The first round finds the largest, whose end the array takes; the second fills the
 * array, in which each frame is written exactly once: a machine with 16 GiB has four million.
 *
 * Page 0 is never free: its address would be taken for a null pointer.
 * Tests: tests/host/test_frame.c.
 */
#include <kernel/base/panic.h>
#include <mm/buddy.h>
#include <mm/frame_boot.h>

/* The first usable page at or above `from`, and where its range ends. False: there is none. */
static bool next_usable(const struct frame_boot *boot, phys_t from, struct memory_range *found)
{
	bool any = false;

	for (size_t i = 0; i < boot->usable_count; i++) {
		phys_t beg = MAX(PAGE_ALIGN_UP(boot->usable[i].beg), from);
		phys_t end = PAGE_ALIGN_DOWN(boot->usable[i].end);

		if (beg >= end || (any && beg >= found->beg))
			continue;
		*found = (struct memory_range){beg, end};
		any = true;
	}
	return any;
}

/* Takes the pages `taken` touches off *free: what is before them stays, else what is behind. */
static void subtract(struct memory_range *free, struct memory_range taken)
{
	phys_t beg = PAGE_ALIGN_DOWN(taken.beg);
	phys_t end = PAGE_ALIGN_UP(taken.end);

	if (taken.beg >= taken.end || end <= free->beg || beg >= free->end)
		return;
	if (beg > free->beg)
		free->end = beg;
	else
		free->beg = MIN(end, free->end);
}

/* Again after the start moved: it may now lie in a range that was looked at before. */
static void subtract_all(const struct frame_boot *boot, struct memory_range *free)
{
	struct memory_range before;

	do {
		before = *free;
		subtract(free, (struct memory_range){0, PAGE_SIZE});
		subtract(free, boot->array);
		for (size_t i = 0; i < boot->reserved_count; i++)
			subtract(free, boot->reserved[i]);
	} while (before.beg != free->beg);
}

/* The first range at or above `from` that is usable and not taken. False: there is none. */
static bool next_free(const struct frame_boot *boot, phys_t from, struct memory_range *found)
{
	while (next_usable(boot, from, found)) {
		subtract_all(boot, found);
		if (found->beg < found->end)
			return true;
		from = found->beg; /* nothing below it is free, what is above may be */
	}
	return false;
}

static void frame_array_place(struct frame_boot *boot)
{
	struct memory_range largest = {0, 0};
	struct memory_range range;
	uint64_t size;

	frame_array_count = 0;
	for (phys_t from = 0; next_usable(boot, from, &range); from = range.end) {
		boot->usable_frames += (range.end - range.beg) >> PAGE_SHIFT;
		frame_array_count = range.end >> PAGE_SHIFT;
	}
	for (phys_t from = 0; next_free(boot, from, &range); from = range.end) {
		if (range.end - range.beg > largest.end - largest.beg)
			largest = range;
	}
	size = frame_array_pages() << PAGE_SHIFT;
	if (size == 0 || size > largest.end - largest.beg)
		panic("no room for the frame array: %lu KiB needed, %lu KiB free in one piece",
		      size >> 10, (largest.end - largest.beg) >> 10);
	boot->array = (struct memory_range){largest.end - size, largest.end};
	frame_array = phys_to_virt(boot->array.beg);
}

/* Only what tells a frame's kind: the other fields are set when it is allocated. */
static void frame_array_fill(uint64_t first, uint64_t end, uint32_t refs, uint32_t state)
{
	struct frame *stop = frame_array + end;

#pragma GCC unroll 8
	for (struct frame *frame = frame_array + first; frame < stop; frame++) {
		atomic_store_explicit(&frame->refs, refs, memory_order_relaxed);
		atomic_store_explicit(&frame->state, state, memory_order_relaxed);
	}
}

void frame_boot(struct frame_boot *boot)
{
	struct memory_range range;
	uint64_t done = 0;

	frame_array_place(boot);
	for (phys_t from = 0; next_free(boot, from, &range); from = range.end) {
		uint64_t first = range.beg >> PAGE_SHIFT;
		uint64_t end = range.end >> PAGE_SHIFT;

		frame_array_fill(done, first, FRAME_REFS_PINNED, FRAME_KERNEL);
		frame_array_fill(first, end, 0, FRAME_FREE);
		boot->free_frames += end - first;
		done = end;
	}
	frame_array_fill(done, frame_array_count, FRAME_REFS_PINNED, FRAME_KERNEL);
	/* Only now: merging looks at a block's neighbours. */
	for (phys_t from = 0; next_free(boot, from, &range); from = range.end)
		buddy_free_range(range.beg >> PAGE_SHIFT, range.end >> PAGE_SHIFT);
}
