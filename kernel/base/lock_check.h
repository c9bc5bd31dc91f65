/*
 * kernel/base/lock_check.h - what the checking build watches about locks. Nothing in others.
 *
 * Each lock held has a record: when it was taken and by which chain of calls. A processor has
 * those of its spinlocks, a task those of its sleeping locks. What breaks a rule panics, and the
 * panic tells all records (lock_check_log_held). kernel/lock_check.c has the rules.
 */
#pragma once

#include <kernel/base/types.h>

struct spinlock;

#define HELD_SPINLOCKS_MAX 16
#define HELD_SLEEPING_MAX 8
#define LOCK_CHAIN_MAX 8

struct lock_record {
	const void *lock;
	uint64_t since_ns;               /* monotonic */
	uintptr_t chain[LOCK_CHAIN_MAX]; /* return addresses, innermost first; 0 ends it */
	uint16_t rank;
	uint16_t more;                   /* RANK_FRAME: frames LOCKED after this one */
};

#ifdef STOS_CHECK
/* Reads spin_limit_us from the kernel's command line. Early, once. */
void lock_check_init(void);
/* Before it is waited for: the order, and that this processor does not hold it. */
void spin_check_acquire(struct spinlock *lock);
/* Now it is held. */
void spin_check_acquired(struct spinlock *lock);
/* Before it is released. */
void spin_check_release(struct spinlock *lock);
/* After: warns if it was held for too long. */
void spin_check_released(void);
/* Before a sleeping lock is waited for: also that the caller may sleep. */
void sleep_check_acquire(const void *lock, uint16_t rank);
void sleep_check_release(const void *lock, uint16_t rank);
/* The caller may sleep: no spinlock, preemption and interrupts on. */
void might_sleep(void);
/*
 * The caller may fault on user memory: it may sleep, and take its space's lock and what comes
 * after.
 */
void might_fault(void);
/* The task holds no lock at all: it returns to user mode, or ends. */
void lock_check_none_held(void);
/* For a panic: every lock that the processors and their tasks hold, and where each was taken. */
void lock_check_log_held(void);
#else
static inline void lock_check_init(void)
{
}
static inline void spin_check_acquire(struct spinlock *lock)
{
	(void)lock;
}
static inline void spin_check_acquired(struct spinlock *lock)
{
	(void)lock;
}
static inline void spin_check_release(struct spinlock *lock)
{
	(void)lock;
}
static inline void spin_check_released(void)
{
}
static inline void sleep_check_acquire(const void *lock, uint16_t rank)
{
	(void)lock;
	(void)rank;
}
static inline void sleep_check_release(const void *lock, uint16_t rank)
{
	(void)lock;
	(void)rank;
}
static inline void might_sleep(void)
{
}
static inline void might_fault(void)
{
}
static inline void lock_check_none_held(void)
{
}
static inline void lock_check_log_held(void)
{
}
#endif
