/* sys/wait.h - children that ended. */
#pragma once

#include <linux/wait.h>
#include <sys/types.h>

/* The status word, Linux wait4(2): 7 bits signal, 0x80 core dumped, 8 bits exit status; a
   stopped child has 0x7f and the signal above it, a continued one 0xffff. */
#define WTERMSIG(status) ((status)&0x7f)
#define WEXITSTATUS(status) (((status) >> 8) & 0xff)
#define WSTOPSIG(status) WEXITSTATUS(status)
#define WIFEXITED(status) (WTERMSIG(status) == 0)
#define WIFSTOPPED(status) (((status)&0xff) == 0x7f)
#define WIFCONTINUED(status) ((status) == 0xffff)
#define WIFSIGNALED(status) (!WIFEXITED(status) && !WIFSTOPPED(status) && !WIFCONTINUED(status))
#define WCOREDUMP(status) ((status)&0x80)

pid_t wait(int *status);
pid_t waitpid(pid_t pid, int *status, int options);
