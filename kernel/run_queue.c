/*
 * kernel/run_queue.c - the queues of tasks that want to run (kernel/run_queue.h).
 *
 * Called by sched.c only.
 *
 * Locks: a queue's lock guards its lists and, of the tasks in it or last run there, what task.h
 * marks [R]. task->cpu changes under the lock of the queue it names, so whoever has locked that
 * queue and still finds it there holds the task. Two queues are never waited for at once: stealing
 * only tries the second.
 *
 * Tests: tests/guest/sched.c, sched_affinity.c.
 */
#include <kernel/run_queue.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <linux/sched.h>

struct run_queue run_queues[CPU_MAX];
static _Atomic uint64_t idle_cpus;
static _Atomic uint64_t latest_round; /* of any queue */

/*
 * Nice values' slices, from -20 to 19: 20 ms for 0, and one step is a factor of 1.25 (sched(7)),
 * but never more than 200 ms, which is what the others wait.
 */
static const uint32_t slice_us[40] = {
	200000, 200000, 200000, 200000, 200000, 200000, 200000, 200000, 200000, 200000, /* -20 */
	186265, 149012, 119209, 95367,  76294,  61035,  48828,  39062,  31250,  25000,  /* -10 */
	20000,  16000,  12800,  10240,  8192,   6554,   5243,   4194,   3355,   2684,   /* 0 */
	2147,   1718,   1374,   1100,   880,    704,    563,    450,    360,    288,    /* 10 */
};

#define DEBT_MAX_NS ((int64_t)(50 * NS_PER_MS)) /* it may not have been its own doing */

int64_t run_queue_slice_ns(int nice)
{
	return (int64_t)slice_us[MAX(MIN(nice, NICE_MAX), NICE_MIN) - NICE_MIN] *
	       (int64_t)NS_PER_US;
}

int run_queue_nice(const struct task *task)
{
	if (atomic_load_explicit(&task->policy, memory_order_relaxed) == SCHED_IDLE)
		return NICE_MAX + 1;
	return atomic_load_explicit(&task->nice, memory_order_relaxed);
}

void run_queue_init(struct run_queue *queue)
{
	spin_init(&queue->lock, RANK_RUN_QUEUE);
	list_init(&queue->woken);
	list_init(&queue->active);
	list_init(&queue->expired);
	atomic_store(&queue->count, 0);
	atomic_store(&queue->round, 1);
}

struct run_queue *run_queue_lock_of(struct task *task) NO_THREAD_SAFETY_ANALYSIS
{
	for (;;) {
		uint32_t cpu = atomic_load(&task->cpu);

		spin_lock(&run_queues[cpu].lock);
		if (atomic_load(&task->cpu) == cpu)
			return &run_queues[cpu];
		spin_unlock(&run_queues[cpu].lock);
	}
}

/* Once a round: what it owes from the last one is kept, what it saved is not. */
static void slice_grant(struct run_queue *queue, struct task *task)
{
	int64_t slice = run_queue_slice_ns(run_queue_nice(task));

	task->round = queue->round;
	task->slice_ns = MIN(task->slice_ns, 0) + slice;
}

void run_queue_charge(struct task *task, uint64_t ran_ns)
{
	task->slice_ns = MAX(task->slice_ns - (int64_t)ran_ns, -DEBT_MAX_NS);
}

bool run_queue_slice_left(const struct task *task)
{
	return task->slice_ns > 0;
}

void run_queue_add(struct run_queue *queue, struct task *task, enum run_queue_place place)
{
	if (task->round != queue->round)
		slice_grant(queue, task);
	atomic_store(&task->cpu, (uint32_t)(queue - run_queues));
	if (place == PLACE_LAST || !run_queue_slice_left(task))
		list_push_back(&queue->expired, &task->run_link);
	else if (place == PLACE_WOKEN)
		list_push_back(&queue->woken, &task->run_link);
	else if (place == PLACE_NEW)
		list_push_back(&queue->active, &task->run_link);
	else
		list_push_front(&queue->active, &task->run_link);
	task->on_run_queue = true;
	atomic_fetch_add(&queue->count, 1);
}

void run_queue_remove(struct run_queue *queue, struct task *task)
{
	list_remove(&task->run_link);
	task->on_run_queue = false;
	atomic_fetch_sub(&queue->count, 1);
}

/* A queue that was empty, or whose tasks may not leave it, does not stay behind for ever. */
static void round_count(struct run_queue *queue)
{
	uint64_t latest = atomic_load_explicit(&latest_round, memory_order_relaxed);
	uint64_t round = MAX(queue->round + 1, latest ? latest - 1 : 0);

	atomic_store_explicit(&queue->round, round, memory_order_relaxed);
	while (latest < round && !atomic_compare_exchange_weak(&latest_round, &latest, round))
		continue;
}

/* Everybody who waits gets another slice; who owes more than that waits on. */
static void round_begin(struct run_queue *queue)
{
	struct task *task, *next;

	round_count(queue);
	list_for_each_entry_safe (task, next, &queue->expired, run_link) {
		slice_grant(queue, task);
		if (!run_queue_slice_left(task))
			continue;
		list_remove(&task->run_link);
		list_push_back(&queue->active, &task->run_link);
	}
}

struct task *run_queue_take(struct run_queue *queue)
{
	struct list_node *list = &queue->woken;
	struct task *task;

