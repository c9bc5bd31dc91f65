/*
 * drivers/test_object.c - /dev/test-object: what lazy loading and write-back do, made countable.
 *
 * Every open makes an object of TEST_OBJECT_PAGES pages, with a backing store of its own in memory;
 * a fork or dup shares it. Mapping it goes through the same page cache, faults and write-back as a
 * file on a disk would. The file has three parts, by offset:
 *
 *   0             read: the counts so far, as text; write: a command
 *   STORE_OFFSET  read: what the store holds, for comparison with what a mapping shows
 *   DATA_OFFSET   read and write through the page cache, as of a file
 *
 *   loads N    pages filled from the store
 *   dirties N  pages announced for writing
 *   runs N     requests to write neighbouring pages
 *   pages N    pages written to the store
 *   bytes N    bytes written to the store
 *   held N     loads and requests that wait now, by command
 *
 *   fail-load I   loading page I is an I/O error
 *   fail-dirty I  announcing page I is an I/O error
 *   fail-sync     the next request to write is an I/O error
 *   hold-load I   loading page I waits
 *   hold-sync     requests to write wait before they copy
 *   release       whoever waits goes on, and nobody waits any more
 *   size N        the object is N bytes long
 *
 * Only root may open it. Tests: tests/guest/test_object.c, race_writeback.c.
 */
#include <drivers/test_object.h>
#include <fs/device.h>
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/base/log.h>
#include <mm/heap.h>
#include <mm/mem_object.h>
#include <string.h>
#include <vsnprintf.h>

#define TEST_OBJECT_MAJOR 243 /* local use: Linux's Documentation/admin-guide/devices.txt */
#define TEST_OBJECT_PAGES 64
#define TEST_OBJECT_BYTES (TEST_OBJECT_PAGES * PAGE_SIZE)
#define STORE_OFFSET (1UL << 20)
#define DATA_OFFSET (2UL << 20)
#define NO_PAGE UINT64_MAX

struct test_object {
	struct mem_object object;
	char *store;
	struct mutex lock; /* writes and sizes: what an inode's lock is to a file */
	_Atomic uint64_t loads, dirties, runs, pages, bytes;
	_Atomic uint64_t fail_load, fail_dirty, hold_load; /* a page, or NO_PAGE */
	_Atomic bool fail_sync, hold_sync;
	_Atomic uint64_t held;
	struct wait_queue released;
};

static struct test_object *test_object_of(struct mem_object *object)
{
	return container_of(object, struct test_object, object);
}

/* ---- what mm asks for ---- */

/* -EINTR when the task is being killed meanwhile. */
static int wait_while_load_held(struct test_object *test, uint64_t index)
{
	int error;

	if (atomic_load(&test->hold_load) != index)
		return 0;
	atomic_fetch_add(&test->held, 1);
	error = wait_event_mode(&test->released, atomic_load(&test->hold_load) != index,
				WAIT_KILLABLE, UINT64_MAX);
	atomic_fetch_sub(&test->held, 1);
	return error ? -EINTR : 0;
}

static int wait_while_sync_held(struct test_object *test)
{
	int error;

	if (!atomic_load(&test->hold_sync))
		return 0;
	atomic_fetch_add(&test->held, 1);
	error = wait_event_mode(&test->released, !atomic_load(&test->hold_sync), WAIT_KILLABLE,
				UINT64_MAX);
	atomic_fetch_sub(&test->held, 1);
	return error ? -EINTR : 0;
}

static int test_load(struct mem_object *object, uint64_t index, struct frame *frame)
{
	struct test_object *test = test_object_of(object);
	int error;

	atomic_fetch_add(&test->loads, 1);
	if (index == atomic_load(&test->fail_load))
		return -EIO;
	error = wait_while_load_held(test, index);
	if (error)
		return error;
	if (index < TEST_OBJECT_PAGES)
		memcpy(frame_virt(frame), test->store + index * PAGE_SIZE, PAGE_SIZE);
	else
		memset(frame_virt(frame), 0, PAGE_SIZE); /* past the end: never shown */
	return 0;
}

