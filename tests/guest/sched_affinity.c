/*
 * sched_affinity.c - on which processors a thread runs: sched_setaffinity(2), getcpu(2), and what
 * /proc says about it.
 */
#include "helpers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

/* The kernel's calls; the library's hide sizes. */
static long get_mask(pid_t tid, size_t bytes, void *mask)
{
	return syscall(SYS_sched_getaffinity, tid, bytes, mask);
}

static long set_mask(pid_t tid, size_t bytes, const void *mask)
{
	return syscall(SYS_sched_setaffinity, tid, bytes, mask);
}

static int own_tid(void)
{
	return (int)syscall(SYS_gettid);
}

/* Where this thread may run: the numbers of the processors, how many. */
static int allowed_cpus(int *cpus, int most)
{
	cpu_set_t set;
	int count = 0;

	expect(sched_getaffinity(0, sizeof(set), &set) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && count < most; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[count++] = cpu;
	expect(count > 0);
	return count;
}

/* At least two, or the case is skipped. */
static void two_cpus(int cpus[2])
{
	if (allowed_cpus(cpus, 2) < 2)
		tap_skip("only one processor");
}

static void pin_to(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	expect(sched_setaffinity(tid, sizeof(set), &set) == 0);
}

static int current_cpu(void)
{
	unsigned cpu;

	expect(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0);
	return (int)cpu;
}

static void sizes_and_errors(void)
{
	static const unsigned char nobody[8192];
	unsigned char mask[8192];
	long bytes = get_mask(0, sizeof(mask), mask);

	expect(bytes > 0 && bytes % 8 == 0);
	expect(get_mask(0, (size_t)bytes, mask) == bytes);
	expect_errno(get_mask(0, 0, mask), EINVAL);
	expect_errno(get_mask(0, (size_t)bytes + 4, mask), EINVAL);
	expect_errno(get_mask(0, 8, (void *)16), EFAULT);
	expect_errno(get_mask(999999999, sizeof(mask), mask), ESRCH);
	expect_errno(get_mask(-1, sizeof(mask), mask), ESRCH);

	expect(set_mask(0, (size_t)bytes, mask) == 0);
	expect(set_mask(own_tid(), sizeof(mask), mask) ==
	       0); /* what is past the kernel's size is ignored */
	expect_errno(set_mask(0, 0, mask), EINVAL);
	expect_errno(set_mask(0, sizeof(nobody), nobody), EINVAL);
	expect_errno(set_mask(0, 8, (void *)16), EFAULT);
	expect_errno(set_mask(999999999, (size_t)bytes, mask), ESRCH);
	expect_errno(set_mask(-1, (size_t)bytes, mask), ESRCH);
	expect_errno(set_mask(999999999, (size_t)bytes, (void *)16), EFAULT);
}

static void processors_that_are_not_there(void)
{
	unsigned char before[1024], all[1024], after[1024];
	long bytes = get_mask(0, sizeof(before), before);
	cpu_set_t none;

	memset(all, 0xff, sizeof(all));
	expect(set_mask(0, sizeof(all), all) == 0);
	expect_equal(get_mask(0, sizeof(after), after), bytes);
	expect(memcmp(before, after, (size_t)bytes) == 0);
	CPU_ZERO(&none);
	CPU_SET(1000, &none);
	expect_errno(set_mask(0, sizeof(none), &none), EINVAL);
	expect_equal(get_mask(0, sizeof(after), after), bytes);
	expect(memcmp(before, after, (size_t)bytes) == 0);
}

static void only_root_moves_others(void)
{
	struct gate ready;
	pid_t parent = getpid(), pid;
	cpu_set_t set;

	gate_make(&ready);
	pid = fork_child();
	if (pid == 0) {
		gate_pass(&ready);
		expect(sched_getaffinity(0, sizeof(set), &set) == 0);
		expect(setuid(1000) == 0);
		expect(sched_setaffinity(0, sizeof(set), &set) == 0);
		expect_errno(sched_setaffinity(parent, sizeof(set), &set), EPERM);
		CPU_ZERO(&set);
		expect_errno(sched_setaffinity(parent, sizeof(set), &set), EPERM);
		child_end();
	}
	expect(sched_getaffinity(pid, sizeof(set), &set) == 0);
	expect(sched_setaffinity(pid, sizeof(set), &set) == 0);
	gate_open(&ready);
	expect_exit(pid, 0);
	expect_errno(sched_getaffinity(pid, sizeof(set), &set), ESRCH);
}

static void moves_at_once(void)
{
	int cpus[64], count = allowed_cpus(cpus, 64);

	for (int round = 0; round < 50; round++) {
		int cpu = cpus[round % count];

		pin_to(0, cpu);
		expect_equal(current_cpu(), cpu);
		for (volatile int i = 0; i < 1000; i++)
			;
		expect_equal(current_cpu(), cpu);
		sleep_ms(1); /* and waking up, */
		expect_equal(current_cpu(), cpu);
		sched_yield(); /* and coming back */
		expect_equal(current_cpu(), cpu);
	}
}

static _Atomic int seen_cpu;
static _Atomic bool stop;

static void *tell_cpu(void *unused)
{
	(void)unused;
	while (!stop)
		seen_cpu = current_cpu();
	return NULL;
}

static pthread_t start_thread(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	expect_equal(pthread_create(&thread, NULL, function, argument), 0);
	return thread;
}

static void await_cpu(int cpu)
{
	while (seen_cpu != cpu)
		sched_yield();
}

/* A running thread is moved by another one, again and again. */
static void moved_by_another(void)
{
	int cpus[2];
	pthread_t thread;
	cpu_set_t set;

	two_cpus(cpus);
	pin_to(0, cpus[0]);
	thread = start_thread(tell_cpu, NULL);
	for (int round = 0; round < 30; round++) {
		int cpu = cpus[round % 2];

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		expect_equal(pthread_setaffinity_np(thread, sizeof(set), &set), 0);
		await_cpu(cpu);
	}
	stop = true;
	expect_equal(pthread_join(thread, NULL), 0);
}

/* Column 39 of stat is the processor. */
static int cpu_by_stat(int tid)
{
	static char text[4096];
	char path[64], *at;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	proc_read(path, text, sizeof(text));
	at = strrchr(text, ')') + 2; /* column 3 */
	for (int column = 3; column < 39; column++)
		at = strchr(at, ' ') + 1;
	return atoi(at);
}

static _Atomic int spinning_tid, wanted_cpu;
static _Atomic long spins, last_elsewhere;

static void *spin_and_tell(void *unused)
{
	(void)unused;
	spinning_tid = own_tid();
	while (!stop) {
		if (current_cpu() != wanted_cpu)
			last_elsewhere = spins;
		spins++;
	}
	return NULL;
}

/* When the call returns it runs elsewhere no more: only the spin then begun may have. */
static void moved_when_the_call_returns(void)
{
	int cpus[2];
	pthread_t thread;

	two_cpus(cpus);
	thread = start_thread(spin_and_tell, NULL);
	while (spinning_tid == 0)
		sched_yield();
	for (int round = 0; round < 50; round++) {
		long spin;

		wanted_cpu = cpus[round % 2];
		pin_to(spinning_tid, wanted_cpu);
		spin = spins;
		expect_equal(cpu_by_stat(spinning_tid), wanted_cpu);
		while (spins < spin + 2)
			;
		expect(last_elsewhere <= spin);
	}
	stop = true;
	expect_equal(pthread_join(thread, NULL), 0);
}

/* A thread that sleeps wakes up where it was sent meanwhile. */
static void moved_asleep(void)
{
	struct gate wake;
	int cpus[2];
	pid_t pid;

	two_cpus(cpus);
	gate_make(&wake);
	for (int round = 0; round < 10; round++) {
		pid = fork_child();
		if (pid == 0) {
			gate_pass(&wake);
			_exit(current_cpu());
		}
		sleep_ms(round % 2);
		pin_to(pid, cpus[round % 2]);
		gate_open(&wake);
		expect_exit(pid, cpus[round % 2]);
	}
}

static void expect_only(int cpu)
{
	cpu_set_t set;

	expect(sched_getaffinity(0, sizeof(set), &set) == 0);
	expect_equal(CPU_COUNT(&set), 1);
	expect(CPU_ISSET(cpu, &set));
	expect_equal(current_cpu(), cpu);
}

static void *expect_only_thread(void *cpu)
{
	expect_only(*(int *)cpu);
	return NULL;
}

static void inherited(void)
{
	int cpus[64], last = allowed_cpus(cpus, 64) - 1;
	char text[16], path[512];
	ssize_t length;
	pid_t pid;

	pin_to(0, cpus[last]);
	pid = fork_child();
	if (pid == 0) {
		expect_only(cpus[last]);
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(pthread_join(start_thread(expect_only_thread, &cpus[last]), NULL), 0);
	pid = fork_child();
	if (pid == 0) {
		length = readlink("/proc/self/exe", path, sizeof(path) - 1);
		expect(length > 0);
		path[length] = '\0';
		snprintf(text, sizeof(text), "%d", cpus[last]);
		execl(path, path, "--only", text, NULL);
		_exit(1);
	}
	expect_exit(pid, 0);
}

static void *pin_thread(void *cpu)
{
	pin_to(0, *(int *)cpu);
	expect_only(*(int *)cpu);
	return NULL;
}

static void of_the_thread_alone(void)
{
	cpu_set_t before, after;
	int cpus[2];

	two_cpus(cpus);
	expect(sched_getaffinity(0, sizeof(before), &before) == 0);
	expect_equal(pthread_join(start_thread(pin_thread, &cpus[1]), NULL), 0);
	expect(sched_getaffinity(0, sizeof(after), &after) == 0);
	expect(CPU_EQUAL(&before, &after));
}

/* A turn each, told through memory: without waiting in the kernel both must really run at once. */
enum { TURNS = 20000 };
static _Atomic int turn;

struct player {
	int cpu, own_turn;
};

static void *play(void *argument)
{
	const struct player *player = argument;

	pin_to(0, player->cpu);
	for (int i = 0; i < TURNS; i++) {
		while (turn % 2 != player->own_turn)
			;
		turn = turn + 1;
	}
	expect_equal(current_cpu(), player->cpu);
	return NULL;
}

static void at_the_same_time(void)
{
	struct player players[2];
	pthread_t threads[2];
	int cpus[2];

	two_cpus(cpus);
	for (int i = 0; i < 2; i++) {
		players[i] = (struct player){.cpu = cpus[i], .own_turn = i};
		threads[i] = start_thread(play, &players[i]);
	}
	for (int i = 0; i < 2; i++)
		expect_equal(pthread_join(threads[i], NULL), 0);
	expect_equal(turn, 2 * TURNS);
}

static void *spin_on(void *cpu)
{
	pin_to(0, *(int *)cpu);
	while (!stop)
		;
	return NULL;
}

/* More threads than one spin on one processor; others there and elsewhere still get on. */
static void bound_spinners_stop_nobody(void)
{
	int cpus[64], count = allowed_cpus(cpus, 64);
	pthread_t spinners[4];
	pid_t pids[8];

	for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++)
		spinners[i] = start_thread(spin_on, &cpus[0]);
	for (size_t i = 0; i < ARRAY_LENGTH(pids); i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			if (i % 2 == 0)
				pin_to(0, cpus[i % (size_t)count]);
			for (volatile int work = 0; work < 1000000; work++)
				;
			sleep_ms(1);
			child_end();
		}
	}
	for (size_t i = 0; i < ARRAY_LENGTH(pids); i++)
		expect_exit(pids[i], 0);
	stop = true;
	for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++)
		expect_equal(pthread_join(spinners[i], NULL), 0);
}

