/*
 * exec.c - execve and posix_spawn: what the new program gets, what it loses, how it fails.
 *
 * The test runs itself again: with "--child NAME" it does one of the small jobs of child_main()
 * and its exit status tells. Classic lab point 34 (oversized argument lists, bad arguments).
 */
#include "helpers.h"

#include <elf.h>
#include <spawn.h>
#include <sys/auxv.h>

#define RW (PROT_READ | PROT_WRITE)

extern char **environ;

static char self[512]; /* the path of this program */

/* --- the other side: what runs after execve -------------------------------------------------- */

static char in_bss[3 * PAGE]; /* zero in a new program, whatever was there before */
static char in_data[] = "data";

static int child_arguments(int argc, char **argv)
{
	return argc == 6 && strcmp(argv[0], "odd name") == 0 && argv[3][0] == '\0' &&
	       strcmp(argv[4], "two words") == 0 && strcmp(argv[5], "\xff\x01") == 0 &&
	       argv[6] == NULL && environ[0] != NULL && strcmp(environ[0], "A=1") == 0 &&
	       strcmp(environ[1], "EMPTY=") == 0 && environ[2] == NULL;
}

/* The auxiliary vector tells the truth. */
static int child_auxv(void)
{
	const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
	const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
	int sum = 0;

	for (int i = 0; i < 16; i++)
		sum |= random[i];
	return getauxval(AT_PAGESZ) == PAGE && getauxval(AT_PHENT) == sizeof(*headers) &&
	       getauxval(AT_PHNUM) > 0 && headers[0].p_type != 0 && getauxval(AT_ENTRY) != 0 &&
	       getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid() &&
	       getauxval(AT_SECURE) == 0 && getauxval(AT_CLKTCK) == 100 &&
	       strcmp((const char *)getauxval(AT_EXECFN), self) == 0 && sum != 0;
}

/* Memory is new: data as linked, bss zero, also to its last byte. */
static int child_memory(void)
{
	for (size_t i = 0; i < sizeof(in_bss); i++)
		if (in_bss[i] != 0)
			return 0;
	return strcmp(in_data, "data") == 0;
}

/* A handler is the default again, an ignored signal and the mask stay, SIGUSR2 is pending. */
static int child_signals(void)
{
	struct sigaction action;
	sigset_t mask, pending;
	stack_t stack;
	int good;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	sigpending(&pending);
	sigaltstack(NULL, &stack);
	sigaction(SIGUSR1, NULL, &action);
	good = action.sa_handler == SIG_DFL;
	sigaction(SIGTERM, NULL, &action);
	return good && action.sa_handler == SIG_IGN && sigismember(&mask, SIGUSR2) == 1 &&
	       sigismember(&mask, SIGUSR1) == 0 && sigismember(&pending, SIGUSR2) == 1 &&
	       stack.ss_flags == SS_DISABLE;
}

static int child_main(int argc, char **argv)
{
	const char *job = argc > 2 ? argv[2] : "";
	int good = 0;

	if (strcmp(job, "arguments") == 0)
		good = child_arguments(argc, argv);
	else if (strcmp(job, "auxv") == 0)
		good = child_auxv();
	else if (strcmp(job, "memory") == 0)
		good = child_memory();
	else if (strcmp(job, "signals") == 0)
		good = child_signals();
	else if (strcmp(job, "pid") == 0)
		good = getpid() == atoi(argv[3]);
	else if (strcmp(job, "descriptors") == 0)
		good = lseek(10, 0, SEEK_CUR) == 3 && fcntl(11, F_GETFD) < 0;
	else if (strcmp(job, "count") == 0)
		good = argc == atoi(argv[3]);
	else if (strcmp(job, "output") == 0)
		good = write(STDOUT_FILENO, "spawned", 7) == 7;
	return good ? 0 : 1;
}

/* --- the cases ------------------------------------------------------------------------------- */

#define expect_child_does(...) expect_child_at(HERE, (char *[]){self, "--child", __VA_ARGS__, NULL})
static void expect_child_at(struct tap_where where, char **argv)
{
	pid_t pid = tap_fork_at(where);

	if (pid == 0) {
		execve(self, argv, environ);
		tap_fail(where, "execve failed with %s", tap_errno_name(errno));
	}
	tap_expect_exit(where, pid, 0);
}

static void arguments_arrive(void)
{
	char *argv[] = {"odd name", "--child", "arguments", "", "two words", "\xff\x01", NULL};
	char *envp[] = {"A=1", "EMPTY=", NULL};
	pid_t pid = fork_child();

	if (pid == 0) {
		execve(self, argv, envp);
		_exit(errno);
	}
	expect_exit(pid, 0);
}

static void auxv_is_true(void)
{
	expect_child_does("auxv");
}

static void memory_is_new(void)
{
	memset(in_bss, 'x', sizeof(in_bss));
	strcpy(in_data, "DATA");
	expect_child_does("memory");
	expect(strcmp(in_data, "DATA") == 0);
}

