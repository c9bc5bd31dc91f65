/*
 * proc_sched.c - what /proc says about processors, time and threads: stat, uptime, loadavg,
 * cpuinfo, interrupts, and stat and status of processes and threads.
 */
#include "helpers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

static char text[262144];

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

/* --- /proc/stat ------------------------------------------------------------------------------- */

enum { TIMES = 8, CPUS_MAX = 256 }; /* user nice system idle iowait irq softirq steal */

struct cpu_times {
	unsigned long values[TIMES];
};

/* The sum, then each processor's; how many processors. */
static int read_times(struct cpu_times *sum, struct cpu_times *each)
{
	int count = 0;

	proc_read("/proc/stat", text, sizeof(text));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		struct cpu_times *times = sum;
		char *at = line + 3;

		if (strncmp(line, "cpu", 3) != 0)
			continue;
		if (*at != ' ') {
			expect_equal(strtol(at, &at, 10), count);
			times = &each[count++];
		}
		for (int i = 0; i < TIMES; i++)
			times->values[i] = strtoul(at, &at, 10);
	}
	return count;
}

/* The number after a word that begins a line of /proc/stat. */
static unsigned long stat_number(const char *word)
{
	size_t length = strlen(word);

	proc_read("/proc/stat", text, sizeof(text));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (strncmp(line, word, length) == 0 && line[length] == ' ')
			return strtoul(line + length, NULL, 10);
	tap_fail(HERE, "/proc/stat has no %s", word);
}

static void a_line_per_processor(void)
{
	static struct cpu_times sum, each[CPUS_MAX];
	int count = read_times(&sum, each);

	expect_equal(count, get_nprocs());
	for (int i = 0; i < TIMES; i++) {
		unsigned long added = 0;

		for (int cpu = 0; cpu < count; cpu++)
			added += each[cpu].values[i];
		expect(added <= sum.values[i] + (unsigned)count); /* each is rounded down */
		expect(sum.values[i] <= added + (unsigned)count);
	}
}

/* Work on one processor is counted there, as a nice program's where it is one, and never taken
 * back. */
static void busy_time_is_counted(int nice_value, int field)
{
	static struct cpu_times sum, before[CPUS_MAX], now[CPUS_MAX];
	unsigned cpu = (unsigned)sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	expect(sched_setaffinity(0, sizeof(set), &set) == 0);
	expect(setpriority(PRIO_PROCESS, 0, nice_value) == 0);
	read_times(&sum, before);
	do {
		for (volatile int work = 0; work < 3000000; work++)
			;
		read_times(&sum, now);
		for (int i = 0; i < TIMES; i++)
			if (i != 4) /* iowait may decrease: proc(5) */
				expect(now[cpu].values[i] >= before[cpu].values[i]);
	} while (now[cpu].values[field] < before[cpu].values[field] + 10);
}

static void user_time(void)
{
	busy_time_is_counted(0, 0);
}

static void nice_time(void)
{
	busy_time_is_counted(5, 1);
}

/* Idle time goes on as long as somebody sleeps, and never back. */
static void idle_time(void)
{
	static struct cpu_times first, now, each[CPUS_MAX];
	unsigned long last;

	if (!on_stos())
		tap_skip("a machine that others use may have no idle time");
	read_times(&first, each);
	last = first.values[3];
	do {
		sleep_ms(1);
		read_times(&now, each);
		expect(now.values[3] >= last);
		last = now.values[3];
	} while (last < first.values[3] + 5);
}

static void events_are_counted(void)
{
	unsigned long switches = stat_number("ctxt"), processes = stat_number("processes");
	unsigned long interrupts = stat_number("intr");
	struct timespec now;
	struct sysinfo info;
	long boot;

	for (int i = 0; i < 5; i++) {
		pid_t pid = fork_child();

		if (pid == 0)
			_exit(0);
		expect_exit(pid, 0);
		sleep_ms(5);
	}
	expect(stat_number("ctxt") >= switches + 5);
	expect(stat_number("processes") >= processes + 5);
	expect(stat_number("intr") > interrupts);
	expect(stat_number("procs_running") >= 1);
	expect(clock_gettime(CLOCK_REALTIME, &now) == 0 && sysinfo(&info) == 0);
	boot = (long)stat_number("btime");
	expect(labs(now.tv_sec - info.uptime - boot) <= 5);
}

