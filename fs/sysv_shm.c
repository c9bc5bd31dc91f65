/*
 * fs/sysv_shm.c - System V shared memory: shmget(2), shmop(2), shmctl(2), sysvipc(7).
 *
 * A segment is a nameless file of tmpfs with an id, a key and rights of its own. Attaching opens
 * that file and maps it shared; the zone's operations count attaches as zones come (fork, a split)
 * and go, and the last detach of a segment that IPC_RMID marked removes it.
 *
 *   ids[] -> struct shm_segment <- struct file (data) <- zones
 *
 * A segment lives while it is in the table or a file of it is open; its memory goes with its inode.
 * An id is the place in the table and, above that, how often the place was used: an old id finds
 * nothing.
 *
 * Locks: shm_lock for the table and the segments' fields. Nothing is called under it.
 * Tests: tests/guest/sysv_shm.c.
 */
#include <fs/fs_private.h>
#include <fs/procfs_private.h>
#include <fs/sys_file.h>
#include <fs/tmpfs.h>
#include <kernel/time.h>
#include <linux/limits.h>
#include <linux/mman.h>
#include <linux/shm.h>
#include <mm/heap.h>
#include <mm/mem_space.h>
#include <vsnprintf.h>

#define ID_PLACES 32768 /* ids of one place are this far apart: Linux's IPCMNI */
#define ID_USES 65536   /* then they begin anew */
#define ULONG_MAX (~0ul) /* for SHMMAX and SHMALL */

/* Bits of ipc_perm.mode: shmctl(2). */
#define SHM_DEST 01000
#define SHM_LOCKED 02000

#define RIGHT_READ 0444u
#define RIGHT_WRITE 0222u
#define RIGHT_EXECUTE 0111u

struct shm_segment {
	_Atomic uint32_t refs; /* the table + open files */
	struct inode *inode;   /* [I] a reference */
	size_t size;           /* [I] bytes, as shmget was told */
	int id;                /* [I] once in the table */
	int key;               /* [shm_lock], and all below */
	uint32_t uid, gid, mode;
	uint32_t creator_uid, creator_gid;
	int creator_pid, last_pid;
	uint64_t attaches;
	uint64_t attach_ns, detach_ns, change_ns;
};

static struct spinlock shm_lock = SPINLOCK_INIT(RANK_FILES);
static struct shm_segment *segments[SHMMNI] GUARDED_BY(shm_lock);
static uint32_t uses[SHMMNI] GUARDED_BY(shm_lock);

/* --- segments and the table --- */

static void segment_put(struct shm_segment *segment)
{
	if (atomic_fetch_sub(&segment->refs, 1) != 1)
		return;
	inode_put(segment->inode);
	kfree(segment);
}

static struct shm_segment *find_id(int id) REQUIRES(shm_lock)
{
	struct shm_segment *segment =
		id >= 0 && id % ID_PLACES < SHMMNI ? segments[id % ID_PLACES] : NULL;

	return segment && segment->id == id ? segment : NULL;
}

static struct shm_segment *find_key(int key) REQUIRES(shm_lock)
{
	for (int i = 0; i < SHMMNI; i++)
		if (segments[i] && segments[i]->key == key)
			return segments[i];
	return NULL;
}

/* Takes over the caller's reference: the id, or -ENOSPC. */
static int table_add(struct shm_segment *segment) REQUIRES(shm_lock)
{
	for (int i = 0; i < SHMMNI; i++) {
		if (segments[i])
			continue;
		segment->id = (int)(uses[i]++ % ID_USES) * ID_PLACES + i;
		segment->inode->number = (uint64_t)segment->id; /* as maps shows it */
		segments[i] = segment;
		return segment->id;
	}
	return -ENOSPC;
}

/* The table's reference becomes the caller's. */
static void table_remove(const struct shm_segment *segment) REQUIRES(shm_lock)
{
	segments[segment->id % ID_PLACES] = NULL;
}

/* The calling process may do `want`, as three octal digits alike: 0 or -EACCES. */
static int check_rights(const struct shm_segment *segment, uint32_t want)
{
	uint32_t uid = fs_uid(), granted = segment->mode;

	if (uid == 0)
		return 0;
	want = (want >> 6 | want >> 3 | want) & 7;
	if (uid == segment->uid || uid == segment->creator_uid)
		granted >>= 6;
	else if (process_in_group(segment->gid) || process_in_group(segment->creator_gid))
		granted >>= 3;
	return want & ~granted ? -EACCES : 0;
}

