/*
 * race_files.c - names: made, removed, renamed, listed and mounted on by many processes at once.
 *
 * Each case does a bounded number of rounds; what must hold in between and at the end does not
 * depend on how they fell.
 */
#include "helpers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mount.h>

enum { CHILDREN = 4 };

/* Run the function in so many children, each with its number; all must end well. */
static void run_children(int count, void (*function)(int number))
{
	pid_t pids[CHILDREN];

	for (int i = 0; i < count; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			function(i);
			child_end();
		}
	}
	for (int i = 0; i < count; i++)
		expect_exit(pids[i], 0);
}

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 16;
}

static void make_file(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);

	expect(fd >= 0);
	close(fd);
}

/* It worked, or failed with one of these. */
static bool worked_or(int result, int error, int other)
{
	if (result < 0 && errno != error)
		expect_equal(errno, other);
	return result >= 0;
}

static int count_names(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	expect(directory != NULL);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count - 2;
}

/* --- O_EXCL ----------------------------------------------------------------------------------- */

enum { EXCLUSIVE_NAMES = 400 };

static atomic_int *winners; /* in shared memory */

static void create_exclusively(int number)
{
	char name[16];
	int fd;

	(void)number;
	for (int i = 0; i < EXCLUSIVE_NAMES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (worked_or(fd, EEXIST, EEXIST)) {
			++*winners;
			close(fd);
		}
		if (worked_or(mkdir("directory", 0755), EEXIST, EEXIST))
			++winners[1];
		if (worked_or(rmdir("directory"), ENOENT, ENOENT))
			--winners[1];
	}
}

static void one_creator(void)
{
	scratch_enter();
	winners = (atomic_int *)map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	run_children(CHILDREN, create_exclusively);
	expect_equal(winners[0], EXCLUSIVE_NAMES);
	expect_equal(winners[1], 0);
	expect_equal(count_names("."), EXCLUSIVE_NAMES);
}

/* --- rename ----------------------------------------------------------------------------------- */

enum { REPLACEMENTS = 400, CONTENT = 64 };

/* Writers put whole files in the name's place; readers always find one, and find it whole. */
static void replace_or_read(int number)
{
	char bytes[CONTENT], mine[16];
	int fd;

	snprintf(mine, sizeof(mine), "new-%d", number);
	for (int i = 0; i < REPLACEMENTS; i++) {
		if (number < 2) {
			fd = open(mine, O_CREAT | O_EXCL | O_WRONLY, 0644);
			memset(bytes, 'a' + number, sizeof(bytes));
			expect_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
			close(fd);
			expect_equal(rename(mine, "target"), 0);
			continue;
		}
		fd = open("target", O_RDONLY);
		expect(fd >= 0);
		expect_equal(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
		expect_filled(bytes, bytes[0], sizeof(bytes));
		close(fd);
	}
}

static void replaced_name(void)
{
	char bytes[CONTENT] = "";
	int fd;

	scratch_enter();
	fd = open("target", O_CREAT | O_WRONLY, 0644);
	expect_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	run_children(CHILDREN, replace_or_read);
	expect_equal(count_names("."), 1);
}

enum { SHUFFLES = 600, DIRECTORIES = 3, SHUFFLED = 4 };

/* Files move between directories under names that may be taken: none is doubled, none is lost. */
static void shuffle(int number)
{
	unsigned state = (unsigned)number + 1;
	char from[16], to[16];

	for (int i = 0; i < SHUFFLES; i++) {
		snprintf(from, sizeof(from), "%u/%u", next_random(&state) % DIRECTORIES,
			 next_random(&state) % SHUFFLED);
		snprintf(to, sizeof(to), "%u/%u", next_random(&state) % DIRECTORIES,
			 next_random(&state) % SHUFFLED);
		if (i % 2)
			worked_or(renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE), ENOENT,
				  EEXIST);
		else
			worked_or(renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE), ENOENT,
				  ENOENT);
	}
}

