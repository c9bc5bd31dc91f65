/*
 * drivers/random.h - unpredictable bytes: getrandom(2), /dev/urandom, AT_RANDOM, stack canaries.
 */
#pragma once

#include <mm/user_copy.h>

/* Fills the buffer. Any context, from the first instruction of kernel_main on. */
void random_bytes(void *buf, size_t size);
/* Stirs something in that an attacker may not know (written to /dev/urandom, boot data). */
void random_stir(const void *bytes, size_t size);
/* read(2) of /dev/urandom: fills `io`. Bytes done, -EFAULT. A signal cuts long reads short. */
ssize_t random_read(struct io_buffer *io);

long sys_getrandom(uintptr_t buf, size_t size, unsigned flags);
