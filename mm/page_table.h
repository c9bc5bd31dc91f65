/*
 * mm/page_table.h - the user half's page tables: the only code that knows their bits.
 *
 * A table is a counted frame of kind TABLE; its spinlock guards its 512 entries, its `index`
 * counts those that are not empty. Tables are made on the way down and freed when no zone needs
 * them; whoever walks holds the space's lock, or the zones_lock of an object one of whose
 * zones lies there, so they do not go away.
 *
 * An entry is one of: empty; present; held (not present, keeping an ANON frame: PROT_NONE);
 * device (present, no struct frame).
 */
#pragma once

#include <mm/frame.h>
#include <mm/mem_object.h>
#include <mm/mem_space.h>

#define PAGE_LEAF_SPAN (512 * PAGE_SIZE) /* bytes that one leaf table maps */

enum page_entry_kind { ENTRY_EMPTY, ENTRY_PRESENT, ENTRY_HELD, ENTRY_DEVICE };

struct page_entry {
	enum page_entry_kind kind;
	struct frame *frame; /* PRESENT and HELD */
	bool writable, executable;
	bool accessed; /* the processor used it since it was made or its rights changed */
};

/* One entry of a leaf table whose lock is held. */
struct page_slot {
	struct mem_space *space;
	uintptr_t address;
	struct frame *table;
	uint64_t *entry;
};

/* A root with an empty user half: 0 or -ENOMEM. */
must_check int page_table_create(struct mem_space *space);
/* The root goes. It is empty: the other tables went with the zones they were for. */
void page_table_destroy(struct mem_space *space);

/*
 * Finds the entry of `address`, making tables as needed, and locks its leaf. has_object: the
 * zone has an object (marks the tables, invariant 4). 0 or -ENOMEM.
 */
must_check int page_slot_lock(struct mem_space *space, uintptr_t address, bool has_object,
			      struct page_slot *slot);
/* The same where the tables exist; false otherwise. */
must_check bool page_slot_lock_existing(struct mem_space *space, uintptr_t address,
					struct page_slot *slot);
static inline void page_slot_unlock(struct page_slot *slot) NO_THREAD_SAFETY_ANALYSIS
{
	spin_unlock(&slot->table->lock);
}

/* How many entries there are behind this one in the same table. */
static inline unsigned page_slots_behind(const struct page_slot *slot)
{
	return (unsigned)((PAGE_LEAF_SPAN - 1 - slot->address % PAGE_LEAF_SPAN) >> PAGE_SHIFT);
}

/* To the next page's entry, in the same table. */
static inline void page_slot_advance(struct page_slot *slot)
{
	slot->address += PAGE_SIZE;
	slot->entry++;
}

static inline bool page_slot_is_empty(const struct page_slot *slot)
{
	return *slot->entry == 0;
}
struct page_entry page_slot_read(const struct page_slot *slot);
/*
 * Fills an empty entry. The entry takes over one reference of the caller's on `frame`. `prot`
 * is the zone's (execution); `writable` must mean invariant 2 or 5 holds.
 */
void page_slot_install(struct page_slot *slot, struct frame *frame, uint32_t prot, bool writable);
/* Fills an empty entry of a PROT_NONE zone: not present, but keeping the ANON frame. */
void page_slot_install_held(struct page_slot *slot, struct frame *frame);
void page_slot_install_device(struct page_slot *slot, const struct device_page *page,
			      uint32_t prot);
/* Empties a present entry and flushes it everywhere; its reference becomes the caller's. */
struct frame *page_slot_remove(struct page_slot *slot);
/* Sets the writable bit of a present entry (the caller has proven exclusivity). */
void page_slot_make_writable(struct page_slot *slot);

enum clear_what {
	CLEAR_ALL,           /* no fault can fill an entry again before this is done */
	CLEAR_OBJECT_PAGES,  /* nor here; keep private copies */
	CLEAR_BESIDE_FAULTS, /* all, but one can: no new page is seen beside an old one */
};
/*
 * Empties [beg, end): flushes once per batch, or beside faults before each leaf is unlocked; then
 * drops the frames.
 */
void page_table_clear_range(struct mem_space *space, uintptr_t beg, uintptr_t end,
			    enum clear_what what);
/*
 * The same where no zone is any more, with the tables that then map nothing but free space: those
 * within [low, high), which has no zone. One flush for all. The space is locked for writing.
 */
void page_table_unmap_range(struct mem_space *space, uintptr_t beg, uintptr_t end, uintptr_t low,
			    uintptr_t high);
/*
 * A zone's protection became `prot`. Rights that went are taken away and flushed; none is given
 * but reading and executing: the next fault gives writing. PROT_NONE: private pages are held.
 */
void page_table_protect_range(struct mem_space *space, uintptr_t beg, uintptr_t end, uint32_t prot);
/*
 * fork: private pages of [beg, end) become read-only in `from` and appear read-only in `to`. The
 * caller flushes `from` afterwards. Pages of objects are left out: they fault back in. 0 or
 * -ENOMEM.
 */
must_check int page_table_fork_range(struct mem_space *from, struct mem_space *to, uintptr_t beg,
				     uintptr_t end, bool has_object);
/*
 * mremap: moves the entries of [from, from + length) to `to`. 0 or -ENOMEM (some may have moved).
 */
must_check int page_table_move_range(struct mem_space *space, uintptr_t from, uintptr_t to,
				     size_t length, bool has_object);
/* Write-back: if `address` maps `frame` writable, makes it read-only and flushes. */
void page_table_clean_page(struct mem_space *space, uintptr_t address, const struct frame *frame);

/*
 * Calls `visitor` for every table and entry: the checker's walk (mm/check.c). The space is locked
 * for writing; a leaf is locked while its entries and then itself are visited.
 */
struct table_place {
	unsigned level;
	unsigned used; /* entries */
	bool writable; /* the entry that leads to it gives all rights; true for the root */
};
struct page_table_visitor {
	void (*entry)(struct page_table_visitor *visitor, uintptr_t address,
		      struct page_entry entry);
	void (*table)(struct page_table_visitor *visitor, uintptr_t address, struct frame *table,
		      struct table_place place);
};
void page_table_visit(struct mem_space *space, struct page_table_visitor *visitor);
/*
 * The frame of each entry of all levels that has one, but for devices' pages. No lock is taken: all
 * other processors are stopped, outside spinlocks.
 */
void page_table_each_frame(const struct mem_space *space, void (*visit)(struct frame *frame));
/* visitor->entry for the entries of [beg, end) that are not empty, each leaf locked meanwhile. */
void page_table_visit_range(struct mem_space *space, uintptr_t beg, uintptr_t end,
			    struct page_table_visitor *visitor);

/*
 * mm/tlb.c: forgets translations of [beg, end) on every processor that has the space loaded; when
 * it returns, they have. The caller keeps the space from going away. Any spinlock that interrupt
 * handlers do not take may be held.
 */
void tlb_flush_range(struct mem_space *space, uintptr_t beg, uintptr_t end);
/* The same of the kernel's own addresses, on every processor. */
void tlb_flush_kernel(uintptr_t beg, uintptr_t end);
