/*
 * mm/user_copy.h - the only code that touches user memory from the kernel.
 *
 * A bad address, or one above USER_SPACE_END, is -EFAULT: never a panic. These may sleep (a page
 * may have to be loaded), so: no spinlock, no LOCKED frame, no space lock held, unless faults
 * are disabled; then what is not mapped right now counts as bad.
 */
#pragma once

#include <kernel/base/types.h>
#include <mm/mem_zone.h>

/* 0 or -EFAULT (then an unknown part was copied; from user: the rest of dst is cleared). */
must_check int copy_from_user(void *dst, uintptr_t src, size_t size);
must_check int copy_to_user(uintptr_t dst, const void *src, size_t size);
must_check int clear_user(uintptr_t dst, size_t size);
/* As much as works: returns the number of bytes NOT copied. */
size_t copy_from_user_partial(void *dst, uintptr_t src, size_t size);
size_t copy_to_user_partial(uintptr_t dst, const void *src, size_t size);
/*
 * A string with its NUL into dst[size]. Returns its length without the NUL, -EFAULT, or
 * -ENAMETOOLONG when no NUL came within size bytes.
 */
must_check ssize_t copy_string_from_user(char *dst, uintptr_t src, size_t size);

/* Makes one byte of each page of the range present (readable / writable): 0 or -EFAULT. Sleeps. */
must_check int user_fault_in(uintptr_t addr, size_t size, bool for_write);

/* Nestable, per task: until enabled again, faults of the copy functions fail instead of loading. */
void user_faults_disable(void);
void user_faults_enable(void);

/* Atomic 32-bit operations for futexes. -EFAULT, or 0 with the old value in *old. */
must_check int user_load_u32(uintptr_t addr, uint32_t *value);
must_check int user_cmpxchg_u32(uintptr_t addr, uint32_t expected, uint32_t desired, uint32_t *old);

#define get_user(dst, addr) copy_from_user(&(dst), (addr), sizeof(dst))
#define put_user(addr, src)                                                                        \
	({                                                                                         \
		__typeof__(src) put_user_value_ = (src);                                           \
		copy_to_user((addr), &put_user_value_, sizeof(put_user_value_));                   \
	})

/*
 * A place that bytes go to or come from: user memory, or the kernel's own. Each transfer
 * advances it.
 */
struct io_buffer {
	uintptr_t addr;
	size_t left; /* bytes */
	bool kernel;
};

static inline struct io_buffer io_user(uintptr_t addr, size_t size)
{
	return (struct io_buffer){.addr = addr, .left = size};
}

static inline struct io_buffer io_kernel(void *p, size_t size)
{
	return (struct io_buffer){.addr = (uintptr_t)p, .left = size, .kernel = true};
}

/* At most io->left bytes of `size`. Returns bytes copied, which is short only at a bad address. */
size_t io_put(struct io_buffer *io, const void *src, size_t size);
size_t io_get(struct io_buffer *io, void *dst, size_t size);
/* For data that is all in one buffer: copies text[*pos...] out, as read(2) of a small file. */
ssize_t io_put_text(struct io_buffer *io, const char *text, size_t length, uint64_t pos);
