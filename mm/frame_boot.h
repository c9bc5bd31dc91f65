/*
 * mm/frame_boot.h - where free memory lies at boot. For frame.c only.
 */
#pragma once

#include <mm/frame.h>

struct frame_boot {
	const struct memory_range *usable, *reserved; /* unsorted, may overlap anything */
	size_t usable_count, reserved_count;
	struct memory_range array; /* where frame_boot put the frame array */
	uint64_t usable_frames;    /* whole pages of usable RAM */
	uint64_t free_frames;      /* of these, given to the buddy allocator */
};

/*
 * Sets frame_array and frame_array_count, fills the array in, and gives every free page to the
 * buddy allocator (after buddy_init). Panics when there is no room for the array.
 */
void frame_boot(struct frame_boot *boot);
