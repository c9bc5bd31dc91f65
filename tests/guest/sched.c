/*
 * sched.c - who gets the processor: policies, nice values and their effect, yielding, and that
 * nobody starves.
 *
 * Where threads run is sched_affinity.c's. Effects are compared by work done, never by time.
 */
#include "helpers.h"

#include <linux/sched.h>
#define sched_param kernel_sched_param /* the library has its own */
#include <linux/sched/types.h>
#undef sched_param
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define ATTR_SIZE_FIRST 48

static int own_tid(void)
{
	return (int)syscall(SYS_gettid);
}

static pthread_t start_thread(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	expect_equal(pthread_create(&thread, NULL, function, argument), 0);
	return thread;
}

static void expect_joined(pthread_t thread)
{
	expect_equal(pthread_join(thread, NULL), 0);
}

/* Bind the caller to the processor it is on, and so what it starts from here on. */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	expect(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* --- policies --------------------------------------------------------------------------------- */

static int set_policy(pid_t tid, int policy, int priority)
{
	struct sched_param param = {.sched_priority = priority};

	return sched_setscheduler(tid, policy, &param);
}

static void policies(void)
{
	struct sched_param param = {.sched_priority = 77};

	expect_equal(sched_getscheduler(0), SCHED_OTHER);
	expect(sched_getparam(0, &param) == 0 && param.sched_priority == 0);
	expect(set_policy(0, SCHED_BATCH, 0) == 0);
	expect_equal(sched_getscheduler(own_tid()), SCHED_BATCH);
	expect(set_policy(own_tid(), SCHED_IDLE, 0) == 0);
	expect_equal(sched_getscheduler(0), SCHED_IDLE);
	expect(sched_setparam(0, &param) == 0);
	expect_equal(sched_getscheduler(0), SCHED_IDLE);
	expect(set_policy(0, SCHED_OTHER | SCHED_RESET_ON_FORK, 0) == 0);
	expect_equal(sched_getscheduler(0), SCHED_OTHER | SCHED_RESET_ON_FORK);
	expect(sched_setparam(0, &param) == 0);
	expect_equal(sched_getscheduler(0), SCHED_OTHER | SCHED_RESET_ON_FORK);
	expect(set_policy(0, SCHED_OTHER, 0) == 0);
	expect_equal(sched_getscheduler(0), SCHED_OTHER);
}

static void policy_errors(void)
{
	struct sched_param one = {.sched_priority = 1}, none = {.sched_priority = 0};

	expect_errno(set_policy(0, SCHED_OTHER, 1), EINVAL);
	expect_errno(set_policy(0, SCHED_FIFO, 0), EINVAL);
	expect_errno(set_policy(0, SCHED_RR, 100), EINVAL);
	expect_errno(set_policy(0, SCHED_RR, -1), EINVAL);
	expect_errno(set_policy(0, 4, 0), EINVAL);
	expect_errno(set_policy(0, 99, 0), EINVAL);
	expect_errno(set_policy(0, -1, 0), EINVAL);
	expect_errno(set_policy(0, SCHED_DEADLINE, 0), EINVAL);
	expect_errno(set_policy(-1, SCHED_OTHER, 0), EINVAL);
	expect_errno(set_policy(999999999, SCHED_OTHER, 0), ESRCH);
	expect_errno(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL), EINVAL);
	expect_errno(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, 16), EFAULT);
	expect_errno(sched_setparam(0, &one), EINVAL);
	expect_errno(sched_setparam(-1, &none), EINVAL);
	expect_errno(sched_setparam(999999999, &none), ESRCH);
	expect_errno(sched_getscheduler(-1), EINVAL);
	expect_errno(sched_getscheduler(999999999), ESRCH);
	expect_errno(sched_getparam(-1, &none), EINVAL);
	expect_errno(sched_getparam(999999999, &none), ESRCH);
	expect_errno(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
	expect_errno(syscall(SYS_sched_getparam, 0, 16), EFAULT);
}

