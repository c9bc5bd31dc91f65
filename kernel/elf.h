/*
 * kernel/elf.h - reading ELF64 programs and mapping them into a space (System V gABI, chapters 4
 * and 5; AMD64 supplement). For exec.c.
 */
#pragma once

#include <kernel/base/types.h>
#include <linux/elf.h>

struct file;
struct mem_space;

/* What a file's headers say, checked: nothing in here can overflow or leave user space. */
struct elf_image {
	struct elf64_hdr header;
	struct elf64_phdr *segments; /* header.e_phnum of them; owned */
	uintptr_t beg, end;	     /* what its PT_LOADs span, page aligned, as linked */
	uint64_t alignment;	     /* the largest p_align of a PT_LOAD, at least a page */
	int stack_prot;		     /* PROT_*, from PT_GNU_STACK */
	const struct elf64_phdr *interpreter; /* PT_INTERP, or NULL */
	uintptr_t bias;			      /* added to linked addresses; set by elf_map */
};

/*
 * Reads and checks the headers. -ENOEXEC: not an ELF64 program for this machine, or broken;
 * -ENOMEM; what reading returns.
 */
must_check int elf_read(struct file *file, struct elf_image *image);
void elf_free(struct elf_image *image);
/* The name in PT_INTERP, a new string: 0, -ENOEXEC, -ENOMEM. */
must_check int elf_interpreter_name(struct file *file, const struct elf_image *image, char **name);

/*
 * Maps the segments, moved by `bias`, into a space that is not running yet. Segments are private
 * mappings of the file, loaded on demand; only the last page of a writable segment is touched, to
 * clear what follows the file's bytes. -errno leaves a space that must be dropped.
 */
must_check int elf_map(struct mem_space *space, struct file *file, struct elf_image *image,
		       uintptr_t bias);
/* Where the program headers are in memory (AT_PHDR); 0 if no segment has them. */
uintptr_t elf_headers_address(const struct elf_image *image);
