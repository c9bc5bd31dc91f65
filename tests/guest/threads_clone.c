/*
 * threads_clone.c - clone and clone3 themselves: what each flag shares, who is told, and what is
 * refused.
 */
#include "threads.h"

#include <asm/prctl.h>
#include <linux/sched.h>

#define STACK_BYTES ((size_t)65536)

static _Atomic int told_parent, told_child, seen;

/* Runs the function in a new task on a stack of its own; `exit_signal` is part of the flags. */
#define clone_child(function, flags) tap_clone(HERE, function, flags)
static pid_t tap_clone(struct tap_where where, int (*function)(void *), int flags)
{
	char *stack = tap_map(where, NULL, STACK_BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid =
		clone(function, stack + STACK_BYTES, flags, NULL, &told_parent, NULL, &told_child);

	if (pid < 0)
		tap_fail(where, "clone(0x%x) failed with %s", (unsigned)flags,
			 tap_errno_name(errno));
	return pid;
}

/* As fork, by the plain system call. */
static long clone_fork(unsigned long flags, _Atomic int *parent_tid, _Atomic int *child_tid)
{
	return syscall(SYS_clone, flags, 0, parent_tid, child_tid, 0);
}

static long clone3(struct clone_args *args, size_t size)
{
	return syscall(SYS_clone3, args, size);
}

static int set_seen(void *unused)
{
	(void)unused;
	seen = 7;
	return 5;
}

static void memory(void)
{
	expect_exit(clone_child(set_seen, SIGCHLD), 5);
	expect_equal(seen, 0);
	expect_exit(clone_child(set_seen, CLONE_VM | SIGCHLD), 5);
	expect_equal(seen, 7);
}

static int change_directory(void *unused)
{
	(void)unused;
	umask(0123);
	return chdir("/proc") != 0;
}

static bool directory_is(const char *wanted)
{
	char path[256];

	expect(getcwd(path, sizeof(path)) != NULL);
	return strcmp(path, wanted) == 0;
}

static void directories(void)
{
	expect(chdir("/") == 0);
	umask(022);
	expect_exit(clone_child(change_directory, CLONE_VM | SIGCHLD), 0);
	expect(directory_is("/"));
	expect_equal(umask(022), 022);
	expect_exit(clone_child(change_directory, CLONE_FS | SIGCHLD), 0);
	expect(directory_is("/proc"));
	expect_equal(umask(022), 0123);
}

static int open_at_100(void *unused)
{
	(void)unused;
	return dup2(1, 100) != 100;
}

static void descriptors(void)
{
	expect_exit(clone_child(open_at_100, CLONE_VM | SIGCHLD), 0);
	expect_errno(fcntl(100, F_GETFD), EBADF);
	expect_exit(clone_child(open_at_100, CLONE_FILES | SIGCHLD), 0);
	expect_equal(fcntl(100, F_GETFD), 0);
}

static int tell_parent(void *unused)
{
	(void)unused;
	seen = getppid();
	return 0;
}

static int clone_brother(void *unused)
{
	(void)unused;
	told_parent = clone_child(tell_parent, CLONE_VM | CLONE_PARENT | SIGCHLD);
	return 0;
}

/* CLONE_PARENT's child is the caller's brother: who waits for it is our parent, here us. */
static void brothers(void)
{
	expect_exit(clone_child(clone_brother, CLONE_VM | SIGCHLD), 0);
	expect_exit(told_parent, 0);
	expect_equal(seen, getpid());
}

static volatile sig_atomic_t handled;

static void note_signal(int signal)
{
	handled = signal;
}

static int exit_3(void *unused)
{
	(void)unused;
	return 3;
}

static void exit_signals(void)
{
	int status;
	pid_t pid;

	signal(SIGUSR1, note_signal);
	pid = clone_child(exit_3, SIGUSR1);
	while (!handled)
		sched_yield();
	expect_equal(handled, SIGUSR1);
	expect_errno(waitpid(pid, &status, 0), ECHILD); /* a "clone child" is not waited for so */
	expect_equal(waitpid(pid, &status, __WCLONE), pid);
	expect_equal(WEXITSTATUS(status), 3);
	pid = clone_child(exit_3, 0);
	expect_errno(waitpid(pid, &status, 0), ECHILD);
	expect_equal(waitpid(pid, &status, __WALL), pid);
	pid = (pid_t)clone_fork(100, NULL, NULL); /* no signal has that number: none is sent */
	if (pid == 0)
		_exit(4);
	expect_equal(waitpid(pid, &status, __WCLONE), pid);
	expect_equal(WEXITSTATUS(status), 4);
}

static void exec_resets_the_exit_signal(void)
{
	pid_t pid = (pid_t)clone_fork(0, NULL, NULL);

	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		execl("/proc/self/exe", "threads_clone", "0", NULL);
		_exit(9);
	}
	/* It is __WCLONE's until it has exec'ed, then everybody's. */
	while (waitpid(pid, NULL, WNOHANG) != pid)
		sched_yield();
}

