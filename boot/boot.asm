; boot/boot.asm - from the loader's 32-bit protected mode to kernel_main in the higher half.
;
; Two ways in, one image: GRUB finds the multiboot2 header, QEMU's -kernel finds the PVH note.
; Both enter with paging off, flat segments, and ebx pointing to what they know:
;   multiboot2: eax = 0x36d76289, ebx = information structure  (multiboot2 spec, 3.2)
;   PVH:        ebx = hvm_start_info                            (Xen, x86/hvm direct boot ABI)
; The first 4 GiB are mapped three times with 2 MiB pages: where they are (until we have jumped),
; in the direct map, and the first GiB at KERNEL_BASE. mm/kernel_map.c replaces all of it.

KERNEL_BASE     equ 0xffffffff80000000
DIRECT_MAP_SLOT equ 273                 ; of DIRECT_MAP_BASE 0xffff888000000000 in the root table

MULTIBOOT2_HEADER_MAGIC equ 0xe85250d6
MULTIBOOT2_LOADER_MAGIC equ 0x36d76289
PVH_BOOT_MAGIC          equ 0x336ec578  ; XEN_HVM_START_MAGIC_VALUE, also the structure's first word

%include "boot/long_mode.inc"

PAGE_PRESENT_WRITABLE equ 3
PAGE_LARGE equ 1 << 7

section .boot.header progbits alloc noexec nowrite align=8
multiboot2_header:
	dd MULTIBOOT2_HEADER_MAGIC
	dd 0                            ; architecture: i386 protected mode
	dd .end - multiboot2_header
	dd 0x100000000 - (MULTIBOOT2_HEADER_MAGIC + (.end - multiboot2_header))
	dw 5, 1                         ; framebuffer tag, optional: stos boots without a display
	dd 20
	dd 1024, 768, 32                ; width, height, bits per pixel
	dd 0                            ; tags begin at multiples of 8 bytes
	dw 0, 0                         ; end tag
	dd 8
.end:

section .note.pvh note alloc noexec nowrite align=4
	dd 4, 4, 18                     ; name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
	db "Xen", 0
	dd boot_pvh

section .boot.text progbits alloc exec nowrite align=16
bits 32
global boot_multiboot2
boot_multiboot2:
	mov esi, eax
	jmp boot_common
boot_pvh:
	mov esi, PVH_BOOT_MAGIC
boot_common:
	cld
	cli
	mov esp, boot_low_stack_top
	mov ebp, ebx                    ; cpuid clobbers ebx

	; Long mode and no-execute are what stos cannot do without (SDM vol. 2, CPUID 80000001H).
	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	jb no_long_mode
	mov eax, 0x80000001
	cpuid
	test edx, 1 << 29
	jz no_long_mode
	test edx, 1 << 20
	jz no_long_mode

	; 4 page directories of 2 MiB pages: the first 4 GiB.
	mov edi, boot_directories
	mov eax, PAGE_PRESENT_WRITABLE | PAGE_LARGE
.next_page:
	mov [edi], eax
	mov dword [edi + 4], 0
	add edi, 8
	add eax, 0x200000
	jnc .next_page

	mov edi, boot_pointers          ; for the identity map and the direct map
	mov eax, boot_directories + PAGE_PRESENT_WRITABLE
	mov ecx, 4
.next_directory:
	mov [edi], eax
	add edi, 8
	add eax, 4096
	loop .next_directory
	mov dword [boot_pointers_high + 510 * 8], boot_directories + PAGE_PRESENT_WRITABLE

	mov dword [boot_root + 0 * 8], boot_pointers + PAGE_PRESENT_WRITABLE
	mov dword [boot_root + DIRECT_MAP_SLOT * 8], boot_pointers + PAGE_PRESENT_WRITABLE
	mov dword [boot_root + 511 * 8], boot_pointers_high + PAGE_PRESENT_WRITABLE

	mov eax, boot_root
	mov cr3, eax
	mov eax, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT
	mov cr4, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE | EFER_SCE
	wrmsr
	mov eax, CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG
	mov cr0, eax
	lgdt [boot_gdt_pointer]
	jmp 0x08:boot_long_mode

no_long_mode:
	mov ebx, no_long_mode_text
.next_byte:
	mov dx, 0x3fd                   ; COM1 line status: wait for the transmitter
.wait:
	in al, dx
	test al, 0x20
	jz .wait
	mov al, [ebx]
	test al, al
	jz .stop
	mov dx, 0x3f8
	out dx, al
	inc ebx
	jmp .next_byte
.stop:
	hlt
	jmp .stop

bits 64
boot_long_mode:
	xor eax, eax
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov fs, ax
	mov gs, ax
	mov rax, boot_high
	jmp rax

section .boot.rodata progbits alloc noexec nowrite align=8
boot_gdt:
	dq 0
	dq 0x00209a0000000000           ; 64-bit code (SDM vol. 3, 3.4.5)
boot_gdt_pointer:
	dw $ - boot_gdt - 1
	dd boot_gdt
no_long_mode_text:
	db "stos: this processor lacks long mode or no-execute; a 64-bit x86 is needed", 13, 10, 0

section .boot.bss nobits alloc noexec write align=4096
boot_root:          resb 4096
boot_pointers:      resb 4096
boot_pointers_high: resb 4096
boot_directories:   resb 4 * 4096
boot_low_stack:     resb 256
boot_low_stack_top:

section .text
extern kernel_main
extern cpus
extern boot_stack_top
boot_high:
	mov rsp, boot_stack_top
	; GS base first: the stack protector reads its canary through it.
	mov ecx, MSR_GS_BASE
	mov rax, cpus                   ; the first one's struct
	mov rdx, rax
	shr rdx, 32
	wrmsr
	mov [rax], rax                  ; cpu->self
	mov edi, esi                    ; kernel_main(magic, information)
	mov esi, ebp
	xor ebp, ebp                    ; backtraces end here
	call kernel_main
	ud2
