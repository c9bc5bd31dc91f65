/* sys/stat.h - what a file is. struct stat and the S_ names are Linux's. */
#pragma once

#include <asm/stat.h>
#include <linux/stat.h>
#include <sys/types.h>

int stat(const char *path, struct stat *result);
int lstat(const char *path, struct stat *result);
int fstat(int fd, struct stat *result);
int chmod(const char *path, mode_t mode);
int fchmod(int fd, mode_t mode);
int mkdir(const char *path, mode_t mode);
mode_t umask(mode_t mask);