	if (atomic_load_explicit(&queue->count, memory_order_relaxed) == 0)
		return NULL;
	while (run_queue_round_over(queue))
		round_begin(queue);
	if (list_empty(list))
		list = &queue->active;
	task = list_first(list, struct task, run_link);
	run_queue_remove(queue, task);
	return task;
}

static struct task *first_allowed(struct list_node *list, uint32_t cpu)
{
	struct task *task;

	list_for_each_entry (task, list, run_link)
		if (task->affinity & 1ull << cpu)
			return task;
	return NULL;
}

/*
 * For `queue`, from one that is behind, or in the same round: then only who has yet to run in that.
 */
static struct task *steal_from(struct run_queue *other, struct run_queue *queue, bool idle)
	REQUIRES(other->lock)
{
	uint32_t cpu = (uint32_t)(queue - run_queues);
	struct task *task = first_allowed(&other->woken, cpu);

	if (!task)
		task = first_allowed(&other->active, cpu);
	if (!task && (idle || other->round < queue->round))
		task = first_allowed(&other->expired, cpu);
	if (idle && queue->round < other->round) /* idle: done with all rounds so far */
		atomic_store_explicit(&queue->round, other->round, memory_order_relaxed);
	if (task) {
		run_queue_remove(other, task);
		atomic_store(&task->cpu, cpu);
		if (task->round != queue->round)
			slice_grant(queue, task);
	}
	return task;
}

static uint32_t waiting_in(const struct run_queue *queue)
{
	return atomic_load_explicit(&queue->count, memory_order_relaxed);
}

/* How many share the processor. */
static uint32_t sharing(uint32_t cpu)
{
	return waiting_in(&run_queues[cpu]) + (cpus[cpu].current != cpus[cpu].idle);
}

/*
 * Helping `other` brings the rounds together: it is behind, or its round will take longer than ours
 * did.
 */
static bool needs_help(const struct run_queue *other, const struct run_queue *queue)
{
	uint64_t round = atomic_load_explicit(&other->round, memory_order_relaxed);

	if (round != queue->round)
		return round < queue->round;
	return sharing((uint32_t)(other - run_queues)) > waiting_in(queue);
}

/* `a` is further behind, or in the same round and fuller. */
static bool needs_more_help(const struct run_queue *a, const struct run_queue *b)
{
	uint64_t a_round = atomic_load_explicit(&a->round, memory_order_relaxed);
	uint64_t b_round = atomic_load_explicit(&b->round, memory_order_relaxed);

	return a_round != b_round ? a_round < b_round : waiting_in(a) > waiting_in(b);
}

/* Of those in the mask where somebody waits; NULL: none. */
static struct run_queue *neediest_of(uint64_t mask, const struct run_queue *queue, bool idle)
{
	struct run_queue *neediest = NULL;

	for (uint32_t i = 0; i < cpu_count(); i++) {
		struct run_queue *other = &run_queues[i];

		if (!(mask & 1ull << i) || waiting_in(other) == 0)
			continue;
		if (!idle && !needs_help(other, queue))
			continue;
		if (!neediest || needs_more_help(other, neediest))
			neediest = other;
	}
	return neediest;
}

struct task *run_queue_steal(struct run_queue *queue)
{
	uint64_t untried = ~(1ull << (queue - run_queues));
	bool idle = waiting_in(queue) == 0;
	struct task *task = NULL;

	while (!task) {
		struct run_queue *other = neediest_of(untried, queue, idle);

		if (!other)
			return NULL;
		untried &= ~(1ull << (other - run_queues)); /* all bound elsewhere, perhaps */
		if (!spin_trylock(&other->lock))
			continue;
		task = steal_from(other, queue, idle);
		spin_unlock(&other->lock);
	}
	return task;
}

bool run_queue_others_wait(const struct run_queue *queue)
{
	for (uint32_t i = 0; i < cpu_count(); i++)
		if (&run_queues[i] != queue && waiting_in(&run_queues[i]) > 0)
			return true;
	return false;
}

/* The first of the mask, which is not empty, behind `last`: so they take turns. */
static uint32_t next_of(uint64_t mask, uint32_t last)
{
	uint64_t behind = mask & ~((2ull << last) - 1);

	return (uint32_t)__builtin_ctzll(behind ? behind : mask);
}

uint32_t run_queue_choose(const struct task *task)
{
	uint64_t allowed = task->affinity & ((1ull << cpu_count()) - 1);
	uint64_t idle = atomic_load(&idle_cpus) & allowed;
	uint32_t last = atomic_load(&task->cpu);

	if (idle && !(idle & 1ull << last))
		return next_of(idle, last);
	if (allowed & 1ull << last)
		return last;
	return (uint32_t)__builtin_ctzll(allowed);
}

void run_queue_set_idle(uint32_t cpu, bool idle)
{
	if (idle)
		atomic_fetch_or(&idle_cpus, 1ull << cpu);
	else
		atomic_fetch_and(&idle_cpus, ~(1ull << cpu));
}

uint32_t run_queue_next_idle(struct run_queue *queue)
{
	/* One that got stuck in its start may think that it idles. */
	uint64_t idle = atomic_load(&idle_cpus) & ((1ull << cpu_count()) - 1);

	if (!idle)
		return CPU_MAX;
	queue->helper = next_of(idle, queue->helper);
	return queue->helper;
}
