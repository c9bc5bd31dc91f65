/*
 * fs/procfs_mem.c - /proc/<pid>/mem: a process's memory as a file, at its own addresses (proc(5)).
 *
 * Whoever may debug the process may open it, and then reads and writes as a debugger does:
 * protection does not matter, a write to a private page makes it the process's own. The open file
 * stays with the space it was opened on; when that is left by all (exec, exit), there is nothing to
 * read.
 *
 * Not here: the copying (mm/remote_memory.c). Tests: tests/guest/proc_mem.c.
 */
#include <fs/procfs_private.h>
#include <linux/fs.h>
#include <mm/heap.h>
#include <mm/mem_space.h>

static int mem_open(struct inode *inode, struct file *file)
{
	struct process *process = proc_node_of(inode)->process;

	if (!process_may_access(process))
		return -EACCES;
	file->data = process_hold_space(process); /* NULL: a zombie has none */
	return 0;
}

static void mem_release(struct file *file)
{
	if (file->data)
		mem_space_drop(file->data);
}

/* Any address is a position, those that are negative as off_t too. */
static int64_t mem_seek(struct file *file, int64_t offset, int whence)
{
	if (whence == SEEK_SET)
		return offset;
	return whence == SEEK_CUR ? (int64_t)(file->pos + (uint64_t)offset) : -EINVAL;
}

/* One page's part: bytes, 0 where nothing is mapped, -EFAULT for the caller's own memory. */
static ssize_t read_part(struct mem_space *space, struct io_buffer *io, char *page, uint64_t addr,
			 size_t size)
{
	size_t got = mem_space_read_remote(space, addr, page, size, true);
	size_t put = io_put(io, page, got);

	return put || put == got ? (ssize_t)put : -EFAULT;
}

static ssize_t write_part(struct mem_space *space, struct io_buffer *io, char *page, uint64_t addr,
			  size_t size)
{
	size_t got = io_get(io, page, size);

	return got ? (ssize_t)mem_space_write_remote(space, addr, page, got, true) : -EFAULT;
}

static ssize_t mem_transfer(struct file *file, struct io_buffer *io, uint64_t addr, bool write)
{
	struct mem_space *space = file->data;
	ssize_t part = 0;
	size_t done = 0;
	char *page;

	if (!space || atomic_load(&space->users) == 0 || io->left == 0)
		return 0;
	page = kmalloc(PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	while (io->left > 0) {
		size_t size = MIN(io->left, PAGE_SIZE - addr % PAGE_SIZE);

		part = write ? write_part(space, io, page, addr, size)
			     : read_part(space, io, page, addr, size);
		if (part <= 0)
			break;
		done += (size_t)part;
		addr += (uint64_t)part;
		if ((size_t)part < size)
			break;
	}
	kfree(page);
	return done ? (ssize_t)done : part ? part : -EIO;
}

static ssize_t mem_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	return mem_transfer(file, io, pos, false);
}

static ssize_t mem_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	return mem_transfer(file, io, pos, true);
}

const struct file_operations proc_mem_operations = {
	.open = mem_open,
	.release = mem_release,
	.seek = mem_seek,
	.read = mem_read,
	.write = mem_write,
};
