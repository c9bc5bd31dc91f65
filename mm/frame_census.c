/*
 * mm/frame_census.c - counts cached frames by use, for /proc/meminfo and /proc/vmstat.
 *
 * Faults and file calls keep no such counters: they would pay for them each time; here one reader
 * pays, with a walk of the frame array.
 *
 * Tests: tests/guest/smaps.c.
 */
#include <mm/frame_census.h>

uint32_t frame_map_count(const struct frame *frame)
{
	uint32_t refs = frame_refs(frame);

	switch (frame_kind(frame)) {
	case FRAME_ANON:
		return refs;
	case FRAME_CACHE: /* one is the cache's, unless the page was cut off */
		return refs > 0 && frame->object ? refs - 1 : refs;
	case FRAME_FREE:
	case FRAME_KERNEL:
	case FRAME_TABLE:
	case FRAME_ZERO:
		break;
	}
	return 0;
}

void frame_census(struct frame_census *census)
{
	*census = (struct frame_census){0};
	for (uint64_t i = 0; i < frame_array_count; i++) {
		const struct frame *frame = &frame_array[i];
		uint32_t state = frame_state(frame);

		if ((state & FRAME_KIND_MASK) != FRAME_CACHE)
			continue;
		census->mapped += frame_map_count(frame) > 0;
		if (state & FRAME_SHMEM) {
			census->shmem++;
			continue;
		}
		census->file++;
		census->dirty += (state & FRAME_DIRTY) != 0;
		census->writeback += (state & FRAME_WRITEBACK) != 0;
	}
}
