/*
 * fs/file.h - an open file, and what each kind of file does.
 *
 * This is all that mm/ and kernel/ see of files: a struct file is shared by the descriptors
 * that dup and fork made, and by the zones that map it.
 */
#pragma once

#include <fs/inode.h>
#include <kernel/base/lock.h>
#include <kernel/base/wait.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <mm/user_copy.h>

struct mem_zone;
struct poll_table;

/* Where readdir puts names. `put` returns false when there is no more room. */
struct dir_context {
	bool (*put)(struct dir_context *context, const char *name, size_t length, uint64_t inode,
		    unsigned type /* DT_* */, uint64_t next_position);
	uint64_t position;
};

struct file_operations {
	/*
	 * Bytes done or -errno; pos is the file's position, or pread's. May sleep. The caller has
	 * checked the access mode and moves the position. write of a file whose inode has a
	 * mem_object: the inode is locked, O_APPEND applied, times are the caller's business.
	 */
	ssize_t (*read)(struct file *file, struct io_buffer *io, uint64_t pos);
	ssize_t (*write)(struct file *file, struct io_buffer *io, uint64_t pos);
	/*
	 * The new position or -errno; the caller stores it. NULL: the default for a seekable file
	 * (size from the inode's object); see file->seekable.
	 */
	int64_t (*seek)(struct file *file, int64_t offset, int whence);
	/*
	 * Puts names from context->position on, until `put` refuses; context->position is then
	 * where to go on (the next_position of the last name taken). The inode is locked. 0 or
	 * -errno.
	 */
	int (*readdir)(struct file *file, struct dir_context *context);
	/* -ENOTTY where NULL. FIONBIO, FIOCLEX and the like never come here. */
	int64_t (*ioctl)(struct file *file, unsigned command, uintptr_t arg);
	/* Commands of fcntl(2) that only this kind knows (F_GETPIPE_SZ). -EINVAL where NULL. */
	int64_t (*fcntl)(struct file *file, unsigned command, uintptr_t arg);
	/*
	 * Decides what mapping this file means: sets zone->object, with a reference that mm then
	 * drops (the zone takes its own), and zone->ops; may lower zone->max_prot. No object:
	 * private anonymous memory. NULL: -ENODEV. The zone's place is not known yet: its length is
	 * end - beg. The space is locked for writing.
	 */
	int (*mmap)(struct file *file, struct mem_zone *zone);
	/*
	 * POLL* that hold now; registers with `table` (may be NULL). NULL: always readable and
	 * writable.
	 */
	unsigned (*poll)(struct file *file, struct poll_table *table);
	/*
	 * The file is complete but for what this sets: file->data, seekable, ops (a device node
	 * becomes what it stands for). -errno: open fails, release is not called.
	 */
	int (*open)(struct inode *inode, struct file *file);
	/* The last reference went. Sleeps. */
	void (*release)(struct file *file);
	/*
	 * Bytes [beg, end) last when it returns; data_only: times need not. 0 or -errno. May sleep.
	 */
	int (*fsync)(struct file *file, uint64_t beg, uint64_t end, bool data_only);
	/* POSIX_FADV_WILLNEED, _DONTNEED for bytes [beg, end). NULL: nothing to do. May sleep. */
	void (*advise)(struct file *file, uint64_t beg, uint64_t end, int advice);
};

struct file {
	_Atomic uint32_t refs;
	const struct file_operations *ops; /* [I] */
	struct inode *inode;     /* [I] */
	struct path path;        /* [I] where it was opened, references; NULL for pipes and such */
	_Atomic uint32_t flags;  /* O_*: access mode [I], O_APPEND and O_NONBLOCK may change */
	bool readable, writable; /* [I] */
	bool seekable;           /* [I] else lseek and pread give ESPIPE */
	int8_t writer_share;     /* [I] what it put into inode->writers: 1 writing, -1 executing */
	_Atomic bool locked;     /* has, or had, a flock(2) or OFD lock */
	struct mutex pos_lock;
	uint64_t pos;            /* [pos_lock] */
	void *data;              /* the kind's own */
};

/*
 * An open file with one reference, the caller's, for `inode` (takes its own reference) opened
 * at `path` (its own references; NULL for pipes and the like). flags: O_*, access mode included.
 * seekable is true for regular files, directories and block devices. Does not call ops->open,
 * checks nothing. NULL when memory is out.
 */
must_check struct file *file_create(const struct path *path, struct inode *inode,
				    const struct file_operations *ops, uint32_t flags);

/*
 * read and write at *pos, which moves: what the system calls do after the descriptor is found.
 * Checks the access mode (EBADF), limits, O_APPEND; keeps the times. Bytes or -errno.
 */
ssize_t file_read(struct file *file, struct io_buffer *io, uint64_t *pos);
ssize_t file_write(struct file *file, struct io_buffer *io, uint64_t *pos);

/*
 * fsync(2) of bytes [beg, end): 0, -EINVAL where there is nothing that could last, -EIO. sys_sync.c
 */
must_check int file_sync(struct file *file, uint64_t beg, uint64_t end, bool data_only);
/* fallocate(2) and its errors. Takes the inode's lock. sys_allocate.c */
must_check int file_allocate(struct file *file, int mode, int64_t offset, int64_t length);

static inline void file_get(struct file *file)
{
	atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
}

/* The last reference calls ops->release. Sleeps: never under a spinlock or the space's lock. */
void file_put(struct file *file);

/* A descriptor of the calling task: a file with a reference, or NULL (EBADF). O_PATH ones too. */
must_check struct file *file_from_descriptor(int descriptor);

/*
 * For execve: opens `path` (user's name already copied in) for execution. Checks type and x bits.
 */
must_check int file_open_exec(const char *path, struct file **file);
/* Reads up to size bytes at pos into kernel memory: bytes read or -errno. */
ssize_t file_read_kernel(struct file *file, void *buf, size_t size, uint64_t pos);
/* Writes all of buf at pos: bytes written (short: the next call tells why) or -errno. */
ssize_t file_write_kernel(struct file *file, const void *buf, size_t size, uint64_t pos);

/* For regular files whose inode has a mem_object: read, write, mmap through the page cache. */
extern const struct file_operations cached_file_operations;
/* FIFOs on disk: open waits for the other end. fs/pipe.c. */
extern const struct file_operations fifo_file_operations;

/* It was opened on a file system mounted noexec: mappings of it are not executable. */
bool file_forbids_execution(const struct file *file);
/* The caller may learn which of its pages are cached: could write it, or owns it (mincore(2)). */
bool file_residency_visible(const struct file *file);

/*
 * The file's name from the root into buf, " (deleted)" appended when unlinked; "pipe:[N]" and
 * the like for files without a path. Returns buf.
 */
const char *file_path_name(struct file *file, char *buf, size_t size);

/*
 * poll(2) in three steps: ops->poll calls poll_wait for each queue that can change its answer;
 * the poller sleeps; poll_table_end takes it off all queues. fs/poll.c.
 */
void poll_wait(struct poll_table *table, struct wait_queue *queue);

/* What fork, exec and exit need of descriptor tables and directories. */
struct file_table;
struct fs_context;
must_check int file_table_copy(struct file_table *from, struct file_table **copy);
struct file_table *file_table_get(struct file_table *table);
void file_table_put(struct file_table *table);          /* closes all with the last reference */
void file_table_close_on_exec(struct file_table *table);
must_check int fs_context_copy(struct fs_context *from, struct fs_context **copy);
struct fs_context *fs_context_get(struct fs_context *context);
void fs_context_put(struct fs_context *context);
