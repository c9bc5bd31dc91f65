/*
 * fs/file_lock.c - advisory locks: byte ranges (fcntl) and whole files (flock).
 *
 * Each inode that was ever locked has a struct file_locks with two plain lists: the ranges,
 * of which one owner's never overlap each other, and the flocks, at most one per open file.
 * Setting a range: look for another owner's lock that conflicts, cut the owner's own locks out
 * of the range, put the new one in. Whoever finds a conflict sleeps on `changed` and tries again.
 *
 * Locks: file_locks.lock, a spinlock; records are allocated before it is taken.
 * Not here: who the owner is and the user's struct flock (sys_fd.c).
 */
#include <fs/file.h>
#include <fs/file_lock.h>
#include <kernel/base/list.h>
#include <mm/heap.h>

struct file_locks {
	struct spinlock lock;	   /* RANK_FILES: the lists */
	struct list_node ranges;   /* struct held_lock */
	struct list_node flocks;   /* struct held_lock, range unused but for its type */
	struct wait_queue changed; /* a lock went or became weaker */
};

struct held_lock {
	struct list_node link;
	struct lock_range range;
	const void *owner;
	int pid;
};

/* The inode's locks, made at first use: NULL when memory is out. */
static struct file_locks *file_locks_of(struct inode *inode)
{
	struct file_locks *locks = atomic_load(&inode->locks);
	struct file_locks *fresh;

	if (locks)
		return locks;
	fresh = kzalloc(sizeof(*fresh));
	if (!fresh)
		return NULL;
	spin_init(&fresh->lock, RANK_FILES);
	list_init(&fresh->ranges);
	list_init(&fresh->flocks);
	wait_queue_init(&fresh->changed);
	if (!atomic_compare_exchange_strong(&inode->locks, &locks, fresh)) {
		kfree(fresh);
		return locks;
	}
	return fresh;
}

static bool ranges_conflict(const struct lock_range *a, const struct lock_range *b)
{
	return a->first <= b->last && b->first <= a->last &&
	       (a->type == F_WRLCK || b->type == F_WRLCK);
}

static struct held_lock *find_conflict(struct list_node *list, const void *owner,
				       const struct lock_range *range)
{
	struct held_lock *held;

	list_for_each_entry(held, list, link)
		if (held->owner != owner && ranges_conflict(&held->range, range))
			return held;
	return NULL;
}

/*
 * Cuts `range` out of the owner's locks. At most one of them contains it wholly and falls in
 * two: *spare becomes the upper part then. Locks that vanish are moved to `gone`.
 */
static void cut_range(struct file_locks *locks, const void *owner, const struct lock_range *range,
		      struct held_lock **spare, struct list_node *gone)
{
	struct held_lock *held, *next, *upper;

	list_for_each_entry_safe(held, next, &locks->ranges, link) {
		if (held->owner != owner || held->range.first > range->last ||
		    held->range.last < range->first)
			continue;
		if (held->range.first < range->first && held->range.last > range->last) {
			upper = *spare;
			*spare = NULL;
			upper->owner = owner;
			upper->pid = held->pid;
			upper->range = held->range;
			upper->range.first = range->last + 1;
			held->range.last = range->first - 1;
			list_push_back(&locks->ranges, &upper->link);
		} else if (held->range.first < range->first) {
			held->range.last = range->first - 1;
		} else if (held->range.last > range->last) {
			held->range.first = range->last + 1;
		} else {
			list_remove(&held->link);
			list_push_back(gone, &held->link);
		}
	}
}

static void free_all(struct list_node *gone)
{
	struct held_lock *held, *next;

	list_for_each_entry_safe(held, next, gone, link)
		kfree(held);
}

/* One lock under way: the records it may need, and who asks. */
struct lock_attempt {
	struct file_locks *locks;
	const void *owner;
	const struct lock_range *range;
	struct held_lock *fresh, *spare;
	struct list_node gone;
};

static bool try_lock_range(struct lock_attempt *attempt)
{
	struct file_locks *locks = attempt->locks;
	bool done = false;

	spin_lock(&locks->lock);
	if (attempt->range->type == F_UNLCK ||
	    !find_conflict(&locks->ranges, attempt->owner, attempt->range)) {
		cut_range(locks, attempt->owner, attempt->range, &attempt->spare, &attempt->gone);
		if (attempt->range->type != F_UNLCK) {
			list_push_back(&locks->ranges, &attempt->fresh->link);
			attempt->fresh = NULL;
		}
		done = true;
	}
	spin_unlock(&locks->lock);
	return done;
}

