/*
 * kernel/exec_args.c - argument and environment strings on their way into a new program.
 *
 * They are copied into kernel pages before anything is changed, so that a bad pointer or too
 * much text is an error of execve and nothing more. Limits as on Linux (execve(2)): a string 128
 * KiB, all strings and their pointers a quarter of the stack limit, between 128 KiB and 6 MiB.
 */
#include <kernel/base/errno.h>
#include <kernel/exec_args.h>
#include <linux/binfmts.h>
#include <mm/heap.h>
#include <mm/user_copy.h>
#include <string.h>

#define STRINGS_LIMIT_MIN ((size_t)MAX_ARG_STRLEN)
#define STRINGS_LIMIT_MAX (6ul << 20)

#define CHUNK_BYTES (PAGE_SIZE - sizeof(struct text_chunk *) - sizeof(size_t))

struct text_chunk {
	struct text_chunk *next;
	size_t used;
	char bytes[CHUNK_BYTES];
};

static_assert(sizeof(struct text_chunk) == PAGE_SIZE, "a chunk is a page");

void exec_args_init(struct exec_args *args, uint64_t stack_limit)
{
	memset(args, 0, sizeof(*args));
	args->limit = MAX(MIN(stack_limit / 4, STRINGS_LIMIT_MAX), STRINGS_LIMIT_MIN);
}

static void text_free(struct exec_text *text)
{
	while (text->first) {
		struct text_chunk *next = text->first->next;

		kfree(text->first);
		text->first = next;
	}
}

void exec_args_free(struct exec_args *args)
{
	text_free(&args->argv);
	text_free(&args->envp);
	while (args->prefix_count > 0)
		kfree(args->prefix[--args->prefix_count]);
}

/* A chunk with room for a byte at least; NULL: no memory. */
static struct text_chunk *text_room(struct exec_text *text)
{
	struct text_chunk *chunk = text->last;

	if (chunk && chunk->used < CHUNK_BYTES)
		return chunk;
	chunk = kmalloc(sizeof(*chunk));
	if (!chunk)
		return NULL;
	chunk->next = NULL;
	chunk->used = 0;
	if (text->last)
		text->last->next = chunk;
	else
		text->first = chunk;
	text->last = chunk;
	return chunk;
}

/* Appends the string: its bytes with the NUL, or -errno. */
static ssize_t text_add_user(struct exec_text *text, uintptr_t string)
{
	size_t bytes = 0;

	for (;;) {
		struct text_chunk *chunk = text_room(text);
		size_t room;
		ssize_t length;

		if (!chunk)
			return -ENOMEM;
		room = CHUNK_BYTES - chunk->used;
		length = copy_string_from_user(chunk->bytes + chunk->used, string + bytes, room);
		if (length >= 0) {
			chunk->used += (size_t)length + 1;
			bytes += (size_t)length + 1;
			return bytes <= MAX_ARG_STRLEN ? (ssize_t)bytes : -E2BIG;
		}
		if (length != -ENAMETOOLONG)
			return length;
		chunk->used = CHUNK_BYTES; /* full, the string goes on */
		bytes += room;
		if (bytes >= MAX_ARG_STRLEN)
			return -E2BIG;
	}
}

static ssize_t text_add(struct exec_text *text, const char *string)
{
	size_t bytes = strlen(string) + 1, done = 0;

	while (done < bytes) {
		struct text_chunk *chunk = text_room(text);
		size_t part;

		if (!chunk)
			return -ENOMEM;
		part = MIN(bytes - done, CHUNK_BYTES - chunk->used);
		memcpy(chunk->bytes + chunk->used, string + done, part);
		chunk->used += part;
		done += part;
	}
	return (ssize_t)bytes;
}

static bool within_limit(const struct exec_args *args)
{
	size_t pointers = (size_t)(args->argc + args->envc) * sizeof(uintptr_t);

	return exec_args_argv_bytes(args) + args->envp_bytes + pointers <= args->limit;
}

