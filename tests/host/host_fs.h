/*
 * tests/host/host_fs.h - the file layer inside a test program: a root tmpfs, one task.
 *
 * The sources of fs/ and the page cache are the kernel's own, built freestanding; host_fs.c
 * stands in for what is below and beside them. "User" memory is the test's own, so the system
 * calls (fs/sys_file.h) take ordinary pointers; NULL and addresses above user space are bad.
 */
#pragma once

#include <stdint.h>

/* Memory, the root file system (mode 0755), working directory "/", umask 0, uid 0. */
void host_fs_begin(uint64_t ram_bytes);
/* Takes all of it down again; the heap must then be empty (host_memory_end says so). */
void host_fs_end(void);

/* The calling process's effective ids; the real ones stay 0. */
void host_fs_become(uint32_t uid, uint32_t gid);
/* RLIMIT_NOFILE and the like. */
void host_fs_limit(unsigned which, uint64_t limit);
/* How many signals were sent since the last question. */
unsigned host_fs_signals(void);
