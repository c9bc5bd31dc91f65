/*
 * kernel/fpu.c - the FXSAVE area: saving, restoring, making a foreign one safe.
 */
#include <asm/sigcontext.h>
#include <kernel/base/annotate.h>
#include <kernel/fpu.h>
#include <kernel/task.h>
#include <string.h>

#define FCW_INITIAL 0x37f
#define MXCSR_INITIAL 0x1f80u
#define MXCSR_MASK_DEFAULT 0xffbfu /* where the processor reports none: SDM vol. 1, 11.6.6 */

static_assert(sizeof(struct _fpstate_64) == FPU_STATE_SIZE, "the FXSAVE area");

void fpu_save(void *area)
{
	__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

void fpu_restore(const void *area)
{
	__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

void fpu_reset(void *area)
{
	struct _fpstate_64 *state = area;

	memset(state, 0, sizeof(*state));
	state->cwd = FCW_INITIAL;
	state->mxcsr = MXCSR_INITIAL;
}

static uint32_t mxcsr_mask(void)
{
	struct _fpstate_64 state __attribute__((aligned(16)));

	state.mxcsr_mask = 0;
	fpu_save(&state);
	return state.mxcsr_mask ? state.mxcsr_mask : MXCSR_MASK_DEFAULT;
}

void fpu_sanitize(void *area)
{
	struct _fpstate_64 *state = area;

	state->mxcsr &= mxcsr_mask();
}
