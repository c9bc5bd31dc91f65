/* kernel/exec.h - starting a program from inside the kernel: for init_task.c. */
#pragma once

#include <kernel/base/types.h>

/*
 * As execve(2), with names of the kernel's own: the calling task's user_frame becomes the
 * program's first. 0 or -errno, then nothing has changed.
 */
must_check int exec_kernel(const char *path, const char *const *argv, const char *const *envp);
