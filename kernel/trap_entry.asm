; kernel/trap_entry.asm - every trap and interrupt comes in here; so do new tasks' first steps.
;
; A stub per vector pushes a zero where the processor pushes no error code, then the vector, and
; jumps to trap_common, which builds a struct trap_frame (kernel/trap.h: same order) and calls
; trap_dispatch(frame). Coming from user mode, GS is swapped so that it points to struct cpu.

FRAME_CS_AFTER_VECTOR equ 24            ; from the vector's slot: vector, error code, rip, cs
MSR_GS_BASE equ 0xc0000101

extern trap_dispatch
extern trap_return_to_user
extern task_first_run

%include "kernel/trap_frame.inc"

section .text

; Vectors for which the processor pushes an error code: SDM vol. 3, table 6-1.
%macro trap_stub 1
	align 16
trap_stub_%1:
%if %1 = 8 || (%1 >= 10 && %1 <= 14) || %1 = 17 || %1 = 21 || %1 = 29 || %1 = 30
%else
	push 0
%endif
	push %1
%if %1 = 2 || %1 = 8 || %1 = 18
	jmp trap_paranoid
%else
	jmp trap_common
%endif
%endmacro

%assign vector 0
%rep 256
	trap_stub vector
%assign vector vector + 1
%endrep

; Flags as C wants them. AC too is off: a user copy, where it is on, may be preempted here.
%macro reset_flags 0
	push 2
	popfq
%endmacro

%macro pop_registers 0
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	pop r11
	pop r10
	pop r9
	pop r8
	pop rax
	pop rcx
	pop rdx
	pop rsi
	pop rdi
%endmacro

global trap_common
trap_common:
	test byte [rsp + FRAME_CS_AFTER_VECTOR], 3
	jz .from_kernel
	swapgs
	push_registers
	reset_flags
	xor ebp, ebp                    ; backtraces end here
	jmp .dispatch
.from_kernel:
	push_registers                  ; rbp stays: a backtrace goes on into the interrupted code
	reset_flags
.dispatch:
	mov rdi, rsp
	call trap_dispatch
	test byte [rsp + FRAME_CS], 3
	jz trap_return
	; fall through

; Back to user mode, rsp = frame, interrupts off.
global trap_return_user
trap_return_user:
	mov rdi, rsp
	call trap_return_to_user
	swapgs
trap_return:
	pop_registers
	add rsp, 16
global trap_iret
trap_iret:
	iretq

; NMI, double fault, machine check run on stacks of their own and may come between swapgs and
; its use: ask the register which GS it is.
trap_paranoid:
	push_registers
	reset_flags
	xor ebx, ebx
	mov ecx, MSR_GS_BASE
	rdmsr
	test edx, edx
	js .swapped
	swapgs
	mov ebx, 1
.swapped:
	mov rdi, rsp
	call trap_dispatch
	test ebx, ebx
	jz trap_return
	swapgs
	jmp trap_return

; void task_switch(uintptr_t *save_stack_pointer, uintptr_t load_stack_pointer)
; Keeps what the C calling convention says a function keeps; the rest the caller has saved.
global task_switch
task_switch:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	mov [rdi], rsp
	mov rsp, rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

; Where task_switch "returns" the first time: rbx = kernel function or 0, r12 = its argument.
; task_prepare_stack (kernel/sched.c) lays this out. Above it lies the user's trap_frame.
global task_first_step
task_first_step:
	mov rdi, rbx
	mov rsi, r12
	call task_first_run             ; returns only for a user task; interrupts are off then
	jmp trap_return_user

section .rodata
global trap_stubs
trap_stubs:
%assign vector 0
%rep 256
	dq trap_stub_%+vector
%assign vector vector + 1
%endrep
