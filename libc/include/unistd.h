/*
 * unistd.h - system calls of POSIX.1-2017 <unistd.h>, and a few of Linux.
 *
 * Each returns what its page in the manual says: -1 and errno on failure.
 */
#pragma once

#include <linux/fs.h> /* SEEK_SET and its kin */
#include <stddef.h>
#include <sys/types.h>

#define STDIN_FILENO 0
#define STDOUT_FILENO 1
#define STDERR_FILENO 2

/* access(2) */
#define F_OK 0
#define X_OK 1
#define W_OK 2
#define R_OK 4

extern char **environ;

ssize_t read(int fd, void *buffer, size_t bytes);
ssize_t write(int fd, const void *buffer, size_t bytes);
ssize_t pread(int fd, void *buffer, size_t bytes, off_t offset);
ssize_t pwrite(int fd, const void *buffer, size_t bytes, off_t offset);
int close(int fd);
off_t lseek(int fd, off_t offset, int whence);
int ftruncate(int fd, off_t size);
int truncate(const char *path, off_t size);
int fsync(int fd);
int fdatasync(int fd);
void sync(void);
int dup(int fd);
int dup2(int fd, int wanted);
int pipe(int fds[2]);
int pipe2(int fds[2], int flags);
int isatty(int fd);

int access(const char *path, int mode);
int link(const char *existing, const char *path);
int symlink(const char *target, const char *path);
ssize_t readlink(const char *path, char *buffer, size_t size); /* not terminated */
int unlink(const char *path);
int rmdir(const char *path);
int chdir(const char *path);
char *getcwd(char *buffer, size_t size);
int chown(const char *path, uid_t user, gid_t group);

pid_t fork(void);
/* The child borrows the parent's memory until it execs or exits: no return, no stdio in it. */
pid_t vfork(void) __attribute__((returns_twice));
int execve(const char *path, char *const arguments[], char *const environment[]);
int execv(const char *path, char *const arguments[]);
/*
 * Looks `file` up in the PATH of `environ`, unless it has a slash. Unlike POSIX's, neither
 * runs a file the kernel refuses with ENOEXEC as a shell script.
 */
int execvp(const char *file, char *const arguments[]);
int execvpe(const char *file, char *const arguments[], char *const environment[]);
void _exit(int status) __attribute__((noreturn));

pid_t getpid(void);
pid_t getppid(void);
pid_t gettid(void);
pid_t getpgid(pid_t pid);
int setpgid(pid_t pid, pid_t group);
pid_t getsid(pid_t pid);
pid_t setsid(void);
pid_t tcgetpgrp(int fd);
int tcsetpgrp(int fd, pid_t group);
uid_t getuid(void);
uid_t geteuid(void);
gid_t getgid(void);
gid_t getegid(void);

int pause(void);
unsigned int sleep(unsigned int seconds); /* returns the seconds left if a signal came */
int brk(void *end);
void *sbrk(ptrdiff_t bytes); /* (void *)-1 on failure */
int getpagesize(void);
