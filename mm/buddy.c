/*
 * mm/buddy.c - free physical memory in blocks of 2^order frames.
 *
 * Called by frame.c only, for batches and for contiguous blocks. A block's frame number is a
 * multiple of its size, so a block has one buddy: the one whose number differs in that bit.
 * Allocating splits the smallest block that is large enough and gives back the upper halves;
 * freeing merges with the buddy while that is free as a whole. A free block's head is marked
 * FRAME_IN_BUDDY and knows its order; the other frames of the block are FREE, unmarked.
 *
 * Locks: buddy.lock, interrupts off, so that an interrupt handler may allocate.
 * Not here: kinds, references, poison, per-processor caches (frame.c).
 * Tests: tests/host/test_buddy.c.
 */
#include <kernel/base/panic.h>
#include <mm/buddy.h>

static struct {
	struct spinlock lock;
	struct list_node free[FRAME_ORDER_MAX + 1]; /* by frame->lru [lock] */
	uint32_t nonempty;			    /* bit n: free[n] has blocks [lock] */
	uint64_t count;				    /* frames in all lists [lock] */
} buddy;

static uint64_t frame_number(const struct frame *frame)
{
	return (uint64_t)(frame - frame_array);
}

static void buddy_mark(struct frame *head, bool in_buddy)
{
	uint32_t state = frame_state(head) & ~FRAME_IN_BUDDY;

	atomic_store_explicit(&head->state, in_buddy ? state | FRAME_IN_BUDDY : state,
			      memory_order_relaxed);
}

static void buddy_push(struct frame *head, unsigned order) REQUIRES(buddy.lock)
{
	buddy_mark(head, true);
	head->order = order;
	list_push_front(&buddy.free[order], &head->lru);
	buddy.nonempty |= 1u << order;
}

static void buddy_take(struct frame *head, unsigned order) REQUIRES(buddy.lock)
{
	buddy_mark(head, false);
	list_remove(&head->lru);
	if (list_empty(&buddy.free[order]))
		buddy.nonempty &= ~(1u << order);
}

/* Takes the smallest block of at least `order`; its real order goes to *found. */
static struct frame *buddy_take_smallest(unsigned order, unsigned *found) REQUIRES(buddy.lock)
{
	uint32_t large_enough = buddy.nonempty & (~0u << order);
	struct frame *head;

	if (!large_enough)
		return NULL;
	*found = (unsigned)__builtin_ctz(large_enough);
	head = list_first(&buddy.free[*found], struct frame, lru);
	buddy_take(head, *found);
	return head;
}

/* Cuts a block taken out of the lists down to `wanted`, giving back its upper halves. */
static void buddy_trim(struct frame *head, unsigned order, unsigned wanted) REQUIRES(buddy.lock)
{
	while (order > wanted) {
		order--;
		buddy_push(head + (1u << order), order);
	}
}

static bool buddy_is_free(uint64_t number, unsigned order) REQUIRES(buddy.lock)
{
	const struct frame *head = &frame_array[number];

	return number < frame_array_count && (frame_state(head) & FRAME_IN_BUDDY) &&
	       head->order == order;
}

static void buddy_merge(struct frame *block, unsigned order) REQUIRES(buddy.lock)
{
	uint64_t number = frame_number(block);

	buddy.count += 1ul << order;
	while (order < FRAME_ORDER_MAX && buddy_is_free(number ^ (1ul << order), order)) {
		buddy_take(&frame_array[number ^ (1ul << order)], order);
		number &= ~(1ul << order);
		order++;
	}
	buddy_push(&frame_array[number], order);
}

void buddy_init(void)
{
	spin_init(&buddy.lock, RANK_FRAMES);
	for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++)
		list_init(&buddy.free[order]);
	buddy.nonempty = 0;
	buddy.count = 0;
}

struct frame *buddy_alloc(unsigned order)
{
	uint64_t flags = spin_lock_irq(&buddy.lock);
	unsigned found;
	struct frame *head = buddy_take_smallest(order, &found);

