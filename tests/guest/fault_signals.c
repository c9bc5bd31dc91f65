/*
 * fault_signals.c - what a program is told about its own faults.
 *
 * Each kind of bad access: signal, si_code, si_addr, and the page-fault error code in the saved
 * context; then what a handler may do about it: leave by siglongjmp, repair and return, run on an
 * alternate stack. Signals sent by processes are in signals.c.
 */
#include "helpers.h"

#include <fenv.h>
#include <sched.h>
#include <setjmp.h>
#include <ucontext.h>

#define RW (PROT_READ | PROT_WRITE)

/* The page fault error code's bits (Intel SDM volume 3, 4.7). */
enum { ERROR_PRESENT = 1, ERROR_WRITE = 2, ERROR_USER = 4, ERROR_FETCH = 16 };

static sigjmp_buf recovery;
static volatile siginfo_t seen;
static volatile greg_t seen_error;
static char *volatile repair; /* what repairing() makes accessible */
static volatile int handled;

static void handler_install(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	sigemptyset(&action.sa_mask);
	expect(sigaction(signal, &action, NULL) == 0);
}

static void leaving(int signal, siginfo_t *info, void *context)
{
	seen = *info;
	seen_error = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
	handled++;
	siglongjmp(recovery, signal);
}

enum access { READ, WRITE, EXECUTE };

/* Do the access; the signal it caused, 0 for none. */
static int try_access(char *address, enum access access)
{
	void (*code)(void);
	int signal = sigsetjmp(recovery, 1);

	if (signal != 0)
		return signal;
	switch (access) {
	case READ:
		peek(address);
		break;
	case WRITE:
		poke(address, 1);
		break;
	case EXECUTE:
		memcpy(&code, &address, sizeof(code));
		code();
		break;
	}
	return 0;
}

static void a_function(void)
{
}

static void each_bad_access(void)
{
	void (*text)(void) = a_function;
	char *none = map_anon(PAGE, PROT_NONE, MAP_PRIVATE);
	char *fresh = map_anon(PAGE, PROT_READ, MAP_PRIVATE);
	char *loaded = map_anon(PAGE, PROT_READ, MAP_PRIVATE);
	char *data = map_anon(PAGE, RW, MAP_PRIVATE);
	char *unmapped, *code, *file;

	memcpy(&code, &text, sizeof(code));
	peek(loaded);
	poke(data, 0xc3); /* ret */
	scratch_enter();
	file = map_file(file_create("file", PAGE + 1), 4 * PAGE, RW, MAP_SHARED, 0);
	unmapped = free_range(PAGE);

	const struct {
		const char *name;
		char *address;
		enum access access;
		int signal, code, error; /* error: the bits that must be set, -1 for no matter */
	} rows[] = {
		{"read of address 0", NULL, READ, SIGSEGV, SEGV_MAPERR, ERROR_USER},
		{"write to address 8", (char *)8, WRITE, SIGSEGV, SEGV_MAPERR,
		 ERROR_USER | ERROR_WRITE},
		{"jump to address 16", (char *)16, EXECUTE, SIGSEGV, SEGV_MAPERR,
		 ERROR_USER | ERROR_FETCH},
		{"read of an unmapped page", unmapped + 5, READ, SIGSEGV, SEGV_MAPERR, ERROR_USER},
		{"write to an unmapped page", unmapped + PAGE - 1, WRITE, SIGSEGV, SEGV_MAPERR,
		 ERROR_USER | ERROR_WRITE},
		{"read without access", none + 7, READ, SIGSEGV, SEGV_ACCERR, ERROR_USER},
		{"write without access", none, WRITE, SIGSEGV, SEGV_ACCERR,
		 ERROR_USER | ERROR_WRITE},
		{"write to a read-only page, untouched", fresh + 9, WRITE, SIGSEGV, SEGV_ACCERR,
		 ERROR_USER | ERROR_WRITE},
		{"write to a read-only page, loaded", loaded + 9, WRITE, SIGSEGV, SEGV_ACCERR,
		 ERROR_USER | ERROR_WRITE | ERROR_PRESENT},
		{"execution of data", data, EXECUTE, SIGSEGV, SEGV_ACCERR,
		 ERROR_USER | ERROR_FETCH | ERROR_PRESENT},
		{"write to text", code, WRITE, SIGSEGV, SEGV_ACCERR, ERROR_USER | ERROR_WRITE},
		{"read of the kernel half", (char *)UINT64_C(0xffff800000000000), READ, SIGSEGV,
		 SEGV_MAPERR, -1},
		{"write to kernel text", (char *)UINT64_C(0xffffffff80100000), WRITE, SIGSEGV,
		 SEGV_MAPERR, -1},
		{"read past the file's last page", file + 2 * PAGE + 3, READ, SIGBUS, BUS_ADRERR,
		 -1},
		{"write past the file's last page", file + 3 * PAGE, WRITE, SIGBUS, BUS_ADRERR, -1},
	};

	handler_install(SIGSEGV, leaving, 0);
	handler_install(SIGBUS, leaving, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		check(rows[i].name, try_access(rows[i].address, rows[i].access) == rows[i].signal);
		check(rows[i].name, seen.si_signo == rows[i].signal);
		check(rows[i].name, seen.si_code == rows[i].code);
		check(rows[i].name, seen.si_addr == rows[i].address);
		check(rows[i].name,
		      rows[i].error < 0 || (seen_error & rows[i].error) == rows[i].error);
	}
	check("each was handled once", handled == ARRAY_LENGTH(rows));
}

