/*
 * fs/procfs_memory.c - what /proc/<pid> tells about an address space: maps, pagemap, faults, and
 * the sums that status, stat and statm show. Formats: proc(5).
 *
 * The list of zones is walked with the space held for reading, so that one reading of maps shows
 * one moment.
 *
 * Locks: space->lock for reading; under it names are made (dentry_tree_lock), nothing sleeps on
 * other locks.
 */
#include <fs/device.h>
#include <fs/procfs_private.h>
#include <linux/limits.h>
#include <linux/mman.h>
#include <mm/fault_ring.h>
#include <mm/heap.h>
#include <mm/mem_space.h>
#include <mm/mem_zone.h>
#include <vsnprintf.h>

/* maps */

#define MAPS_NAME_COLUMN 73 /* Linux, fs/proc/task_mmu.c: 25 + 6 * sizeof(void *) */

static const char *zone_name(const struct mem_space *space, const struct mem_zone *zone, char *buf)
{
	if (zone->file)
		return file_path_name(zone->file, buf, PATH_MAX);
	if (!zone->object && zone->beg < space->brk_end && zone->end > space->brk_beg)
		return "[heap]";
	if ((zone->flags & ZONE_STACK) && zone->beg < space->stack_top &&
	    space->stack_top <= zone->end)
		return "[stack]";
	/* Linux's own way to say: memory shared with children, without a file. */
	return zone->flags & ZONE_SHARED ? "/dev/zero (deleted)" : NULL;
}

static void print_zone(struct text *text, const struct mem_space *space,
		       const struct mem_zone *zone, char *buf)
{
	const struct inode *inode = zone->file ? zone->file->inode : NULL;
	uint64_t device = inode ? inode->super->device : 0;
	char line[128];
	const char *name;
	int length;

	length = snprintf(line, sizeof(line), "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %llu ",
			  zone->beg, zone->end, zone->prot & PROT_READ ? 'r' : '-',
			  zone->prot & PROT_WRITE ? 'w' : '-', zone->prot & PROT_EXEC ? 'x' : '-',
			  zone->flags & ZONE_SHARED ? 's' : 'p',
			  (unsigned long long)(inode || zone->object ? zone->offset : 0),
			  device_major(device), device_minor(device),
			  (unsigned long long)(inode ? inode->number : 0));
	text_append(text, line, (size_t)length);
	name = zone_name(space, zone, buf);
	if (name) {
		text_print(text, "%*s", MAX(MAPS_NAME_COLUMN - length, 0), "");
		text_append_escaped(text, name, "\n");
	}
	text_append(text, "\n", 1);
}

int proc_show_zones(struct text *text, struct process *process, proc_zone_usage_fn show_usage)
{
	struct mem_space *space = process_hold_space(process);
	const struct mem_zone *zone;
	char *buf;

	if (!space)
		return 0;
	buf = kmalloc(PATH_MAX);
	if (!buf) {
		mem_space_drop(space);
		return -ENOMEM;
	}
	rw_read_lock(&space->lock);
	list_for_each_entry(zone, &space->zones.list, next) {
		print_zone(text, space, zone, buf);
		if (show_usage)
			show_usage(text, space, zone);
	}
	rw_read_unlock(&space->lock);
	kfree(buf);
	mem_space_drop(space);
	return 0;
}

int proc_show_maps(struct text *text, const struct proc_node *node)
{
	return proc_show_zones(text, node->process, NULL);
}

/* faults */

int proc_show_faults(struct text *text, const struct proc_node *node)
{
	int id = node->tid ? node->tid : node->process->pid;
	struct fault_reader reader;
	struct fault_event event;

	fault_reader_begin(&reader);
	while (fault_reader_next(&reader, &event)) {
		char line[FAULT_LINE_SIZE];

		if (event.pid != id)
			continue;
		fault_event_print(line, sizeof(line), &event);
		text_print(text, "%s\n", line);
	}
	return 0;
}

#define PAGEMAP_FRAME_MASK ((1ull << 55) - 1)

/* pagemap: 64 bits for each page of the address space, at 8 times its number */

static ssize_t put_pagemap(struct mem_space *space, struct io_buffer *io, uint64_t page)
{
	ssize_t done = 0;

	while (io->left > 0 && page < USER_SPACE_END >> PAGE_SHIFT) {
		uint64_t entry = mem_space_pagemap(space, page << PAGE_SHIFT);

		if (!process_is_root())
			entry &= ~PAGEMAP_FRAME_MASK; /* they would help to attack the hardware */
		if (io_put(io, &entry, sizeof(entry)) < sizeof(entry))
			return done > 0 ? done : -EFAULT;
		done += (ssize_t)sizeof(entry);
		page++;
		if (wait_interrupted(WAIT_KILLABLE))
			break;
	}
	return done;
}

static ssize_t pagemap_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct mem_space *space;
	ssize_t done;

	if (pos % sizeof(uint64_t) || io->left % sizeof(uint64_t))
		return -EINVAL;
	space = process_hold_space(proc_node_of(file->inode)->process);
	if (!space)
		return 0;
	done = put_pagemap(space, io, pos / sizeof(uint64_t));
	mem_space_drop(space);
	return done;
}

static int pagemap_open(struct inode *inode, struct file *file)
{
	(void)file;
	return process_may_access(proc_node_of(inode)->process) ? 0 : -EACCES;
}

const struct file_operations proc_pagemap_operations = {
	.open = pagemap_open,
	.read = pagemap_read,
};

/* Sums */

static void add_zone(struct proc_memory *memory, const struct mem_space *space,
		     const struct mem_zone *zone)
{
	uint64_t pages = (zone->end - zone->beg) >> PAGE_SHIFT;
	bool program = zone->file && space->exe && zone->file->inode == space->exe->inode;
	bool writable_private = (zone->prot & PROT_WRITE) && (zone->flags & ZONE_PRIVATE);

	if (zone->flags & ZONE_STACK)
		memory->stack_pages += pages;
	else if (writable_private)
		memory->data_pages += pages;
	if ((zone->prot & PROT_EXEC) && zone->file) {
		*(program ? &memory->text_pages : &memory->library_pages) += pages;
		if (program && !memory->code_beg)
			memory->code_beg = zone->beg;
		if (program)
			memory->code_end = zone->end;
	}
	if (program && writable_private) {
		if (!memory->data_beg)
			memory->data_beg = zone->beg;
		memory->data_end = zone->end;
	}
}

void proc_memory_read(struct process *process, struct proc_memory *memory)
{
	struct mem_space *space = process_hold_space(process);
	const struct mem_zone *zone;

	*memory = (struct proc_memory){0};
	if (!space)
		return;
	rw_read_lock(&space->lock);
	memory->total_pages = space->mapped_pages;
	memory->peak_pages = space->peak_pages;
	memory->locked_pages = space->locked_pages;
	memory->anon_pages = atomic_load(&space->anon_pages);
	memory->file_pages = atomic_load(&space->file_pages);
	memory->shmem_pages = MIN(atomic_load(&space->shmem_pages), memory->file_pages);
	memory->peak_resident_pages = mem_space_peak_resident(space);
	memory->table_pages = atomic_load(&space->table_pages);
	memory->stack_top = space->stack_top;
	memory->brk_beg = space->brk_beg;
	memory->arg_beg = space->arg_beg;
	memory->arg_end = space->arg_end;
	memory->env_beg = space->env_beg;
	memory->env_end = space->env_end;
	list_for_each_entry(zone, &space->zones.list, next)
		add_zone(memory, space, zone);
	rw_read_unlock(&space->lock);
	mem_space_drop(space);
}