static void numbers(void)
{
	pid_t pid;

	told_parent = told_child = 0;
	pid = (pid_t)clone_fork(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, &told_parent,
				&told_child);
	if (pid == 0) {
		expect_equal(told_child, own_tid());
		expect_equal(told_child, getpid());
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(told_parent, pid);
	expect_equal(told_child, 0); /* in the child's memory only */
	/* Bad addresses are nobody's business. */
	pid = (pid_t)clone_fork(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD,
				(_Atomic int *)8, (_Atomic int *)8);
	if (pid == 0)
		_exit(0);
	expect_exit(pid, 0);
	told_child = 0;
	pid = (pid_t)clone_fork(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD,
				(_Atomic int *)8, &told_child);
	if (pid == 0)
		_exit(told_child != getpid());
	expect_exit(pid, 0);
}

static int nothing(void *unused)
{
	(void)unused;
	return 0;
}

static void cleared_number(void)
{
	_Atomic int *shared = (_Atomic int *)map_anon(PAGE, RW, MAP_SHARED);
	pid_t pid;

	told_child = 1;
	pid = clone_child(nothing, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD);
	while (told_child)
		futex(&told_child, FUTEX_WAIT, 1, NULL, NULL, 0);
	expect_exit(pid, 0);
	/* Who is alone in its memory leaves the word as it is. */
	pid = (pid_t)clone_fork(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, shared);
	if (pid == 0)
		_exit(0);
	expect_exit(pid, 0);
	expect_equal(*shared, pid);
}

static unsigned long fs_base(void)
{
	unsigned long base = 0;

	syscall(SYS_arch_prctl, ARCH_GET_FS, &base);
	return base;
}

static void local_storage(void)
{
	static struct {
		void *self;
		char rest[4096];
	} block;
	unsigned long own = fs_base();
	pid_t pid;

	block.self = &block;
	/* Between clone and exit the child calls nothing that needs what is missing there. */
	pid = (pid_t)syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, NULL, NULL, &block);
	if (pid == 0) {
		unsigned long base;

		__asm__ volatile("syscall"
				 : "=a"(base)
				 : "a"(SYS_arch_prctl), "D"(ARCH_GET_FS), "S"(&block.rest)
				 : "rcx", "r11", "memory");
		memcpy(&base, block.rest, sizeof(base));
		__asm__ volatile("syscall"
				 :
				 : "a"(SYS_exit_group), "D"(base == (unsigned long)&block ? 0 : 1)
				 : "rcx", "r11", "memory");
	}
	expect_exit(pid, 0);
	expect_equal(fs_base(), own);
	expect_errno(syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, NULL, NULL, 1ul << 63), EPERM);
}

static _Atomic int child_done;

static int finish_late(void *unused)
{
	(void)unused;
	for (int i = 0; i < 50; i++)
		sched_yield();
	child_done++;
	return 0;
}

static int exec_late(void *unused)
{
	finish_late(unused);
	execl("/proc/self/exe", "threads_clone", "0", NULL);
	return 9;
}

static void vfork_waits(void)
{
	pid_t pid = clone_child(finish_late, CLONE_VM | CLONE_VFORK | SIGCHLD);

	expect_equal(child_done, 1);
	expect_exit(pid, 0);
	pid = clone_child(exec_late, CLONE_VM | CLONE_VFORK | SIGCHLD);
	expect_equal(child_done, 2);
	expect(wait_child(pid) >= 0);
}