static void shuffled_names(void)
{
	char name[16];
	int count = 0;

	scratch_enter();
	for (int d = 0; d < DIRECTORIES; d++) {
		snprintf(name, sizeof(name), "%d", d);
		expect_equal(mkdir(name, 0755), 0);
	}
	for (int f = 0; f < SHUFFLED; f++) {
		snprintf(name, sizeof(name), "0/%d", f);
		make_file(name);
		snprintf(name, sizeof(name), "1/%d", f);
		expect_equal(mkdir(name, 0755), 0);
	}
	run_children(CHILDREN, shuffle);
	for (int d = 0; d < DIRECTORIES; d++) {
		snprintf(name, sizeof(name), "%d", d);
		count += count_names(name);
	}
	expect_equal(count, 2 * SHUFFLED);
}

enum { NEST_ROUNDS = 300 };

static pthread_barrier_t nest_gate;
static int nest_results[2];

static void *nest(void *number)
{
	long i = (long)number;

	for (int round = 0; round < NEST_ROUNDS; round++) {
		pthread_barrier_wait(&nest_gate);
		nest_results[i] = i ? rename("y", "x/y") : rename("x", "y/x");
		pthread_barrier_wait(&nest_gate);
		if (i == 0) {
			/* Whichever was second finds its target's directory gone. */
			expect_equal(nest_results[0] + nest_results[1], -1);
			expect_equal(nest_results[0] ? rename("x/y", "y") : rename("y/x", "x"), 0);
		}
		pthread_barrier_wait(&nest_gate);
	}
	return NULL;
}

/* Each directory would become the other's child: both out of reach, were both allowed. */
static void directories_into_each_other(void)
{
	pthread_t other;

	scratch_enter();
	expect_equal(mkdir("x", 0755), 0);
	expect_equal(mkdir("y", 0755), 0);
	expect_equal(pthread_barrier_init(&nest_gate, NULL, 2), 0);
	expect_equal(pthread_create(&other, NULL, nest, (void *)1), 0);
	nest(NULL);
	expect_equal(pthread_join(other, NULL), 0);
	expect_equal(count_names("."), 2);
}

enum { MOVES = 300 };

/* A tree moves to and fro; a way through it, and the way back up, lead somewhere or nowhere. */
static void move_or_walk(int number)
{
	struct stat root, status;
	char name[PATH_MAX];

	expect_equal(stat(".", &root), 0);
	for (int i = 0; i < MOVES; i++) {
		if (number == 0) {
			expect_equal(rename("a/tree", "b/c/tree"), 0);
			expect_equal(rename("b/c/tree", "a/tree"), 0);
		} else if (number == 1) {
			expect_equal(chdir("a"), 0);
			if (chdir("tree/deep") == 0) {
				expect(getcwd(name, sizeof(name)) != NULL);
				expect(strstr(name, "/tree/deep") != NULL);
				expect_equal(chdir("../.."), 0);
				expect_equal(stat("../b", &status) == 0 ||
						     stat("../../b", &status) == 0, 1);
			}
			expect_equal(chdir(tap_scratch), 0);
		} else if (worked_or(stat("b/c/tree/deep/../../../../a", &status), ENOENT,
				     ENOENT)) {
			expect_equal(stat("a", &root), 0);
			expect_equal(status.st_ino, root.st_ino);
		}
	}
}

static void moving_tree(void)
{
	scratch_enter();
	expect_equal(mkdir("a", 0755), 0);
	expect_equal(mkdir("b", 0755), 0);
	expect_equal(mkdir("b/c", 0755), 0);
	expect_equal(mkdir("a/tree", 0755), 0);
	expect_equal(mkdir("a/tree/deep", 0755), 0);
	run_children(3, move_or_walk);
	expect_equal(access("a/tree/deep", F_OK), 0);
}

/* --- making against removing ------------------------------------------------------------------ */

enum { REMOVALS = 500 };

/* In a directory that others remove nothing is made any more. */
static void make_in_removed(int number)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "d/%d", number);
	for (int i = 0; i < REMOVALS; i++) {
		worked_or(mkdir("d", 0755), EEXIST, EEXIST);
		fd = open(name, O_CREAT | O_RDWR, 0644);
		if (worked_or(fd, ENOENT, ENOENT)) {
			expect_equal(write(fd, name, 1), 1);
			expect_equal(unlink(name), 0);
			expect_equal(pread(fd, name + 8, 1, 0), 1);
			close(fd);
		}
		worked_or(rmdir("d"), ENOENT, ENOTEMPTY);
	}
}

