/* sys/syscall.h - any system call by its number, __NR_... of <asm/unistd.h>. */
#pragma once

#include <asm/unistd.h>

/*
 * Up to six arguments, each of which must be of type long or a pointer. Returns the call's
 * result, or -1 with errno set when that is one of -4095 to -1 (syscall.asm).
 */
long syscall(long number, ...);
