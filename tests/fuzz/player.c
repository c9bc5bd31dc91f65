/*
 * player.c - one thread's part of a sequence: dice, digest, guarded accesses, the final look.
 *
 * An operation `fork` lets a child go on with the operations behind it, up to an `exit`, while the
 * parent waits; then the parent goes on behind that exit. So forks and exits are brackets, and each
 * can be left out like any other operation.
 */
#include "mapfuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FILE_BYTES (5 * PAGE + 100) /* of the first file at the beginning */
#define READ_MAX (64 * PAGE)

/* ---- dice ---- */

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t scramble(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ul;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ul;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebul;
	return x ^ (x >> 31);
}

static uint64_t roll(struct player *player)
{
	player->dice = scramble(player->dice);
	return player->dice;
}

unsigned choose(struct player *player, unsigned bound)
{
	return (unsigned)((roll(player) >> 32) % bound);
}

bool one_in(struct player *player, unsigned n)
{
	return choose(player, n) == 0;
}

/* ---- results ---- */

static __thread char line[600];
static __thread size_t line_length;

void mix(struct player *player, uint64_t value)
{
	player->digest = scramble(player->digest ^ value);
}

void say(struct player *player, const char *format, ...)
{
	va_list args;
	int length;

	(void)player;
	if (!options.trace)
		return;
	va_start(args, format);
	length = vsnprintf(line + line_length, sizeof(line) - line_length, format, args);
	va_end(args);
	line_length += (size_t)length;
	if (line_length >= sizeof(line))
		line_length = sizeof(line) - 1;
}

/* One write for a line, so that threads do not mix theirs. */
static void line_end(void)
{
	if (!options.trace)
		return;
	if (line_length >= sizeof(line) - 1)
		line_length = sizeof(line) - 2;
	line[line_length++] = '\n';
	if (write(STDOUT_FILENO, line, line_length) < 0)
		_exit(1);
	line_length = 0;
}

void answer(struct player *player, long value)
{
	mix(player, (uint64_t)value);
	if (value < 0 && value >= -4095)
		say(player, " /* %s */", strerrorname_np((int)-value));
	else
		say(player, " /* %ld */", value);
	line_end();
}

void answer_call(struct player *player, long value)
{
	answer(player, value == -1 ? -errno : value);
}

/* ---- accesses that may fault ---- */

static __thread sigjmp_buf escape;
static __thread volatile sig_atomic_t guarded;
static __thread struct fault caught;

static void catch (int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (!guarded) {
		dprintf(STDOUT_FILENO, "signal %d at %p where none may be\n", signal,
			info->si_addr);
		_exit(99);
	}
	caught = (struct fault){signal, info->si_code, (uintptr_t)info->si_addr};
	siglongjmp(escape, 1);
}

void faults_catch(void)
{
	struct sigaction action = {.sa_sigaction = catch, .sa_flags = SA_NODEFER | SA_SIGINFO};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}

__attribute__((noinline)) struct fault try_access(char *at, enum access access, uint64_t *value)
{
	if (sigsetjmp(escape, 0) == 0) {
		guarded = 1;
		if (access == ACCESS_STORE)
			*(volatile uint64_t *)at = *value;
		else if (access == ACCESS_LOAD)
			*value = *(volatile uint64_t *)at;
		else
			((void (*)(void))at)();
		guarded = 0;
		return (struct fault){0, 0, 0};
	}
	guarded = 0;
	return caught;
}

/* An address as a number that is the same wherever the break begins. */
static uint64_t relative(const struct player *player, uintptr_t address)
{
	for (unsigned i = 0; i < ARENAS; i++) {
		uintptr_t base = (uintptr_t)player->arenas[i].base;

		if (address - base + ARENA_MARGIN * PAGE < (ARENA_PAGES + 2 * ARENA_MARGIN) * PAGE)
			return ((uint64_t)(i + 1) << 48) + (address - base);
	}
	return address;
}

void answer_fault(struct player *player, const struct fault *fault, uint64_t value)
{
	uint64_t address = fault->signal ? relative(player, fault->address) : 0;

	mix(player, (uint64_t)fault->signal << 32 | (uint64_t)(uint32_t)fault->code);
	mix(player, address);
	mix(player, value);
	if (fault->signal)
		say(player, " /* SIG%s code %d at %#lx */", sigabbrev_np(fault->signal),
		    fault->code, address);
	else
		say(player, " /* %#lx */", value);
	line_end();
}