/* An address that is no address at all: the processor gives no page fault and no si_addr. */
static void non_canonical(void)
{
	handler_install(SIGSEGV, leaving, 0);
	expect_equal(try_access((char *)UINT64_C(0x4000000000000000), READ), SIGSEGV);
	expect_equal(seen.si_code, SI_KERNEL);
	expect(seen.si_addr == NULL);
	expect_equal(try_access((char *)UINT64_C(0xbfff000000000000), WRITE), SIGSEGV);
	expect_equal(seen.si_code, SI_KERNEL);
}

static void other_exceptions(void)
{
	volatile int zero = 0, one = 1;
	int signal;

	handler_install(SIGFPE, leaving, 0);
	handler_install(SIGILL, leaving, 0);
	handler_install(SIGTRAP, leaving, 0);
	handler_install(SIGSEGV, leaving, 0);
	signal = sigsetjmp(recovery, 1);
	if (signal == 0)
		one = one / zero;
	expect_equal(signal, SIGFPE);
	expect_equal(seen.si_code, FPE_INTDIV);
	signal = sigsetjmp(recovery, 1);
	if (signal == 0)
		__asm__ volatile("ud2");
	expect_equal(signal, SIGILL);
	expect_equal(seen.si_code, ILL_ILLOPN);
	signal = sigsetjmp(recovery, 1);
	if (signal == 0)
		__asm__ volatile("int3");
	expect_equal(signal, SIGTRAP);
	signal = sigsetjmp(recovery, 1);
	if (signal == 0)
		__asm__ volatile("hlt"); /* not a user's instruction */
	expect_equal(signal, SIGSEGV);
	expect_equal(seen.si_code, SI_KERNEL);
}

static void repairing(int signal, siginfo_t *info, void *context)
{
	handled++;
	if (handled > 1000 || info->si_signo != signal || context == NULL)
		_exit(1);
	mprotect(repair, PAGE, RW);
	repair += PAGE;
}

static void repair_and_return(void)
{
	char *map = map_anon(64 * PAGE, PROT_NONE, MAP_PRIVATE);

	handler_install(SIGSEGV, repairing, 0);
	repair = map;
	for (size_t i = 0; i < 64; i++)
		map[i * PAGE] = (char)(i + 1); /* faults, is repaired, and is done again */
	expect_equal(handled, 64);
	for (size_t i = 0; i < 64; i++)
		expect_equal(map[i * PAGE], i + 1);
}

static void skipping(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	handled = signal == SIGSEGV && info->si_addr == NULL;
	registers[REG_RIP] += 2; /* the length of mov (%rdx), %eax */
	registers[REG_RAX] = 77;
}

static void change_registers(void)
{
	unsigned value = 1;

	handler_install(SIGSEGV, skipping, 0);
	__asm__ volatile("movl (%%rdx), %%eax" : "+a"(value) : "d"(0L) : "memory");
	expect_equal(value, 77);
	expect_equal(handled, 1);
}

static void leave_many_times(void)
{
	char *page = free_range(PAGE);

	handler_install(SIGSEGV, leaving, 0);
	for (int i = 0; i < 1000; i++)
		expect_equal(try_access(page, i % 2 == 0 ? READ : WRITE), SIGSEGV);
	expect_equal(handled, 1000);
}

static char *volatile handler_stack;

static void on_which_stack(int signal, siginfo_t *info, void *context)
{
	char here;

	handler_stack = &here;
	leaving(signal, info, context);
}

