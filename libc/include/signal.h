/*
 * signal.h - signals. Numbers, struct sigaction, siginfo_t and sigset_t are the kernel's own:
 * a set is one 64-bit word. For SA_SIGINFO store the three-argument handler in sa_handler with
 * a cast through SIGINFO_HANDLER.
 */
#pragma once

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <sys/types.h>

struct timespec;

#define SIGINFO_HANDLER(function) ((__sighandler_t)(void (*)(void))(function))

int kill(pid_t pid, int number);
int raise(int number);
int sigaction(int number, const struct sigaction *action, struct sigaction *old);
__sighandler_t signal(int number, __sighandler_t handler); /* as with SA_RESTART */
int sigprocmask(int how, const sigset_t *set, sigset_t *old);
int sigpending(sigset_t *set);
int sigsuspend(const sigset_t *mask);		       /* always -1, EINTR when a handler ran */
int sigwaitinfo(const sigset_t *set, siginfo_t *info); /* returns the signal's number */
int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
int sigaltstack(const stack_t *stack, stack_t *old);

int sigemptyset(sigset_t *set);
int sigfillset(sigset_t *set);
int sigaddset(sigset_t *set, int number);
int sigdelset(sigset_t *set, int number);
int sigismember(const sigset_t *set, int number);