	if (head) {
		buddy_trim(head, found, order);
		buddy.count -= 1ul << order;
	}
	spin_unlock_irq(&buddy.lock, flags);
	return head;
}

/*
 * Takes whole blocks while they fit, so that splitting costs little per frame. The frames of
 * a block are stored from its end: a cache that pops its last one hands them out ascending.
 */
unsigned buddy_alloc_many(struct frame **frames, unsigned wanted)
{
	uint64_t flags = spin_lock_irq(&buddy.lock);
	unsigned got = 0;

	while (got < wanted) {
		unsigned fitting = 31u - (unsigned)__builtin_clz(wanted - got);
		unsigned order;
		struct frame *head = buddy_take_smallest(0, &order);

		if (!head)
			break;
		if (order > fitting) {
			buddy_trim(head, order, fitting);
			order = fitting;
		}
		for (unsigned i = 1u << order; i > 0; i--)
			frames[got++] = head + i - 1;
	}
	buddy.count -= got;
	spin_unlock_irq(&buddy.lock, flags);
	return got;
}

void buddy_free(struct frame *block, unsigned order)
{
	uint64_t flags = spin_lock_irq(&buddy.lock);

	buddy_merge(block, order);
	spin_unlock_irq(&buddy.lock, flags);
}

/* The frames [first, end) by number, in the largest blocks that their alignment allows. */
static void buddy_merge_range(uint64_t first, uint64_t end) REQUIRES(buddy.lock)
{
	while (first < end) {
		unsigned aligned = (unsigned)__builtin_ctzl(first | 1ul << FRAME_ORDER_MAX);
		unsigned fitting = 63u - (unsigned)__builtin_clzl(end - first);
		unsigned order = MIN(aligned, fitting);

		buddy_merge(&frame_array[first], order);
		first += 1ul << order;
	}
}

/* What was allocated together often comes back together: neighbours are merged as blocks. */
void buddy_free_many(struct frame *const *frames, unsigned count)
{
	uint64_t flags = spin_lock_irq(&buddy.lock);

	for (unsigned i = 0, run; i < count; i += run) {
		uint64_t first = frame_number(frames[i]);

		for (run = 1; i + run < count && frames[i + run] == frames[i] + run;)
			run++;
		buddy_merge_range(first, first + run);
	}
	spin_unlock_irq(&buddy.lock, flags);
}

void buddy_free_range(uint64_t first, uint64_t end)
{
	uint64_t flags = spin_lock_irq(&buddy.lock);

	buddy_merge_range(first, end);
	spin_unlock_irq(&buddy.lock, flags);
}

uint64_t buddy_free_count(void)
{
	return __atomic_load_n(&buddy.count, __ATOMIC_RELAXED);
}

static void buddy_check_block(const struct frame *head, unsigned order) REQUIRES(buddy.lock)
{
	uint64_t number = frame_number(head);

	kassert(head->order == order);
	kassert(frame_state(head) & FRAME_IN_BUDDY);
	kassert((number & ((1ul << order) - 1)) == 0);
	kassert(number + (1ul << order) <= frame_array_count);
	if (order < FRAME_ORDER_MAX)
		kassert(!buddy_is_free(number ^ (1ul << order), order));
	for (uint64_t i = 0; i < 1ul << order; i++) {
		kassert(frame_kind(&head[i]) == FRAME_FREE && frame_refs(&head[i]) == 0);
		kassert(i == 0 || !(frame_state(&head[i]) & FRAME_IN_BUDDY));
	}
}

void buddy_check(void)
{
	uint64_t flags = spin_lock_irq(&buddy.lock);
	uint64_t count = 0;

	for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
		const struct frame *head;

		kassert(list_empty(&buddy.free[order]) == !(buddy.nonempty & (1u << order)));
		list_for_each_entry (head, &buddy.free[order], lru) {
			buddy_check_block(head, order);
			count += 1ul << order;
		}
	}
	kassert(count == buddy.count);
	spin_unlock_irq(&buddy.lock, flags);
}
