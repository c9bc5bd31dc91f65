/*
 * mm/page_table.c - the user half's page tables (mm/page_table.h has the story).
 *
 * Called by fault.c (one slot at a time), by mem_map.c and mem_object.c (ranges) and fork.
 *
 * Locks: a table's entries are changed under its own lock; parent before child. The walk down
 * reads upper entries without locks: they only ever go from empty to present while anyone may
 * walk, and back only when the space is locked for writing and no zone lies below.
 *
 * Not here: which page to map (fault.c), the kernel half (kernel_map.c), flushing (tlb.c).
 */
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <linux/mman.h>
#include <mm/kernel_map.h>
#include <mm/page_bits.h>
#include <mm/page_table.h>
#include <string.h>

#define LEVEL_ROOT 4
#define LEVEL_LEAF 1
#define USER_HALF_END PAGE_ALIGN_UP(USER_SPACE_END + 1)
#define TABLE_RIGHTS (PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER)

static uint64_t *table_entries(struct frame *table)
{
	return frame_virt(table);
}

static struct frame *entry_frame(uint64_t entry)
{
	return phys_to_frame(entry & PAGE_FRAME_MASK);
}

static uint64_t entry_load(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

static void entry_store(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

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
	atomic_fetch_add(&space->table_pages, 1);
	return 0;
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
	spin_unlock(&parent->lock);
	atomic_fetch_add(&space->table_pages, 1);
	return table;
}

static void mark_has_object(struct frame *table)
{
	if (!(frame_state(table) & FRAME_HAS_OBJECT))
		atomic_fetch_or(&table->state, FRAME_HAS_OBJECT);
}

static void slot_set(struct page_slot *slot, struct mem_space *space, uintptr_t address, struct frame *leaf)
{
	slot->space = space;
	slot->address = PAGE_ALIGN_DOWN(address);
	slot->table = leaf;
	slot->entry = &table_entries(leaf)[page_table_slot(address, LEVEL_LEAF)];
}

/*
 * The leaf table of `address` in an existing tree, or NULL; then *skip is the span below the
 * missing table, so that a walk of a sparse range costs what is there.
 */
static inline struct frame *leaf_find(struct mem_space *space, uintptr_t address, uint64_t *skip)
{
	uint64_t value = space->root;

#pragma GCC unroll 3
	for (unsigned level = LEVEL_ROOT; level > LEVEL_LEAF; level--) {
		const uint64_t *entries = phys_to_virt(value & PAGE_FRAME_MASK);

		value = entry_load(&entries[page_table_slot(address, level)]);
		if (unlikely(!(value & PAGE_PRESENT))) {
			*skip = 1ull << (PAGE_SHIFT + 9 * (level - 1));
			return NULL;
		}
	}
	*skip = PAGE_LEAF_SPAN;
	return entry_frame(value);
}

/* The same, missing tables made and, for an object's zone, all marked, from the root down. NULL: no memory. */
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

int page_slot_lock(struct mem_space *space, uintptr_t address, bool has_object, struct page_slot *slot)
	NO_THREAD_SAFETY_ANALYSIS
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

void page_slot_unlock(struct page_slot *slot) NO_THREAD_SAFETY_ANALYSIS
{
	spin_unlock(&slot->table->lock);
}

bool page_slot_advance(struct page_slot *slot)
{
	if (page_table_slot(slot->address, LEVEL_LEAF) == PAGE_TABLE_ENTRIES - 1)
		return false;
	slot->address += PAGE_SIZE;
	slot->entry++;
	return true;
}

/* ---- one entry ---- */

static struct page_entry entry_decode(uint64_t value)
{
	struct page_entry entry = {.kind = ENTRY_EMPTY};

	if (value & PAGE_HELD)
		entry.kind = ENTRY_HELD;
	else if (value & PAGE_DEVICE)
		entry.kind = ENTRY_DEVICE;
	else if (value & PAGE_PRESENT)
		entry.kind = ENTRY_PRESENT;
	else
		return entry;
	if (entry.kind != ENTRY_DEVICE)
		entry.frame = entry_frame(value);
	entry.writable = value & PAGE_WRITABLE;
	entry.executable = !(value & PAGE_NX);
	entry.accessed = value & PAGE_ACCESSED;
	return entry;
}

struct page_entry page_slot_read(const struct page_slot *slot)
{
	return entry_decode(*slot->entry);
}

/* Resident pages, as /proc shows them; the zero frame is nobody's. */
static void count_resident(struct mem_space *space, const struct frame *frame, int64_t change)
{
	enum frame_kind kind = frame_kind(frame);

	if (kind == FRAME_ANON)
		atomic_fetch_add_explicit(&space->anon_pages, (uint64_t)change, memory_order_relaxed);
	if (kind != FRAME_CACHE)
		return;
	atomic_fetch_add_explicit(&space->file_pages, (uint64_t)change, memory_order_relaxed);
	if (frame_state(frame) & FRAME_SHMEM)
		atomic_fetch_add_explicit(&space->shmem_pages, (uint64_t)change, memory_order_relaxed);
}

static uint64_t rights_of(uint32_t prot)
{
	return PAGE_PRESENT | PAGE_USER | (prot & PROT_EXEC ? 0 : PAGE_NX);
}

void page_slot_install(struct page_slot *slot, struct frame *frame, uint32_t prot, bool writable)
{
	kcheck(*slot->entry == 0);
	kcheck(!writable || frame_kind(frame) != FRAME_ZERO);
	slot->table->index++;
	count_resident(slot->space, frame, 1);
	entry_store(slot->entry, frame_phys(frame) | rights_of(prot) | (writable ? PAGE_WRITABLE : 0));
}

void page_slot_install_held(struct page_slot *slot, struct frame *frame)
{
	kcheck(*slot->entry == 0 && frame_kind(frame) == FRAME_ANON);
	slot->table->index++;
	count_resident(slot->space, frame, 1);
	entry_store(slot->entry, frame_phys(frame) | PAGE_HELD);
}

void page_slot_install_device(struct page_slot *slot, const struct device_page *page, uint32_t prot)
{
	kcheck(*slot->entry == 0);
	slot->table->index++;
	entry_store(slot->entry, page->phys | rights_of(prot) | PAGE_DEVICE |
					 (prot & PROT_WRITE ? PAGE_WRITABLE : 0) |
					 (page->uncached ? PAGE_UNCACHED : 0));
}

/*
 * A writable entry of a cache page went away: whoever wrote through it must not be forgotten, even
 * if write-back cleaned the frame without seeing this entry's zone any more (munmap takes the zone
 * off the object's list first).
 */
static void keep_dirty(struct frame *frame)
{
	if (frame_kind(frame) == FRAME_CACHE && !(frame_state(frame) & FRAME_DIRTY))
		atomic_fetch_or(&frame->state, FRAME_DIRTY);
}

/* Empties an entry without flushing; the reference is the caller's. NULL for a device's. */
static struct frame *entry_take(struct mem_space *space, struct frame *table, uint64_t *entry)
{
	uint64_t value = *entry;
	struct frame *frame;

	table->index--;
	entry_store(entry, 0);
	if (value & PAGE_DEVICE)
		return NULL;
	frame = entry_frame(value);
	count_resident(space, frame, -1);
	return frame;
}

struct frame *page_slot_remove(struct page_slot *slot)
{
	struct frame *frame = entry_take(slot->space, slot->table, slot->entry);

	tlb_flush_range(slot->space, slot->address, slot->address + PAGE_SIZE);
	return frame;
}

void page_slot_make_writable(struct page_slot *slot)
{
	entry_store(slot->entry, *slot->entry | PAGE_WRITABLE);
}

/* ---- ranges ---- */

/*
 * What was taken out of the tables and is kept until no processor can use it any more: frames
 * whose entries are gone, and tables. [beg, end) is what has changed since the last flush.
 *
 * A processor that still knows a writable entry of a cache page may store through it until the
 * flush. So such a page becomes DIRTY after that: were it DIRTY before, write-back could clean and
 * copy it in between, finding no entry, and the store would be forgotten.
 */
#define GATHER_MAX 64

struct gather {
	struct mem_space *space;
	uintptr_t beg, end; /* both 0: nothing has changed */
	unsigned count;
	uint64_t written; /* bit n: frames[n] had a writable entry */
	struct frame *frames[GATHER_MAX];
};
static_assert(GATHER_MAX <= 64, "one bit each");

static void gather_begin(struct gather *gather, struct mem_space *space)
{
	gather->space = space;
	gather->beg = gather->end = 0;
	gather->count = 0;
	gather->written = 0;
}

static void gather_note(struct gather *gather, uintptr_t page)
{
	gather->beg = gather->end ? MIN(gather->beg, page) : page;
	gather->end = MAX(gather->end, page + PAGE_SIZE);
}

static void gather_flush(struct gather *gather)
{
	if (gather->end)
		tlb_flush_range(gather->space, gather->beg, gather->end);
	gather->beg = gather->end = 0;
}

static void gather_finish(struct gather *gather)
{
	gather_flush(gather);
	for (unsigned i = 0; i < gather->count; i++) {
		if (gather->written & 1ull << i)
			keep_dirty(gather->frames[i]);
		frame_put(gather->frames[i]);
	}
	gather->count = 0;
	gather->written = 0;
}

static void gather_frame(struct gather *gather, uintptr_t page, struct frame *frame, bool written)
{
	if (gather->count == GATHER_MAX)
		gather_finish(gather);
	gather_note(gather, page);
	if (written)
		gather->written |= 1ull << gather->count;
	gather->frames[gather->count++] = frame;
}

/* Empties an entry of a locked leaf; its frame is kept until the flush. */
static void gather_entry(struct gather *gather, uintptr_t page, struct frame *table, uint64_t *entry)
{
	bool written = *entry & PAGE_WRITABLE;
	struct frame *frame = entry_take(gather->space, table, entry);

	if (frame)
		gather_frame(gather, page, frame, written);
	else
		gather_note(gather, page);
}

static uintptr_t next_span(uintptr_t address, uint64_t span, uintptr_t end)
{
	return MIN(ALIGN_DOWN(address, span) + span, end);
}

static bool entry_is_wanted(uint64_t value, enum clear_what what)
{
	if (value == 0)
		return false;
	return what != CLEAR_OBJECT_PAGES || ((value & PAGE_PRESENT) && !(value & PAGE_DEVICE) &&
				     frame_kind(entry_frame(value)) == FRAME_CACHE);
}

static void clear_leaf(struct gather *gather, struct frame *table, uintptr_t beg, uintptr_t end, enum clear_what what)
{
	uint64_t *entry = &table_entries(table)[page_table_slot(beg, LEVEL_LEAF)];

	spin_lock(&table->lock);
	for (uintptr_t page = beg; page < end && table->index > 0; page += PAGE_SIZE, entry++)
		if (entry_is_wanted(*entry, what))
			gather_entry(gather, page, table, entry);
	if (what == CLEAR_BESIDE_FAULTS)
		gather_flush(gather);
	spin_unlock(&table->lock);
}

void page_table_clear_range(struct mem_space *space, uintptr_t beg, uintptr_t end, enum clear_what what)
{
	struct gather gather;
	uint64_t span;

	mem_space_note_peak(space);
	gather_begin(&gather, space);
	for (uintptr_t page = beg; page < end;) {
		struct frame *leaf = leaf_find(space, page, &span);
		uintptr_t next = next_span(page, span, end);

		if (leaf)
			clear_leaf(&gather, leaf, page, next, what);
		page = next;
	}
	gather_finish(&gather);
}

/*
 * Takes out the tables below `table` that map a part of [beg, end) and nothing outside [low, high).
 * Their entries are empty; a level above goes too when it became empty and lies inside. A flush of any page of theirs makes
 * the processors forget the upper entries too (SDM vol. 3, 4.10.4.1); until then their walks may
 * go through the tables, so these are freed after it.
 */
static void free_below(struct gather *gather, struct frame *table, unsigned level, uintptr_t beg, uintptr_t end,
		       uintptr_t low, uintptr_t high)
{
	uint64_t span = 1ull << (PAGE_SHIFT + 9 * (level - 1)); /* of one entry */
	uint64_t *entries = table_entries(table);
	uintptr_t base = ALIGN_DOWN(beg, span);
	unsigned first = page_table_slot(beg, level), last = page_table_slot(end - 1, level);

	for (unsigned slot = first; table->index > 0; slot++) {
		uintptr_t from, to;
		struct frame *child;

		while (slot <= last && !entries[slot])
			slot++;
		if (slot > last)
			break;
		from = base + (slot - first) * span;
		to = from + span;
		child = entry_frame(entries[slot]);
		if (level > LEVEL_LEAF + 1)
			free_below(gather, child, level - 1, MAX(from, beg), MIN(to, end), low, high);
		if (from < low || to > high || child->index > 0)
			continue;
		spin_lock(&table->lock);
		entry_store(&entries[slot], 0);
		table->index--;
		spin_unlock(&table->lock);
		atomic_fetch_sub(&gather->space->table_pages, 1);
		gather_frame(gather, from, child, false);
	}
}

void page_table_free_range(struct mem_space *space, uintptr_t beg, uintptr_t end, uintptr_t low,
			   uintptr_t high)
{
	struct gather gather;

	gather_begin(&gather, space);
	free_below(&gather, phys_to_frame(space->root), LEVEL_ROOT, beg, end, low, high);
	gather_finish(&gather);
}

void page_table_destroy(struct mem_space *space)
{
	struct frame *root = phys_to_frame(space->root);

	page_table_free_range(space, 0, USER_HALF_END, 0, USER_HALF_END);
	kassert(root->index == 0);
	frame_put(root);
	atomic_fetch_sub(&space->table_pages, 1);
}

/* The entry under a new protection; 0 where the page is better forgotten. */
static uint64_t entry_protected(uint64_t value, uint32_t prot)
{
	bool cached = !(value & (PAGE_DEVICE | PAGE_HELD)) && frame_kind(entry_frame(value)) != FRAME_ANON;

	if (value & PAGE_DEVICE || (prot == PROT_NONE && cached))
		return 0; /* it can fault back in */
	if (prot == PROT_NONE)
		return (value & PAGE_FRAME_MASK) | PAGE_HELD;
	if (!(prot & PROT_WRITE) || (value & PAGE_HELD))
		value &= ~PAGE_WRITABLE;
	return (value & (PAGE_FRAME_MASK | PAGE_WRITABLE)) | rights_of(prot);
}

/*
 * Cache pages that were writable are flushed before the lock is dropped: write-back, which finds
 * them read-only under it, relies on there being no store any more.
 */
static void protect_leaf(struct gather *gather, struct frame *table, uintptr_t beg, uintptr_t end, uint32_t prot)
{
	uint64_t *entry = &table_entries(table)[page_table_slot(beg, LEVEL_LEAF)];
	bool cleaned = false;

	spin_lock(&table->lock);
	for (uintptr_t page = beg; page < end && table->index > 0; page += PAGE_SIZE, entry++) {
		uint64_t now;

		if (*entry == 0)
			continue;
		now = entry_protected(*entry, prot);
		if (now == 0) {
			gather_entry(gather, page, table, entry);
			continue;
		}
		if ((*entry & ~now & PAGE_WRITABLE) && frame_kind(entry_frame(*entry)) == FRAME_CACHE) {
			keep_dirty(entry_frame(*entry));
			cleaned = true;
		}
		entry_store(entry, now);
		gather_note(gather, page);
	}
	if (cleaned)
		gather_flush(gather);
	spin_unlock(&table->lock);
}

void page_table_protect_range(struct mem_space *space, uintptr_t beg, uintptr_t end, uint32_t prot)
{
	struct gather gather;
	uint64_t span;

	gather_begin(&gather, space);
	for (uintptr_t page = beg; page < end;) {
		struct frame *leaf = leaf_find(space, page, &span);
		uintptr_t next = next_span(page, span, end);

		if (leaf)
			protect_leaf(&gather, leaf, page, next, prot);
		page = next;
	}
	gather_finish(&gather);
}

/* The private pages of one leaf; both tables are locked. */
static void fork_leaf(struct frame *table, struct page_slot *to, uintptr_t beg, uintptr_t end)
{
	uint64_t *entry = &table_entries(table)[page_table_slot(beg, LEVEL_LEAF)];
	uint64_t copied = 0;

	for (uintptr_t page = beg; page < end; page += PAGE_SIZE, entry++, to->entry++) {
		uint64_t value = *entry;
		struct frame *frame;

		if (!(value & (PAGE_PRESENT | PAGE_HELD)) || (value & PAGE_DEVICE))
			continue;
		frame = entry_frame(value);
		if (frame_kind(frame) != FRAME_ANON)
			continue;
		frame_get(frame);
		if (value & PAGE_WRITABLE)
			entry_store(entry, value &= ~PAGE_WRITABLE);
		*to->entry = value;
		copied++;
	}
	to->table->index += copied;
	atomic_fetch_add_explicit(&to->space->anon_pages, copied, memory_order_relaxed);
}

int page_table_fork_range(struct mem_space *from, struct mem_space *to, uintptr_t beg, uintptr_t end, bool has_object)
{
	uint64_t span;
	int error;

	for (uintptr_t page = beg; page < end;) {
		struct frame *leaf = leaf_find(from, page, &span);
		uintptr_t next = next_span(page, span, end);
		struct page_slot slot;

		if (leaf && leaf->index > 0) {
			error = page_slot_lock(to, page, has_object, &slot);
			if (error)
				return error;
			/*
			 * Two tables of one level: the parent's first. No task runs in the child's space
			 * yet, but truncate finds its tables by the zones of the object.
			 */
			page_slot_unlock(&slot);
			spin_lock(&leaf->lock);
			spin_lock(&slot.table->lock);
			fork_leaf(leaf, &slot, page, next);
			spin_unlock(&slot.table->lock);
			spin_unlock(&leaf->lock);
		}
		page = next;
	}
	return 0;
}

int page_table_move_range(struct mem_space *space, uintptr_t from, uintptr_t to, size_t length, bool has_object)
{
	uint64_t span;

	for (uintptr_t offset = 0; offset < length;) {
		struct frame *leaf = leaf_find(space, from + offset, &span);
		uint64_t *entry, value;
		struct page_slot slot;
		int error;

		if (!leaf) {
			offset = next_span(from + offset, span, from + length) - from;
			continue;
		}
		entry = &table_entries(leaf)[page_table_slot(from + offset, LEVEL_LEAF)];
		if (*entry) {
			/* Made first, so that nothing is lost when memory is out. */
			error = page_slot_lock(space, to + offset, has_object, &slot);
			if (error)
				return error;
			page_slot_unlock(&slot);
			spin_lock(&leaf->lock);
			value = *entry;
			if (value) {
				entry_store(entry, 0);
				leaf->index--;
			}
			spin_unlock(&leaf->lock);
			spin_lock(&slot.table->lock);
			if (value) {
				entry_store(slot.entry, value);
				slot.table->index++;
			}
			spin_unlock(&slot.table->lock);
		}
		offset += PAGE_SIZE;
	}
	tlb_flush_range(space, from, from + length);
	return 0;
}

void page_table_clean_page(struct mem_space *space, uintptr_t address, const struct frame *frame)
{
	struct page_slot slot;

	if (!page_slot_lock_existing(space, address, &slot))
		return;
	if ((*slot.entry & (PAGE_PRESENT | PAGE_WRITABLE | PAGE_DEVICE)) == (PAGE_PRESENT | PAGE_WRITABLE) &&
	    entry_frame(*slot.entry) == frame) {
		entry_store(slot.entry, *slot.entry & ~PAGE_WRITABLE);
		tlb_flush_range(space, slot.address, slot.address + PAGE_SIZE);
	}
	page_slot_unlock(&slot);
}

/* ---- looking at everything ---- */

/* Most tables are nearly empty: looks at a cache line's entries at once. */
static bool line_is_empty(const uint64_t *entries)
{
	return (entries[0] | entries[1] | entries[2] | entries[3] | entries[4] | entries[5] | entries[6] |
		entries[7]) == 0;
}

static void visit_leaf(struct page_table_visitor *visitor, struct frame *table, uintptr_t base)
{
	uint64_t *entries = table_entries(table);
	unsigned used = 0;

	spin_lock(&table->lock);
	for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++) {
		if (i % 8 == 0 && line_is_empty(&entries[i]))
			i += 7;
		if (entries[i] == 0)
			continue;
		used++;
		visitor->entry(visitor, base + i * PAGE_SIZE, entry_decode(entries[i]));
	}
	visitor->table(visitor, base, table, LEVEL_LEAF, used);
	spin_unlock(&table->lock);
}

