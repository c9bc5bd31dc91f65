/*
 * libc/start.c - from the first instruction to main, and from exit to the last.
 *
 * Way in: crt0.asm. Way out: exit_group(2). Programs have no constructors: what the library
 * needs is set up by static initialisers, or when it is first used.
 */
#include <stdlib.h>

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "start.h"
#include "syscall.h"

enum { MAX_EXIT_FUNCTIONS = 32 };

int errno;
char **environ;

static const unsigned long *auxiliary_vector; /* pairs of type and value, ends with AT_NULL */
static void (*exit_functions[MAX_EXIT_FUNCTIONS])(void);
static size_t exit_function_count;

int main(int count, char **arguments, char **environment);

void libc_start(long *stack)
{
	int count = (int)stack[0];
	char **arguments = (char **)(stack + 1);
	char **end;

	environ = arguments + count + 1;
	end = environ;
	while (*end)
		end++;
	auxiliary_vector = (const unsigned long *)(end + 1);
	exit(main(count, arguments, environ));
}

unsigned long getauxval(unsigned long type)
{
	const unsigned long *pair;

	for (pair = auxiliary_vector; pair[0] != AT_NULL; pair += 2) {
		if (pair[0] == type)
			return pair[1];
	}
	return 0;
}

int getpagesize(void)
{
	return (int)getauxval(AT_PAGESZ);
}

int atexit(void (*function)(void))
{
	if (exit_function_count == MAX_EXIT_FUNCTIONS)
		return -1;
	exit_functions[exit_function_count++] = function;
	return 0;
}

void exit(int status)
{
	while (exit_function_count)
		exit_functions[--exit_function_count]();
	fflush(NULL);
	_exit(status);
}

void _exit(int status)
{
	for (;;)
		CALL1(exit_group, status);
}

void _Exit(int status)
{
	_exit(status);
}

void abort(void)
{
	sigset_t only_abort;

	sigemptyset(&only_abort);
	sigaddset(&only_abort, SIGABRT);
	raise(SIGABRT);
	signal(SIGABRT, SIG_DFL); /* a handler came back, or it was ignored or blocked */
	sigprocmask(SIG_UNBLOCK, &only_abort, NULL);
	raise(SIGABRT);
	_exit(128 + SIGABRT);
}
