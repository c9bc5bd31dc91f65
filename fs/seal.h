/*
 * fs/seal.h - seals: what may not be done to a file in memory any more (fcntl(2), "File Sealing").
 *
 * Regular files of tmpfs have them; all but those of memfd_create(2) with MFD_ALLOW_SEALING are
 * born with F_SEAL_SEAL, so that there are never others.
 */
#pragma once

#include <fs/file.h>

/* F_ADD_SEALS: 0, -EPERM, -EINVAL, -EBUSY (F_SEAL_WRITE, but a shared mapping may write). */
int file_add_seals(struct file *file, uint32_t seals);
/* F_GET_SEALS: the set, or -EINVAL. */
int file_get_seals(struct file *file);

/*
 * A write of *left bytes at `pos`, of which less may be allowed: 0 or -EPERM. The inode is locked.
 */
must_check int seal_check_write(const struct inode *inode, uint64_t pos, size_t *left);
/* Bytes become zeros (fallocate): 0 or -EPERM. The inode is locked. */
must_check int seal_check_clear(const struct inode *inode);
/* A new size: 0 or -EPERM. The inode is locked. */
must_check int seal_check_size(const struct inode *inode, uint64_t size);
/* A mapping: 0 or -EPERM; one that shall not write later loses that right. */
must_check int seal_check_map(const struct inode *inode, struct mem_zone *zone);
