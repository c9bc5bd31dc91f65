/*
 * elf.c - programs made byte by byte: what execve accepts, refuses, and survives.
 *
 * The smallest program is one page: headers and three instructions that exit with 55. Each case
 * changes fields of it. Where Linux refuses only after the point of no return, the new program is
 * killed instead of execve failing: both count as refused.
 */
#include "helpers.h"

#include <elf.h>

#define STATUS 55 /* what the program exits with when it runs */
#define NOT_EXECUTED 56
#define BASE 0x400000ul

struct program {
	Elf64_Ehdr header;
	Elf64_Phdr segments[4];
	unsigned char code[16];
	char interpreter[64];
};

/* mov eax, SYS_exit_group; mov edi, STATUS; syscall */
static const unsigned char code[] = {0xb8, 231, 0, 0, 0, 0xbf, STATUS, 0, 0, 0, 0x0f, 0x05};

static struct program good_program(void)
{
	struct program program;
	Elf64_Phdr load = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = BASE,
		.p_filesz = sizeof(program),
		.p_memsz = sizeof(program),
		.p_align = PAGE,
	};

	memset(&program, 0, sizeof(program));
	program.header = (Elf64_Ehdr){
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = BASE + offsetof(struct program, code),
		.e_phoff = offsetof(struct program, segments),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	for (size_t i = 0; i < ARRAY_LENGTH(program.segments); i++)
		program.segments[i] = load;
	memcpy(program.code, code, sizeof(code));
	return program;
}

static void make_file(const char *name, const void *bytes, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	expect(write(fd, bytes, size) == (ssize_t)size);
	expect(fchmod(fd, 0755) == 0 && close(fd) == 0);
}

/* In a child: its wait status. When execve failed that is NOT_EXECUTED, and *error says why. */
static int execute(const char *name, int *error)
{
	struct gate told;
	pid_t pid;
	int status;

	*error = 0;
	gate_make(&told);
	pid = fork_child();
	if (pid == 0) {
		fcntl(told.fds[1], F_SETFD, FD_CLOEXEC);
		execl(name, name, NULL);
		if (write(told.fds[1], &errno, sizeof(errno)) != sizeof(errno))
			_exit(1);
		_exit(NOT_EXECUTED);
	}
	close(told.fds[1]);
	expect(read(told.fds[0], error, sizeof(*error)) >= 0);
	close(told.fds[0]);
	expect(waitpid(pid, &status, 0) == pid);
	return status;
}

static int execute_program(const struct program *program, int *error)
{
	make_file("program", program, sizeof(*program));
	return execute("program", error);
}

#define expect_refused(program, wanted) expect_refused_at(HERE, program, wanted)
static void expect_refused_at(struct tap_where where, const struct program *program, int wanted)
{
	int error, status = execute_program(program, &error);

	if (status != NOT_EXECUTED << 8 || error != wanted)
		tap_fail(where, "wait status %#x, execve's error %s, expected %s", status,
			 tap_errno_name(error), tap_errno_name(wanted));
}

/* By an error or by a signal. */
#define expect_not_run(program) expect_not_run_at(HERE, program)
static void expect_not_run_at(struct tap_where where, const struct program *program)
{
	int error, status = execute_program(program, &error);

	if (status != NOT_EXECUTED << 8 && !WIFSIGNALED(status))
		tap_fail(where, "wait status %#x: it ran", status);
}

static void smallest(void)
{
	struct program program = good_program();
	int error;

	scratch_enter();
	expect_equal(execute_program(&program, &error), STATUS << 8);
	/* Position independent: somewhere else, with the entry moved too. */
	program.header.e_type = ET_DYN;
	program.header.e_entry -= BASE;
	program.segments[0].p_vaddr = 0;
	expect_equal(execute_program(&program, &error), STATUS << 8);
}

static void headers(void)
{
	struct program good = good_program(), program;

	scratch_enter();
#define refuse_with(field, value)                                                                  \
	do {                                                                                       \
		program = good;                                                                    \
		program.header.field = value;                                                      \
		expect_refused(&program, ENOEXEC);                                                 \
	} while (0)
	refuse_with(e_ident[0], 0);
	refuse_with(e_type, ET_REL);
	refuse_with(e_type, ET_CORE);
	refuse_with(e_machine, EM_386);
	refuse_with(e_machine, EM_AARCH64);
	refuse_with(e_phentsize, sizeof(Elf64_Phdr) - 1);
	refuse_with(e_phnum, 0);
	refuse_with(e_phnum, 0xffff);
}

static void cut_short(void)
{
	struct program program = good_program();
	int error;

	scratch_enter();
	for (size_t size = 0; size < sizeof(Elf64_Ehdr); size += 9) {
		make_file("short", &program, size);
		expect_equal(execute("short", &error), NOT_EXECUTED << 8);
		expect_equal(error, ENOEXEC);
	}
	/* Segments that are not in the file. */
	make_file("short", &program, sizeof(Elf64_Ehdr) + 10);
	expect_equal(execute("short", &error), NOT_EXECUTED << 8);
	program.header.e_phoff = 1ul << 40;
	expect_not_run(&program);
	program.header.e_phoff = ~0ul - 8;
	expect_not_run(&program);
}

