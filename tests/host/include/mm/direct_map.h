/*
 * tests/host/include/mm/direct_map.h - the host's stand-in for mm/direct_map.h: physical memory
 * is a mapping of this process (host_ram_create).
 */
#pragma once

#include <kernel/base/types.h>

extern uintptr_t host_ram;

static inline void *phys_to_virt(phys_t phys)
{
	return (void *)(host_ram + phys);
}

static inline phys_t virt_to_phys(const void *virt)
{
	return (uintptr_t)virt - host_ram;
}
