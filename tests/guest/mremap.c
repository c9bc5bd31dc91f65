/*
 * mremap.c - mremap: mappings shrink, grow, move and are doubled, and keep what they hold.
 *
 * Not here: a fixed move of several mappings at once (found_by_fuzz.c).
 */
#include "helpers.h"

#define RW (PROT_READ | PROT_WRITE)
#define MOVE MREMAP_MAYMOVE
#define FIXED (MREMAP_MAYMOVE | MREMAP_FIXED)
#define KEEP (MREMAP_MAYMOVE | MREMAP_DONTUNMAP)
#define KERNEL_HALF UINT64_C(0xffff800000000000)

/* libc's has an opinion on flags and addresses; errors come as with it. */
static char *remap(const void *address, size_t old, size_t new, int flags, const void *to)
{
	errno = 0;
	return (char *)syscall(SYS_mremap, address, old, new, flags, to);
}

#define expect_remap(address, old, new, flags, to, result)                                         \
	expect(remap(address, old, new, flags, to) == (result))

static bool mapped(const void *address)
{
	unsigned char byte;

	return mincore((void *)(uintptr_t)address, PAGE, &byte) == 0;
}

static void shrinks(void)
{
	char *map = map_alone(8 * PAGE, RW);

	fill_pattern(map, 0, 8 * PAGE);
	expect_remap(map, 8 * PAGE, 3 * PAGE, 0, NULL, map);
	expect_pattern(map, 0, 3 * PAGE);
	expect(!mapped(map + 3 * PAGE));
	/* The middle of a mapping: what follows the old length stays. */
	map = map_alone(8 * PAGE, RW);
	fill_pattern(map, 0, 8 * PAGE);
	expect_remap(map + PAGE, 3 * PAGE, PAGE, MOVE, NULL, map + PAGE);
	expect(!mapped(map + 2 * PAGE) && !mapped(map + 3 * PAGE));
	expect_pattern(map + 4 * PAGE, 4 * PAGE, 4 * PAGE);
	/* The length is rounded up; equal lengths change nothing. */
	expect_remap(map + 4 * PAGE, 2 * PAGE, PAGE + 1, 0, NULL, map + 4 * PAGE);
	expect_pattern(map + 4 * PAGE, 4 * PAGE, 4 * PAGE);
}

static void shrinks_over_zones_and_holes(void)
{
	char *map = map_alone(8 * PAGE, RW);

	expect(mprotect(map + 3 * PAGE, PAGE, PROT_READ) == 0);
	expect(munmap(map + 5 * PAGE, PAGE) == 0);
	expect_remap(map, 8 * PAGE, 8 * PAGE, 0, NULL, map);
	expect_remap(map, 8 * PAGE, PAGE, 0, NULL, map);
	for (size_t page = 1; page < 8; page++)
		expect(!mapped(map + page * PAGE));
	poke(map, 1);
}

static void grows_in_place(void)
{
	char *map = map_alone(8 * PAGE, RW);

	fill_pattern(map, 0, 8 * PAGE);
	expect(munmap(map + 2 * PAGE, 6 * PAGE) == 0);
	expect_remap(map, 2 * PAGE, 5 * PAGE, 0, NULL, map);
	expect_pattern(map, 0, 2 * PAGE);
	expect_filled(map + 2 * PAGE, 0, 3 * PAGE);
	expect_zone(map, 5 * PAGE, "rw-p");
	expect_remap(map + 4 * PAGE, PAGE, 4 * PAGE, MOVE, NULL, map + 4 * PAGE);
	expect_zone(map, 8 * PAGE, "rw-p");
	/* Not at the end of the mapping, or something in the way. */
	expect_errno((long)remap(map, 2 * PAGE, 3 * PAGE, 0, NULL), ENOMEM);
	map_fixed(map + 8 * PAGE, PAGE, PROT_READ);
	expect_errno((long)remap(map, 8 * PAGE, 9 * PAGE, 0, NULL), ENOMEM);
	expect_errno((long)remap(map, 8 * PAGE, 10 * PAGE, 0, NULL), ENOMEM);
}

