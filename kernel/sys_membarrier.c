/*
 * kernel/sys_membarrier.c - membarrier(2): every other thread passes a memory barrier now.
 *
 * The threads that run are interrupted; those that do not pass barriers when they are switched to.
 * All processors are asked, whatever the command: they are few, and the caller cannot tell.
 *
 * Locks: none. What a space has registered is atomic.
 * Not here: commands for restartable sequences, which are not there (rseq).
 * Tests: tests/guest/membarrier.c.
 */
#include <kernel/base/cross_call.h>
#include <kernel/base/errno.h>
#include <kernel/cpu.h>
#include <kernel/sys_info.h>
#include <kernel/task.h>
#include <linux/membarrier.h>
#include <mm/mem_space.h>

/* A command to register, and the one that it permits. */
static const struct registration {
	int command, permits;
} registrations[] = {
	{MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0}, /* to be asked, not to ask */
	{MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED},
	{MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE},
};

/* CPUID is a barrier for memory and for instructions: SDM volume 3, 8.3. */
static void pass_barrier(void *arg)
{
	uint32_t eax = 0, ecx = 0;

	(void)arg;
	__asm__ volatile("cpuid" : "+a"(eax), "+c"(ecx) : : "ebx", "edx", "memory");
}

static long pass_barriers(void)
{
	preempt_disable();
	pass_barrier(NULL);
	cross_call((1ull << cpu_count()) - 1, pass_barrier, NULL);
	preempt_enable();
	return 0;
}

static long all_commands(void)
{
	long commands = MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED;

	for (size_t i = 0; i < ARRAY_SIZE(registrations); i++)
		commands |= registrations[i].command | registrations[i].permits;
	return commands;
}

static long register_or_pass(struct mem_space *space, int command)
{
	for (size_t i = 0; i < ARRAY_SIZE(registrations); i++) {
		if (command == registrations[i].command) {
			atomic_fetch_or(&space->barriers, (uint32_t)command);
			return 0;
		}
		if (command == registrations[i].permits)
			return atomic_load(&space->barriers) & (uint32_t)registrations[i].command
				       ? pass_barriers()
				       : -EPERM;
	}
	return -EINVAL;
}

long sys_membarrier(int command, unsigned flags, int cpu)
{
	(void)cpu; /* for restartable sequences */
	if (flags)
		return -EINVAL;
	switch (command) {
	case MEMBARRIER_CMD_QUERY:
		return all_commands();
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		return pass_barriers();
	default:
		return register_or_pass(current_task()->space, command);
	}
}
