/* fs/tmpfs.h - the file system in memory: tmpfs(5). The root and /dev are of this type. */
#pragma once

#include <fs/mount.h>

struct frame;

/*
 * Puts a filled frame in as page `index` of a regular file (cpio unpacking). Counted, but not
 * held against the limit: the memory was in use before. Takes over the caller's reference on
 * success. Set the file's size with inode_truncate. 0, -EEXIST, -ENOMEM, -EINVAL (no tmpfs file).
 */
must_check int tmpfs_adopt(struct inode *inode, uint64_t index, struct frame *frame);

/*
 * A regular file in memory that no directory has, of a file system of its own with tmpfs's limit:
 * links 0, seals F_SEAL_SEAL. /proc shows it as "/NAME (deleted)". 0, -ENOMEM, -ENOSPC.
 */
must_check int tmpfs_create_nameless(const char *name, uint32_t permissions, struct inode **inode);
/* Its name, or NULL for every other inode. */
const char *tmpfs_nameless(const struct inode *inode);

/* Pages in all tmpfs files, for /proc/meminfo (Shmem). */
uint64_t tmpfs_pages(void);

/* A super block: a root directory of `permissions`, at most `pages` pages (0: half of RAM). */
must_check int tmpfs_create(uint64_t pages, uint32_t permissions, struct super_block **super);

void tmpfs_init(void); /* registers the type "tmpfs"; fs_init */
void tmpfs_init_nameless(void); /* for tmpfs_create_nameless; fs_init */
