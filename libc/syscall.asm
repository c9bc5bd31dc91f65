; libc/syscall.asm - the way into the kernel.
;
; Number in rax, arguments in rdi rsi rdx r10 r8 r9, result in rax; the instruction destroys
; rcx and r11 (System V ABI, AMD64 supplement, A.2.1). -4095 to -1 is an error number.
; Called by the wrappers in *.c; not here: anything a C compiler can do.

bits 64
default rel

SYS_rt_sigreturn	equ 15		; <asm/unistd_64.h>
SYS_vfork		equ 58		; <asm/unistd_64.h>
LEAST_ERROR		equ -4095

extern errno

section .text

; long syscall(long number, ...)
global syscall:function
syscall:
	mov	rax, rdi
	mov	rdi, rsi
	mov	rsi, rdx
	mov	rdx, rcx
	mov	r10, r8
	mov	r8, r9
	mov	r9, [rsp + 8]		; the seventh argument lies above the return address
	syscall
check_result:
	cmp	rax, LEAST_ERROR
	jae	.failed
	ret
.failed:
	neg	eax
	mov	[errno], eax
	mov	rax, -1
	ret

; pid_t vfork(void)
; The child returns first, on the parent's stack, and its next call overwrites the return
; address there: the parent's copy waits in a register.
global vfork:function
vfork:
	pop	rdx
	mov	eax, SYS_vfork
	syscall
	push	rdx
	jmp	check_result

; Where a signal handler returns to (sa_restorer); rsp is then at the saved context.
global signal_return:function
signal_return:
	mov	eax, SYS_rt_sigreturn
	syscall
	ud2

section .note.GNU-stack noalloc noexec nowrite progbits
