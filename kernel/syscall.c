/*
 * kernel/syscall.c - the one table of system calls, made from kernel/abi/syscalls.def.
 *
 * syscall_entry.asm:syscall_entry calls syscall_dispatch with interrupts on. A row's handler is
 * sys_NAME, declared in the folder that owns it. A number without a row is ENOSYS, logged once
 * per program and number.
 */
#include <asm/unistd.h>
#include <drivers/random.h>
#include <fs/sys_file.h>
#include <fs/sys_special.h>
#include <kernel/base/errno.h>
#include <kernel/base/lock_check.h>
#include <kernel/base/log.h>
#include <kernel/futex.h>
#include <kernel/sys_id.h>
#include <kernel/sys_info.h>
#include <kernel/sys_sched.h>
#include <kernel/sys_signal.h>
#include <kernel/sys_task.h>
#include <kernel/sys_time.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <kernel/trap_return.h>
#include <mm/check.h>
#include <mm/sys_mem.h>
#include <string.h>

typedef long (*syscall_handler)(const struct trap_frame *frame);

/* The arguments: rdi, rsi, rdx, r10, r8, r9 (System V ABI, AMD64 supplement, A.2.1). */
#define ARGS_0
#define ARGS_1 f->rdi
#define ARGS_2 ARGS_1, f->rsi
#define ARGS_3 ARGS_2, f->rdx
#define ARGS_4 ARGS_3, f->r10
#define ARGS_5 ARGS_4, f->r8
#define ARGS_6 ARGS_5, f->r9

#define SYSCALL(name, count)                                                                       \
	static long call_##name(const struct trap_frame *f)                                        \
	{                                                                                          \
		(void)f;                                                                           \
		return sys_##name(ARGS_##count);                                                   \
	}
#include <kernel/abi/syscalls.def>
#undef SYSCALL

#define SYSCALL(name, count) [__NR_##name] = call_##name,
static const syscall_handler handlers[] = {
#include <kernel/abi/syscalls.def>
};
#undef SYSCALL

#define SYSCALL(name, count) [__NR_##name] = #name,
static const char *const names[] = {
#include <kernel/abi/syscalls.def>
};
#undef SYSCALL

const char *syscall_name(uint64_t number)
{
	if (number < ARRAY_SIZE(names) && names[number])
		return names[number];
	return NULL;
}

#define MISSING_MAX 64

static struct spinlock missing_lock = SPINLOCK_INIT(RANK_DRIVER);

/* Which (program, number) pairs were logged already; oldest forgotten first. */
static struct missing_call {
	char program[TASK_NAME_SIZE];
	uint64_t number;
} missing_calls[MISSING_MAX] GUARDED_BY(missing_lock);
static unsigned missing_next GUARDED_BY(missing_lock);

static seldom_fn long syscall_missing(uint64_t number)
{
	struct task *task = current_task();
	bool known = false;

	spin_lock(&missing_lock);
	for (unsigned i = 0; i < MISSING_MAX && !known; i++)
		known = missing_calls[i].number == number &&
			strncmp(missing_calls[i].program, task->name, TASK_NAME_SIZE) == 0;
	if (!known) {
		struct missing_call *slot = &missing_calls[missing_next++ % MISSING_MAX];

		slot->number = number;
		memcpy(slot->program, task->name, TASK_NAME_SIZE);
	}
	spin_unlock(&missing_lock);
	if (!known)
		log_info("%s[%d]: system call %lu is not there (ENOSYS)", task->name, task->tid,
			 number);
	return -ENOSYS;
}

long syscall_dispatch(struct trap_frame *frame)
{
	uint64_t number = frame->error_code;
	long result;

	if (likely(number < ARRAY_SIZE(handlers) && handlers[number]))
		result = handlers[number](frame);
	else
		result = syscall_missing(number);
	lock_check_none_held();
	mem_check_after_call();
	return result;
}
