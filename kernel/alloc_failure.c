/*
 * kernel/alloc_failure.c - /dev/alloc-failure, in the checking build only (mm/alloc_failure.h).
 *
 * frame_alloc, frame_alloc_block and object_alloc ask alloc_fails; kmalloc is made of them. The
 * count is the task's own, so a test knows which of its allocations fails whatever others do.
 *
 * Locks: none; only the task itself touches its count.
 */
#include <fs/device.h>
#include <fs/file.h>
#include <kernel/base/cpu.h>
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <kernel/task.h>
#include <mm/alloc_failure.h>
#include <mm/mem_space.h>
#include <mm/user_copy.h>
#include <stdio.h>

#define ALLOC_FAILURE_MAJOR 245 /* local use: Linux's Documentation/admin-guide/devices.txt */

bool alloc_fails(void)
{
	struct task *task = current_task();
	struct alloc_failure *failure;

	if (!task || task->alloc_failure.first == 0 || this_cpu()->irq_depth > 0)
		return false;
	failure = &task->alloc_failure;
	failure->seen++;
	if (failure->seen < failure->first || failure->seen - failure->first >= failure->count)
		return false;
	failure->failed++;
	return true;
}

static int alloc_failure_open(struct inode *inode, struct file *file)
{
	(void)inode;
	file->seekable = true; /* the counts can be read again */
	return 0;
}

static const char *parse_number(const char *text, uint64_t *number)
{
	while (*text == ' ')
		text++;
	for (*number = 0; *text >= '0' && *text <= '9'; text++)
		*number = *number * 10 + (uint64_t)(*text - '0');
	return text;
}

static ssize_t alloc_failure_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct task *task = current_task();
	char text[48] = "";
	size_t size = io_get(io, text, sizeof(text) - 1);
	uint64_t first, count;

	(void)file;
	(void)pos;
	(void)parse_number(parse_number(text, &first), &count);
	task->alloc_failure.first = first;
	if (first == 0) {
		mem_space_check(task->space);
		return (ssize_t)size;
	}
	task->alloc_failure.count = count;
	task->alloc_failure.seen = task->alloc_failure.failed = 0;
	return (ssize_t)size;
}

static ssize_t alloc_failure_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	const struct alloc_failure *failure = &current_task()->alloc_failure;
	char text[48];
	int length = snprintf(text, sizeof(text), "%lu %lu\n", failure->seen, failure->failed);

	(void)file;
	return io_put_text(io, text, (size_t)length, pos);
}

static const struct file_operations alloc_failure_operations = {
	.open = alloc_failure_open,
	.read = alloc_failure_read,
	.write = alloc_failure_write,
};

void alloc_failure_init(void)
{
	if (device_register(ALLOC_FAILURE_MAJOR, 0, "alloc-failure", S_IFCHR | 0600,
			    &alloc_failure_operations, NULL))
		panic("/dev/alloc-failure could not be made");
}
