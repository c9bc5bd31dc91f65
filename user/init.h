/* user/init.h - what the parts of init share; init.c tells the story. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { STREAMS = 3 }; /* stdin, stdout, stderr */

enum stream_kind { STREAM_TTY, STREAM_PORT };

/* What to do: the content of the job file. Everything lives until the machine ends. */
struct job {
	bool given; /* there is a job file */
	enum stream_kind kinds[STREAMS];
	unsigned short rows, columns; /* of the terminal; 0 = not known */
	char *const *arguments;	      /* the program's, ends with NULL; none = the shell */
	const char **get;	      /* paths to send to the host afterwards */
	size_t get_count;
};

/* The program's standard streams: init's own descriptors, close-on-exec. */
struct streams {
	int fds[STREAMS];
	bool has_terminal; /* at least one is the console */
};

/* How the program ended. */
struct ending {
	enum { ENDED_EXIT, ENDED_SIGNAL, ENDED_EXEC } how;
	int number; /* exit status, signal, or the errno of execve */
};

/* Prints a line to the console. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Reads the job file and puts the program's environment into environ. Without a job file, or
   with one that cannot be read, the job is a shell on the console. */
void job_load(struct job *job);

/*
 * Opens what the job asks for and starts the process that feeds stdin. A port that is missing is
 * told on the console and replaced: stdin by /dev/null, the others by the console.
 */
void streams_open(struct streams *streams, const struct job *job);
void streams_close(struct streams *streams);

/*
 * Starts a program in a session of its own, with the console as controlling terminal if asked,
 * looked up in PATH. Returns its pid, or -1 with errno when it could not be started.
 */
pid_t spawn(char *const arguments[], const struct streams *streams, bool terminal);

/* Opens /dev/virtio-ports/NAME, close-on-exec; -1 when it is not there, told on the console. */
int port_open(const char *name, int flags);

/* Tells the host how the program ended, kills what is left, sends files, ends the machine. */
void report_and_end(const struct job *job, const struct streams *streams, struct ending ending,
		    unsigned int command) __attribute__((noreturn));
