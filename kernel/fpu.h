/*
 * kernel/fpu.h - floating-point and SSE registers, which the kernel itself never uses.
 *
 * CR4.OSXSAVE is clear, so programs see no AVX and the 512-byte FXSAVE area (SDM vol. 1, 10.5)
 * is all there is. task_switch saves and restores task->fpu_state; these are for fork, exec and
 * signal frames. Areas are 16-byte aligned and FPU_STATE_SIZE long.
 */
#pragma once

#include <kernel/base/types.h>

void fpu_save(void *area);
/* The area must have been made safe if a program could write it. */
void fpu_restore(const void *area);
/* What a program starts with (System V ABI, AMD64, 3.4.1): MXCSR 0x1f80, FCW 0x37f. */
void fpu_reset(void *area);
/*
 * The si_code, FPE_*, of the calling task's x87 (or SSE) exception: of what happened and is not
 * masked, the one Linux tells. 0: nothing, it went away meanwhile.
 */
int fpu_exception_code(bool sse);
/* Clears what would make FXRSTOR fault: reserved bits of MXCSR. */
void fpu_sanitize(void *area);
