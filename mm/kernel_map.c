/*
 * mm/kernel_map.c - builds and edits the kernel half's page tables.
 *
 * Called by kernel_main once (kernel_map_init), then for kernel stacks and device registers. User
 * tables are page_table.c's. Entry bits: SDM vol. 3, 4.5.
 *
 * Locks: kernel_map_lock guards the range above KERNEL_MAP_BASE. It is held across the flushes of
 * unmapped stacks, whose frames are reused only after all processors have forgotten them.
 */
#include <boot/boot_info.h>
#include <kernel/base/lock.h>
#include <kernel/base/panic.h>
#include <kernel/cpu.h>
#include <kernel/task.h>
#include <mm/check.h>
#include <mm/frame.h>
#include <mm/kernel_map.h>
#include <mm/page_bits.h>
#include <mm/page_table.h>
#include <string.h>

#define LARGE_PAGE_SIZE (2ul << 20)
#define GIGABYTE (1ul << 30)
#define EARLY_LIMIT (4 * GIGABYTE) /* what the boot tables reach */

phys_t kernel_root;

/* ---- early: tables come from the end of a free range of RAM below 4 GiB ---- */

static struct memory_range early; /* [beg, end): taken so far; it grows downwards */

static bool overlaps(const struct memory_range *a, phys_t beg, phys_t end)
{
	return a->beg < end && beg < a->end;
}

/* What lies in the way of `range`: the image (at = 0) or a module. */
static const struct memory_range *obstacle(const struct memory_range *image, size_t at)
{
	return at == 0 ? image : &boot_info.modules[at - 1];
}

/* Keeps in *best the largest part of `range` that obstacles from `at` on leave free. */
static void early_consider(struct memory_range range, const struct memory_range *image, size_t at,
			   struct memory_range *best)
{
	for (; at <= boot_info.module_count; at++) {
		const struct memory_range *block = obstacle(image, at);

		if (!overlaps(block, range.beg, range.end))
			continue;
		if (block->beg > range.beg)
			early_consider(
				(struct memory_range){range.beg, PAGE_ALIGN_DOWN(block->beg)},
				image, at + 1, best);
		range.beg = MIN(PAGE_ALIGN_UP(block->end), range.end);
	}
	if (range.end > range.beg && range.end - range.beg > best->end - best->beg)
		*best = range;
}

/* The largest free range below 4 GiB. */
static void early_find(void)
{
	const struct memory_range image = {(phys_t)boot_begin, image_phys(kernel_data_end)};
	struct memory_range best = {0};

	for (size_t i = 0; i < boot_info.usable_count; i++) {
		struct memory_range range = {
			PAGE_ALIGN_UP(boot_info.usable[i].beg),
			PAGE_ALIGN_DOWN(MIN(boot_info.usable[i].end, EARLY_LIMIT))};

		early_consider(range, &image, 0, &best);
	}
	early = (struct memory_range){best.end, best.end};
	if (best.end - best.beg < GIGABYTE / 512)
		panic("no room for page tables below 4 GiB");
}

static uint64_t *early_table(void)
{
	early.beg -= PAGE_SIZE;
	return memset(phys_to_virt(early.beg), 0, PAGE_SIZE);
}

static uint64_t *table_below(uint64_t *entry, uint64_t *(*allocate)(void))
{
	if (!(*entry & PAGE_PRESENT)) {
		uint64_t *table = allocate();

		if (!table)
			return NULL;
		*entry = virt_to_phys(table) | PAGE_PRESENT | PAGE_WRITABLE;
	}
	return phys_to_virt(*entry & PAGE_FRAME_MASK);
}

/* The entry for `address` in the table of `level` (1 = 4 KiB pages), tables made on the way. */
static uint64_t *entry_of(uintptr_t address, unsigned level, uint64_t *(*allocate)(void))
{
	uint64_t *table = phys_to_virt(kernel_root);

	for (unsigned l = 4; l > level && table; l--)
		table = table_below(&table[page_table_slot(address, l)], allocate);
	return table ? &table[page_table_slot(address, level)] : NULL;
}

