/*
 * mm/page_table.c - the user half's page tables (mm/page_table.h has the story): tables made,
 * and one entry at a time.
 *
 * Called by fault.c (one slot at a time) and mem_space.c (roots).
 *
 * Locks: a table's entries are changed under its own lock; parent before child. The walk down
 * reads upper entries without locks: they only ever go from empty to present while anyone may
 * walk, and back only when the space is locked for writing and no zone lies below.
 *
 * Not here: which page to map (fault.c), ranges and freeing tables (page_range.c), looking at
 * everything (page_visit.c), the kernel half (kernel_map.c), flushing (tlb.c).
 */
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <mm/check.h>
#include <mm/kernel_map.h>
#include <mm/page_walk.h>

static struct frame *table_create(void)
{
	struct frame *table = frame_alloc_zeroed(FRAME_TABLE);

	if (table) {
		spin_init(&table->lock, RANK_PAGE_TABLE);
		table->index = 0;
	}
	return table;
}

int page_table_create(struct mem_space *space)
{
	struct frame *root = table_create();

	if (!root)
		return -ENOMEM;
	kernel_map_copy_upper_half(frame_virt(root));
	space->root = frame_phys(root);
	mem_check_space_begin(space);
	atomic_fetch_add(&space->table_pages, 1);
	return 0;
}

void page_table_destroy(struct mem_space *space)
{
	struct frame *root = phys_to_frame(space->root);

	kassert(root->index == 0);
	mem_check_space_end(space);
	frame_put(root);
	atomic_fetch_sub(&space->table_pages, 1);
}

/* ---- walking ---- */

static struct frame *table_add(struct mem_space *space, struct frame *parent, uint64_t *entry)
{
	struct frame *table = table_create();

	if (!table)
		return NULL;
	spin_lock(&parent->lock);
	if (*entry & PAGE_PRESENT) { /* another thread was faster */
		spin_unlock(&parent->lock);
		frame_put(table);
		return entry_frame(*entry);
	}
	parent->index++;
	entry_store(entry, frame_phys(table) | TABLE_RIGHTS);
	mem_check_hold(table, -1);
	spin_unlock(&parent->lock);
	atomic_fetch_add(&space->table_pages, 1);
	return table;
}

static void mark_has_object(struct frame *table)
{
	if (!(frame_state(table) & FRAME_HAS_OBJECT))
		atomic_fetch_or(&table->state, FRAME_HAS_OBJECT);
}

static void slot_set(struct page_slot *slot, struct mem_space *space, uintptr_t address,
		     struct frame *leaf)
{
	slot->space = space;
	slot->address = PAGE_ALIGN_DOWN(address);
	slot->table = leaf;
	slot->entry = leaf_entry(leaf, address);
}

/*
 * The same, missing tables made and, for an object's zone, all marked, from the root down. NULL: no
 * memory.
 */
static __attribute__((noinline)) struct frame *leaf_make(struct mem_space *space, uintptr_t address,
							 bool has_object)
{
	struct frame *table = phys_to_frame(space->root);

	for (unsigned level = LEVEL_ROOT; level > LEVEL_LEAF && table; level--) {
		uint64_t *entry = &table_entries(table)[page_table_slot(address, level)];
		uint64_t value = entry_load(entry);

		if (has_object)
			mark_has_object(table);
		table = value & PAGE_PRESENT ? entry_frame(value) : table_add(space, table, entry);
	}
	if (table && has_object)
		mark_has_object(table);
	return table;
}

int page_slot_lock(struct mem_space *space, uintptr_t address, bool has_object,
		   struct page_slot *slot) NO_THREAD_SAFETY_ANALYSIS
{
	uint64_t span;
	struct frame *leaf = leaf_find(space, address, &span);

	if (unlikely(!leaf || (has_object && !(frame_state(leaf) & FRAME_HAS_OBJECT))))
		leaf = leaf_make(space, address, has_object);
	if (!leaf)
		return -ENOMEM;
	slot_set(slot, space, address, leaf);
	spin_lock(&leaf->lock);
	return 0;
}

