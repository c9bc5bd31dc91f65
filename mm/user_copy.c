/*
 * mm/user_copy.c - copying to and from user memory (mm/user_copy.h).
 *
 * Addresses are checked here, against USER_SPACE_END; whether the page can be had is the page
 * fault's business, taken on the instructions of user_access.asm. SMAP is lifted (STAC) around
 * them only, where the processor has it.
 */
#include <kernel/base/cpu.h>
#include <kernel/base/errno.h>
#include <kernel/task.h>
#include <mm/user_copy.h>
#include <mm/user_copy_fixup.h>
#include <string.h>

struct fixup {
	uintptr_t instruction, target;
};
extern const struct fixup user_copy_fixups[];

size_t user_copy_raw(void *dst, const void *src, size_t size);
size_t user_clear_raw(void *dst, size_t size);
ssize_t user_string_raw(char *dst, const char *src, size_t size);
int user_load_u32_raw(const uint32_t *src, uint32_t *value);
int user_cmpxchg_u32_raw(uint32_t *at, uint32_t expected, uint32_t desired, uint32_t *old);

uintptr_t user_copy_fixup(uintptr_t rip)
{
	for (const struct fixup *fixup = user_copy_fixups; fixup->instruction; fixup++)
		if (fixup->instruction == rip)
			return fixup->target;
	return 0;
}

static bool range_is_user(uintptr_t addr, size_t size)
{
	return addr < USER_SPACE_END && size <= USER_SPACE_END - addr;
}

static void user_access_begin(void)
{
	might_fault();
	if (cpu_features.smap)
		__asm__ volatile("stac" : : : "memory", "cc");
}

static void user_access_end(void)
{
	if (cpu_features.smap)
		__asm__ volatile("clac" : : : "memory", "cc");
}

size_t copy_from_user_partial(void *dst, uintptr_t src, size_t size)
{
	size_t left;

	if (!range_is_user(src, size))
		return size;
	user_access_begin();
	left = user_copy_raw(dst, (const void *)src, size);
	user_access_end();
	return left;
}

size_t copy_to_user_partial(uintptr_t dst, const void *src, size_t size)
{
	size_t left;

	if (!range_is_user(dst, size))
		return size;
	user_access_begin();
	left = user_copy_raw((void *)dst, src, size);
	user_access_end();
	return left;
}

int copy_from_user(void *dst, uintptr_t src, size_t size)
{
	size_t left = copy_from_user_partial(dst, src, size);

	if (left == 0)
		return 0;
	memset((char *)dst + size - left, 0, left);
	return -EFAULT;
}

int copy_to_user(uintptr_t dst, const void *src, size_t size)
{
	return copy_to_user_partial(dst, src, size) == 0 ? 0 : -EFAULT;
}

int clear_user(uintptr_t dst, size_t size)
{
	size_t left;

	if (!range_is_user(dst, size))
		return -EFAULT;
	user_access_begin();
	left = user_clear_raw((void *)dst, size);
	user_access_end();
	return left == 0 ? 0 : -EFAULT;
}

ssize_t copy_string_from_user(char *dst, uintptr_t src, size_t size)
{
	size_t limit;
	ssize_t length;

	if (src >= USER_SPACE_END)
		return -EFAULT;
	limit = MIN(size, USER_SPACE_END - src);
	user_access_begin();
	length = user_string_raw(dst, (const char *)src, limit);
	user_access_end();
	if (length < 0)
		return -EFAULT;
	if ((size_t)length == limit)
		return limit == size ? -ENAMETOOLONG : -EFAULT;
	return length;
}

int user_load_u32(uintptr_t addr, uint32_t *value)
{
	int result;

	if (!range_is_user(addr, sizeof(*value)))
		return -EFAULT;
	user_access_begin();
	result = user_load_u32_raw((const uint32_t *)addr, value);
	user_access_end();
	return result ? -EFAULT : 0;
}

int user_cmpxchg_u32(uintptr_t addr, uint32_t expected, uint32_t desired, uint32_t *old)
{
	int result;

	if (!range_is_user(addr, sizeof(*old)))
		return -EFAULT;
	user_access_begin();
	result = user_cmpxchg_u32_raw((uint32_t *)addr, expected, desired, old);
	user_access_end();
	return result ? -EFAULT : 0;
}

/* The word around addr, which the caller knows to be a user's. */
static int touch_for_read(uintptr_t addr)
{
	uint32_t value;
	int result;

	user_access_begin();
	result = user_load_u32_raw((const uint32_t *)ALIGN_DOWN(addr, sizeof(value)), &value);
	user_access_end();
	return result ? -EFAULT : 0;
}

/* Adding 0 atomically writes without changing anything. */
static int touch_for_write(uintptr_t addr)
{
	uint32_t old;

	return user_cmpxchg_u32(ALIGN_DOWN(addr, sizeof(old)), 0, 0, &old);
}

int user_fault_in(uintptr_t addr, size_t size, bool for_write)
{
	uintptr_t page = addr;
	int error = 0;

	if (size == 0)
		return 0;
	if (!range_is_user(addr, size))
		return -EFAULT;
	for (; page < addr + size && !error; page = PAGE_ALIGN_DOWN(page) + PAGE_SIZE)
		error = for_write ? touch_for_write(page) : touch_for_read(page);
	return error;
}

void user_faults_disable(void)
{
	current_task()->user_faults_disabled++;
}

void user_faults_enable(void)
{
	current_task()->user_faults_disabled--;
}

size_t io_put(struct io_buffer *io, const void *src, size_t size)
{
	size_t done = MIN(size, io->left);

	if (io->kernel)
		memcpy((void *)io->addr, src, done);
	else
		done -= copy_to_user_partial(io->addr, src, done);
	io->addr += done;
	io->left -= done;
	return done;
}

size_t io_get(struct io_buffer *io, void *dst, size_t size)
{
	size_t done = MIN(size, io->left);

	if (io->kernel)
		memcpy(dst, (const void *)io->addr, done);
	else
		done -= copy_from_user_partial(dst, io->addr, done);
	io->addr += done;
	io->left -= done;
	return done;
}

ssize_t io_put_text(struct io_buffer *io, const char *text, size_t length, uint64_t pos)
{
	size_t wanted, done;

	if (pos >= length)
		return 0;
	wanted = MIN(io->left, length - pos);
	done = io_put(io, text + pos, wanted);
	return done || !wanted ? (ssize_t)done : -EFAULT;
}