/* stos promises nothing in real time, and says so to everybody. */
static void real_time_needs_a_right(void)
{
	if (on_stos()) {
		expect_errno(set_policy(0, SCHED_FIFO, 1), EPERM);
		expect_errno(set_policy(0, SCHED_RR, 99), EPERM);
	}
	expect(setuid(1000) == 0);
	expect_errno(set_policy(0, SCHED_FIFO, 1), EPERM);
	expect_errno(set_policy(0, SCHED_RR, 99), EPERM);
	expect_equal(sched_getscheduler(0), SCHED_OTHER);
}

static void what_users_may(void)
{
	pid_t parent = getpid(), pid = fork_child();

	if (pid == 0) {
		expect(setuid(1000) == 0);
		expect(set_policy(0, SCHED_BATCH, 0) == 0);
		expect(set_policy(0, SCHED_IDLE, 0) == 0);
		expect_errno(set_policy(0, SCHED_OTHER, 0), EPERM);
		expect_errno(set_policy(parent, SCHED_BATCH, 0), EPERM);
		expect_equal(sched_getscheduler(parent), SCHED_OTHER);
		child_end();
	}
	expect_exit(pid, 0);
	expect(setuid(1000) == 0);
	expect(set_policy(0, SCHED_OTHER | SCHED_RESET_ON_FORK, 0) == 0);
	expect_errno(set_policy(0, SCHED_OTHER, 0), EPERM);
}

static void limits_of_priorities(void)
{
	static const int fair[] = {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_DEADLINE};

	for (size_t i = 0; i < ARRAY_LENGTH(fair); i++) {
		expect_equal(sched_get_priority_max(fair[i]), 0);
		expect_equal(sched_get_priority_min(fair[i]), 0);
	}
	expect_equal(sched_get_priority_max(SCHED_FIFO), 99);
	expect_equal(sched_get_priority_min(SCHED_FIFO), 1);
	expect_equal(sched_get_priority_max(SCHED_RR), 99);
	expect_equal(sched_get_priority_min(SCHED_RR), 1);
	expect_errno(sched_get_priority_max(4), EINVAL);
	expect_errno(sched_get_priority_min(-1), EINVAL);
}

static void the_slice(void)
{
	struct timespec slice = {.tv_sec = -1};

	expect(sched_rr_get_interval(0, &slice) == 0);
	expect(slice.tv_sec == 0 && slice.tv_nsec >= 0);
	expect_errno(sched_rr_get_interval(-1, &slice), EINVAL);
	expect_errno(sched_rr_get_interval(999999999, &slice), ESRCH);
	expect_errno(syscall(SYS_sched_rr_get_interval, 0, 16), EFAULT);
}

static long get_attr(struct sched_attr *attr, unsigned size)
{
	return syscall(SYS_sched_getattr, 0, attr, size, 0);
}

static long set_attr(const struct sched_attr *attr)
{
	return syscall(SYS_sched_setattr, 0, attr, 0);
}

static void attributes(void)
{
	struct sched_attr attr = {
		.size = sizeof(attr), .sched_policy = SCHED_BATCH, .sched_nice = 7};

	expect(set_attr(&attr) == 0);
	expect_equal(sched_getscheduler(0), SCHED_BATCH);
	expect_equal(getpriority(PRIO_PROCESS, 0), 7);
	attr.sched_flags = SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_KEEP_PARAMS;
	attr.sched_policy = SCHED_OTHER;
	attr.sched_nice = 3;
	expect(set_attr(&attr) == 0);
	memset(&attr, 0xff, sizeof(attr));
	expect(get_attr(&attr, ATTR_SIZE_FIRST) == 0);
	expect_equal(attr.size, ATTR_SIZE_FIRST);
	expect(attr.sched_policy == SCHED_BATCH &&
	       attr.sched_nice == 7); /* "params" are all but the flag */
	expect_equal(attr.sched_flags, SCHED_FLAG_RESET_ON_FORK);
	expect_equal(attr.sched_priority, 0);
	attr = (struct sched_attr){.sched_flags = SCHED_FLAG_KEEP_POLICY, .sched_nice = 100};
	expect(set_attr(&attr) == 0); /* size 0: the first version's */
	expect_equal(getpriority(PRIO_PROCESS, 0), 19);
	expect_equal(sched_getscheduler(0), SCHED_BATCH | SCHED_RESET_ON_FORK);
}

