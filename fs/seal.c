/*
 * fs/seal.c - seals of files in memory: set by fcntl(2), asked by write, truncate and mmap.
 *
 * Way in: sys_fcntl.c; file.c (write, mmap) and tmpfs.c (truncate) ask before they act.
 *
 * Locks: inode->lock around {look at the seals, act} and around setting them. Mapping looks without
 * it: F_SEAL_WRITE first forbids the object further writers, and is refused if there is one, so a
 * mapping that saw no seal is counted before or fails (mem_map). F_SEAL_FUTURE_WRITE lets older
 * mappings be, and one that races with it is older.
 *
 * Not here: making such files (memfd.c). Tests: tests/guest/memfd.c.
 */
#include <fs/mount.h>
#include <fs/seal.h>
#include <linux/mman.h>
#include <mm/mem_zone.h>

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
#define SEALS_AGAINST_WRITING (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static bool has_seals(const struct inode *inode)
{
	return inode->object && inode->super->magic == TMPFS_MAGIC;
}

static uint32_t seals_of(const struct inode *inode)
{
	return __atomic_load_n(&inode->seals, __ATOMIC_ACQUIRE);
}

static int add_seals_locked(struct inode *inode, uint32_t seals) REQUIRES(inode->lock)
{
	if (inode->seals & F_SEAL_SEAL)
		return -EPERM;
	if ((seals & F_SEAL_WRITE) && !mem_object_forbid_writers(inode->object))
		return -EBUSY;
	__atomic_store_n(&inode->seals, inode->seals | seals, __ATOMIC_RELEASE);
	return 0;
}

int file_add_seals(struct file *file, uint32_t seals)
{
	struct inode *inode = file->inode;
	int error;

	if (!file->writable)
		return -EPERM;
	if ((seals & ~(uint32_t)ALL_SEALS) || !has_seals(inode))
		return -EINVAL;
	mutex_lock(&inode->lock);
	error = add_seals_locked(inode, seals);
	mutex_unlock(&inode->lock);
	return error;
}

int file_get_seals(struct file *file)
{
	return has_seals(file->inode) ? (int)seals_of(file->inode) : -EINVAL;
}

/*
 * Page by page, as the bytes go into the cache: a page that would grow the file is refused whole.
 */
int seal_check_write(const struct inode *inode, uint64_t pos, size_t *left)
{
	uint64_t size = inode_size(inode);

	if (likely(!(inode->seals & (SEALS_AGAINST_WRITING | F_SEAL_GROW))) || !*left)
		return 0;
	if (inode->seals & SEALS_AGAINST_WRITING)
		return -EPERM;
	if (pos + *left <= size)
		return 0;
	if (pos >= PAGE_ALIGN_DOWN(size))
		return -EPERM;
	*left = PAGE_ALIGN_DOWN(size) - pos;
	return 0;
}

int seal_check_clear(const struct inode *inode)
{
	return inode->seals & SEALS_AGAINST_WRITING ? -EPERM : 0;
}

int seal_check_size(const struct inode *inode, uint64_t size)
{
	uint64_t old = inode_size(inode);

	if ((size < old && (inode->seals & F_SEAL_SHRINK)) ||
	    (size > old && (inode->seals & F_SEAL_GROW)))
		return -EPERM;
	return 0;
}

int seal_check_map(const struct inode *inode, struct mem_zone *zone)
{
	if (!(seals_of(inode) & SEALS_AGAINST_WRITING) || !(zone->flags & ZONE_SHARED))
		return 0;
	if (zone->prot & PROT_WRITE)
		return -EPERM;
	zone->max_prot &= ~(uint32_t)PROT_WRITE;
	return 0;
}
