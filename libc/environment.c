/*
 * libc/environment.c - getenv and changing the environment.
 *
 * `environ` first points at what the kernel laid out. The first change moves the array to the
 * heap, where it stays; strings made by setenv are never freed, as callers may hold them.
 */
#include <stdlib.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static char **owned; /* the array on the heap, if it is ours already */

/* The place of NAME=... in environ, or NULL. */
static char **find(const char *name, size_t length)
{
	char **entry;

	for (entry = environ; entry && *entry; entry++) {
		if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
			return entry;
	}
	return NULL;
}

static bool name_is_valid(const char *name)
{
	if (name && *name && !strchr(name, '='))
		return true;
	errno = EINVAL;
	return false;
}

char *getenv(const char *name)
{
	size_t length = strlen(name);
	char **entry = find(name, length);

	return entry ? *entry + length + 1 : NULL;
}

/* Adds an entry at the end. */
static int append(char *text)
{
	size_t count = 0;
	char **array;

	while (environ && environ[count])
		count++;
	array = realloc(environ == owned ? owned : NULL, (count + 2) * sizeof(*array));
	if (!array)
		return -1;
	if (environ != owned && count)
		memcpy(array, environ, count * sizeof(*array));
	array[count] = text;
	array[count + 1] = NULL;
	environ = owned = array;
	return 0;
}

int setenv(const char *name, const char *value, int replace)
{
	size_t length;
	char **entry;
	char *text;

	if (!name_is_valid(name))
		return -1;
	length = strlen(name);
	entry = find(name, length);
	if (entry && !replace)
		return 0;
	text = malloc(length + strlen(value) + 2);
	if (!text)
		return -1;
	memcpy(text, name, length);
	text[length] = '=';
	strcpy(text + length + 1, value);
	if (!entry)
		return append(text);
	*entry = text;
	return 0;
}

int unsetenv(const char *name)
{
	char **entry;

	if (!name_is_valid(name))
		return -1;
	while ((entry = find(name, strlen(name)))) {
		for (; *entry; entry++)
			*entry = entry[1];
	}
	return 0;
}
