/*
 * user/mmapdemo.c - mmapdemo FILE: what mapping a file does, and what writes through it do.
 *
 * Part one maps the file twice, lazily and eagerly, and counts the pages that are present (by
 * pagemap), the free pages of the machine, the page faults (getrusage) and the time of each step:
 * in virtual time, `./stos run --qemu='-icount shift=0,sleep=off'`, a nanosecond is an instruction.
 * Part two has a private and a shared mapping of the file's first page, lets the parent and a
 * forked child write one letter after another, and asks after each step what the letter is for
 * everybody. Each row says what it should be.
 *
 * Free pages are checked on stos only; on Linux others use memory as well.
 */
#include "demo.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
	"usage: mmapdemo FILE\n"
	"\n"
	"Maps FILE, privately and shared, and shows in two tables\n"
	"  - how many pages come into memory, and when: lazily or eagerly (MAP_POPULATE);\n"
	"  - what each write does to the file, and to a forked child.\n"
	"FILE's first byte is written on the way, and put back at the end.\n"
	"Exit status: 0 all as explained, 1 something was not, 2 could not be tried.\n"
	"Try: cp /bin/busybox /tmp/file && mmapdemo /tmp/file\n";

enum {
	FAULT_AROUND_PAGES = 16, /* the most that one read fault brings in, on Linux and stos */
	SLACK_PAGES = 64,	 /* page tables, and what the kernel needs for itself */
	SHARE_OF_FREE = 4,	 /* of free memory, the part that may be filled with copies */
	FIRST_LINE = 32,
};

/* ---- part one: lazy and eager ---- */

struct usage {
	size_t mapped, present;
	long free;
	long faults, ns; /* of the step that led here */
};

static void print_usage(const char *step, const struct usage *usage, long before)
{
	printf("  %-34s %8zu %9zu %11ld %+8ld %7ld %9ld\n", step, usage->mapped, usage->present,
	       usage->free, usage->free - before, usage->faults, usage->ns);
}

/* Where a step began, then what it cost. */
struct cost {
	long faults, ns;
};

static struct cost cost_now(void)
{
	struct timespec time;
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used) < 0 || clock_gettime(CLOCK_MONOTONIC, &time) < 0)
		give_up("getrusage, clock_gettime: %s", strerror(errno));
	return (struct cost){used.ru_minflt + used.ru_majflt,
			     time.tv_sec * 1000000000L + time.tv_nsec};
}

static struct cost cost_since(struct cost before)
{
	struct cost now = cost_now();

	return (struct cost){now.faults - before.faults, now.ns - before.ns};
}

/* Maps `pages` pages of the file, private and writable; `extra` is 0 or MAP_POPULATE. */
static char *map_private(int fd, size_t pages, int extra)
{
	char *address = mmap(NULL, pages * page_bytes(), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | extra, fd, 0);

	if (address == MAP_FAILED)
		give_up("mmap: %s", strerror(errno));
	return address;
}

static struct usage measure(const char *address, size_t pages, struct cost cost)
{
	return (struct usage){pages, count_present(address, pages), free_pages(), cost.faults,
			      cost.ns};
}

static struct cost read_pages(const char *address, size_t pages)
{
	struct cost before = cost_now();

	for (size_t i = 0; i < pages; i++)
		*(const volatile char *)(address + i * page_bytes());
	return cost_since(before);
}

/* Brings the file into the page cache, so that neither way has to wait for a disk. */
static void read_once(int fd)
{
	static char buffer[64 * 1024];
	off_t offset = 0;
	ssize_t got;

	while ((got = pread(fd, buffer, sizeof(buffer), offset)) > 0)
		offset += got;
}

static void print_first_line(const char *text, size_t bytes)
{
	size_t length = 0;

	while (length < bytes && length < FIRST_LINE && text[length] != '\n')
		length++;
	printf("  The file begins, read through the mapping: \"");
	for (size_t i = 0; i < length; i++)
		putchar(isprint((unsigned char)text[i]) ? text[i] : '.');
	printf("\"\n");
}

/* Maps it one way and reads each page; what the mapping alone did is in *mapped. */
static char *load(int fd, size_t pages, int extra, struct usage *mapped)
{
	struct cost before = cost_now(), cost;
	char *mapping = map_private(fd, pages, extra);

	cost = cost_since(before);
	*mapped = measure(mapping, pages, cost);
	return mapping;
}

