/* sys/mman.h - mapping files and memory. Flags are Linux's. */
#pragma once

#include <linux/mman.h>
#include <sys/types.h>

#define MAP_FAILED ((void *)-1)

void *mmap(void *address, size_t bytes, int prot, int flags, int fd, off_t offset);
int munmap(void *address, size_t bytes);
int mprotect(void *address, size_t bytes, int prot);
int msync(void *address, size_t bytes, int flags);
int madvise(void *address, size_t bytes, int advice);
void *mremap(void *address, size_t bytes, size_t new_bytes, int flags, ...);
int mincore(void *address, size_t bytes, unsigned char *resident);
