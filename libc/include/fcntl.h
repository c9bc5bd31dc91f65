/* fcntl.h - opening files. Flags and commands are Linux's. */
#pragma once

#include <linux/fcntl.h>
#include <sys/types.h>

int open(const char *path, int flags, ...); /* a mode_t follows with O_CREAT */
int openat(int directory, const char *path, int flags, ...);
int creat(const char *path, mode_t mode);
int fcntl(int fd, int command, ...); /* takes a long or a pointer */
