/* proc_mem.c - /proc/<pid>/mem: a process's memory as a file, and a debugger's rights. */
#include "tap.h"

#include "helpers.h"

#include <sys/prctl.h>

#define NOBODY 65534

static void *volatile nowhere = (void *)8; /* volatile: compilers warn of such addresses */

#define open_mem(pid, flags) tap_open_mem(HERE, pid, flags)
static int tap_open_mem(struct tap_where where, pid_t pid, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, flags);
	if (fd < 0)
		tap_fail(where, "cannot open %s: %s", path, tap_errno_name(errno));
	return fd;
}

static void read_and_written(void)
{
	char *memory = map_anon(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), other[3 * PAGE];
	int fd = open_mem(getpid(), O_RDWR);

	fill_pattern(memory, 0, 4 * PAGE);
	expect_equal(pread(fd, other, sizeof(other), (off_t)memory + 11), sizeof(other));
	expect_pattern(other, 11, sizeof(other));
	memset(other, 9, sizeof(other));
	expect_equal(pwrite(fd, other, PAGE, (off_t)memory + PAGE / 2), PAGE);
	expect_pattern(memory, 0, PAGE / 2);
	expect_filled(memory + PAGE / 2, 9, PAGE);
	expect_pattern(memory + 3 * PAGE / 2, 3 * PAGE / 2, PAGE);
}

static void seeks(void)
{
	char value[] = "abcdef", byte;
	int fd = open_mem(getpid(), O_RDONLY);

	expect_equal(lseek(fd, (off_t)value, SEEK_SET), (off_t)value);
	expect(read(fd, &byte, 1) == 1 && byte == 'a');
	expect(read(fd, &byte, 1) == 1 && byte == 'b');
	expect_equal(lseek(fd, 2, SEEK_CUR), (off_t)value + 4);
	expect(read(fd, &byte, 1) == 1 && byte == 'e');
	expect_errno(lseek(fd, 0, SEEK_END), EINVAL);
	expect_errno(lseek(fd, 0, 99), EINVAL);
	expect_errno(write(fd, "x", 1), EBADF);
}

static void holes(void)
{
	char *memory = map_alone(PAGE, PROT_READ | PROT_WRITE), other[2 * PAGE];
	int fd = open_mem(getpid(), O_RDWR);

	poke(memory, 1);
	expect_errno(pread(fd, other, 1, 0), EIO);
	expect_errno(pwrite(fd, other, 1, 8), EIO);
	expect_errno(pread(fd, other, 1, (off_t)memory + PAGE), EIO);
	expect_equal(pread(fd, other, 2 * PAGE, (off_t)memory), PAGE);
	expect_equal(pwrite(fd, other, 2 * PAGE, (off_t)memory + PAGE - 5), 5);
	expect_equal(pread(fd, other, 0, 0), 0);
	/* The caller's own bad address. */
	expect_errno(pread(fd, nowhere, 1, (off_t)memory), EFAULT);
	expect_errno(pwrite(fd, nowhere, 1, (off_t)memory), EFAULT);
}

static void protection_does_not_matter(void)
{
	char *memory = map_anon(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), byte;
	int fd = open_mem(getpid(), O_RDWR);

	poke(memory, 42);
	expect(mprotect(memory, 2 * PAGE, PROT_READ) == 0);
	expect_equal(pwrite(fd, "x", 1, (off_t)memory + 1), 1);
	expect_equal(peek(memory), 42);
	expect_equal(peek(memory + 1), 'x');
	expect_equal(pwrite(fd, "y", 1, (off_t)memory + PAGE), 1); /* untouched before */
	expect_equal(peek(memory + PAGE), 'y');
	expect_write_kills(memory, SIGSEGV);
	expect(mprotect(memory, 3 * PAGE, PROT_NONE) == 0);
	expect(pread(fd, &byte, 1, (off_t)memory) == 1 && byte == 42);
	expect(pread(fd, &byte, 1, (off_t)memory + 2 * PAGE) == 1 && byte == 0);
	expect_equal(pwrite(fd, "z", 1, (off_t)memory), 1);
	expect_equal(pwrite(fd, "z", 1, (off_t)memory + 2 * PAGE), 1);
	expect_read_kills(memory, SIGSEGV);
	expect_read_kills(memory + 2 * PAGE, SIGSEGV);
	expect(mprotect(memory, 3 * PAGE, PROT_READ | PROT_WRITE) == 0);
	expect_equal(peek(memory), 'z');
	expect_equal(peek(memory + 1), 'x');
	expect_equal(peek(memory + 2 * PAGE), 'z');
	poke(memory, 1);
}

