/*
 * mm/check.h - when the checking build looks at whole spaces (mem_space_check, mem_space.h).
 *
 * After each memory system call, but in spaces with many zones only now and then; with `check=every`
 * on the kernel's command line after each system call of whatever kind, however many zones there are.
 */
#pragma once

struct mem_space;

#ifdef STOS_CHECK
/* Reads the command line. */
void mem_check_init(void);
/* After a change of the space's shape; it is not locked. May sleep. */
void mem_check_after_change(struct mem_space *space);
/* At the end of each system call. */
void mem_check_after_call(void);
#else
static inline void mem_check_init(void)
{
}
static inline void mem_check_after_change(struct mem_space *space)
{
	(void)space;
}
static inline void mem_check_after_call(void)
{
}
#endif
