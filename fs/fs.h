/* fs/fs.h - the file systems as kernel_main sees them. */
#pragma once

#include <kernel/base/types.h>

struct task;

/*
 * Sets up the tmpfs root, /dev and /proc, and gives the first task (the caller) its descriptor
 * table and directories. Before any initrd is unpacked. Panics when memory is out.
 */
void fs_init(void);

/* Unpacks a newc archive that lies in memory (direct map), over the root. The frames of
 * page-aligned file data become page cache (their RAM then belongs to the file); the caller
 * frees what is left through `unused`, which is called for each range not taken.
 * 0 or -errno (-EINVAL: not an archive), with a log line.
 */
must_check int initrd_unpack(phys_t beg, phys_t end, void (*unused)(phys_t beg, phys_t end));

/* The same from a stream (fw_cfg): `read` fills buf completely, in order. 0 or -errno. */
must_check int initrd_unpack_stream(void (*read)(void *buf, size_t size), uint64_t total);

/* Opens /dev/console as descriptors 0, 1, 2 of the calling task: 0 or -errno. */
must_check int fs_open_console(void);

/*
 * The parts that fs_init puts together; each panics when memory is out.
 * pipe_init: before anything is opened. devfs_init: /dev is mounted (a tmpfs): registers the
 * memory devices (fs/device.h), makes the links fd, stdin, stdout, stderr and the directory shm.
 * procfs_init: registers the type "proc", which fs_init then mounts on /proc.
 */
void pipe_init(void);   /* fs/pipe.c */
void devfs_init(void);  /* fs/devfs.c */
void procfs_init(void); /* fs/procfs.c */
