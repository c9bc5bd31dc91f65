/*
 * fs/device.h - device numbers: from a node in /dev to the code behind it.
 *
 * A number is kept as stat(2) shows it: makedev(3)'s encoding.
 */
#pragma once

#include <kernel/base/types.h>

struct file_operations;

static inline uint64_t device_number(unsigned major, unsigned minor)
{
	return (minor & 0xffu) | (uint64_t)(major & 0xfffu) << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

static inline unsigned device_major(uint64_t device)
{
	return (unsigned)(device >> 8) & 0xfffu;
}

static inline unsigned device_minor(uint64_t device)
{
	return (unsigned)(device & 0xffu) | ((unsigned)(device >> 12) & ~0xffu);
}

/*
 * Opening a node with this number gives files of `ops`, file->data = data (then ops->open is
 * called, if any). Makes the node /dev/NAME (NAME may have slashes: directories are made) with
 * `mode` (S_IFCHR or S_IFBLK and permission bits), at once, or when /dev is mounted. May be
 * called by drivers before fs_init, as soon as the heap works. 0, -EEXIST, -ENOMEM.
 */
must_check int device_register(unsigned major, unsigned minor, const char *name, uint32_t mode,
			       const struct file_operations *ops, void *data);

/* What nodes are opened with: looks the number up; -ENXIO where nothing is registered. */
extern const struct file_operations device_node_operations;

/* Mounts the tmpfs of /dev and makes the nodes registered so far. fs_init. */
must_check int device_mount_devfs(void);
