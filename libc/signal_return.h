/* libc/signal_return.h - where signal handlers return to (syscall.asm); only for signal.c. */
#pragma once

void signal_return(void); /* never called from C */
