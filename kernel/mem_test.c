/*
 * kernel/mem_test.c - /dev/mem-check, in the checking build only: breaks what must hold about
 * memory.
 *
 * Each provocation changes a page-table entry, a count, a mark or a record of the calling process,
 * lets the checks look (mm/check.c, mm/check_frames.c), which must notice, and puts it back. They
 * do not panic meanwhile (mem_check_expect). Only root may open the device.
 *
 * Locks: none around a provocation: the page and the space are those of a program with one thread,
 * and nobody else touches them.
 *
 * Tests: tests/guest/mem_check.c.
 */
#include <fs/device.h>
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <kernel/mem_test.h>
#include <kernel/task.h>
#include <linux/mman.h>
#include <mm/check.h>
#include <mm/kernel_map.h>
#include <mm/page_bits.h>
#include <mm/page_table.h>
#include <mm/user_copy.h>
#include <string.h>

#define MEM_TEST_MAJOR 246 /* local use: Linux's Documentation/admin-guide/devices.txt */

#define LEVEL_LEAF 1
#define LEVEL_ROOT 4

/* Where a rule is broken: a page that is mapped. */
struct site {
	struct mem_space *space;
	struct mem_zone *zone;
	uint64_t *entry; /* of the page */
	struct frame *frame;
	struct frame *tables[LEVEL_ROOT + 1]; /* by level */
	uint64_t *table_entry;                /* that leads to tables[LEVEL_LEAF] */
};

/* The entry for `address` in the table of `level` below `root`; all tables above it are there. */
static uint64_t *entry_at(phys_t root, uintptr_t address, unsigned level)
{
	uint64_t *table = phys_to_virt(root);

	for (unsigned l = LEVEL_ROOT; l > level; l--)
		table = phys_to_virt(table[page_table_slot(address, l)] & PAGE_FRAME_MASK);
	return &table[page_table_slot(address, level)];
}

static bool site_find(struct site *site, uintptr_t address)
{
	struct page_slot slot;

	site->space = current_task()->space;
	rw_read_lock(&site->space->lock);
	site->zone = mem_zone_find(&site->space->zones, address);
	rw_read_unlock(&site->space->lock);
	if (!site->zone || !page_slot_lock_existing(site->space, address, &slot))
		return false;
	site->entry = slot.entry;
	site->frame = page_slot_read(&slot).frame;
	page_slot_unlock(&slot);
	for (unsigned level = LEVEL_LEAF; level <= LEVEL_ROOT; level++)
		site->tables[level] = virt_to_frame(entry_at(site->space->root, address, level));
	site->table_entry = entry_at(site->space->root, address, LEVEL_LEAF + 1);
	return site->frame;
}

/* ---- a change, a look, and back ---- */

static void check_word(uint64_t *word, uint64_t value)
{
	uint64_t before = *word;

	*word = value;
	mem_check_everything();
	*word = before;
}

static void check_word32(uint32_t *word, uint32_t value)
{
	uint32_t before = *word;

	*word = value;
	mem_check_everything();
	*word = before;
}

static void check_more(_Atomic uint64_t *count)
{
	atomic_fetch_add(count, 1);
	mem_check_everything();
	atomic_fetch_sub(count, 1);
}

static void check_refs(struct frame *frame, uint32_t change)
{
	atomic_fetch_add(&frame->refs, change);
	mem_check_everything();
	atomic_fetch_sub(&frame->refs, change);
}

static void check_without(struct frame *frame, uint32_t mark)
{
	atomic_fetch_and(&frame->state, ~mark);
	mem_check_everything();
	atomic_fetch_or(&frame->state, mark);
}

/* ---- counts of references ---- */

static void lost_reference(struct site *site)
{
	check_refs(site->frame, UINT32_MAX);
}

static void stray_reference(struct site *site)
{
	check_refs(site->frame, 1);
}

static void stray_table_reference(struct site *site)
{
	check_refs(site->tables[LEVEL_LEAF], 1);
}

static void stray_root_reference(struct site *site)
{
	check_refs(site->tables[LEVEL_ROOT], 1);
}

static void counted_zero_frame(struct site *site)
{
	(void)site;
	check_refs(frame_zero, 1);
}

static void held_reference(struct site *site)
{
	frame_get(site->frame);
	mem_check_none_held();
	frame_put(site->frame);
}

/* Nothing refers to the page, and nobody holds it. */
static void lost_page(struct site *site)
{
	struct frame *frame = frame_alloc(FRAME_ANON);

	(void)site;
	if (!frame)
		return;
	mem_check_hold(frame, -1);
	mem_check_everything();
	mem_check_hold(frame, 1);
	frame_put(frame);
}

