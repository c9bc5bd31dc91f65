/*
 * regions.c - a worker's own mappings, whose contents it knows page by page.
 *
 * The model of a page is one stamp, which its first and last words hold; 0 is a page of zeros. A
 * file is a list of stamps. A page of a shared mapping is the file's; one of a private mapping is
 * the file's until it is written, then its own; truncation takes both. A page behind the end of
 * the file raises SIGBUS, one without the right to the access SIGSEGV. Pages that were unmapped
 * are never touched: other threads may have mapped something there.
 */
#include "stress.h"

#define REGIONS 6
#define MOST_PAGES 24
#define WORDS (PAGE / 8)

enum page_state { HOLE, MAPPED };

struct page {
	enum page_state state;
	int prot;
	bool own;	/* what it holds is in `stamp`, not in the file */
	uint64_t stamp; /* anonymous memory: always its own */
};

struct region {
	char *base;
	size_t pages; /* 0: not in use */
	bool shared, file;
	size_t offset; /* of the first page in the file, in pages */
	struct page page[MOST_PAGES];
};

struct regions {
	struct region region[REGIONS];
	int fd; /* this worker's file */
	size_t file_pages;
	uint64_t file[2 * MOST_PAGES];
	uint64_t stamps; /* given out so far */
};

static uint64_t new_stamp(struct worker *worker)
{
	return (uint64_t)(worker->process + 1) << 56 | (uint64_t)worker->thread << 48 |
	       ++worker->mine->stamps;
}

/* --- the model -------------------------------------------------------------------------------- */

static bool behind_end(const struct worker *worker, const struct region *region, size_t page)
{
	return region->file && region->offset + page >= worker->mine->file_pages;
}

static uint64_t *stamp_of(struct worker *worker, struct region *region, size_t page)
{
	if (region->file && !region->page[page].own)
		return &worker->mine->file[region->offset + page];
	return &region->page[page].stamp;
}

static void check_page(struct worker *worker, struct region *region, size_t number)
{
	const struct page *page = &region->page[number];
	char *at = region->base + number * PAGE;
	uint64_t first = 0, last = 0, stamp;
	int wanted = page->prot == PROT_NONE		  ? SIGSEGV
		     : behind_end(worker, region, number) ? SIGBUS
							  : 0;
	int signal;

	if (page->state == HOLE)
		return;
	signal = stress_load(at, &first);
	if (signal != wanted)
		fail(worker, "page %zu of %zu at %p: signal %d, expected %d", number, region->pages,
		     (void *)at, signal, wanted);
	if (signal != 0)
		return;
	stamp = *stamp_of(worker, region, number);
	if (stress_load(at + (WORDS - 1) * 8, &last) != 0 || first != stamp || last != stamp)
		fail(worker, "page %zu of %zu at %p (%s%s) holds 0x%lx and 0x%lx, expected 0x%lx",
		     number, region->pages, (void *)at, region->shared ? "shared" : "private",
		     region->file ? ", file" : "", first, last, stamp);
}

static void write_page(struct worker *worker, struct region *region, size_t number)
{
	struct page *page = &region->page[number];
	char *at = region->base + number * PAGE;
	uint64_t stamp;
	int wanted, signal;

	if (page->state == HOLE)
		return;
	wanted = !(page->prot & PROT_WRITE)	      ? SIGSEGV
		 : behind_end(worker, region, number) ? SIGBUS
						      : 0;
	stamp = new_stamp(worker);
	signal = stress_store(at, stamp);
	if (signal != wanted)
		fail(worker, "store to page %zu of %zu at %p: signal %d, expected %d", number,
		     region->pages, (void *)at, signal, wanted);
	if (signal != 0)
		return;
	must(worker, stress_store(at + (WORDS - 1) * 8, stamp) == 0);
	if (!region->shared)
		page->own = true;
	*stamp_of(worker, region, number) = stamp;
}

/* --- choices ---------------------------------------------------------------------------------- */

/* A region that is mapped, or NULL. */
static struct region *choose_region(struct worker *worker)
{
	struct region *region = &worker->mine->region[choose(worker, REGIONS)];

	return region->pages > 0 ? region : NULL;
}

/* A part of it, [*from, *to). */
static void choose_part(struct worker *worker, const struct region *region, size_t *from,
			size_t *to)
{
	*from = choose(worker, (unsigned)region->pages);
	*to = *from + 1 + choose(worker, (unsigned)(region->pages - *from));
}

static bool has_hole(const struct region *region, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (region->page[i].state == HOLE)
			return true;
	return false;
}