/* --- uptime, loadavg -------------------------------------------------------------------------- */

static void uptime(void)
{
	double up, idle, later;
	struct sysinfo info;

	proc_read("/proc/uptime", text, sizeof(text));
	expect(sscanf(text, "%lf %lf", &up, &idle) == 2);
	expect(up > 0 && idle >= 0 && idle <= (up + 1) * get_nprocs_conf());
	expect(sysinfo(&info) == 0);
	expect(info.uptime >= (long)up && info.procs >= 1);
	sleep_ms(30);
	proc_read("/proc/uptime", text, sizeof(text));
	expect(sscanf(text, "%lf", &later) == 1 && later > up);
}

static void load_averages(void)
{
	double loads[3];
	int running, all, last;
	pid_t pid;

	proc_read("/proc/loadavg", text, sizeof(text));
	expect(sscanf(text, "%lf %lf %lf %d/%d %d", &loads[0], &loads[1], &loads[2], &running, &all,
		      &last) == 6);
	for (int i = 0; i < 3; i++)
		expect(loads[i] >= 0);
	expect(running >= 1 && all >= running && last >= 1);
	pid = fork_child();
	if (pid == 0)
		_exit(0);
	proc_read("/proc/loadavg", text, sizeof(text));
	expect(sscanf(text, "%*f %*f %*f %*d/%d %d", &all, &last) == 2);
	if (on_stos()) /* nobody else makes processes there */
		expect_equal(last, pid);
	expect_exit(pid, 0);
}

/* --- cpuinfo, interrupts ---------------------------------------------------------------------- */

static void processors_described(void)
{
	int count = 0, described = 0, with_speed = 0;

	proc_read("/proc/cpuinfo", text, sizeof(text));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		int number;
		double mhz;

		if (sscanf(line, "processor : %d", &number) == 1)
			expect_equal(number, count++);
		if (sscanf(line, "cpu MHz : %lf", &mhz) == 1)
			with_speed += mhz > 0;
		if (strncmp(line, "flags", 5) == 0)
			described += strstr(line, " sse2") != NULL && strstr(line, " lm") != NULL;
	}
	expect_equal(count, get_nprocs());
	expect_equal(described, count);
	expect_equal(with_speed, count);
}

/* The local timers' interrupts, of all processors. */
static unsigned long timer_interrupts(int columns)
{
	unsigned long sum = 0;

	proc_read("/proc/interrupts", text, sizeof(text));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		char *at = strstr(line, "LOC:");

		if (at == NULL)
			continue;
		at += 4;
		for (int i = 0; i < columns; i++) {
			char *end;

			sum += strtoul(at, &end, 10);
			expect(end > at);
			at = end;
		}
		expect(strstr(at, "Local timer") != NULL);
		return sum;
	}
	tap_fail(HERE, "/proc/interrupts has no LOC");
}

static void interrupts_counted(void)
{
	unsigned long before;
	int columns = 0;

	proc_read("/proc/interrupts", text, sizeof(text));
	for (char *at = strtok(text, "\n"); (at = strstr(at, "CPU")) != NULL; at++)
		columns++;
	expect_equal(columns, get_nprocs());
	before = timer_interrupts(columns);
	while (timer_interrupts(columns) < before + 3)
		;
}

/* --- stat of processes and threads ------------------------------------------------------------ */

/* Columns as numbered in proc(5). */
enum column {
	STATE = 3,
	UTIME = 14,
	STIME,
	PRIORITY = 18,
	NICE,
	THREADS,
	STARTED = 22,
	POLICY = 41
};

struct stat_line {
	int id;
	char name[32], state;
	long columns[53];
};

static void read_stat(const char *path, struct stat_line *stat)
{
	char *open, *close, *at;

	proc_read(path, text, sizeof(text));
	open = strchr(text, '(');
	close = strrchr(text, ')');
	expect(open != NULL && close != NULL && close - open <= (int)sizeof(stat->name));
	*close = '\0';
	stat->id = atoi(text);
	snprintf(stat->name, sizeof(stat->name), "%s", open + 1);
	stat->state = close[2];
	at = close + 3;
	for (int column = STATE + 1; column <= 52; column++)
		stat->columns[column] = strtol(at, &at, 10);
}

static void stat_of_process(pid_t pid, struct stat_line *stat)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	read_stat(path, stat);
}