static bool is_owner(const struct shm_segment *segment)
{
	uint32_t uid = fs_uid();

	return uid == 0 || uid == segment->uid || uid == segment->creator_uid;
}

/* --- shmget --- */

static int segment_create(int key, size_t size, int flags, struct shm_segment **result)
{
	struct shm_segment *segment;
	char name[16];
	int error;

	if (size < SHMMIN || size > SHMMAX || (flags & SHM_HUGETLB))
		return -EINVAL;
	if (size > INT64_MAX)
		return -ENOMEM;
	segment = kzalloc(sizeof(*segment));
	if (!segment)
		return -ENOMEM;
	snprintf(name, sizeof(name), "SYSV%08x", (unsigned)key);
	error = tmpfs_create_nameless(name, 0777, &segment->inode);
	if (error) {
		kfree(segment);
		return error;
	}
	atomic_store(&segment->inode->object->size, size); /* for good, nobody knows it yet */
	atomic_init(&segment->refs, 1);
	segment->size = size;
	segment->key = key;
	segment->uid = segment->creator_uid = fs_uid();
	segment->gid = segment->creator_gid = fs_gid();
	segment->mode = (uint32_t)flags & 0777;
	segment->creator_pid = current_process()->pid;
	segment->change_ns = time_real_ns();
	*result = segment;
	return 0;
}

static int use_existing(const struct shm_segment *segment, size_t size, int flags)
	REQUIRES(shm_lock)
{
	int error;

	if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
		return -EEXIST;
	if (size > segment->size)
		return -EINVAL;
	error = check_rights(segment, (uint32_t)flags & 0777);
	return error ? error : segment->id;
}

/* Finds the key, or adds `fresh` (may be NULL), which is NULL afterwards if it was used. */
static int find_or_add(int key, size_t size, int flags, struct shm_segment **fresh)
{
	struct shm_segment *found;
	int result = -ENOENT;

	spin_lock(&shm_lock);
	found = key == IPC_PRIVATE ? NULL : find_key(key);
	if (found)
		result = use_existing(found, size, flags);
	else if (*fresh)
		result = table_add(*fresh);
	if (!found && result >= 0)
		*fresh = NULL;
	spin_unlock(&shm_lock);
	return result;
}

long sys_shmget(int key, size_t size, int flags)
{
	struct shm_segment *fresh = NULL;
	int result = find_or_add(key, size, flags, &fresh);

	if (result != -ENOENT || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
		return result;
	result = segment_create(key, size, flags, &fresh);
	if (result)
		return result;
	result = find_or_add(key, size, flags, &fresh);
	if (fresh)
		segment_put(fresh);
	return result;
}

/* --- attaching and detaching --- */

static void zone_opened(struct mem_zone *zone)
{
	struct shm_segment *segment = zone->file->data;

	spin_lock(&shm_lock);
	segment->attaches++;
	segment->attach_ns = time_real_ns();
	segment->last_pid = current_process()->pid;
	spin_unlock(&shm_lock);
}

/* One attach less; the last one of a removed segment is its end. */
static void uncount_attach(struct shm_segment *segment)
{
	bool last;

	spin_lock(&shm_lock);
	last = --segment->attaches == 0 && (segment->mode & SHM_DEST);
	if (last)
		table_remove(segment);
	spin_unlock(&shm_lock);
	if (last)
		segment_put(segment);
}

static void zone_released(struct mem_zone *zone)
{
	struct shm_segment *segment = zone->file->data;

	spin_lock(&shm_lock);
	segment->detach_ns = time_real_ns();
	segment->last_pid = current_process()->pid;
	spin_unlock(&shm_lock);
	uncount_attach(segment);
}

/* The zone's; what its pages are is the object's business. */
static const struct mem_operations shm_zone_operations = {
	.open = zone_opened,
	.release = zone_released,
};

static int shm_mmap(struct file *file, struct mem_zone *zone)
{
	int error = cached_file_operations.mmap(file, zone);

	zone->ops = &shm_zone_operations;
	zone->flags |= ZONE_APART; /* shm_nattch counts parts, as on Linux */
	return error;
}

static void shm_release(struct file *file)
{
	segment_put(file->data);
}

static const struct file_operations shm_file_operations = {
	.mmap = shm_mmap,
	.release = shm_release,
};

/* shmat(2)'s address, rounded if it may be; -EINVAL. */
static int check_address(uintptr_t *addr, int flags)
{
	if (*addr % PAGE_SIZE) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		*addr = PAGE_ALIGN_DOWN(*addr);
	}
	return !*addr && (flags & SHM_REMAP) ? -EINVAL : 0;
}

