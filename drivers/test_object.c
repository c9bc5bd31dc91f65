/*
 * drivers/test_object.c - /dev/test-object: what lazy loading and write-back do, made countable.
 *
 * Every open makes an object of TEST_OBJECT_PAGES pages, with a backing store of its own in memory;
 * a fork or dup shares it. Mapping it goes through the same page cache, faults and write-back as a
 * file on a disk would. read(2) tells the counts so far as text:
 *
 *   loads N    pages filled from the store
 *   dirties N  pages announced for writing
 *   runs N     requests to write neighbouring pages
 *   pages N    pages written to the store
 *
 * and from offset STORE_OFFSET on what the store holds, for comparison with what a mapping shows.
 *
 * write(2) of "fail-load I" makes loading page I an I/O error; of "fail-sync", the next request to
 * write. Only root may open it. Tests: tests/guest/test_object.c, race_writeback.c.
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
#define STORE_OFFSET (1UL << 20)
#define NO_PAGE UINT64_MAX

struct test_object {
	struct mem_object object;
	char *store;
	_Atomic uint64_t loads, dirties, runs, pages;
	_Atomic uint64_t fail_load; /* a page, or NO_PAGE */
	_Atomic bool fail_sync;
};

static struct test_object *test_object_of(struct mem_object *object)
{
	return container_of(object, struct test_object, object);
}

static int test_load(struct mem_object *object, uint64_t index, struct frame *frame)
{
	struct test_object *test = test_object_of(object);

	atomic_fetch_add(&test->loads, 1);
	if (index == atomic_load(&test->fail_load))
		return -EIO;
	memcpy(frame_virt(frame), test->store + index * PAGE_SIZE, PAGE_SIZE);
	return 0;
}

static int test_dirty(struct mem_object *object, struct frame *frame)
{
	(void)frame;
	atomic_fetch_add(&test_object_of(object)->dirties, 1);
	return 0;
}

static int test_write_run(struct mem_object *object, uint64_t index, struct frame **frames, size_t count)
{
	struct test_object *test = test_object_of(object);

	if (atomic_exchange(&test->fail_sync, false))
		return -EIO;
	atomic_fetch_add(&test->runs, 1);
	atomic_fetch_add(&test->pages, count);
	for (size_t i = 0; i < count; i++)
		memcpy(test->store + (index + i) * PAGE_SIZE, frame_virt(frames[i]), PAGE_SIZE);
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

static int test_open(struct inode *inode, struct file *file)
{
	struct test_object *test = kzalloc(sizeof(*test));

	(void)inode;
	if (!test)
		return -ENOMEM;
	test->store = kzalloc(TEST_OBJECT_PAGES * PAGE_SIZE);
	if (!test->store) {
		kfree(test);
		return -ENOMEM;
	}
	atomic_store(&test->fail_load, NO_PAGE);
	mem_object_init(&test->object, &test_operations, TEST_OBJECT_PAGES * PAGE_SIZE);
	file->data = test;
	file->seekable = true; /* the counts can be read again */
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

static ssize_t test_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct test_object *test = file->data;
	char text[128];
	int length;

	if (pos >= STORE_OFFSET)
		return io_put_text(io, test->store, TEST_OBJECT_PAGES * PAGE_SIZE, pos - STORE_OFFSET);
	length = snprintf(text, sizeof(text), "loads %lu\ndirties %lu\nruns %lu\npages %lu\n",
			  atomic_load(&test->loads), atomic_load(&test->dirties),
			  atomic_load(&test->runs), atomic_load(&test->pages));
	return io_put_text(io, text, (size_t)length, pos);
}

static ssize_t test_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	static const char fail_load[] = "fail-load ";
	struct test_object *test = file->data;
	char text[32] = "";
	size_t size = io_get(io, text, sizeof(text) - 1);

	(void)pos;
	if (strncmp(text, fail_load, sizeof(fail_load) - 1) == 0) {
		uint64_t page = 0;

		for (const char *c = text + sizeof(fail_load) - 1; *c >= '0' && *c <= '9'; c++)
			page = page * 10 + (uint64_t)(*c - '0');
		atomic_store(&test->fail_load, page);
	} else if (strncmp(text, "fail-sync", sizeof("fail-sync") - 1) == 0) {
		atomic_store(&test->fail_sync, true);
	} else {
		return -EINVAL;
	}
	return (ssize_t)size;
}

static int test_fsync(struct file *file, bool data_only)
{
	struct test_object *test = file->data;

	(void)data_only;
	return mem_object_write_back(&test->object, 0, TEST_OBJECT_PAGES - 1, test_write_run);
}

static const struct file_operations test_file_operations = {
	.open = test_open,
	.release = test_release,
	.read = test_read,
	.write = test_write,
	.mmap = test_mmap,
	.fsync = test_fsync,
};

void test_object_init(void)
{
	if (device_register(TEST_OBJECT_MAJOR, 0, "test-object", S_IFCHR | 0600, &test_file_operations, NULL))
		log_warning("/dev/test-object could not be made");
}
