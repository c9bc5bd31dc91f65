/* drivers/tty_private.h - between tty.c, tty_ioctl.c and tty_job.c. */
#pragma once

#include <drivers/tty.h>

/* Forgets input that nobody has read, the raw bytes too. */
void tty_flush_input(struct tty *tty);

int64_t tty_ioctl(struct file *file, unsigned command, uintptr_t arg);

/*
 * Job control: 0 when the calling process may go on. In the background its group gets `signal`
 * (SIGTTIN, SIGTTOU) and the call is -ERESTARTSYS; -EIO where the group cannot be stopped.
 */
must_check int tty_job_check(struct tty *tty, int signal);
/* Sends a signal to the foreground group, if there is one. */
void tty_job_signal(struct tty *tty, int signal);
/* The calling process's controlling terminal, or NULL. */
struct tty *tty_job_controlling(void);
/* A session's leader that has none opens a terminal that is nobody's: it becomes its own. */
void tty_job_open(struct tty *tty);

/* The ioctls: 0, a value, or -errno, as ioctl_tty(2) says. */
must_check int tty_job_acquire(struct tty *tty, bool steal); /* TIOCSCTTY */
must_check int tty_job_release(struct tty *tty);             /* TIOCNOTTY */
must_check int tty_job_foreground(struct tty *tty);          /* TIOCGPGRP */
must_check int tty_job_set_foreground(struct tty *tty, int group); /* TIOCSPGRP */
must_check int tty_job_session(struct tty *tty);             /* TIOCGSID */
