/*
 * kernel/timer.c - timers, in a tree by deadline. Called by sched.c (the tick), wait.c (sleeps),
 * load.c.
 *
 * Locks: timers_lock, taken with interrupts off. `fire` runs without it, so that it may set the
 * timer again; `firing` tells timer_cancel, on another processor, to wait for its end.
 */
#include <kernel/base/lock.h>
#include <kernel/timer.h>

static struct spinlock timers_lock = SPINLOCK_INIT(RANK_TIMER);
static struct timer_tree timers GUARDED_BY(timers_lock);
static struct timer *firing GUARDED_BY(timers_lock); /* whose function is running */

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
	timer->node.number = 0;
	timer->fire = fire;
}

void timer_set(struct timer *timer, uint64_t deadline_ns)
{
	uint64_t flags = spin_lock_irq(&timers_lock);

	timer_tree_remove(&timers, &timer->node);
	timer_tree_insert(&timers, &timer->node, deadline_ns);
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
	timer_tree_remove(&timers, &timer->node);
	spin_unlock_irq(&timers_lock, flags);
}

void timers_expire(uint64_t now_ns)
{
	uint64_t flags = spin_lock_irq(&timers_lock);
	struct timer_node *first;

	while ((first = timer_tree_first(&timers)) && first->deadline_ns <= now_ns) {
		struct timer *timer = container_of(first, struct timer, node);

		timer_tree_remove(&timers, first);
		firing = timer;
		spin_unlock(&timers_lock); /* interrupts stay off */
		timer->fire(timer);
		spin_lock(&timers_lock);
		firing = NULL;
	}
	spin_unlock_irq(&timers_lock, flags);
}