int file_lock_range(struct file *file, const void *owner, int pid, const struct lock_range *range,
		    bool wait)
{
	struct lock_attempt attempt = {.owner = owner, .range = range};
	int error = 0;

	if (range->type == F_UNLCK && !atomic_load(&file->inode->locks))
		return 0;
	attempt.locks = file_locks_of(file->inode);
	attempt.fresh = kzalloc(sizeof(*attempt.fresh));
	attempt.spare = kzalloc(sizeof(*attempt.spare));
	list_init(&attempt.gone);
	if (!attempt.locks || !attempt.fresh || !attempt.spare) {
		error = -ENOMEM;
		goto free_records;
	}
	attempt.fresh->range = *range;
	attempt.fresh->owner = owner;
	attempt.fresh->pid = pid;
	if (owner == file)
		atomic_store(&file->locked, true);
	if (!try_lock_range(&attempt)) {
		if (wait)
			error = wait_event_interruptible(&attempt.locks->changed,
							 try_lock_range(&attempt));
		else
			error = -EAGAIN;
	}
	if (!error && range->type != F_WRLCK)
		wake_up_all(&attempt.locks->changed);
free_records:
	free_all(&attempt.gone);
	kfree(attempt.fresh);
	kfree(attempt.spare);
	return error;
}

bool file_lock_conflict(struct file *file, const void *owner, const struct lock_range *range,
			struct lock_range *conflict, int *pid)
{
	struct file_locks *locks = atomic_load(&file->inode->locks);
	struct held_lock *held;

	if (!locks)
		return false;
	spin_lock(&locks->lock);
	held = find_conflict(&locks->ranges, owner, range);
	if (held) {
		*conflict = held->range;
		*pid = held->pid;
	}
	spin_unlock(&locks->lock);
	return held;
}

/* flock converts by giving up first, so that two that upgrade do not wait for each other. */
static bool try_flock(struct lock_attempt *attempt)
{
	struct file_locks *locks = attempt->locks;
	struct held_lock *held, *next;
	bool done;

	spin_lock(&locks->lock);
	list_for_each_entry_safe(held, next, &locks->flocks, link)
		if (held->owner == attempt->owner) {
			list_remove(&held->link);
			list_push_back(&attempt->gone, &held->link);
		}
	done = !find_conflict(&locks->flocks, attempt->owner, attempt->range);
	if (done && attempt->fresh) {
		list_push_back(&locks->flocks, &attempt->fresh->link);
		attempt->fresh = NULL;
	}
	spin_unlock(&locks->lock);
	return done;
}

static int flock_set(struct file *file, const struct lock_range *range, bool wait)
{
	struct lock_attempt attempt = {.owner = file, .range = range};
	int error = 0;

	attempt.locks = file_locks_of(file->inode);
	attempt.fresh = kzalloc(sizeof(*attempt.fresh));
	list_init(&attempt.gone);
	if (!attempt.locks || !attempt.fresh) {
		kfree(attempt.fresh);
		return -ENOMEM;
	}
	attempt.fresh->range = *range;
	attempt.fresh->owner = file;
	atomic_store(&file->locked, true);
	if (!try_flock(&attempt)) {
		wake_up_all(&attempt.locks->changed);
		if (wait)
			error = wait_event_interruptible(&attempt.locks->changed,
							 try_flock(&attempt));
		else
			error = -EWOULDBLOCK;
	}
	wake_up_all(&attempt.locks->changed);
	free_all(&attempt.gone);
	kfree(attempt.fresh);
	return error;
}

static void drop_owner(struct list_node *list, const void *owner, struct list_node *gone)
{
	struct held_lock *held, *next;

	list_for_each_entry_safe(held, next, list, link)
		if (held->owner == owner) {
			list_remove(&held->link);
			list_push_back(gone, &held->link);
		}
}

int file_flock(struct file *file, int operation)
{
	struct lock_range whole = {.last = UINT64_MAX};
	struct file_locks *locks;
	struct list_node gone;

	switch (operation & ~LOCK_NB) {
	case LOCK_SH:
		whole.type = F_RDLCK;
		return flock_set(file, &whole, !(operation & LOCK_NB));
	case LOCK_EX:
		whole.type = F_WRLCK;
		return flock_set(file, &whole, !(operation & LOCK_NB));
	case LOCK_UN:
		locks = atomic_load(&file->inode->locks);
		if (!locks)
			return 0;
		list_init(&gone);
		spin_lock(&locks->lock);
		drop_owner(&locks->flocks, file, &gone);
		spin_unlock(&locks->lock);
		wake_up_all(&locks->changed);
		free_all(&gone);
		return 0;
	default:
		return -EINVAL;
	}
}

void file_locks_drop(struct inode *inode, const void *owner)
{
	struct file_locks *locks = atomic_load_explicit(&inode->locks, memory_order_acquire);
	struct list_node gone;

	if (likely(!locks))
		return;
	list_init(&gone);
	spin_lock(&locks->lock);
	drop_owner(&locks->ranges, owner, &gone);
	drop_owner(&locks->flocks, owner, &gone);
	spin_unlock(&locks->lock);
	if (list_empty(&gone))
		return;
	wake_up_all(&locks->changed);
	free_all(&gone);
}

void file_locks_free(struct inode *inode)
{
	kfree(atomic_load(&inode->locks));
}
