/*
 * drivers/tty_ioctl.c - a terminal's ioctls: settings, size, queues, job control (ioctl_tty(2)).
 *
 * Output reaches the hardware before write(2) returns, so there is never any to wait for.
 */
#include <drivers/tty_private.h>
#include <kernel/task.h>
#include <string.h>

static int get_settings(struct tty *tty, uintptr_t arg)
{
	struct termios termios;

	spin_lock(&tty->lock);
	termios = tty->line.termios;
	spin_unlock(&tty->lock);
	return put_user(arg, termios);
}

static int set_settings(struct tty *tty, uintptr_t arg, bool flush)
{
	struct termios termios;
	int error = tty_job_check(tty, SIGTTOU);

	if (error)
		return error;
	if (get_user(termios, arg))
		return -EFAULT;
	if (flush)
		tty_flush_input(tty);
	spin_lock(&tty->lock);
	tty_line_set(&tty->line, &termios);
	spin_unlock(&tty->lock);
	wake_up_all(&tty->readers);
	wake_up_all(&tty->writers);
	wake_up_all(&tty->raw_ready);
	return 0;
}

static int get_size(struct tty *tty, uintptr_t arg)
{
	struct winsize size;

	spin_lock(&tty->lock);
	size = tty->size;
	spin_unlock(&tty->lock);
	return put_user(arg, size);
}

static int set_size(struct tty *tty, uintptr_t arg)
{
	struct winsize size;
	bool changed;

	if (get_user(size, arg))
		return -EFAULT;
	spin_lock(&tty->lock);
	changed = memcmp(&size, &tty->size, sizeof(size)) != 0;
	tty->size = size;
	spin_unlock(&tty->lock);
	if (changed)
		tty_job_signal(tty, SIGWINCH);
	return 0;
}

/* TCFLSH */
static int flush_queues(struct tty *tty, uintptr_t which)
{
	int error = tty_job_check(tty, SIGTTOU);

	if (error)
		return error;
	if (which != TCIFLUSH && which != TCOFLUSH && which != TCIOFLUSH)
		return -EINVAL;
	if (which != TCOFLUSH)
		tty_flush_input(tty);
	return 0;
}

/* TCXONC: output only; there is nobody to send ^S to. */
static int set_flow(struct tty *tty, uintptr_t action)
{
	int error = tty_job_check(tty, SIGTTOU);

	if (error)
		return error;
	if (action > TCION)
		return -EINVAL;
	if (action == TCOOFF || action == TCOON) {
		spin_lock(&tty->lock);
		tty->line.stopped = action == TCOOFF;
		spin_unlock(&tty->lock);
		wake_up_all(&tty->writers);
	}
	return 0;
}

static int input_count(struct tty *tty)
{
	size_t count;

	spin_lock(&tty->lock);
	count = tty_line_count(&tty->line);
	spin_unlock(&tty->lock);
	return (int)count;
}

static int set_foreground(struct tty *tty, uintptr_t arg)
{
	int group;

	if (get_user(group, arg))
		return -EFAULT;
	return tty_job_set_foreground(tty, group);
}

/* An int for the program, or the error instead. */
static int put_value(uintptr_t arg, int value)
{
	return value < 0 ? value : put_user(arg, value);
}

int64_t tty_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
	struct tty *tty = file->data;

	switch (command) {
	case TCGETS:
		return get_settings(tty, arg);
	case TCSETS:
	case TCSETSW:
		return set_settings(tty, arg, false);
	case TCSETSF:
		return set_settings(tty, arg, true);
	case TIOCGWINSZ:
		return get_size(tty, arg);
	case TIOCSWINSZ:
		return set_size(tty, arg);
	case TCFLSH:
		return flush_queues(tty, arg);
	case TCXONC:
		return set_flow(tty, arg);
	case TCSBRK:
	case TCSBRKP:
		return tty_job_check(tty, SIGTTOU);
	case FIONREAD:
		return put_value(arg, input_count(tty));
	case TIOCOUTQ:
		return put_value(arg, 0);
	case TIOCGETD:
		return put_value(arg, tty->line.termios.c_line);
	case TIOCSCTTY:
		return tty_job_acquire(tty, arg == 1);
	case TIOCNOTTY:
		return tty_job_release(tty);
	case TIOCGPGRP:
		return put_value(arg, tty_job_foreground(tty));
	case TIOCSPGRP:
		return set_foreground(tty, arg);
	case TIOCGSID:
		return put_value(arg, tty_job_session(tty));
	default:
		return -ENOTTY;
	}
}
