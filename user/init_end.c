/*
 * user/init_end.c - from the end of the program to the end of the machine.
 *
 *     status line -> kill and reap everything -> drain the streams, sync -> files -> "done"
 *
 * The host reads lines from the port stos.status: `exit N`, `signal N` or `exec ERRNO` first,
 * then `done` when nothing more will come. Files go to stos.files as one tar stream.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

/* A host that never connected must not keep the machine alive. */
enum { STATUS_PATIENCE_MS = 5000 };

static int open_status(const struct job *job)
{
	return job->given ? port_open("stos.status", O_WRONLY | O_NONBLOCK) : -1;
}

static void send_status(int port, const char *line)
{
	struct pollfd ready = {.fd = port, .events = POLLOUT};

	if (port < 0)
		return;
	if (poll(&ready, 1, STATUS_PATIENCE_MS) != 1 || write(port, line, strlen(line)) < 0)
		say("the host does not take the status '%.*s'", (int)strcspn(line, "\n"), line);
}

static void send_ending(int port, struct ending ending)
{
	static const char *const words[] = {
		[ENDED_EXIT] = "exit", [ENDED_SIGNAL] = "signal", [ENDED_EXEC] = "exec"};
	char line[32];

	snprintf(line, sizeof(line), "%s %d\n", words[ending.how], ending.number);
	send_status(port, line);
}

/* Until nobody is left: a process may have forked while the others were being killed. */
static void kill_everything(void)
{
	do {
		kill(-1, SIGKILL);
	} while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
}

/* Waits until the host has taken everything that was written. */
static void drain(const struct streams *streams)
{
	for (int fd = STDOUT_FILENO; fd < STREAMS; fd++)
		fsync(streams->fds[fd]); /* the console refuses, and pipes: nothing to wait for */
	ioctl(STDOUT_FILENO, TCSBRK, 1); /* tcdrain of the console */
}

/* `tar -c -f - -C / ./PATH...`: names that begin with "./" cannot be taken for options. */
static char **tar_arguments(const struct job *job)
{
	static char *const fixed[] = {"busybox", "tar", "-c", "-f", "-", "-C", "/"};
	const size_t fixed_count = sizeof(fixed) / sizeof(*fixed);
	char **arguments = calloc(fixed_count + job->get_count + 1, sizeof(*arguments));

	if (!arguments)
		return NULL;
	memcpy(arguments, fixed, sizeof(fixed));
	for (size_t i = 0; i < job->get_count; i++) {
		size_t bytes = strlen(job->get[i]) + sizeof("./");
		char *name = malloc(bytes);

		if (!name)
			return NULL;
		snprintf(name, bytes, "./%s", job->get[i] + strspn(job->get[i], "/"));
		arguments[fixed_count + i] = name;
	}
	return arguments;
}

static void send_files(const struct job *job)
{
	struct streams streams = {.fds = {STDIN_FILENO, -1, STDERR_FILENO}};
	char **arguments = tar_arguments(job);
	pid_t pid;

	if (!arguments) {
		say("sending files: %s", strerror(errno));
		return;
	}
	streams.fds[STDOUT_FILENO] = port_open("stos.files", O_WRONLY);
	if (streams.fds[STDOUT_FILENO] < 0)
		return;
	pid = spawn(arguments, &streams, false);
	if (pid < 0)
		say("busybox: %s", strerror(errno));
	else
		waitpid(pid, NULL, 0); /* what tar could not read it has said itself */
	drain(&streams);
}

void report_and_end(const struct job *job, const struct streams *streams, struct ending ending,
		    unsigned int command)
{
	int status = open_status(job);

	send_ending(status, ending);
	kill_everything();
	drain(streams);
	sync();
	if (job->get_count)
		send_files(job);
	send_status(status, "done\n");
	fsync(status);
	reboot(command);
	say("the machine cannot be ended: %s", strerror(errno));
	for (;;)
		pause();
}