static void a_handler(int signal)
{
	(void)signal;
}

static void signals_are_reset(void)
{
	static char memory[65536];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};
	sigset_t mask;
	pid_t pid = fork_child();

	if (pid == 0) {
		signal(SIGUSR1, a_handler);
		signal(SIGTERM, SIG_IGN);
		sigemptyset(&mask);
		sigaddset(&mask, SIGUSR2);
		sigprocmask(SIG_BLOCK, &mask, NULL);
		raise(SIGUSR2);
		sigaltstack(&stack, NULL);
		execl(self, self, "--child", "signals", NULL);
		_exit(errno);
	}
	expect_exit(pid, 0);
}

static void pid_stays(void)
{
	char number[20];
	pid_t pid = fork_child();

	if (pid == 0) {
		snprintf(number, sizeof(number), "%d", getpid());
		execl(self, self, "--child", "pid", number, NULL);
		_exit(errno);
	}
	expect_exit(pid, 0);
}

static void descriptors_stay(void)
{
	int fd;

	scratch_enter();
	fd = file_create("file", 10);
	expect(dup2(fd, 10) == 10 && dup2(fd, 11) == 11);
	expect(fcntl(11, F_SETFD, FD_CLOEXEC) == 0);
	expect(lseek(fd, 3, SEEK_SET) == 3);
	expect_child_does("descriptors");
	expect(fcntl(11, F_GETFD) == FD_CLOEXEC); /* closed only where execve was called */
}

/* Make a file with that text and mode. */
static void script(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	expect(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	expect(fchmod(fd, mode) == 0 && close(fd) == 0);
}

static void failures(void)
{
	char *argv[] = {"x", NULL};
	char *bad_argv[] = {(char *)1, NULL};
	static char long_name[5000];
	const struct {
		const char *name, *path;
		char *const *argv;
		int error;
	} rows[] = {
		{"no such file", "nothing", argv, ENOENT},
		{"empty path", "", argv, ENOENT},
		{"not executable", "plain", argv, EACCES},
		{"a directory", ".", argv, EACCES},
		{"a file as a directory", "plain/x", argv, ENOTDIR},
		{"neither ELF nor script", "text", argv, ENOEXEC},
		{"empty file", "empty", argv, ENOEXEC},
		{"a truncated ELF file", "short", argv, ENOEXEC},
		{"script without its interpreter", "orphan", argv, ENOENT},
		{"script that is its own interpreter", "loop", argv, ELOOP},
		{"symbolic link to itself", "circle", argv, ELOOP},
		{"path too long", long_name, argv, ENAMETOOLONG},
		{"bad path pointer", (char *)1, argv, EFAULT},
		{"bad argument vector", self, (char *const *)1, EFAULT},
		{"bad argument", self, bad_argv, EFAULT},
	};
	char loop[200];

	scratch_enter();
	memset(long_name, 'n', sizeof(long_name) - 1);
	snprintf(loop, sizeof(loop), "#!%.100s/loop\n", tap_scratch);
	script("plain", "text", 0644);
	script("text", "text, and no program", 0755);
	script("empty", "", 0755);
	script("short",
	       "\x7f"
	       "ELF\x02\x01\x01",
	       0755);
	script("orphan", "#!/no/such/interpreter\n", 0755);
	script("loop", loop, 0755);
	expect(symlink("circle", "circle") == 0);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		check_errno(rows[i].name, syscall(SYS_execve, rows[i].path, rows[i].argv, environ),
			    rows[i].error);
}

static void failures_leak_nothing(void)
{
	static char before[65536], after[65536];
	char *bad_argv[] = {"x", "y", (char *)1, NULL}, *argv[] = {"x", NULL};

	scratch_enter();
	script("text", "text, and no program", 0755);
	proc_read("/proc/self/maps", before, sizeof(before));
	for (int round = 0; round < 200; round++) {
		expect_errno(syscall(SYS_execve, self, bad_argv, environ), EFAULT);
		expect_errno(syscall(SYS_execve, "text", argv, environ), ENOEXEC);
	}
	proc_read("/proc/self/maps", after, sizeof(after));
	expect(strcmp(before, after) == 0);
}

static void scripts_run(void)
{
	char text[200], link[200];
	pid_t pid;

	scratch_enter();
	expect(symlink(self, "self") == 0);
	snprintf(text, sizeof(text), "#! %.100s/self --child \nrest is not read\n", tap_scratch);
	script("script", text, 0755);
	pid = fork_child();
	if (pid == 0) { /* argv becomes: interpreter, its one argument, script, "count", "4" */
		execl("script", "gone", "count", "5", NULL);
		_exit(100);
	}
	expect_exit(pid, 1); /* argv[2] is the script's path: no job of that name */
	expect(rename("script", "count") == 0);
	pid = fork_child();
	if (pid == 0) {
		execl("count", "gone", "4", NULL);
		_exit(100);
	}
	expect_exit(pid, 0);
	snprintf(link, sizeof(link), "#!%.100s/count\n", tap_scratch);
	script("outer", link, 0755); /* a script whose interpreter is a script */
	pid = fork_child();
	if (pid == 0) {
		execl("outer", "gone", NULL);
		_exit(100);
	}
	expect_exit(pid, 1);
}

static void argument_limits(void)
{
	enum { STRING = 32 * 4096 }; /* MAX_ARG_STRLEN of <linux/binfmts.h> */
	static char long_argument[STRING + 1];
	static char *argv[40];
	struct rlimit limit;

	expect(getrlimit(RLIMIT_STACK, &limit) == 0);
	limit.rlim_cur = 8 * MIB; /* a quarter of it is the limit for all strings together */
	expect(setrlimit(RLIMIT_STACK, &limit) == 0);
	memset(long_argument, 'a', STRING);
	argv[0] = self;
	argv[1] = long_argument;
	expect_errno(execve(self, argv, environ), E2BIG);
	long_argument[STRING - 1] = '\0';
	expect_child_does("count", "5", long_argument);
	for (int i = 1; i < 20; i++)
		argv[i] = long_argument;
	expect_errno(execve(self, argv, environ), E2BIG); /* 2.4 MiB together */
	expect_errno(execve(self, (char *[]){self, NULL}, argv), E2BIG);
}

static void thousands_of_arguments(void)
{
	enum { COUNT = 10000 };
	static char *argv[COUNT + 1];
	char number[20];
	pid_t pid;

	snprintf(number, sizeof(number), "%d", COUNT);
	argv[0] = self;
	argv[1] = "--child";
	argv[2] = "count";
	argv[3] = number;
	for (int i = 4; i < COUNT; i++)
		argv[i] = "argument";
	pid = fork_child();
	if (pid == 0) {
		execv(self, argv);
		_exit(100);
	}
	expect_exit(pid, 0);
}

static void vfork_and_exec(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl(self, self, "--child", "count", "4", NULL);
		_exit(100);
	}
	expect(pid > 0);
	expect_exit(pid, 0);
}

