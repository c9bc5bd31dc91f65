/*
 * libc/messages.c - what error numbers and signals are called.
 *
 * Errors that no file, process or socket operation gives are left out; they are shown by number.
 */
#include <string.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static const char *const error_messages[] = {
	[0] = "No error",
	[EPERM] = "Not permitted",
	[ENOENT] = "No such file or directory",
	[ESRCH] = "No such process",
	[EINTR] = "Interrupted by a signal",
	[EIO] = "Input/output error",
	[ENXIO] = "No such device or address",
	[E2BIG] = "Argument list too long",
	[ENOEXEC] = "Not a program",
	[EBADF] = "Bad file descriptor",
	[ECHILD] = "No child processes",
	[EAGAIN] = "Try again",
	[ENOMEM] = "Out of memory",
	[EACCES] = "Permission denied",
	[EFAULT] = "Bad address",
	[ENOTBLK] = "Block device required",
	[EBUSY] = "Device or resource busy",
	[EEXIST] = "File exists",
	[EXDEV] = "Link across file systems",
	[ENODEV] = "No such device, or not possible with this one",
	[ENOTDIR] = "Not a directory",
	[EISDIR] = "Is a directory",
	[EINVAL] = "Invalid argument",
	[ENFILE] = "Too many open files in the system",
	[EMFILE] = "Too many open files",
	[ENOTTY] = "Not a terminal, or no such request",
	[ETXTBSY] = "Program file is in use",
	[EFBIG] = "File too large",
	[ENOSPC] = "No space left",
	[ESPIPE] = "Cannot seek",
	[EROFS] = "Read-only file system",
	[EMLINK] = "Too many links",
	[EPIPE] = "Broken pipe",
	[EDOM] = "Argument out of domain",
	[ERANGE] = "Result out of range",
	[EDEADLK] = "Would deadlock",
	[ENAMETOOLONG] = "Name too long",
	[ENOLCK] = "No locks left",
	[ENOSYS] = "No such system call",
	[ENOTEMPTY] = "Directory not empty",
	[ELOOP] = "Too many symbolic links",
	[ENODATA] = "No data",
	[ETIME] = "Timer expired",
	[EPROTO] = "Protocol error",
	[EBADMSG] = "Bad message",
	[EOVERFLOW] = "Value too large",
	[EUSERS] = "Too many users",
	[ENOTSOCK] = "Not a socket",
	[EMSGSIZE] = "Message too long",
	[EOPNOTSUPP] = "Not supported",
	[EAFNOSUPPORT] = "Address family not supported",
	[EADDRINUSE] = "Address in use",
	[EADDRNOTAVAIL] = "Address not available",
	[ENETUNREACH] = "Network unreachable",
	[ECONNABORTED] = "Connection aborted",
	[ECONNRESET] = "Connection reset",
	[ENOBUFS] = "No buffer space",
	[EISCONN] = "Already connected",
	[ENOTCONN] = "Not connected",
	[ETIMEDOUT] = "Timed out",
	[ECONNREFUSED] = "Connection refused",
	[EALREADY] = "Already under way",
	[EINPROGRESS] = "Under way",
	[ESTALE] = "Stale file",
	[EDQUOT] = "Quota exceeded",
	[ECANCELED] = "Cancelled",
	[EOWNERDEAD] = "Owner died",
	[ENOTRECOVERABLE] = "Not recoverable",
};

static const char *const signal_messages[] = {
	[SIGHUP] = "Hangup",
	[SIGINT] = "Interrupt",
	[SIGQUIT] = "Quit",
	[SIGILL] = "Illegal instruction",
	[SIGTRAP] = "Trap",
	[SIGABRT] = "Aborted",
	[SIGBUS] = "Bus error",
	[SIGFPE] = "Arithmetic error",
	[SIGKILL] = "Killed",
	[SIGUSR1] = "User signal 1",
	[SIGSEGV] = "Segmentation fault",
	[SIGUSR2] = "User signal 2",
	[SIGPIPE] = "Broken pipe",
	[SIGALRM] = "Alarm clock",
	[SIGTERM] = "Terminated",
	[SIGSTKFLT] = "Stack fault",
	[SIGCHLD] = "Child changed",
	[SIGCONT] = "Continued",
	[SIGSTOP] = "Stopped",
	[SIGTSTP] = "Stopped from the terminal",
	[SIGTTIN] = "Stopped (terminal input)",
	[SIGTTOU] = "Stopped (terminal output)",
	[SIGURG] = "Urgent data",
	[SIGXCPU] = "Processor time exceeded",
	[SIGXFSZ] = "File size exceeded",
	[SIGVTALRM] = "Virtual timer",
	[SIGPROF] = "Profiling timer",
	[SIGWINCH] = "Window changed",
	[SIGIO] = "Input or output possible",
	[SIGPWR] = "Power failure",
	[SIGSYS] = "Bad system call",
};

/* The message at `number`, or "WHAT NUMBER", which lasts until the next such number. */
static char *find_message(const char *const *messages, size_t count, const char *what, int number)
{
	static char text[32];

	if (number >= 0 && (size_t)number < count && messages[number])
		return (char *)(uintptr_t)messages[number];
	snprintf(text, sizeof(text), "%s %d", what, number);
	return text;
}

char *strerror(int error)
{
	return find_message(error_messages, sizeof(error_messages) / sizeof(*error_messages),
			    "Error", error);
}

char *strsignal(int number)
{
	return find_message(signal_messages, sizeof(signal_messages) / sizeof(*signal_messages),
			    "Signal", number);
}
