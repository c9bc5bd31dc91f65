/*
 * libc/exec.c - finding a program in PATH.
 *
 * The outcome when nothing could be run is the most telling error met: a file that is there
 * but refused (EACCES) before "not found". A file that the kernel found and does not take
 * (ENOEXEC, E2BIG, ...) ends the search.
 */
#include <unistd.h>

#include <errno.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/* Whether the search goes on after this error. */
static bool error_is_local(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES;
}

int execvpe(const char *file, char *const arguments[], char *const environment[])
{
	const char *path = getenv("PATH");
	bool refused = false;
	char full[PATH_MAX];
	size_t length;

	if (!*file || strchr(file, '/')) /* the kernel answers ENOENT to an empty name */
		return execve(file, arguments, environment);
	if (!path)
		path = default_path;
	for (;; path += length + 1) {
		length = strcspn(path, ":");
		if (snprintf(full, sizeof(full), "%.*s%s%s", (int)length, path, length ? "/" : "",
			     file) < (int)sizeof(full)) {
			execve(full, arguments, environment);
			if (!error_is_local(errno))
				return -1;
			refused |= errno == EACCES;
		}
		if (!path[length])
			break;
	}
	errno = refused ? EACCES : ENOENT;
	return -1;
}

int execvp(const char *file, char *const arguments[])
{
	return execvpe(file, arguments, environ);
}

int execv(const char *path, char *const arguments[])
{
	return execve(path, arguments, environ);
}
