/*
 * load_races.c - a mapping changes while a thread's fault waits for its page: what the thread then
 * finds is what is there now. /dev/test-object holds the load until it is told to go on.
 *
 * stos only: the device does not exist on Linux, where the cases are skipped. Files that are cut
 * meanwhile, and waiters that are killed: test_object.c.
 */
#include "helpers.h"

#include <pthread.h>
#include <sched.h>

#define DEVICE "/dev/test-object"
#define PAGES 8
#define THE_PAGE 3 /* that is waited for */
#define RW (PROT_READ | PROT_WRITE)

static int fd;
static char *map, *moved;

static void command(const char *text)
{
	expect_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
}

static long held(void)
{
	char text[256] = "", *found;

	expect(pread(fd, text, sizeof(text) - 1, 0) > 0);
	found = strstr(text, "held ");
	expect(found != NULL);
	return strtol(found + strlen("held "), NULL, 10);
}

static void *read_it(void *result)
{
	*(int *)result = peek(map + THE_PAGE * PAGE);
	return NULL;
}

static void *write_it(void *result)
{
	poke(map + THE_PAGE * PAGE, 'w');
	*(int *)result = peek(map + THE_PAGE * PAGE);
	return NULL;
}

/*
 * A child's thread accesses the page, and waits for it while `change` happens. The child's exit
 * status is what the thread has found, or it is killed by what befell the thread.
 */
static pid_t change_during(void *(*access)(void *), int flags, void (*change)(void))
{
	pthread_t thread;
	int found = 255;
	pid_t pid;

	fd = open(DEVICE, O_RDWR);
	if (fd < 0 && errno == ENOENT)
		tap_skip("no " DEVICE);
	expect(fd >= 0);
	map = map_file(fd, PAGES * PAGE, RW, flags, 0);
	moved = map_alone(PAGES * PAGE,
			  PROT_NONE); /* kept free: the thread's stack goes elsewhere */
	pid = fork_child();
	if (pid != 0)
		return pid;
	command("hold-load 3");
	expect(pthread_create(&thread, NULL, access, &found) == 0);
	while (held() != 1)
		sched_yield();
	change();
	command("release");
	expect(pthread_join(thread, NULL) == 0);
	_exit(found);
}

static void unmap(void)
{
	expect(munmap(map + 2 * PAGE, 3 * PAGE) == 0);
}

static void map_another(void)
{
	map_fixed(map + THE_PAGE * PAGE, PAGE, RW);
	poke(map + THE_PAGE * PAGE, 'a');
}

static void map_another_untouched(void)
{
	map_fixed(map + THE_PAGE * PAGE, PAGE, RW);
}

static void forbid(void)
{
	expect(mprotect(map, PAGES * PAGE, PROT_NONE) == 0);
}

static void forbid_writing(void)
{
	expect(mprotect(map, PAGES * PAGE, PROT_READ) == 0);
}

static void forbid_and_allow(void)
{
	forbid();
	expect(mprotect(map, PAGES * PAGE, RW) == 0);
}

static void move(void)
{
	expect(mremap(map, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, moved) ==
	       moved);
}

static void move_and_back(void)
{
	move();
	expect(mremap(moved, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map) ==
	       map);
}

static void advise(void)
{
	expect(madvise(map, PAGES * PAGE, MADV_DONTNEED) == 0);
}

static void unmap_and_map_again(void)
{
	unmap();
	expect(mmap(map + 2 * PAGE, 3 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 2 * PAGE) ==
	       map + 2 * PAGE);
}

/* A child of the child's gets the mapping, but not the fault. */
static void fork_meanwhile(void)
{
	pid_t pid = fork_child();

	if (pid == 0) {
		expect_equal(peek(map + PAGE), 0); /* pages that nobody holds */
		child_end();
	}
	expect_exit(pid, 0);
}

static void readers(void)
{
	expect_killed(change_during(read_it, MAP_SHARED, unmap), SIGSEGV);
	expect_killed(change_during(read_it, MAP_PRIVATE, unmap), SIGSEGV);
	expect_killed(change_during(read_it, MAP_SHARED, forbid), SIGSEGV);
	expect_killed(change_during(read_it, MAP_SHARED, move), SIGSEGV);
	expect_exit(change_during(read_it, MAP_SHARED, map_another), 'a');
	expect_exit(change_during(read_it, MAP_PRIVATE, map_another_untouched), 0);
	expect_exit(change_during(read_it, MAP_SHARED, forbid_and_allow), 0);
	expect_exit(change_during(read_it, MAP_SHARED, forbid_writing), 0);
	expect_exit(change_during(read_it, MAP_SHARED, move_and_back), 0);
	expect_exit(change_during(read_it, MAP_SHARED, advise), 0);
	expect_exit(change_during(read_it, MAP_SHARED, unmap_and_map_again), 0);
	expect_exit(change_during(read_it, MAP_SHARED, fork_meanwhile), 0);
}

static void writers(void)
{
	expect_killed(change_during(write_it, MAP_SHARED, unmap), SIGSEGV);
	expect_killed(change_during(write_it, MAP_PRIVATE, unmap), SIGSEGV);
	expect_killed(change_during(write_it, MAP_SHARED, forbid_writing), SIGSEGV);
	expect_killed(change_during(write_it, MAP_PRIVATE, forbid_writing), SIGSEGV);
	expect_killed(change_during(write_it, MAP_PRIVATE, move), SIGSEGV);
	expect_exit(change_during(write_it, MAP_SHARED, map_another), 'w');
	expect_exit(change_during(write_it, MAP_PRIVATE, map_another_untouched), 'w');
	expect_exit(change_during(write_it, MAP_PRIVATE, forbid_and_allow), 'w');
	expect_exit(change_during(write_it, MAP_PRIVATE, move_and_back), 'w');
	expect_exit(change_during(write_it, MAP_SHARED, unmap_and_map_again), 'w');
	expect_exit(change_during(write_it, MAP_PRIVATE, fork_meanwhile), 'w');
}

/* What was private memory meanwhile stays out of the file. */
static void the_file_is_untouched(void)
{
	expect_exit(change_during(write_it, MAP_SHARED, map_another), 'w');
	expect_equal(peek(map + THE_PAGE * PAGE), 0);
	expect_exit(change_during(write_it, MAP_SHARED, unmap_and_map_again), 'w');
	expect_equal(peek(map + THE_PAGE * PAGE), 'w');
}

static const struct tap_case cases[] = {
	{"who reads finds what is mapped now", readers},
	{"who writes finds what is mapped now", writers},
	{"a store reaches what is mapped now, not the file", the_file_is_untouched},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
