/*
 * kernel/timer.h - a function to call at a time. Callbacks run in the timer interrupt: they wake,
 * queue and send, nothing more. Resolution is one tick (1/TIMER_HZ s), never early.
 */
#pragma once

#include <kernel/timer_tree.h>

struct timer {
	struct timer_node node;
	void (*fire)(struct timer *timer);
};

void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
/* Arms it (again; `fire` may do so too), for monotonic time `deadline_ns`. */
void timer_set(struct timer *timer, uint64_t deadline_ns);
/* Disarms it; when this returns, `fire` is not running and will not. Not from `fire`. */
void timer_cancel(struct timer *timer);
/* From the timer interrupt: fires what is due. */
void timers_expire(uint64_t now_ns);
