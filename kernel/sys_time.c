/*
 * kernel/sys_time.c - clocks and sleeping.
 *
 * There are two clocks below all these: monotonic and real (kernel/time.h). Time does not stop
 * in stos, so BOOTTIME and RAW are MONOTONIC, TAI is REALTIME, and the coarse ones are not coarse.
 * CPU clocks count ticks (sched_tick).
 *
 * Not here: interval timers (itimer.c).
 */
#include <kernel/base/errno.h>
#include <kernel/sched.h>
#include <kernel/sys_time.h>
#include <kernel/task.h>
#include <kernel/time_abi.h>
#include <kernel/usage.h>
#include <linux/time.h>
#include <linux/times.h>
#include <mm/user_copy.h>

/*
 * Clock ids below 0 are CPU clocks of a process or thread (pthread_getcpuclockid(3)): the
 * complement of its id in the upper bits, below it a bit for "thread" and the kind of time.
 * Source: Linux, include/linux/posix-timers_types.h.
 */
#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_KIND 3
#define CPU_CLOCK_KIND_PROF 0
#define CPU_CLOCK_KIND_VIRT 1
#define CPU_CLOCK_KIND_SCHED 2

static uint64_t process_time_ns(struct process *process, int kind)
{
	struct cpu_time time;

	spin_lock(&task_tree_lock);
	time = process_cpu_time(process);
	spin_unlock(&task_tree_lock);
	return kind == CPU_CLOCK_KIND_VIRT ? time.user_ns : time.user_ns + time.system_ns;
}

static uint64_t task_time_ns(const struct task *task, int kind)
{
	return kind == CPU_CLOCK_KIND_VIRT ? task->user_ns : task->user_ns + task->system_ns;
}

static int thread_clock(int tid, int kind, uint64_t *ns)
{
	struct task *task;
	int error = 0;

	if (tid == 0) {
		*ns = task_time_ns(current_task(), kind);
		return 0;
	}
	task = task_find(tid);
	if (!task)
		return -EINVAL;
	if (task->process == current_process())
		*ns = task_time_ns(task, kind);
	else
		error = -EINVAL;
	task_put(task);
	return error;
}

static int process_clock(int pid, int kind, uint64_t *ns)
{
	struct process *process;

	if (pid == 0) {
		*ns = process_time_ns(current_process(), kind);
		return 0;
	}
	process = process_find(pid);
	if (!process)
		return -EINVAL;
	*ns = process_time_ns(process, kind);
	process_put(process);
	return 0;
}

static int cpu_clock(int clock, uint64_t *ns)
{
	int id = ~(clock >> 3);
	int kind = clock & CPU_CLOCK_KIND;

	if (kind > CPU_CLOCK_KIND_SCHED)
		return -EINVAL;
	return clock & CPU_CLOCK_THREAD ? thread_clock(id, kind, ns) : process_clock(id, kind, ns);
}

static int clock_read(int clock, uint64_t *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		*ns = time_real_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = time_monotonic_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		return process_clock(0, CPU_CLOCK_KIND_SCHED, ns);
	case CLOCK_THREAD_CPUTIME_ID:
		return thread_clock(0, CPU_CLOCK_KIND_SCHED, ns);
	default:
		return clock < 0 ? cpu_clock(clock, ns) : -EINVAL;
	}
}

long sys_clock_gettime(int clock, uintptr_t time)
{
	uint64_t ns;
	int error = clock_read(clock, &ns);

	return error ? error : timespec_write(time, ns);
}

long sys_clock_getres(int clock, uintptr_t resolution)
{
	bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
	uint64_t ns;
	int error = clock_read(clock, &ns);

	if (error || !resolution)
		return error;
	return timespec_write(resolution, coarse ? NS_PER_SEC / TIMER_HZ : 1);
}

long sys_clock_settime(int clock, uintptr_t time)
{
	uint64_t ns;
	int error;

	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	if (!process_is_root())
		return -EPERM;
	error = timespec_read(time, &ns);
	if (error)
		return error;
	time_set_real_ns(ns);
	return 0;
}

long sys_gettimeofday(uintptr_t time, uintptr_t zone)
{
	struct timezone utc = {0};

	if (time && timeval_write(time, time_real_ns()))
		return -EFAULT;
	return zone ? put_user(zone, utc) : 0;
}

long sys_time(uintptr_t seconds)
{
	int64_t now = (int64_t)(time_real_ns() / NS_PER_SEC);

	if (seconds && put_user(seconds, now))
		return -EFAULT;
	return now;
}

long sys_times(uintptr_t buffer)
{
	struct process *process = current_process();
	struct usage own, children;
	struct tms tms;

	spin_lock(&task_tree_lock);
	own = usage_of_process(process);
	children = usage_of_children(process);
	spin_unlock(&task_tree_lock);
	tms = (struct tms){
		.tms_utime = (long)ns_to_ticks(own.time.user_ns),
		.tms_stime = (long)ns_to_ticks(own.time.system_ns),
		.tms_cutime = (long)ns_to_ticks(children.time.user_ns),
		.tms_cstime = (long)ns_to_ticks(children.time.system_ns),
	};
	if (buffer && put_user(buffer, tms))
		return -EFAULT;
	return (long)ns_to_ticks(time_monotonic_ns());
}

/* Until `deadline_ns`. After a stop it goes on; after a handler it is EINTR with what remains. */
static long sleep_relative(uint64_t duration_ns, uintptr_t remaining)
{
	uint64_t deadline_ns = signal_deadline_resume(deadline_after(duration_ns));
	int result = task_sleep_until(deadline_ns);
	uint64_t now;

	if (result == 0)
		return 0;
	now = time_monotonic_ns();
	if (now >= deadline_ns)
		return 0;
	if (remaining && timespec_write(remaining, deadline_ns - now))
		return -EFAULT;
	signal_deadline_keep(deadline_ns);
	return -ERESTARTNOHAND;
}

/* The wall clock may be set meanwhile: look again before saying it is time. */
static long sleep_until_real(uint64_t real_ns)
{
	while (time_real_ns() < real_ns) {
		int result = task_sleep_until(deadline_at_real(real_ns));

		if (result)
			return result;
	}
	return 0;
}

long sys_clock_nanosleep(int clock, int flags, uintptr_t time, uintptr_t remaining)
{
	uint64_t ns;
	int error;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_TAI:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		break;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
	error = timespec_read(time, &ns);
	if (error)
		return error;
	if (!(flags & TIMER_ABSTIME))
		return sleep_relative(ns, remaining);
	if (clock == CLOCK_REALTIME || clock == CLOCK_TAI)
		return sleep_until_real(ns);
	return task_sleep_until(ns);
}

long sys_nanosleep(uintptr_t duration, uintptr_t remaining)
{
	uint64_t ns;
	int error = timespec_read(duration, &ns);

	return error ? error : sleep_relative(ns, remaining);
}
