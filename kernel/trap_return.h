/* kernel/trap_return.h - what the assembly entries call, and what traps are called. */
#pragma once

#include <kernel/trap.h>

/* Every trap and interrupt; interrupts are off. */
void trap_dispatch(struct trap_frame *frame);
/* Before every return to user mode: reschedules and delivers signals. Interrupts are off. */
void trap_return_to_user(struct trap_frame *frame);
/* Every system call; interrupts are on. The result is the caller's to put in frame->rax. */
long syscall_dispatch(struct trap_frame *frame);
/* A vector in words. */
const char *trap_name(uint64_t vector);
