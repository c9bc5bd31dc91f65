/*
 * helpers.h - what the tests of memory and files do again and again: map, fill and compare pages,
 * make files with a known pattern, look into /proc, meet another process at a gate.
 *
 * None of these uses malloc: a heap that grows would disturb what is being measured.
 */
#pragma once

#include "tap.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define PAGE ((size_t)4096)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* --- mapping ---------------------------------------------------------------------------------- */

#define map_anon(bytes, prot, flags)                                                               \
	tap_map(HERE, NULL, bytes, prot, (flags) | MAP_ANONYMOUS, -1, 0)
#define map_file(fd, bytes, prot, flags, offset) tap_map(HERE, NULL, bytes, prot, flags, fd, offset)
#define map_fixed(address, bytes, prot)                                                            \
	tap_map(HERE, address, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)

static inline char *tap_map(struct tap_where where, void *address, size_t bytes, int prot,
			    int flags, int fd, off_t offset)
{
	void *memory = mmap(address, bytes, prot, flags, fd, offset);

	if (memory == MAP_FAILED)
		tap_fail(where, "mmap of %zu bytes failed with %s", bytes, tap_errno_name(errno));
	return memory;
}

/* Addresses of that many pages with nothing mapped there; they stay free until the next mmap. */
#define free_range(bytes) tap_free_range(HERE, bytes)
static inline char *tap_free_range(struct tap_where where, size_t bytes)
{
	char *range = tap_map(where, NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (munmap(range, bytes) < 0)
		tap_fail(where, "munmap failed with %s", tap_errno_name(errno));
	return range;
}

/* Private anonymous memory with a free page on each side, so that no neighbour joins its zone. */
#define map_alone(bytes, prot) tap_map_alone(HERE, bytes, prot)
static inline char *tap_map_alone(struct tap_where where, size_t bytes, int prot)
{
	return tap_map(where, tap_free_range(where, bytes + 2 * PAGE) + PAGE, bytes, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* Read or write one byte in a way the compiler must keep. */
static inline unsigned char peek(const void *address)
{
	return *(const volatile unsigned char *)address;
}

static inline void poke(void *address, unsigned char value)
{
	*(volatile unsigned char *)address = value;
}

/* The access ends a child with this signal. */
#define expect_read_kills(address, signal) tap_expect_kills(HERE, address, false, signal)
#define expect_write_kills(address, signal) tap_expect_kills(HERE, address, true, signal)
static inline void tap_expect_kills(struct tap_where where, void *address, bool write, int signal)
{
	pid_t pid = tap_fork_at(where);

	if (pid == 0) {
		if (write)
			poke(address, 1);
		else
			peek(address);
		_exit(0);
	}
	tap_expect_killed(where, pid, signal);
}

/* --- contents --------------------------------------------------------------------------------- */

/* What byte `offset` of a pattern is: never zero, and no two neighbouring pages alike. */
static inline unsigned char pattern(size_t offset)
{
	return (unsigned char)(1 + offset % 251);
}

static inline void fill_pattern(void *memory, size_t from, size_t bytes)
{
	unsigned char *byte = memory;

	for (size_t i = 0; i < bytes; i++)
		byte[i] = pattern(from + i);
}

/* The memory holds the pattern's bytes from offset `from` on. */
#define expect_pattern(memory, from, bytes) tap_expect_pattern(HERE, memory, from, bytes)
static inline void tap_expect_pattern(struct tap_where where, const void *memory, size_t from,
				      size_t bytes)
{
	const unsigned char *byte = memory;

	for (size_t i = 0; i < bytes; i++)
		if (byte[i] != pattern(from + i))
			tap_fail(where, "byte %zu is %d, expected the pattern's %d", i, byte[i],
				 pattern(from + i));
}

/* All the bytes have this value. */
#define expect_filled(memory, value, bytes) tap_expect_filled(HERE, memory, value, bytes)
static inline void tap_expect_filled(struct tap_where where, const void *memory, int value,
				     size_t bytes)
{
	const unsigned char *byte = memory;

	for (size_t i = 0; i < bytes; i++)
		if (byte[i] != (unsigned char)value)
			tap_fail(where, "byte %zu is %d, expected %d", i, byte[i], value);
}

/* --- files ------------------------------------------------------------------------------------ */

/* Make a file holding `bytes` bytes of the pattern; a descriptor open for reading and writing. */
#define file_create(name, bytes) tap_file_create(HERE, name, bytes)
static inline int tap_file_create(struct tap_where where, const char *name, size_t bytes)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
	unsigned char chunk[4096];

	if (fd < 0)
		tap_fail(where, "cannot create %s: %s", name, tap_errno_name(errno));
	for (size_t done = 0; done < bytes;) {
		size_t now = bytes - done < sizeof(chunk) ? bytes - done : sizeof(chunk);

		fill_pattern(chunk, done, now);
		if (write(fd, chunk, now) != (ssize_t)now)
			tap_fail(where, "cannot write %s: %s", name, tap_errno_name(errno));
		done += now;
	}
	if (lseek(fd, 0, SEEK_SET) != 0)
		tap_fail(where, "cannot rewind %s: %s", name, tap_errno_name(errno));
	return fd;
}

/* Open anew and read one byte; -1 at the end of the file. */
#define file_byte(name, offset) tap_file_byte(HERE, name, offset)
static inline int tap_file_byte(struct tap_where where, const char *name, off_t offset)
{
	unsigned char byte;
	ssize_t got;
	int fd = open(name, O_RDONLY);

	if (fd < 0)
		tap_fail(where, "cannot open %s: %s", name, tap_errno_name(errno));
	got = pread(fd, &byte, 1, offset);
	if (got < 0)
		tap_fail(where, "cannot read %s: %s", name, tap_errno_name(errno));
	close(fd);
	return got == 1 ? byte : -1;
}

/* The size fstat tells, in bytes. */
static inline off_t fd_size(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? status.st_size : -1;
}

/* --- /proc ------------------------------------------------------------------------------------ */

/* Read a whole text file of /proc; its length, the text ended by a NUL. */
#define proc_read(path, text, bytes) tap_proc_read(HERE, path, text, bytes)
static inline size_t tap_proc_read(struct tap_where where, const char *path, char *text,
				   size_t bytes)
{
	int fd = open(path, O_RDONLY);
	size_t length = 0;
	ssize_t got;

	if (fd < 0)
		tap_fail(where, "cannot open %s: %s", path, tap_errno_name(errno));
	while ((got = read(fd, text + length, bytes - 1 - length)) > 0)
		length += (size_t)got;
	if (got < 0 || length == bytes - 1)
		tap_fail(where, "cannot read all of %s: %s", path, tap_errno_name(errno));
	close(fd);
	text[length] = '\0';
	return length;
}

/* The number after "KEY:" in a file such as /proc/meminfo: KiB there. */
#define proc_number(path, key) tap_proc_number(HERE, path, key)
static inline long tap_proc_number(struct tap_where where, const char *path, const char *key)
{
	static char text[16384];
	size_t key_length = strlen(key);

	tap_proc_read(where, path, text, sizeof(text));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (strncmp(line, key, key_length) == 0 && line[key_length] == ':')
			return strtol(line + key_length + 1, NULL, 10);
	tap_fail(where, "%s has no %s", path, key);
}

/* One line of /proc/self/maps. */
struct map_line {
	uintptr_t begin, end;
	char rights[5]; /* such as "rw-p" */
	unsigned long offset;
	unsigned long inode;
	char path[256]; /* "" for anonymous memory */
};

/* Find the line whose range holds the address, or the first above it; false if there is none. */
#define maps_find(address, line) tap_maps_find(HERE, address, line)
static inline bool tap_maps_find(struct tap_where where, const void *address, struct map_line *line)
{
	static char text[131072];

	tap_proc_read(where, "/proc/self/maps", text, sizeof(text));
	for (char *at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n")) {
		line->path[0] = '\0';
		if (sscanf(at, "%lx-%lx %4s %lx %*s %lu %255s", &line->begin, &line->end,
			   line->rights, &line->offset, &line->inode, line->path) < 5)
			tap_fail(where, "malformed line in /proc/self/maps: %s", at);
		if ((uintptr_t)address < line->end)
			return true;
	}
	return false;
}

/* /proc/self/maps has exactly one line [begin, begin + bytes) with these rights. */
#define expect_zone(begin, bytes, rights) tap_expect_zone(HERE, begin, bytes, rights)
static inline void tap_expect_zone(struct tap_where where, const char *begin, size_t bytes,
				   const char *rights)
{
	struct map_line line;

	if (!tap_maps_find(where, begin, &line) || line.begin != (uintptr_t)begin ||
	    line.end != (uintptr_t)begin + bytes || strcmp(line.rights, rights) != 0)
		tap_fail(where, "maps shows %lx-%lx %s, expected %lx-%lx %s", line.begin, line.end,
			 line.rights, (uintptr_t)begin, (uintptr_t)begin + bytes, rights);
}

/* Where Linux itself does worse than it should, stos has no excuse: this file is its own. */
static inline bool on_stos(void)
{
	return access("/proc/self/faults", F_OK) == 0;
}

/* Resident memory of this process in bytes; exact to about a hundred pages on Linux. */
static inline size_t resident_bytes(void)
{
	return (size_t)proc_number("/proc/self/status", "VmRSS") * 1024;
}

/* --- other processes -------------------------------------------------------------------------- */

static inline void sleep_ms(long ms)
{
	struct timespec wanted = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&wanted, NULL);
}

/* A pipe through which processes let each other go on: one byte is one permission. */
struct gate {
	int fds[2];
};

#define gate_make(gate) expect(pipe((gate)->fds) == 0)
#define gate_open(gate) expect(write((gate)->fds[1], "", 1) == 1)
#define gate_pass(gate) tap_gate_pass(HERE, gate)
static inline void tap_gate_pass(struct tap_where where, struct gate *gate)
{
	char byte;
	ssize_t got;

	do
		got = read(gate->fds[0], &byte, 1);
	while (got < 0 && errno == EINTR);
	if (got != 1)
		tap_fail(where, "waiting at a gate gave %zd, %s", got, tap_errno_name(errno));
}

/*
 * A child that sends the signal to its parent every few milliseconds until pester_stop: whatever
 * the parent sleeps in is interrupted, whether it fell asleep before or after the first signal.
 */
static inline pid_t pester_start(int signal)
{
	pid_t parent = getpid();
	pid_t pid = fork_child();

	if (pid == 0) {
		while (kill(parent, signal) == 0 && getppid() == parent)
			sleep_ms(5);
		_exit(0);
	}
	return pid;
}

static inline void pester_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	wait_child(pid);
}