static void wrong_kind(struct site *site)
{
	uint32_t kind = (uint32_t)frame_kind(site->frame);

	atomic_fetch_xor(&site->frame->state, kind ^ FRAME_KERNEL);
	mem_check_everything();
	atomic_fetch_xor(&site->frame->state, kind ^ FRAME_KERNEL);
}

static void foreign_page(struct site *site)
{
	check_word(&site->frame->index, site->frame->index + 1);
}

/* What the cache has elsewhere; nobody's entry is looked at. */
static void misplaced_page(struct site *site)
{
	site->frame->index++;
	mem_check_frames();
	site->frame->index--;
}

/* ---- entries and tables ---- */

static void writable(struct site *site)
{
	check_word(site->entry, *site->entry | PAGE_WRITABLE);
}

static void clean(struct site *site)
{
	check_without(site->frame, FRAME_DIRTY);
}

static void executable(struct site *site)
{
	check_word(site->entry, *site->entry & ~PAGE_NX);
}

static void device(struct site *site)
{
	check_word(site->entry, (*site->entry | PAGE_DEVICE) & ~PAGE_ANON);
}

static void withheld(struct site *site)
{
	check_word(site->entry, *site->entry | PAGE_HELD);
}

/* The page behind it, which no zone has, in the same table. */
static void outside(struct site *site)
{
	check_word(site->entry + 1, *site->entry);
}

static void read_only_table(struct site *site)
{
	check_word(site->table_entry, *site->table_entry & ~PAGE_WRITABLE);
}

static void unmarked_table(struct site *site)
{
	check_without(site->tables[LEVEL_LEAF], FRAME_HAS_OBJECT);
}

static void unmarked_directory(struct site *site)
{
	check_without(site->tables[LEVEL_LEAF + 1], FRAME_HAS_OBJECT);
}

static void unmarked_root(struct site *site)
{
	check_without(site->tables[LEVEL_ROOT], FRAME_HAS_OBJECT);
}

static void miscounted_table(struct site *site)
{
	check_word(&site->tables[LEVEL_LEAF]->index, site->tables[LEVEL_LEAF]->index + 1);
}

/* ---- zones and the space's counters ---- */

static void forbidden(struct site *site)
{
	check_word32(&site->zone->prot, PROT_NONE);
}

/* The zone behind it differs in protection only. */
static void equal_neighbour(struct site *site)
{
	struct mem_zone *next = mem_zone_next(&site->space->zones, site->zone);

	check_word32(&next->prot, site->zone->prot);
}

static void stray_zone(struct site *site)
{
	struct mem_space *space = site->zone->space;

	site->zone->space = NULL;
	mem_check_everything();
	site->zone->space = space;
}

static void anon_pages(struct site *site)
{
	check_more(&site->space->anon_pages);
}

static void file_pages(struct site *site)
{
	check_more(&site->space->file_pages);
}

static void shmem_pages(struct site *site)
{
	check_more(&site->space->shmem_pages);
}

static void table_pages(struct site *site)
{
	check_more(&site->space->table_pages);
}

static void mapped_pages(struct site *site)
{
	check_word(&site->space->mapped_pages, site->space->mapped_pages + 1);
}

static void data_pages(struct site *site)
{
	check_word(&site->space->data_pages, site->space->data_pages + 1);
}

static void locked_pages(struct site *site)
{
	check_word(&site->space->locked_pages, site->space->locked_pages + 1);
}

/* ---- the kernel's half, and what gives rights a meaning ---- */

static uint64_t *kernel_entry(const void *address)
{
	return entry_at(kernel_root, (uintptr_t)address, LEVEL_LEAF);
}

static void writable_text(struct site *site)
{
	uint64_t *entry = kernel_entry((const void *)(uintptr_t)writable_text);

	(void)site;
	check_word(entry, *entry | PAGE_WRITABLE);
}

static void executable_data(struct site *site)
{
	uint64_t *entry = kernel_entry(&kernel_root);

	(void)site;
	check_word(entry, *entry & ~PAGE_NX);
}

static void executable_stack(struct site *site)
{
	uint64_t *entry = kernel_entry(&entry);

	(void)site;
	check_word(entry, *entry & ~PAGE_NX);
}

