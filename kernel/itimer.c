/*
 * kernel/itimer.c - alarm and setitimer: SIGALRM after a while, once or again and again.
 *
 * Armed timers stand in one tree, by deadline; a kernel task sleeps until the first is due,
 * because a signal may not be sent from the timer interrupt.
 *
 * Locks: itimer_lock for the tree and all timers. A process in the tree is alive: its end takes
 * it out (itimer_cancel).
 */
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <kernel/sys_time.h>
#include <kernel/task_private.h>
#include <kernel/time_abi.h>
#include <linux/time.h>
#include <mm/user_copy.h>

static struct spinlock itimer_lock = SPINLOCK_INIT(RANK_TIMER);
static struct timer_tree armed GUARDED_BY(itimer_lock);
static struct wait_queue changed = WAIT_QUEUE_INIT(changed);
static _Atomic uint64_t first_deadline_ns = UINT64_MAX;

/* itimer_lock is held, here and in the next three. */
static void note_first(void)
{
	const struct timer_node *first = timer_tree_first(&armed);

	atomic_store(&first_deadline_ns, first ? first->deadline_ns : UINT64_MAX);
}

static void timer_insert(struct interval_timer *timer, uint64_t deadline_ns)
{
	timer_tree_insert(&armed, &timer->node, deadline_ns);
	note_first();
}

static void timer_remove(struct interval_timer *timer)
{
	timer_tree_remove(&armed, &timer->node);
	note_first();
}

/* The next time after now in the timer's rhythm. */
static void timer_expire(struct interval_timer *timer, uint64_t now)
{
	uint64_t deadline_ns = timer->node.deadline_ns;

	timer_remove(timer);
	if (!timer->interval_ns)
		return;
	deadline_ns += ((now - deadline_ns) / timer->interval_ns + 1) * timer->interval_ns;
	timer_insert(timer, deadline_ns);
}

/* A process whose timer is due, with a reference, its timer started again; or NULL. */
static struct process *take_expired(void)
{
	uint64_t now = time_monotonic_ns();
	struct process *process = NULL;
	struct timer_node *first;

	spin_lock(&itimer_lock);
	first = timer_tree_first(&armed);
	if (first && first->deadline_ns <= now) {
		process = container_of(first, struct process, timer.node);
		process_get(process);
		timer_expire(&process->timer, now);
	}
	spin_unlock(&itimer_lock);
	return process;
}

static noreturn_fn void itimer_task(void *arg)
{
	(void)arg;
	for (;;) {
		uint64_t deadline_ns = atomic_load(&first_deadline_ns);
		struct process *process;

		(void)wait_event_timeout(&changed, atomic_load(&first_deadline_ns) != deadline_ns,
					 deadline_ns);
		while ((process = take_expired()) != NULL) {
			(void)signal_send_process(process, SIGALRM, NULL);
			process_put(process);
		}
	}
}

void itimer_init(void)
{
	if (!kernel_task_create("itimer", itimer_task, NULL))
		panic("no memory for the interval timers' task");
}

void itimer_cancel(struct process *process)
{
	/* Its last thread has ended: nobody arms it now. But it may just be expiring. */
	spin_lock(&itimer_lock);
	timer_remove(&process->timer);
	spin_unlock(&itimer_lock);
}

struct timer_setting {
	uint64_t value_ns, interval_ns; /* value 0: off */
};

/* itimer_lock is held. */
static struct timer_setting setting_now(const struct interval_timer *timer)
{
	uint64_t now = time_monotonic_ns();
	struct timer_setting setting = {0};

	if (timer->node.number) {
		setting.interval_ns = timer->interval_ns;
		/* Due, but its signal not yet sent: not off. */
		setting.value_ns =
			timer->node.deadline_ns > now ? timer->node.deadline_ns - now : NS_PER_US;
	}
	return setting;
}

static struct timer_setting setting_replace(const struct timer_setting *new)
{
	struct interval_timer *timer = &current_process()->timer;
	struct timer_setting old;

	spin_lock(&itimer_lock);
	old = setting_now(timer);
	timer_remove(timer);
	timer->interval_ns = new->interval_ns;
	if (new->value_ns)
		timer_insert(timer, deadline_after(new->value_ns));
	spin_unlock(&itimer_lock);
	wake_up_all(&changed);
	return old;
}

static int setting_read(uintptr_t user, struct timer_setting *setting)
{
	int error = timeval_read(user + offsetof(struct itimerval, it_value), &setting->value_ns);

	if (error)
		return error;
	return timeval_read(user + offsetof(struct itimerval, it_interval), &setting->interval_ns);
}

static int setting_write(uintptr_t user, const struct timer_setting *setting)
{
	int error = timeval_write(user + offsetof(struct itimerval, it_value), setting->value_ns);

	if (error)
		return error;
	return timeval_write(user + offsetof(struct itimerval, it_interval), setting->interval_ns);
}

long sys_alarm(unsigned seconds)
{
	struct timer_setting new = {.value_ns = seconds * NS_PER_SEC};
	struct timer_setting old = setting_replace(&new);

	/* Rounded, but an armed timer is never told as 0. */
	if (old.value_ns && old.value_ns < NS_PER_SEC)
		return 1;
	return (long)((old.value_ns + NS_PER_SEC / 2) / NS_PER_SEC);
}

long sys_getitimer(int which, uintptr_t value)
{
	struct timer_setting setting;

	if (which != ITIMER_REAL)
		return -EINVAL;
	spin_lock(&itimer_lock);
	setting = setting_now(&current_process()->timer);
	spin_unlock(&itimer_lock);
	return setting_write(value, &setting);
}

long sys_setitimer(int which, uintptr_t value, uintptr_t old_value)
{
	struct timer_setting new = {0}, old;
	int error;

	if (which != ITIMER_REAL)
		return -EINVAL;
	if (value) {
		error = setting_read(value, &new);
		if (error)
			return error;
	}
	old = setting_replace(&new);
	return old_value ? setting_write(old_value, &old) : 0;
}
