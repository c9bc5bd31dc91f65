/*
 * tap.h - run a table of cases, each in a process of its own, and print TAP.
 *
 * A test is a table of struct tap_case and a main() that calls tap_main(). Without arguments every
 * case runs in a forked child, so that a crash is one "not ok" and nothing a case does to its
 * memory, descriptors or signals reaches the next one. `PROGRAM N` runs only case N, in the
 * process itself, which is what a debugger wants.
 *
 * A failed expect...() prints where and why as a "# file:line: text" line and ends the process with
 * status 1; check...() does the same but goes on, for the rows of a table. Everything is written
 * with write(2) straight to descriptor 1, so that text survives a crash and is never doubled by
 * fork.
 *
 * scratch_enter() gives a case an empty working directory under /tmp; the parent removes it with
 * all it holds after the case, however the case ended.
 *
 * This header must be the first one included: it asks libc for all its extensions.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The exit status by which a case says that it was skipped (automake's convention). */
#define TAP_SKIPPED 77

struct tap_case {
	const char *name; /* a phrase saying what holds */
	void (*run)(void);
};

/* A line of the test's source, for messages out of helper functions. */
struct tap_where {
	const char *file;
	int line;
};

#define HERE ((struct tap_where){.file = __FILE__, .line = __LINE__})

static bool tap_failed;	     /* a check...() of this process failed */
static char tap_scratch[64]; /* the case's working directory, made by scratch_enter() */

/* Print one "# file:line: text" line. */
__attribute__((format(printf, 2, 0))) static inline void
tap_message(struct tap_where where, const char *format, va_list args)
{
	const char *slash = strrchr(where.file, '/');
	char text[600];
	size_t length;

	length = (size_t)snprintf(text, sizeof(text),
				  "# %.80s:%d: ", slash != NULL ? slash + 1 : where.file,
				  where.line);
	vsnprintf(text + length, sizeof(text) - length - 1, format, args);
	length = strlen(text);
	text[length++] = '\n';
	if (write(STDOUT_FILENO, text, length) < 0)
		_exit(1);
}

/* Say why the case fails, and go on. */
__attribute__((format(printf, 2, 3))) static inline void tap_note(struct tap_where where,
								  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tap_message(where, format, args);
	va_end(args);
	tap_failed = true;
}

/* Say why the case fails, and end this process. */
__attribute__((format(printf, 2, 3), noreturn)) static inline void tap_fail(struct tap_where where,
									    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tap_message(where, format, args);
	va_end(args);
	_exit(1);
}

/* End the case as skipped; the reason names what the system lacks. */
#define tap_skip(reason) tap_skip_at(HERE, reason)
__attribute__((noreturn)) static inline void tap_skip_at(struct tap_where where, const char *reason)
{
	tap_note(where, "skipped: %s", reason);
	_exit(TAP_SKIPPED);
}

/* End a forked child of a case: 0 unless a check...() failed. */
__attribute__((noreturn)) static inline void child_end(void)
{
	_exit(tap_failed ? 1 : 0);
}

static inline const char *tap_errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return error == 0 ? "no error" : name != NULL ? name : "unknown errno";
}

#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			tap_fail(HERE, "expected %s (errno %s)", #condition,                       \
				 tap_errno_name(errno));                                           \
	} while (0)

/* Both sides as long; pointers are cast by the caller. */
#define expect_equal(actual, wanted)                                                               \
	do {                                                                                       \
		long tap_actual = (long)(actual), tap_wanted = (long)(wanted);                     \
		if (tap_actual != tap_wanted)                                                      \
			tap_fail(HERE, "%s is %ld (0x%lx), expected %ld (0x%lx) (errno %s)",       \
				 #actual, tap_actual, tap_actual, tap_wanted, tap_wanted,          \
				 tap_errno_name(errno));                                           \
	} while (0)

/* The call returns -1 (or MAP_FAILED) and sets errno to `error`. */
#define expect_errno(call, error)                                                                  \
	do {                                                                                       \
		errno = 0;                                                                         \
		tap_expect_errno(HERE, #call, (long)(call), error);                                \
	} while (0)

/* Reads errno itself: the order in which arguments are evaluated is not specified. */
static inline void tap_expect_errno(struct tap_where where, const char *call, long result,
				    int wanted)
{
	int error = errno;

	if (result != -1)
		tap_fail(where, "%s returned %ld, expected -1 and %s", call, result,
			 tap_errno_name(wanted));
	if (error != wanted)
		tap_fail(where, "%s failed with %s, expected %s", call, tap_errno_name(error),
			 tap_errno_name(wanted));
}

/* The same for a row of a table, named by `row`; goes on after a failure. */
#define check_errno(row, result, error) tap_check_errno(HERE, row, (long)(result), error)

static inline void tap_check_errno(struct tap_where where, const char *row, long result, int wanted)
{
	int error = errno;

	if (result != -1)
		tap_note(where, "%s: returned %ld, expected -1 and %s", row, result,
			 tap_errno_name(wanted));
	else if (error != wanted)
		tap_note(where, "%s: failed with %s, expected %s", row, tap_errno_name(error),
			 tap_errno_name(wanted));
}

#define check(row, condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			tap_note(HERE, "%s: expected %s (errno %s)", row, #condition,              \
				 tap_errno_name(errno));                                           \
	} while (0)

