/*
 * mmap_rights.c - what is refused because of who asks, or of where a file lies: EPERM, and what it
 * leaves as it was.
 *
 * Not here: rights that a descriptor has (mmap_args.c, mprotect.c), seals (memfd.c), limits of
 * locked memory (mlock.c).
 */
#include "helpers.h"

#include <sys/mount.h>
#include <sys/shm.h>

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define NOBODY 65534

static void become_nobody(void)
{
	expect(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* --- mounts without execution ----------------------------------------------------------------- */

/* A file in a file system of the case's own, mounted with these flags and busy no longer than open.
 */
static int file_on_mount(unsigned long flags)
{
	int fd;

	scratch_enter();
	expect(mkdir("mount", 0755) == 0);
	if (mount("none", "mount", "tmpfs", flags, NULL) != 0 && errno == EPERM)
		tap_skip("nothing can be mounted");
	fd = file_create("mount/file", 2 * PAGE);
	expect(fchmod(fd, 0755) == 0);
	return fd;
}

/* umount(2) of what is still mapped is EBUSY: mappings hold their file. */
static void unmount(void)
{
	expect(umount("mount") == 0);
}

static void mounted_without_execution(void)
{
	static const int types[] = {MAP_PRIVATE, MAP_SHARED};
	int fd = file_on_mount(MS_NOEXEC);
	char *map;

	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		expect_errno(mmap(NULL, PAGE, RX, types[i], fd, 0), EPERM);
		expect_errno(mmap(NULL, PAGE, PROT_EXEC, types[i], fd, 0), EPERM);
		expect_errno(mmap(NULL, PAGE, RW | PROT_EXEC, types[i], fd, 0), EPERM);
		map = map_file(fd, 2 * PAGE, RW, types[i], 0);
		expect_errno(mprotect(map, PAGE, RX), EACCES);
		expect_errno(mprotect(map, PAGE, PROT_EXEC), EACCES);
		expect_zone(map, 2 * PAGE, types[i] == MAP_SHARED ? "rw-s" : "rw-p");
		expect_pattern(map, 0, 2 * PAGE);
		expect(munmap(map, 2 * PAGE) == 0);
	}
	expect(close(fd) == 0);
	expect_errno(execl("mount/file", "file", NULL), EACCES);
	unmount();
}

/* The right was asked when the file was mapped: who could not then cannot now, and the other way.
 */
static void mounted_anew(void)
{
	int fd = file_on_mount(0);
	char *before = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0), *after;

	expect(mount("none", "mount", NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC, NULL) == 0);
	expect_errno(mmap(NULL, PAGE, RX, MAP_SHARED, fd, 0), EPERM);
	after = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
	expect(mprotect(before, PAGE, RX) == 0);
	expect_errno(mprotect(after, PAGE, RX), EACCES);
	expect(mount("none", "mount", NULL, MS_REMOUNT | MS_BIND, NULL) == 0);
	expect_errno(mprotect(after, PAGE, RX), EACCES);
	expect(munmap(before, PAGE) == 0 && munmap(after, PAGE) == 0);
	after = map_file(fd, PAGE, RX, MAP_PRIVATE, 0);
	expect_errno(umount("mount"), EBUSY);
	expect(munmap(after, PAGE) == 0);
	expect(close(fd) == 0);
	unmount();
}

/* What has no file there is not concerned. */
static void anonymous_there(void)
{
	expect(mmap(NULL, PAGE, RX, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	expect(mmap(NULL, PAGE, RX, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	expect(mmap(NULL, PAGE, RX, MAP_PRIVATE, open("/dev/zero", O_RDONLY), 0) != MAP_FAILED);
}

/* --- the lowest page -------------------------------------------------------------------------- */

static void lowest_page_of_nobody(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *map = map_alone(2 * PAGE, RW), *low;
	int id = shmget(IPC_PRIVATE, PAGE, 0666), fd;

	expect(id >= 0 && shmat(id, NULL, 0) != (void *)-1);
	expect(shmctl(id, IPC_RMID, NULL) == 0); /* with this process, at the latest */
	scratch_enter();
	fd = file_create("file", PAGE);
	fill_pattern(map, 0, 2 * PAGE);
	become_nobody();
	expect_errno(mmap(NULL, PAGE, RW, flags | MAP_FIXED, -1, 0), EPERM);
	expect_errno(mmap(NULL, PAGE, RW, flags | MAP_FIXED_NOREPLACE, -1, 0), EPERM);
	expect_errno(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0), EPERM);
	expect_errno(
		(long)syscall(SYS_mremap, map, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, NULL),
		EPERM);
	expect_errno(shmat(id, (void *)1, SHM_RND), EPERM);
	expect_pattern(map, 0, 2 * PAGE);
	expect_zone(map, 2 * PAGE, "rw-p");
	/* As a wish it is answered with another place. */
	low = mmap((void *)1, PAGE, RW, flags, -1, 0);
	expect(low != MAP_FAILED && low != NULL);
	poke(low, 1);
	expect_read_kills(NULL, SIGSEGV);
	expect(munmap(NULL, PAGE) == 0);
}

static void lowest_page_of_root(void)
{
	char *page = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	char *map;

	if (page == MAP_FAILED && errno == EPERM)
		tap_skip("root without CAP_SYS_RAWIO");
	expect(page == NULL);
	/* Through the kernel: to a compiler, NULL is nowhere. */
	expect_equal(syscall(SYS_mincore, NULL, PAGE, &(char){0}), 0);
	map = map_alone(PAGE, RW);
	poke(map, 7);
	expect(syscall(SYS_mremap, map, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, NULL) == 0);
	expect_read_kills(map, SIGSEGV);
	expect(munmap(NULL, PAGE) == 0);
}

static const struct tap_case cases[] = {
	{"files mounted without execution", mounted_without_execution},
	{"a mount that changes under a mapping", mounted_anew},
	{"anonymous memory may be executed wherever one is", anonymous_there},
	{"the lowest page is root's", lowest_page_of_nobody},
	{"root maps the lowest page", lowest_page_of_root},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
