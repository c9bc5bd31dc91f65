/*
 * libc/unistd.c - system calls that need no more than their number: files, processes, memory.
 *
 * Contracts are in the manual's section 2. Not here: signals (signal.c), PATH and sbrk
 * (exec.c, malloc.c), vfork (syscall.asm).
 */
#include <unistd.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "syscall.h"

/* ---- descriptors ---- */

int openat(int directory, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list arguments;

	if (flags & O_CREAT) {
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	return (int)CALL4(openat, directory, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list arguments;

	if (flags & O_CREAT) {
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	return openat(AT_FDCWD, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int close(int fd)
{
	return (int)CALL1(close, fd);
}

ssize_t read(int fd, void *buffer, size_t bytes)
{
	return CALL3(read, fd, buffer, bytes);
}

ssize_t write(int fd, const void *buffer, size_t bytes)
{
	return CALL3(write, fd, buffer, bytes);
}

ssize_t pread(int fd, void *buffer, size_t bytes, off_t offset)
{
	return CALL4(pread64, fd, buffer, bytes, offset);
}

ssize_t pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
	return CALL4(pwrite64, fd, buffer, bytes, offset);
}

off_t lseek(int fd, off_t offset, int whence)
{
	return CALL3(lseek, fd, offset, whence);
}

int ftruncate(int fd, off_t size)
{
	return (int)CALL2(ftruncate, fd, size);
}

int fsync(int fd)
{
	return (int)CALL1(fsync, fd);
}

int fdatasync(int fd)
{
	return (int)CALL1(fdatasync, fd);
}

void sync(void)
{
	CALL0(sync);
}

int dup(int fd)
{
	return (int)CALL1(dup, fd);
}

int dup2(int fd, int wanted)
{
	return (int)CALL2(dup2, fd, wanted);
}

int pipe(int fds[2])
{
	return pipe2(fds, 0);
}

int pipe2(int fds[2], int flags)
{
	return (int)CALL2(pipe2, fds, flags);
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	return (int)CALL3(poll, fds, count, timeout_ms);
}

int fcntl(int fd, int command, ...)
{
	va_list arguments;
	long argument;

	va_start(arguments, command);
	argument = va_arg(arguments, long);
	va_end(arguments);
	return (int)CALL3(fcntl, fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	long argument;

	va_start(arguments, request);
	argument = va_arg(arguments, long);
	va_end(arguments);
	return (int)CALL3(ioctl, fd, request, argument);
}

int isatty(int fd)
{
	struct termios settings;

	return ioctl(fd, TCGETS, &settings) == 0;
}

/* ---- paths ---- */

int stat(const char *path, struct stat *result)
{
	return (int)CALL2(stat, path, result);
}

int lstat(const char *path, struct stat *result)
{
	return (int)CALL2(lstat, path, result);
}

int fstat(int fd, struct stat *result)
{
	return (int)CALL2(fstat, fd, result);
}

int chmod(const char *path, mode_t mode)
{
	return (int)CALL2(chmod, path, mode);
}

int fchmod(int fd, mode_t mode)
{
	return (int)CALL2(fchmod, fd, mode);
}

int chown(const char *path, uid_t user, gid_t group)
{
	return (int)CALL3(chown, path, user, group);
}

int truncate(const char *path, off_t size)
{
	return (int)CALL2(truncate, path, size);
}

int access(const char *path, int mode)
{
	return (int)CALL2(access, path, mode);
}

int mkdir(const char *path, mode_t mode)
{
	return (int)CALL2(mkdir, path, mode);
}

int rmdir(const char *path)
{
	return (int)CALL1(rmdir, path);
}

int link(const char *existing, const char *path)
{
	return (int)CALL2(link, existing, path);
}

int symlink(const char *target, const char *path)
{
	return (int)CALL2(symlink, target, path);
}

ssize_t readlink(const char *path, char *buffer, size_t size)
{
	return CALL3(readlink, path, buffer, size);
}

int unlink(const char *path)
{
	return (int)CALL1(unlink, path);
}

int rename(const char *from, const char *to)
{
	return (int)CALL2(rename, from, to);
}

int chdir(const char *path)
{
	return (int)CALL1(chdir, path);
}

char *getcwd(char *buffer, size_t size)
{
	return CALL2(getcwd, buffer, size) < 0 ? NULL : buffer;
}

mode_t umask(mode_t mask)
{
	return (mode_t)CALL1(umask, mask);
}

/* ---- processes ---- */

pid_t fork(void)
{
	return (pid_t)CALL0(fork);
}

int execve(const char *path, char *const arguments[], char *const environment[])
{
	return (int)CALL3(execve, path, arguments, environment);
}

pid_t wait(int *status)
{
	return waitpid(-1, status, 0);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	return (pid_t)CALL4(wait4, pid, status, options, NULL);
}

pid_t getpid(void)
{
	return (pid_t)CALL0(getpid);
}

pid_t getppid(void)
{
	return (pid_t)CALL0(getppid);
}

pid_t gettid(void)
{
	return (pid_t)CALL0(gettid);
}

pid_t getpgid(pid_t pid)
{
	return (pid_t)CALL1(getpgid, pid);
}

int setpgid(pid_t pid, pid_t group)
{
	return (int)CALL2(setpgid, pid, group);
}

pid_t getsid(pid_t pid)
{
	return (pid_t)CALL1(getsid, pid);
}

pid_t setsid(void)
{
	return (pid_t)CALL0(setsid);
}

pid_t tcgetpgrp(int fd)
{
	pid_t group;

	return ioctl(fd, TIOCGPGRP, &group) < 0 ? -1 : group;
}

int tcsetpgrp(int fd, pid_t group)
{
	return ioctl(fd, TIOCSPGRP, &group);
}

uid_t getuid(void)
{
	return (uid_t)CALL0(getuid);
}

uid_t geteuid(void)
{
	return (uid_t)CALL0(geteuid);
}

gid_t getgid(void)
{
	return (gid_t)CALL0(getgid);
}

gid_t getegid(void)
{
	return (gid_t)CALL0(getegid);
}

/* ---- memory ---- */

void *mmap(void *address, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	return (void *)CALL6(mmap, address, bytes, prot, flags, fd, offset);
}

int munmap(void *address, size_t bytes)
{
	return (int)CALL2(munmap, address, bytes);
}

int mprotect(void *address, size_t bytes, int prot)
{
	return (int)CALL3(mprotect, address, bytes, prot);
}

int msync(void *address, size_t bytes, int flags)
{
	return (int)CALL3(msync, address, bytes, flags);
}

int madvise(void *address, size_t bytes, int advice)
{
	return (int)CALL3(madvise, address, bytes, advice);
}

int mincore(void *address, size_t bytes, unsigned char *resident)
{
	return (int)CALL3(mincore, address, bytes, resident);
}

void *mremap(void *address, size_t bytes, size_t new_bytes, int flags, ...)
{
	void *wanted = NULL;
	va_list arguments;

	if (flags & MREMAP_FIXED) {
		va_start(arguments, flags);
		wanted = va_arg(arguments, void *);
		va_end(arguments);
	}
	return (void *)CALL6(mremap, address, bytes, new_bytes, flags, wanted, 0);
}

/* ---- time and the whole machine ---- */

time_t time(time_t *result)
{
	return (time_t)CALL1(time, result);
}

int clock_gettime(int clock, struct timespec *result)
{
	return (int)CALL2(clock_gettime, clock, result);
}

int getrusage(int who, struct rusage *result)
{
	return (int)CALL2(getrusage, who, result);
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	return (int)CALL2(nanosleep, wanted, left);
}

unsigned int sleep(unsigned int seconds)
{
	struct timespec left = {.tv_sec = seconds};

	return nanosleep(&left, &left) < 0 ? (unsigned int)left.tv_sec : 0;
}

int sysinfo(struct sysinfo *result)
{
	return (int)CALL1(sysinfo, result);
}

int uname(struct utsname *result)
{
	return (int)CALL1(uname, result);
}

int reboot(unsigned int command)
{
	return (int)CALL4(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, NULL);
}