/* Counts as an attach, so that the segment stays in the table until it is mapped. */
static int open_segment(int id, int flags, struct file **result)
{
	uint32_t want = flags & SHM_RDONLY ? RIGHT_READ : RIGHT_READ | RIGHT_WRITE;
	struct shm_segment *segment;
	int error = -EINVAL;

	if (flags & SHM_EXEC)
		want |= RIGHT_EXECUTE;
	spin_lock(&shm_lock);
	segment = find_id(id);
	if (segment)
		error = check_rights(segment, want);
	if (!error) {
		atomic_fetch_add(&segment->refs, 1);
		segment->attaches++;
	}
	spin_unlock(&shm_lock);
	if (error)
		return error;
	*result = file_create(NULL, segment->inode, &shm_file_operations,
			      flags & SHM_RDONLY ? O_RDONLY : O_RDWR);
	if (!*result) {
		uncount_attach(segment);
		segment_put(segment);
		return -ENOMEM;
	}
	(*result)->data = segment;
	return 0;
}

long sys_shmat(int id, uintptr_t addr, int flags)
{
	int prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) |
		   (flags & SHM_EXEC ? PROT_EXEC : 0);
	int place = addr ? flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE : 0;
	int error = check_address(&addr, flags);
	struct shm_segment *segment;
	struct file *file;
	uintptr_t result;

	if (!error)
		error = open_segment(id, flags, &file);
	if (error)
		return error;
	segment = file->data;
	if (place == MAP_FIXED_NOREPLACE && addr + segment->size < addr)
		error = -EINVAL;
	else
		error = mem_map(current_task()->space, addr, segment->size, prot,
				MAP_SHARED | place, file, 0, &result);
	uncount_attach(segment);
	file_put(file);
	if (error)
		return error == -EEXIST ? -EINVAL : error;
	return (long)result;
}

long sys_shmdt(uintptr_t addr)
{
	if (addr % PAGE_SIZE)
		return -EINVAL;
	return mem_detach(current_task()->space, addr, &shm_zone_operations);
}

/* --- shmctl --- */

static void describe(const struct shm_segment *segment, struct shmid64_ds *description)
	REQUIRES(shm_lock)
{
	*description = (struct shmid64_ds){
		.shm_perm = {
			.key = segment->key,
			.uid = segment->uid,
			.gid = segment->gid,
			.cuid = segment->creator_uid,
			.cgid = segment->creator_gid,
			.mode = segment->mode,
			.seq = (unsigned short)(segment->id / ID_PLACES),
		},
		.shm_segsz = segment->size,
		.shm_atime = (long)(segment->attach_ns / NS_PER_SEC),
		.shm_dtime = (long)(segment->detach_ns / NS_PER_SEC),
		.shm_ctime = (long)(segment->change_ns / NS_PER_SEC),
		.shm_cpid = segment->creator_pid,
		.shm_lpid = segment->last_pid,
		.shm_nattch = segment->attaches,
	};
}

/* SHM_STAT takes a place in the table and gives the id. */
static long shm_stat(int id, int command, uintptr_t buf)
{
	struct shmid64_ds description;
	struct shm_segment *segment;
	long result = -EINVAL;

	spin_lock(&shm_lock);
	if (command == IPC_STAT)
		segment = find_id(id);
	else
		segment = id < SHMMNI ? segments[id] : NULL;
	if (segment) {
		result = command == SHM_STAT_ANY ? 0 : check_rights(segment, RIGHT_READ);
		describe(segment, &description);
		if (!result && command != IPC_STAT)
			result = segment->id;
	}
	spin_unlock(&shm_lock);
	if (result >= 0 && put_user(buf, description))
		return -EFAULT;
	return result;
}

/* What is known of all segments. */
struct shm_sums {
	int highest, count;
	uint64_t pages, resident;
};

static struct shm_sums shm_sum(void)
{
	struct shm_sums sums = {0};

	spin_lock(&shm_lock);
	for (int i = 0; i < SHMMNI; i++) {
		if (!segments[i])
			continue;
		sums.highest = i;
		sums.count++;
		sums.pages += PAGE_ALIGN_UP(segments[i]->size) >> PAGE_SHIFT;
		sums.resident += atomic_load(&segments[i]->inode->object->cached);
	}
	spin_unlock(&shm_lock);
	return sums;
}

