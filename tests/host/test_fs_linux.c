/*
 * tests/host/test_fs_linux.c - the file system calls against Linux's own: random operations on
 * the same names, done by this machine's kernel in an empty directory (chroot) and by stos's
 * sources in this process. Every result and errno must be the same, and now and then the whole
 * trees, with types, modes, owners, link counts, link texts and contents.
 *
 * Needs the right to chroot: root, or user name spaces; skipped without. As root it also runs
 * as an ordinary user (uid 1000), for the permission checks. STOS_SEED chooses the numbers.
 */
#define _GNU_SOURCE
#include "host_fs.h"
#include "host_kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fs/sys_file.h>
#include <grp.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPERATIONS 60000u
#define COMPARE_EVERY 100u
#define PAIRS 12u
#define TMPFS_MAGIC 0x01021994
#define USER 1000

enum side { LINUX, STOS };

static bool linux_is_tmpfs, verbose;
static char operation[4096]; /* the one under way, in words */
static int pairs[PAIRS][2];  /* open files, one descriptor on each side; -1: none */

#define P(pointer) ((uintptr_t)(pointer))

static long stos_call(long number, long a, long b, long c, long d, long e)
{
	switch (number) {
	case SYS_openat:
		return sys_openat((int)a, (uintptr_t)b, (uint32_t)c, (uint32_t)d);
	case SYS_close:
		return sys_close((int)a);
	case SYS_read:
		return sys_read((int)a, (uintptr_t)b, (size_t)c);
	case SYS_write:
		return sys_write((int)a, (uintptr_t)b, (size_t)c);
	case SYS_pread64:
		return sys_pread64((int)a, (uintptr_t)b, (size_t)c, d);
	case SYS_pwrite64:
		return sys_pwrite64((int)a, (uintptr_t)b, (size_t)c, d);
	case SYS_lseek:
		return sys_lseek((int)a, b, (int)c);
	case SYS_ftruncate:
		return sys_ftruncate((int)a, b);
	case SYS_truncate:
		return sys_truncate((uintptr_t)a, b);
	case SYS_newfstatat:
		return sys_newfstatat((int)a, (uintptr_t)b, (uintptr_t)c, (int)d);
	case SYS_getdents64:
		return sys_getdents64((int)a, (uintptr_t)b, (unsigned)c);
	case SYS_mkdirat:
		return sys_mkdirat((int)a, (uintptr_t)b, (uint32_t)c);
	case SYS_mknodat:
		return sys_mknodat((int)a, (uintptr_t)b, (uint32_t)c, (uint32_t)d);
	case SYS_unlinkat:
		return sys_unlinkat((int)a, (uintptr_t)b, (int)c);
	case SYS_symlinkat:
		return sys_symlinkat((uintptr_t)a, (int)b, (uintptr_t)c);
	case SYS_linkat:
		return sys_linkat((int)a, (uintptr_t)b, (int)c, (uintptr_t)d, (int)e);
	case SYS_renameat2:
		return sys_renameat2((int)a, (uintptr_t)b, (int)c, (uintptr_t)d, (unsigned)e);
	case SYS_readlinkat:
		return sys_readlinkat((int)a, (uintptr_t)b, (uintptr_t)c, (int)d);
	case SYS_fchmodat:
		return sys_fchmodat((int)a, (uintptr_t)b, (uint32_t)c);
	case SYS_fchmod:
		return sys_fchmod((int)a, (uint32_t)b);
	case SYS_fchownat:
		return sys_fchownat((int)a, (uintptr_t)b, (uint32_t)c, (uint32_t)d, (int)e);
	case SYS_faccessat:
		return sys_faccessat((int)a, (uintptr_t)b, (int)c);
	case SYS_utimensat:
		return sys_utimensat((int)a, (uintptr_t)b, (uintptr_t)c, (int)d);
	case SYS_chdir:
		return sys_chdir((uintptr_t)a);
	case SYS_fchdir:
		return sys_fchdir((int)a);
	case SYS_getcwd:
		return sys_getcwd((uintptr_t)a, (size_t)b);
	case SYS_fcntl:
		return sys_fcntl((int)a, (unsigned)b, (uintptr_t)c);
	default:
		abort();
	}
}