static int test_dirty(struct mem_object *object, struct frame *frame)
{
	struct test_object *test = test_object_of(object);

	atomic_fetch_add(&test->dirties, 1);
	return frame->index == atomic_load(&test->fail_dirty) ? -EIO : 0;
}

static int test_write_run(struct mem_object *object, uint64_t index, struct frame **frames,
			  size_t count, size_t bytes)
{
	struct test_object *test = test_object_of(object);
	int error;

	if (atomic_exchange(&test->fail_sync, false))
		return -EIO;
	error = wait_while_sync_held(test);
	if (error)
		return error;
	atomic_fetch_add(&test->runs, 1);
	atomic_fetch_add(&test->pages, count);
	atomic_fetch_add(&test->bytes, bytes);
	for (size_t i = 0; i < count; i++)
		memcpy(test->store + (index + i) * PAGE_SIZE, frame_virt(frames[i]),
		       MIN(PAGE_SIZE, bytes - i * PAGE_SIZE));
	return 0;
}

static int test_sync(struct mem_object *object, uint64_t first, uint64_t last, int flags)
{
	(void)flags;
	return mem_object_write_back(object, first, last, test_write_run);
}

static void test_destroy(struct mem_object *object)
{
	struct test_object *test = test_object_of(object);

	kfree(test->store);
	kfree(test);
}

static const struct mem_operations test_operations = {
	.load = test_load,
	.dirty = test_dirty,
	.sync = test_sync,
	.destroy = test_destroy,
};

/* ---- the file ---- */

static int test_open(struct inode *inode, struct file *file)
{
	struct test_object *test = kzalloc(sizeof(*test));

	(void)inode;
	if (!test)
		return -ENOMEM;
	test->store = kzalloc(TEST_OBJECT_BYTES);
	if (!test->store) {
		kfree(test);
		return -ENOMEM;
	}
	atomic_store(&test->fail_load, NO_PAGE);
	atomic_store(&test->fail_dirty, NO_PAGE);
	atomic_store(&test->hold_load, NO_PAGE);
	mutex_init(&test->lock, RANK_INODE);
	wait_queue_init(&test->released);
	mem_object_init(&test->object, &test_operations, TEST_OBJECT_BYTES);
	file->data = test;
	return 0;
}

static void test_release(struct file *file)
{
	struct test_object *test = file->data;

	mem_object_put(&test->object);
}

static int test_mmap(struct file *file, struct mem_zone *zone)
{
	struct test_object *test = file->data;

	mem_object_get(&test->object);
	zone->object = &test->object;
	zone->ops = &test_operations;
	return 0;
}

static ssize_t read_counts(struct test_object *test, struct io_buffer *io, uint64_t pos)
{
	char text[192];
	int length = snprintf(text, sizeof(text),
			      "loads %lu\ndirties %lu\nruns %lu\npages %lu\nbytes %lu\nheld %lu\n",
			      atomic_load(&test->loads), atomic_load(&test->dirties),
			      atomic_load(&test->runs), atomic_load(&test->pages),
			      atomic_load(&test->bytes), atomic_load(&test->held));

	return io_put_text(io, text, (size_t)length, pos);
}

static ssize_t test_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct test_object *test = file->data;

	if (pos >= DATA_OFFSET)
		return mem_object_read(&test->object, io, pos - DATA_OFFSET);
	if (pos >= STORE_OFFSET)
		return io_put_text(io, test->store, TEST_OBJECT_BYTES, pos - STORE_OFFSET);
	return read_counts(test, io, pos);
}

