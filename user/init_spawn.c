/*
 * user/init_spawn.c - the program's standard streams, and starting it.
 *
 * A stream is the console or a virtio port, a byte pipe to the host. stdout and stderr are the
 * ports themselves. stdin comes framed (the end of the input must not be mistaken for a lost
 * host), so a process of its own, the pump, unpacks it into a pipe: init never blocks on it, and
 * it is killed with everything else at the end.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PUMP_BYTES = 64 * 1024 };

void say(const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "init: %s\n", text);
}

int port_open(const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/virtio-ports/%s", name);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		say("%s: %s", path, strerror(errno));
	return fd;
}

/* ---- the pump ---- */

/* Reads exactly `bytes`; false when the host is gone. */
static bool read_all(int fd, void *buffer, size_t bytes)
{
	char *at = buffer;

	while (bytes) {
		ssize_t got = read(fd, at, bytes);

		if (got <= 0)
			return false;
		at += got;
		bytes -= (size_t)got;
	}
	return true;
}

static bool write_all(int fd, const char *bytes, size_t count)
{
	while (count) {
		ssize_t written = write(fd, bytes, count);

		if (written < 0)
			return false;
		bytes += written;
		count -= (size_t)written;
	}
	return true;
}

/* Each frame is a 32-bit little-endian length and that many bytes; length 0 is the end. */
static void pump(int port, int pipe_end)
{
	static char buffer[PUMP_BYTES];
	uint32_t left;

	while (read_all(port, &left, sizeof(left)) && left) {
		while (left) {
			ssize_t got = read(port, buffer, left < PUMP_BYTES ? left : PUMP_BYTES);

			if (got <= 0 || !write_all(pipe_end, buffer, (size_t)got))
				return;
			left -= (uint32_t)got;
		}
	}
}

/* Returns the read end of the pipe that the pump fills, or -1 with errno. */
static int start_pump(int port)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		ends[0] = -1;
	} else if (pid == 0) {
		close(ends[0]); /* or the pump would not notice that the program closed its end */
		pump(port, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

/* ---- streams ---- */

static int open_console(int flags)
{
	int fd = open("/dev/console", flags | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? open("/dev/null", flags | O_CLOEXEC) : fd;
}

static int open_input(const struct job *job)
{
	int port, fd;

	if (job->kinds[STDIN_FILENO] == STREAM_TTY)
		return open_console(O_RDWR); /* programs ask the terminal through any stream */
	port = port_open("stos.stdin", O_RDONLY);
	if (port < 0)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = start_pump(port);
	if (fd < 0)
		say("the pump for stdin: %s", strerror(errno));
	close(port);
	return fd < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : fd;
}

static int open_output(const struct job *job, int stream)
{
	int fd = -1;

	if (job->kinds[stream] == STREAM_PORT)
		fd = port_open(stream == STDOUT_FILENO ? "stos.stdout" : "stos.stderr", O_WRONLY);
	return fd < 0 ? open_console(O_RDWR) : fd;
}

void streams_open(struct streams *streams, const struct job *job)
{
	streams->fds[STDIN_FILENO] = open_input(job);
	streams->fds[STDOUT_FILENO] = open_output(job, STDOUT_FILENO);
	streams->fds[STDERR_FILENO] = open_output(job, STDERR_FILENO);
	streams->has_terminal = false;
	for (int i = 0; i < STREAMS; i++)
		streams->has_terminal |= job->kinds[i] == STREAM_TTY;
}

void streams_close(struct streams *streams)
{
	for (int i = 0; i < STREAMS; i++)
		close(streams->fds[i]);
}

/* ---- the program ---- */

/* In the child. Never returns: the program runs, or its errno goes into the pipe. */
static void __attribute__((noreturn))
become(char *const arguments[], const struct streams *streams, bool terminal, int errno_pipe)
{
	sigset_t none;

	setsid();
	if (terminal)
		ioctl(STDIN_FILENO, TIOCSCTTY, 0); /* still init's own: the console */
	for (int fd = 0; fd < STREAMS; fd++)
		dup2(streams->fds[fd], fd);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir("/") == 0)
		execvp(arguments[0], arguments);
	write(errno_pipe, &errno, sizeof(errno));
	_exit(127);
}

pid_t spawn(char *const arguments[], const struct streams *streams, bool terminal)
{
	int ends[2], error;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		become(arguments, streams, terminal, ends[1]);
	error = errno;
	close(ends[1]);
	if (pid > 0 && read(ends[0], &error, sizeof(error)) == sizeof(error)) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(ends[0]);
	errno = error;
	return pid;
}
