/*
 * kernel/signal_frame.c - what a handler finds on the user's stack, and the way back.
 *
 * Linux's x86_64 layout (asm/ucontext.h, asm/sigcontext.h of the uapi), from high to low:
 *
 *   the interrupted function's red zone, 128 bytes, untouched
 *   FXSAVE area, 512 bytes, 64-byte aligned
 *   siginfo_t, struct ucontext, the return address (SA_RESTORER): struct signal_frame; its
 *   address is 8 below a multiple of 16, as after a call
 *
 * The handler returns into the restorer, which calls rt_sigreturn: everything is read back. The
 * program may have changed it, so what could hurt the kernel is made safe: selectors are ours,
 * only the user's flags are taken, MXCSR's reserved bits are cleared, rip must be a user address
 * (IRETQ to a non-canonical one would fault in the kernel).
 *
 * signal.c:run_handler calls signal_frame_push; syscall.c calls sys_rt_sigreturn.
 */
#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <kernel/fpu.h>
#include <kernel/signal_private.h>
#include <kernel/sys_signal.h>
#include <kernel/task.h>
#include <kernel/trap.h>
#include <mm/user_copy.h>
#include <string.h>

#define RED_ZONE_SIZE 128 /* System V ABI, AMD64, 3.2.2 */

/* RFLAGS: SDM vol. 1, 3.4.3. */
#define RFLAGS_USER 0x50dd5ul		     /* CF PF AF ZF SF TF DF OF RF AC */
#define RFLAGS_CLEARED_FOR_HANDLER 0x10500ul /* TF DF RF */
#define RFLAGS_IF 0x200ul
#define RFLAGS_FIXED 0x2ul

struct signal_frame {
	uint64_t return_address;
	struct ucontext context;
	siginfo_t info;
};

static_assert(sizeof(siginfo_t) == SI_MAX_SIZE, "siginfo_t");
static_assert(sizeof(struct sigcontext) == 256, "struct sigcontext");
static_assert(sizeof(struct signal_frame) == 440, "struct rt_sigframe of Linux");

static bool alt_stack_contains(const struct signal_stack *stack, uintptr_t sp)
{
	return sp > stack->base && sp - stack->base <= stack->size;
}

bool signal_on_alt_stack(const struct task *task, uintptr_t sp)
{
	const struct signal_stack *stack = &task->alt_stack;

	if (stack->flags & (SS_DISABLE | (int)SS_AUTODISARM))
		return false;
	return alt_stack_contains(stack, sp);
}

/* Places for a handler's frame. */
struct placement {
	uintptr_t frame, fpstate;
};

/* Below the interrupted function, or on the alternate stack: -EFAULT when that is too small. */
static int place_frame(const struct task *task, const struct signal_action *action, uintptr_t sp,
		       struct placement *place)
{
	const struct signal_stack *stack = &task->alt_stack;
	bool alternate = signal_on_alt_stack(task, sp);

	sp -= RED_ZONE_SIZE;
	if ((action->flags & SA_ONSTACK) && !alternate && !(stack->flags & SS_DISABLE)) {
		alternate = true;
		sp = stack->base + stack->size;
	}
	place->fpstate = ALIGN_DOWN(sp - FPU_STATE_SIZE, 64ul);
	place->frame = ALIGN_DOWN(place->fpstate - sizeof(struct signal_frame), 16ul) - 8;
	if (alternate && !alt_stack_contains(stack, place->frame))
		return -EFAULT;
	return place->frame < USER_SPACE_END && place->fpstate < USER_SPACE_END ? 0 : -EFAULT;
}

static void registers_save(struct sigcontext *context, const struct trap_frame *frame)
{
	context->r8 = frame->r8;
	context->r9 = frame->r9;
	context->r10 = frame->r10;
	context->r11 = frame->r11;
	context->r12 = frame->r12;
	context->r13 = frame->r13;
	context->r14 = frame->r14;
	context->r15 = frame->r15;
	context->rdi = frame->rdi;
	context->rsi = frame->rsi;
	context->rbp = frame->rbp;
	context->rbx = frame->rbx;
	context->rdx = frame->rdx;
	context->rax = frame->rax;
	context->rcx = frame->rcx;
	context->rsp = frame->rsp;
	context->rip = frame->rip;
	context->eflags = frame->rflags;
	context->cs = SELECTOR_USER_CODE;
	context->ss = SELECTOR_USER_DATA;
	if (frame->vector < TRAP_IRQ_BASE) {
		context->trapno = frame->vector;
		context->err = frame->error_code;
	}
}

