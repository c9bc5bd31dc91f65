/* fs/sys_fd.h - what sys_fd.c and sys_fcntl.c share. */
#pragma once

#include <kernel/base/types.h>

/* dup: another descriptor >= min of the same open file, or -EBADF, -EMFILE, -ENOMEM. */
long descriptor_duplicate(int fd, uint32_t flags, unsigned min);
