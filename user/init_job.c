/*
 * user/init_job.c - the job file: what `./stos run` wants done.
 *
 * /etc/stos/job is a row of NUL-terminated strings: settings `key=value`, an empty string, then
 * the program's arguments (any bytes but NUL; none = the shell). Settings:
 *
 *     stdin= stdout= stderr=    port or tty (tty when not given)
 *     rows= cols=               size of the terminal
 *     env=NAME=VALUE            into the program's environment; repeatable
 *     get=PATH                  to be sent to the host afterwards; repeatable
 *
 * The writer is tools/stoslib/overlay.py.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char job_path[] = "/etc/stos/job";

static const char *const environment[][2] = {
	{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	{"HOME", "/root"},
	{"USER", "root"},
	{"LOGNAME", "root"},
	{"SHELL", "/bin/sh"},
	{"TERM", "linux"},
	{"LANG", "C.UTF-8"},
};

static char *no_strings[] = {NULL};

/* The whole file with a NUL after it, in memory that stays; NULL with errno. */
static char *read_file(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *content = NULL;
	struct stat status;
	ssize_t got;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0)
		content = malloc((size_t)status.st_size + 1);
	for (*bytes = 0; content && *bytes < (size_t)status.st_size; *bytes += (size_t)got) {
		got = read(fd, content + *bytes, (size_t)status.st_size - *bytes);
		if (got <= 0)
			break;
	}
	if (content)
		content[*bytes] = '\0';
	close(fd);
	return content;
}

/* The number of NUL-terminated strings in `bytes` bytes. */
static size_t count_strings(const char *text, size_t bytes)
{
	size_t count = 0;

	for (size_t at = 0; at < bytes; at += strlen(text + at) + 1)
		count++;
	return count;
}

static void set_kind(struct job *job, int stream, const char *value)
{
	if (strcmp(value, "port") == 0)
		job->kinds[stream] = STREAM_PORT;
	else if (strcmp(value, "tty") == 0)
		job->kinds[stream] = STREAM_TTY;
	else
		say("%s: a stream cannot be '%s'", job_path, value);
}

static void set_variable(char *assignment)
{
	char *equals = strchr(assignment, '=');

	if (equals) {
		*equals = '\0';
		if (setenv(assignment, equals + 1, 1) == 0)
			return;
	}
	say("%s: '%s' is not an environment variable", job_path, assignment);
}

static void apply_setting(struct job *job, const char *key, char *value)
{
	if (strcmp(key, "stdin") == 0)
		set_kind(job, STDIN_FILENO, value);
	else if (strcmp(key, "stdout") == 0)
		set_kind(job, STDOUT_FILENO, value);
	else if (strcmp(key, "stderr") == 0)
		set_kind(job, STDERR_FILENO, value);
	else if (strcmp(key, "rows") == 0)
		job->rows = (unsigned short)strtoul(value, NULL, 10);
	else if (strcmp(key, "cols") == 0)
		job->columns = (unsigned short)strtoul(value, NULL, 10);
	else if (strcmp(key, "env") == 0)
		set_variable(value);
	else if (strcmp(key, "get") == 0)
		job->get[job->get_count++] = value;
	else
		say("%s: unknown setting '%s'", job_path, key);
}

/* Applies the settings; returns what lies after the empty string that ends them. */
static char *parse_settings(struct job *job, char *text, const char *end)
{
	while (text < end && *text) {
		char *next = text + strlen(text) + 1;
		char *equals = strchr(text, '=');

		if (equals) {
			*equals = '\0';
			apply_setting(job, text, equals + 1);
		} else {
			say("%s: '%s' is not a setting", job_path, text);
		}
		text = next;
	}
	return text + 1;
}

static void parse(struct job *job, char *text, size_t bytes)
{
	size_t strings = count_strings(text, bytes);
	char *end = text + bytes;
	char **arguments = calloc(strings + 1, sizeof(*arguments));

	job->get = calloc(strings + 1, sizeof(*job->get));
	if (!arguments || !job->get) {
		say("%s: %s", job_path, strerror(errno));
		return;
	}
	job->arguments = arguments;
	for (text = parse_settings(job, text, end); text < end; text += strlen(text) + 1)
		*arguments++ = text;
}

void job_load(struct job *job)
{
	size_t bytes;
	char *text;

	*job = (struct job){.arguments = no_strings};
	environ = no_strings;
	for (size_t i = 0; i < sizeof(environment) / sizeof(*environment); i++)
		setenv(environment[i][0], environment[i][1], 1);
	text = read_file(job_path, &bytes);
	if (text) {
		job->given = true;
		parse(job, text, bytes);
	} else if (errno != ENOENT) {
		say("%s: %s", job_path, strerror(errno));
	}
}
