/*
 * children.c - children of a worker: what they inherit is as the model says, and what they do to
 * it stays with them. They end by themselves, with threads at work, or are killed.
 */
#include "stress.h"

/* The whole of a child: verify, write, verify. */
static void be_child(struct worker *worker)
{
	regions_verify(worker);
	regions_scribble(worker);
	regions_verify(worker);
}

static pid_t fork_worker(struct worker *worker)
{
	pid_t pid = fork();

	if (pid < 0)
		fail(worker, "fork: %s", tap_errno_name(errno));
	return pid;
}

static void wait_worker(struct worker *worker, pid_t pid, int wanted)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		must(worker, errno == EINTR);
	if (status != wanted)
		fail(worker, "the child's wait status is 0x%x, expected 0x%x", status, wanted);
}

/* The parent goes on writing meanwhile. */
static void fork_and_verify(struct worker *worker)
{
	pid_t pid = fork_worker(worker);

	if (pid == 0) {
		be_child(worker);
		_exit(0);
	}
	if (choose(worker, 2) == 0)
		regions_scribble(worker);
	wait_worker(worker, pid, 0);
}

static void fork_twice(struct worker *worker)
{
	pid_t pid = fork_worker(worker);

	if (pid == 0) {
		pid = fork_worker(worker);
		be_child(worker);
		if (pid != 0)
			wait_worker(worker, pid, 0);
		_exit(0);
	}
	wait_worker(worker, pid, 0);
	regions_verify(worker);
}

static void *fault_for_ever(void *unused)
{
	for (;;) {
		char *memory = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			_exit(1);
		*page_word(memory, 3) = 1;
		munmap(memory, 4 * PAGE);
	}
	return unused;
}

/* A child that ends, or is killed, with threads in the middle of something. */
static void end_with_threads(struct worker *worker)
{
	bool kills = choose(worker, 2) == 0;
	pid_t pid = fork_worker(worker);

	if (pid == 0) {
		pthread_t thread;

		for (int i = 0; i < 2; i++)
			must(worker, pthread_create(&thread, NULL, fault_for_ever, NULL) == 0);
		if (kills)
			fault_for_ever(NULL);
		be_child(worker);
		_exit(7);
	}
	if (kills) {
		linger(choose(worker, 200));
		must(worker, kill(pid, SIGKILL) == 0);
	}
	wait_worker(worker, pid, kills ? SIGKILL : 7 << 8);
}

const struct operation child_operations[] = {
	{"fork", fork_and_verify, 4},
	{"fork twice", fork_twice, 2},
	{"end with threads", end_with_threads, 2},
};
const size_t child_operations_count = ARRAY_LENGTH(child_operations);