static void stat_of_thread(int tid, struct stat_line *stat)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	read_stat(path, stat);
}

static void await_state(pid_t pid, char state)
{
	struct stat_line stat;

	do {
		sched_yield();
		stat_of_process(pid, &stat);
	} while (stat.state != state);
}

static void states(void)
{
	struct stat_line stat;
	struct gate gate;
	pid_t pid;

	gate_make(&gate);
	stat_of_process(getpid(), &stat);
	expect_equal(stat.id, getpid());
	expect_equal(stat.state, 'R');
	pid = fork_child();
	if (pid == 0) {
		gate_pass(&gate);
		for (;;)
			;
	}
	await_state(pid, 'S');
	gate_open(&gate);
	await_state(pid, 'R');
	expect(kill(pid, SIGSTOP) == 0);
	await_state(pid, 'T');
	expect(kill(pid, SIGCONT) == 0);
	await_state(pid, 'R');
	expect(kill(pid, SIGKILL) == 0);
	await_state(pid, 'Z');
	expect_killed(pid, SIGKILL);
}

static void priority_and_nice(void)
{
	const struct sched_param none = {.sched_priority = 0};
	struct stat_line stat;

	stat_of_process(getpid(), &stat);
	expect(stat.columns[PRIORITY] == 20 && stat.columns[NICE] == 0 &&
	       stat.columns[POLICY] == 0);
	expect(setpriority(PRIO_PROCESS, 0, 7) == 0);
	expect(sched_setscheduler(0, SCHED_BATCH, &none) == 0);
	stat_of_process(getpid(), &stat);
	expect_equal(stat.columns[PRIORITY], 27);
	expect_equal(stat.columns[NICE], 7);
	expect_equal(stat.columns[POLICY], SCHED_BATCH);
	expect(setpriority(PRIO_PROCESS, 0, -20) == 0);
	stat_of_thread(own_tid(), &stat);
	expect_equal(stat.columns[PRIORITY], 0);
	expect_equal(stat.columns[NICE], -20);
}