static void alternate_stack(void)
{
	const size_t bytes = 64 * 1024;
	char *memory = map_anon(bytes, RW, MAP_PRIVATE);
	stack_t stack = {.ss_sp = memory, .ss_size = bytes}, old;

	expect(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
	expect(sigaltstack(&stack, NULL) == 0);
	handler_install(SIGSEGV, on_which_stack, 0);
	expect_equal(try_access(NULL, READ), SIGSEGV);
	expect(handler_stack < memory || handler_stack >= memory + bytes); /* not asked for */
	handler_install(SIGSEGV, on_which_stack, SA_ONSTACK);
	expect_equal(try_access(NULL, READ), SIGSEGV);
	expect(handler_stack >= memory && handler_stack < memory + bytes);
	expect(sigaltstack(NULL, &old) == 0);
	expect(old.ss_sp == memory && old.ss_size == bytes && old.ss_flags == 0);
	stack.ss_flags = SS_DISABLE;
	expect(sigaltstack(&stack, NULL) == 0);
	expect_equal(try_access(NULL, READ), SIGSEGV);
	expect(handler_stack < memory || handler_stack >= memory + bytes);
}

static volatile int flags_inside, error_inside;

static void asking(int signal, siginfo_t *info, void *context)
{
	static char other[65536];
	stack_t stack = {.ss_sp = other, .ss_size = sizeof(other)}, now;

	sigaltstack(NULL, &now);
	flags_inside = now.ss_flags;
	error_inside = sigaltstack(&stack, NULL) == -1 ? errno : 0;
	leaving(signal, info, context);
}

static void alternate_stack_errors(void)
{
	static char memory[65536];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};

	stack.ss_size = 1000; /* below MINSIGSTKSZ */
	expect_errno(sigaltstack(&stack, NULL), ENOMEM);
	stack.ss_size = sizeof(memory);
	stack.ss_flags = 77;
	expect_errno(sigaltstack(&stack, NULL), EINVAL);
	stack.ss_flags = 0;
	expect(sigaltstack(&stack, NULL) == 0);
	handler_install(SIGSEGV, asking, SA_ONSTACK);
	expect_equal(try_access(NULL, READ), SIGSEGV);
	expect_equal(flags_inside, SS_ONSTACK);
	expect_equal(error_inside, EPERM); /* it cannot be changed while it is in use */
}

static int recurse(int depth)
{
	volatile char frame[1024];

	frame[0] = (char)depth;
	return depth == 0 ? 0 : recurse(depth - 1) + frame[0] - (char)depth + 1;
}

static void stack_overflow_is_handled(void)
{
	static char memory[65536];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};
	struct rlimit limit;

	expect(getrlimit(RLIMIT_STACK, &limit) == 0);
	limit.rlim_cur = 8 * MIB;
	expect(setrlimit(RLIMIT_STACK, &limit) == 0);
	expect(sigaltstack(&stack, NULL) == 0);
	handler_install(SIGSEGV, leaving, SA_ONSTACK);
	if (sigsetjmp(recovery, 1) == 0)
		recurse(100000); /* 100 MB of frames */
	expect_equal(handled, 1);
	expect_equal(seen.si_code, SEGV_MAPERR);
	expect_equal(recurse(1000), 1000); /* and life goes on */
}

static void fatal_anyway(void)
{
	static const struct {
		const char *name;
		bool ignored;
	} rows[] = {{"ignored", true}, {"blocked", false}};
	sigset_t set;

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		pid_t pid = fork_child();

		if (pid == 0) {
			sigemptyset(&set);
			sigaddset(&set, SIGSEGV);
			if (rows[i].ignored)
				signal(SIGSEGV, SIG_IGN);
			else
				sigprocmask(SIG_BLOCK, &set, NULL);
			peek(NULL);
			_exit(0);
		}
		expect_killed(pid, SIGSEGV);
	}
}

static void fault_in_the_handler(void)
{
	pid_t pid = fork_child();

	if (pid == 0) {
		handler_install(SIGSEGV, repairing, 0);
		handled = 0;
		repair = (char *)1; /* mprotect fails, so the access faults again and again */
		peek(NULL);
		_exit(0);
	}
	expect_exit(pid, 1); /* by the handler's own count */
	pid = fork_child();
	if (pid == 0) {
		signal(SIGSEGV, (void (*)(int))(uintptr_t)0x10); /* a handler that is nowhere */
		peek(NULL);
		_exit(0);
	}
	expect_killed(pid, SIGSEGV);
	pid = fork_child();
	if (pid == 0) {
		handler_install(SIGSEGV, repairing, 0);
		__asm__ volatile("xorl %%esp, %%esp\n\tpushq %%rax" ::: "memory"); /* no stack */
		_exit(0);
	}
	expect_killed(pid, SIGSEGV);
}

static void divide_x87(void)
{
	unsigned short control;
	float zero = 0;

	__asm__ volatile("fnstcw %0" : "=m"(control));
	control &= (unsigned short)~FE_DIVBYZERO;
	__asm__ volatile("fldcw %0; fld1; fdivs %1; fwait; fstp %%st(0)"
			 :
			 : "m"(control), "m"(zero));
}

