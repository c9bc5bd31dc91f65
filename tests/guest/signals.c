/*
 * signals.c - signals that processes send: handlers, masks, waiting, interrupted calls.
 *
 * A program's own faults are in fault_signals.c. At the end: the floating-point state, kept across
 * handlers and across switches to other processes.
 */
#include "helpers.h"

#include <xmmintrin.h>

static volatile sig_atomic_t count;
static volatile sig_atomic_t order[16]; /* which signals came, in order */
static volatile siginfo_t last;

static void note(int signal, siginfo_t *info, void *context)
{
	(void)context;
	last = *info;
	order[count++ & 15] = signal;
}

static void install(int signal, int flags)
{
	struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};

	sigemptyset(&action.sa_mask);
	expect(sigaction(signal, &action, NULL) == 0);
}

static sigset_t set_of(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	return set;
}

static void handler_runs(void)
{
	install(SIGUSR1, 0);
	expect(raise(SIGUSR1) == 0); /* it has run before raise returns */
	expect_equal(count, 1);
	expect_equal(last.si_signo, SIGUSR1);
	expect_equal(last.si_pid, getpid());
	for (int i = 0; i < 1000; i++)
		expect(kill(getpid(), SIGUSR1) == 0 && count == i + 2);
	expect_equal(last.si_code, SI_USER);
}

