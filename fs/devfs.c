/*
 * fs/devfs.c - what /dev holds besides the drivers' own nodes: the memory devices (null(4),
 * random(4)), the terminal's nodes, and the usual links.
 *
 * Way in: fs_init, once /dev is mounted.
 * Not here: device numbers and making nodes (device.c). Tests: tests/guest/dev_*.c.
 */
#include <drivers/random.h>
#include <drivers/tty.h>
#include <fs/device.h>
#include <fs/file.h>
#include <fs/fs.h>
#include <fs/name.h>
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <linux/major.h>
#include <mm/mem_object.h>
#include <mm/mem_zone.h>

/* Numbers: Linux, Documentation/admin-guide/devices.txt. */
#define MINOR_NULL 3
#define MINOR_ZERO 5
#define MINOR_FULL 7
#define MINOR_RANDOM 8
#define MINOR_URANDOM 9
#define MINOR_TTY 0
#define MINOR_CONSOLE 1
#define MINOR_TTYS0 64

/* lseek(2) works on these and changes nothing; so do pread and pwrite. */
static int memory_open(struct inode *inode, struct file *file)
{
	(void)inode;
	file->seekable = true;
	return 0;
}

static int64_t memory_seek(struct file *file, int64_t offset, int whence)
{
	(void)file;
	(void)offset;
	(void)whence;
	return 0;
}

static ssize_t null_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	(void)file;
	(void)io;
	(void)pos;
	return 0;
}

static ssize_t null_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	ssize_t length = (ssize_t)io->left;

	(void)file;
	(void)pos;
	io->addr += io->left;
	io->left = 0;
	return length;
}

static ssize_t zero_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	ssize_t done = 0;

	(void)file;
	(void)pos;
	while (io->left > 0) {
		size_t part = MIN(io->left, PAGE_SIZE);
		size_t copied = io_put(io, frame_virt(frame_zero), part);

		done += (ssize_t)copied;
		if (copied < part)
			return done > 0 ? done : -EFAULT;
		if (wait_interrupted(WAIT_INTERRUPTIBLE))
			break;
	}
	return done;
}

/* Private: anonymous memory as it is. Shared: an object that only forks of this mapping share. */
static int zero_mmap(struct file *file, struct mem_zone *zone)
{
	int error;

	(void)file;
	if (zone->flags & ZONE_PRIVATE)
		return 0;
	error = anon_object_create(zone->offset + (zone->end - zone->beg), &zone->object);
	if (!error)
		zone->ops = zone->object->ops;
	return error;
}

static ssize_t full_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	(void)file;
	(void)io;
	(void)pos;
	return -ENOSPC;
}

static ssize_t random_file_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	(void)file;
	(void)pos;
	return random_read(io);
}

static ssize_t random_file_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	char chunk[256];
	ssize_t done = 0;

	(void)file;
	(void)pos;
	while (io->left > 0) {
		size_t wanted = MIN(io->left, sizeof(chunk));
		size_t length = io_get(io, chunk, wanted);

		random_stir(chunk, length);
		done += (ssize_t)length;
		if (length < wanted)
			return done > 0 ? done : -EFAULT;
		if (wait_interrupted(WAIT_INTERRUPTIBLE))
			break;
	}
	return done;
}

static const struct file_operations null_operations = {
	.open = memory_open,
	.seek = memory_seek,
	.read = null_read,
	.write = null_write,
};

static const struct file_operations zero_operations = {
	.open = memory_open,
	.seek = memory_seek,
	.read = zero_read,
	.write = null_write,
	.mmap = zero_mmap,
};

static const struct file_operations full_operations = {
	.open = memory_open,
	.seek = memory_seek,
	.read = zero_read,
	.write = full_write,
};

static const struct file_operations random_operations = {
	.open = memory_open,
	.seek = memory_seek,
	.read = random_file_read,
	.write = random_file_write,
};

static const struct {
	unsigned major, minor;
	const char *name;
	uint32_t permissions;
	const struct file_operations *ops;
	void *data;
} devices[] = {
	{MEM_MAJOR, MINOR_NULL, "null", 0666, &null_operations, NULL},
	{MEM_MAJOR, MINOR_ZERO, "zero", 0666, &zero_operations, NULL},
	{MEM_MAJOR, MINOR_FULL, "full", 0666, &full_operations, NULL},
	{MEM_MAJOR, MINOR_RANDOM, "random", 0666, &random_operations, NULL},
	{MEM_MAJOR, MINOR_URANDOM, "urandom", 0666, &random_operations, NULL},
	{TTYAUX_MAJOR, MINOR_TTY, "tty", 0666, &tty_controlling_file_ops, NULL},
	{TTYAUX_MAJOR, MINOR_CONSOLE, "console", 0600, &tty_file_ops, &tty_console},
	{TTY_MAJOR, MINOR_TTYS0, "ttyS0", 0600, &tty_file_ops, &tty_console},
};

static const struct {
	const char *name, *target;
} links[] = {
	{"/dev/fd", "/proc/self/fd"},
	{"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"},
	{"/dev/stderr", "/proc/self/fd/2"},
};

#define SHM_PERMISSIONS 01777 /* as /tmp: shm_overview(7) */

void devfs_init(void)
{
	int error = name_mkdir(AT_FDCWD, "/dev/shm", SHM_PERMISSIONS);

	for (size_t i = 0; i < ARRAY_SIZE(devices) && !error; i++)
		error = device_register(devices[i].major, devices[i].minor, devices[i].name,
					S_IFCHR | devices[i].permissions, devices[i].ops,
					devices[i].data);
	for (size_t i = 0; i < ARRAY_SIZE(links) && !error; i++)
		error = name_symlink(links[i].target, AT_FDCWD, links[i].name);
	if (error)
		panic("cannot fill /dev: error %d", -error);
	tty_init();
}
