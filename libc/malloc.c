/*
 * libc/malloc.c - memory for programs: first fit over the program break, mmap for large blocks.
 *
 * Each block has a header of 16 bytes before it, with its size and a mark; blocks are multiples
 * of 16 bytes. Free blocks hang in one list, sorted by address, and free joins neighbours. A
 * block of LARGE bytes or more is a mapping of its own, given back at once. What was taken
 * from brk stays with the process.
 *
 * A header whose mark is wrong means that free was called twice, or that somebody wrote past the
 * end of a block: the program is stopped there and then.
 */
#include <stdlib.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "syscall.h"

enum block_mark { MARK_USED = 0x75736564, MARK_FREE = 0x66726565, MARK_MAPPED = 0x6d617070 };

struct block {
	size_t bytes; /* with this header; of a mapping: all of it */
	enum block_mark mark;
} __attribute__((aligned(16)));

struct free_block {
	struct block head;
	struct free_block *next;
};

enum {
	ALIGNMENT = 16,
	SMALLEST = (int)sizeof(struct free_block),
	GROWTH = 64 * 1024,
	LARGE = 128 * 1024,
};

static struct free_block *free_list;

/* ---- the program break ---- */

/* The kernel answers with the break as it is now, whether it moved or not (Linux brk(2)). */
static uintptr_t move_break(uintptr_t end)
{
	return (uintptr_t)syscall(__NR_brk, (long)end);
}

int brk(void *end)
{
	if (move_break((uintptr_t)end) >= (uintptr_t)end)
		return 0;
	errno = ENOMEM;
	return -1;
}

void *sbrk(ptrdiff_t bytes)
{
	uintptr_t old = move_break(0);
	uintptr_t wanted = old + (uintptr_t)bytes;

	if (bytes && move_break(wanted) != wanted) {
		errno = ENOMEM;
		return (void *)-1;
	}
	return (void *)old;
}

/* ---- the free list ---- */

static void check_mark(const struct block *block, enum block_mark mark)
{
	static const char complaint[] = "malloc: a block was freed twice, or overwritten\n";

	if (block->mark == mark)
		return;
	write(STDERR_FILENO, complaint, sizeof(complaint) - 1);
	abort();
}

/* Joins `block` with what follows it in the list, if that begins where it ends. */
static void join_next(struct free_block *block)
{
	struct free_block *next = block->next;

	if (!next || (char *)block + block->head.bytes != (char *)next)
		return;
	check_mark(&next->head, MARK_FREE);
	block->head.bytes += next->head.bytes;
	block->next = next->next;
}

static void add_free(struct free_block *block)
{
	struct free_block *before = NULL, *after = free_list;

	while (after && after < block) {
		before = after;
		after = after->next;
	}
	block->head.mark = MARK_FREE;
	block->next = after;
	if (before)
		before->next = block;
	else
		free_list = block;
	join_next(block);
	if (before)
		join_next(before);
}

static bool grow(size_t bytes)
{
	size_t wanted = (bytes + GROWTH - 1) / GROWTH * GROWTH;
	uintptr_t end = (uintptr_t)sbrk(0);
	size_t gap = -end % ALIGNMENT;
	struct free_block *block;

	if (sbrk((ptrdiff_t)(gap + wanted)) == (void *)-1)
		return false;
	block = (struct free_block *)(end + gap);
	block->head.bytes = wanted;
	add_free(block);
	return true;
}

/* Cuts what is over `bytes` off the block and makes that free, if it can be a block. */
static void trim(struct block *block, size_t bytes)
{
	struct free_block *rest = (struct free_block *)((char *)block + bytes);

	if (block->bytes - bytes < SMALLEST)
		return;
	rest->head.bytes = block->bytes - bytes;
	block->bytes = bytes;
	add_free(rest);
}

/* Takes the first free block with room for `bytes` out of the list; NULL when there is none. */
static struct block *take_free(size_t bytes)
{
	struct free_block **link = &free_list;

	for (; *link; link = &(*link)->next) {
		struct free_block *found = *link;

		check_mark(&found->head, MARK_FREE);
		if (found->head.bytes < bytes)
			continue;
		*link = found->next;
		found->head.mark = MARK_USED;
		trim(&found->head, bytes);
		return &found->head;
	}
	return NULL;
}

/* ---- large blocks ---- */

static void *map_large(size_t bytes)
{
	struct block *block =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		return NULL;
	block->bytes = bytes;
	block->mark = MARK_MAPPED;
	return block + 1;
}

/* ---- the library's functions ---- */

void *malloc(size_t bytes)
{
	struct block *block;

	if (bytes > PTRDIFF_MAX - sizeof(struct block) - ALIGNMENT) {
		errno = ENOMEM;
		return NULL;
	}
	bytes = (bytes + sizeof(struct block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (bytes >= LARGE)
		return map_large(bytes);
	if (bytes < SMALLEST)
		bytes = SMALLEST;
	block = take_free(bytes);
	if (!block && grow(bytes))
		block = take_free(bytes);
	return block ? block + 1 : NULL;
}

void free(void *memory)
{
	struct block *block = memory;
	int saved_errno = errno;

	if (!memory)
		return;
	block--;
	if (block->mark == MARK_MAPPED) {
		munmap(block, block->bytes);
	} else {
		check_mark(block, MARK_USED);
		add_free((struct free_block *)block);
	}
	errno = saved_errno;
}

void *calloc(size_t count, size_t bytes)
{
	size_t total;
	void *memory;

	if (__builtin_mul_overflow(count, bytes, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	memory = malloc(total);
	return memory ? memset(memory, 0, total) : NULL;
}

void *realloc(void *memory, size_t bytes)
{
	struct block *block = memory;
	size_t room;
	void *moved;

	if (!memory)
		return malloc(bytes);
	block--;
	if (block->mark != MARK_MAPPED)
		check_mark(block, MARK_USED);
	room = block->bytes - sizeof(struct block);
	if (bytes <= room && bytes >= room / 2)
		return memory;
	moved = malloc(bytes);
	if (!moved)
		return NULL;
	memcpy(moved, memory, bytes < room ? bytes : room);
	free(memory);
	return moved;
}