static long own_cpu_ms(void)
{
	struct timespec used;

	expect(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0);
	return used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static void times_agree(void)
{
	struct stat_line before, after;
	struct rusage usage;
	long ticks;

	while (own_cpu_ms() < 200)
		;
	stat_of_process(getpid(), &before);
	expect(getrusage(RUSAGE_SELF, &usage) == 0);
	stat_of_process(getpid(), &after);
	ticks = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 100 +
		(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 10000;
	expect(before.columns[UTIME] + before.columns[STIME] <= ticks + 2);
	expect(after.columns[UTIME] + after.columns[STIME] >= ticks - 2);
	expect(ticks >= 18);
}

/* --- threads ---------------------------------------------------------------------------------- */

static struct gate begin_work, end_work, done;
static _Atomic int worker_tid, sleeper_tid;

static void *work(void *unused)
{
	(void)unused;
	expect(prctl(PR_SET_NAME, "a worker (busy)") == 0);
	worker_tid = own_tid();
	gate_pass(&begin_work);
	while (own_cpu_ms() < 300)
		;
	gate_open(&done);
	gate_pass(&end_work);
	return NULL;
}

static void *sleep_long(void *unused)
{
	(void)unused;
	sleeper_tid = own_tid();
	gate_pass(&end_work);
	return NULL;
}

static void start_both(pthread_t threads[2])
{
	gate_make(&begin_work);
	gate_make(&end_work);
	gate_make(&done);
	threads[0] = start_thread(work, NULL);
	threads[1] = start_thread(sleep_long, NULL);
	while (worker_tid == 0 || sleeper_tid == 0)
		sched_yield();
}

static void end_both(const pthread_t threads[2])
{
	for (int i = 0; i < 2; i++)
		gate_open(&end_work);
	for (int i = 0; i < 2; i++)
		expect_equal(pthread_join(threads[i], NULL), 0);
}

static int listed_threads(void)
{
	bool known[3] = {false, false, false};
	DIR *directory = opendir("/proc/self/task");
	struct dirent *entry;
	int count = 0;

	expect(directory != NULL);
	while ((entry = readdir(directory)) != NULL) {
		int tid = atoi(entry->d_name);

		count += tid != 0;
		known[0] |= tid == getpid();
		known[1] |= tid == worker_tid;
		known[2] |= tid == sleeper_tid;
	}
	closedir(directory);
	expect(known[0] && known[1] && known[2]);
	return count;
}

static void threads_are_listed(void)
{
	pthread_t threads[2];
	struct stat_line stat;
	char path[64];

	start_both(threads);
	expect_equal(listed_threads(), 3);
	stat_of_process(getpid(), &stat);
	expect_equal(stat.columns[THREADS], 3);
	expect_equal(proc_number("/proc/self/status", "Threads"), 3);
	stat_of_thread(worker_tid, &stat);
	expect_equal(stat.id, worker_tid);
	expect_equal(stat.columns[THREADS], 3);
	expect(strcmp(stat.name, "a worker (busy)") == 0);
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", worker_tid);
	proc_read(path, text, sizeof(text));
	expect(strcmp(text, "a worker (busy)\n") == 0);
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", worker_tid);
	expect_equal(proc_number(path, "Pid"), worker_tid);
	expect_equal(proc_number(path, "Tgid"), getpid());
	gate_open(&begin_work);
	end_both(threads);
	/* They may still be leaving. */
	while (access(path, F_OK) == 0 || proc_number("/proc/self/status", "Threads") > 1)
		sched_yield();
	expect_errno(access("/proc/self/task/1", F_OK), ENOENT); /* another process's */
	expect_equal(proc_number("/proc/self/status", "Threads"), 1);
}

static void names_end_with_zeros(void)
{
	char name[16];

	expect(prctl(PR_SET_NAME, "a very long name that is cut") == 0);
	expect(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a very long nam") == 0);
	expect(prctl(PR_SET_NAME, "x") == 0);
	memset(name, 0xff, sizeof(name));
	expect(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "x") == 0);
	expect_filled(name + 1, 0, sizeof(name) - 1);
	proc_read("/proc/thread-self/comm", text, sizeof(text));
	expect(strcmp(text, "x\n") == 0);
}

static void threads_have_their_own_times(void)
{
	struct stat_line process, worker, sleeper, main_thread;
	pthread_t threads[2];

	start_both(threads);
	gate_open(&begin_work);
	gate_pass(&done);
	stat_of_thread(worker_tid, &worker);
	stat_of_thread(sleeper_tid, &sleeper);
	stat_of_thread(getpid(), &main_thread);
	stat_of_process(getpid(), &process);
	expect(worker.columns[UTIME] + worker.columns[STIME] >= 28);
	expect(sleeper.columns[UTIME] + sleeper.columns[STIME] < 15);
	expect_equal(sleeper.state, 'S');
	expect(process.columns[UTIME] + process.columns[STIME] >=
	       worker.columns[UTIME] + worker.columns[STIME]);
	expect(worker.columns[STARTED] >= main_thread.columns[STARTED]);
	expect_equal(process.columns[STARTED], main_thread.columns[STARTED]);
	end_both(threads);
}

static void switches_are_counted(void)
{
	long before = proc_number("/proc/thread-self/status", "voluntary_ctxt_switches");

	for (int i = 0; i < 5; i++)
		sleep_ms(1);
	expect(proc_number("/proc/thread-self/status", "voluntary_ctxt_switches") >= before + 5);
	expect(proc_number("/proc/self/status", "voluntary_ctxt_switches") >= before + 5);
	expect(proc_number("/proc/self/status", "nonvoluntary_ctxt_switches") >= 0);
}

static const struct tap_case cases[] = {
	{"stat has a line per processor, and their sum", a_line_per_processor},
	{"stat counts user time where it is spent", user_time},
	{"stat counts nice programs' time apart", nice_time},
	{"idle time never goes back", idle_time},
	{"stat counts switches, processes and interrupts", events_are_counted},
	{"uptime goes on", uptime},
	{"loadavg is well formed and knows the last process", load_averages},
	{"cpuinfo describes each processor", processors_described},
	{"interrupts has a column per processor", interrupts_counted},
	{"states of a process", states},
	{"priority, nice value and policy", priority_and_nice},
	{"stat and getrusage agree about time", times_agree},
	{"threads are listed, with their names", threads_are_listed},
	{"nothing shows behind a name's end", names_end_with_zeros},
	{"threads have their own times", threads_have_their_own_times},
	{"switches are counted", switches_are_counted},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