/* Each string counts at once, so that endless arrays end at the limit. */
static int read_array(struct exec_args *args, struct exec_text *text, uintptr_t array, int *count,
		      size_t *total)
{
	uintptr_t string;

	while (array) {
		ssize_t bytes;

		if (get_user(string, array))
			return -EFAULT;
		if (!string)
			break;
		bytes = text_add_user(text, string);
		if (bytes < 0)
			return (int)bytes;
		if (text == &args->argv && *count == 0)
			args->argv0_bytes = (size_t)bytes;
		*total += (size_t)bytes;
		*count += 1;
		if (!within_limit(args))
			return -E2BIG;
		array += sizeof(string);
	}
	return 0;
}

/* A program is never without argv[0] (Linux 5.18). */
static int argv_complete(struct exec_args *args)
{
	ssize_t bytes;

	if (args->argc > 0)
		return 0;
	bytes = text_add(&args->argv, "");
	if (bytes < 0)
		return (int)bytes;
	args->argc = 1;
	args->argv_bytes = args->argv0_bytes = (size_t)bytes;
	return 0;
}

int exec_args_read(struct exec_args *args, uintptr_t argv, uintptr_t envp)
{
	int error = read_array(args, &args->argv, argv, &args->argc, &args->argv_bytes);

	if (!error)
		error = argv_complete(args);
	if (!error)
		error = read_array(args, &args->envp, envp, &args->envc, &args->envp_bytes);
	return error;
}

static int set_array(struct exec_text *text, const char *const *array, int *count, size_t *total)
{
	for (; *array; array++) {
		ssize_t bytes = text_add(text, *array);

		if (bytes < 0)
			return (int)bytes;
		*total += (size_t)bytes;
		*count += 1;
	}
	return 0;
}

int exec_args_set(struct exec_args *args, const char *const *argv, const char *const *envp)
{
	int error = set_array(&args->argv, argv, &args->argc, &args->argv_bytes);

	if (!error)
		error = set_array(&args->envp, envp, &args->envc, &args->envp_bytes);
	if (!error)
		args->argv0_bytes = strlen(argv[0]) + 1;
	return error;
}

static void drop_argv0(struct exec_args *args)
{
	args->argc--;
	if (args->prefix_count > 0) {
		char *top = args->prefix[--args->prefix_count];

		args->prefix_bytes -= strlen(top) + 1;
		kfree(top);
	} else {
		args->argv0_dropped = true;
	}
}

static int push_argv0(struct exec_args *args, const char *string)
{
	char *copy;

	if (args->prefix_count == EXEC_PREFIX_MAX)
		return -ELOOP;
	copy = kstrdup(string);
	if (!copy)
		return -ENOMEM;
	args->prefix[args->prefix_count++] = copy;
	args->prefix_bytes += strlen(string) + 1;
	args->argc++;
	return 0;
}

int exec_args_script(struct exec_args *args, const char *interpreter, const char *argument,
		     const char *path)
{
	int error;

	drop_argv0(args);
	error = push_argv0(args, path);
	if (!error && argument)
		error = push_argv0(args, argument);
	if (!error)
		error = push_argv0(args, interpreter);
	if (!error && !within_limit(args))
		error = -E2BIG;
	return error;
}

size_t exec_args_argv_bytes(const struct exec_args *args)
{
	size_t dropped = args->argv0_dropped ? args->argv0_bytes : 0;

	return args->prefix_bytes + args->argv_bytes - dropped;
}

static void text_walk(const struct exec_text *text, size_t skip,
		      void (*take)(void *context, const char *bytes, size_t size), void *context)
{
	for (const struct text_chunk *chunk = text->first; chunk; chunk = chunk->next) {
		size_t skipped = MIN(skip, chunk->used);

		skip -= skipped;
		if (skipped < chunk->used)
			take(context, chunk->bytes + skipped, chunk->used - skipped);
	}
}

void exec_args_walk(const struct exec_args *args,
		    void (*take)(void *context, const char *bytes, size_t size), void *context)
{
	for (unsigned i = args->prefix_count; i-- > 0;)
		take(context, args->prefix[i], strlen(args->prefix[i]) + 1);
	text_walk(&args->argv, args->argv0_dropped ? args->argv0_bytes : 0, take, context);
	text_walk(&args->envp, 0, take, context);
}
