/* kernel/exec_stack.h - the stack a program starts with. For exec.c. */
#pragma once

#include <kernel/elf.h>
#include <kernel/exec_args.h>

struct start_info {
	const struct exec_args *args;
	const char *name;	       /* AT_EXECFN */
	const struct elf_image *image; /* the program */
	uintptr_t interpreter_base;    /* AT_BASE; 0: none */
	uint32_t uid, euid, gid, egid; /* as they will be */
};

/* Maps the stack of the new space, before anything else is mapped. */
must_check int exec_stack_map(struct mem_space *space, const struct start_info *info);
/* Writes it: *sp is what rsp will be. Also notes in the space where the strings are. */
must_check int exec_stack_fill(struct mem_space *space, const struct start_info *info,
			       uintptr_t *sp);
