/*
 * mm/kernel_map.h - the kernel half of every address space: direct map, image, stacks, devices.
 *
 * docs/memory-map.md draws it. The upper half of every root table is the same; the tables below it
 * are shared, so a mapping made here is seen in every space.
 */
#pragma once

#include <kernel/base/types.h>

#define KERNEL_MAP_BASE 0xffffc90000000000ul /* stacks and devices */

/*
 * Replaces the boot tables: all RAM at DIRECT_MAP_BASE (writable, never executable), the image
 * with each part's own rights. Before frame_init. The pages it takes come from `usable` RAM and
 * are returned as one reserved range. Panics when it does not fit.
 */
struct memory_range kernel_map_init(void);

/* The root table's upper half is copied from here into each new space's root. */
extern phys_t kernel_root;
void kernel_map_copy_upper_half(void *root);

/*
 * Tables for a processor that has just been started: the kernel's own, and the first 2 MiB where
 * they are. `where`: three pages of low RAM, for good. Returns the root.
 */
phys_t kernel_map_start_tables(phys_t where);

/* A device's registers, uncached, for good. Panics when there is no memory (boot only). */
must_check void *kernel_map_device(phys_t phys, size_t size);

/* KERNEL_STACK_SIZE bytes with an unmapped guard below; 0 when memory is out. Does not sleep. */
must_check uintptr_t kernel_stack_alloc(void);
void kernel_stack_free(uintptr_t stack);
/* Gives back the free stacks that are kept for reuse. */
void kernel_stacks_trim(void);
/*
 * mem_check_failed (mm/check.h) where a page of the kernel's half is writable and executable, or
 * open to user mode.
 */
void kernel_map_check(void);
/* The upper half of this root table is the kernel's. */
bool kernel_map_is_in(const void *root);
/* The address lies in the guard of some kernel stack (or of the boot stack). */
bool kernel_stack_is_guard(uintptr_t address);