static void map_direct(void)
{
	phys_t end = 0;
	unsigned level = cpu_features.gigabyte_pages ? 3 : 2;
	uint64_t step = cpu_features.gigabyte_pages ? GIGABYTE : LARGE_PAGE_SIZE;

	for (size_t i = 0; i < boot_info.usable_count; i++)
		end = MAX(end, boot_info.usable[i].end);
	/* The firmware's tables lie below 4 GiB, often above the RAM it reports. */
	end = MAX(end, EARLY_LIMIT);
	for (phys_t phys = 0; phys < end; phys += step)
		*entry_of(DIRECT_MAP_BASE + phys, level, early_table) =
			phys | PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE | PAGE_NX | PAGE_GLOBAL;
}

static void map_image(const char *beg, const char *end, uint64_t rights)
{
	for (const char *p = beg; p < end; p += PAGE_SIZE)
		*entry_of((uintptr_t)p, 1, early_table) = image_phys(p) | PAGE_PRESENT | rights;
}

struct memory_range kernel_map_init(void)
{
	early_find();
	kernel_root = virt_to_phys(early_table());
	map_direct();
	map_image(kernel_text_begin, kernel_text_end, 0);
	map_image(kernel_rodata_begin, kernel_rodata_end, PAGE_NX);
	map_image(kernel_data_begin, kernel_data_end, PAGE_WRITABLE | PAGE_NX);
	*entry_of((uintptr_t)boot_stack_guard, 1, early_table) = 0;
	/* Every root shares this table, so it must exist before the first root is copied. */
	(void)entry_of(KERNEL_MAP_BASE, 3, early_table);
	cr3_write(kernel_root);
	return early;
}

void kernel_map_copy_upper_half(void *root)
{
	memcpy((uint64_t *)root + 256, (uint64_t *)phys_to_virt(kernel_root) + 256, PAGE_SIZE / 2);
}

phys_t kernel_map_start_tables(phys_t where)
{
	uint64_t *root = memset(phys_to_virt(where), 0, 3 * PAGE_SIZE);
	uint64_t *pointers = root + PAGE_TABLE_ENTRIES, *directory = pointers + PAGE_TABLE_ENTRIES;

	kernel_map_copy_upper_half(root);
	root[0] = virt_to_phys(pointers) | PAGE_PRESENT | PAGE_WRITABLE;
	pointers[0] = virt_to_phys(directory) | PAGE_PRESENT | PAGE_WRITABLE;
	directory[0] = PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE;
	return where;
}

/* ---- later: stacks and devices ---- */

static struct spinlock kernel_map_lock = SPINLOCK_INIT(RANK_KERNEL_MAP);

/*
 * Stack slots come first, devices above them. The lower half of a slot is the guard. A word of
 * stack_slots_used is the slots of one page table, which goes when the last of them is given back.
 */
#define STACK_SLOT_SIZE (2 * KERNEL_STACK_SIZE)
_Static_assert(64 * STACK_SLOT_SIZE == LARGE_PAGE_SIZE, "one page table maps 64 slots");
#define STACK_SLOTS 32768ul
#define STACK_PAGES (KERNEL_STACK_SIZE / PAGE_SIZE)
#define STACKS_END (KERNEL_MAP_BASE + STACK_SLOTS * STACK_SLOT_SIZE)
/*
 * Free stacks kept mapped, so that fork and exit need no flush. When there are too many, half of
 * them go with one flush: each flush of the kernel half interrupts every processor.
 */
#define STACK_CACHE_MAX 32u
#define STACK_CACHE_BATCH 16u

static uint64_t stack_slots_used[STACK_SLOTS / 64] GUARDED_BY(kernel_map_lock);
static unsigned stack_slot_hint GUARDED_BY(kernel_map_lock);
static uintptr_t stack_cache[STACK_CACHE_MAX] GUARDED_BY(kernel_map_lock);
static unsigned stack_cache_count GUARDED_BY(kernel_map_lock);
static uintptr_t device_next GUARDED_BY(kernel_map_lock) = STACKS_END;