static long long monotonic_ms(void)
{
	struct timespec now;

	expect(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

enum { HOPPERS = 16, HOP_MS = 5 };

/* Uses its turn on the first processor, then goes where the next turn comes sooner. */
static void *hop(void *cpus)
{
	const int *pair = cpus;

	while (!stop) {
		long long until_ms = monotonic_ms() + HOP_MS;

		pin_to(0, pair[0]);
		while (!stop && monotonic_ms() < until_ms)
			;
		pin_to(0, pair[1]);
	}
	return NULL;
}

/* Who moves to and fro does not bring new time along for ever: who stays gets on too. */
static void hoppers_starve_nobody(void)
{
	pthread_t hoppers[HOPPERS];
	int cpus[2];

	two_cpus(cpus);
	for (size_t i = 0; i < ARRAY_LENGTH(hoppers); i++)
		hoppers[i] = start_thread(hop, cpus);
	pin_to(0, cpus[0]);
	for (long long until_ms = monotonic_ms() + 50; monotonic_ms() < until_ms;)
		; /* its first turn is over */
	for (volatile int work = 0; work < 20000000; work++)
		;
	stop = true;
	for (size_t i = 0; i < ARRAY_LENGTH(hoppers); i++)
		expect_equal(pthread_join(hoppers[i], NULL), 0);
}

/* Two that may run anywhere play ball while one processor has a long queue nobody may help with. */
static void *play_anywhere(void *argument)
{
	const struct player *player = argument;

	for (int i = 0; i < TURNS; i++) {
		while (turn % 2 != player->own_turn)
			;
		turn = turn + 1;
	}
	return NULL;
}

static void free_threads_find_free_processors(void)
{
	struct player players[2] = {{.own_turn = 0}, {.own_turn = 1}};
	pthread_t threads[2], spinners[6];
	int cpus[3];

	if (allowed_cpus(cpus, 3) < 3)
		tap_skip("fewer than three processors");
	for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++)
		spinners[i] = start_thread(spin_on, &cpus[0]);
	pin_to(0, cpus[1]); /* both are born there ... */
	for (int i = 0; i < 2; i++) {
		cpu_set_t both;

		threads[i] = start_thread(play_anywhere, &players[i]);
		CPU_ZERO(&both);
		CPU_SET(cpus[1], &both);
		CPU_SET(cpus[2], &both);
		expect_equal(pthread_setaffinity_np(threads[i], sizeof(both), &both), 0);
	}
	for (int i = 0; i < 2; i++) /* ... and must part for this to end soon */
		expect_equal(pthread_join(threads[i], NULL), 0);
	expect_equal(turn, 2 * TURNS);
	stop = true;
	for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++)
		expect_equal(pthread_join(spinners[i], NULL), 0);
}

