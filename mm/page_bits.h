/*
 * mm/page_bits.h - the processor's page-table entry bits (SDM vol. 3, 4.5). Only page_*.c (user
 * half) and kernel_map.c (kernel half) include this, and the checking build's kernel/mem_test.c.
 */
#pragma once

#include <kernel/base/types.h>

#define PAGE_PRESENT (1ull << 0)
#define PAGE_WRITABLE (1ull << 1)
#define PAGE_USER (1ull << 2)
#define PAGE_UNCACHED (3ull << 3) /* PWT and PCD */
#define PAGE_ACCESSED (1ull << 5)
#define PAGE_LARGE (1ull << 7)
#define PAGE_GLOBAL (1ull << 8)
#define PAGE_NX (1ull << 63)
#define PAGE_FRAME_MASK 0x000ffffffffff000ull
/* Bits 9 to 11 are ours. */
#define PAGE_DEVICE (1ull << 9) /* present, no struct frame behind it */
#define PAGE_HELD (1ull << 10)  /* not present, but keeping its frame (PROT_NONE) */
#define PAGE_ANON (1ull << 11)  /* of an ANON frame, held ones too: no look at it needed */

#define PAGE_TABLE_ENTRIES 512u

/* Which entry of a table of `level` (1 = leaf, 4 = root) an address goes through. */
static inline unsigned page_table_slot(uintptr_t address, unsigned level)
{
	return address >> (PAGE_SHIFT + 9 * (level - 1)) & (PAGE_TABLE_ENTRIES - 1);
}