bool page_slot_lock_existing(struct mem_space *space, uintptr_t address, struct page_slot *slot)
	NO_THREAD_SAFETY_ANALYSIS
{
	uint64_t span;
	struct frame *leaf = leaf_find(space, address, &span);

	if (!leaf)
		return false;
	slot_set(slot, space, address, leaf);
	spin_lock(&leaf->lock);
	return true;
}

/* ---- one entry ---- */

struct page_entry page_slot_read(const struct page_slot *slot)
{
	return entry_decode(*slot->entry);
}

/* Resident pages, as /proc shows them; the zero frame is nobody's. `state` is the frame's. */
static inline void count_resident(struct mem_space *space, uint32_t state, int64_t change)
{
	if ((state & FRAME_KIND_MASK) == FRAME_ANON)
		atomic_fetch_add_explicit(&space->anon_pages, (uint64_t)change,
					  memory_order_relaxed);
	if ((state & FRAME_KIND_MASK) != FRAME_CACHE)
		return;
	atomic_fetch_add_explicit(&space->file_pages, (uint64_t)change, memory_order_relaxed);
	if (state & FRAME_SHMEM)
		atomic_fetch_add_explicit(&space->shmem_pages, (uint64_t)change,
					  memory_order_relaxed);
}

static inline void entry_fill(struct page_slot *slot, struct frame *frame, uint64_t bits)
{
	uint32_t state = frame_state(frame);

	kcheck(*slot->entry == 0);
	slot->table->index++;
	count_resident(slot->space, state, 1);
	if ((state & FRAME_KIND_MASK) == FRAME_ANON)
		bits |= PAGE_ANON;
	entry_store(slot->entry, frame_phys(frame) | bits);
	mem_check_hold(frame, -1);
}

void page_slot_install(struct page_slot *slot, struct frame *frame, uint32_t prot, bool writable)
{
	kcheck(!writable || frame_kind(frame) != FRAME_ZERO);
	entry_fill(slot, frame, entry_rights(prot) | (writable ? PAGE_WRITABLE : 0));
}

void page_slot_install_held(struct page_slot *slot, struct frame *frame)
{
	kcheck(frame_kind(frame) == FRAME_ANON);
	entry_fill(slot, frame, PAGE_HELD);
}

void page_slot_install_device(struct page_slot *slot, const struct device_page *page, uint32_t prot)
{
	kcheck(*slot->entry == 0);
	slot->table->index++;
	entry_store(slot->entry, page->phys | entry_rights(prot) | PAGE_DEVICE |
					 (prot & PROT_WRITE ? PAGE_WRITABLE : 0) |
					 (page->uncached ? PAGE_UNCACHED : 0));
}

struct frame *page_slot_remove(struct page_slot *slot)
{
	uint64_t value = *slot->entry;
	struct frame *frame = value & PAGE_DEVICE ? NULL : entry_frame(value);

	slot->table->index--;
	entry_store(slot->entry, 0);
	if (frame) {
		count_resident(slot->space, frame_state(frame), -1);
		mem_check_hold(frame, 1);
	}
	tlb_flush_range(slot->space, slot->address, slot->address + PAGE_SIZE);
	return frame;
}

void page_slot_make_writable(struct page_slot *slot)
{
	entry_store(slot->entry, *slot->entry | PAGE_WRITABLE);
}

void page_table_clean_page(struct mem_space *space, uintptr_t address, const struct frame *frame)
{
	struct page_slot slot;

	if (!page_slot_lock_existing(space, address, &slot))
		return;
	if ((*slot.entry & (PAGE_PRESENT | PAGE_WRITABLE | PAGE_DEVICE)) ==
		    (PAGE_PRESENT | PAGE_WRITABLE) &&
	    entry_frame(*slot.entry) == frame) {
		entry_store(slot.entry, *slot.entry & ~PAGE_WRITABLE);
		tlb_flush_range(space, slot.address, slot.address + PAGE_SIZE);
	}
	page_slot_unlock(&slot);
}
