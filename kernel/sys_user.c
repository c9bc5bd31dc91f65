/*
 * kernel/sys_user.c - user and group ids: real, effective, saved, supplementary
 * (credentials(7), setresuid(2)).
 *
 * They belong to the process; effective user 0 may set any, others only what they have already.
 */
#include <kernel/base/errno.h>
#include <kernel/sys_id.h>
#include <kernel/task.h>
#include <mm/user_copy.h>
#include <string.h>

#define ID_UNCHANGED UINT32_MAX /* (uid_t)-1: leave it as it is */

/* The three of one sort. */
struct ids {
	uint32_t real, effective, saved;
};

static struct ids user_ids(void)
{
	const struct process *process = current_process();

	return (struct ids){process->uid, process->euid, process->suid};
}

static struct ids group_ids(void)
{
	const struct process *process = current_process();

	return (struct ids){process->gid, process->egid, process->sgid};
}

/*
 * A change is decided by the ids there are and made in one step, under the process's signal_lock:
 * were there another thread's in between, ids it gave up could come back.
 */
static struct ids user_ids_begin(void) NO_THREAD_SAFETY_ANALYSIS
{
	spin_lock(&current_process()->signal_lock);
	return user_ids();
}

/* With an error nothing changes. Returns it. */
static long user_ids_end(const struct ids *ids, int error) NO_THREAD_SAFETY_ANALYSIS
{
	struct process *process = current_process();

	if (!error) {
		process->uid = ids->real;
		process->euid = ids->effective;
		process->suid = ids->saved;
	}
	spin_unlock(&process->signal_lock);
	return error;
}

static struct ids group_ids_begin(void) NO_THREAD_SAFETY_ANALYSIS
{
	spin_lock(&current_process()->signal_lock);
	return group_ids();
}

static long group_ids_end(const struct ids *ids, int error) NO_THREAD_SAFETY_ANALYSIS
{
	struct process *process = current_process();

	if (!error) {
		process->gid = ids->real;
		process->egid = ids->effective;
		process->sgid = ids->saved;
	}
	spin_unlock(&process->signal_lock);
	return error;
}

static bool id_allowed(uint32_t id, const struct ids *now)
{
	return id == ID_UNCHANGED || id == now->real || id == now->effective || id == now->saved ||
	       process_is_root();
}

/* setuid(2): root sets all three. */
static int ids_set_one(struct ids *ids, uint32_t id)
{
	if (id == ID_UNCHANGED)
		return -EINVAL;
	if (process_is_root()) {
		*ids = (struct ids){id, id, id};
		return 0;
	}
	if (id != ids->real && id != ids->saved)
		return -EPERM;
	ids->effective = id;
	return 0;
}

/* setreuid(2): the saved id follows when the real one is set or the effective becomes another. */
static int ids_set_two(struct ids *ids, uint32_t real, uint32_t effective)
{
	struct ids now = *ids;

	if (real != ID_UNCHANGED && real != now.real && real != now.effective && !process_is_root())
		return -EPERM;
	if (!id_allowed(effective, &now))
		return -EPERM;
	if (real != ID_UNCHANGED)
		ids->real = real;
	if (effective != ID_UNCHANGED)
		ids->effective = effective;
	if (real != ID_UNCHANGED || (effective != ID_UNCHANGED && effective != now.real))
		ids->saved = ids->effective;
	return 0;
}

static int ids_set_three(struct ids *ids, uint32_t real, uint32_t effective, uint32_t saved)
{
	struct ids now = *ids;

	if (!id_allowed(real, &now) || !id_allowed(effective, &now) || !id_allowed(saved, &now))
		return -EPERM;
	if (real != ID_UNCHANGED)
		ids->real = real;
	if (effective != ID_UNCHANGED)
		ids->effective = effective;
	if (saved != ID_UNCHANGED)
		ids->saved = saved;
	return 0;
}

static long ids_put(const struct ids *ids, uintptr_t real, uintptr_t effective, uintptr_t saved)
{
	if (put_user(real, ids->real) || put_user(effective, ids->effective) ||
	    put_user(saved, ids->saved))
		return -EFAULT;
	return 0;
}

long sys_getuid(void)
{
	return current_process()->uid;
}

long sys_geteuid(void)
{
	return current_process()->euid;
}

long sys_getgid(void)
{
	return current_process()->gid;
}

long sys_getegid(void)
{
	return current_process()->egid;
}

long sys_setuid(uint32_t uid)
{
	struct ids ids = user_ids_begin();

	return user_ids_end(&ids, ids_set_one(&ids, uid));
}

long sys_setgid(uint32_t gid)
{
	struct ids ids = group_ids_begin();

	return group_ids_end(&ids, ids_set_one(&ids, gid));
}

long sys_setreuid(uint32_t ruid, uint32_t euid)
{
	struct ids ids = user_ids_begin();

	return user_ids_end(&ids, ids_set_two(&ids, ruid, euid));
}

long sys_setregid(uint32_t rgid, uint32_t egid)
{
	struct ids ids = group_ids_begin();

	return group_ids_end(&ids, ids_set_two(&ids, rgid, egid));
}

long sys_setresuid(uint32_t ruid, uint32_t euid, uint32_t suid)
{
	struct ids ids = user_ids_begin();

	return user_ids_end(&ids, ids_set_three(&ids, ruid, euid, suid));
}

long sys_setresgid(uint32_t rgid, uint32_t egid, uint32_t sgid)
{
	struct ids ids = group_ids_begin();

	return group_ids_end(&ids, ids_set_three(&ids, rgid, egid, sgid));
}

long sys_getresuid(uintptr_t ruid, uintptr_t euid, uintptr_t suid)
{
	struct ids ids = user_ids();

	return ids_put(&ids, ruid, euid, suid);
}

long sys_getresgid(uintptr_t rgid, uintptr_t egid, uintptr_t sgid)
{
	struct ids ids = group_ids();

	return ids_put(&ids, rgid, egid, sgid);
}

long sys_getgroups(int size, uintptr_t list)
{
	struct process *process = current_process();
	uint32_t groups[PROCESS_GROUPS_MAX];
	int count;

	if (size < 0)
		return -EINVAL;
	spin_lock(&process->signal_lock);
	count = (int)process->group_count;
	memcpy(groups, process->groups, sizeof(groups));
	spin_unlock(&process->signal_lock);
	if (size == 0)
		return count;
	if (size < count)
		return -EINVAL;
	if (copy_to_user(list, groups, (size_t)count * sizeof(groups[0])))
		return -EFAULT;
	return count;
}

long sys_setgroups(int size, uintptr_t list)
{
	struct process *process = current_process();
	uint32_t groups[PROCESS_GROUPS_MAX];

	if (!process_is_root())
		return -EPERM;
	if (size < 0 || size > PROCESS_GROUPS_MAX)
		return -EINVAL;
	if (copy_from_user(groups, list, (size_t)size * sizeof(groups[0])))
		return -EFAULT;
	spin_lock(&process->signal_lock);
	memcpy(process->groups, groups, (size_t)size * sizeof(groups[0]));
	process->group_count = (unsigned)size;
	spin_unlock(&process->signal_lock);
	return 0;
}
