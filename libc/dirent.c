/*
 * libc/dirent.c - reading directories over getdents64(2).
 */
#include <dirent.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "syscall.h"

enum { BUFFER_BYTES = 2048 }; /* several of the longest entries */

struct directory_stream {
	int fd;
	size_t at, end; /* what of the buffer was not handed out yet */
	char buffer[BUFFER_BYTES] __attribute__((aligned(8)));
};

DIR *opendir(const char *path)
{
	DIR *directory = malloc(sizeof(*directory));

	if (!directory)
		return NULL;
	directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory->fd < 0) {
		free(directory);
		return NULL;
	}
	directory->at = directory->end = 0;
	return directory;
}

struct dirent *readdir(DIR *directory)
{
	struct dirent *entry;

	if (directory->at == directory->end) {
		long got = CALL3(getdents64, directory->fd, directory->buffer, BUFFER_BYTES);

		if (got <= 0)
			return NULL;
		directory->at = 0;
		directory->end = (size_t)got;
	}
	entry = (struct dirent *)(directory->buffer + directory->at);
	directory->at += entry->d_reclen;
	return entry;
}

int closedir(DIR *directory)
{
	int result = close(directory->fd);

	free(directory);
	return result;
}
