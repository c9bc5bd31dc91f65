/*
 * operations.c - what a sequence is made of: system calls and accesses with chosen arguments.
 *
 * Most arguments are sensible, some are not: each call now and then gets an address between pages,
 * a length of nothing or of everything, a flag it does not know. What a kernel may choose freely is
 * made equal: a mapping placed outside the arenas is taken away again, or moved into one; what
 * MADV_FREE leaves is dropped; what Linux keeps in pieces is moved as if it did not (pieces.c). So
 * is where Linux's tmpfs does what nobody wants (clear_tail, keep_size).
 */
#include "mapfuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ELSEWHERE 0x80000000ul /* from the first arena, a place where nothing else is */
#define FORKS_MAX 3u /* children of children of children */

/* ---- arguments ---- */

struct range {
	const struct arena *arena;
	unsigned page, pages;
	size_t shift;  /* bytes beside the page; mostly 0 */
	size_t length; /* bytes */
};

static char *range_address(const struct range *range)
{
	return range->arena->base + range->page * PAGE + range->shift;
}

static const size_t odd_lengths[] = {
	0, 1, PAGE - 1, PAGE + 1, -1ul, -PAGE, 1ul << 47, 1ul << 63, (1ul << 47) - PAGE,
};

static struct range choose_range(struct player *player)
{
	struct range range = {
		.arena = &player->arenas[choose(player, 4) == 0],
		.page = choose(player, ARENA_PAGES),
		.pages = 1 + choose(player, one_in(player, 4) ? 16 : 4),
	};

	if (one_in(player, 40)) {
		range.page = 0;
		range.pages = ARENA_PAGES;
	}
	range.length = range.pages * PAGE;
	return range;
}

/* Sometimes one that no call should accept, or that must be rounded. */
static struct range choose_odd_range(struct player *player)
{
	struct range range = choose_range(player);

	if (one_in(player, 32))
		range.shift = 1 + choose(player, PAGE - 1);
	if (one_in(player, 24))
		range.length = odd_lengths[choose(player, LENGTH(odd_lengths))];
	return range;
}

static void say_range(struct player *player, const struct range *range)
{
	say(player, "%s + %u * PAGE", range->arena->name, range->page);
	if (range->shift)
		say(player, " + %zu", range->shift);
	if (range->length == range->pages * PAGE)
		say(player, ", %u * PAGE", range->pages);
	else
		say(player, ", %#lx", range->length);
}

/*
 * Never PROT_EXEC alone: where the processor can, Linux makes that unreadable, and the signal's
 * code another.
 */
static int choose_prot(struct player *player)
{
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ,
		PROT_READ,		PROT_NONE,		PROT_WRITE,
		PROT_READ | PROT_EXEC,	PROT_READ | PROT_WRITE | PROT_EXEC,
	};

	return prots[choose(player, LENGTH(prots))];
}

static void say_prot(struct player *player, int prot)
{
	static const char *const names[] = {
		"PROT_NONE", "PROT_READ",	       "PROT_WRITE", "PROT_READ | PROT_WRITE",
		"PROT_EXEC", "PROT_READ | PROT_EXEC", "PROT_WRITE | PROT_EXEC",
		"PROT_READ | PROT_WRITE | PROT_EXEC",
	};

	if ((size_t)prot < LENGTH(names))
		say(player, "%s", names[prot]);
	else
		say(player, "%#x", prot);
}

struct flag {
	int value;
	const char *name;
};

/* The flags' names, then what is left as a number. */
static void say_flags(struct player *player, int flags, const struct flag *known, size_t count)
{
	const char *bar = "";

	for (size_t i = 0; i < count; i++) {
		if (known[i].value && (flags & known[i].value) == known[i].value) {
			say(player, "%s%s", bar, known[i].name);
			flags &= ~known[i].value;
			bar = " | ";
		}
	}
	if (flags || !*bar)
		say(player, "%s%#x", bar, flags);
}