static void attribute_errors(void)
{
	struct {
		struct sched_attr attr;
		char more[64];
	} big = {.attr = {.size = sizeof(big)}};
	struct sched_attr attr = {.size = sizeof(attr)};

	expect_errno(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
	expect_errno(syscall(SYS_sched_setattr, 0, 16, 0), EFAULT);
	expect_errno(syscall(SYS_sched_setattr, 0, &attr, 1), EINVAL);
	expect_errno(syscall(SYS_sched_setattr, -1, &attr, 0), EINVAL);
	expect_errno(syscall(SYS_sched_setattr, 999999999, &attr, 0), ESRCH);
	expect_errno(syscall(SYS_sched_getattr, 0, NULL, sizeof(attr), 0), EINVAL);
	expect_errno(syscall(SYS_sched_getattr, 0, 16, sizeof(attr), 0), EFAULT);
	expect_errno(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 1), EINVAL);
	expect_errno(syscall(SYS_sched_getattr, 0, &attr, 5000, 0), EINVAL);
	expect_errno(syscall(SYS_sched_getattr, 999999999, &attr, sizeof(attr), 0), ESRCH);
	expect_errno(get_attr(&attr, ATTR_SIZE_FIRST - 1), EINVAL);
	attr.sched_flags = 1ull << 40;
	expect_errno(set_attr(&attr), EINVAL);
	attr.sched_flags = 0;
	attr.sched_policy = (uint32_t)-1;
	expect_errno(set_attr(&attr), EINVAL);
	expect(syscall(SYS_sched_setattr, 0, &big, 0) == 0);
	big.more[60] = 1;
	expect_errno(syscall(SYS_sched_setattr, 0, &big, 0), E2BIG);
	expect(big.attr.size >= ATTR_SIZE_FIRST && big.attr.size < sizeof(big));
	attr = (struct sched_attr){.size = 7};
	expect_errno(set_attr(&attr), E2BIG);
}

/* --- nice values ------------------------------------------------------------------------------ */

static int nice_of(int which, id_t who)
{
	int value;

	errno = 0;
	value = getpriority(which, who);
	expect(errno == 0);
	return value;
}

static void nice_values(void)
{
	expect_equal(nice_of(PRIO_PROCESS, 0), 0);
	expect(setpriority(PRIO_PROCESS, 0, 5) == 0);
	expect_equal(nice_of(PRIO_PROCESS, (id_t)getpid()), 5);
	expect_equal(nice(3), 8);
	expect(setpriority(PRIO_PROCESS, 0, 1000) == 0);
	expect_equal(nice_of(PRIO_PROCESS, 0), 19);
	expect(setpriority(PRIO_PROCESS, 0, -1000) == 0);
	expect_equal(nice_of(PRIO_PROCESS, 0), -20);
	expect_equal(nice(20), 0);
}

static void nice_errors(void)
{
	expect_errno(getpriority(77, 0), EINVAL);
	expect_errno(setpriority(-1, 0, 0), EINVAL);
	expect_errno(getpriority(PRIO_PROCESS, 999999999), ESRCH);
	expect_errno(setpriority(PRIO_PROCESS, 999999999, 0), ESRCH);
	expect_errno(getpriority(PRIO_PGRP, 999999999), ESRCH);
	expect_errno(setpriority(PRIO_USER, 54321, 0), ESRCH);
}

static void what_users_may_do_to_nice_values(void)
{
	struct rlimit limit = {.rlim_cur = 15, .rlim_max = 15}; /* nice 5 */

	bool limited = setrlimit(RLIMIT_NICE, &limit) == 0; /* a container's root may be refused */

	expect(limited || (errno == EPERM && !on_stos()));
	expect(setpriority(PRIO_PROCESS, 0, 10) == 0);
	expect(setuid(1000) == 0);
	expect(setpriority(PRIO_PROCESS, 0, 12) == 0);
	if (limited)
		expect(setpriority(PRIO_PROCESS, 0, 5) == 0);
	expect_errno(setpriority(PRIO_PROCESS, 0, 4), EACCES);
	expect_equal(nice_of(PRIO_PROCESS, 0), limited ? 5 : 12);
	expect_errno(setpriority(PRIO_PROCESS, getppid(), 15), EPERM);
	expect_equal(nice_of(PRIO_PROCESS, (id_t)getppid()), 0);
}