static long call(enum side side, long number, long a, long b, long c, long d, long e)
{
	long result;

	if (side == STOS)
		return stos_call(number, a, b, c, d, e);
	result = syscall(number, a, b, c, d, e);
	return result < 0 ? -errno : result;
}

#define CALL(side, number, ...) CALL_(side, number, __VA_ARGS__, 0, 0, 0, 0, 0)
#define CALL_(side, number, a, b, c, d, e, ...)                                                    \
	call(side, number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

static void differ(const char *what, long linux_result, long stos_result)
{
	fprintf(stderr, "%s\n  %s: Linux %ld (%s), stos %ld (%s)\n", operation, what, linux_result,
		linux_result < 0 ? strerror((int)-linux_result) : "", stos_result,
		stos_result < 0 ? strerror((int)-stos_result) : "");
	_exit(1);
}

static void must_equal(const char *what, long linux_result, long stos_result)
{
	if (linux_result != stos_result)
		differ(what, linux_result, stos_result);
}

/* --- names --- */

static const char *random_name(void)
{
	static char longest[258];
	static const char *const names[] = {"a", "b", "c", "d", "a", "b", "..", ".", "e", "f"};

	if (host_random_below(300) == 0) {
		memset(longest, 'x', sizeof(longest));
		longest[255 + host_random_below(2)] = '\0';
		return longest;
	}
	return names[host_random_below(sizeof(names) / sizeof(names[0]))];
}

static void random_path(char *path, size_t size)
{
	size_t components = 1 + host_random_below(4), used = 0;

	if (host_random_below(100) == 0)
		components = 0;
	if (host_random_below(4) == 0)
		used += (size_t)snprintf(path, size, "/");
	path[used] = '\0';
	for (size_t i = 0; i < components; i++)
		used += (size_t)snprintf(path + used, size - used, "%s%s%s", i ? "/" : "",
					 random_name(), host_random_below(30) ? "" : "/");
	if (components && host_random_below(10) == 0)
		snprintf(path + used, size - used, "/");
}

/* A directory descriptor pair, or AT_FDCWD twice. */
static void random_dirfd(int dirfd[2])
{
	const int *pair = pairs[host_random_below(PAIRS)];

	dirfd[LINUX] = dirfd[STOS] = AT_FDCWD;
	if (host_random_below(3) == 0 && pair[0] >= 0)
		memcpy(dirfd, pair, sizeof(pairs[0]));
}

/* --- comparing --- */

static void compare_stat(const char *what, const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid) {
		fprintf(stderr, "%s: mode %o / %o, uid %u / %u, gid %u / %u\n", what, a->st_mode,
			b->st_mode, a->st_uid, b->st_uid, a->st_gid, b->st_gid);
		differ("attributes", 0, 0);
	}
	if (!S_ISDIR(a->st_mode))
		must_equal("size", a->st_size, b->st_size);
	if (!S_ISDIR(a->st_mode) || linux_is_tmpfs)
		must_equal("links", (long)a->st_nlink, (long)b->st_nlink);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names of an open directory but "." and "..", sorted. A small buffer, to need many calls. */
static size_t list_names(enum side side, int fd, char **names, size_t max)
{
	char buf[512];
	size_t count = 0;
	long got;

	while ((got = CALL(side, SYS_getdents64, fd, P(buf), sizeof(buf))) > 0)
		for (long at = 0; at < got;) {
			struct dirent64 *entry = (struct dirent64 *)(buf + at);

			at += entry->d_reclen;
			if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
				continue;
			assert_true(count < max);
			names[count++] = strdup(entry->d_name);
		}
	assert_int_equal(got, 0);
	qsort(names, count, sizeof(*names), compare_strings);
	return count;
}

static void compare_contents(const char *path)
{
	char bufs[2][4096];
	long got[2];

	for (int side = LINUX; side <= STOS; side++) {
		int fd = (int)CALL(side, SYS_openat, AT_FDCWD, P(path), O_RDONLY | O_NOFOLLOW);

		assert_true(fd >= 0);
		got[side] = CALL(side, SYS_read, fd, P(bufs[side]), sizeof(bufs[side]));
		CALL(side, SYS_close, fd);
	}
	must_equal("bytes", got[LINUX], got[STOS]);
	must_equal("contents", memcmp(bufs[LINUX], bufs[STOS], (size_t)got[LINUX]), 0);
}

static void compare_link(const char *path)
{
	char texts[2][1024];
	long length[2];

	for (int side = LINUX; side <= STOS; side++)
		length[side] = CALL(side, SYS_readlinkat, AT_FDCWD, P(path), P(texts[side]),
				    sizeof(texts[side]));
	must_equal("link length", length[LINUX], length[STOS]);
	must_equal("link text", memcmp(texts[LINUX], texts[STOS], (size_t)length[LINUX]), 0);
}

static void compare_tree(const char *path);

static void compare_directory(const char *path)
{
	char *names[2][64], child[4096];
	size_t count[2];

	for (int side = LINUX; side <= STOS; side++) {
		int fd = (int)CALL(side, SYS_openat, AT_FDCWD, P(path), O_RDONLY | O_DIRECTORY);

		assert_true(fd >= 0);
		count[side] = list_names(side, fd, names[side], 64);
		CALL(side, SYS_close, fd);
	}
	must_equal("names", (long)count[LINUX], (long)count[STOS]);
	for (size_t i = 0; i < count[LINUX]; i++) {
		must_equal(names[LINUX][i], strcmp(names[LINUX][i], names[STOS][i]), 0);
		if ((size_t)snprintf(child, sizeof(child), "%s/%s", path, names[LINUX][i]) <
		    sizeof(child))
			compare_tree(child);
		free(names[LINUX][i]);
		free(names[STOS][i]);
	}
}

static void compare_tree(const char *path)
{
	struct stat stats[2];

	for (int side = LINUX; side <= STOS; side++)
		if (CALL(side, SYS_newfstatat, AT_FDCWD, P(path), P(&stats[side]),
			 AT_SYMLINK_NOFOLLOW)) {
			fprintf(stderr, "%s is missing on one side\n", path);
			differ("tree", 0, 0);
		}
	compare_stat(path, &stats[LINUX], &stats[STOS]);
	if (S_ISDIR(stats[LINUX].st_mode))
		compare_directory(path);
	else if (S_ISLNK(stats[LINUX].st_mode))
		compare_link(path);
	else if (S_ISREG(stats[LINUX].st_mode))
		compare_contents(path);
}

static uid_t current_user;

/* On both sides. */
static void become(uid_t user)
{
	if (user == current_user)
		return;
	if (user) {
		assert_int_equal(setegid(user), 0);
		assert_int_equal(seteuid(user), 0);
	} else {
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(setegid(0), 0);
	}
	host_fs_become(user, user);
	current_user = user;
}

/* --- operations --- */

#define DESCRIBE(...)                                                                              \
	do {                                                                                       \
		snprintf(operation, sizeof(operation), __VA_ARGS__);                               \
		if (verbose)                                                                       \
			fprintf(stderr, "%s\n", operation);                                        \
	} while (0)

static void do_open(void)
{
	static const uint32_t bits[] = {O_CREAT,     O_EXCL,	 O_TRUNC, O_APPEND,
					O_DIRECTORY, O_NOFOLLOW, O_PATH,  O_CLOEXEC};
	uint32_t flags = (uint32_t)host_random_below(4) | O_NONBLOCK;
	uint32_t mode = (uint32_t)host_random_below(01000);
	unsigned slot = (unsigned)host_random_below(PAIRS);
	char path[1024];
	int dirfd[2];
	long fd[2];

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (host_random_below(i == 0 ? 2 : 6) == 0)
			flags |= bits[i];
	random_path(path, sizeof(path));
	random_dirfd(dirfd);
	DESCRIBE("openat(%d, \"%s\", %#o, %#o) as %u", dirfd[0], path, flags, mode, current_user);
	for (int side = LINUX; side <= STOS; side++)
		fd[side] = CALL(side, SYS_openat, dirfd[side], P(path), flags, mode);
	must_equal("result", fd[LINUX] < 0 ? fd[LINUX] : 0, fd[STOS] < 0 ? fd[STOS] : 0);
	if (fd[LINUX] < 0)
		return;
	must_equal("F_GETFL", CALL(LINUX, SYS_fcntl, fd[LINUX], F_GETFL),
		   CALL(STOS, SYS_fcntl, fd[STOS], F_GETFL));
	for (int side = LINUX; side <= STOS; side++) {
		if (pairs[slot][side] >= 0)
			CALL(side, SYS_close, pairs[slot][side]);
		pairs[slot][side] = (int)fd[side];
	}
}

/* A call with a directory descriptor, a name and up to two more arguments. */
static void do_at(const char *name, long number, long c, long d)
{
	char path[1024];
	int dirfd[2];
	long result[2];

	random_path(path, sizeof(path));
	random_dirfd(dirfd);
	DESCRIBE("%s(%d, \"%s\", %#lo, %#lo) as %u", name, dirfd[0], path, c, d, current_user);
	for (int side = LINUX; side <= STOS; side++)
		result[side] = CALL(side, number, dirfd[side], P(path), c, d);
	must_equal("result", result[LINUX], result[STOS]);
}

static void do_mknod(void)
{
	static const uint32_t types[] = {0, S_IFREG, S_IFSOCK, S_IFDIR, 0150000};

	do_at("mknodat", SYS_mknodat,
	      types[host_random_below(5)] | (uint32_t)host_random_below(01000), 0);
}

static void do_chown(void)
{
	static const uint32_t ids[] = {0, USER, UINT32_MAX, 7};
	uint32_t uid = ids[host_random_below(4)], gid = ids[host_random_below(4)];
	char path[1024];
	int dirfd[2], flags = host_random_below(2) ? AT_SYMLINK_NOFOLLOW : 0;
	long result[2];

	random_path(path, sizeof(path));
	random_dirfd(dirfd);
	DESCRIBE("fchownat(%d, \"%s\", %d, %d, %#x) as %u", dirfd[0], path, uid, gid, flags,
		 current_user);
	for (int side = LINUX; side <= STOS; side++)
		result[side] = CALL(side, SYS_fchownat, dirfd[side], P(path), uid, gid, flags);
	must_equal("result", result[LINUX], result[STOS]);
}

static void do_symlink(void)
{
	char text[1024], path[1024];
	int dirfd[2];
	long result[2];

	random_path(text, sizeof(text));
	random_path(path, sizeof(path));
	random_dirfd(dirfd);
	DESCRIBE("symlinkat(\"%s\", %d, \"%s\") as %u", text, dirfd[0], path, current_user);
	for (int side = LINUX; side <= STOS; side++)
		result[side] = CALL(side, SYS_symlinkat, P(text), dirfd[side], P(path));
	must_equal("result", result[LINUX], result[STOS]);
}

static void do_two_names(const char *name, long number, long flags)
{
	char from[1024], to[1024];
	int from_fd[2], to_fd[2];
	long result[2];

	random_path(from, sizeof(from));
	random_path(to, sizeof(to));
	random_dirfd(from_fd);
	random_dirfd(to_fd);
	DESCRIBE("%s(%d, \"%s\", %d, \"%s\", %#lx) as %u", name, from_fd[0], from, to_fd[0], to,
		 flags, current_user);
	for (int side = LINUX; side <= STOS; side++)
		result[side] =
			CALL(side, number, from_fd[side], P(from), to_fd[side], P(to), flags);
	must_equal("result", result[LINUX], result[STOS]);
}

static void do_rename(void)
{
	static const long flags[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, 3};

	do_two_names("renameat2", SYS_renameat2, flags[host_random_below(6)]);
}

/* Linux lets users link only to what they own (protected_hardlinks): for root only. */
static void do_link(void)
{
	if (current_user == 0)
		do_two_names("linkat", SYS_linkat, host_random_below(2) ? AT_SYMLINK_FOLLOW : 0);
}

static void do_stat(void)
{
	int flags = (host_random_below(2) ? AT_SYMLINK_NOFOLLOW : 0) |
		    (host_random_below(3) ? 0 : AT_EMPTY_PATH);
	struct stat stats[2];
	char path[1024];
	int dirfd[2];
	long result[2];

	random_path(path, sizeof(path));
	random_dirfd(dirfd);
	DESCRIBE("newfstatat(%d, \"%s\", %#x) as %u", dirfd[0], path, flags, current_user);
	for (int side = LINUX; side <= STOS; side++)
		result[side] =
			CALL(side, SYS_newfstatat, dirfd[side], P(path), P(&stats[side]), flags);
	must_equal("result", result[LINUX], result[STOS]);
	if (result[LINUX] == 0)
		compare_stat(path, &stats[LINUX], &stats[STOS]);
}

static void do_readlink(void)
{
	char path[1024], texts[2][1024];
	int dirfd[2], size = (int)host_random_below(20);
	long result[2];

	random_path(path, sizeof(path));
	random_dirfd(dirfd);
	DESCRIBE("readlinkat(%d, \"%s\", %d) as %u", dirfd[0], path, size, current_user);
	for (int side = LINUX; side <= STOS; side++)
		result[side] =
			CALL(side, SYS_readlinkat, dirfd[side], P(path), P(texts[side]), size);
	must_equal("result", result[LINUX], result[STOS]);
	if (result[LINUX] > 0)
		must_equal("text", memcmp(texts[LINUX], texts[STOS], (size_t)result[LINUX]), 0);
}

static void do_chdir(void)
{
	char path[1024], names[2][4096];
	long result[2];

	random_path(path, sizeof(path));
	DESCRIBE("chdir(\"%s\") as %u", path, current_user);
	for (int side = LINUX; side <= STOS; side++)
		result[side] = CALL(side, SYS_chdir, P(path));
	must_equal("result", result[LINUX], result[STOS]);
	for (int side = LINUX; side <= STOS; side++)
		result[side] = CALL(side, SYS_getcwd, P(names[side]), sizeof(names[side]));
	must_equal("getcwd", result[LINUX], result[STOS]);
	if (result[LINUX] > 0 && strcmp(names[LINUX], names[STOS])) {
		fprintf(stderr, "%s / %s\n", names[LINUX], names[STOS]);
		differ("getcwd", 0, 0);
	}
}

static void do_truncate(void)
{
	long size = (long)host_random_below(3000) - 10;
	char path[1024];
	long result[2];

	random_path(path, sizeof(path));
	DESCRIBE("truncate(\"%s\", %ld) as %u", path, size, current_user);
	for (int side = LINUX; side <= STOS; side++)
		result[side] = CALL(side, SYS_truncate, P(path), size);
	must_equal("result", result[LINUX], result[STOS]);
}

/*
 * Something with an open file. Positions in directories differ by nature, and Linux knows holes
 * (SEEK_DATA, SEEK_HOLE), which stos counts as data.
 */
static void do_descriptor(void)
{
	static const long numbers[] = {SYS_read,  SYS_write,	 SYS_pread64, SYS_pwrite64,
				       SYS_lseek, SYS_ftruncate, SYS_fchmod,  SYS_fchdir};
	const int *pair = pairs[host_random_below(PAIRS)];
	long number = numbers[host_random_below(8)], result[2];
	size_t size = host_random_below(300), offset = host_random_below(2000);
	char data[2][512];
	struct stat stat;

	if (pair[LINUX] < 0 ||
	    CALL(LINUX, SYS_newfstatat, pair[LINUX], P(""), P(&stat), AT_EMPTY_PATH))
		return;
	if (number == SYS_lseek && S_ISDIR(stat.st_mode))
		return;
	memset(data, (int)host_random_below(256), sizeof(data));
	DESCRIBE("call %ld of descriptor %d, type %o, size %zu, offset %zu", number, pair[LINUX],
		 stat.st_mode & S_IFMT, size, offset);
	for (int side = LINUX; side <= STOS; side++) {
		if (number == SYS_lseek)
			result[side] = CALL(side, number, pair[side], (long)offset - 500, size % 3);
		else if (number == SYS_ftruncate)
			result[side] = CALL(side, number, pair[side], offset);
		else if (number == SYS_fchmod)
			result[side] = CALL(side, number, pair[side], size | 0400);
		else
			result[side] = CALL(side, number, pair[side], P(data[side]), size, offset);
	}
	must_equal("result", result[LINUX], result[STOS]);
	must_equal("data", memcmp(data[LINUX], data[STOS], sizeof(data[0])), 0);
}

static void do_something(void)
{
	static const struct timespec times[2] = {{1, 2}, {0, UTIME_OMIT}};
	uint32_t mode = (uint32_t)host_random_below(01000);

	switch (host_random_below(22)) {
	case 0:
	case 1:
	case 2:
		do_open();
		break;
	case 3:
	case 4:
		do_at("mkdirat", SYS_mkdirat, mode | 0500, 0);
		break;
	case 5:
		do_at("unlinkat", SYS_unlinkat, 0, 0);
		break;
	case 6:
		do_at("unlinkat", SYS_unlinkat, AT_REMOVEDIR, 0);
		break;
	case 7:
		do_mknod();
		break;
	case 8:
	case 9:
		do_symlink();
		break;
	case 10:
	case 11:
	case 12:
		do_rename();
		break;
	case 13:
		do_link();
		break;
	case 14:
		do_stat();
		break;
	case 15:
		do_readlink();
		break;
	case 16:
		do_chdir();
		break;
	case 17:
		do_truncate();
		break;
	case 18:
		do_at("fchmodat", SYS_fchmodat, mode | (host_random_below(8) ? 0 : 06000), 0);
		break;
	case 19:
		do_at("faccessat", SYS_faccessat, (long)host_random_below(9), 0);
		break;
	case 20:
		if (host_random_below(2))
			do_chown();
		else
			do_at("utimensat", SYS_utimensat, P(host_random_below(2) ? NULL : times),
			      host_random_below(2) ? AT_SYMLINK_NOFOLLOW : 0);
		break;
	default:
		do_descriptor();
	}
}

/* The trees are equal, seen by root from the root. */
static void compare_all(void)
{
	uid_t user = current_user;
	int here[2];

	become(0);
	for (int side = LINUX; side <= STOS; side++)
		here[side] = (int)CALL(side, SYS_openat, AT_FDCWD, P("."), O_PATH);
	compare_tree("/");
	for (int side = LINUX; side <= STOS; side++)
		if (here[side] >= 0) {
			CALL(side, SYS_fchdir, here[side]);
			CALL(side, SYS_close, here[side]);
		}
	become(user);
}

/* The empty directory as Linux's root directory: false where that is not allowed. */
static bool enter_root(const char *directory, bool *real_root)
{
	struct statfs statfs_result;
	uid_t uid = getuid();
	char map[64];
	int fd;

	*real_root = geteuid() == 0;
	if (!*real_root) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
			return false;
		fd = open("/proc/self/uid_map", O_WRONLY);
		snprintf(map, sizeof(map), "0 %u 1", uid);
		if (fd < 0 || write(fd, map, strlen(map)) < 0)
			return false;
		close(fd);
	}
	linux_is_tmpfs =
		statfs(directory, &statfs_result) == 0 && statfs_result.f_type == TMPFS_MAGIC;
	if (chroot(directory) || chdir("/") || chmod("/", 0755))
		return false;
	umask(0);
	return !*real_root || setgroups(0, NULL) == 0;
}

