/* kernel/sys_prctl.c - prctl(2) and arch_prctl(2): a task's own settings. */
#include <asm/prctl.h>
#include <kernel/base/errno.h>
#include <kernel/cpu.h>
#include <kernel/sys_info.h>
#include <kernel/task.h>
#include <linux/prctl.h>
#include <mm/user_copy.h>
#include <string.h>

static long name_set(uintptr_t user)
{
	struct task *task = current_task();
	char name[TASK_NAME_SIZE] = "";
	ssize_t length = copy_string_from_user(name, user, sizeof(name));

	if (length < 0 && length != -ENAMETOOLONG)
		return length;
	name[TASK_NAME_SIZE - 1] = '\0';
	memcpy(task->name, name, sizeof(name));
	return 0;
}

/* What lies behind the name's end is nobody's business. */
static long name_get(uintptr_t user)
{
	char name[TASK_NAME_SIZE] = "";

	strlcpy(name, current_task()->name, sizeof(name));
	return copy_to_user(user, name, sizeof(name));
}

static long death_signal_set(uint64_t signal)
{
	if (signal > _NSIG)
		return -EINVAL;
	atomic_store(&current_process()->death_signal, (int)signal);
	return 0;
}

static long death_signal_get(uintptr_t user)
{
	int signal = atomic_load(&current_process()->death_signal);

	return put_user(user, signal);
}

long sys_prctl(int option, uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
	struct process *process = current_process();

	switch (option) {
	case PR_SET_NAME:
		return name_set(arg2);
	case PR_GET_NAME:
		return name_get(arg2);
	case PR_SET_PDEATHSIG:
		return death_signal_set(arg2);
	case PR_GET_PDEATHSIG:
		return death_signal_get(arg2);
	case PR_GET_DUMPABLE:
		return process->not_dumpable ? 0 : 1;
	case PR_SET_DUMPABLE:
		if (arg2 > 1)
			return -EINVAL;
		process->not_dumpable = arg2 == 0;
		return 0;
	case PR_SET_NO_NEW_PRIVS:
		if (arg2 != 1 || arg3 || arg4 || arg5)
			return -EINVAL;
		process->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		if (arg2 || arg3 || arg4 || arg5)
			return -EINVAL;
		return process->no_new_privs;
	case PR_SET_THP_DISABLE:
		if (arg3 || arg4 || arg5)
			return -EINVAL;
		process->no_huge_pages = arg2 != 0;
		return 0;
	case PR_GET_THP_DISABLE:
		if (arg2 || arg3 || arg4 || arg5)
			return -EINVAL;
		return process->no_huge_pages;
	default:
		return -EINVAL;
	}
}

/*
 * The field first: were the task preempted in between, task_switch would load the register from
 * it. In the kernel the user's GS base is in the register that SWAPGS exchanges.
 */
static long base_set(uintptr_t *field, uint32_t msr, uintptr_t address)
{
	if (address >= USER_SPACE_END)
		return -EPERM;
	*field = address;
	msr_write(msr, address);
	return 0;
}

long sys_arch_prctl(int option, uintptr_t address)
{
	struct task *task = current_task();

	switch (option) {
	case ARCH_SET_FS:
		return base_set(&task->fs_base, MSR_FS_BASE, address);
	case ARCH_SET_GS:
		return base_set(&task->gs_base, MSR_KERNEL_GS_BASE, address);
	case ARCH_GET_FS:
		return put_user(address, task->fs_base);
	case ARCH_GET_GS:
		return put_user(address, task->gs_base);
	default:
		return -EINVAL;
	}
}