static void groups_and_users(void)
{
	struct gate go;
	pid_t group, member;

	gate_make(&go);
	group = fork_child();
	if (group == 0) {
		gate_pass(&go);
		child_end();
	}
	expect(setpgid(group, group) == 0);
	member = fork_child();
	if (member == 0) {
		gate_pass(&go);
		child_end();
	}
	expect(setpgid(member, group) == 0);
	expect(setpriority(PRIO_PROCESS, (id_t)member, 3) == 0);
	expect_equal(nice_of(PRIO_PGRP, (id_t)group), 0); /* the lowest */
	expect(setpriority(PRIO_PGRP, (id_t)group, 6) == 0);
	expect_equal(nice_of(PRIO_PROCESS, (id_t)group), 6);
	expect_equal(nice_of(PRIO_PROCESS, (id_t)member), 6);
	expect_equal(nice_of(PRIO_PROCESS, 0), 0);
	gate_open(&go);
	gate_open(&go);
	expect_exit(group, 0);
	expect_exit(member, 0);
	expect(setuid(54321) == 0);
	expect(setpriority(PRIO_USER, 0, 9) == 0);
	expect_equal(nice_of(PRIO_USER, 54321), 9);
	expect_equal(nice_of(PRIO_PROCESS, 0), 9);
}

static void *expect_nice(void *value)
{
	expect_equal(nice_of(PRIO_PROCESS, 0), (long)value);
	expect(setpriority(PRIO_PROCESS, 0, 15) == 0);
	expect_equal(nice_of(PRIO_PROCESS, (id_t)own_tid()), 15);
	return NULL;
}

static void nice_is_the_threads_and_inherited(void)
{
	char path[512];
	ssize_t length;
	pid_t pid;

	expect(setpriority(PRIO_PROCESS, 0, 4) == 0);
	expect(set_policy(0, SCHED_BATCH, 0) == 0);
	expect_joined(start_thread(expect_nice, (void *)4));
	expect_equal(nice_of(PRIO_PROCESS, 0), 4);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(nice_of(PRIO_PROCESS, 0), 4);
		length = readlink("/proc/self/exe", path, sizeof(path) - 1);
		expect(length > 0);
		path[length] = '\0';
		execl(path, path, "--inherited", NULL);
		_exit(1);
	}
	expect_exit(pid, 0);
}

static int inherited(void)
{
	expect_equal(nice_of(PRIO_PROCESS, 0), 4);
	expect_equal(sched_getscheduler(0), SCHED_BATCH);
	return 0;
}

