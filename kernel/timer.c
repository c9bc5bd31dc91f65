/*
 * kernel/timer.c - timers in a list sorted by deadline. Called by sched.c (sleeps) and sys_time.c.
 *
 * Locks: timers_lock, taken with interrupts off. `fire` runs without it, so that it may set the
 * timer again; `firing` tells timer_cancel, on another processor, to wait for its end.
 */
#include <kernel/base/lock.h>
#include <kernel/timer.h>

static struct spinlock timers_lock = SPINLOCK_INIT(RANK_TIMER);
static struct list_node timers GUARDED_BY(timers_lock) = LIST_INIT(timers);
static struct timer *firing GUARDED_BY(timers_lock); /* whose function is running */

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
	list_init(&timer->link);
	timer->fire = fire;
}

void timer_set(struct timer *timer, uint64_t deadline_ns)
{
	uint64_t flags = spin_lock_irq(&timers_lock);
	struct timer *other;

	list_remove(&timer->link);
	timer->deadline_ns = deadline_ns;
	list_for_each_entry(other, &timers, link) {
		if (other->deadline_ns > deadline_ns)
			break;
	}
	list_insert_before(&other->link, &timer->link);
	spin_unlock_irq(&timers_lock, flags);
}

void timer_cancel(struct timer *timer)
{
	uint64_t flags = spin_lock_irq(&timers_lock);

	while (firing == timer) {
		spin_unlock_irq(&timers_lock, flags);
		cpu_relax();
		flags = spin_lock_irq(&timers_lock);
	}
	list_remove(&timer->link);
	spin_unlock_irq(&timers_lock, flags);
}

void timers_expire(uint64_t now_ns)
{
	uint64_t flags = spin_lock_irq(&timers_lock);

	while (!list_empty(&timers)) {
		struct timer *timer = list_first(&timers, struct timer, link);

		if (timer->deadline_ns > now_ns)
			break;
		list_remove(&timer->link);
		firing = timer;
		spin_unlock(&timers_lock); /* interrupts stay off */
		timer->fire(timer);
		spin_lock(&timers_lock);
		firing = NULL;
	}
	spin_unlock_irq(&timers_lock, flags);
}
