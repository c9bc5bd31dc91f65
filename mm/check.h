/*
 * mm/check.h - what the checking build looks at, and when. Nothing in others.
 *
 * mem_space_check (mm/check.c) walks one space: after each memory system call, but in spaces with
 * many zones only now and then; with `check=every` on the kernel's command line after each system
 * call of whatever kind, however many zones there are, and then the kernel's own map and registers
 * too.
 *
 * mem_check_frames (mm/check_frames.c) looks at all spaces and all frames at one moment; with
 * `check=every` every 64th call. Between two such looks nothing gets lost unseen either: whoever
 * takes a reference on a page or a table, and does not put it into an entry or a cache, must have
 * given it back when the system call or fault ends.
 *
 * /dev/mem-check (kernel/mem_test.h) asks for all of this, and breaks each rule once.
 */
#pragma once

#include <kernel/base/cpu.h>

struct frame;
struct mem_space;

#ifdef STOS_CHECK
/* Reads the command line. */
void mem_check_init(void);
/* After a change of the space's shape; it is not locked. May sleep. */
void mem_check_after_change(struct mem_space *space);
/* At the end of each system call. */
void mem_check_after_call(void);

/*
 * A reference on a page (ANON, CACHE) or a table belongs to an entry, to the page's cache, to a
 * space (its root), or for a moment to a task. The last are counted: the calling task has `change`
 * more (fewer: negative). Called in one step with the change of what is counted: under a spinlock,
 * or preemption off.
 */
void mem_check_hold(const struct frame *frame, int64_t change);
static inline void mem_check_step_begin(void)
{
	preempt_disable();
}
static inline void mem_check_step_end(void)
{
	preempt_enable();
}
/* The calling task goes back to user mode, or ends: it has no reference on a page or a table. */
void mem_check_none_held(void);
/* The reference on the space's root becomes the space's, and the calling task's again. */
void mem_check_space_begin(struct mem_space *space);
void mem_check_space_end(struct mem_space *space);

/*
 * Stops all processors, outside spinlocks, and compares each frame's count with the entries of all
 * spaces, its cache, and what tasks hold. The caller has no spinlock and interrupts on.
 */
void mem_check_frames(void);
/* This processor has the right root loaded and heeds the rights in tables. Preemption is off. */
void mem_check_registers(void);
/* The calling task's space, the kernel's map, this processor's registers, all frames. Sleeps. */
void mem_check_everything(void);

/* What must hold does not: a panic, but while it is expected, when the first text is kept. */
printf_like(1, 2) void mem_check_failed(const char *format, ...);
void mem_check_expect(bool on);
/* The text kept since it was switched on; empty: none. */
const char *mem_check_failure(void);
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
static inline void mem_check_hold(const struct frame *frame, int64_t change)
{
	(void)frame;
	(void)change;
}
static inline void mem_check_step_begin(void)
{
}
static inline void mem_check_step_end(void)
{
}
static inline void mem_check_none_held(void)
{
}
static inline void mem_check_space_begin(struct mem_space *space)
{
	(void)space;
}
static inline void mem_check_space_end(struct mem_space *space)
{
	(void)space;
}
#endif