static void reset_on_fork(void)
{
	pid_t pid;

	expect(setpriority(PRIO_PROCESS, 0, -5) == 0);
	expect(set_policy(0, SCHED_BATCH | SCHED_RESET_ON_FORK, 0) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(nice_of(PRIO_PROCESS, 0), 0);
		expect_equal(sched_getscheduler(0), SCHED_BATCH);
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(nice_of(PRIO_PROCESS, 0), -5);
	expect(setpriority(PRIO_PROCESS, 0, 5) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect_equal(nice_of(PRIO_PROCESS, 0), 5);
		child_end();
	}
	expect_exit(pid, 0);
}

/* --- effects ---------------------------------------------------------------------------------- */

static _Atomic bool go, stop;

struct spinner {
	_Atomic unsigned long work; /* since `go` */
	_Atomic int tid;
	pthread_t thread;
};

static long own_cpu_ms(void)
{
	struct timespec used;

	expect(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0);
	return used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static void *spin(void *argument)
{
	struct spinner *spinner = argument;

	spinner->tid = own_tid();
	while (!stop)
		if (go)
			spinner->work++;
	return NULL;
}

/* The same, but it is this one that ends the race: after so much time of its own. */
static void *spin_and_end(void *argument)
{
	struct spinner *spinner = argument;
	long until_ms = 0;

	spinner->tid = own_tid();
	for (unsigned long i = 0; !stop; i++) {
		if (go)
			spinner->work++;
		if (go && i % 1024 == 0) {
			if (until_ms == 0)
				until_ms = own_cpu_ms() + 400;
			stop = own_cpu_ms() >= until_ms;
		}
	}
	return NULL;
}

/* Two on one processor; `weaken` makes the second weaker while it runs. */
static void race(struct spinner spinners[2], void (*weaken)(int tid))
{
	stay_here();
	spinners[0].thread = start_thread(spin_and_end, &spinners[0]);
	spinners[1].thread = start_thread(spin, &spinners[1]);
	for (int i = 0; i < 2; i++)
		while (!spinners[i].tid)
			sched_yield();
	weaken(spinners[1].tid);
	go = true;
	for (int i = 0; i < 2; i++)
		expect_joined(spinners[i].thread);
}

static void by_nice_value(int tid)
{
	expect(setpriority(PRIO_PROCESS, (id_t)tid, 10) == 0);
}

static void by_policy(int tid)
{
	expect(set_policy(tid, SCHED_IDLE, 0) == 0);
}

static void not_at_all(int tid)
{
	expect(tid > 0);
}

/* A step is a factor of 1.25, so ten are one of 9. */
static void a_nice_thread_gets_less(void)
{
	static struct spinner spinners[2];

	race(spinners, by_nice_value);
	expect(spinners[0].work > 3 * spinners[1].work);
}

static void an_idle_thread_gets_less(void)
{
	static struct spinner spinners[2];

	race(spinners, by_policy);
	expect(spinners[0].work > 5 * spinners[1].work);
}

static void equals_get_about_the_same(void)
{
	static struct spinner spinners[2];

	race(spinners, not_at_all);
	expect(spinners[0].work < 4 * spinners[1].work);
	expect(spinners[1].work < 4 * spinners[0].work);
}

static void sleep_often(void)
{
	for (int i = 0; i < 20; i++)
		sleep_ms(1);
}

/* On one processor: weak and strong ones that never sleep, and one that does. */
static void nobody_starves(void)
{
	static struct spinner spinners[8];
	unsigned long before[8];

	stay_here();
	go = true;
	for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++)
		spinners[i].thread = start_thread(spin, &spinners[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++)
		while (!spinners[i].tid)
			sleep_ms(1);
	by_nice_value(spinners[0].tid);
	expect(setpriority(PRIO_PROCESS, (id_t)spinners[1].tid, 19) == 0);
	expect(setpriority(PRIO_PROCESS, (id_t)spinners[2].tid, -5) == 0);
	if (on_stos())
		by_policy(spinners[3].tid); /* Linux lets it wait for minutes */
	sleep_often();
	for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++)
		before[i] = spinners[i].work;
	for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++)
		while (spinners[i].work == before[i])
			sleep_ms(1);
	stop = true;
	for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++)
		expect_joined(spinners[i].thread);
}

/* Each waits for its turn by yielding. If yielding did nothing it would take a slice of them a
 * turn. */
enum { HANDOVERS = 500 };
static _Atomic int turn;
static _Atomic long yields;

static void *hand_over(void *own_turn)
{
	for (int i = 0; i < HANDOVERS; i++) {
		for (; turn % 2 != (long)own_turn; yields++)
			sched_yield();
		turn++;
	}
	return NULL;
}

static void yielding_hands_over(void)
{
	pthread_t threads[2];

	stay_here();
	for (long i = 0; i < 2; i++)
		threads[i] = start_thread(hand_over, (void *)i);
	for (int i = 0; i < 2; i++)
		expect_joined(threads[i]);
	expect_equal(turn, 2 * HANDOVERS);
	expect(yields < 20 * 2 * HANDOVERS);
}

static void yielding_alone(void)
{
	for (int i = 0; i < 10000; i++)
		expect_equal(sched_yield(), 0);
}

