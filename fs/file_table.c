/*
 * fs/file_table.c - descriptors: a growing array of open files, and bitmaps beside it.
 *
 * Each system call that takes a descriptor begins here (file_borrow), those that make one end
 * here (file_table_reserve, then _fill). A reserved slot is used but has no file yet: others
 * see EBADF, and open(2) can fail without having shown anything.
 *
 *   used  file   close_on_exec
 *   0     NULL   0        free
 *   1     NULL   as asked reserved
 *   1     set    as asked open
 *
 * Locks: file_table.lock for each change. A task whose table nobody else uses (users 1) looks
 * things up without it and without touching the file's count: only the task itself could close
 * the file or share the table, and it is busy with this very call. /proc holds tables of others,
 * but only ever reads, under the lock; it is no user, so that who reads it neither delays the
 * closing nor makes exec copy the table, which would lose the locks that the table owns.
 *
 * Closing happens outside the lock: it sleeps. It drops the process's fcntl locks on the file.
 */
#include <fs/file_lock.h>
#include <fs/file_table.h>
#include <fs/fs_private.h>
#include <mm/heap.h>
#include <string.h>

#define SLOTS_FIRST 64u
#define SLOTS_MAX (1u << 20) /* Linux's fs.nr_open */
#define WORD_BITS 64u

/* --- bitmaps --- */

static bool bit_test(const uint64_t *bits, unsigned n)
{
	return bits[n / WORD_BITS] >> (n % WORD_BITS) & 1;
}

static void bit_set(uint64_t *bits, unsigned n, bool value)
{
	uint64_t mask = 1ull << (n % WORD_BITS);

	if (value)
		bits[n / WORD_BITS] |= mask;
	else
		bits[n / WORD_BITS] &= ~mask;
}

/* The first clear bit at or after n; `count` if there is none. */
static unsigned bit_find_clear(const uint64_t *bits, unsigned n, unsigned count)
{
	uint64_t word;

	while (n < count) {
		word = ~bits[n / WORD_BITS] >> (n % WORD_BITS);
		if (word)
			return MIN(n + (unsigned)__builtin_ctzll(word), count);
		n = (n / WORD_BITS + 1) * WORD_BITS;
	}
	return count;
}

/* The first set bit at or after n; `count` if there is none. */
static unsigned bit_find_set(const uint64_t *bits, unsigned n, unsigned count)
{
	uint64_t word;

	while (n < count) {
		word = bits[n / WORD_BITS] >> (n % WORD_BITS);
		if (word)
			return MIN(n + (unsigned)__builtin_ctzll(word), count);
		n = (n / WORD_BITS + 1) * WORD_BITS;
	}
	return count;
}

/* Each n from `first` below `count` whose bit is set. */
#define for_each_bit(n, bits, first, count)                                                        \
	for ((n) = bit_find_set(bits, first, count); (n) < (count);                                \
	     (n) = bit_find_set(bits, (n) + 1, count))

/* --- size --- */

/* The three arrays of a table. */
struct slots {
	unsigned capacity;
	struct file **files;
	uint64_t *used, *close_on_exec;
};

static void slots_free(const struct slots *slots)
{
	kfree(slots->files);
	kfree(slots->used);
	kfree(slots->close_on_exec);
}

static int slots_alloc(struct slots *slots, unsigned capacity)
{
	slots->capacity = capacity;
	slots->files = kzalloc_array(capacity, sizeof(*slots->files));
	slots->used = kzalloc_array(capacity / WORD_BITS, sizeof(uint64_t));
	slots->close_on_exec = kzalloc_array(capacity / WORD_BITS, sizeof(uint64_t));
	if (slots->files && slots->used && slots->close_on_exec)
		return 0;
	slots_free(slots);
	return -ENOMEM;
}

