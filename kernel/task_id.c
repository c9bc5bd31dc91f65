/*
 * kernel/task_id.c - the numbers of threads, processes, groups and sessions: see task_id.h.
 *
 * Numbers are handed out in rising order and start again at the bottom after TASK_ID_MAX, so
 * that a number is reused as late as possible. Blocks of the table are made when their first
 * number is, and kept until memory is short (task_ids_trim).
 */
#include <kernel/base/panic.h>
#include <kernel/task_id.h>
#include <mm/heap.h>

static struct task_id *blocks[TASK_ID_MAX / TASK_ID_BLOCK] GUARDED_BY(task_tree_lock);
static struct task_history history GUARDED_BY(task_tree_lock);

static struct task_id *block_get(unsigned number) REQUIRES(task_tree_lock)
{
	struct task_id *block = blocks[number];

	if (block)
		return block;
	block = kzalloc_array(TASK_ID_BLOCK, sizeof(*block));
	if (!block)
		return NULL;
	for (unsigned i = 0; i < TASK_ID_BLOCK; i++)
		list_init(&block[i].group);
	blocks[number] = block;
	return block;
}

void task_id_init(void)
{
	spin_lock(&task_tree_lock);
	if (!block_get(0))
		panic("no memory for the first task ids");
	spin_unlock(&task_tree_lock);
}

struct task_id *task_id_find(int id)
{
	if (id < 0 || id >= TASK_ID_MAX || !blocks[id / TASK_ID_BLOCK])
		return NULL;
	return &blocks[id / TASK_ID_BLOCK][id % TASK_ID_BLOCK];
}

static bool task_id_free(const struct task_id *record)
{
	return !record->task && !record->process && list_empty(&record->group) &&
	       record->session_count == 0;
}

static bool block_free(const struct task_id *block)
{
	for (unsigned i = 0; i < TASK_ID_BLOCK; i++)
		if (!task_id_free(&block[i]))
			return false;
	return true;
}

void task_ids_trim(void)
{
	spin_lock(&task_tree_lock);
	for (unsigned number = 0; number < ARRAY_SIZE(blocks); number++) {
		if (blocks[number] && block_free(blocks[number])) {
			kfree(blocks[number]);
			blocks[number] = NULL;
		}
	}
	spin_unlock(&task_tree_lock);
}

int task_id_allocate(struct task_id **record)
{
	int id = history.last_id;

	for (int tries = 0; tries < TASK_ID_MAX; tries++) {
		id = id + 1 < TASK_ID_MAX ? id + 1 : 1;
		struct task_id *block = block_get((unsigned)id / TASK_ID_BLOCK);

		if (!block)
			return -ENOMEM;
		*record = &block[id % TASK_ID_BLOCK];
		if (task_id_free(*record)) {
			history.last_id = id;
			history.made++;
			return id;
		}
	}
	return -EAGAIN;
}

struct task_history task_history(void)
{
	struct task_history copy;

	spin_lock(&task_tree_lock);
	copy = history;
	spin_unlock(&task_tree_lock);
	return copy;
}

void process_join_group(struct process *process, int group)
{
	list_remove(&process->group_link);
	list_push_back(&task_id_find(group)->group, &process->group_link);
	process->process_group = group;
}

void process_join_session(struct process *process, int session)
{
	struct task_id *old = task_id_find(process->session);

	if (old)
		old->session_count--;
	task_id_find(session)->session_count++;
	process->session = session;
}

void process_leave_groups(struct process *process)
{
	list_remove(&process->group_link);
	task_id_find(process->session)->session_count--;
}

bool process_group_orphaned(int group, const struct process *except)
{
	struct task_id *record = task_id_find(group);
	struct process *member;

	if (!record)
		return true;
	list_for_each_entry(member, &record->group, group_link) {
		const struct process *parent = member->parent;

		if (member == except || member->zombie || parent->pid <= 1)
			continue;
		if (parent->process_group != group && parent->session == member->session)
			return false;
	}
	return true;
}
