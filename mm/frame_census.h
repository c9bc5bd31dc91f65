/* mm/frame_census.h - what the frames of the page caches are used for, counted one by one. */
#pragma once

#include <mm/frame.h>

struct frame_census {
	uint64_t file, shmem;      /* pages of files kept elsewhere too; of those that are not */
	uint64_t mapped;           /* of both, those that some page table refers to */
	uint64_t dirty, writeback; /* of `file` */
};

/* Walks all frames, without locks: each is seen at a moment of its own. */
void frame_census(struct frame_census *census);