/* Puts larger arrays into the table and leaves the old ones in *slots. The table is locked. */
static void slots_exchange(struct file_table *table, struct slots *slots)
{
	struct slots old = {table->capacity, table->files, table->used, table->close_on_exec};
	size_t words = old.capacity / WORD_BITS;

	memcpy(slots->files, old.files, old.capacity * sizeof(*old.files));
	memcpy(slots->used, old.used, words * sizeof(uint64_t));
	memcpy(slots->close_on_exec, old.close_on_exec, words * sizeof(uint64_t));
	table->files = slots->files;
	table->used = slots->used;
	table->close_on_exec = slots->close_on_exec;
	table->capacity = slots->capacity;
	*slots = old;
}

/* Makes room for `descriptor`. */
static int table_grow(struct file_table *table, unsigned descriptor)
{
	struct slots slots;
	unsigned capacity = SLOTS_FIRST;

	while (capacity <= descriptor)
		capacity *= 2;
	if (slots_alloc(&slots, capacity))
		return -ENOMEM;
	spin_lock(&table->lock);
	if (table->capacity < capacity)
		slots_exchange(table, &slots);
	spin_unlock(&table->lock);
	slots_free(&slots);
	return 0;
}

/* --- life --- */

static struct file_table *table_alloc(unsigned capacity)
{
	struct file_table *table = kzalloc(sizeof(*table));
	struct slots slots;

	if (!table)
		return NULL;
	if (slots_alloc(&slots, capacity)) {
		kfree(table);
		return NULL;
	}
	atomic_init(&table->users, 1);
	atomic_init(&table->holders, 1);
	spin_init(&table->lock, RANK_FILES);
	table->capacity = slots.capacity;
	table->files = slots.files;
	table->used = slots.used;
	table->close_on_exec = slots.close_on_exec;
	return table;
}

static void table_free(struct file_table *table)
{
	struct slots slots = {table->capacity, table->files, table->used, table->close_on_exec};

	slots_free(&slots);
	kfree(table);
}

int file_table_create(struct file_table **table)
{
	*table = table_alloc(SLOTS_FIRST);
	return *table ? 0 : -ENOMEM;
}

/* Copies what is open; reserved slots are not: their open(2) is somebody else's. Both locked. */
static void copy_slots(struct file_table *copy, const struct file_table *from)
{
	unsigned n;

	for_each_bit (n, from->used, 0, from->capacity) {
		struct file *file = from->files[n];

		if (!file)
			continue;
		file_get(file);
		copy->files[n] = file;
		bit_set(copy->used, n, true);
		bit_set(copy->close_on_exec, n, bit_test(from->close_on_exec, n));
	}
}

int file_table_copy(struct file_table *from, struct file_table **copy)
{
	struct file_table *fresh;
	unsigned capacity;

	for (;;) {
		spin_lock(&from->lock);
		capacity = from->capacity;
		spin_unlock(&from->lock);
		fresh = table_alloc(capacity);
		if (!fresh)
			return -ENOMEM;
		spin_lock(&from->lock);
		if (from->capacity == capacity)
			break;
		spin_unlock(&from->lock); /* it grew meanwhile */
		table_free(fresh);
	}
	copy_slots(fresh, from);
	spin_unlock(&from->lock);
	*copy = fresh;
	return 0;
}

struct file_table *file_table_get(struct file_table *table)
{
	atomic_fetch_add_explicit(&table->users, 1, memory_order_relaxed);
	return table;
}

void file_table_drop(struct file_table *table)
{
	if (atomic_fetch_sub_explicit(&table->holders, 1, memory_order_acq_rel) == 1)
		table_free(table);
}

/* What close does beyond the slot. */
static void close_file(struct file_table *table, struct file *file)
{
	file_locks_drop(file->inode, table);
	file_put(file);
}

int file_table_unshare(void)
{
	struct task *task = current_task();
	struct file_table *old = task->files, *copy;
	int error;

	if (atomic_load(&old->users) == 1)
		return 0;
	error = file_table_copy(old, &copy);
	if (error)
		return error;
	spin_lock(&task_tree_lock);
	task->files = copy;
	spin_unlock(&task_tree_lock);
	file_table_put(old);
	return 0;
}

