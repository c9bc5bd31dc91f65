/*
 * mm/mem_space.c - address spaces as wholes: made, forked, loaded, torn down.
 *
 * `users` are the tasks in it; the last one to leave unmaps everything. `holders` keep the struct
 * and the root table: one for all users together, one per processor that has it loaded, one per
 * peek from outside.
 */
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <kernel/cpu.h>
#include <mm/heap.h>
#include <mm/kernel_map.h>
#include <mm/mm_init.h>
#include <mm/mm_private.h>
#include <string.h>

static struct object_cache space_cache;

void mem_spaces_init(void)
{
	object_cache_init(&space_cache, "mem_space", sizeof(struct mem_space),
			  alignof(struct mem_space));
}

int mem_space_create(struct mem_space **result)
{
	struct mem_space *space = object_alloc_zeroed(&space_cache);
	int error;

	if (!space)
		return -ENOMEM;
	atomic_store(&space->users, 1);
	atomic_store(&space->holders, 1);
	rw_init(&space->lock, RANK_SPACE);
	mem_zones_init(&space->zones);
	space->stack_top = USER_SPACE_END;
	space->mmap_top = USER_SPACE_END;
	error = page_table_create(space);
	if (error) {
		object_free(&space_cache, space);
		return error;
	}
	*result = space;
	return 0;
}

void mem_space_get_user(struct mem_space *space)
{
	atomic_fetch_add(&space->users, 1);
}

void mem_space_hold(struct mem_space *space)
{
	atomic_fetch_add(&space->holders, 1);
}

void mem_space_drop(struct mem_space *space)
{
	if (atomic_fetch_sub(&space->holders, 1) != 1)
		return;
	page_table_destroy(space);
	kassert(atomic_load(&space->table_pages) == 0 && atomic_load(&space->anon_pages) == 0 &&
		atomic_load(&space->file_pages) == 0 && atomic_load(&space->shmem_pages) == 0);
	object_free(&space_cache, space);
}

static void unmap_everything(struct mem_space *space)
{
	struct list_node ended = LIST_INIT(ended);
	struct file *exe;

	rw_write_lock(&space->lock);
	zones_cut_all(space, &ended);
	exe = space->exe;
	space->exe = NULL;
	rw_write_unlock(&space->lock);
	zones_end(&ended);
	if (exe)
		file_put(exe);
}

void mem_space_put_user(struct mem_space *space)
{
	if (atomic_fetch_sub(&space->users, 1) != 1)
		return;
	unmap_everything(space);
	tlb_flush_range(space, 0, 0); /* idle processors let go of it */
	mem_space_drop(space);
}

/*
 * The processor's bit is set before CR3 is loaded, and cleared after another root is: whoever
 * changes an entry and then reads loaded_on sees every processor that might have cached it.
 */
static struct mem_space *switch_loaded(struct mem_space *space)
{
	struct cpu *cpu = this_cpu();
	struct mem_space *old = cpu->loaded_space;

	if (space == old)
		return NULL;
	if (space) {
		mem_space_hold(space);
		atomic_fetch_or(&space->loaded_on, 1ull << cpu->id);
	}
	cpu->loaded_space = space;
	cr3_write(space ? space->root : kernel_root);
	if (old)
		atomic_fetch_and(&old->loaded_on, ~(1ull << cpu->id));
	return old;
}

/* A request to leave the old space must not come in between: it would be dropped twice. */
struct mem_space *mem_space_switch(struct mem_space *space)
{
	uint64_t flags = irq_save();
	struct mem_space *old = switch_loaded(space);

	irq_restore(flags);
	return old;
}

void mem_space_leave(struct mem_space *space)
{
	struct mem_space *left = mem_space_switch(NULL);

	uint32_t holders = atomic_fetch_sub(&left->holders, 1);

	kassert(left == space && holders > 1);
}

/* ---- fork ---- */

static int zone_fork(struct mem_space *copy, const struct mem_zone *zone, struct list_node *ended)
{
	struct mem_zone *twin = zone_allocate();

	if (!twin)
		return -ENOMEM;
	twin->beg = zone->beg;
	twin->end = zone->end;
	twin->prot = zone->prot;
	twin->max_prot = zone->max_prot;
	twin->flags = zone->flags & ~ZONE_LOCK_FLAGS; /* locks are not inherited: mlock(2) */
	twin->file = zone->file;
	twin->offset = zone->offset;
	twin->object = zone->object;
	twin->ops = zone->ops;
	twin->space = copy;
	mem_zone_insert(&copy->zones, twin);
	zone_attach(twin);
	zone_count(copy, twin, (int64_t)((twin->end - twin->beg) >> PAGE_SHIFT));
	if (zone->space->locked_pages)
		zone_merge(copy, twin, ended); /* only their locks may have kept them apart */
	return 0;
}

/* The child gets the contents too: what is shared it finds in the object. */
static bool contents_fork(const struct mem_zone *zone)
{
	return (zone->flags & ZONE_PRIVATE) && !(zone->flags & ZONE_WIPE_ON_FORK);
}

static int zones_fork(struct mem_space *from, struct mem_space *copy, struct list_node *ended)
{
	struct mem_zone *zone;
	int error = 0;

	list_for_each_entry(zone, &from->zones.list, next) {
		if (zone->flags & ZONE_DONT_FORK)
			continue;
		error = zone_fork(copy, zone, ended);
		if (!error && contents_fork(zone))
			error = page_table_fork_range(from, copy, zone->beg, zone->end,
						      zone->object);
		if (error)
			break;
	}
	tlb_flush_range(from, 0, USER_SPACE_END);
	return error;
}

int mem_space_fork(struct mem_space *from, struct mem_space **result)
{
	struct list_node ended = LIST_INIT(ended);
	struct mem_space *copy;
	int error = mem_space_create(&copy);

	if (error)
		return error;
	rw_write_lock(&from->lock);
	copy->brk_beg = from->brk_beg;
	copy->brk_end = from->brk_end;
	copy->mmap_top = from->mmap_top;
	copy->stack_top = from->stack_top;
	copy->arg_beg = from->arg_beg;
	copy->arg_end = from->arg_end;
	copy->env_beg = from->env_beg;
	copy->env_end = from->env_end;
	atomic_store(&copy->barriers, atomic_load(&from->barriers));
	copy->exe = from->exe;
	if (copy->exe)
		file_get(copy->exe);
	error = zones_fork(from, copy, &ended);
	rw_write_unlock(&from->lock);
	zones_end(&ended);
	if (error) {
		mem_space_put_user(copy);
		return error;
	}
	*result = copy;
	return 0;
}