/* ---- contents ---- */

static uint64_t hash_words(const void *memory, size_t bytes)
{
	const uint64_t *words = memory;
	uint64_t hash = bytes;

	for (size_t i = 0; i < bytes / sizeof(words[0]); i++)
		hash = ((hash << 5 | hash >> 59) ^ words[i]) * 0x9e3779b97f4a7c15ul;
	return hash;
}

static void verify_page(struct player *player, const struct arena *arena, unsigned page)
{
	char *at = arena->base + page * PAGE;
	uint64_t word = 0;
	struct fault fault = try_access(at, ACCESS_LOAD, &word);

	if (fault.signal == SIGSEGV && fault.code == SEGV_MAPERR) {
		mix(player, page);
		return; /* most pages: not a line of the trace */
	}
	say(player, "/* t%u page %u of %s:", player->thread, page, arena->name);
	if (fault.signal == 0)
		word = hash_words(at, PAGE);
	say(player, " */");
	answer_fault(player, &fault, word);
}

static void verify_file(struct player *player, enum file_number file)
{
	static __thread char contents[READ_MAX];
	struct stat status;
	ssize_t got;

	memset(contents, 0, sizeof(contents));
	if (fstat(player->files[file], &status) < 0)
		_exit(98);
	got = pread(player->files[file], contents, sizeof(contents), 0);
	say(player, "/* t%u file %d: %ld bytes, contents */", player->thread, file, status.st_size);
	mix(player, (uint64_t)status.st_size);
	mix(player, (uint64_t)got);
	answer(player, (long)(hash_words(contents, sizeof(contents)) >> 1));
}

/* ---- zones, as /proc/self/maps tells them ---- */

struct zone_line {
	uintptr_t beg, end;
	char rights[5];
	unsigned long offset; /* 0 unless the file is one of ours */
	int file;	      /* enum file_number; -1: none of ours */
};

static int file_of_inode(const struct player *player, unsigned long inode)
{
	static const enum file_number files[] = {FILE_BOTH, FILE_MEMFD};

	for (size_t i = 0; inode && i < sizeof(files) / sizeof(files[0]); i++) {
		struct stat status;

		if (fstat(player->files[files[i]], &status) == 0 && status.st_ino == inode)
			return (int)files[i];
	}
	return -1;
}

/* Linux keeps apart what it could merge: here, neighbours that look alike are one zone. */
static bool continues(const struct zone_line *a, const struct zone_line *b)
{
	return a->end == b->beg && strcmp(a->rights, b->rights) == 0 && a->file == b->file &&
	       (a->file < 0 || a->offset + (a->end - a->beg) == b->offset);
}

static void verify_zone(struct player *player, const struct arena *arena,
			const struct zone_line *zone)
{
	if (zone->end == 0)
		return;
	say(player, "/* t%u zone of %s: page %ld to %ld, %s, file %d, offset %#lx */",
	    player->thread, arena->name, ((long)zone->beg - (long)arena->base) / (long)PAGE,
	    ((long)zone->end - (long)arena->base) / (long)PAGE, zone->rights, zone->file,
	    zone->offset);
	mix(player, relative(player, zone->beg));
	mix(player, relative(player, zone->end));
	mix(player, (uint64_t)zone->rights[0] << 24 | (uint64_t)zone->rights[1] << 16 |
			    (uint64_t)zone->rights[2] << 8 | (uint64_t)zone->rights[3]);
	mix(player, zone->offset);
	answer(player, zone->file);
}

static __thread char maps[65536]; /* /proc/self/maps */

static void read_maps(void)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t length = 0;
	ssize_t got;

	while (fd >= 0 && (got = read(fd, maps + length, sizeof(maps) - 1 - length)) > 0)
		length += (size_t)got;
	maps[length] = '\0';
	close(fd);
}

/* False: the text ends here. */
static bool read_zone(const struct player *player, const char *text, struct zone_line *zone)
{
	unsigned long inode;

	if (!text || !*text)
		return false;
	if (sscanf(text, "%lx-%lx %4s %lx %*s %lu", &zone->beg, &zone->end, zone->rights,
		   &zone->offset, &inode) < 5)
		_exit(97);
	zone->file = file_of_inode(player, inode);
	zone->offset = zone->file < 0 ? 0 : zone->offset;
	return true;
}

static char *next_zone(char *text)
{
	char *end = strchr(text, '\n');

	return end ? end + 1 : NULL;
}