static void a_hundred_processes(void)
{
	pid_t pids[100];

	for (size_t i = 0; i < ARRAY_LENGTH(pids); i++) {
		pids[i] = fork_child();
		if (pids[i] != 0)
			continue;
		if (i % 3 == 0)
			expect(setpriority(PRIO_PROCESS, 0, (int)(i % 40) - 20) == 0);
		for (int round = 0; round < 5; round++) {
			for (volatile int work = 0; work < 50000; work++)
				;
			if (i % 2 == 0)
				sched_yield();
			else
				sleep_ms(1);
		}
		child_end();
	}
	for (size_t i = 0; i < ARRAY_LENGTH(pids); i++)
		expect_exit(pids[i], 0);
}

/* --- waking up -------------------------------------------------------------------------------- */

enum { PLAYERS = 4, PASSES = 3000 };

/* A ring of threads; each waits for the ball and throws it to the next. */
struct ring {
	struct gate gates[PLAYERS];
	_Atomic int tids[PLAYERS];
};

static struct ring ring;

static void *pass_on(void *number)
{
	long own = (long)number;

	ring.tids[own] = own_tid();
	for (int i = 0; i < PASSES / PLAYERS; i++) {
		gate_pass(&ring.gates[own]);
		if (own != PLAYERS - 1 || i != PASSES / PLAYERS - 1)
			gate_open(&ring.gates[(own + 1) % PLAYERS]);
	}
	return NULL;
}

static void play_ring(void (*meanwhile)(void))
{
	pthread_t threads[PLAYERS];

	for (long i = 0; i < PLAYERS; i++)
		gate_make(&ring.gates[i]);
	for (long i = 0; i < PLAYERS; i++)
		threads[i] = start_thread(pass_on, (void *)i);
	gate_open(&ring.gates[0]);
	meanwhile();
	for (long i = 0; i < PLAYERS; i++)
		expect_joined(threads[i]);
}

static void nothing(void)
{
}

static void no_wakeup_is_lost(void)
{
	play_ring(nothing);
}

/* Each thread is sent around between sleeping, waking up and running; it may have ended meanwhile.
 */
static void shake(void)
{
	cpu_set_t all, some;

	expect(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (unsigned i = 0; i < 3000; i++) {
		int tid = ring.tids[i % PLAYERS], cpu = (int)(i / 3) % CPU_COUNT(&all);

		CPU_ZERO(&some);
		CPU_SET(cpu, &some);
		if (tid && sched_setaffinity(tid, sizeof(some), i % 3 == 0 ? &all : &some) != 0)
			expect(errno == ESRCH || errno == EINVAL);
		if (i % 64 == 0 && tid)
			setpriority(PRIO_PROCESS, (id_t)tid, (int)(i / 64 % 40) - 20);
	}
}

static void no_wakeup_is_lost_while_moving(void)
{
	play_ring(shake);
}

static const struct tap_case cases[] = {
	{"policies are kept and told", policies},
	{"wrong policies", policy_errors},
	{"real-time policies need a right", real_time_needs_a_right},
	{"what users may do to policies", what_users_may},
	{"limits of priorities", limits_of_priorities},
	{"the slice is told", the_slice},
	{"sched_setattr and sched_getattr", attributes},
	{"wrong attributes", attribute_errors},
	{"nice values are kept within their limits", nice_values},
	{"wrong nice requests", nice_errors},
	{"what users may do to nice values", what_users_may_do_to_nice_values},
	{"nice values of groups and users", groups_and_users},
	{"a nice value is the thread's; fork, threads and exec keep it",
	 nice_is_the_threads_and_inherited},
	{"reset on fork", reset_on_fork},
	{"a nice thread gets less", a_nice_thread_gets_less},
	{"a SCHED_IDLE thread gets less", an_idle_thread_gets_less},
	{"equals get about the same", equals_get_about_the_same},
	{"nobody starves", nobody_starves},
	{"yielding hands over", yielding_hands_over},
	{"yielding alone", yielding_alone},
	{"a hundred processes all finish", a_hundred_processes},
	{"no wake-up is lost", no_wakeup_is_lost},
	{"no wake-up is lost while threads are moved", no_wakeup_is_lost_while_moving},
};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--inherited") == 0)
		return inherited();
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