static long ipc_info(uintptr_t buf)
{
	struct shminfo64 info = {
		.shmmax = SHMMAX,
		.shmmin = SHMMIN,
		.shmmni = SHMMNI,
		.shmseg = SHMSEG,
		.shmall = SHMALL,
	};

	return put_user(buf, info) ? -EFAULT : shm_sum().highest;
}

static long shm_info(uintptr_t buf)
{
	struct shm_sums sums = shm_sum();
	struct shm_info info = {
		.used_ids = sums.count, .shm_tot = sums.pages, .shm_rss = sums.resident};

	return put_user(buf, info) ? -EFAULT : sums.highest;
}

static int shm_set(int id, uintptr_t buf)
{
	struct shmid64_ds wanted;
	struct shm_segment *segment;
	int error = 0;

	if (get_user(wanted, buf))
		return -EFAULT;
	spin_lock(&shm_lock);
	segment = find_id(id);
	if (!segment || wanted.shm_perm.uid == UINT32_MAX || wanted.shm_perm.gid == UINT32_MAX) {
		error = -EINVAL;
	} else if (!is_owner(segment)) {
		error = -EPERM;
	} else {
		segment->uid = wanted.shm_perm.uid;
		segment->gid = wanted.shm_perm.gid;
		segment->mode = (segment->mode & ~0777u) | (wanted.shm_perm.mode & 0777);
		segment->change_ns = time_real_ns();
	}
	spin_unlock(&shm_lock);
	return error;
}

/* At once, or with the last detach; until then by its id only. */
static int shm_remove(int id)
{
	struct shm_segment *segment;
	bool gone = false;
	int error = 0;

	spin_lock(&shm_lock);
	segment = find_id(id);
	if (!segment) {
		error = -EINVAL;
	} else if (!is_owner(segment)) {
		error = -EPERM;
	} else {
		gone = segment->attaches == 0;
		segment->mode |= SHM_DEST;
		segment->key = IPC_PRIVATE;
		if (gone)
			table_remove(segment);
	}
	spin_unlock(&shm_lock);
	if (gone)
		segment_put(segment);
	return error;
}

/* No page of a segment ever leaves memory: only the mark is kept. */
static int shm_lock_pages(int id, bool lock)
{
	bool allowed = process_is_root() || fs_limit(RLIMIT_MEMLOCK) > 0;
	struct shm_segment *segment;
	int error = 0;

	spin_lock(&shm_lock);
	segment = find_id(id);
	if (!segment)
		error = -EINVAL;
	else if (!is_owner(segment) || (lock && !allowed))
		error = -EPERM;
	else if (lock)
		segment->mode |= SHM_LOCKED;
	else
		segment->mode &= ~(uint32_t)SHM_LOCKED;
	spin_unlock(&shm_lock);
	return error;
}

long sys_shmctl(int id, int command, uintptr_t buf)
{
	if (id < 0 || command < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
		return ipc_info(buf);
	case SHM_INFO:
		return shm_info(buf);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		return shm_stat(id, command, buf);
	case IPC_SET:
		return shm_set(id, buf);
	case IPC_RMID:
		return shm_remove(id);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_lock_pages(id, command == SHM_LOCK);
	}
	return -EINVAL;
}

/* --- /proc/sysvipc/shm --- */

static bool describe_place(int place, struct shmid64_ds *description, int *id, uint64_t *resident)
{
	const struct shm_segment *segment;

	spin_lock(&shm_lock);
	segment = segments[place];
	if (segment) {
		describe(segment, description);
		*id = segment->id;
		*resident = atomic_load(&segment->inode->object->cached);
	}
	spin_unlock(&shm_lock);
	return segment;
}

int proc_show_sysv_shm(struct text *text, const struct proc_node *node)
{
	struct shmid64_ds d;
	uint64_t resident;
	int id;

	(void)node;
	text_print(
		text,
		"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  "
		"cuid  cgid      atime      dtime      ctime                   rss                 "
		" swap\n");
	for (int i = 0; i < SHMMNI; i++) {
		if (!describe_place(i, &d, &id, &resident))
			continue;
		text_print(text, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u ",
			   d.shm_perm.key, id, d.shm_perm.mode, d.shm_segsz, (unsigned)d.shm_cpid,
			   (unsigned)d.shm_lpid, d.shm_nattch, d.shm_perm.uid, d.shm_perm.gid,
			   d.shm_perm.cuid, d.shm_perm.cgid);
		text_print(text, "%10ld %10ld %10ld %21lu %21u\n", d.shm_atime, d.shm_dtime,
			   d.shm_ctime, resident * PAGE_SIZE, 0u);
	}
	return 0;
}