/* --- operations ------------------------------------------------------------------------------- */

static void fresh_pages(struct region *region, size_t from, size_t to, int prot)
{
	for (size_t i = from; i < to; i++)
		region->page[i] = (struct page){.state = MAPPED, .prot = prot};
}

/* Unmap what is left of a region. */
static void drop_region(struct worker *worker, struct region *region)
{
	for (size_t i = 0; i < region->pages; i++)
		if (region->page[i].state == MAPPED)
			must(worker, munmap(region->base + i * PAGE, PAGE) == 0);
	region->pages = 0;
}

static void map_region(struct worker *worker)
{
	struct region *region = &worker->mine->region[choose(worker, REGIONS)];
	int flags;

	drop_region(worker, region);
	region->pages = 1 + choose(worker, MOST_PAGES);
	region->shared = choose(worker, 3) == 0;
	region->file = choose(worker, 2) == 0;
	region->offset = region->file ? choose(worker, MOST_PAGES) : 0;
	flags = (region->shared ? MAP_SHARED : MAP_PRIVATE) | (region->file ? 0 : MAP_ANONYMOUS);
	if (choose(worker, 4) == 0 && (region->shared || !region->file))
		flags |= MAP_POPULATE; /* a private page of a file it would copy, perhaps */
	region->base = mmap(NULL, region->pages * PAGE, RW, flags,
			    region->file ? worker->mine->fd : -1, (off_t)(region->offset * PAGE));
	must(worker, region->base != MAP_FAILED);
	fresh_pages(region, 0, region->pages, RW);
}

static void unmap_part(struct worker *worker)
{
	struct region *region = choose_region(worker);
	size_t from, to;

	if (region == NULL)
		return;
	choose_part(worker, region, &from, &to);
	if (has_hole(region, from, to))
		return; /* somebody else's memory may be there */
	must(worker, munmap(region->base + from * PAGE, (to - from) * PAGE) == 0);
	for (size_t i = from; i < to; i++)
		region->page[i].state = HOLE;
}

/* Fresh anonymous memory over a part of private anonymous memory. */
static void map_over_part(struct worker *worker)
{
	struct region *region = choose_region(worker);
	size_t from, to;
	char *at;

	if (region == NULL || region->file || region->shared)
		return;
	choose_part(worker, region, &from, &to);
	if (has_hole(region, from, to))
		return;
	at = region->base + from * PAGE;
	must(worker, mmap(at, (to - from) * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			  0) == at);
	fresh_pages(region, from, to, RW);
}

static void protect_part(struct worker *worker)
{
	static const int rights[] = {RW, RW, PROT_READ, PROT_NONE};
	struct region *region = choose_region(worker);
	int prot = rights[choose(worker, ARRAY_LENGTH(rights))];
	size_t from, to;

	if (region == NULL)
		return;
	choose_part(worker, region, &from, &to);
	if (has_hole(region, from, to))
		return;
	must(worker, mprotect(region->base + from * PAGE, (to - from) * PAGE, prot) == 0);
	for (size_t i = from; i < to; i++)
		region->page[i].prot = prot;
}

static void write_part(struct worker *worker)
{
	struct region *region = choose_region(worker);
	size_t from, to;

	if (region == NULL)
		return;
	choose_part(worker, region, &from, &to);
	for (size_t i = from; i < to; i++)
		write_page(worker, region, i);
}

static void verify_part(struct worker *worker)
{
	struct region *region = choose_region(worker);
	size_t from, to;

	if (region == NULL)
		return;
	choose_part(worker, region, &from, &to);
	for (size_t i = from; i < to; i++)
		check_page(worker, region, i);
}

/* Private pages lose what they held; those of an object keep it. */
static void forget_part(struct worker *worker)
{
	struct region *region = choose_region(worker);
	size_t from, to;

	if (region == NULL)
		return;
	choose_part(worker, region, &from, &to);
	if (has_hole(region, from, to))
		return;
	must(worker, madvise(region->base + from * PAGE, (to - from) * PAGE, MADV_DONTNEED) == 0);
	for (size_t i = from; i < to && !region->shared; i++) {
		region->page[i].own = false;
		region->page[i].stamp = 0;
	}
}