/* On each processor: they are set up one by one. (QEMU emulates no exceptions of SSE.) */
static void floating_point(void)
{
	cpu_set_t all, one;
	pid_t pid;

	expect(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		expect(sched_setaffinity(0, sizeof(one), &one) == 0);
		pid = fork_child();
		if (pid == 0) {
			divide_x87();
			_exit(0);
		}
		expect_killed(pid, SIGFPE);
	}
}

/* What is done with a and b, so that what happens is `flags`, of which `unmasked` are. */
struct fp_error {
	char operation;
	double a, b;
	unsigned unmasked; /* FE_*; 2: operands that are denormal */
	int code;
};

enum { FE_DENORMAL = 2 };

static const struct fp_error fp_errors[] = {
	{'/', 0, 0, FE_INVALID, FPE_FLTINV},
	{'/', 1, 0, FE_DIVBYZERO, FPE_FLTDIV},
	{'*', 0x1p1000, 0x1p1000, FE_OVERFLOW, FPE_FLTOVF},
	{'*', 0x1p1000, 0x1p1000, FE_OVERFLOW | FE_INEXACT, FPE_FLTOVF},
	{'*', 1e-300, 1e-300, FE_UNDERFLOW, FPE_FLTUND},
	{'*', 1e-310, 1, FE_DENORMAL, FPE_FLTUND},
	{'/', 1, 3, FE_INEXACT, FPE_FLTRES},
	{'/', 1, 3, FE_ALL_EXCEPT, FPE_FLTRES},
};

static void calculate_x87(const struct fp_error *error)
{
	unsigned short control = (unsigned short)(0x37f & ~error->unmasked);
	double result;

	__asm__ volatile("fninit; fldcw %0" : : "m"(control));
	if (error->operation == '/')
		__asm__ volatile("fldl %1; fdivl %2; fstpl %0; fwait"
				 : "=m"(result) : "m"(error->a), "m"(error->b));
	else
		__asm__ volatile("fldl %1; fmull %2; fstpl %0; fwait"
				 : "=m"(result) : "m"(error->a), "m"(error->b));
}

static void calculate_sse(const struct fp_error *error)
{
	unsigned control = 0x1f80 & ~(error->unmasked << 7);
	double result = error->a;

	__asm__ volatile("ldmxcsr %0" : : "m"(control));
	if (error->operation == '/')
		__asm__ volatile("divsd %1, %0" : "+x"(result) : "m"(error->b));
	else
		__asm__ volatile("mulsd %1, %0" : "+x"(result) : "m"(error->b));
}

/* The signal, 0 for none. */
static int fp_signal(const struct fp_error *error, void (*calculate)(const struct fp_error *))
{
	const unsigned usual_mxcsr = 0x1f80;
	int signal;

	handler_install(SIGFPE, leaving, 0);
	signal = sigsetjmp(recovery, 1);
	if (signal == 0)
		calculate(error);
	__asm__ volatile("fninit; ldmxcsr %0" : : "m"(usual_mxcsr));
	return signal;
}

static void x87_codes(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(fp_errors); i++) {
		int signal = fp_signal(&fp_errors[i], calculate_x87);

		if (signal == 0 && fp_errors[i].unmasked == FE_DENORMAL && on_stos())
			continue; /* QEMU does not notice */
		expect_equal(signal, SIGFPE);
		expect_equal(seen.si_code, fp_errors[i].code);
	}
}

static void sse_codes(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(fp_errors); i++) {
		int signal = fp_signal(&fp_errors[i], calculate_sse);

		if (signal == 0 && on_stos())
			tap_skip("QEMU emulates no exceptions of SSE");
		expect_equal(signal, SIGFPE);
		expect_equal(seen.si_code, fp_errors[i].code);
	}
}

static const struct tap_case cases[] = {
	{"each bad access: signal, si_code, si_addr (labs 19, 28, 34)", each_bad_access},
	{"a non-canonical address has no si_addr", non_canonical},
	{"division by zero, undefined and privileged instructions", other_exceptions},
	{"an x87 error that is not masked", floating_point},
	{"si_code says which x87 error it was", x87_codes},
	{"si_code says which SSE error it was", sse_codes},
	{"a handler repairs the page and the access is done again", repair_and_return},
	{"a handler changes registers, the program goes on there", change_registers},
	{"siglongjmp out of a handler a thousand times", leave_many_times},
	{"the alternate stack is used where asked for", alternate_stack},
	{"the alternate stack's errors and states", alternate_stack_errors},
	{"a stack overflow is handled on the alternate stack", stack_overflow_is_handled},
	{"a fault is fatal though its signal is ignored or blocked", fatal_anyway},
	{"faults again and again, nowhere to go, no stack", fault_in_the_handler},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
