/*
 * race_proc.c - /proc, read by some processes while others begin, exec and end.
 *
 * A name in /proc may be gone at the next step; what is read there is about the process asked for,
 * or nothing.
 */
#include "helpers.h"

#include <pthread.h>
#include <stdatomic.h>

/* What opening, reading or following a name of a process that ends may say. */
static bool may_fail(int error)
{
	return error == ENOENT || error == ESRCH || error == EACCES || error == EINVAL ||
	       error == EPERM || error == EIO || error == ENOTDIR;
}

/* Set by the case when its processes have done their rounds; in shared memory. */
static atomic_bool *over;

static void share_over(void)
{
	over = (atomic_bool *)map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
}

/* --- walking ---------------------------------------------------------------------------------- */

static void read_file(const char *name)
{
	char bytes[4096];
	int fd = open(name, O_RDONLY | O_NONBLOCK);
	ssize_t got;

	if (fd < 0) {
		expect(may_fail(errno));
		return;
	}
	/* Some of each: pagemap and the like are long. */
	for (int i = 0; i < 3; i++) {
		got = read(fd, bytes, sizeof(bytes));
		if (got < 0)
			expect(may_fail(errno));
		if (got <= 0)
			break;
	}
	close(fd);
}

static void follow_link(const char *name)
{
	struct stat status;
	char target[256];

	if (readlink(name, target, sizeof(target)) < 0)
		expect(may_fail(errno));
	if (stat(name, &status) < 0)
		expect(may_fail(errno));
}

static void walk(const char *path, int depth);

static void visit(const char *path, const struct dirent *entry, int depth)
{
	char name[200];

	snprintf(name, sizeof(name), "%.150s/%.40s", path, entry->d_name);
	if (entry->d_type == DT_LNK)
		follow_link(name);
	else if (entry->d_type == DT_DIR && depth > 0)
		walk(name, depth - 1);
	else if (entry->d_type == DT_REG)
		read_file(name);
}

static void walk(const char *path, int depth)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	if (directory == NULL) {
		expect(may_fail(errno));
		return;
	}
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			visit(path, entry, depth);
	closedir(directory);
}

/*
 * The directories of this test's processes: the group's, so that no other process of the system is
 * read.
 */
static void walk_group(void)
{
	pid_t group = getpgrp();
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	bool self_seen = false;
	char name[32];

	expect(directory != NULL);
	while ((entry = readdir(directory)) != NULL) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0 || getpgid(pid) != group)
			continue;
		self_seen |= pid == getpid();
		snprintf(name, sizeof(name), "/proc/%d", pid);
		walk(name, 3);
	}
	closedir(directory);
	expect(self_seen);
}

enum { WALKERS = 2, FORKERS = 2, FORK_ROUNDS = 40 };

static void *open_and_close(void *unused)
{
	for (int i = 0; i < 20; i++) {
		int pair[2];

		expect_equal(pipe(pair), 0);
		close(pair[0]);
		close(pair[1]);
	}
	return unused;
}

/* Children with a child, a thread, memory and files of their own, gone at once. */
static void fork_and_end(void)
{
	for (int i = 0; i < FORK_ROUNDS; i++) {
		pid_t pid = fork_child();
		pthread_t thread;

		if (pid != 0) {
			expect_exit(pid, 0);
			continue;
		}
		expect_equal(pthread_create(&thread, NULL, open_and_close, NULL), 0);
		memset(map_anon(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), 1, 16 * PAGE);
		pid = fork_child();
		if (pid == 0)
			_exit(0);
		if (i % 2)
			expect_exit(pid, 0);
		if (i % 3)
			expect_equal(pthread_join(thread, NULL), 0);
		_exit(0);
	}
}

static void walked_while_forking(void)
{
	pid_t walkers[WALKERS], forkers[FORKERS];

	share_over();
	expect_equal(setpgid(0, 0), 0);
	for (int i = 0; i < WALKERS; i++) {
		walkers[i] = fork_child();
		if (walkers[i] == 0) {
			do
				walk_group();
			while (!*over);
			child_end();
		}
	}
	for (int i = 0; i < FORKERS; i++) {
		forkers[i] = fork_child();
		if (forkers[i] == 0) {
			fork_and_end();
			child_end();
		}
	}
	for (int i = 0; i < FORKERS; i++)
		expect_exit(forkers[i], 0);
	*over = true;
	for (int i = 0; i < WALKERS; i++)
		expect_exit(walkers[i], 0);
}

/* --- one process's files ---------------------------------------------------------------------- */

/* The value of "KEY:\tN" in a file, or -1 when the process is gone. */
static int read_key(const char *name, const char *key)
{
	char text[4096];
	int fd = open(name, O_RDONLY);
	const char *at;
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return -1;
	text[got] = '\0';
	at = strstr(text, key);
	expect(at != NULL);
	return atoi(at + strlen(key));
}

enum { STATUS_ROUNDS = 150 };

static void watch_status(pid_t parent)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	char name[300];

	expect(directory != NULL);
	while ((entry = readdir(directory)) != NULL) {
		pid_t pid = atoi(entry->d_name);
		int got;

		if (pid <= parent)
			continue;
		snprintf(name, sizeof(name), "/proc/%d/status", pid);
		got = read_key(name, "\nPid:\t");
		expect(got == -1 || got == pid);
	}
	closedir(directory);
}