static void removed_directory(void)
{
	scratch_enter();
	run_children(CHILDREN, make_in_removed);
	worked_or(rmdir("d"), ENOENT, ENOENT);
	expect_equal(count_names("."), 0);
}

enum { LINKS = 400 };

/* Names come and go while the file is opened by another of them. */
static void link_and_unlink(int number)
{
	struct stat status;
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%d", number);
	for (int i = 0; i < LINKS; i++) {
		expect_equal(link("file", name), 0);
		fd = open(name, O_RDONLY);
		expect(fd >= 0);
		expect_equal(fstat(fd, &status), 0);
		expect(status.st_nlink >= 2 && status.st_nlink <= 1 + CHILDREN);
		expect_equal(unlink(name), 0);
		close(fd);
	}
}

static void link_counts(void)
{
	struct stat status;

	scratch_enter();
	make_file("file");
	run_children(CHILDREN, link_and_unlink);
	expect_equal(stat("file", &status), 0);
	expect_equal(status.st_nlink, 1);
}

/* A name that is opened while others unlink and make it again. */
static void open_or_unlink(int number)
{
	struct stat status;
	int fd;

	for (int i = 0; i < REMOVALS; i++) {
		if (number % 2) {
			worked_or(unlink("file"), ENOENT, ENOENT);
			continue;
		}
		fd = open("file", O_CREAT | O_RDWR, 0644);
		expect(fd >= 0);
		expect_equal(write(fd, "x", 1), 1);
		expect_equal(fstat(fd, &status), 0);
		expect(status.st_nlink <= 1);
		close(fd);
	}
}

static void unlinked_while_opened(void)
{
	scratch_enter();
	run_children(CHILDREN, open_or_unlink);
	worked_or(unlink("file"), ENOENT, ENOENT);
	expect_equal(count_names("."), 0);
}

/* --- listing ---------------------------------------------------------------------------------- */

enum { LISTINGS = 60, LASTING = 40, PASSING = 30 };

static void list_or_change(int number)
{
	char name[16];

	for (int i = 0; i < LISTINGS; i++) {
		int seen[LASTING] = {0};
		struct dirent *entry;
		DIR *directory;

		for (int n = 0; number > 0 && n < PASSING; n++) {
			snprintf(name, sizeof(name), "%d-%d", number, n);
			make_file(name);
		}
		for (int n = 0; number > 0 && n < PASSING; n++) {
			snprintf(name, sizeof(name), "%d-%d", number, n);
			expect_equal(unlink(name), 0);
		}
		if (number > 0)
			continue;
		directory = opendir(".");
		while ((entry = readdir(directory)) != NULL)
			if (strncmp(entry->d_name, "last", 4) == 0)
				seen[atoi(entry->d_name + 4)]++;
		closedir(directory);
		for (int n = 0; n < LASTING; n++)
			expect_equal(seen[n], 1);
	}
}

static void listed_while_changed(void)
{
	char name[16];

	scratch_enter();
	for (int n = 0; n < LASTING; n++) {
		snprintf(name, sizeof(name), "last%d", n);
		make_file(name);
	}
	run_children(CHILDREN, list_or_change);
	expect_equal(count_names("."), LASTING);
}

/* --- FIFOs ------------------------------------------------------------------------------------ */

enum { FIFO_ROUNDS = 400 };

static pthread_barrier_t fifo_gate;

/* Both open at the same time; neither may miss the other. */
static void *talk(void *writes)
{
	uint32_t message;
	int fd;

	for (uint32_t round = 0; round < FIFO_ROUNDS; round++) {
		pthread_barrier_wait(&fifo_gate);
		fd = open("fifo", writes ? O_WRONLY : O_RDONLY);
		expect(fd >= 0);
		if (writes) {
			expect_equal(write(fd, &round, sizeof(round)), sizeof(round));
		} else {
			expect_equal(read(fd, &message, sizeof(message)), sizeof(message));
			expect_equal(message, round);
			expect_equal(read(fd, &message, sizeof(message)), 0);
		}
		close(fd);
	}
	return NULL;
}

