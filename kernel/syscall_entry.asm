; kernel/syscall_entry.asm - the SYSCALL instruction lands here (SDM vol. 2, SYSCALL).
;
; rcx = user's rip, r11 = user's rflags; interrupts are off (SFMASK), rsp is still the user's.
; Builds the same struct trap_frame as trap_entry.asm, with vector TRAP_VECTOR_SYSCALL and the
; number in error_code, and calls syscall_dispatch(frame), whose result goes to frame->rax. If the
; frame was changed to another vector (signal return, exec), or rip is not canonical, it goes back
; by iretq, else by sysretq.

CPU_KERNEL_STACK_TOP equ 16
CPU_USER_STACK_POINTER equ 24
CPU_CURRENT equ 8
CPU_NEED_RESCHED equ 36
TASK_SIGNAL_PENDING equ 512

SELECTOR_USER_DATA equ 0x1b
SELECTOR_USER_CODE equ 0x23
TRAP_VECTOR_SYSCALL equ 0x100

extern syscall_dispatch
extern trap_return_to_user
extern trap_return_user

%include "kernel/trap_frame.inc"

section .text
global syscall_entry
syscall_entry:
	swapgs
	mov [gs:CPU_USER_STACK_POINTER], rsp
	mov rsp, [gs:CPU_KERNEL_STACK_TOP]
	push SELECTOR_USER_DATA
	push qword [gs:CPU_USER_STACK_POINTER]
	push r11
	push SELECTOR_USER_CODE
	push rcx
	push rax
	push TRAP_VECTOR_SYSCALL
	push_registers
	xor ebp, ebp                    ; the user's value is no frame: backtraces end here
	sti
	mov rdi, rsp
	call syscall_dispatch
	mov [rsp + FRAME_RAX], rax
	cli
	cmp dword [gs:CPU_NEED_RESCHED], 0
	jne .look                       ; the same test as trap_return_to_user's
	mov rcx, [gs:CPU_CURRENT]
	cmp byte [rcx + TASK_SIGNAL_PENDING], 0
	jne .look
.looked:
	cmp qword [rsp + FRAME_VECTOR], TRAP_VECTOR_SYSCALL
	jne .by_iret
	mov rcx, [rsp + FRAME_RIP]
	mov rax, rcx
	shr rax, 47                     ; SYSRET to a non-canonical address faults in the kernel
	jnz .by_iret
	mov rbp, [rsp + FRAME_RBP]
	add rsp, FRAME_R10              ; C has kept rbx and r12 to r15; r11 is overwritten below
	pop r10
	pop r9
	pop r8
	pop rax
	add rsp, 8                      ; rcx stays rip
	pop rdx
	pop rsi
	pop rdi
	mov r11, [rsp + 32]             ; rflags: vector, error code, rip, cs, rflags
	mov rsp, [rsp + 40]
	swapgs
	o64 sysret
.by_iret:
	jmp trap_return_user
.look:
	mov rdi, rsp
	call trap_return_to_user
	jmp .looked
