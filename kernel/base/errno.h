/*
 * kernel/base/errno.h - error numbers. Functions return 0 (or a count) or -errno.
 * The numbers are Linux's own (uapi headers). Below are those that never reach a program.
 */
#pragma once

#include <asm/errno.h>

/*
 * A sleep was cut short by a signal. signal_deliver() turns it into EINTR, or starts the
 * system call again where the handler has SA_RESTART (or no handler ran).
 */
#define ERESTARTSYS 512
/* The same, but EINTR after any handler, whatever its flags (poll, nanosleep, sigsuspend ...). */
#define ERESTARTNOHAND 514
/* Start again always, whether a handler ran or not (fork while a signal arrives). */
#define ERESTARTNOINTR 513