static void actions(void)
{
	struct sigaction action = {.sa_handler = SIG_IGN}, old;

	expect(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
	expect(sigaction(SIGUSR1, &action, &old) == 0);
	expect(raise(SIGUSR1) == 0); /* ignored */
	install(SIGUSR1, SA_RESTART);
	expect(sigaction(SIGUSR1, NULL, &old) == 0);
	expect(old.sa_sigaction == note && (old.sa_flags & SA_SIGINFO) != 0);
	expect((old.sa_flags & SA_RESTART) != 0);
	expect_errno(sigaction(SIGKILL, &action, NULL), EINVAL);
	expect_errno(sigaction(SIGSTOP, &action, NULL), EINVAL);
	expect(sigaction(SIGKILL, NULL, &old) == 0);
	expect_errno(sigaction(0, &action, NULL), EINVAL);
	expect_errno(sigaction(65, &action, NULL), EINVAL);
}

static void masks(void)
{
	sigset_t set = set_of(SIGUSR1), old, pending;

	install(SIGUSR1, 0);
	install(SIGUSR2, 0);
	expect(sigprocmask(SIG_BLOCK, &set, &old) == 0 && !sigismember(&old, SIGUSR1));
	raise(SIGUSR1);
	raise(SIGUSR1); /* a second one of the same is lost */
	raise(SIGUSR2);
	expect(count == 1 && order[0] == SIGUSR2);
	expect(sigpending(&pending) == 0);
	expect(sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGUSR2));
	expect(sigprocmask(SIG_UNBLOCK, &set, &old) == 0 && sigismember(&old, SIGUSR1));
	expect(count == 2 && order[1] == SIGUSR1); /* delivered before the call returned */
	sigfillset(&set);
	expect(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
	expect(sigprocmask(SIG_SETMASK, NULL, &old) == 0);
	expect(!sigismember(&old, SIGKILL) && !sigismember(&old, SIGSTOP)); /* never blocked */
	expect_errno(sigprocmask(99, &set, NULL), EINVAL);
	expect_errno(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
}

static volatile sig_atomic_t nested, deepest;

static void nest(int signal)
{
	nested++;
	if (nested > deepest)
		deepest = nested;
	if (++count < 3)
		raise(signal);
	nested--;
}

static void handler_blocks_itself(void)
{
	struct sigaction action = {.sa_handler = nest};

	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	raise(SIGUSR1);
	expect(count == 3 && deepest == 1); /* one after the other */
	action.sa_flags = SA_NODEFER;
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	count = 0;
	raise(SIGUSR1);
	expect(count == 3 && deepest == 3); /* one inside the other */
}

static void raise_other(int signal)
{
	order[count++] = signal;
	if (signal == SIGUSR1) {
		raise(SIGUSR2);
		order[count++] = 0;
	}
}

static void handler_mask(void)
{
	struct sigaction action = {.sa_handler = raise_other};

	sigemptyset(&action.sa_mask);
	expect(sigaction(SIGUSR2, &action, NULL) == 0);
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	raise(SIGUSR1);
	expect(order[0] == SIGUSR1 && order[1] == SIGUSR2 && order[2] == 0);
	action.sa_mask = set_of(SIGUSR2);
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	count = 0;
	raise(SIGUSR1);
	expect(order[0] == SIGUSR1 && order[1] == 0 && order[2] == SIGUSR2);
}

static void once_only(void)
{
	struct sigaction old;
	pid_t pid;

	install(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	expect_equal(count, 1);
	expect(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
	pid = fork_child();
	if (pid == 0) {
		raise(SIGUSR1);
		child_end();
	}
	expect_killed(pid, SIGUSR1);
}

static void kill_errors(void)
{
	pid_t pid = fork_child();

	if (pid == 0)
		child_end();
	expect(kill(pid, 0) == 0); /* also a zombie is there */
	expect_exit(pid, 0);
	expect_errno(kill(pid, 0), ESRCH);
	expect_errno(kill(pid, SIGTERM), ESRCH);
	expect_errno(kill(getpid(), 65), EINVAL);
	expect_errno(kill(getpid(), -1), EINVAL);
	expect_errno(kill(-999999, SIGTERM), ESRCH);
	expect(kill(getpid(), 0) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect(setresuid(1000, 1000, 1000) == 0);
		expect_errno(kill(getppid(), SIGTERM), EPERM);
		child_end();
	}
	expect_exit(pid, 0);
}

static void whole_group(void)
{
	struct gate ready;
	pid_t leader;

	gate_make(&ready);
	leader = fork_child();
	if (leader == 0) {
		pid_t children[3];

		expect(setpgid(0, 0) == 0);
		install(SIGTERM, 0);
		for (int i = 0; i < 3; i++) {
			children[i] = fork_child();
			if (children[i] == 0) {
				signal(SIGTERM, SIG_DFL);
				gate_open(&ready);
				for (;;)
					pause();
			}
		}
		for (int i = 0; i < 3; i++)
			gate_pass(&ready);
		expect(kill(0, SIGTERM) == 0); /* the group, oneself too */
		for (int i = 0; i < 3; i++)
			expect_killed(children[i], SIGTERM);
		expect_equal(count, 1);
		child_end();
	}
	expect_exit(leader, 0);
	expect_equal(count, 0);
}

static void suspending(void)
{
	sigset_t blocked = set_of(SIGUSR1), none, now;
	pid_t pid;

	sigemptyset(&none);
	install(SIGUSR1, SA_RESTART); /* sigsuspend is never restarted */
	expect(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
	raise(SIGUSR1);
	expect_errno(sigsuspend(&none), EINTR); /* pending: at once */
	expect_equal(count, 1);
	pid = fork_child();
	if (pid == 0) {
		kill(getppid(), SIGUSR1);
		child_end();
	}
	expect_errno(sigsuspend(&none), EINTR); /* sleeping, or pending by now */
	expect_equal(count, 2);
	expect(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
	expect_exit(pid, 0);
}

static void waiting_for(void)
{
	sigset_t set = set_of(SIGUSR1);
	struct timespec none = {0}, soon = {.tv_nsec = 10000000}, bad = {.tv_nsec = -1};
	siginfo_t info;
	pid_t pid;

	sigaddset(&set, SIGUSR2);
	expect(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	expect_errno(sigtimedwait(&set, &info, &none), EAGAIN);
	expect_errno(sigtimedwait(&set, &info, &soon), EAGAIN);
	expect_errno(sigtimedwait(&set, &info, &bad), EINVAL);
	kill(getpid(), SIGUSR2);
	expect_equal(sigtimedwait(&set, &info, &none), SIGUSR2);
	expect(info.si_signo == SIGUSR2 && info.si_pid == getpid());
	pid = fork_child();
	if (pid == 0) {
		kill(getppid(), SIGUSR1);
		child_end();
	}
	expect_equal(sigwaitinfo(&set, &info), SIGUSR1);
	expect_equal(info.si_pid, pid);
	expect_exit(pid, 0);
	expect_errno(sigtimedwait(&set, &info, &none), EAGAIN); /* it was taken */
}

static void child_signal(void)
{
	sigset_t none;
	pid_t pid;

	sigemptyset(&none);
	sigset_t blocked = set_of(SIGCHLD);
	expect(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
	install(SIGCHLD, 0);
	pid = fork_child();
	if (pid == 0)
		_exit(5);
	expect_errno(sigsuspend(&none), EINTR);
	expect(last.si_signo == SIGCHLD && last.si_pid == pid);
	expect(last.si_code == CLD_EXITED && last.si_status == 5);
	expect_exit(pid, 5);
	pid = fork_child();
	if (pid == 0)
		raise(SIGKILL);
	expect_errno(sigsuspend(&none), EINTR);
	expect(last.si_code == CLD_KILLED && last.si_status == SIGKILL && last.si_pid == pid);
	expect_killed(pid, SIGKILL);
}

/* A child that signals its parent a few times, then writes a byte. */
static void restarted_call(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	expect(pipe(ends) == 0);
	install(SIGUSR1, SA_RESTART);
	pid = fork_child();
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			sleep_ms(5);
			kill(getppid(), SIGUSR1);
		}
		sleep_ms(5);
		expect(write(ends[1], "r", 1) == 1);
		child_end();
	}
	expect_equal(read(ends[0], &byte, 1), 1);
	expect(byte == 'r' && count > 0);
	expect_exit(pid, 0);
}

static void interrupted_calls(void)
{
	int ends[2];
	char byte;
	pid_t pid, sleeper;

	expect(pipe(ends) == 0);
	install(SIGUSR1, 0);
	sleeper = fork_child();
	if (sleeper == 0)
		for (;;)
			pause();
	pid = pester_start(SIGUSR1);
	expect_errno(read(ends[0], &byte, 1), EINTR);
	expect_errno(waitpid(sleeper, NULL, 0), EINTR);
	expect_errno(pause(), EINTR);
	pester_stop(pid);
	pester_stop(sleeper);
	expect(count >= 3);
}

static void ignored_does_not_interrupt(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	expect(pipe(ends) == 0);
	signal(SIGUSR1, SIG_IGN);
	pid = fork_child();
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			sleep_ms(2);
			kill(getppid(), SIGUSR1);
			kill(getppid(), SIGWINCH); /* ignored by default */
		}
		expect(write(ends[1], "i", 1) == 1);
		child_end();
	}
	expect_equal(read(ends[0], &byte, 1), 1);
	expect_exit(pid, 0);
}

static void kill_cannot_be_escaped(void)
{
	sigset_t all;
	pid_t pid = fork_child();

	if (pid == 0) {
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		for (volatile long i = 0;; i = i + 1) /* never in the kernel by itself */
			;
	}
	sleep_ms(5);
	expect(kill(pid, SIGKILL) == 0);
	expect_killed(pid, SIGKILL);
}

static void defaults(void)
{
	static const int ignored[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
	pid_t pid = fork_child();

	if (pid == 0) {
		for (size_t i = 0; i < ARRAY_LENGTH(ignored); i++)
			raise(ignored[i]);
		child_end();
	}
	expect_exit(pid, 0);
}

/* A handler that uses every register it can reach. */
static void clobber(int signal)
{
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm7; movdqa %%xmm0, %%xmm15\n\t"
			 "xorl %%eax, %%eax; movl %%eax, %%ecx; movl %%eax, %%r10d\n\t"
			 "fninit; fldz"
			 :
			 :
			 : "xmm0", "xmm7", "xmm15", "rax", "rcx", "r10", "memory");
	_MM_SET_ROUNDING_MODE(_MM_ROUND_UP);
	count += signal == SIGUSR1;
}

static void registers_are_kept(void)
{
	long kept;
	int same;

	signal(SIGUSR1, clobber);
	for (int i = 0; i < 200; i++) {
		/* kill(getpid(), SIGUSR1) by hand, with known values in xmm7, xmm15 and st(0). */
		__asm__ volatile("movq %[value], %%xmm7; movq %[value], %%xmm15\n\t"
				 "movl %[call], %%eax; fldpi; syscall\n\t"
				 "movq %%xmm7, %%rdx; movq %%xmm15, %%r8; andq %%rdx, %%r8\n\t"
				 "movq %%r8, %[kept]; fldpi; fcomip %%st(1), %%st; sete %%al\n\t"
				 "movzbl %%al, %[same]; fstp %%st(0)"
				 : [kept] "=&r"(kept), [same] "=&r"(same)
				 : [value] "r"(0x123456789abcdefL + i), [call] "i"(SYS_kill),
				   "D"(getpid()), "S"(SIGUSR1)
				 : "rax", "rcx", "rdx", "r8", "r11", "xmm7", "xmm15", "memory",
				   "cc", "st", "st(1)");
		expect_equal(kept, 0x123456789abcdefL + i);
		expect_equal(same, 1);
		expect_equal(_MM_GET_ROUNDING_MODE(), _MM_ROUND_NEAREST);
	}
	expect_equal(count, 200);
}

/* A sum that depends on the rounding direction, long enough to be preempted. */
static double rounded_sum(unsigned rounding)
{
	volatile double sum = 0;

	_MM_SET_ROUNDING_MODE(rounding);
	for (int i = 1; i < 1000000; i++)
		sum = sum + 1.0 / i;
	return sum;
}

static void state_across_switches(void)
{
	static const unsigned roundings[] = {_MM_ROUND_NEAREST, _MM_ROUND_UP, _MM_ROUND_DOWN,
					     _MM_ROUND_TOWARD_ZERO};
	double alone[ARRAY_LENGTH(roundings)];
	pid_t children[ARRAY_LENGTH(roundings)];

	for (size_t i = 0; i < ARRAY_LENGTH(roundings); i++)
		alone[i] = rounded_sum(roundings[i]);
	expect(alone[1] > alone[2]);
	for (size_t i = 0; i < ARRAY_LENGTH(roundings); i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			expect(rounded_sum(roundings[i]) == alone[i]);
			expect(rounded_sum(roundings[i]) == alone[i]);
			child_end();
		}
	}
	for (size_t i = 0; i < ARRAY_LENGTH(roundings); i++)
		expect_exit(children[i], 0);
}

static const struct tap_case cases[] = {
	{"a handler runs before kill to oneself returns", handler_runs},
	{"sigaction sets and tells, each error", actions},
	{"blocked signals wait, once each", masks},
	{"a handler is not entered again but with SA_NODEFER", handler_blocks_itself},
	{"sa_mask blocks other signals in the handler", handler_mask},
	{"SA_RESETHAND: the handler runs once", once_only},
	{"kill's errors", kill_errors},
	{"kill of a whole group", whole_group},
	{"sigsuspend waits and gives the mask back", suspending},
	{"sigtimedwait takes a pending signal", waiting_for},
	{"SIGCHLD tells who and how", child_signal},
	{"SA_RESTART: the call goes on", restarted_call},
	{"without SA_RESTART: EINTR", interrupted_calls},
	{"ignored signals interrupt nothing", ignored_does_not_interrupt},
	{"SIGKILL ends a program that blocks all and never calls", kill_cannot_be_escaped},
	{"signals that do nothing by default", defaults},
	{"registers and floating point are kept across a handler", registers_are_kept},
	{"floating-point state is kept across switches", state_across_switches},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