static void show_loading(int fd, size_t file_bytes, size_t pages, bool *all)
{
	struct usage none = {0, 0, free_pages(), 0, 0}, lazy, touched, read, eager, eager_read,
		     after;
	bool copies = true;
	char *mapping;

	(void)cost_since(cost_now()); /* its own pages come in before they are counted */
	mapping = load(fd, pages, 0, &lazy);
	printf("\n1. Loading: %zu pages of the file, mapped private\n\n", pages);
	printf("  %-34s %8s %9s %11s %8s %7s %9s\n", "", "mapped", "present", "free pages",
	       "change", "faults", "ns");
	print_usage("before", &none, none.free);
	print_usage("mapped lazily", &lazy, none.free);
	touched = measure(mapping, pages, read_pages(mapping, 1));
	print_usage("... and its first byte read", &touched, none.free);
	read = measure(mapping, pages, read_pages(mapping, pages));
	print_usage("... and a byte of every page", &read, none.free);
	munmap(mapping, pages * page_bytes());

	mapping = load(fd, pages, MAP_POPULATE, &eager);
	print_usage("mapped eagerly, with MAP_POPULATE", &eager, none.free);
	eager_read = measure(mapping, pages, read_pages(mapping, pages));
	print_usage("... and a byte of every page read", &eager_read, none.free);
	for (size_t i = 0; i < pages; i++)
		copies &= !page_look(mapping + i * page_bytes()).of_object;
	print_first_line(mapping, file_bytes);
	munmap(mapping, pages * page_bytes());
	after = (struct usage){0, 0, free_pages(), 0, 0};
	print_usage("unmapped", &after, none.free);

	putchar('\n');
	claim(lazy.present == 0, all, "lazy: mapping alone loads nothing");
	claim(touched.present >= 1 && touched.present <= FAULT_AROUND_PAGES, all,
	      "the first read brings its page, and up to %d neighbours: %zu", FAULT_AROUND_PAGES,
	      touched.present);
	claim(eager.present == pages && copies, all,
	      "eager: all pages are there at once, copied, for they may be written");
	claim(lazy.faults == 0 && touched.faults == 1 && eager_read.faults == 0, all,
	      "lazy pays with faults when it reads, eager when it maps: %ld and %ld",
	      touched.faults + read.faults, eager.faults);
	if (!on_stos())
		return;
	claim(labs(lazy.free - none.free) <= SLACK_PAGES &&
		      labs(none.free - eager.free - (long)pages) <= SLACK_PAGES,
	      all, "eager costs as many free pages as the file has, lazy next to none");
	claim(labs(after.free - none.free) <= SLACK_PAGES, all, "unmapping gives them back");
}

/* ---- part two: who sees which write ---- */

enum place { PRIVATE_PAGE, SHARED_PAGE, PLACES };

static volatile char *pages_of[PLACES]; /* the two mappings of the file's first page */

struct sight {
	char letters[PLACES];
};

static struct sight look(void)
{
	return (struct sight){{*pages_of[PRIVATE_PAGE], *pages_of[SHARED_PAGE]}};
}

enum { ORDER_LOOK = 'l', ORDER_WRITE = 'w' };

static void __attribute__((noreturn)) follow(struct channel *channel)
{
	struct order order;
	struct sight sight;

	channel_close_leader(channel);
	while (channel_next(channel, &order)) {
		if (order.what == ORDER_WRITE)
			*pages_of[order.place] = order.value;
		sight = look();
		channel_answer(channel, &sight, sizeof(sight));
	}
	_exit(0);
}

/* One row: who writes what where, and what is then to be seen, '.' being the first letter. */
struct step {
	const char *text;
	enum { NOBODY, PARENT, CHILD } writer;
	enum place place;
	char letter;
	bool forks;
	const char *expected; /* parent private, parent shared, file, child private, child shared */
	const char *why;
};

static const struct step steps[] = {
	{.text = "mapped twice", .expected = "...  ", .why = "both are the file"},
	{"parent: s to shared", PARENT, SHARED_PAGE, 's', false, "sss  ", "private: no copy yet"},
	{"parent: p to private", PARENT, PRIVATE_PAGE, 'p', false, "pss  ", "private: a copy now"},
	{"parent: t to shared", PARENT, SHARED_PAGE, 't', false, "ptt  ", "the copy stays"},
	{.text = "fork", .forks = true, .expected = "pttpt", .why = "inherits both"},
	{"child: c to private", CHILD, PRIVATE_PAGE, 'c', false, "pttct", "its own copy only"},
	{"child: u to shared", CHILD, SHARED_PAGE, 'u', false, "puucu", "everybody sees it"},
	{"parent: q to private", PARENT, PRIVATE_PAGE, 'q', false, "quucu", "its own copy only"},
};

