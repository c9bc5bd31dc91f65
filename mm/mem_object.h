/*
 * mm/mem_object.h - something mappable, and its page cache.
 *
 * A file's inode embeds one; shared anonymous memory and devices make their own. read(2),
 * write(2) and every mapping see the same frames. A frame is in the cache LOCKED and not
 * UPTODATE while `load` fills it, so two faults load once and the second waits.
 *
 * Locks: frame LOCKED -> zones_lock -> page tables -> index_lock.
 */
#pragma once

#include <kernel/base/lock.h>
#include <mm/frame.h>
#include <mm/mem_zone.h>
#include <mm/page_index.h>
#include <mm/user_copy.h>

struct mem_object;

/* What map_device answers: a page that is no RAM of ours. */
struct device_page {
	phys_t phys;
	bool uncached;
	const void *memory; /* the driver's own mapping of it: what a private store copies */
};

struct mem_operations {
	/* fork or a split made another zone of it; cannot fail. May be NULL. */
	void (*open)(struct mem_zone *zone);
	/*
	 * Fill a LOCKED frame with page `index`. May sleep. 0 or -errno (a fault then is SIGBUS).
	 * The frame's contents are undefined on entry; every byte must be written, zeros past the
	 * end of the file.
	 */
	int (*load)(struct mem_object *object, uint64_t index, struct frame *frame);
	/*
	 * Memory is the file: what is not cached was never written, so read(2) need not load it to
	 * know that it is zeros, and a fault that loads is a minor one. Pages count as shared
	 * memory.
	 */
	bool in_memory;
	/*
	 * Before a page's first write: reserve what write-back will need. May sleep. May be NULL.
	 */
	int (*dirty)(struct mem_object *object, struct frame *frame);
	/*
	 * Make pages [first, last] durable: usually mem_object_write_back with the file system's
	 * own writer. NULL: nothing to do (memory is the file).
	 */
	int (*sync)(struct mem_object *object, uint64_t first, uint64_t last, int flags);
	/* A device's page instead of load. NULL for everything made of frames. */
	int (*map_device)(struct mem_object *object, uint64_t index, struct device_page *page);
	/* The zone is gone (pages unmapped, space unlocked). May sleep. May be NULL. */
	void (*release)(struct mem_zone *zone);
	/* The last reference to the object went; its cache is empty. Frees it. May sleep. */
	void (*destroy)(struct mem_object *object);
};

struct mem_object {
	const struct mem_operations *ops; /* [I] */
	_Atomic uint32_t refs;            /* owner + zones + faults under way */
	_Atomic uint64_t size;            /* bytes; a fault on a page past the end is SIGBUS */
	struct spinlock index_lock;
	struct page_index pages;          /* [index_lock] */
	_Atomic uint64_t cached;          /* frames in `pages` */
	_Atomic int32_t writers;          /* shared zones that may write; < 0: there may be none */
	struct mutex zones_lock;
	struct list_node zones;           /* zones that map it [zones_lock] */
};

/* One reference, the caller's. */
void mem_object_init(struct mem_object *object, const struct mem_operations *ops, uint64_t size);
void mem_object_get(struct mem_object *object);
void mem_object_put(struct mem_object *object); /* may sleep */

/*
 * One more shared zone may write; false if that was forbidden. mem_object_forbid_writers forbids it
 * for good, and is false while there are any.
 */
must_check bool mem_object_writer_get(struct mem_object *object);
void mem_object_writer_put(struct mem_object *object);
must_check bool mem_object_forbid_writers(struct mem_object *object);

/*
 * Page `index`, UPTODATE, loaded if need be; the caller gets a reference. May sleep. -EIO and
 * whatever `load` returns; -ENOMEM. Does not look at size: pages past the end read as `load`
 * says.
 */
must_check int mem_object_frame(struct mem_object *object, uint64_t index, struct frame **frame);
/* Only if it is cached and UPTODATE already: a reference, or NULL. Does not sleep. */
struct frame *mem_object_find(struct mem_object *object, uint64_t index);
/*
 * The same for `index` and the pages behind it, up to the first that is not and `most` at the most:
 * how many are now in `frames`, a reference to each.
 */
