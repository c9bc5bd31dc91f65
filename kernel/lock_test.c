/*
 * kernel/lock_test.c - /dev/lock-test, in the checking build only: breaks a rule about locks.
 *
 * Writing the name of a provocation carries it out: the checks (lock_check.c) must notice. All but
 * long-hold end in a panic. Only root may open it.
 *
 * Tests: tests/check/test_locks.py.
 */
#include <fs/device.h>
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <kernel/base/rw_lock.h>
#include <kernel/base/wait.h>
#include <kernel/lock_test.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <kernel/trap.h>
#include <mm/pressure.h>
#include <mm/user_copy.h>
#include <string.h>

#define LOCK_TEST_MAJOR 244 /* local use: Linux's Documentation/admin-guide/devices.txt */
#define LONG_HOLD_NS (50 * NS_PER_MS)

static struct spinlock low = SPINLOCK_INIT(RANK_FILES), high = SPINLOCK_INIT(RANK_DRIVER);
static struct mutex sleeping_low, sleeping_high;
static struct rw_lock readers_writer;

/* Each step is a function of its own, so that the call chains name it. */
#define STEP static __attribute__((noinline)) void

STEP take_low(void) NO_THREAD_SAFETY_ANALYSIS
{
	spin_lock(&low);
}

STEP take_high(void) NO_THREAD_SAFETY_ANALYSIS
{
	spin_lock(&high);
}

STEP try_high(void) NO_THREAD_SAFETY_ANALYSIS
{
	kassert(spin_trylock(&high));
}

STEP release_low(void) NO_THREAD_SAFETY_ANALYSIS
{
	spin_unlock(&low);
}

STEP take_sleeping_low(void) NO_THREAD_SAFETY_ANALYSIS
{
	mutex_lock(&sleeping_low);
}

STEP take_sleeping_high(void) NO_THREAD_SAFETY_ANALYSIS
{
	mutex_lock(&sleeping_high);
}

STEP release_sleeping_low(void) NO_THREAD_SAFETY_ANALYSIS
{
	mutex_unlock(&sleeping_low);
}

STEP take_reading(void) NO_THREAD_SAFETY_ANALYSIS
{
	rw_read_lock(&readers_writer);
}

STEP go_to_sleep(void)
{
	schedule();
}

STEP wait_for_nothing(void)
{
	struct wait_queue queue;

	wait_queue_init(&queue);
	wait_event(&queue, true);
}

STEP touch_user(char *byte)
{
	(void)copy_from_user_partial(byte, PAGE_SIZE, 1);
}

STEP reclaim(void)
{
	(void)!mem_pressure_relieve(true);
}

/* Not by the copy functions. */
STEP touch_directly(const volatile char *byte)
{
	(void)*byte;
}

/* ---- provocations ---- */

static void spin_order(void)
{
	take_high();
	take_low();
}

static void try_order(void)
{
	try_high();
	take_low();
}

static void spin_twice(void)
{
	take_low();
	take_low();
}

static void spin_release(void)
{
	release_low();
}

static void sleep_order(void)
{
	take_sleeping_high();
	take_sleeping_low();
}

static void sleep_twice(void)
{
	take_sleeping_low();
	take_sleeping_low();
}

static void read_twice(void)
{
	take_reading();
	take_reading();
}

static void holder(void *unused)
{
	(void)unused;
	take_sleeping_low();
	for (;;)
		task_sleep_uninterruptible(UINT64_MAX);
}

/* A mutex that another task has. */
static void sleep_release(void)
{
	if (!kernel_task_create("holder", holder, NULL))
		panic("no memory for a task");
	while (!atomic_load(&sleeping_low.owner))
		task_yield();
	release_sleeping_low();
}

static void sleep_under_spin(void)
{
	take_low();
	take_sleeping_low();
}

static void wait_under_spin(void)
{
	take_low();
	wait_for_nothing();
}

static void schedule_under_spin(void)
{
	take_low();
	go_to_sleep();
}

static void reclaim_under_spin(void)
{
	take_low();
	reclaim();
}

/* The stack of the program that asks: it is mapped, and readable to the program. */
static void touch_user_directly(void)
{
	touch_directly((const volatile char *)current_task()->user_frame->rsp);
}

static void copy_under_spin(void)
{
	char byte;

	take_low();
	touch_user(&byte);
}

static void copy_under_space(void)
{
	char byte;

	take_reading();
	touch_user(&byte);
}

static void to_user(void)
{
	take_low();
}

static void to_user_sleeping(void)
{
	take_sleeping_low();
}

/* As if its holder were interrupted by a handler that wants it too. */
static void handler(void)
{
	take_low();
	release_low();
	this_cpu()->irq_depth++;
	take_low();
}

static void long_hold(void)
{
	uint64_t until_ns = time_monotonic_ns() + LONG_HOLD_NS;

	take_low();
	while (time_monotonic_ns() < until_ns)
		cpu_relax();
	release_low();
}

static const struct provocation {
	const char *name;
	void (*provoke)(void);
} provocations[] = {
	{"spin-order", spin_order},
	{"try-order", try_order},
	{"spin-twice", spin_twice},
	{"spin-release", spin_release},
	{"sleep-order", sleep_order},
	{"sleep-twice", sleep_twice},
	{"read-twice", read_twice},
	{"sleep-release", sleep_release},
	{"sleep-under-spin", sleep_under_spin},
	{"wait-under-spin", wait_under_spin},
	{"schedule-under-spin", schedule_under_spin},
	{"reclaim-under-spin", reclaim_under_spin},
	{"touch-user-directly", touch_user_directly},
	{"copy-under-spin", copy_under_spin},
	{"copy-under-space", copy_under_space},
	{"to-user", to_user},
	{"to-user-sleeping", to_user_sleeping},
	{"handler", handler},
	{"long-hold", long_hold},
};

static ssize_t lock_test_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	char text[32] = "";
	size_t size = io_get(io, text, sizeof(text) - 1);

	(void)file;
	(void)pos;
	if (size && text[size - 1] == '\n')
		text[size - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(provocations); i++) {
		if (strcmp(text, provocations[i].name) == 0) {
			provocations[i].provoke();
			return (ssize_t)size;
		}
	}
	return -EINVAL;
}

static const struct file_operations lock_test_operations = {.write = lock_test_write};

void lock_test_init(void)
{
	mutex_init(&sleeping_low, RANK_INODE);
	mutex_init(&sleeping_high, RANK_SLEEP_LEAF);
	rw_init(&readers_writer, RANK_SPACE);
	if (device_register(LOCK_TEST_MAJOR, 0, "lock-test", S_IFCHR | 0600, &lock_test_operations,
			    NULL))
		panic("/dev/lock-test could not be made");
}