static void alternate_stack(void)
{
	static char memory[16384];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)}, told;
	long pid;

	expect(sigaltstack(&stack, NULL) == 0);
	for (int vm = 0; vm < 2; vm++) {
		pid = vm ? vfork() : clone_fork(SIGCHLD, NULL, NULL);
		if (pid == 0)
			_exit(sigaltstack(NULL, &told) != 0 || told.ss_sp != memory);
		expect_exit((pid_t)pid, 0);
	}
}

static int has_no_alternate_stack(void *unused)
{
	stack_t told;

	(void)unused;
	return sigaltstack(NULL, &told) != 0 || told.ss_flags != SS_DISABLE;
}

static void alternate_stack_of_another(void)
{
	static char memory[16384];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)}, told;

	expect(sigaltstack(&stack, NULL) == 0);
	expect_exit(clone_child(has_no_alternate_stack, CLONE_VM | SIGCHLD), 0);
	expect(sigaltstack(NULL, &told) == 0 && told.ss_sp == memory);
}

static void cleared_handlers(void)
{
	struct clone_args args = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
	struct sigaction action;
	long pid;

	signal(SIGUSR1, note_signal);
	signal(SIGUSR2, SIG_IGN);
	pid = clone3(&args, sizeof(args));
	if (pid == 0) {
		expect(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
		expect(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
		child_end();
	}
	expect_exit((pid_t)pid, 0);
	expect(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == note_signal);
}

static void refused(void)
{
	static const struct {
		const char *name;
		unsigned long flags;
	} rows[] = {
		{"a thread without shared handlers", CLONE_THREAD | CLONE_VM},
		{"shared handlers without shared memory", CLONE_SIGHAND},
		{"a thread without shared memory", CLONE_THREAD | CLONE_SIGHAND},
		{"a new mount namespace with shared directories", CLONE_NEWNS | CLONE_FS},
		{"a new user namespace with shared directories", CLONE_NEWUSER | CLONE_FS},
		{"a thread in a new user namespace",
		 CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM},
		{"a detached process with a descriptor", CLONE_PIDFD | CLONE_DETACHED},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		check_errno(rows[i].name, clone_fork(rows[i].flags, NULL, NULL), EINVAL);
}

/* clone3 with one field wrong: the errno, or 0 when it made a child. */
static int clone3_errno(struct clone_args args, size_t size)
{
	long pid = clone3(&args, size);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return errno;
	waitpid((pid_t)pid, NULL, __WALL);
	return 0;
}

static void clone3_refused(void)
{
	static int tids[] = {0, 1};
	const unsigned long tid_0 = (unsigned long)&tids[0];
	const struct {
		const char *name;
		struct clone_args args;
		size_t size;
		int error;
	} rows[] = {
		{"the first size", {.exit_signal = SIGCHLD}, CLONE_ARGS_SIZE_VER0, 0},
		{"the second size", {.exit_signal = SIGCHLD}, CLONE_ARGS_SIZE_VER1, 0},
		{"the third size", {.exit_signal = SIGCHLD}, CLONE_ARGS_SIZE_VER2, 0},
		{"too short", {.exit_signal = SIGCHLD}, CLONE_ARGS_SIZE_VER0 - 1, EINVAL},
		{"more than a page", {.exit_signal = SIGCHLD}, PAGE + 1, E2BIG},
		{"no such signal", {.exit_signal = 65}, 88, EINVAL},
		{"a flag in the signal", {.exit_signal = 0x111}, 88, EINVAL},
		{"a signal in the flags", {.flags = SIGCHLD}, 88, EINVAL},
		{"the old detached flag", {.flags = CLONE_DETACHED}, 88, EINVAL},
		{"an unknown flag", {.flags = 1ull << 40}, 88, EINVAL},
		{"handlers shared and cleared",
		 {.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM},
		 88,
		 EINVAL},
		{"a brother with a signal", {.flags = CLONE_PARENT, .exit_signal = 17}, 88, EINVAL},
		{"a thread with a signal",
		 {.flags = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND, .exit_signal = 17},
		 88,
		 EINVAL},
		{"a stack without a size", {.stack = 4096}, 88, EINVAL},
		{"a size without a stack", {.stack_size = 4096}, 88, EINVAL},
		{"a stack of the kernel's", {.stack = 1ul << 63, .stack_size = 4096}, 88, EINVAL},
		{"a stack around the end", {.stack = 4096, .stack_size = -1ul}, 88, EINVAL},
		{"no number chosen", {.set_tid = tid_0}, 88, EINVAL},
		{"numbers without a place", {.set_tid_size = 1}, 88, EINVAL},
		{"too many numbers", {.set_tid = tid_0, .set_tid_size = 33}, 88, EINVAL},
		{"numbers nowhere", {.set_tid = 8, .set_tid_size = 1}, 88, EFAULT},
		{"number 0", {.set_tid = tid_0, .set_tid_size = 1}, 88, EINVAL},
		{"no such descriptor", {.flags = CLONE_INTO_CGROUP, .cgroup = 99}, 88, EBADF},
		{"not a control group", {.flags = CLONE_INTO_CGROUP, .cgroup = 1}, 88, EBADF},
		{"a group beyond the size", {.flags = CLONE_INTO_CGROUP, .cgroup = 1}, 80, EINVAL},
		{"no descriptor at all",
		 {.flags = CLONE_INTO_CGROUP, .cgroup = 1ul << 40},
		 88,
		 EINVAL},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		errno = clone3_errno(rows[i].args, rows[i].size);
		check(rows[i].name, errno == rows[i].error);
	}
	expect_errno(clone3(NULL, sizeof(struct clone_args)), EFAULT);
	expect_errno(clone3((struct clone_args *)free_range(PAGE), sizeof(struct clone_args)),
		     EFAULT);
}

/* A later program's struct: what we do not know must be 0. */
static void clone3_from_the_future(void)
{
	static union {
		struct clone_args args;
		char bytes[4096];
	} future;
	long pid;

	future.args.exit_signal = SIGCHLD;
	pid = clone3(&future.args, sizeof(future));
	if (pid == 0)
		_exit(0);
	expect_exit((pid_t)pid, 0);
	for (size_t at = sizeof(struct clone_args); at < sizeof(future); at += 37) {
		future.bytes[at] = 1;
		expect_errno(clone3(&future.args, sizeof(future)), E2BIG);
		future.bytes[at] = 0;
	}
	future.bytes[4095] = 1;
	expect_errno(clone3(&future.args, sizeof(future)), E2BIG);
}

/* A thread by clone3, without a library: it counts, clears its number and ends. */
static void clone3_thread(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	static struct clone_args args;
	long tid;

	told_child = 1;
	args = (struct clone_args){
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			 CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
		.stack = (uintptr_t)stack,
		.stack_size = sizeof(stack),
		.parent_tid = (uintptr_t)&told_parent,
		.child_tid = (uintptr_t)&told_child,
	};
	/* The child comes back on an empty stack: it may not return from here. */
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "lock incl %1\n\t"
			 "mov %2, %%eax\n\t"
			 "xor %%edi, %%edi\n\t"
			 "syscall\n\t"
			 "1:"
			 : "=a"(tid), "+m"(seen)
			 : "i"(SYS_exit), "a"(SYS_clone3), "D"(&args), "S"(sizeof(args))
			 : "rcx", "r11", "memory");
	expect(tid > 0);
	expect_equal(told_parent, tid);
	while (told_child)
		futex(&told_child, FUTEX_WAIT, 1, NULL, NULL, 0);
	expect_equal(seen, 1);
	expect_errno(waitpid((pid_t)tid, NULL, __WALL), ECHILD); /* threads are not waited for */
}

static const struct tap_case cases[] = {
	{"memory is shared with CLONE_VM", memory},
	{"directory and mask are shared with CLONE_FS", directories},
	{"descriptors are shared with CLONE_FILES", descriptors},
	{"CLONE_PARENT makes a brother", brothers},
	{"the exit signal, and who waits for such a child", exit_signals},
	{"execve makes it SIGCHLD", exec_resets_the_exit_signal},
	{"both are told the child's number", numbers},
	{"the number is cleared at the end, where others share the memory", cleared_number},
	{"thread-local storage", local_storage},
	{"CLONE_VFORK waits for exit or execve", vfork_waits},
	{"the alternate stack is inherited", alternate_stack},
	{"but not by another task in the same memory", alternate_stack_of_another},
	{"CLONE_CLEAR_SIGHAND", cleared_handlers},
	{"flags that do not go together", refused},
	{"clone3's arguments", clone3_refused},
	{"clone3's arguments of another version", clone3_from_the_future},
	{"a thread by clone3", clone3_thread},
};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "0") == 0)
		return 0; /* what the cases execute */
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