/* --- looking up --- */

static struct file *slot_get(struct file_table *table, unsigned descriptor)
{
	struct file *file = NULL;

	spin_lock(&table->lock);
	if (descriptor < table->capacity)
		file = table->files[descriptor];
	if (file)
		file_get(file);
	spin_unlock(&table->lock);
	return file;
}

struct file *file_from_descriptor(int descriptor)
{
	return slot_get(current_task()->files, (unsigned)descriptor);
}

bool file_borrow(int descriptor, struct borrowed_file *borrowed)
{
	struct file_table *table = current_task()->files;

	if (likely(atomic_load_explicit(&table->users, memory_order_acquire) == 1)) {
		borrowed->counted = false;
		borrowed->file = (unsigned)descriptor < table->capacity
					 ? table->files[(unsigned)descriptor]
					 : NULL;
	} else {
		borrowed->counted = true;
		borrowed->file = slot_get(table, (unsigned)descriptor);
	}
	return borrowed->file;
}

struct file *file_table_find(struct file_table *table, unsigned descriptor)
{
	return slot_get(table, descriptor);
}

int file_table_next(struct file_table *table, unsigned from)
{
	int found = -1;

	spin_lock(&table->lock);
	for (unsigned n = from; n < table->capacity; n++)
		if (table->files[n]) {
			found = (int)n;
			break;
		}
	spin_unlock(&table->lock);
	return found;
}

uint32_t file_table_flags(struct file_table *table, unsigned descriptor)
{
	uint32_t flags = 0;

	spin_lock(&table->lock);
	if (descriptor < table->capacity && bit_test(table->close_on_exec, descriptor))
		flags = O_CLOEXEC;
	spin_unlock(&table->lock);
	return flags;
}

struct file_table *file_table_of(struct process *process)
{
	struct file_table *table = NULL;
	struct task *task;

	spin_lock(&task_tree_lock);
	list_for_each_entry(task, &process->threads, thread_link)
		if (task->files) {
			table = task->files;
			atomic_fetch_add_explicit(&table->holders, 1, memory_order_relaxed);
			break;
		}
	spin_unlock(&task_tree_lock);
	return table;
}

/* --- making descriptors --- */

static unsigned descriptor_limit(void)
{
	return (unsigned)MIN(fs_limit(RLIMIT_NOFILE), (uint64_t)SLOTS_MAX);
}

int file_table_reserve(uint32_t flags, unsigned min)
{
	struct file_table *table = current_task()->files;
	unsigned limit = descriptor_limit(), n;

	for (;;) {
		spin_lock(&table->lock);
		n = bit_find_clear(table->used, MAX(min, table->lowest_free), table->capacity);
		n = MAX(n, min);
		if (n < table->capacity || n >= limit)
			break;
		spin_unlock(&table->lock);
		if (table_grow(table, n))
			return -ENOMEM;
	}
	if (n < limit) {
		bit_set(table->used, n, true);
		bit_set(table->close_on_exec, n, flags & O_CLOEXEC);
		if (min <= table->lowest_free)
			table->lowest_free = n + 1;
	}
	spin_unlock(&table->lock);
	return n < limit ? (int)n : -EMFILE;
}

void file_table_fill(int descriptor, struct file *file)
{
	struct file_table *table = current_task()->files;

	spin_lock(&table->lock);
	table->files[descriptor] = file;
	spin_unlock(&table->lock);
}

/* Frees a slot; what was in it is the caller's. The table is locked. */
static struct file *slot_clear(struct file_table *table, unsigned n)
{
	struct file *file = table->files[n];

	table->files[n] = NULL;
	bit_set(table->used, n, false);
	bit_set(table->close_on_exec, n, false);
	table->lowest_free = MIN(table->lowest_free, n);
	return file;
}

