/*
 * time.c - clocks go forward, sleeps last at least as long as asked.
 *
 * No case says how long something may take at most: a loaded or emulated machine takes its time.
 */
#include "helpers.h"

#include <sys/time.h>
#include <sys/times.h>

#define SECOND INT64_C(1000000000)

static int64_t now(clockid_t clock)
{
	struct timespec time;

	expect(clock_gettime(clock, &time) == 0);
	expect(time.tv_nsec >= 0 && time.tv_nsec < SECOND);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static struct timespec in_timespec(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
}

static void goes_forward(void)
{
	static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME,
					   CLOCK_MONOTONIC_COARSE};

	for (size_t i = 0; i < ARRAY_LENGTH(clocks); i++) {
		int64_t first = now(clocks[i]), last = first;

		for (int j = 0; j < 2000; j++) {
			int64_t next = now(clocks[i]);

			expect(next >= last);
			last = next;
		}
		sleep_ms(20);
		expect(now(clocks[i]) > first);
	}
}

static void clocks_agree(void)
{
	int64_t before = now(CLOCK_REALTIME);
	struct timeval middle;
	int64_t after;
	time_t seconds;

	expect(gettimeofday(&middle, NULL) == 0);
	after = now(CLOCK_REALTIME);
	expect(before / 1000 <= middle.tv_sec * INT64_C(1000000) + middle.tv_usec);
	expect(after / 1000 >= middle.tv_sec * INT64_C(1000000) + middle.tv_usec);
	seconds = time(NULL);
	expect(seconds >= before / SECOND - 1); /* time() may lag by a tick */
	expect(seconds <= now(CLOCK_REALTIME) / SECOND);
	expect(before > 0);
}

static void clock_errors(void)
{
	struct timespec time;

	expect_errno(syscall(SYS_clock_gettime, 9999, &time), EINVAL);
	expect(clock_getres(CLOCK_MONOTONIC, &time) == 0);
	expect(time.tv_sec == 0 && time.tv_nsec > 0);
	expect_errno(syscall(SYS_clock_getres, 9999, &time), EINVAL);
}

static void sleeps_long_enough(void)
{
	static const int64_t lengths[] = {0, 1, 1000, 100000, 1000000, 10000000, 50000000};

	for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
		struct timespec wanted = in_timespec(lengths[i]);
		int64_t start = now(CLOCK_MONOTONIC);

		expect(nanosleep(&wanted, NULL) == 0);
		expect(now(CLOCK_MONOTONIC) - start >= lengths[i]);
	}
}

static void sleeps_until(void)
{
	int64_t start = now(CLOCK_MONOTONIC);
	struct timespec wanted = in_timespec(start + 20000000);

	expect_equal(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wanted, NULL), 0);
	expect(now(CLOCK_MONOTONIC) >= start + 20000000);
	expect_equal(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wanted, NULL), 0); /* past */
	wanted = in_timespec(5000000);
	start = now(CLOCK_MONOTONIC);
	expect_equal(clock_nanosleep(CLOCK_REALTIME, 0, &wanted, NULL), 0);
	expect(now(CLOCK_MONOTONIC) - start >= 5000000);
}

static void sleep_errors(void)
{
	static const struct {
		const char *name;
		struct timespec wanted;
	} rows[] = {
		{"negative nanoseconds", {.tv_sec = 0, .tv_nsec = -1}},
		{"a second of nanoseconds", {.tv_sec = 0, .tv_nsec = 1000000000}},
		{"negative seconds", {.tv_sec = -1, .tv_nsec = 0}},
	};
	struct timespec wanted = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		check_errno(rows[i].name, nanosleep(&rows[i].wanted, NULL), EINVAL);
	expect_equal(clock_nanosleep(9999, 0, &wanted, NULL), EINVAL);
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

static void interrupted_sleep(void)
{
	struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
	struct timespec wanted = {.tv_sec = 1000}, left = {0};
	pid_t pid;

	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	pid = pester_start(SIGUSR1);
	expect_errno(nanosleep(&wanted, &left), EINTR); /* never restarted */
	pester_stop(pid);
	expect(signals > 0);
	expect(left.tv_sec <= 1000 && left.tv_sec > 100); /* Linux may round up a little */
	expect(left.tv_nsec >= 0 && left.tv_nsec < SECOND);
}

/* Sleep again for what is left, as a careful program does: the sum is enough. */
static void sleep_in_pieces(void)
{
	struct sigaction action = {.sa_handler = count_signal};
	struct timespec left = in_timespec(60000000);
	int64_t start = now(CLOCK_MONOTONIC);
	pid_t pid;

	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	pid = pester_start(SIGUSR1);
	while (nanosleep(&left, &left) < 0)
		expect_equal(errno, EINTR);
	pester_stop(pid);
	expect(now(CLOCK_MONOTONIC) - start >= 60000000);
}

static void many_sleepers(void)
{
	pid_t children[20];

	for (int i = 0; i < 20; i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			int64_t start = now(CLOCK_MONOTONIC);

			sleep_ms(40 - 2 * i);
			expect(now(CLOCK_MONOTONIC) - start >= (40 - 2 * i) * INT64_C(1000000));
			child_end();
		}
	}
	for (int i = 0; i < 20; i++)
		expect_exit(children[i], 0);
}

static void processor_time(void)
{
	int64_t start = now(CLOCK_PROCESS_CPUTIME_ID);
	struct tms times_used;

	while (now(CLOCK_PROCESS_CPUTIME_ID) < start + 20000000)
		;
	expect(times(&times_used) != (clock_t)-1);
	expect(times_used.tms_utime + times_used.tms_stime >= 1); /* of 10 ms each */
}

static const struct tap_case cases[] = {
	{"monotonic clocks never go back", goes_forward},
	{"clock_gettime, gettimeofday and time agree", clocks_agree},
	{"unknown clocks are EINVAL", clock_errors},
	{"nanosleep lasts at least as long as asked", sleeps_long_enough},
	{"clock_nanosleep, also until a point in time", sleeps_until},
	{"bad times are EINVAL", sleep_errors},
	{"an interrupted sleep tells what is left", interrupted_sleep},
	{"a sleep in pieces is long enough", sleep_in_pieces},
	{"twenty processes sleep at once", many_sleepers},
	{"processor time is counted", processor_time},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