enum { SHARERS = 3, MOVES = 2 };
static _Atomic int still_moving = SHARERS;

/* Until every one of them has found itself on the other processor a few times. */
static void *move_about(void *unused)
{
	int last = current_cpu(), moves = 0;

	(void)unused;
	while (still_moving > 0) {
		int cpu = current_cpu();

		if (cpu != last && ++moves == MOVES)
			still_moving--;
		last = cpu;
	}
	return NULL;
}

/* Nobody keeps a processor for himself while two others have to do with one. */
static void three_take_turns_on_two(void)
{
	pthread_t threads[SHARERS];
	cpu_set_t set;
	int cpus[2];

	two_cpus(cpus);
	CPU_ZERO(&set);
	CPU_SET(cpus[0], &set);
	CPU_SET(cpus[1], &set);
	expect_equal(sched_setaffinity(0, sizeof(set), &set), 0);
	for (int i = 0; i < SHARERS; i++)
		threads[i] = start_thread(move_about, NULL);
	for (int i = 0; i < SHARERS; i++)
		expect_equal(pthread_join(threads[i], NULL), 0);
}

static void line_of(const char *path, const char *key, char *line, size_t bytes)
{
	static char text[16384];
	size_t length = strlen(key);

	proc_read(path, text, sizeof(text));
	for (char *at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n"))
		if (strncmp(at, key, length) == 0 && at[length] == ':') {
			snprintf(line, bytes, "%s",
				 at + length + 1 + strspn(at + length + 1, " \t"));
			return;
		}
	tap_fail(HERE, "%s has no %s", path, key);
}

static void status_shows_it(void)
{
	int cpus[64], last = allowed_cpus(cpus, 64) - 1;
	char line[256], wanted[32];

	pin_to(0, cpus[last]);
	line_of("/proc/thread-self/status", "Cpus_allowed_list", line, sizeof(line));
	snprintf(wanted, sizeof(wanted), "%d", cpus[last]);
	expect(strcmp(line, wanted) == 0);
	line_of("/proc/self/status", "Cpus_allowed", line, sizeof(line));
	expect_equal(strtoul(strrchr(line, ',') != NULL ? strrchr(line, ',') + 1 : line, NULL, 16),
		     1ul << cpus[last] % 32);
}

static void stat_shows_it(void)
{
	int cpus[64], count = allowed_cpus(cpus, 64);

	for (int i = 0; i < count; i++) {
		pin_to(0, cpus[i]);
		expect_equal(cpu_by_stat(own_tid()), cpus[i]);
	}
}

static void libraries_count_them(void)
{
	int cpus[64], count = allowed_cpus(cpus, 64);

	expect_equal(sysconf(_SC_NPROCESSORS_ONLN), get_nprocs());
	expect(get_nprocs() >= count);
	expect(sysconf(_SC_NPROCESSORS_CONF) >= get_nprocs());
	pin_to(0, cpus[0]);
	expect(get_nprocs() >= count); /* of the machine, not of the thread */
}

static const struct tap_case cases[] = {
	{"sizes and errors", sizes_and_errors},
	{"processors that are not there do not count", processors_that_are_not_there},
	{"only root and oneself may", only_root_moves_others},
	{"the caller moves before the call returns", moves_at_once},
	{"a running thread is moved by another", moved_by_another},
	{"a running thread has moved when the call returns", moved_when_the_call_returns},
	{"a sleeping process wakes up where it was sent", moved_asleep},
	{"fork, threads and exec keep it", inherited},
	{"it is the thread's own", of_the_thread_alone},
	{"two threads on two processors run at once", at_the_same_time},
	{"threads bound to one processor stop nobody", bound_spinners_stop_nobody},
	{"threads that move to and fro starve nobody", hoppers_starve_nobody},
	{"free threads find free processors", free_threads_find_free_processors},
	{"three threads take turns on two processors", three_take_turns_on_two},
	{"status shows where a thread may run", status_shows_it},
	{"stat shows where it runs", stat_shows_it},
	{"sysconf counts the machine's", libraries_count_them},
};

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--only") == 0) {
		expect_only(atoi(argv[2]));
		return 0;
	}
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