static uint64_t *late_table(void)
{
	struct frame *frame = frame_alloc_zeroed(FRAME_KERNEL);

	return frame ? frame_virt(frame) : NULL;
}

void *kernel_map_device(phys_t phys, size_t size)
{
	phys_t beg = PAGE_ALIGN_DOWN(phys), end = PAGE_ALIGN_UP(phys + size);
	uintptr_t virt;

	spin_lock(&kernel_map_lock);
	virt = device_next;
	for (phys_t p = beg; p < end; p += PAGE_SIZE, device_next += PAGE_SIZE) {
		uint64_t *entry = entry_of(device_next, 1, late_table);

		if (!entry)
			panic("no memory to map a device");
		*entry = p | PAGE_PRESENT | PAGE_WRITABLE | PAGE_NX | PAGE_UNCACHED;
	}
	spin_unlock(&kernel_map_lock);
	return (void *)(virt + (phys - beg));
}

/* Its entries no longer map, but keep their frames' addresses. The caller flushes, then frees. */
static void stack_unmap(uintptr_t stack, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		*entry_of(stack + i * PAGE_SIZE, 1, late_table) &= ~PAGE_PRESENT;
}

static void stack_free_frames(uintptr_t stack, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++) {
		uint64_t *entry = entry_of(stack + i * PAGE_SIZE, 1, late_table);
		struct frame *frame = phys_to_frame(*entry & PAGE_FRAME_MASK);

		*entry = 0;
		frame_put(frame);
	}
}

static bool stack_map(uintptr_t stack)
{
	for (unsigned i = 0; i < STACK_PAGES; i++) {
		uint64_t *entry = entry_of(stack + i * PAGE_SIZE, 1, late_table);
		struct frame *frame = entry ? frame_alloc(FRAME_KERNEL) : NULL;

		if (!frame) {
			stack_unmap(stack, i);
			tlb_flush_kernel(stack, stack + i * PAGE_SIZE);
			stack_free_frames(stack, i);
			return false;
		}
		*entry = frame_phys(frame) | PAGE_PRESENT | PAGE_WRITABLE | PAGE_NX;
	}
	return true;
}

static long stack_slot_take(void) REQUIRES(kernel_map_lock)
{
	for (unsigned n = 0; n < ARRAY_SIZE(stack_slots_used); n++) {
		unsigned word = (stack_slot_hint + n) % ARRAY_SIZE(stack_slots_used);

		if (stack_slots_used[word] != ~0ull) {
			unsigned bit = (unsigned)__builtin_ctzll(~stack_slots_used[word]);

			stack_slots_used[word] |= 1ull << bit;
			stack_slot_hint = word;
			return word * 64l + bit;
		}
	}
	return -1;
}

/* Nothing is mapped by the table of `address`, if there is one: its frame is freed. */
static void stack_table_free(uintptr_t address) REQUIRES(kernel_map_lock)
{
	uint64_t *entry = entry_of(address, 2, late_table);
	phys_t table;

	if (!entry || !(*entry & PAGE_PRESENT))
		return;
	table = *entry & PAGE_FRAME_MASK;
	*entry = 0;
	/* Any flush makes a processor forget where tables are (SDM vol. 3, 4.10.4.1). */
	tlb_flush_kernel(address, address + PAGE_SIZE);
	frame_put(phys_to_frame(table));
}

static void stack_slot_give(uintptr_t stack) REQUIRES(kernel_map_lock)
{
	uintptr_t slot = (stack - KERNEL_MAP_BASE) / STACK_SLOT_SIZE;

	stack_slots_used[slot / 64] &= ~(1ull << slot % 64);
	/* Low slots first: few tables serve for all. */
	stack_slot_hint = MIN(stack_slot_hint, (unsigned)(slot / 64));
	if (!stack_slots_used[slot / 64])
		stack_table_free(stack);
}

/*
 * Gives back the `count` stacks that were freed longest ago: no processor may use a translation
 * of theirs when their frames become something else.
 */