static const char *const file_names[FILES] = {"file", "file_readonly", "file_writeonly", "memfd"};

/* Most of a sequence's work is with the first file and the last. */
static enum file_number choose_file(struct player *player)
{
	if (one_in(player, 6))
		return (enum file_number)choose(player, FILES);
	return one_in(player, 3) ? FILE_MEMFD : FILE_BOTH;
}

static bool inside(const struct player *player, const char *address)
{
	for (unsigned i = 0; i < ARENAS; i++) {
		uintptr_t offset = (uintptr_t)address - (uintptr_t)player->arenas[i].base;

		if (offset + ARENA_MARGIN * PAGE < (ARENA_PAGES + 2 * ARENA_MARGIN) * PAGE)
			return true;
	}
	return false;
}

/* An address a call returned: -errno, where in the arenas, or that it is elsewhere. */
static void answer_place(struct player *player, char *result)
{
	for (unsigned i = 0; i < ARENAS && result != MAP_FAILED; i++) {
		uintptr_t offset = (uintptr_t)result - (uintptr_t)player->arenas[i].base;

		if (offset + ARENA_MARGIN * PAGE < (ARENA_PAGES + 2 * ARENA_MARGIN) * PAGE) {
			say(player, " /* %s */", player->arenas[i].name);
			answer(player, (long)offset);
			return;
		}
	}
	answer(player, result == MAP_FAILED ? -errno : (long)(1ul << 60));
}

/* ---- mmap ---- */