static void registers_restore(struct trap_frame *frame, const struct sigcontext *context)
{
	frame->r8 = context->r8;
	frame->r9 = context->r9;
	frame->r10 = context->r10;
	frame->r11 = context->r11;
	frame->r12 = context->r12;
	frame->r13 = context->r13;
	frame->r14 = context->r14;
	frame->r15 = context->r15;
	frame->rdi = context->rdi;
	frame->rsi = context->rsi;
	frame->rbp = context->rbp;
	frame->rbx = context->rbx;
	frame->rdx = context->rdx;
	frame->rax = context->rax;
	frame->rcx = context->rcx;
	frame->rsp = context->rsp;
	frame->rip = context->rip;
	frame->rflags = (context->eflags & RFLAGS_USER) | RFLAGS_IF | RFLAGS_FIXED;
	frame->cs = SELECTOR_USER_CODE;
	frame->ss = SELECTOR_USER_DATA;
	frame->vector = TRAP_VECTOR_REPLACED;
}

/* The handler starts with fresh floating-point registers, as on Linux. */
static void fpu_start_handler(void)
{
	uint8_t initial[FPU_STATE_SIZE] __attribute__((aligned(16)));

	fpu_reset(initial);
	fpu_restore(initial);
}

int signal_frame_push(struct trap_frame *frame, const siginfo_t *info,
		      const struct signal_action *action, uint64_t blocked)
{
	struct task *task = current_task();
	struct placement place;
	struct signal_frame user;

	if (place_frame(task, action, frame->rsp, &place) || action->handler >= USER_SPACE_END ||
	    !(action->flags & SA_RESTORER))
		return -EFAULT;
	memset(&user, 0, sizeof(user));
	user.return_address = action->restorer;
	user.context.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	user.context.uc_stack.ss_sp = (void *)task->alt_stack.base;
	user.context.uc_stack.ss_size = task->alt_stack.size;
	user.context.uc_stack.ss_flags = task->alt_stack.flags;
	registers_save(&user.context.uc_mcontext, frame);
	user.context.uc_mcontext.oldmask = blocked;
	user.context.uc_mcontext.cr2 = (uintptr_t)info->si_addr;
	user.context.uc_mcontext.fpstate = (struct _fpstate *)place.fpstate;
	user.context.uc_sigmask = blocked;
	user.info = *info;
	/* task_switch uses this buffer too: if the copy sleeps, it saves the same state. */
	fpu_save(task->fpu_state);
	if (copy_to_user(place.fpstate, task->fpu_state, FPU_STATE_SIZE) ||
	    copy_to_user(place.frame, &user, sizeof(user)))
		return -EFAULT;
	if (task->alt_stack.flags & (int)SS_AUTODISARM)
		task->alt_stack = (struct signal_stack){.flags = SS_DISABLE};
	fpu_start_handler();
	frame->rdi = (uint64_t)info->si_signo;
	frame->rsi = place.frame + offsetof(struct signal_frame, info);
	frame->rdx = place.frame + offsetof(struct signal_frame, context);
	frame->rax = 0;
	frame->rsp = place.frame;
	frame->rip = action->handler;
	frame->rflags &= ~RFLAGS_CLEARED_FOR_HANDLER;
	return 0;
}

/* Absent: the initial state. */
static int fpu_return(uintptr_t fpstate)
{
	uint8_t area[FPU_STATE_SIZE] __attribute__((aligned(16)));

	if (!fpstate)
		fpu_reset(area);
	else if (copy_from_user(area, fpstate, sizeof(area)))
		return -EFAULT;
	fpu_sanitize(area);
	fpu_restore(area);
	return 0;
}

static void alt_stack_return(struct task *task, const stack_t *stack, uintptr_t sp)
{
	if (signal_on_alt_stack(task, sp))
		return;
	if (stack->ss_flags & SS_DISABLE)
		task->alt_stack = (struct signal_stack){.flags = SS_DISABLE};
	else if (stack->ss_size >= MINSIGSTKSZ)
		task->alt_stack = (struct signal_stack){
			.base = (uintptr_t)stack->ss_sp,
			.size = stack->ss_size,
			.flags = stack->ss_flags & (int)SS_AUTODISARM,
		};
}

long sys_rt_sigreturn(void)
{
	struct task *task = current_task();
	struct trap_frame *frame = task->user_frame;
	struct ucontext context;

	/* The handler's RET has taken the return address: the stack pointer is at the context. */
	if (copy_from_user(&context, frame->rsp, sizeof(context)) ||
	    context.uc_mcontext.rip >= USER_SPACE_END ||
	    fpu_return((uintptr_t)context.uc_mcontext.fpstate)) {
		signal_force(SIGSEGV, SI_KERNEL, 0);
		return 0;
	}
	signal_set_blocked(context.uc_sigmask);
	registers_restore(frame, &context.uc_mcontext);
	alt_stack_return(task, &context.uc_stack, frame->rsp);
	return (long)frame->rax;
}