static void fifo_ends(void)
{
	pthread_t writer;

	scratch_enter();
	expect_equal(mkfifo("fifo", 0600), 0);
	expect_equal(pthread_barrier_init(&fifo_gate, NULL, 2), 0);
	expect_equal(pthread_create(&writer, NULL, talk, "writes"), 0);
	talk(NULL);
	expect_equal(pthread_join(writer, NULL), 0);
}

/* --- attributes ------------------------------------------------------------------------------- */

enum { CHANGES = 600 };

/* Owner and mode change in turn; root's file never has the set-user-id bit. */
static void change_or_look(int number)
{
	struct stat status;

	if (number == 0 && setuid(1234) < 0)
		tap_fail(HERE, "setuid failed with %s", tap_errno_name(errno));
	for (int i = 0; i < CHANGES; i++) {
		if (number == 0) {
			worked_or(chmod("file", 04755), EPERM, EPERM);
		} else if (number == 1) {
			expect_equal(chown("file", 0, 0), 0);
			expect_equal(stat("file", &status), 0);
			expect_equal(status.st_mode & S_ISUID, 0);
			expect_equal(chown("file", 1234, 1234), 0);
		}
	}
}

static void owner_and_mode(void)
{
	if (geteuid() != 0)
		tap_skip("the right to change owners");
	scratch_enter();
	make_file("file");
	expect_equal(chown("file", 1234, 1234), 0);
	run_children(2, change_or_look);
}

/* --- mounts ----------------------------------------------------------------------------------- */

enum { MOUNTS = 120 };

/* One mounts and unmounts, one makes and removes the mountpoint, two walk over it. */
static void mount_or_walk(int number)
{
	for (int i = 0; i < MOUNTS; i++) {
		if (number == 0) {
			if (worked_or(mount("none", "m", "tmpfs", 0, NULL), ENOENT, ENOENT))
				worked_or(umount2("m", i % 2 ? MNT_DETACH : 0), EBUSY, EBUSY);
		} else if (number == 1) {
			worked_or(rmdir("m"), EBUSY, ENOTEMPTY);
			worked_or(mkdir("m", 0755), EEXIST, EEXIST);
		} else {
			int fd = open("m/file", O_CREAT | O_RDWR, 0644);

			if (worked_or(fd, ENOENT, ENOENT)) {
				close(fd);
				worked_or(unlink("m/file"), ENOENT, ENOENT);
			}
		}
	}
}

static void clean_up_mounts(void)
{
	while (umount2("m", MNT_DETACH) == 0)
		;
	expect_equal(errno, EINVAL);
}

static void mounting(void)
{
	scratch_enter();
	expect_equal(mkdir("m", 0755), 0);
	if (mount("none", "m", "tmpfs", 0, NULL) < 0)
		tap_skip("the right to mount");
	expect_equal(umount("m"), 0);
	run_children(CHILDREN, mount_or_walk);
	clean_up_mounts();
	worked_or(unlink("m/file"), ENOENT, ENOENT);
	expect_equal(rmdir("m"), 0);
}

static const struct tap_case cases[] = {
	{"each name has one creator", one_creator},
	{"a name that is replaced is always there, and whole", replaced_name},
	{"names that change places are neither doubled nor lost", shuffled_names},
	{"two directories do not become each other's children", directories_into_each_other},
	{"ways through a tree that moves lead somewhere or nowhere", moving_tree},
	{"a directory is removed empty", removed_directory},
	{"links are counted", link_counts},
	{"a file is unlinked while it is opened", unlinked_while_opened},
	{"names that last are listed once while others come and go", listed_while_changed},
	{"both ends of a FIFO find each other", fifo_ends},
	{"what is root's does not get a set-user-id bit from its old owner", owner_and_mode},
	{"mounts come and go under those who walk over them", mounting},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