/* Leaves nothing behind in the directory that is the root; the directory itself stays to rmdir. */
static void remove_all(const char *path)
{
	char *names[64], child[4096];
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	size_t count = list_names(LINUX, fd, names, 64);

	close(fd);
	for (size_t i = 0; i < count; i++) {
		if ((size_t)snprintf(child, sizeof(child), "%s/%s", path, names[i]) <
			    sizeof(child) &&
		    unlink(child) && errno == EISDIR) {
			remove_all(child);
			rmdir(child);
		}
		free(names[i]);
	}
}

static int run_operations(const char *directory)
{
	bool real_root;

	if (!enter_root(directory, &real_root))
		return 2;
	verbose = getenv("STOS_VERBOSE");
	memset(pairs, -1, sizeof(pairs));
	host_random_restart();
	host_fs_begin(64 << 20);
	assert_int_equal(sys_chdir(P("/")), 0);
	for (unsigned i = 0; i < OPERATIONS; i++) {
		if (real_root && host_random_below(50) == 0)
			become(host_random_below(2) ? USER : 0);
		do_something();
		host_assert_idle();
		if (i % COMPARE_EVERY == 0)
			compare_all();
	}
	become(0);
	host_fs_end();
	assert_int_equal(chdir("/"), 0);
	remove_all("/");
	return 0;
}

static void test_against_linux(void **state)
{
	char on_tmpfs[] = "/dev/shm/stos-test-XXXXXX", elsewhere[] = "/tmp/stos-test-XXXXXX";
	char *directory = mkdtemp(on_tmpfs);
	int status;
	pid_t child;

	(void)state;
	if (!directory)
		directory = mkdtemp(elsewhere);
	assert_non_null(directory);
	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(run_operations(directory));
	assert_int_equal(waitpid(child, &status, 0), child);
	rmdir(directory);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_linux),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