static void visit_table(struct page_table_visitor *visitor, struct frame *table, unsigned level, uintptr_t base)
{
	uint64_t *entries = table_entries(table);
	unsigned count = level == LEVEL_ROOT ? PAGE_TABLE_ENTRIES / 2 : PAGE_TABLE_ENTRIES;
	unsigned used = 0;

	for (unsigned i = 0; i < count; i++) {
		uintptr_t address;

		if (i % 8 == 0 && line_is_empty(&entries[i]))
			i += 7;
		if (entries[i] == 0)
			continue;
		address = base + ((uintptr_t)i << (PAGE_SHIFT + 9 * (level - 1)));
		used++;
		if (level == LEVEL_LEAF + 1)
			visit_leaf(visitor, entry_frame(entries[i]), address);
		else
			visit_table(visitor, entry_frame(entries[i]), level - 1, address);
	}
	visitor->table(visitor, base, table, level, used);
}

void page_table_visit(struct mem_space *space, struct page_table_visitor *visitor)
{
	visit_table(visitor, phys_to_frame(space->root), LEVEL_ROOT, 0);
}

void page_table_visit_range(struct mem_space *space, uintptr_t beg, uintptr_t end,
			    struct page_table_visitor *visitor)
{
	uint64_t span;

	for (uintptr_t page = beg, next; page < end; page = next) {
		struct frame *leaf = leaf_find(space, page, &span);
		const uint64_t *entry;

		next = next_span(page, span, end);
		if (!leaf)
			continue;
		entry = &table_entries(leaf)[page_table_slot(page, LEVEL_LEAF)];
		spin_lock(&leaf->lock);
		for (; page < next; page += PAGE_SIZE, entry++)
			if (*entry)
				visitor->entry(visitor, page, entry_decode(*entry));
		spin_unlock(&leaf->lock);
	}
}