static const struct flag map_flags[] = {
	{MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE"},
	{MAP_SHARED, "MAP_SHARED"},
	{MAP_PRIVATE, "MAP_PRIVATE"},
	{MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"},
	{MAP_FIXED, "MAP_FIXED"},
	{MAP_ANONYMOUS, "MAP_ANONYMOUS"},
	{MAP_POPULATE, "MAP_POPULATE"},
	{MAP_NORESERVE, "MAP_NORESERVE"},
	{MAP_LOCKED, "MAP_LOCKED"},
	{MAP_GROWSDOWN, "MAP_GROWSDOWN"},
	{MAP_STACK, "MAP_STACK"},
	{MAP_NONBLOCK, "MAP_NONBLOCK"},
};

static void map(struct player *player, const struct range *range, int prot, int flags, int file,
		size_t offset)
{
	char *at = range_address(range), *result;

	/* A range that all of memory could not fill would be populated for long. */
	if (range->length > ARENA_PAGES * PAGE)
		flags &= ~(MAP_POPULATE | MAP_LOCKED);
	say(player, "mmap(");
	say_range(player, range);
	say(player, ", ");
	say_prot(player, prot);
	say(player, ", ");
	say_flags(player, flags, map_flags, LENGTH(map_flags));
	say(player, ", %s, %#lx);", file < 0 ? "-1" : file_names[file], offset);
	result = mmap(at, range->length, prot, flags, file < 0 ? -1 : player->files[file],
		      (off_t)offset);
	if (result != MAP_FAILED && !inside(player, result))
		munmap(result, range->length);
	answer_place(player, result);
}

static int choose_map_flags(struct player *player)
{
	int flags = MAP_FIXED;

	if (one_in(player, 8))
		flags = MAP_FIXED_NOREPLACE;
	else if (one_in(player, 8))
		flags = 0;
	if (one_in(player, 8))
		flags |= MAP_POPULATE;
	if (one_in(player, 16))
		flags |= MAP_NORESERVE;
	if (one_in(player, 16))
		flags |= MAP_STACK;
	if (one_in(player, 12))
		flags |= MAP_LOCKED;
	return flags;
}

static void run_map_private(struct player *player)
{
	struct range range = choose_odd_range(player);
	int flags = choose_map_flags(player);

	map(player, &range, choose_prot(player), MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static void run_map_shared(struct player *player)
{
	struct range range = choose_odd_range(player);
	int flags = choose_map_flags(player);

	map(player, &range, choose_prot(player), MAP_SHARED | MAP_ANONYMOUS | flags, -1, 0);
}

static size_t choose_map_offset(struct player *player)
{
	if (one_in(player, 32))
		return choose(player, 3 * PAGE);
	if (one_in(player, 32))
		return one_in(player, 2) ? -PAGE : (1ul << 63) - 2 * PAGE;
	return choose(player, 6) * PAGE;
}

static void run_map_file(struct player *player)
{
	static const int types[] = {MAP_PRIVATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED,
				    MAP_SHARED_VALIDATE};
	struct range range = choose_odd_range(player);
	int flags = choose_map_flags(player), prot = choose_prot(player);

	flags |= types[choose(player, LENGTH(types))];
	map(player, &range, prot, flags, choose_file(player), choose_map_offset(player));
}

/* Flags nobody should combine so; nothing is mapped where it is not in vain. */
static void run_map_odd(struct player *player)
{
	static const int types[] = {0, MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, 4, 12};
	static const int more[] = {
		0,	0, MAP_ANONYMOUS, MAP_FIXED, MAP_NONBLOCK, MAP_DENYWRITE, MAP_EXECUTABLE,
		1 << 27};
	struct range range = choose_odd_range(player);
	int flags = types[choose(player, LENGTH(types))];

	for (unsigned i = 0; i < 3; i++)
		flags |= more[choose(player, LENGTH(more))];
	map(player, &range, choose_prot(player), flags,
	    one_in(player, 3) ? -1 : (int)choose_file(player), choose_map_offset(player));
}

static void run_map_growsdown(struct player *player)
{
	struct range range = choose_range(player);

	map(player, &range, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
}

/* ---- other calls that change zones ---- */

static void run_unmap(struct player *player)
{
	struct range range = choose_odd_range(player);

	say(player, "munmap(");
	say_range(player, &range);
	say(player, ");");
	/* From an arena to the end of user space: that would be the program's end as well. */
	if (range.length == (1ul << 47) - PAGE)
		range.length = -1ul;
	answer_call(player, munmap(range_address(&range), range.length));
}

/*
 * --plant N: what shrink.py is tested with. After N stores that succeeded, this answers wrongly
 * where it should have succeeded.
 */
static long plant(const struct player *player, long result)
{
	return options.plant && player->stores >= options.plant && result == 0 ? 1 : result;
}

static void run_protect(struct player *player)
{
	struct range range = choose_odd_range(player);
	int prot = one_in(player, 40) ? 8 << choose(player, 8) : choose_prot(player);

	say(player, "mprotect(");
	say_range(player, &range);
	say(player, ", ");
	say_prot(player, prot);
	say(player, ");");
	answer_call(player, plant(player, mprotect(range_address(&range), range.length, prot)));
}

static const struct flag remap_flags[] = {
	{MREMAP_MAYMOVE, "MREMAP_MAYMOVE"},
	{MREMAP_FIXED, "MREMAP_FIXED"},
	{MREMAP_DONTUNMAP, "MREMAP_DONTUNMAP"},
};

/* What the kernel put elsewhere goes to the beginning of the arena it came from. */
static char *bring_back(const struct range *range, char *result, size_t length)
{
	if (length > ARENA_PAGES * PAGE)
		length = ARENA_PAGES * PAGE;
	return mremap(result, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, range->arena->base);
}

static void remap(struct player *player, const struct range *from, size_t new_length, int flags,
		  const struct range *to)
{
	char *result;

	say(player, "mremap(");
	say_range(player, from);
	say(player, ", %#lx, ", new_length);
	say_flags(player, flags, remap_flags, LENGTH(remap_flags));
	say(player, ", %s + %u * PAGE + %zu);", to->arena->name, to->page, to->shift);
	result = remap_whole(range_address(from), from->length, new_length, flags,
			     range_address(to), player->arenas[0].base + ELSEWHERE);
	/*
	 * What stays behind is no longer locked. Linux forgets the lock of what moved as well where
	 * it can join the two, which depends on whether they were ever written.
	 */
	if (result != MAP_FAILED && (flags & MREMAP_DONTUNMAP))
		munlock(result, new_length);
	if (result != MAP_FAILED && !inside(player, result)) {
		mix(player, 1);
		result = bring_back(from, result, (new_length + PAGE - 1) / PAGE * PAGE);
	}
	answer_place(player, result);
}

static void run_remap(struct player *player)
{
	struct range from = choose_odd_range(player), to = choose_range(player);
	size_t new_length = one_in(player, 3) ? from.length : (1 + choose(player, 8)) * PAGE;
	int flags = one_in(player, 4) ? 0 : MREMAP_MAYMOVE;

	if (from.length == 0)
		from.length = from.pages * PAGE; /* run_remap_more's */
	if (one_in(player, 24))
		new_length = odd_lengths[choose(player, LENGTH(odd_lengths))];
	if (one_in(player, 2))
		flags |= MREMAP_FIXED;
	if (one_in(player, 32))
		flags |= 8 << choose(player, 8);
	if (one_in(player, 32))
		to.shift = 1 + choose(player, PAGE - 1);
	remap(player, &from, new_length, flags, &to);
}

/* A second mapping of what is shared; a move that leaves the place mapped. */
static void run_remap_more(struct player *player)
{
	struct range from = choose_range(player), to = choose_range(player);
	int flags = MREMAP_MAYMOVE | (one_in(player, 4) ? 0 : MREMAP_FIXED);
	size_t new_length = from.length;

	if (one_in(player, 2)) {
		from.length = 0;
	} else {
		flags |= MREMAP_DONTUNMAP;
		if (one_in(player, 8))
			new_length += PAGE;
	}
	if (one_in(player, 8))
		flags &= ~MREMAP_MAYMOVE;
	remap(player, &from, new_length, flags, &to);
}

static void run_brk(struct player *player)
{
	const struct arena *heap = &player->arenas[1];
	size_t bytes =
		choose(player, ARENA_PAGES) * PAGE + (one_in(player, 2) ? choose(player, PAGE) : 0);
	char *wanted = heap->base + bytes, *result;

	if (player->thread != 0) {
		say(player, ";");
		answer(player, 0);
		return;
	}
	if (one_in(player, 24))
		wanted = one_in(player, 2) ? NULL : (char *)(1ul << 47);
	say(player, "brk(heap + %zu);", bytes);
	result = (char *)syscall(SYS_brk, wanted);
	answer(player, result - heap->base);
}

/* ---- advice and its like ---- */

static const struct advice {
	int value;
	const char *name;
} advices[] = {
	{MADV_NORMAL, "MADV_NORMAL"},
	{MADV_RANDOM, "MADV_RANDOM"},
	{MADV_SEQUENTIAL, "MADV_SEQUENTIAL"},
	{MADV_WILLNEED, "MADV_WILLNEED"},
	{MADV_DONTNEED, "MADV_DONTNEED"},
	{MADV_DONTNEED, "MADV_DONTNEED"},
	{MADV_DONTNEED, "MADV_DONTNEED"},
	{MADV_FREE, "MADV_FREE"},
	{MADV_DONTDUMP, "MADV_DONTDUMP"},
	{MADV_DODUMP, "MADV_DODUMP"},
	{MADV_COLD, "MADV_COLD"},
	{MADV_PAGEOUT, "MADV_PAGEOUT"},
	{1000, "1000"},
};

static const struct advice more_advices[] = {
	{MADV_POPULATE_READ, "MADV_POPULATE_READ"}, {MADV_POPULATE_WRITE, "MADV_POPULATE_WRITE"},
	{MADV_REMOVE, "MADV_REMOVE"},	      {MADV_DONTFORK, "MADV_DONTFORK"},
	{MADV_DOFORK, "MADV_DOFORK"},	      {MADV_WIPEONFORK, "MADV_WIPEONFORK"},
	{MADV_KEEPONFORK, "MADV_KEEPONFORK"},
};

static void advise(struct player *player, const struct advice *advice)
{
	struct range range = choose_odd_range(player);
	long result;

	/* To the end of user space: the program's stack would be dropped as well. */
	if (range.length > 2 * ARENA_PAGES * PAGE)
		range.length = -1ul;
	say(player, "madvise(");
	say_range(player, &range);
	say(player, ", %s);", advice->name);
	result = madvise(range_address(&range), range.length, advice->value) < 0 ? -errno : 0;
	/* Linux frees when it needs memory; unless it refused, that is now. */
	if (advice->value == MADV_FREE && range.shift == 0)
		madvise(range_address(&range), range.length, MADV_DONTNEED);
	answer(player, result);
}

static void run_advise(struct player *player)
{
	advise(player, &advices[choose(player, LENGTH(advices))]);
}

static void run_advise_more(struct player *player)
{
	advise(player, &more_advices[choose(player, LENGTH(more_advices))]);
}

static void run_sync(struct player *player)
{
	static const int flags[] = {MS_SYNC,
				    MS_SYNC,
				    MS_ASYNC,
				    MS_INVALIDATE,
				    MS_SYNC | MS_INVALIDATE,
				    0,
				    MS_SYNC | MS_ASYNC,
				    8};
	struct range range = choose_odd_range(player);
	int chosen = flags[choose(player, LENGTH(flags))];

	/* To the end of user space: whether other threads have locked something would count. */
	if (range.length > 2 * ARENA_PAGES * PAGE)
		range.length = -1ul;
	say(player, "msync(");
	say_range(player, &range);
	say(player, ", %#x);", chosen);
	answer_call(player, msync(range_address(&range), range.length, chosen));
}

static void run_lock(struct player *player)
{
	struct range range = choose_odd_range(player);
	unsigned how = choose(player, 4);
	long result;

	say(player, "%s(", how == 0 ? "mlock" : how == 1 ? "mlock2" : "munlock");
	say_range(player, &range);
	say(player, "%s);", how == 1 ? ", MLOCK_ONFAULT" : "");
	if (how == 0)
		result = mlock(range_address(&range), range.length);
	else if (how == 1)
		result = syscall(SYS_mlock2, range_address(&range), range.length, MLOCK_ONFAULT);
	else
		result = munlock(range_address(&range), range.length);
	answer_call(player, result);
}

static void run_mincore(struct player *player)
{
	struct range range = choose_odd_range(player);
	unsigned char resident[256];

	/* What is resident is the kernel's own affair; what is mapped is not. */
	if (range.length > sizeof(resident) * PAGE)
		range.length = -1ul;
	say(player, "mincore(");
	say_range(player, &range);
	say(player, ", resident);");
	answer_call(player, mincore(range_address(&range), range.length, resident));
}

/* ---- accesses ---- */

#define RET 0xc3ul /* the instruction that ends a function */

static char *choose_word(struct player *player, struct range *range)
{
	static const unsigned words[] = {0, 1, 12, 13, 256, 511};

	*range = choose_range(player);
	range->shift = words[choose(player, LENGTH(words))] * 8;
	return range_address(range);
}

static void run_load(struct player *player)
{
	struct range range;
	char *at = choose_word(player, &range);
	uint64_t value = 0;
	struct fault fault = try_access(at, ACCESS_LOAD, &value);

	say(player, "load(%s + %u * PAGE + %zu);", range.arena->name, range.page, range.shift);
	answer_fault(player, &fault, value);
}

/* One word in each page of the range. */
static void run_store(struct player *player)
{
	struct range range;
	char *at = choose_word(player, &range);
	uint64_t value = RET | (uint64_t)(player->position * 8 + player->thread + 1) << 16;
	unsigned pages = one_in(player, 2) ? 1 : range.pages;

	say(player, "store(%s + %u * PAGE + %zu, %#lx, %u);", range.arena->name, range.page,
	    range.shift, value, pages);
	for (unsigned i = 0; i < pages; i++) {
		struct fault fault = try_access(at + i * PAGE, ACCESS_STORE, &value);

		player->stores += fault.signal == 0;
		if (fault.signal || i + 1 == pages) {
			answer_fault(player, &fault, i);
			break;
		}
	}
}

/* Calls what lies there if it is an instruction that returns. */
static void run_execute(struct player *player)
{
	struct range range;
	char *at = choose_word(player, &range);
	uint64_t value = 0;
	struct fault fault = try_access(at, ACCESS_LOAD, &value);

	say(player, "execute(%s + %u * PAGE + %zu);", range.arena->name, range.page, range.shift);
	if (fault.signal == 0 && (value & 0xff) == RET)
		fault = try_access(at, ACCESS_EXECUTE, &value);
	answer_fault(player, &fault, value);
}

/* ---- files ---- */

static size_t choose_file_offset(struct player *player)
{
	return choose(player, 8) * PAGE + (one_in(player, 2) ? choose(player, PAGE) : 0);
}

/* Where the file can be changed, whatever the descriptor's rights. */
static int writable_descriptor(const struct player *player, enum file_number file)
{
	return player->files[file == FILE_MEMFD ? FILE_MEMFD : FILE_BOTH];
}

static off_t file_size(const struct player *player, enum file_number file)
{
	struct stat status;

	return fstat(player->files[file], &status) == 0 ? status.st_size : -1;
}

/*
 * What a mapping stored behind the end of the file becomes visible when Linux's tmpfs extends the
 * file; cutting the file at its end makes it zeros there too.
 */
static void clear_tail(const struct player *player, enum file_number file)
{
	if (ftruncate(writable_descriptor(player, file), file_size(player, file)) < 0)
		_exit(93);
}

/*
 * A write of nothing, its buffer being bad, extends a file of Linux's tmpfs up to where it would
 * have begun: so it begins within the file. (It might even end well: when the buffer is a mapping
 * of what the file has been extended by.)
 */
static size_t keep_size(const struct player *player, enum file_number file,
			const struct range *buffer, size_t offset)
{
	size_t size = (size_t)file_size(player, file);
	uint64_t word;

	if (offset <= size)
		return offset;
	return try_access(range_address(buffer) - buffer->shift % 8, ACCESS_LOAD, &word).signal
		       ? size
		       : offset;
}

static void run_truncate(struct player *player)
{
	enum file_number file = choose_file(player);
	long size = (long)choose_file_offset(player);

	if (one_in(player, 24))
		size = one_in(player, 2) ? -1 : -4096;
	say(player, "ftruncate(%s, %ld);", file_names[file], size);
	clear_tail(player, file);
	answer_call(player, ftruncate(player->files[file], size));
}

/*
 * Between a file and a mapping of it a copy may overlap itself, and what that gives depends on the
 * order of the bytes; unless both begin at the same distance from a page.
 */
static size_t keep_apart(const struct player *player, enum file_number file,
			 const struct range *buffer, size_t offset)
{
	if (offset % PAGE == buffer->shift ||
	    !player_maps(player, range_address(buffer), buffer->length, file))
		return offset;
	return offset / PAGE * PAGE + buffer->shift;
}

/* Through the arena's memory, which may be missing or forbidden from some page on. */
static void transfer(struct player *player, bool from_file)
{
	struct range range = choose_range(player);
	enum file_number file = choose_file(player);
	size_t offset = choose_file_offset(player);
	long result;

	if (one_in(player, 2)) {
		range.shift = choose(player, PAGE);
		range.length = choose(player, 3 * PAGE);
	}
	offset = keep_apart(player, file, &range, offset);
	if (!from_file) {
		clear_tail(player, file);
		offset = keep_size(player, file, &range, offset);
	}
	say(player, "%s(%s, ", from_file ? "pread" : "pwrite", file_names[file]);
	say_range(player, &range);
	say(player, ", %#lx);", offset);
	if (from_file)
		result = pread(player->files[file], range_address(&range), range.length,
			       (off_t)offset);
	else
		result = pwrite(player->files[file], range_address(&range), range.length,
				(off_t)offset);
	answer_call(player, result);
}

static void run_read(struct player *player)
{
	transfer(player, true);
}

static void run_write(struct player *player)
{
	transfer(player, false);
}

static void run_allocate(struct player *player)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE};
	enum file_number file = choose_file(player);
	int mode = modes[choose(player, LENGTH(modes))];
	size_t offset = choose_file_offset(player), length = choose(player, 4 * PAGE);

	clear_tail(player, file);
	say(player, "fallocate(%s, %#x, %#lx, %#lx);", file_names[file], mode, offset, length);
	answer_call(player, fallocate(player->files[file], mode, (off_t)offset, (off_t)length));
}

/* ---- processes ---- */

/* What a child tells its parent: written through memory they share. */
struct outcome {
	uint64_t digest;
	unsigned position;
};

static void run_child(struct player *player, struct outcome *outcome)
{
	bool look;

	player->depth++;
	player->position++;
	player->digest = 0;
	look = one_in(player, 2);
	player_run(player);
	if (look)
		player_verify(player);
	outcome->digest = player->digest;
	outcome->position = player->position;
	_exit(0);
}

static void run_fork(struct player *player)
{
	struct outcome *outcome;
	pid_t pid;
	int status;

	if (player->depth >= FORKS_MAX) {
		say(player, ";");
		answer(player, 0);
		return;
	}
	outcome = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	outcome->position = options.operations;
	say(player, "fork();");
	answer(player, 0);
	pid = fork();
	if (pid == 0)
		run_child(player, outcome);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		_exit(95);
	mix(player, outcome->digest);
	player->position = outcome->position;
	say(player, "/* t%u #%u */ _exit(); /* digest %#lx */", player->thread, player->position,
	    outcome->digest);
	munmap(outcome, PAGE);
	answer(player, status);
}

static void run_exit(struct player *player)
{
	(void)player;
}

static void run_verify(struct player *player)
{
	say(player, ";");
	answer(player, 0);
	player_verify(player);
}

static const struct operation operations[] = {
	{"map private", 12, run_map_private},
	{"map shared", 8, run_map_shared},
	{"map file", 16, run_map_file},
	{"map odd", 3, run_map_odd},
	{"map growsdown", 6, run_map_growsdown},
	{"unmap", 10, run_unmap},
	{"protect", 16, run_protect},
	{"remap", 14, run_remap},
	{"remap more", 8, run_remap_more},
	{"brk", 5, run_brk},
	{"advise", 12, run_advise},
	{"advise more", 8, run_advise_more},
	{"sync", 4, run_sync},
	{"lock", 6, run_lock},
	{"mincore", 4, run_mincore},
	{"load", 24, run_load},
	{"store", 36, run_store},
	{"execute", 6, run_execute},
	{"truncate", 8, run_truncate},
	{"allocate", 6, run_allocate},
	{"read", 8, run_read},
	{"write", 10, run_write},
	{"fork", 5, run_fork},
	{"exit", 4, run_exit},
	{"verify", 2, run_verify},
};

const struct operation *operation_choose(struct player *player)
{
	unsigned sum = 0, left;

	for (size_t i = 0; i < LENGTH(operations); i++)
		sum += operations[i].weight;
	left = choose(player, sum);
	for (size_t i = 0;; i++) {
		if (left < operations[i].weight)
			return &operations[i];
		left -= operations[i].weight;
	}
}

bool operation_is_exit(const struct operation *operation)
{
	return operation->run == run_exit;
}