/* All levels must agree to it: one alone opens nothing. */
static void user_text(struct site *site)
{
	uint64_t *entries[LEVEL_ROOT + 1], before[LEVEL_ROOT + 1];

	(void)site;
	for (unsigned level = LEVEL_LEAF; level <= LEVEL_ROOT; level++) {
		entries[level] = entry_at(kernel_root, (uintptr_t)user_text, level);
		before[level] = *entries[level];
		*entries[level] |= PAGE_USER;
	}
	kernel_map_check();
	for (unsigned level = LEVEL_LEAF; level <= LEVEL_ROOT; level++)
		*entries[level] = before[level];
}

static void changed_kernel_half(struct site *site)
{
	uint64_t *last = (uint64_t *)frame_virt(site->tables[LEVEL_ROOT]) + PAGE_TABLE_ENTRIES - 1;

	check_word(last, *last | PAGE_USER);
}

/* The register is this processor's, so no other one's checks are made meanwhile. */
static void unprotected_processor(struct site *site)
{
	const uint64_t write_protect = 1ul << 16; /* CR0.WP: SDM vol. 3, 2.5 */
	uint64_t cr0;

	(void)site;
	preempt_disable();
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 & ~write_protect));
	mem_check_registers();
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0));
	preempt_enable();
}

#define ROW(rule)                                                                                  \
	{                                                                                          \
		.name = #rule, .provoke = rule                                                     \
	}

static const struct provocation {
	const char *name;
	void (*provoke)(struct site *site);
} provocations[] = {
	ROW(lost_reference),
	ROW(stray_reference),
	ROW(stray_table_reference),
	ROW(stray_root_reference),
	ROW(counted_zero_frame),
	ROW(held_reference),
	ROW(lost_page),
	ROW(wrong_kind),
	ROW(foreign_page),
	ROW(misplaced_page),
	ROW(writable),
	ROW(clean),
	ROW(executable),
	ROW(device),
	ROW(withheld),
	ROW(outside),
	ROW(read_only_table),
	ROW(unmarked_table),
	ROW(unmarked_directory),
	ROW(unmarked_root),
	ROW(miscounted_table),
	ROW(forbidden),
	ROW(equal_neighbour),
	ROW(stray_zone),
	ROW(anon_pages),
	ROW(file_pages),
	ROW(shmem_pages),
	ROW(table_pages),
	ROW(mapped_pages),
	ROW(data_pages),
	ROW(locked_pages),
	ROW(writable_text),
	ROW(executable_data),
	ROW(executable_stack),
	ROW(user_text),
	ROW(changed_kernel_half),
	ROW(unprotected_processor),
};

/* ---- the device ---- */

static uintptr_t parse_address(const char *text)
{
	uintptr_t address = 0;

	for (; *text; text++) {
		unsigned digit =
			*text >= 'a' ? (unsigned)(*text - 'a') + 10 : (unsigned)(*text - '0');

		if (digit > 15)
			break;
		address = address << 4 | digit;
	}
	return address;
}

static int carry_out(const struct provocation *provocation, uintptr_t address)
{
	struct site site;

	if (!site_find(&site, address))
		return -EINVAL;
	mem_check_expect(true);
	provocation->provoke(&site);
	mem_check_expect(false);
	return *mem_check_failure() ? 0 : -ENODATA;
}

static ssize_t mem_check_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	char text[64] = "", *space;
	ssize_t size = (ssize_t)io_get(io, text, sizeof(text) - 1);

	(void)file;
	(void)pos;
	if (strncmp(text, "all", 3) == 0) {
		mem_check_everything();
		return size;
	}
	space = strchr(text, ' ');
	if (!space)
		return -EINVAL;
	*space = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(provocations); i++) {
		int error;

		if (strcmp(text, provocations[i].name) != 0)
			continue;
		error = carry_out(&provocations[i], parse_address(space + 1));
		return error ? error : size;
	}
	return -EINVAL;
}

static ssize_t mem_check_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	const char *text = mem_check_failure();

	(void)file;
	return io_put_text(io, text, strlen(text), pos);
}

static int mem_check_open(struct inode *inode, struct file *file)
{
	(void)inode;
	file->seekable = true; /* what was said can be read from its beginning each time */
	return 0;
}

static const struct file_operations mem_check_operations = {
	.open = mem_check_open,
	.read = mem_check_read,
	.write = mem_check_write,
};

void mem_test_init(void)
{
	if (device_register(MEM_TEST_MAJOR, 0, "mem-check", S_IFCHR | 0600, &mem_check_operations,
			    NULL))
		panic("/dev/mem-check could not be made");
}