static void a_write_is_the_process_s_own(void)
{
	char *memory = map_anon(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	struct gate ready, end;
	pid_t pid;
	int fd;

	memset(memory, 1, 2 * PAGE);
	expect(mprotect(memory, 2 * PAGE, PROT_READ) == 0);
	gate_make(&ready);
	gate_make(&end);
	pid = fork_child();
	if (pid == 0) {
		gate_open(&ready);
		gate_pass(&end);
		_exit(peek(memory) == 2 && peek(memory + 1) == 1 && peek(memory + PAGE) == 1 ? 0
											     : 1);
	}
	gate_pass(&ready);
	fd = open_mem(pid, O_RDWR);
	expect_equal(pwrite(fd, "\2", 1, (off_t)memory), 1);
	expect_filled(memory, 1, 2 * PAGE);
	gate_open(&end);
	expect_exit(pid, 0);
	/* Its memory is gone with it. */
	expect_equal(pread(fd, memory, 1, (off_t)memory), 0);
	expect_equal(pwrite(fd, memory, 1, (off_t)memory), 0);
}

static void files(void)
{
	int fd, mem = open_mem(getpid(), O_RDWR);
	char *private, *shared, *reader, byte;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	private = map_file(fd, 3 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	shared = map_file(fd, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	reader = map_file(fd, 3 * PAGE, PROT_READ, MAP_SHARED, 0);
	expect_equal(pwrite(mem, "\1", 1, (off_t)private), 1);
	expect_equal(peek(private), 1);
	expect_equal(peek(private + 1), pattern(1));
	expect_equal(file_byte("file", 0), pattern(0));
	expect_equal(pwrite(mem, "\2", 1, (off_t)shared + 5), 1);
	expect_equal(file_byte("file", 5), 2);
	/* What is shared and not to be written is not, not even by a debugger. */
	expect_errno(pwrite(mem, "\3", 1, (off_t)reader), EIO);
	expect(pread(mem, &byte, 1, (off_t)reader + 5) == 1 && byte == 2);
	expect_errno(pread(mem, &byte, 1, (off_t)private + 2 * PAGE), EIO);
	expect_errno(pwrite(mem, &byte, 1, (off_t)private + 2 * PAGE), EIO);
	expect(mprotect(private, 3 * PAGE, PROT_NONE) == 0);
	expect(pread(mem, &byte, 1, (off_t) private + PAGE) == 1 &&
	       (unsigned char)byte == pattern(PAGE));
	expect_equal(pwrite(mem, "\4", 1, (off_t)private + PAGE), 1);
	expect(mprotect(private, 3 * PAGE, PROT_READ) == 0);
	expect_equal(peek(private + PAGE), 4);
	expect_equal(peek(private + PAGE + 1), pattern(PAGE + 1));
}

/* The program's own text, which is executable and not writable: how a breakpoint is set. */
static __attribute__((noinline, noclone)) int a_function(int value)
{
	__asm__ volatile("" : "+r"(value));
	return value;
}

static void text(void)
{
	/* mov $7, %eax; ret */
	static const unsigned char code[] = {0xb8, 7, 0, 0, 0, 0xc3};
	int mem = open_mem(getpid(), O_RDWR);

	expect_equal(a_function(1), 1);
	expect_equal(pwrite(mem, code, sizeof(code), (off_t)(uintptr_t)a_function), sizeof(code));
	expect_equal(a_function(1), 7);
}

static void after_exec(void)
{
	struct gate ready;
	char byte, value = 3;
	pid_t pid;
	int fd;

	gate_make(&ready);
	pid = fork_child();
	if (pid == 0) {
		gate_pass(&ready);
		execl("/proc/self/exe", "proc_mem", "wait", NULL);
		_exit(99);
	}
	fd = open_mem(pid, O_RDWR);
	expect(pread(fd, &byte, 1, (off_t)&value) == 1 && byte == 3);
	gate_open(&ready);
	expect_exit(pid, 0);
	expect_equal(pread(fd, &byte, 1, (off_t)&value), 0);
}

static void who_may_open(void)
{
	struct stat status;
	char path[64];
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/mem", getpid());
	expect(stat(path, &status) == 0 && status.st_mode == (S_IFREG | 0600));
	expect_equal(status.st_size, 0);
	expect_errno(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, open_mem(getpid(), O_RDONLY), 0),
		     ENODEV);
	if (geteuid() != 0)
		return;
	pid = fork_child();
	if (pid == 0) {
		expect(setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		       setresuid(NOBODY, NOBODY, NOBODY) == 0);
		expect_errno(open(path, O_RDONLY), EACCES);
		prctl(PR_SET_DUMPABLE, 1);
		expect(open("/proc/self/mem", O_RDWR) >= 0);
		_exit(0);
	}
	expect_exit(pid, 0);
}

static const struct tap_case cases[] = {
	{"memory is read and written at its address", read_and_written},
	{"seeks", seeks},
	{"holes are EIO, or end a transfer", holes},
	{"private memory yields whatever its protection", protection_does_not_matter},
	{"a write is the process's own", a_write_is_the_process_s_own},
	{"files: private pages are copied, shared ones keep their rights", files},
	{"the program's text", text},
	{"after exec there is nothing to read", after_exec},
	{"who may open it", who_may_open},
};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "wait") == 0)
		return 0;
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