static void segments_out_of_range(void)
{
	struct program good = good_program(), program;

	scratch_enter();
#define not_run_with(field, value)                                                                 \
	do {                                                                                       \
		program = good;                                                                    \
		program.segments[0].field = value;                                                 \
		expect_not_run(&program);                                                          \
	} while (0)
	not_run_with(p_vaddr, 0xffffffff80000000ul);
	not_run_with(p_vaddr, 0x7ffffffff000ul);
	not_run_with(p_vaddr, ~0xffful);
	not_run_with(p_memsz, ~0ul - BASE);
	not_run_with(p_memsz, ~0ul - BASE + 1);
	not_run_with(p_memsz, 1ul << 47);
	not_run_with(p_filesz, sizeof(good) + 1); /* more than p_memsz */
	not_run_with(p_offset, 1);
	not_run_with(p_type, PT_NULL);
	not_run_with(p_flags, PF_R); /* nothing may be executed */
}

static void entry_out_of_range(void)
{
	static const unsigned long entries[] = {
		0, 1ul << 63, 0x800000000000, 0xffffffff80100000, 0x7ffffffff000, ~0ul};
	struct program program = good_program();

	scratch_enter();
	for (size_t i = 0; i < ARRAY_LENGTH(entries); i++) {
		program.header.e_entry = entries[i];
		expect_not_run(&program);
	}
}

static void huge_but_lazy(void)
{
	struct program program = good_program();
	int error;

	scratch_enter();
	/* 64 MiB past the file's bytes: cleared memory that nobody touches. */
	program.segments[0].p_flags |= PF_W;
	program.segments[0].p_memsz = 64 * MIB;
	expect_equal(execute_program(&program, &error), STATUS << 8);
}

static void overlapping_segments(void)
{
	struct program program = good_program();
	int error;

	scratch_enter();
	program.header.e_phnum = 4;
	expect_equal(execute_program(&program, &error), STATUS << 8);
	program.header.e_phnum = 2;
	program.segments[1].p_flags = PF_R | PF_W;
	program.segments[1].p_vaddr = 0x7ffffffde000; /* where a stack wants to be */
	(void)execute_program(&program, &error);      /* whatever comes of it */
}

static void interpreter_errors(void)
{
	struct program program = good_program();
	char text[100];

	scratch_enter();
	program.header.e_phnum = 2;
	program.segments[1] = (Elf64_Phdr){
		.p_type = PT_INTERP,
		.p_offset = offsetof(struct program, interpreter),
		.p_filesz = sizeof(program.interpreter),
	};
	strcpy(program.interpreter, "./nothing");
	expect_refused(&program, ENOENT);
	strcpy(program.interpreter, ".");
	expect_refused(&program, EACCES);
	memset(text, 'x', sizeof(text));
	make_file("text", text, sizeof(text));
	strcpy(program.interpreter, "./text");
	expect_refused(&program, ELIBBAD);
	memset(program.interpreter, 'x', sizeof(program.interpreter)); /* no NUL */
	expect_refused(&program, ENOEXEC);
	program.segments[1].p_filesz = 1;
	expect_refused(&program, ENOEXEC);
	program.segments[1].p_filesz = 1ul << 40;
	expect_refused(&program, ENOEXEC);
}

static void script_lines(void)
{
	static const struct {
		const char *text;
		int error;
	} rows[] = {
		{"", ENOEXEC},
		{"#", ENOEXEC},
		{"#!", EACCES},
		{"#!\n", ENOEXEC},
		{"#!  \t \n", ENOEXEC},
		{"#!/nothing/here\n", ENOENT},
		{"#!/nothing -x\n", ENOENT},
		{"#!.\n", EACCES},
		{"#!./script\n", ELOOP},
		{"plain text\n", ENOEXEC},
	};
	int error;

	scratch_enter();
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		make_file("script", rows[i].text, strlen(rows[i].text));
		check(rows[i].text, execute("./script", &error) == NOT_EXECUTED << 8);
		check(rows[i].text, error == rows[i].error);
	}
}

static void busy_text(void)
{
	struct program program = good_program();
	int error, fd;

	scratch_enter();
	make_file("program", &program, sizeof(program));
	fd = open("program", O_WRONLY);
	expect_equal(execute("program", &error), NOT_EXECUTED << 8);
	expect_equal(error, ETXTBSY);
	close(fd);
	expect_equal(execute("program", &error), STATUS << 8);
}

/* Waits at most two seconds: a broken program may well loop. */
static void end_child(pid_t pid)
{
	for (int i = 0; i < 400; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		if (i == 20)
			kill(pid, SIGKILL);
		sleep_ms(5);
	}
	expect(!"a killed child ends");
}

static void broken_files(void)
{
	struct program good = good_program();
	unsigned random = 1;

	scratch_enter();
	good.header.e_phnum = 4;
	for (int round = 0; round < 300; round++) {
		struct program program = good;
		unsigned char *bytes = (unsigned char *)&program;
		pid_t pid;

		for (int change = 0; change < 4; change++) {
			random = random * 1103515245 + 12345;
			bytes[7 + (random >> 8) % (sizeof(program) - 7)] =
				(random >> 24) & 1 ? 0xff : (unsigned char)(random >> 16);
		}
		make_file("broken", &program, sizeof(program));
		pid = fork_child();
		if (pid == 0) {
			execl("broken", "broken", NULL);
			_exit(NOT_EXECUTED);
		}
		end_child(pid);
	}
}

static const struct tap_case cases[] = {
	{"the smallest program runs, at its address and at any", smallest},
	{"wrong headers are ENOEXEC", headers},
	{"files cut short are refused", cut_short},
	{"segments outside of user space or of sense do not run", segments_out_of_range},
	{"an entry outside of user space kills only the program", entry_out_of_range},
	{"a large bss costs nothing", huge_but_lazy},
	{"segments may overlap", overlapping_segments},
	{"the interpreter's errors", interpreter_errors},
	{"script lines, good and bad", script_lines},
	{"a file open for writing is ETXTBSY", busy_text},
	{"three hundred broken programs hurt nobody", broken_files},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
