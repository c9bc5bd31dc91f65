/*
 * mm/buddy.h - free physical memory in blocks of 2^order frames. For frame.c only: everybody
 * else allocates frames there.
 *
 * Each function takes the allocator's spinlock (rank RANK_FRAMES, interrupts off) itself; none
 * sleeps. Frames pass through with state FREE and no references; what they become is frame.c's
 * business.
 */
#pragma once

#include <mm/frame.h>

void buddy_init(void);
/* 2^order frames aligned to their size, or NULL. */
must_check struct frame *buddy_alloc(unsigned order);
/* Up to `wanted` single frames, small blocks first. Returns how many; fewer when memory is out. */
must_check unsigned buddy_alloc_many(struct frame **frames, unsigned wanted);
void buddy_free(struct frame *block, unsigned order);
void buddy_free_many(struct frame *const *frames, unsigned count);
/* Frames [first, end) by number, any alignment. */
void buddy_free_range(uint64_t first, uint64_t end);
uint64_t buddy_free_count(void);
/* Lists, orders, alignment, merging and the count; panics where something is wrong. */
void buddy_check(void);