/* fork that cannot fail unnoticed. */
#define fork_child() tap_fork_at(HERE)
static inline pid_t tap_fork_at(struct tap_where where)
{
	pid_t pid = fork();

	if (pid < 0)
		tap_fail(where, "fork failed with %s", tap_errno_name(errno));
	return pid;
}

/* Wait for that child, through interruptions; its wait status. */
#define wait_child(pid) tap_wait_at(HERE, pid)
static inline int tap_wait_at(struct tap_where where, pid_t pid)
{
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, 0);

		if (got == pid)
			return status;
		if (got >= 0 || errno != EINTR)
			tap_fail(where, "waitpid(%d) gave %d, %s", pid, got, tap_errno_name(errno));
	}
}

/* The child ends by itself, with this exit status. */
#define expect_exit(pid, wanted) tap_expect_exit(HERE, pid, wanted)
static inline void tap_expect_exit(struct tap_where where, pid_t pid, int wanted)
{
	int status = tap_wait_at(where, pid);

	if (WIFSIGNALED(status))
		tap_fail(where, "child was killed by SIG%s, expected exit status %d",
			 sigabbrev_np(WTERMSIG(status)), wanted);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted)
		tap_fail(where, "child's wait status is 0x%x, expected exit status %d", status,
			 wanted);
}

/* The child is killed by this signal. */
#define expect_killed(pid, signal) tap_expect_killed(HERE, pid, signal)
static inline void tap_expect_killed(struct tap_where where, pid_t pid, int wanted)
{
	int status = tap_wait_at(where, pid);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != wanted)
		tap_fail(where, "child's wait status is 0x%x, expected death by SIG%s", status,
			 sigabbrev_np(wanted));
}

/* Make the case's own empty directory and make it the working directory. */
static inline void scratch_enter(void)
{
	expect(mkdir(tap_scratch, 0755) == 0);
	expect(chdir(tap_scratch) == 0);
}

/* Remove a directory and all below it, as far as that is possible. */
static inline void tap_remove_tree(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	char *child;

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&child, "%s/%s", path, entry->d_name) < 0)
			break;
		if (unlink(child) < 0)
			tap_remove_tree(child);
		free(child);
	}
	closedir(directory);
	rmdir(path);
}

/* Run one case in a forked child; its wait status. */
static inline int tap_run_case(const struct tap_case *test_case)
{
	pid_t pid = fork_child();
	int status;

	if (pid == 0) {
		test_case->run();
		child_end();
	}
	status = wait_child(pid);
	if (rmdir(tap_scratch) < 0 && errno != ENOENT)
		tap_remove_tree(tap_scratch);
	return status;
}

/* Print the case's result line; true unless it failed. */
static inline bool tap_report(size_t number, const struct tap_case *test_case, int status)
{
	const char *name = test_case->name;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		dprintf(STDOUT_FILENO, "ok %zu - %s\n", number, name);
	else if (WIFEXITED(status) && WEXITSTATUS(status) == TAP_SKIPPED)
		dprintf(STDOUT_FILENO, "ok %zu - %s # SKIP\n", number, name);
	else if (WIFSIGNALED(status))
		dprintf(STDOUT_FILENO, "not ok %zu - %s # killed by SIG%s\n", number, name,
			sigabbrev_np(WTERMSIG(status)));
	else
		dprintf(STDOUT_FILENO, "not ok %zu - %s # exit status %d\n", number, name,
			WEXITSTATUS(status));
	return WIFEXITED(status) &&
	       (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == TAP_SKIPPED);
}

/* Run all cases, or in place the one that argv[1] numbers; the exit status for main. */
static inline int tap_main(int argc, char **argv, const struct tap_case *cases, size_t count)
{
	struct rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};
	size_t only = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	bool good = true;

	setrlimit(RLIMIT_CORE, &no_core); /* crashes are expected: leave no core files */
	snprintf(tap_scratch, sizeof(tap_scratch), "/tmp/stos-test-%d", (int)getpid());
	if (only >= 1 && only <= count) {
		cases[only - 1].run();
		good = tap_report(only, &cases[only - 1], tap_failed ? W_EXITCODE(1, 0) : 0);
		tap_remove_tree(tap_scratch);
		return good ? 0 : 1;
	}
	for (size_t i = 0; i < count; i++)
		good &= tap_report(i + 1, &cases[i], tap_run_case(&cases[i]));
	dprintf(STDOUT_FILENO, "1..%zu\n", count);
	return good ? 0 : 1;
}