static void verify_zones(struct player *player, const struct arena *arena)
{
	uintptr_t low =
		(uintptr_t)arena->base - (strcmp(arena->name, "heap") ? ARENA_MARGIN * PAGE : 0);
	uintptr_t high = (uintptr_t)arena->base + (ARENA_PAGES + ARENA_MARGIN) * PAGE;
	struct zone_line zone, last = {.end = 0};

	for (char *at = maps; read_zone(player, at, &zone); at = next_zone(at)) {
		if (zone.end <= low || zone.beg >= high)
			continue;
		if (zone.beg < low)
			zone.beg = low; /* the C library's part of the heap */
		if (last.end && continues(&last, &zone)) {
			last.end = zone.end;
			continue;
		}
		verify_zone(player, arena, &last);
		last = zone;
	}
	verify_zone(player, arena, &last);
}

bool player_maps(const struct player *player, const char *beg, size_t length, enum file_number file)
{
	uintptr_t low = (uintptr_t)beg, high = low + length;
	enum file_number maps_as = file == FILE_MEMFD ? FILE_MEMFD : FILE_BOTH;
	struct zone_line zone;

	read_maps();
	for (char *at = maps; read_zone(player, at, &zone); at = next_zone(at))
		if (zone.end > low && zone.beg < high && zone.file == (int)maps_as)
			return true;
	return false;
}

void player_verify(struct player *player)
{
	read_maps();
	for (unsigned i = 0; i < ARENAS; i++)
		verify_zones(player, &player->arenas[i]);
	for (unsigned i = 0; i < ARENAS; i++)
		for (unsigned page = 0; page < ARENA_PAGES + 8; page++)
			verify_page(player, &player->arenas[i], page);
	verify_file(player, FILE_BOTH);
	verify_file(player, FILE_MEMFD);
}

/* ---- a sequence ---- */

static void make_files(struct player *player)
{
	char name[64];
	uint64_t words[FILE_BYTES / 8 + 1];

	snprintf(name, sizeof(name), "/dev/shm/mapfuzz-%d-%u", (int)getpid(), player->thread);
	player->files[FILE_BOTH] = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	player->files[FILE_READ] = open(name, O_RDONLY);
	player->files[FILE_WRITE] = open(name, O_WRONLY);
	unlink(name);
	player->files[FILE_MEMFD] = (int)syscall(SYS_memfd_create, "mapfuzz", 0);
	if (player->files[FILE_MEMFD] < 0) { /* the same, by another name */
		player->files[FILE_MEMFD] = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
		unlink(name);
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] = scramble(i);
	for (unsigned i = 0; i < FILES; i++)
		if (player->files[i] < 0)
			_exit(96);
	if (write(player->files[FILE_BOTH], words, FILE_BYTES) != (ssize_t)FILE_BYTES)
		_exit(96);
}

/*
 * Far from what the kernel places by itself, and from each other. The first thread's second arena
 * begins at a page's distance above the break, which moves into it.
 */
static void make_arenas(struct player *player)
{
	uintptr_t base = 0x10000000000ul + player->thread * 0x100000000ul;

	player->arenas[0] = (struct arena){.name = "a", .base = (char *)base};
	player->arenas[1] = (struct arena){.name = "b", .base = (char *)base + 0x1000000ul};
	if (player->thread == 0) {
		uintptr_t brk = (uintptr_t)syscall(SYS_brk, 0);

		brk = (brk + PAGE - 1) / PAGE * PAGE;
		player->arenas[1] = (struct arena){.name = "heap", .base = (char *)brk};
		syscall(SYS_brk, brk);
	}
}

void player_begin(struct player *player, uint64_t seed, unsigned thread)
{
	memset(player, 0, sizeof(*player));
	player->thread = thread;
	player->digest = scramble(seed);
	make_files(player);
	make_arenas(player);
}

void player_run(struct player *player)
{
	for (; player->position < options.operations; player->position++) {
		const struct operation *operation;

		if (options.left_out[player->thread][player->position])
			continue;
		player->dice = scramble(scramble(options.seed) ^ (uint64_t)player->thread << 32 ^
					player->position);
		operation = operation_choose(player);
		if (operation_is_exit(operation)) {
			if (player->depth > 0)
				return;
			continue;
		}
		say(player, "/* t%u #%u */ ", player->thread, player->position);
		operation->run(player);
	}
}
