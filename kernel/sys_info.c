/*
 * kernel/sys_info.c - what the system is called, how much memory it has; and turning it off.
 *
 * sysname is Linux and the release a Linux release, because programs decide by them what they
 * may use; "stos" stands in both release and version.
 */
#include <drivers/drivers.h>
#include <drivers/power.h>
#include <fs/sys_file.h>
#include <fs/tmpfs.h>
#include <kernel/base/errno.h>
#include <kernel/load.h>
#include <kernel/sys_info.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include <mm/frame.h>
#include <mm/user_copy.h>
#include <string.h>

static struct spinlock host_lock = SPINLOCK_INIT(RANK_FILES);
static char host[__NEW_UTS_LEN + 1] GUARDED_BY(host_lock) = "stos";

void host_name(char *buf, size_t size)
{
	spin_lock(&host_lock);
	strlcpy(buf, host, size);
	spin_unlock(&host_lock);
}

long sys_uname(uintptr_t buffer)
{
	struct new_utsname names = {
		.sysname = "Linux",
		.release = KERNEL_RELEASE,
		.version = KERNEL_VERSION,
		.machine = "x86_64",
		.domainname = "(none)",
	};

	host_name(names.nodename, sizeof(names.nodename));
	return put_user(buffer, names);
}

long sys_sethostname(uintptr_t name, size_t length)
{
	char new[__NEW_UTS_LEN + 1] = "";

	if (!process_is_root())
		return -EPERM;
	if (length > __NEW_UTS_LEN)
		return -EINVAL;
	if (copy_from_user(new, name, length))
		return -EFAULT;
	spin_lock(&host_lock);
	memcpy(host, new, sizeof(host));
	spin_unlock(&host_lock);
	return 0;
}

static bool count_threads(struct process *process, void *arg)
{
	*(uint16_t *)arg = (uint16_t)(*(uint16_t *)arg + process->thread_count);
	return true;
}

long sys_sysinfo(uintptr_t buffer)
{
	struct sysinfo info;

	memset(&info, 0, sizeof(info));
	info.uptime = (long)(time_monotonic_ns() / NS_PER_SEC);
	info.totalram = frame_total_count() * PAGE_SIZE;
	info.freeram = frame_free_count() * PAGE_SIZE;
	info.sharedram = tmpfs_pages() * PAGE_SIZE;
	info.mem_unit = 1;
	for (unsigned i = 0; i < LOAD_COUNT; i++)
		info.loads[i] = (uint64_t)load_average(i) * (1 << SI_LOAD_SHIFT) / LOAD_ONE;
	spin_lock(&task_tree_lock);
	process_for_each(count_threads, &info.procs);
	spin_unlock(&task_tree_lock);
	return put_user(buffer, info);
}

/* Halting powers off too: a stopped processor is of no use to anybody. */
long sys_reboot(uint32_t magic1, uint32_t magic2, uint32_t command, uintptr_t arg)
{
	(void)arg;
	if (!process_is_root())
		return -EPERM;
	if (magic1 != LINUX_REBOOT_MAGIC1 ||
	    (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
	     magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	switch (command) {
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0;
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2:
		(void)sys_sync();
		drivers_shutdown();
		power_reset();
	case LINUX_REBOOT_CMD_HALT:
	case LINUX_REBOOT_CMD_POWER_OFF:
		(void)sys_sync();
		drivers_shutdown();
		power_off();
	default:
		return -EINVAL;
	}
}
