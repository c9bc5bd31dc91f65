/* kernel/init_task.h - the first program. */
#pragma once

#include <kernel/base/types.h>

/*
 * Run by pid 1 when everything is up: opens the console as descriptors 0, 1, 2 and becomes
 * /sbin/init, or what `init=` on the kernel command line names, with that name as its only
 * argument and this environment:
 *
 *   HOME=/  TERM=linux  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
 *
 * Panics when that cannot be done. Goes to user mode.
 */
noreturn_fn void init_start(void);
