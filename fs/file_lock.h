/*
 * fs/file_lock.h - advisory locks: byte ranges of fcntl(2) (F_SETLK, F_OFD_SETLK) and flock(2).
 *
 * The owner of a range is the descriptor table (it goes with any close of the file by that
 * process) or, for OFD locks, the open file; the owner of a flock is the open file.
 */
#pragma once

#include <kernel/base/types.h>
#include <linux/fcntl.h>

struct file;
struct inode;

/* A range in bytes, both ends included. */
struct lock_range {
	uint64_t first, last;
	int16_t type; /* F_RDLCK, F_WRLCK, F_UNLCK */
};

/*
 * Sets, changes or (F_UNLCK) removes the owner's lock on the range. A conflict is -EAGAIN, or
 * with `wait` slept for (-ERESTARTSYS on a signal). -ENOMEM. Deadlocks are not looked for.
 */
must_check int file_lock_range(struct file *file, const void *owner, int pid,
			       const struct lock_range *range, bool wait);
/* What stands in the way of `range`: true and *conflict, *pid are set; or false. */
bool file_lock_conflict(struct file *file, const void *owner, const struct lock_range *range,
			struct lock_range *conflict, int *pid);
/* flock(2): LOCK_SH, LOCK_EX or LOCK_UN, and LOCK_NB. 0, -EWOULDBLOCK, -ERESTARTSYS, -ENOMEM. */
must_check int file_flock(struct file *file, int operation);

/* All locks of that owner on that inode go (close). Cheap where there never were any. */
void file_locks_drop(struct inode *inode, const void *owner);
/* The inode goes. */
void file_locks_free(struct inode *inode);
