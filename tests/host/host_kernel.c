/*
 * tests/host/host_kernel.c - the kernel's panic, processors and locks, for test programs.
 *
 * What a test would not notice by itself is watched here: unbalanced preemption, a lock taken
 * twice or against the order of ranks, a lock left held.
 */
#include "host_kernel.h"

#include <mm/alloc_failure.h>
#include <mm/check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

_Thread_local struct cpu host_cpu;
_Thread_local jmp_buf *host_panic_jump;
char host_panic_text[256];
uintptr_t host_ram;
static uint64_t host_ram_bytes;

void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(host_panic_text, sizeof(host_panic_text), format, arguments);
	va_end(arguments);
	if (host_panic_jump) {
		for (uint32_t i = 0; i < host_cpu.held_count; i++)
			atomic_store(&host_cpu.held[i]->locked, 0);
		host_cpu = (struct cpu){.id = host_cpu.id};
		longjmp(*host_panic_jump, 1);
	}
	fprintf(stderr, "panic: %s\n", host_panic_text);
	abort();
}

void preempt_enable_no_resched(void)
{
	kassert(host_cpu.preempt_count > 0);
	host_cpu.preempt_count--;
}

void preempt_enable(void)
{
	preempt_enable_no_resched();
}

void spin_wait(struct spinlock *lock)
{
	uint32_t unlocked;

	do {
		while (atomic_load_explicit(&lock->locked, memory_order_relaxed))
			sched_yield();
		unlocked = 0;
	} while (!atomic_compare_exchange_weak_explicit(
	    &lock->locked, &unlocked, 1, memory_order_acquire, memory_order_relaxed));
}

#ifdef STOS_CHECK
bool alloc_fails(void)
{
	return false;
}

void mem_check_hold(const struct frame *frame, int64_t change)
{
	(void)frame;
	(void)change;
}

void spin_check_acquire(struct spinlock *lock)
{
	kassert(lock->rank != RANK_NONE);
	for (uint32_t i = 0; i < host_cpu.held_count; i++)
		kassert(host_cpu.held[i] != lock && host_cpu.held[i]->rank <= lock->rank);
}

void spin_check_acquired(struct spinlock *lock)
{
	kassert(host_cpu.held_count < ARRAY_SIZE(host_cpu.held));
	host_cpu.held[host_cpu.held_count++] = lock;
}

void spin_check_released(void)
{
}

void sleep_check_acquire(const void *lock, uint16_t rank)
{
	(void)lock;
	kassert(rank != RANK_NONE);
	might_sleep();
}

void sleep_check_release(const void *lock, uint16_t rank)
{
	(void)lock;
	(void)rank;
}

void might_sleep(void)
{
	kassert(host_cpu.preempt_count == 0 && host_cpu.held_count == 0);
}

void spin_check_release(struct spinlock *lock)
{
	uint32_t i = host_cpu.held_count;

	while (i > 0 && host_cpu.held[i - 1] != lock)
		i--;
	kassert(i > 0);
	for (; i < host_cpu.held_count; i++)
		host_cpu.held[i - 1] = host_cpu.held[i];
	host_cpu.held_count--;
}
#endif

void host_assert_idle(void)
{
	assert_int_equal(host_cpu.preempt_count, 0);
	assert_int_equal(host_cpu.held_count, 0);
	assert_false(host_cpu.irqs_off);
}

void host_ram_create(uint64_t bytes)
{
	void *ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(ram, MAP_FAILED);
	host_ram = (uintptr_t)ram;
	host_ram_bytes = bytes;
}

void host_ram_destroy(void)
{
	assert_int_equal(munmap((void *)host_ram, host_ram_bytes), 0);
	host_ram = 0;
}

static uint64_t random_state;

void host_random_restart(void)
{
	const char *seed = getenv("STOS_SEED");

	random_state = seed ? strtoull(seed, NULL, 0) : 1;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t host_random(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ul;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ul;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebul;
	return z ^ (z >> 31);
}

uint64_t host_random_below(uint64_t limit)
{
	return host_random() % limit;
}
