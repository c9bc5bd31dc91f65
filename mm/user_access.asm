; mm/user_access.asm - the only instructions that touch user memory from the kernel.
;
; Each may fault. trap.c then asks user_copy_fixup() (the table at the end), and continues at the
; fix-up address if the fault cannot be resolved. mm/user_copy.c checks addresses and sets
; EFLAGS.AC.

section .text

; size_t user_copy_raw(void *dst, const void *src, size_t size): returns the bytes NOT copied.
; Eight bytes at a time; after a fault the rest goes byte by byte, so the count is exact.
global user_copy_raw
user_copy_raw:
	mov rcx, rdx
	shr rcx, 3
	and edx, 7
copy_words:
	rep movsq
	mov ecx, edx
copy_bytes:
	rep movsb
	xor eax, eax
	ret
copy_words_fixup:
	lea rcx, [rcx * 8 + rdx]
	jmp copy_bytes
copy_bytes_fixup:
	mov rax, rcx
	ret

; size_t user_clear_raw(void *dst, size_t size): returns the bytes NOT cleared.
global user_clear_raw
user_clear_raw:
	mov rdx, rsi
	mov rcx, rsi
	shr rcx, 3
	and edx, 7
	xor eax, eax
clear_words:
	rep stosq
	mov ecx, edx
clear_bytes:
	rep stosb
	ret
clear_words_fixup:
	lea rcx, [rcx * 8 + rdx]
	jmp clear_bytes
clear_bytes_fixup:
	mov rax, rcx
	ret

; ssize_t user_string_raw(char *dst, const char *src, size_t size): length without the NUL; size
; when no NUL came; -1 at a bad address.
global user_string_raw
user_string_raw:
	xor eax, eax
string_next:
	cmp rax, rdx
	je string_end
string_load:
	mov cl, [rsi + rax]
	mov [rdi + rax], cl
	test cl, cl
	jz string_end
	inc rax
	jmp string_next
string_end:
	ret
string_load_fixup:
	mov rax, -1
	ret

; int user_load_u32_raw(const uint32_t *src, uint32_t *value): 0, or -1 at a bad address.
global user_load_u32_raw
user_load_u32_raw:
load_u32:
	mov eax, [rdi]
	mov [rsi], eax
	xor eax, eax
	ret

; int user_cmpxchg_u32_raw(uint32_t *at, uint32_t expected, uint32_t desired, uint32_t *old)
global user_cmpxchg_u32_raw
user_cmpxchg_u32_raw:
	mov eax, esi
cmpxchg_u32:
	lock cmpxchg [rdi], edx
	mov [rcx], eax
	xor eax, eax
	ret
u32_fixup:
	mov eax, -1
	ret

; {faulting instruction, where to go on}, ended by 0.
section .rodata
global user_copy_fixups
user_copy_fixups:
	dq copy_words, copy_words_fixup
	dq copy_bytes, copy_bytes_fixup
	dq clear_words, clear_words_fixup
	dq clear_bytes, clear_bytes_fixup
	dq string_load, string_load_fixup
	dq load_u32, u32_fixup
	dq cmpxchg_u32, u32_fixup
	dq 0, 0