static void status_is_its_own(void)
{
	pid_t parent = getpid(), watcher;

	share_over();
	watcher = fork_child();
	if (watcher == 0) {
		while (!*over)
			watch_status(parent);
		child_end();
	}
	for (int i = 0; i < STATUS_ROUNDS; i++) {
		pid_t pid = fork_child();

		if (pid == 0)
			_exit(0);
		expect_exit(pid, 0);
	}
	*over = true;
	expect_exit(watcher, 0);
}

/* --- threads ---------------------------------------------------------------------------------- */

enum { THREAD_ROUNDS = 150, LASTING_THREADS = 3 };

static atomic_int lasting_tids[LASTING_THREADS];
static atomic_bool listed;

static void *last(void *number)
{
	lasting_tids[(long)number] = (int)syscall(SYS_gettid);
	while (!listed)
		sleep_ms(1);
	return NULL;
}

static void *pass(void *unused)
{
	return unused;
}

static void *make_threads(void *unused)
{
	for (int i = 0; i < THREAD_ROUNDS; i++) {
		pthread_t thread;

		expect_equal(pthread_create(&thread, NULL, pass, NULL), 0);
		expect_equal(pthread_join(thread, NULL), 0);
	}
	return unused;
}

/* Threads that last are each listed once, whichever come and go beside them. */
static void list_threads(const int *tids)
{
	DIR *directory = opendir("/proc/self/task");
	int seen[LASTING_THREADS] = {0};
	struct dirent *entry;
	char name[300];

	expect(directory != NULL);
	while ((entry = readdir(directory)) != NULL) {
		int tid = atoi(entry->d_name);

		for (int i = 0; i < LASTING_THREADS; i++)
			seen[i] += tid == tids[i];
		if (tid <= 0)
			continue;
		snprintf(name, sizeof(name), "/proc/self/task/%d/comm", tid);
		read_file(name);
	}
	closedir(directory);
	for (int i = 0; i < LASTING_THREADS; i++)
		expect_equal(seen[i], 1);
}

static void threads_listed(void)
{
	pthread_t maker, lasting[LASTING_THREADS];
	int tids[LASTING_THREADS];

	for (long i = 0; i < LASTING_THREADS; i++) {
		expect_equal(pthread_create(&lasting[i], NULL, last, (void *)i), 0);
		while ((tids[i] = lasting_tids[i]) == 0)
			sleep_ms(1);
	}
	expect_equal(pthread_create(&maker, NULL, make_threads, NULL), 0);
	for (int i = 0; i < 20; i++)
		list_threads(tids);
	listed = true;
	expect_equal(pthread_join(maker, NULL), 0);
	for (int i = 0; i < LASTING_THREADS; i++)
		expect_equal(pthread_join(lasting[i], NULL), 0);
}

/* --- exec ------------------------------------------------------------------------------------- */

enum { EXEC_ROUNDS = 60 };

static char program[PATH_MAX];

static void list_descriptors(pid_t pid)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/fd", pid);
	while (!*over) {
		DIR *directory = opendir(name);

		if (directory != NULL) {
			while (readdir(directory) != NULL)
				;
			closedir(directory);
		}
	}
}

/* Runs this program in place of itself, again and again, with a locked file as descriptor 9. */
static void exec_again(int left)
{
	char rounds[16];

	snprintf(rounds, sizeof(rounds), "%d", left - 1);
	execl(program, program, "exec-again", rounds, (char *)NULL);
	_exit(1);
}

/*
 * A record lock belongs to the process, so that exec keeps it; looking into /proc changes nothing.
 */
static void locks_stay(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	pid_t watchers[2], pid;
	int fd;

	share_over();
	scratch_enter();
	pid = fork_child();
	if (pid == 0) {
		fd = open("file", O_CREAT | O_RDWR, 0600);
		expect_equal(dup2(fd, 9), 9);
		expect_equal(fcntl(9, F_SETLK, &lock), 0);
		exec_again(EXEC_ROUNDS);
	}
	for (int i = 0; i < 2; i++) {
		watchers[i] = fork_child();
		if (watchers[i] == 0) {
			list_descriptors(pid);
			child_end();
		}
	}
	expect_exit(pid, 0);
	*over = true;
	expect_exit(watchers[0], 0);
	expect_exit(watchers[1], 0);
}

/* The lock is still ours, says a child, whom it would be in the way of. */
static int check_lock(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	pid_t parent = getpid(), pid = fork_child();

	if (pid == 0) {
		expect_equal(fcntl(9, F_GETLK, &lock), 0);
		expect_equal(lock.l_type, F_WRLCK);
		expect_equal(lock.l_pid, parent);
		child_end();
	}
	return wait_child(pid) == 0 ? 0 : 1;
}

static const struct tap_case cases[] = {
	{"all of /proc/<pid> is read while processes come and go", walked_while_forking},
	{"status is that of the process whose directory it is in", status_is_its_own},
	{"threads that last are listed once while others come and go", threads_listed},
	{"exec keeps record locks while /proc/<pid>/fd is read", locks_stay},
};

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "exec-again") == 0) {
		if (check_lock())
			return 1;
		if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
			return 1;
		if (atoi(argv[2]) > 0)
			exec_again(atoi(argv[2]));
		return 0;
	}
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return 1;
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