/* Carries a step out, returns what is seen in the order of `expected`. */
static void carry_out(const struct step *step, int fd, struct channel *child, char *seen)
{
	struct order order = {ORDER_LOOK, (unsigned char)step->place, step->letter};
	struct sight sight = {{' ', ' '}};

	if (step->writer == PARENT)
		*pages_of[step->place] = step->letter;
	if (step->writer == CHILD)
		order.what = ORDER_WRITE;
	if (child)
		channel_ask(child, order, &sight, sizeof(sight));
	memcpy(seen + 3, sight.letters, PLACES);
	sight = look();
	memcpy(seen, sight.letters, PLACES);
	if (pread(fd, seen + 2, 1, 0) != 1)
		give_up("reading the file: %s", strerror(errno));
}

static char shown(char letter)
{
	return isprint((unsigned char)letter) ? letter : '.';
}

static void show_step(const struct step *step, int fd, struct channel *child, char first, bool *all)
{
	char seen[6] = "";
	bool holds = true;

	carry_out(step, fd, child, seen);
	for (size_t i = 0; i < strlen(step->expected); i++)
		holds &= seen[i] == (step->expected[i] == '.' ? first : step->expected[i]);
	printf("  %-20s %5c %6c %5c  %5c %6c   %s%s\n", step->text, shown(seen[0]), shown(seen[1]),
	       shown(seen[2]), shown(seen[3]), shown(seen[4]), holds ? "" : "NOT SO: ", step->why);
	*all &= holds;
}

static void map_both(int fd)
{
	static const int flags[PLACES] = {MAP_PRIVATE, MAP_SHARED};

	for (int place = 0; place < PLACES; place++) {
		void *page = mmap(NULL, page_bytes(), PROT_READ | PROT_WRITE, flags[place], fd, 0);

		if (page == MAP_FAILED)
			give_up("mmap: %s", strerror(errno));
		pages_of[place] = page;
	}
}

static pid_t fork_follower(struct channel *channel)
{
	pid_t pid;

	channel_open(channel);
	fflush(stdout); /* or the child would have it, too */
	pid = fork();
	if (pid < 0)
		give_up("fork: %s", strerror(errno));
	if (pid == 0)
		follow(channel);
	channel_close_follower(channel);
	return pid;
}

static void show_writes(int fd, char first, bool *all)
{
	struct channel channel;
	struct channel *child = NULL; /* from the step on that forks it */
	pid_t pid = 0;

	map_both(fd);
	printf("\n2. Writing: the first byte of the file, as it is seen\n\n");
	printf("  %-20s %12s %5s  %12s\n", "", "---parent---", "", "---child----");
	printf("  %-20s %5s %6s %5s  %5s %6s\n", "", "priv.", "shared", "file", "priv.", "shared");
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		if (steps[i].forks) {
			pid = fork_follower(&channel);
			child = &channel;
		}
		show_step(&steps[i], fd, child, first, all);
	}
	channel_close_leader(&channel); /* its pipe ends, and so it does */
	waitpid(pid, NULL, 0);
	fputs("\n  A shared mapping is the file. A private one shows the file until it is\n"
	      "  written to, then a copy of that page. fork leaves shared pages shared, and\n"
	      "  copies private ones when one of the two writes.\n",
	      stdout);
}

/* ---- */

static int open_file(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		give_up("%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode) || !status.st_size)
		give_up("%s: not a file with something in it", path);
	*bytes = (size_t)status.st_size;
	return fd;
}

int main(int count, char **arguments)
{
	size_t bytes, pages, most;
	bool all = true;
	char first;
	int fd;

	demo_begin(count, arguments, "mmapdemo", 1, help);
	fd = open_file(arguments[1], &bytes);
	if (pread(fd, &first, 1, 0) != 1)
		give_up("%s: %s", arguments[1], strerror(errno));
	pages = (bytes + page_bytes() - 1) / page_bytes();
	most = (size_t)free_pages() / SHARE_OF_FREE;
	read_once(fd);
	printf("%s: %zu bytes, %zu pages\n", arguments[1], bytes, pages);
	show_loading(fd, bytes, pages < most ? pages : most, &all);
	show_writes(fd, first, &all);
	if (pwrite(fd, &first, 1, 0) != 1)
		give_up("%s: the first byte could not be put back", arguments[1]);
	printf("\n%s\n", all ? "All as explained." : "Something was NOT as explained.");
	return all ? EXIT_SUCCESS : EXIT_NOT_SO;
}
