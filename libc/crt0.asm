; libc/crt0.asm - the first instruction of a program.
;
; The kernel enters here with rsp at argc, followed by argv, a NULL, envp, a NULL and the
; auxiliary vector (System V ABI, AMD64 supplement, 3.4.1). start.c takes it from there.

bits 64
default rel

extern libc_start

section .text
global _start:function
_start:
	xor	ebp, ebp		; marks the outermost frame
	mov	rdi, rsp
	and	rsp, -16
	call	libc_start		; does not return
	ud2

section .note.GNU-stack noalloc noexec nowrite progbits
