/*
 * pieces.c - mremap of a zone that Linux keeps in pieces.
 *
 * Linux does not join all neighbours it could: a stack that grows to the one below stays apart from
 * it, and so do private mappings that were both written before they met, that were moved next to
 * each other, or that MAP_NORESERVE or mprotect made to count differently. Only mremap tells the
 * difference: where it grows, or moves to another length, it takes one mapping, and says EFAULT of
 * several. Here it does in steps what it would have done with one. Where a kernel keeps nothing
 * apart, as stos, nothing here ever happens.
 */
#include "mapfuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM (1ul << 30) /* nothing longer finds a place beside the arenas */

/* ---- are they pieces of one? ---- */

/* A mapping as /proc/self/smaps tells it. */
struct piece {
	uintptr_t beg, end;
	unsigned long offset, inode;
	char rights[5];
	char flags[100];
};

/* What does not keep mappings apart for what they are: room that counts, and what was written since
 * a mark. */
static void forget_flags(char *flags)
{
	static const char *const counted[] = {"ac ", "nr ", "sd "};

	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
		char *at = strstr(flags, counted[i]);

		if (at)
			memmove(at, at + 3, strlen(at + 3) + 1);
	}
}

/* A mapping's first line; false: another one. */
static bool read_heading(const char *text, struct piece *piece)
{
	struct piece read = {.end = 0};

	if (sscanf(text, "%lx-%lx %4s %lx %*s %lu", &read.beg, &read.end, read.rights, &read.offset,
		   &read.inode) != 5)
		return false;
	*piece = read;
	return true;
}

/* Shared memory that does not say which (stos) is not known to be one. */
static bool continues(const struct piece *a, const struct piece *b)
{
	if (a->end != b->beg || strcmp(a->rights, b->rights) != 0 ||
	    strcmp(a->flags, b->flags) != 0)
		return false;
	if (a->inode == 0 && b->inode == 0)
		return a->rights[3] == 'p';
	return a->inode == b->inode && a->offset + (a->end - a->beg) == b->offset;
}

/* A file's next line, without malloc, which would move the break. */
struct lines {
	int fd;
	size_t at, end;
	char buffer[4096];
};

static bool next_line(struct lines *lines, char *text, size_t size)
{
	for (size_t length = 0; length + 1 < size; length++) {
		if (lines->at == lines->end) {
			ssize_t got = read(lines->fd, lines->buffer, sizeof(lines->buffer));

			if (got <= 0)
				return false;
			lines->at = 0;
			lines->end = (size_t)got;
		}
		text[length] = lines->buffer[lines->at++];
		text[length + 1] = '\0';
		if (text[length] == '\n')
			return true;
	}
	return true;
}

/* [beg, end) is mapped, and only to pieces of one. */
static bool all_alike(struct lines *smaps, uintptr_t beg, uintptr_t end)
{
	struct piece piece = {.end = 0}, last = {.end = 0};
	char text[500];

	while (next_line(smaps, text, sizeof(text))) {
		if (read_heading(text, &piece) || piece.end <= beg)
			continue;
		if (sscanf(text, "VmFlags: %99[^\n]", piece.flags) != 1)
			continue;
		forget_flags(piece.flags);
		if (last.end == 0 ? piece.beg > beg : !continues(&last, &piece))
			return false;
		if (piece.end >= end)
			return true;
		last = piece;
	}
	return false;
}

static bool in_pieces(char *beg, size_t length)
{
	struct lines smaps = {.fd = open("/proc/self/smaps", O_RDONLY)};
	bool result;

	if (smaps.fd < 0)
		_exit(92);
	result = length > 0 && all_alike(&smaps, (uintptr_t)beg, (uintptr_t)beg + length);
	close(smaps.fd);
	return result;
}

/* ---- mremap in steps ---- */

static size_t round_up(size_t length)
{
	return (length + PAGE - 1) / PAGE * PAGE;
}

/* By the last page alone, which is in one piece. */
static bool grow(char *end, size_t more)
{
	return mremap(end - PAGE, PAGE, PAGE + more, 0) != MAP_FAILED;
}

static char *move(char *from, size_t old_length, size_t new_length, int flags, char *to)
{
	size_t kept = old_length < new_length ? old_length : new_length;

	munmap(to, new_length);
	if (old_length > new_length && munmap(from + new_length, old_length - new_length) < 0)
		return MAP_FAILED;
	if (mremap(from, kept, kept, flags | MREMAP_FIXED, to) == MAP_FAILED)
		return MAP_FAILED;
	if (new_length > old_length && !grow(to + old_length, new_length - old_length))
		_exit(91);
	return to;
}

/* A kernel would follow the wish for this place: free, and not too near to a stack. */
static bool is_granted(char *wish, size_t length)
{
	char *got = mmap(wish, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (got != MAP_FAILED && got != wish)
		munmap(got, length);
	return got == wish; /* and taken: move() clears it */
}

/* `elsewhere` is free, and as good as what a kernel would choose. */
static char *remap_steps(char *from, size_t old_length, size_t new_length, int flags, char *to,
			 char *elsewhere)
{
	if (flags & MREMAP_FIXED)
		return move(from, old_length, new_length, flags, to);
	if (flags & MREMAP_DONTUNMAP)
		return move(from, old_length, new_length, flags,
			    is_granted(to, new_length) ? to : elsewhere);
	if (grow(from + old_length, new_length - old_length))
		return from;
	if (!(flags & MREMAP_MAYMOVE) || new_length > ROOM)
		return MAP_FAILED; /* with grow's ENOMEM */
	return move(from, old_length, new_length, flags, elsewhere);
}

char *remap_whole(char *from, size_t old_length, size_t new_length, int flags, char *to,
		  char *elsewhere)
{
	char *result = mremap(from, old_length, new_length, flags, to);
	size_t kept;

	if (result != MAP_FAILED || errno != EFAULT)
		return result;
	old_length = round_up(old_length);
	new_length = round_up(new_length);
	kept = old_length < new_length ? old_length : new_length;
	if (in_pieces(from, kept))
		return remap_steps(from, old_length, new_length, flags, to, elsewhere);
	errno = EFAULT;
	return MAP_FAILED;
}