static void moves_and_grows(void)
{
	char *map = map_alone(4 * PAGE, RW), *moved;

	fill_pattern(map, 0, 4 * PAGE);
	map_fixed(map + 4 * PAGE, PAGE, PROT_NONE);
	moved = remap(map, 4 * PAGE, 600 * PAGE, MOVE, NULL);
	expect(moved != MAP_FAILED && moved != map);
	expect_pattern(moved, 0, 4 * PAGE);
	expect_filled(moved + 4 * PAGE, 0, 596 * PAGE);
	expect(!mapped(map));
	expect(mapped(map + 4 * PAGE));
}

static void moves_a_part(void)
{
	char *map = map_alone(6 * PAGE, RW), *to = free_range(4 * PAGE);

	fill_pattern(map, 0, 6 * PAGE);
	expect_remap(map + 2 * PAGE, 2 * PAGE, 2 * PAGE, FIXED, to, to);
	expect_pattern(to, 2 * PAGE, 2 * PAGE);
	expect_pattern(map, 0, 2 * PAGE);
	expect_pattern(map + 4 * PAGE, 4 * PAGE, 2 * PAGE);
	expect(!mapped(map + 2 * PAGE) && !mapped(map + 3 * PAGE));
	/* And back into the hole, where it joins its old neighbours. */
	expect_remap(to, 2 * PAGE, 2 * PAGE, FIXED, map + 2 * PAGE, map + 2 * PAGE);
	expect_pattern(map, 0, 6 * PAGE);
	expect(!mapped(to));
}

static void fixed_replaces(void)
{
	char *from = map_alone(4 * PAGE, RW), *to = map_alone(6 * PAGE, RW);

	fill_pattern(from, 0, 4 * PAGE);
	memset(to, 7, 6 * PAGE);
	expect_remap(from, 4 * PAGE, 2 * PAGE, FIXED, to + PAGE, to + PAGE); /* shrinks too */
	expect_filled(to, 7, PAGE);
	expect_pattern(to + PAGE, 0, 2 * PAGE);
	expect_filled(to + 3 * PAGE, 7, 3 * PAGE);
	for (size_t page = 0; page < 4; page++)
		expect(!mapped(from + page * PAGE));
	expect_remap(to + PAGE, 2 * PAGE, 4 * PAGE, FIXED, from, from); /* grows too */
	expect_pattern(from, 0, 2 * PAGE);
	expect_filled(from + 2 * PAGE, 0, 2 * PAGE);
}

static void fixed_within_one_mapping(void)
{
	char *map = map_alone(8 * PAGE, RW);

	fill_pattern(map, 0, 8 * PAGE);
	expect_remap(map + PAGE, 2 * PAGE, 2 * PAGE, FIXED, map + 4 * PAGE, map + 4 * PAGE);
	expect_pattern(map, 0, PAGE);
	expect(!mapped(map + PAGE) && !mapped(map + 2 * PAGE));
	expect_pattern(map + 3 * PAGE, 3 * PAGE, PAGE);
	expect_pattern(map + 4 * PAGE, PAGE, 2 * PAGE);
	expect_pattern(map + 6 * PAGE, 6 * PAGE, 2 * PAGE);
}

static void dont_unmap(void)
{
	char *map = map_alone(4 * PAGE, RW), *to = free_range(4 * PAGE), *moved;

	fill_pattern(map, 0, 4 * PAGE);
	expect_remap(map, 4 * PAGE, 4 * PAGE, KEEP | MREMAP_FIXED, to, to);
	expect_pattern(to, 0, 4 * PAGE);
	expect_filled(map, 0, 4 * PAGE); /* mapped, and new */
	fill_pattern(map, 5, 4 * PAGE);
	moved = remap(map + PAGE, 2 * PAGE, 2 * PAGE, KEEP, NULL);
	expect(moved != MAP_FAILED);
	expect_pattern(moved, 5 + PAGE, 2 * PAGE);
	expect_pattern(map, 5, PAGE);
	expect_filled(map + PAGE, 0, 2 * PAGE);
	expect_pattern(map + 3 * PAGE, 5 + 3 * PAGE, PAGE);
	expect_pattern(to, 0, 4 * PAGE);
}

static void dont_unmap_a_file(void)
{
	char *map, *moved;

	scratch_enter();
	map = map_file(file_create("file", 3 * PAGE), 3 * PAGE, RW, MAP_SHARED, 0);
	poke(map + PAGE, 200);
	moved = remap(map, 3 * PAGE, 3 * PAGE, KEEP, NULL);
	expect(moved != MAP_FAILED);
	expect_equal(peek(moved + PAGE), 200);
	expect_equal(peek(map + PAGE), 200);
	poke(map, 100);
	expect_equal(peek(moved), 100);
	expect_equal(file_byte("file", 0), 100);
}

static void old_length_zero_doubles(void)
{
	char *map = map_anon(4 * PAGE, RW, MAP_SHARED), *private = map_alone(PAGE, RW), *twin;
	char *to = free_range(2 * PAGE);

	fill_pattern(map, 0, 4 * PAGE);
	twin = remap(map + PAGE, 0, 3 * PAGE, MOVE, NULL);
	expect(twin != MAP_FAILED);
	expect_pattern(twin, PAGE, 3 * PAGE);
	poke(twin, 99);
	expect_equal(peek(map + PAGE), 99);
	expect_remap(map, 0, 2 * PAGE, FIXED, to, to);
	expect_pattern(to, 0, PAGE);
	expect_equal(peek(to + PAGE), 99);
	expect_errno((long)remap(map, 0, PAGE, 0, NULL), ENOMEM); /* it would have to move */
	expect_errno((long)remap(private, 0, PAGE, MOVE, NULL), EINVAL);
}

static void files_keep_their_offset(void)
{
	char *map, *to;

	scratch_enter();
	map = map_file(file_create("file", 6 * PAGE), 4 * PAGE, RW, MAP_SHARED, PAGE);
	to = free_range(4 * PAGE);
	expect_equal(peek(map), pattern(PAGE));
	expect_remap(map + PAGE, 2 * PAGE, 4 * PAGE, FIXED, to, to);
	expect_pattern(to, 2 * PAGE, 4 * PAGE); /* what was added shows the file too */
	poke(to + 3 * PAGE, 200);
	expect_equal(file_byte("file", 5 * PAGE), 200);
	expect_pattern(map, PAGE, PAGE);
	expect_pattern(map + 3 * PAGE, 4 * PAGE, PAGE);
}

static void rights_move(void)
{
	char *map = map_alone(2 * PAGE, RW), *to = free_range(4 * PAGE);

	fill_pattern(map, 0, 2 * PAGE);
	expect(mprotect(map, 2 * PAGE, PROT_NONE) == 0);
	expect_remap(map, 2 * PAGE, 4 * PAGE, FIXED, to, to);
	expect_zone(to, 4 * PAGE, "---p");
	expect_read_kills(to, SIGSEGV);
	expect(mprotect(to, 4 * PAGE, PROT_READ) == 0);
	expect_pattern(to, 0, 2 * PAGE);
	expect_write_kills(to, SIGSEGV);
}

static void copy_on_write_moves(void)
{
	char *map = map_alone(2 * PAGE, RW), *to = free_range(2 * PAGE);
	pid_t pid;

	fill_pattern(map, 0, 2 * PAGE);
	pid = fork_child();
	if (pid == 0) {
		expect_remap(map, 2 * PAGE, 2 * PAGE, FIXED, to, to);
		expect_pattern(to, 0, 2 * PAGE);
		memset(to, 1, 2 * PAGE);
		child_end();
	}
	expect_exit(pid, 0);
	expect_pattern(map, 0, 2 * PAGE);
}

static void stacks_move(void)
{
	char *room = free_range(1024 * PAGE), *to = room + 800 * PAGE;
	char *stack = mmap(room + 400 * PAGE, 4 * PAGE, RW,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	expect(stack != MAP_FAILED);
	fill_pattern(stack, 0, 4 * PAGE);
	expect_remap(stack, 4 * PAGE, 4 * PAGE, FIXED, to, to);
	expect_pattern(to, 0, 4 * PAGE);
	expect(!mapped(stack));
	poke(to - PAGE, 1); /* it still grows */
	expect_zone(to - PAGE, 5 * PAGE, "rw-p");
}

static void bad_arguments(void)
{
	char *map = map_alone(8 * PAGE, RW), *hole = free_range(4 * PAGE);
	const struct {
		const char *name;
		const char *address;
		size_t old, new;
		int flags;
		const char *to;
		int error;
	} rows[] = {
		{"misaligned", map + 1, PAGE, PAGE, 0, NULL, EINVAL},
		{"new length 0", map, PAGE, 0, 0, NULL, EINVAL},
		{"unknown flag", map, PAGE, PAGE, 8, NULL, EINVAL},
		{"FIXED alone", map, PAGE, PAGE, MREMAP_FIXED, hole, EINVAL},
		{"DONTUNMAP alone", map, PAGE, PAGE, MREMAP_DONTUNMAP, NULL, EINVAL},
		{"DONTUNMAP that grows", map, PAGE, 2 * PAGE, KEEP, NULL, EINVAL},
		{"DONTUNMAP that shrinks", map, 2 * PAGE, PAGE, KEEP, NULL, EINVAL},
		{"onto itself", map, PAGE, PAGE, FIXED, map, EINVAL},
		{"over its end", map, 2 * PAGE, 2 * PAGE, FIXED, map + PAGE, EINVAL},
		{"over its beginning", map + PAGE, 2 * PAGE, 2 * PAGE, FIXED, map, EINVAL},
		{"target misaligned", map, PAGE, PAGE, FIXED, hole + 1, EINVAL},
		{"target in the kernel half", map, PAGE, PAGE, FIXED, (char *)KERNEL_HALF, EINVAL},
		{"target is the last page of all", map, PAGE, PAGE, FIXED, (char *)-PAGE, EINVAL},
		{"new length of the user half", map, PAGE, UINT64_C(1) << 47, MOVE, NULL, EINVAL},
		{"new length of everything", map, PAGE, -PAGE, MOVE, NULL, EINVAL},
		{"new length rounds to 0", map, PAGE, UINT64_MAX, MOVE, NULL, EINVAL},
		{"old length beyond user space", map, UINT64_C(1) << 62, PAGE, 0, NULL, EINVAL},
		{"nothing there", hole, PAGE, PAGE, 0, NULL, EFAULT},
		{"nothing there to grow", hole, PAGE, 2 * PAGE, MOVE, NULL, EFAULT},
		{"nothing there to move", hole, PAGE, PAGE, FIXED, map, EFAULT},
		{"kernel half", (char *)KERNEL_HALF, PAGE, PAGE, 0, NULL, EFAULT},
		{"last page of all", (char *)-PAGE, PAGE, 2 * PAGE, MOVE, NULL, EFAULT},
		{"past the end of the mapping", map, 9 * PAGE, 10 * PAGE, MOVE, NULL, EFAULT},
		{"two zones", map, 8 * PAGE, 9 * PAGE, MOVE, NULL, EFAULT},
		{"no room", map, PAGE, (UINT64_C(1) << 47) - PAGE, MOVE, NULL, ENOMEM},
	};

	fill_pattern(map, 0, 8 * PAGE);
	expect(mprotect(map + 4 * PAGE, 4 * PAGE, PROT_READ) == 0);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		check_errno(rows[i].name,
			    (long)remap(rows[i].address, rows[i].old, rows[i].new, rows[i].flags,
					rows[i].to),
			    rows[i].error);
	expect_pattern(map, 0, 8 * PAGE);
	expect_zone(map, 4 * PAGE, "rw-p");
}

/*
 * Old size 0 at its own place: the new range is emptied first, and then nothing is left to map
 * again.
 */
static void duplicate_onto_itself(void)
{
	char *memory = map_anon(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	poke(memory + 2 * PAGE, 3);
	expect_errno(mremap(memory, 0, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, memory), EFAULT);
	expect_read_kills(memory, SIGSEGV);
	expect_equal(peek(memory + 2 * PAGE), 3);
}

static const struct tap_case cases[] = {
	{"old size 0 onto the place itself", duplicate_onto_itself},
	{"it shrinks", shrinks},
	{"the tail that goes may be several mappings and holes", shrinks_over_zones_and_holes},
	{"it grows in place where there is room", grows_in_place},
	{"it moves where there is more room", moves_and_grows},
	{"a part of a mapping moves", moves_a_part},
	{"MREMAP_FIXED replaces what was there", fixed_replaces},
	{"MREMAP_FIXED within one mapping", fixed_within_one_mapping},
	{"MREMAP_DONTUNMAP leaves the old place mapped and empty", dont_unmap},
	{"MREMAP_DONTUNMAP of a file", dont_unmap_a_file},
	{"old length 0 maps shared pages a second time", old_length_zero_doubles},
	{"mappings of files keep their offset", files_keep_their_offset},
	{"rights move along, of absent pages too", rights_move},
	{"pages shared by fork stay private", copy_on_write_moves},
	{"what grows down still does", stacks_move},
	{"bad arguments have their errno and change nothing", bad_arguments},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