static void spawn(void)
{
	posix_spawn_file_actions_t actions;
	char *argv[] = {self, "--child", "output", NULL};
	char text[16];
	int ends[2];
	pid_t pid;

	expect(pipe(ends) == 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	expect_equal(posix_spawn(&pid, self, &actions, NULL, argv, environ), 0);
	expect_exit(pid, 0);
	expect_equal(read(ends[0], text, sizeof(text)), 7);
	expect(memcmp(text, "spawned", 7) == 0);
	expect_equal(posix_spawn(&pid, "/no/such/program", NULL, NULL, argv, environ), ENOENT);
	expect_errno(waitpid(-1, NULL, 0), ECHILD); /* a failed spawn leaves no child */
}

/* The program's text and the page cache are one: many at once run from the same frames. */
static void many_programs_at_once(void)
{
	pid_t children[16];

	for (size_t i = 0; i < ARRAY_LENGTH(children); i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			execl(self, self, "--child", "memory", NULL);
			_exit(100);
		}
	}
	for (size_t i = 0; i < ARRAY_LENGTH(children); i++)
		expect_exit(children[i], 0);
}

static void text_is_private(void)
{
	static const int answer = 42; /* in a read-only segment of the file */
	uintptr_t page = (uintptr_t)&answer & -PAGE;
	pid_t pid = fork_child();

	expect_write_kills((void *)(uintptr_t)&answer, SIGSEGV);
	if (pid == 0) {
		expect(mprotect((void *)page, PAGE, RW) == 0);
		poke((void *)(uintptr_t)&answer, 1);
		expect_child_does("auxv");
		child_end();
	}
	expect_exit(pid, 0);
	expect_equal(peek(&answer), 42);
}

static const struct tap_case cases[] = {
	{"arguments and environment arrive byte for byte", arguments_arrive},
	{"the auxiliary vector is true", auxv_is_true},
	{"data is as linked and bss is zero (lab 34)", memory_is_new},
	{"handlers are reset; ignored, blocked and pending signals stay", signals_are_reset},
	{"the pid stays", pid_stays},
	{"descriptors stay but those closed on exec", descriptors_stay},
	{"each failure has its errno (lab 34)", failures},
	{"hundreds of failures leave nothing behind (lab 34)", failures_leak_nothing},
	{"scripts run, also by scripts", scripts_run},
	{"oversized arguments are E2BIG (lab 34)", argument_limits},
	{"ten thousand arguments", thousands_of_arguments},
	{"vfork and execve", vfork_and_exec},
	{"posix_spawn, with a descriptor changed, and failing", spawn},
	{"sixteen programs at once from one file", many_programs_at_once},
	{"text and constants of a program are private (lab 34)", text_is_private},
};

int main(int argc, char **argv)
{
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		return 1;
	self[length] = '\0';
	if (argc > 1 && strcmp(argv[1], "--child") == 0)
		return child_main(argc, argv);
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
