; boot/processor_start.asm - from a started processor's real mode to processor_main.
;
; kernel/processors.c copies this to a page below 1 MiB, fills in the block at its beginning, and
; sends the processor there (SDM vol. 3, 9.4). It begins with CS = the page / 16, IP = 0, everything
; else as after a reset, goes to long mode in one step, on tables that map the first 2 MiB where
; they are (mm/kernel_map.c, kernel_map_start_tables), and calls the entry with its struct cpu.
;
; The block is for the processor whose APIC id it names, until that, or whoever waited for it, puts
; BLOCK_CLOSED there in one step. So a processor that comes so late that it was given up cannot take
; another's, and what it read before it took its own is its own: it stops, or goes on with that.

%include "boot/long_mode.inc"

START_PAGE equ 0x8000                   ; where processors.c copies it to
BLOCK_CLOSED equ 0xffffffff             ; no processor's id: processors.c

section .rodata
bits 16
align 16
global processor_start_begin
processor_start_begin:
	jmp near start
align 8
; struct start_block (kernel/processors.c)
block_cpu:   dq 0
block_stack: dq 0
block_entry: dq 0
block_root:  dd 0
block_apic:  dd 0

align 8
start_gdt:
	dq 0
	dq 0x00209a0000000000           ; 64-bit code
start_gdt_pointer:
	dw $ - start_gdt - 1
	dd START_PAGE + (start_gdt - processor_start_begin)

start:
	cli
	cld
	mov ax, cs
	mov ds, ax
	o32 lgdt [start_gdt_pointer - processor_start_begin]
	mov eax, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT
	mov cr4, eax
	mov eax, [block_root - processor_start_begin]
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE | EFER_SCE
	wrmsr
	mov eax, CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG
	mov cr0, eax
	jmp dword 0x08:START_PAGE + (start_long_mode - processor_start_begin)

bits 64
start_long_mode:
	xor eax, eax
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov fs, ax
	mov gs, ax
	mov eax, 1
	cpuid
	shr ebx, 24                     ; the APIC id: SDM vol. 2, CPUID leaf 1
	mov rdi, [rel block_cpu]
	mov rsp, [rel block_stack]
	mov rsi, [rel block_entry]
	mov eax, ebx
	mov ecx, BLOCK_CLOSED
	lock cmpxchg [rel block_apic], ecx
	jne .stop
	; GS base first: the stack protector reads its canary through it.
	mov ecx, MSR_GS_BASE
	mov eax, edi
	mov rdx, rdi
	shr rdx, 32
	wrmsr
	xor ebp, ebp                    ; backtraces end here
	call rsi
.stop:
	cli
	hlt
	jmp .stop

global processor_start_end
processor_start_end:
