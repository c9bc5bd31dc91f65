/*
 * libc/signal.c - signal handlers, masks and waiting.
 *
 * The kernel's sigaction needs to be told where a handler returns to; sigaction adds that.
 */
#include <signal.h>

#include <errno.h>
#include <unistd.h>

#include "signal_return.h"
#include "syscall.h"

int kill(pid_t pid, int number)
{
	return (int)CALL2(kill, pid, number);
}

int raise(int number)
{
	return kill(getpid(), number);
}

int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
	struct sigaction complete;

	if (action) {
		complete = *action;
		complete.sa_flags |= SA_RESTORER;
		complete.sa_restorer = signal_return;
		action = &complete;
	}
	return (int)CALL4(rt_sigaction, number, action, old, sizeof(sigset_t));
}

__sighandler_t signal(int number, __sighandler_t handler)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct sigaction old;

	return sigaction(number, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return (int)CALL4(rt_sigprocmask, how, set, old, sizeof(sigset_t));
}

int sigpending(sigset_t *set)
{
	return (int)CALL2(rt_sigpending, set, sizeof(sigset_t));
}

int sigsuspend(const sigset_t *mask)
{
	return (int)CALL2(rt_sigsuspend, mask, sizeof(sigset_t));
}

int pause(void)
{
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	return sigsuspend(&mask);
}

int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	return (int)CALL4(rt_sigtimedwait, set, info, timeout, sizeof(sigset_t));
}

int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	return sigtimedwait(set, info, NULL);
}

int sigaltstack(const stack_t *stack, stack_t *old)
{
	return (int)CALL2(sigaltstack, stack, old);
}

/* Signal n is bit n - 1 of the set. */
static sigset_t bit_of(int number)
{
	return (sigset_t)1 << (number - 1);
}

static int check_number(int number)
{
	if (number >= 1 && number <= 8 * (int)sizeof(sigset_t))
		return 0;
	errno = EINVAL;
	return -1;
}

int sigemptyset(sigset_t *set)
{
	*set = 0;
	return 0;
}

int sigfillset(sigset_t *set)
{
	*set = ~(sigset_t)0;
	return 0;
}

int sigaddset(sigset_t *set, int number)
{
	if (check_number(number) < 0)
		return -1;
	*set |= bit_of(number);
	return 0;
}

int sigdelset(sigset_t *set, int number)
{
	if (check_number(number) < 0)
		return -1;
	*set &= ~bit_of(number);
	return 0;
}

int sigismember(const sigset_t *set, int number)
{
	if (check_number(number) < 0)
		return -1;
	return (*set & bit_of(number)) != 0;
}