unsigned mem_object_find_run(struct mem_object *object, uint64_t index, struct frame **frames,
			     unsigned most);
/*
 * The first cached page of [*index, last], whatever its state: a reference and its index in
 * *index, or NULL. Does not sleep.
 */
struct frame *mem_object_next(struct mem_object *object, uint64_t *index, uint64_t last);
/*
 * Puts a filled frame in as page `index` (cpio unpacking): UPTODATE and DIRTY; the cache takes
 * over the caller's reference. -EEXIST, -ENOMEM: the caller keeps it.
 */
must_check int mem_object_adopt(struct mem_object *object, uint64_t index, struct frame *frame);

/* A LOCKED frame: sleeping, rank RANK_FRAME. */
void frame_lock(struct frame *frame);
bool frame_trylock(struct frame *frame);
void frame_unlock(struct frame *frame);

/*
 * read(2) and write(2) of a cached file. `pos` in bytes. Return bytes done (short at the end
 * of the file, or at a bad address after some), or -errno when none were. write extends size
 * as it goes; the caller holds the inode's lock. A reader needs no lock.
 */
ssize_t mem_object_read(struct mem_object *object, struct io_buffer *io, uint64_t pos);
ssize_t mem_object_write(struct mem_object *object, struct io_buffer *io, uint64_t pos);

/*
 * Sets a new size. Shrinking: stores the size, detaches the pages past it, removes them from
 * every mapping, private copies too; zeroes the tail of the last page. The owner's lock (inode)
 * is held. Returns the number of frames that left the cache: also what fallocate(2) kept past the
 * end, even if the size stays.
 */
uint64_t mem_object_truncate(struct mem_object *object, uint64_t size);
/* Drops pages [first, last] (a punched hole); private copies stay. Returns frames dropped. */
uint64_t mem_object_punch(struct mem_object *object, uint64_t first, uint64_t last);
/*
 * Makes bytes [beg, end) zeros: whole pages are punched, of others the part is cleared. For objects
 * whose absent pages are zeros. The owner's lock is held. Returns frames dropped.
 */
uint64_t mem_object_clear(struct mem_object *object, uint64_t beg, uint64_t end);

/* Loads what is missing of pages [first, last] within the size, as far as is reasonable. Sleeps. */
void mem_object_prefetch(struct mem_object *object, uint64_t first, uint64_t last);
/*
 * Lets clean pages of [first, last] go that nobody maps or uses, where the object has a store to
 * load them from again. Sleeps.
 */
void mem_object_forget(struct mem_object *object, uint64_t first, uint64_t last);
/*
 * Bytes [beg, end), not empty, will be needed (POSIX_FADV_WILLNEED) or not (_DONTNEED): one of
 * these.
 */
void mem_object_advise(struct mem_object *object, uint64_t beg, uint64_t end, int advice);
/* How many pages of [first, last] are cached. */
uint64_t mem_object_count(struct mem_object *object, uint64_t first, uint64_t last);
/*
 * SEEK_DATA and SEEK_HOLE of an object whose absent pages are zeros: the first byte at or after
 * `pos` of a page that is cached, or is not; the size when there is none before it.
 */
uint64_t mem_object_next_data(struct mem_object *object, uint64_t pos);
uint64_t mem_object_next_hole(struct mem_object *object, uint64_t pos);

/*
 * Writes out a run of LOCKED, clean, write-protected frames; page `index` first. Of the last one
 * only what lies before the file's end: `bytes` in all, more than count - 1 pages. 0 or -errno.
 */
typedef int (*mem_write_run)(struct mem_object *object, uint64_t index, struct frame **frames,
			     size_t count, size_t bytes);
/*
 * Each dirty page of [first, last] once: {clear DIRTY, write-protect everywhere, flush}, then
 * `write` in runs of neighbours. A page that could not be written is DIRTY again. The first
 * error is returned after all were tried.
 */
int mem_object_write_back(struct mem_object *object, uint64_t first, uint64_t last,
			  mem_write_run write);

/* Anonymous memory that is shared: an object of its own, of `size` bytes, refs 1. */
must_check int anon_object_create(uint64_t size, struct mem_object **object);
