/*
 * kernel/exec_args.h - the strings a program starts with, between the caller's space and the new
 * one. For exec.c.
 */
#pragma once

#include <kernel/base/types.h>

struct text_chunk; /* a page of strings, one after the other, each with its NUL */

struct exec_text {
	struct text_chunk *first, *last;
};

#define EXEC_PREFIX_MAX 16

struct exec_args {
	struct exec_text argv, envp;
	int argc, envc;
	size_t argv_bytes, envp_bytes; /* NULs included */
	size_t limit;		       /* strings and pointers together may not be larger */
	/* What `#!` put in front: a stack, the top is argv[0]. */
	char *prefix[EXEC_PREFIX_MAX];
	unsigned prefix_count;
	size_t prefix_bytes;
	bool argv0_dropped; /* the first string of argv does not count any more */
	size_t argv0_bytes;
};

/* Empty; `stack_limit` is RLIMIT_STACK. */
void exec_args_init(struct exec_args *args, uint64_t stack_limit);
void exec_args_free(struct exec_args *args);
/* The user's NULL-terminated arrays (NULL: none): 0, -EFAULT, -E2BIG, -ENOMEM. */
must_check int exec_args_read(struct exec_args *args, uintptr_t argv, uintptr_t envp);
/* The kernel's own. */
must_check int exec_args_set(struct exec_args *args, const char *const *argv,
			     const char *const *envp);
/*
 * A script's interpreter takes the place of argv[0]: interpreter, argument (may be NULL), path
 * of the script, then the rest. Strings are copied.
 */
must_check int exec_args_script(struct exec_args *args, const char *interpreter,
				const char *argument, const char *path);

/* All strings in their order in the new stack, argv's then envp's: `take` gets each piece. */
void exec_args_walk(const struct exec_args *args,
		    void (*take)(void *context, const char *bytes, size_t size), void *context);
/* Bytes of argv's strings (what the prefix adds and drops included), and how many there are. */
size_t exec_args_argv_bytes(const struct exec_args *args);
