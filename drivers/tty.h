/*
 * drivers/tty.h - a terminal: a line discipline between a serial port and the programs that
 * have it open, and the job control that goes with it (termios(3), ioctl_tty(2)).
 *
 * tty_input only queues; a kernel task of the terminal does the rest (echo, editing, signals),
 * because signals may not be sent from an interrupt handler.
 */
#pragma once

#include <drivers/tty_line.h>
#include <fs/file.h>
#include <kernel/base/lock.h>
#include <kernel/base/wait.h>

struct process;

/* The hardware's side. `write` takes all bytes as they are (no \n -> \r\n); any context. */
struct tty_driver {
	void (*write)(const char *bytes, size_t length);
};

#define TTY_RAW_SIZE 16384 /* a power of two */

struct tty {
	const struct tty_driver *_Atomic driver; /* NULL: output goes nowhere */

	struct spinlock raw_lock;    /* RANK_DRIVER, also taken by the interrupt handler */
	char raw[TTY_RAW_SIZE];      /* [raw_lock] bytes not yet seen by the line discipline */
	uint32_t raw_head, raw_tail; /* [raw_lock] free-running */
	struct wait_queue raw_ready; /* the terminal's task sleeps here */

	struct mutex read_lock;    /* RANK_INODE: who takes a line takes all of it that fits */
	struct mutex output_lock;  /* RANK_SLEEP_LEAF: what is processed goes out in order */
	struct spinlock lock;      /* RANK_DRIVER */
	struct tty_line line;      /* [lock] settings, input, output column */
	struct winsize size;       /* [lock] */
	bool writing;              /* [lock] a write(2) is under way: others wait for its end */
	struct wait_queue readers; /* input came, or the settings changed */
	struct wait_queue writers; /* output was resumed (^Q), or a write(2) ended */

	int session;    /* [task_tree_lock] whose controlling terminal it is; 0: nobody's */
	int foreground; /* [task_tree_lock] process group that may read */
};

/* The console: the only terminal there is. */
extern struct tty tty_console;

/* Starts the terminal's task. Once, when tasks can be made. */
void tty_init(void);

/* From the hardware's driver when it can take output. */
void tty_set_driver(struct tty *tty, const struct tty_driver *driver);
/* Received bytes, in order. Any context, interrupt handlers too. What does not fit is lost. */
void tty_input(struct tty *tty, const char *bytes, size_t length);
/* The initial size (TIOCSWINSZ changes it later); no signal is sent. */
void tty_set_size(struct tty *tty, unsigned rows, unsigned columns);

/* What open gives for /dev/console and the like (file->data is the tty). */
extern const struct file_operations tty_file_ops;
/* For /dev/tty: the caller's controlling terminal, ENXIO without one. */
extern const struct file_operations tty_controlling_file_ops;

/*
 * The last thread of a session's leader is exiting: the foreground group gets SIGHUP and
 * SIGCONT, the session loses its terminal. From task_exit, no spinlock held.
 */
void tty_leader_exit(struct process *leader);
