/* libc/start.h - the first C function of a program, called by crt0.asm only. */
#pragma once

/* `stack` is what the kernel laid out: argc, argv, NULL, envp, NULL, auxiliary vector. */
void libc_start(long *stack) __attribute__((noreturn));
