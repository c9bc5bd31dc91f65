/*
 * mm/direct_map.h - all of RAM, mapped in one piece: writable, never executable.
 *
 * docs/memory-map.md shows where it lies among the kernel's ranges.
 */
#pragma once

#include <kernel/base/types.h>

#define DIRECT_MAP_BASE 0xffff888000000000ul

static inline void *phys_to_virt(phys_t phys)
{
	return (void *)(DIRECT_MAP_BASE + phys);
}

/* Of an address in the direct map only. */
static inline phys_t virt_to_phys(const void *virt)
{
	return (uintptr_t)virt - DIRECT_MAP_BASE;
}
