/*
 * kernel/fpu.c - the FXSAVE area: saving, restoring, making a foreign one safe.
 */
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
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

/*
 * Exception flags are bits 0 to 5 of the status words, masks those of FCW, and bits 7 to 12 of
 * MXCSR.
 */
static uint32_t unmasked_x87(void)
{
	uint16_t status, control;

	__asm__ volatile("fnstsw %0\n\tfnstcw %1" : "=m"(status), "=m"(control));
	return status & ~(uint32_t)control;
}

static uint32_t unmasked_sse(void)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return mxcsr & ~(mxcsr >> 7);
}

int fpu_exception_code(bool sse)
{
	static const struct {
		uint32_t flags; /* SDM vol. 1, 8.1.3.3 and 10.2.3.1 */
		int code;
	} rows[] = {
		{0x01, FPE_FLTINV}, {0x04, FPE_FLTDIV}, {0x08, FPE_FLTOVF},
		{0x12, FPE_FLTUND}, /* underflow, and operands that are denormal */
		{0x20, FPE_FLTRES},
	};
	uint32_t flags = sse ? unmasked_sse() : unmasked_x87();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (flags & rows[i].flags)
			return rows[i].code;
	return 0;
}