static void stack_cache_drain(unsigned count) REQUIRES(kernel_map_lock)
{
	uintptr_t beg = UINTPTR_MAX, end = 0;

	if (count == 0)
		return;
	for (unsigned i = 0; i < count; i++) {
		stack_unmap(stack_cache[i], STACK_PAGES);
		beg = MIN(beg, stack_cache[i]);
		end = MAX(end, stack_cache[i] + KERNEL_STACK_SIZE);
	}
	tlb_flush_kernel(beg, end);
	for (unsigned i = 0; i < count; i++) {
		stack_free_frames(stack_cache[i], STACK_PAGES);
		stack_slot_give(stack_cache[i]);
	}
	stack_cache_count -= count;
	memmove(stack_cache, stack_cache + count, stack_cache_count * sizeof(stack_cache[0]));
}

uintptr_t kernel_stack_alloc(void)
{
	uintptr_t stack = 0;

	spin_lock(&kernel_map_lock);
	if (stack_cache_count > 0) {
		stack = stack_cache[--stack_cache_count];
	} else {
		long slot = stack_slot_take();

		if (slot >= 0) {
			stack = KERNEL_MAP_BASE + (uintptr_t)slot * STACK_SLOT_SIZE +
				KERNEL_STACK_SIZE;
			if (!stack_map(stack)) {
				stack_slot_give(stack);
				stack = 0;
			}
		}
	}
	spin_unlock(&kernel_map_lock);
	return stack;
}

void kernel_stack_free(uintptr_t stack)
{
	spin_lock(&kernel_map_lock);
	if (stack_cache_count == STACK_CACHE_MAX)
		stack_cache_drain(STACK_CACHE_BATCH);
	stack_cache[stack_cache_count++] = stack;
	spin_unlock(&kernel_map_lock);
}

void kernel_stacks_trim(void)
{
	spin_lock(&kernel_map_lock);
	stack_cache_drain(stack_cache_count);
	spin_unlock(&kernel_map_lock);
}

/* ---- what must hold ---- */

bool kernel_map_is_in(const void *root)
{
	return memcmp((const uint64_t *)root + 256, (uint64_t *)phys_to_virt(kernel_root) + 256,
		      PAGE_SIZE / 2) == 0;
}

#ifdef STOS_CHECK
/* Rights as the processor sees them: each level may take some away (SDM vol. 3, 4.6). */
static uint64_t rights_below(uint64_t rights, uint64_t entry)
{
	return (rights & entry & (PAGE_WRITABLE | PAGE_USER)) | ((rights | entry) & PAGE_NX);
}

static void check_table(const uint64_t *table, unsigned level, uintptr_t base, uint64_t rights)
{
	for (unsigned i = level == 4 ? 256 : 0; i < PAGE_TABLE_ENTRIES; i++) {
		uintptr_t address = base + ((uintptr_t)i << (PAGE_SHIFT + 9 * (level - 1)));
		uint64_t below = rights_below(rights, table[i]);

		if (!(table[i] & PAGE_PRESENT))
			continue;
		if (level > 1 && !(table[i] & PAGE_LARGE)) {
			check_table(phys_to_virt(table[i] & PAGE_FRAME_MASK), level - 1, address,
				    below);
			continue;
		}
		if ((below & PAGE_WRITABLE) && !(below & PAGE_NX))
			mem_check_failed("%#lx of the kernel is writable and executable", address);
		if (below & PAGE_USER)
			mem_check_failed("%#lx of the kernel is open to user mode", address);
	}
}

/* The lock keeps stacks' tables in place; everything else is mapped for good. */
void kernel_map_check(void)
{
	spin_lock(&kernel_map_lock);
	check_table(phys_to_virt(kernel_root), 4, 0xffff000000000000ul, PAGE_WRITABLE | PAGE_USER);
	spin_unlock(&kernel_map_lock);
}
#endif

bool kernel_stack_is_guard(uintptr_t address)
{
	if (address >= KERNEL_MAP_BASE && address < STACKS_END)
		return (address - KERNEL_MAP_BASE) % STACK_SLOT_SIZE < KERNEL_STACK_SIZE;
	return address >= (uintptr_t)boot_stack_guard && address < (uintptr_t)boot_stack;
}