/* Grow, shrink or move a region that is in one piece. */
static void remap_region(struct worker *worker)
{
	struct region *region = choose_region(worker);
	size_t pages = 1 + choose(worker, MOST_PAGES);
	char *base;

	if (region == NULL || has_hole(region, 0, region->pages))
		return;
	if (region->shared && !region->file && pages > region->pages)
		return; /* behind the end of its object */
	base = mremap(region->base, region->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);
	if (base == MAP_FAILED) {
		must(worker, errno == EFAULT); /* in several pieces, as its rights are */
		return;
	}
	if (pages > region->pages)
		fresh_pages(region, region->pages, pages, region->page[0].prot);
	region->base = base;
	region->pages = pages;
}

/* --- the file --------------------------------------------------------------------------------- */

static void write_file(struct worker *worker)
{
	struct regions *mine = worker->mine;
	uint64_t words[WORDS] = {0};
	size_t page;

	if (mine->file_pages == 0)
		return;
	page = choose(worker, (unsigned)mine->file_pages);
	words[0] = words[WORDS - 1] = new_stamp(worker);
	must(worker, pwrite(mine->fd, words, PAGE, (off_t)(page * PAGE)) == (ssize_t)PAGE);
	mine->file[page] = words[0];
}

static void read_file(struct worker *worker)
{
	struct regions *mine = worker->mine;
	uint64_t words[WORDS];
	size_t page = choose(worker, ARRAY_LENGTH(mine->file));
	ssize_t got = pread(mine->fd, words, PAGE, (off_t)(page * PAGE));

	must(worker, got == (page < mine->file_pages ? (ssize_t)PAGE : 0));
	if (got != 0 && (words[0] != mine->file[page] || words[WORDS - 1] != mine->file[page]))
		fail(worker, "page %zu of the file holds 0x%lx and 0x%lx, expected 0x%lx", page,
		     words[0], words[WORDS - 1], mine->file[page]);
}

/* Cut or extend the file. Private copies behind the new end go too. */
static void truncate_file(struct worker *worker)
{
	struct regions *mine = worker->mine;
	size_t pages = choose(worker, ARRAY_LENGTH(mine->file) + 1);

	must(worker, ftruncate(mine->fd, (off_t)(pages * PAGE)) == 0);
	for (size_t i = pages; i < mine->file_pages; i++)
		mine->file[i] = 0;
	for (size_t i = 0; i < REGIONS; i++) {
		struct region *region = &mine->region[i];

		for (size_t page = 0; region->file && page < region->pages; page++)
			if (region->offset + page >= pages)
				region->page[page].own = false;
	}
	mine->file_pages = pages;
}

static void sync_part(struct worker *worker)
{
	struct region *region = choose_region(worker);
	size_t from, to;

	if (region == NULL)
		return;
	choose_part(worker, region, &from, &to);
	if (!has_hole(region, from, to))
		must(worker, msync(region->base + from * PAGE, (to - from) * PAGE, MS_SYNC) == 0);
}

/* --- all regions ------------------------------------------------------------------------------ */

void regions_verify(struct worker *worker)
{
	for (size_t i = 0; i < REGIONS; i++)
		for (size_t page = 0; page < worker->mine->region[i].pages; page++)
			check_page(worker, &worker->mine->region[i], page);
}

/* In a child: write what is private, whose copies the parent must not see. */
void regions_scribble(struct worker *worker)
{
	for (size_t i = 0; i < REGIONS; i++) {
		struct region *region = &worker->mine->region[i];

		for (size_t page = 0; page < region->pages && !region->shared; page++)
			write_page(worker, region, page);
	}
}

void regions_begin(struct worker *worker)
{
	char name[64];

	worker->mine = calloc(1, sizeof(*worker->mine));
	must(worker, worker->mine != NULL);
	snprintf(name, sizeof(name), "/tmp/stress-%d-%u", (int)getpid(), worker->thread);
	worker->mine->fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	must(worker, worker->mine->fd >= 0);
	must(worker, unlink(name) == 0);
}

void regions_end(struct worker *worker)
{
	for (size_t i = 0; i < REGIONS; i++)
		drop_region(worker, &worker->mine->region[i]);
	close(worker->mine->fd);
	free(worker->mine);
}

const struct operation region_operations[] = {
	{"map", map_region, 14},
	{"unmap a part", unmap_part, 6},
	{"map over a part", map_over_part, 6},
	{"protect a part", protect_part, 12},
	{"write", write_part, 24},
	{"verify", verify_part, 24},
	{"MADV_DONTNEED", forget_part, 6},
	{"mremap", remap_region, 8},
	{"pwrite", write_file, 8},
	{"pread", read_file, 4},
	{"ftruncate", truncate_file, 5},
	{"msync", sync_part, 4},
};
const size_t region_operations_count = ARRAY_LENGTH(region_operations);