static int set_size(struct test_object *test, uint64_t size)
{
	if (size > TEST_OBJECT_BYTES)
		return -EINVAL;
	mutex_lock(&test->lock);
	(void)mem_object_truncate(&test->object, size);
	/* What a file loses is gone: were it extended again, there would be zeros. */
	memset(test->store + size, 0, TEST_OBJECT_BYTES - size);
	mutex_unlock(&test->lock);
	return 0;
}

static void release_all(struct test_object *test)
{
	atomic_store(&test->hold_load, NO_PAGE);
	atomic_store(&test->hold_sync, false);
	wake_up_all(&test->released);
}

/* "NAME" or "NAME NUMBER" is the command `name`; then its number, or 0. */
static bool is_command(const char *text, const char *name, uint64_t *number)
{
	size_t length = strlen(name);

	*number = 0;
	if (strncmp(text, name, length) || (text[length] != '\0' && text[length] != ' '))
		return false;
	for (const char *c = text + length + (text[length] == ' '); *c >= '0' && *c <= '9'; c++)
		*number = *number * 10 + (uint64_t)(*c - '0');
	return true;
}

static int run_command(struct test_object *test, const char *text)
{
	uint64_t number;

	if (is_command(text, "fail-load", &number))
		atomic_store(&test->fail_load, number);
	else if (is_command(text, "fail-dirty", &number))
		atomic_store(&test->fail_dirty, number);
	else if (is_command(text, "fail-sync", &number))
		atomic_store(&test->fail_sync, true);
	else if (is_command(text, "hold-load", &number))
		atomic_store(&test->hold_load, number);
	else if (is_command(text, "hold-sync", &number))
		atomic_store(&test->hold_sync, true);
	else if (is_command(text, "release", &number))
		release_all(test);
	else if (is_command(text, "size", &number))
		return set_size(test, number);
	else
		return -EINVAL;
	return 0;
}

static ssize_t write_data(struct test_object *test, struct io_buffer *io, uint64_t pos)
{
	ssize_t done;

	if (pos >= TEST_OBJECT_BYTES)
		return -ENOSPC;
	io->left = MIN(io->left, TEST_OBJECT_BYTES - pos);
	mutex_lock(&test->lock);
	done = mem_object_write(&test->object, io, pos);
	mutex_unlock(&test->lock);
	return done;
}

static ssize_t test_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	char text[32] = "";
	size_t size;
	int error;

	if (pos >= DATA_OFFSET)
		return write_data(file->data, io, pos - DATA_OFFSET);
	size = io_get(io, text, sizeof(text) - 1);
	error = run_command(file->data, text);
	return error ? error : (ssize_t)size;
}

/* The part of the file's [beg, end) that is data, as bytes of the object; false: none. */
static bool data_range(uint64_t *beg, uint64_t *end)
{
	if (*end <= DATA_OFFSET)
		return false;
	*beg = *beg > DATA_OFFSET ? *beg - DATA_OFFSET : 0;
	*end -= DATA_OFFSET;
	return true;
}

static int test_fsync(struct file *file, uint64_t beg, uint64_t end, bool data_only)
{
	struct test_object *test = file->data;

	(void)data_only;
	if (!data_range(&beg, &end))
		return 0;
	return mem_object_write_back(&test->object, beg >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT,
				     test_write_run);
}

static void test_advise(struct file *file, uint64_t beg, uint64_t end, int advice)
{
	struct test_object *test = file->data;

	if (data_range(&beg, &end))
		mem_object_advise(&test->object, beg, end, advice);
}

static const struct file_operations test_file_operations = {
	.open = test_open,
	.release = test_release,
	.read = test_read,
	.write = test_write,
	.mmap = test_mmap,
	.fsync = test_fsync,
	.advise = test_advise,
};

void test_object_init(void)
{
	/* A block device: what it holds can be cached, synced and read ahead. */
	if (device_register(TEST_OBJECT_MAJOR, 0, "test-object", S_IFBLK | 0600,
			    &test_file_operations, NULL))
		log_warning("/dev/test-object could not be made");
}