void file_table_unreserve(int descriptor)
{
	struct file_table *table = current_task()->files;

	spin_lock(&table->lock);
	slot_clear(table, (unsigned)descriptor);
	spin_unlock(&table->lock);
}

int file_table_install(struct file *file, uint32_t flags, unsigned min)
{
	int descriptor = file_table_reserve(flags, min);

	if (descriptor >= 0)
		file_table_fill(descriptor, file);
	return descriptor;
}

int file_table_replace(int descriptor, struct file *file, uint32_t flags)
{
	struct file_table *table = current_task()->files;
	unsigned n = (unsigned)descriptor;
	struct file *old;
	bool reserved;

	if (descriptor < 0 || n >= descriptor_limit())
		return -EBADF;
	if (table_grow(table, n))
		return -ENOMEM;
	spin_lock(&table->lock);
	old = table->files[n];
	reserved = !old && bit_test(table->used, n);
	if (!reserved) {
		table->files[n] = file;
		bit_set(table->used, n, true);
		bit_set(table->close_on_exec, n, flags & O_CLOEXEC);
	}
	spin_unlock(&table->lock);
	if (old)
		close_file(table, old);
	return reserved ? -EBUSY : descriptor; /* an open(2) under way will fill it: dup(2) */
}

/* --- closing --- */

int file_table_close(int descriptor)
{
	struct file_table *table = current_task()->files;
	struct file *file = NULL;

	spin_lock(&table->lock);
	if ((unsigned)descriptor < table->capacity && table->files[descriptor])
		file = slot_clear(table, (unsigned)descriptor);
	spin_unlock(&table->lock);
	if (!file)
		return -EBADF;
	close_file(table, file);
	return 0;
}

/* Takes the next open file of [*n, last] out of its slot; NULL at the end. */
static struct file *take_next(struct file_table *table, unsigned *n, unsigned last, bool on_exec)
{
	struct file *file = NULL;
	unsigned slot;

	spin_lock(&table->lock);
	for_each_bit (slot, on_exec ? table->close_on_exec : table->used, *n, table->capacity) {
		if (slot > last)
			break;
		if (!table->files[slot])
			continue;
		file = slot_clear(table, slot);
		*n = slot + 1;
		break;
	}
	spin_unlock(&table->lock);
	return file;
}

static void close_each(struct file_table *table, unsigned first, unsigned last, bool on_exec)
{
	struct file *file;

	while ((file = take_next(table, &first, last, on_exec)))
		close_file(table, file);
}

void file_table_put(struct file_table *table)
{
	if (atomic_fetch_sub_explicit(&table->users, 1, memory_order_acq_rel) != 1)
		return;
	close_each(table, 0, SLOTS_MAX, false);
	file_table_drop(table);
}

void file_table_close_on_exec(struct file_table *table)
{
	close_each(table, 0, SLOTS_MAX, true);
}

void file_table_close_range(unsigned first, unsigned last, bool cloexec)
{
	struct file_table *table = current_task()->files;

	if (!cloexec) {
		close_each(table, first, last, false);
		return;
	}
	spin_lock(&table->lock);
	for (unsigned n = first; n < table->capacity && n <= last; n++)
		if (table->files[n])
			bit_set(table->close_on_exec, n, true);
	spin_unlock(&table->lock);
}

int file_table_get_cloexec(int descriptor)
{
	struct file_table *table = current_task()->files;
	unsigned n = (unsigned)descriptor;
	int result = -EBADF;

	spin_lock(&table->lock);
	if (n < table->capacity && table->files[n])
		result = bit_test(table->close_on_exec, n);
	spin_unlock(&table->lock);
	return result;
}

int file_table_set_cloexec(int descriptor, bool cloexec)
{
	struct file_table *table = current_task()->files;
	unsigned n = (unsigned)descriptor;
	int result = -EBADF;

	spin_lock(&table->lock);
	if (n < table->capacity && table->files[n]) {
		bit_set(table->close_on_exec, n, cloexec);
		result = 0;
	}
	spin_unlock(&table->lock);
	return result;
}
