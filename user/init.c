/*
 * user/init.c - pid 1: runs a shell or one program, reaps orphans, ends the machine.
 *
 * The kernel starts it as /sbin/init with /proc and /dev mounted. What to do is in the job file
 * that `./stos run` adds (init_job.c); without one it is the shell on the console.
 *
 *     job with a program    run it; when it ends, report how
 *     anything else         run a login shell on the console, again and again
 *     SIGUSR2 SIGUSR1 SIGTERM    power off, halt, reboot (what busybox's commands send)
 *
 * All signals it waits for are blocked and taken by sigwaitinfo, one at a time: there are no
 * handlers that do anything, and no races. Starting programs is in init_spawn.c, the report and
 * the end in init_end.c. Nothing here waits without end for a host that is not there.
 *
 * Tests: every `./stos run`; the serial sessions for the shell.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RESTART_PAUSE_SECONDS = 1 }; /* a shell that dies at once must not flood the console */

static sigset_t awaited;

/* Not SIG_DFL, which for pid 1 and for SIGCHLD means that the signal may never be seen. */
static void only_wakes(int number)
{
	(void)number;
}

static struct termios first_settings; /* of the console, as the kernel made it */
static bool have_first_settings;

static void setup_signals(void)
{
	static const int numbers[] = {SIGCHLD, SIGUSR1, SIGUSR2, SIGTERM};

	sigemptyset(&awaited);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		sigaddset(&awaited, numbers[i]);
		signal(numbers[i], only_wakes);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &awaited, NULL);
}

/* Makes descriptors 0 to 2 the console, whatever is there, with the settings it had at first. */
static void setup_console(void)
{
	int console = open("/dev/console", O_RDWR | O_NOCTTY);

	if (console < 0)
		return;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(console, fd);
	if (console > STDERR_FILENO)
		close(console);
	if (have_first_settings)
		ioctl(STDIN_FILENO, TCSETS, &first_settings);
	else
		have_first_settings = ioctl(STDIN_FILENO, TCGETS, &first_settings) == 0;
}

/* POSIX shared memory lives here: for everybody, with the sticky bit. */
static void setup_shared_memory(void)
{
	const mode_t mode = S_ISVTX | S_IRWXU | S_IRWXG | S_IRWXO;

	umask(0);
	if (mkdir("/dev/shm", mode) < 0 && errno != EEXIST)
		say("/dev/shm: %s", strerror(errno));
	umask(S_IWGRP | S_IWOTH);
}

static void set_window_size(const struct job *job)
{
	struct winsize size = {.ws_row = job->rows, .ws_col = job->columns};

	if (job->rows && job->columns && ioctl(STDIN_FILENO, TIOCSWINSZ, &size) < 0)
		say("setting the size of the terminal: %s", strerror(errno));
}

static void show_motd(void)
{
	char line[256];
	FILE *motd = fopen("/etc/motd", "re");

	if (!motd)
		return;
	while (fgets(line, sizeof(line), motd))
		fputs(line, stdout);
	fclose(motd);
	fflush(stdout);
}

/* Reaps everything that has ended; true when `pid` was among it. */
static bool reap(pid_t pid, struct ending *ending)
{
	bool found = false;
	int status;
	pid_t ended;

	while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
		if (ended != pid)
			continue;
		found = true;
		if (WIFSIGNALED(status))
			*ending = (struct ending){ENDED_SIGNAL, WTERMSIG(status)};
		else
			*ending = (struct ending){ENDED_EXIT, WEXITSTATUS(status)};
	}
	return found;
}

/*
 * Waits until `pid` has ended, or somebody asks for the end of the machine; then *command is
 * what for. A program that has already ended is preferred.
 */
static struct ending supervise(pid_t pid, unsigned int *command)
{
	struct ending ending = {ENDED_EXIT, 0};

	for (;;) {
		int number = sigwaitinfo(&awaited, NULL);

		if (reap(pid, &ending))
			return ending;
		if (number == SIGUSR2)
			*command = LINUX_REBOOT_CMD_POWER_OFF;
		else if (number == SIGUSR1)
			*command = LINUX_REBOOT_CMD_HALT;
		else if (number == SIGTERM)
			*command = LINUX_REBOOT_CMD_RESTART;
		else
			continue;
		return ending;
	}
}

static struct ending run_program(const struct job *job, const struct streams *streams,
				 unsigned int *command)
{
	pid_t pid = spawn(job->arguments, streams, streams->has_terminal);

	*command = LINUX_REBOOT_CMD_POWER_OFF;
	if (pid < 0)
		return (struct ending){ENDED_EXEC, errno};
	return supervise(pid, command);
}

/* Runs shells until somebody asks for the end, or there is no shell. */
static struct ending run_shells(const struct job *job, struct streams *streams,
				unsigned int *command)
{
	static const char *const shell[] = {"/bin/sh", "-l", NULL};
	struct ending ending;

	*command = 0;
	show_motd();
	for (;;) {
		pid_t pid = spawn((char *const *)shell, streams, true);

		if (pid < 0) {
			ending = (struct ending){ENDED_EXEC, errno};
			say("%s: %s", shell[0], strerror(ending.number));
			*command = LINUX_REBOOT_CMD_POWER_OFF;
			return ending;
		}
		ending = supervise(pid, command);
		if (*command)
			return ending;
		sleep(RESTART_PAUSE_SECONDS);
		setup_console(); /* a terminal may hang up when its session ends */
		streams_close(streams);
		streams_open(streams, job);
		say("the shell ended, here is another one; poweroff ends stos");
	}
}

int main(void)
{
	struct job job;
	struct streams streams;
	struct ending ending;
	unsigned int command;

	setup_signals();
	setup_console();
	setup_shared_memory();
	job_load(&job);
	set_window_size(&job);
	streams_open(&streams, &job);
	if (*job.arguments)
		ending = run_program(&job, &streams, &command);
	else
		ending = run_shells(&job, &streams, &command);
	report_and_end(&job, &streams, ending, command);
}
