/*
 * drivers/tty.c - the console terminal: bytes between the serial port and open files.
 *
 *	interrupt -> tty_input -> raw ring -> the terminal's task -> line discipline -> tty_read
 *	tty_write -> line discipline -> driver->write
 *
 * The terminal's task exists because typed bytes send signals (^C), which an interrupt handler
 * may not do. It stops taking bytes while the line discipline is full, so that pasted text is
 * not lost as long as it fits into both buffers.
 *
 * Locks: raw_lock with interrupts off (shared with the handler); `output_lock` (sleeping) around
 * {process output, hand it to the driver}, so that a writer and the echo come out in the
 * order in which they moved the cursor; `lock` for everything in the line discipline. User
 * memory is touched with none of them held. What one read(2) or write(2) moves stays in one
 * piece: readers take turns by read_lock, writers by `writing`, for which they wait
 * interruptibly, since ^S may hold a writer for as long as it likes.
 *
 * Not here: editing, echo (tty_line.c); ioctls (tty_ioctl.c); job control (tty_job.c).
 * Tests: tests/host/test_tty_line.c, tests/serial.
 */
#include <drivers/tty_private.h>
#include <fs/device.h>
#include <kernel/base/panic.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <linux/major.h>

#define RAW_MASK (TTY_RAW_SIZE - 1)
#define INPUT_BATCH 64
#define COPY_CHUNK 256
#define VTIME_UNIT_NS (NS_PER_SEC / 10) /* termios(3): VTIME is in tenths of a second */

#define DEFAULT_ROWS 24
#define DEFAULT_COLUMNS 80

struct tty tty_console = {
	.raw_lock = SPINLOCK_INIT(RANK_DRIVER),
	.raw_ready = WAIT_QUEUE_INIT(tty_console.raw_ready),
	.lock = SPINLOCK_INIT(RANK_DRIVER),
	.size = {.ws_row = DEFAULT_ROWS, .ws_col = DEFAULT_COLUMNS},
	.readers = WAIT_QUEUE_INIT(tty_console.readers),
	.writers = WAIT_QUEUE_INIT(tty_console.writers),
};

void tty_set_driver(struct tty *tty, const struct tty_driver *driver)
{
	atomic_store_explicit(&tty->driver, driver, memory_order_release);
}

void tty_set_size(struct tty *tty, unsigned rows, unsigned columns)
{
	spin_lock(&tty->lock);
	tty->size.ws_row = (unsigned short)rows;
	tty->size.ws_col = (unsigned short)columns;
	spin_unlock(&tty->lock);
}

/* Input */

void tty_input(struct tty *tty, const char *bytes, size_t length)
{
	uint64_t flags = spin_lock_irq(&tty->raw_lock);

	for (size_t i = 0; i < length && tty->raw_head - tty->raw_tail < TTY_RAW_SIZE; i++)
		tty->raw[tty->raw_head++ & RAW_MASK] = bytes[i];
	spin_unlock_irq(&tty->raw_lock, flags);
	wake_up_all(&tty->raw_ready);
}

static size_t raw_take(struct tty *tty, char *bytes, size_t size)
{
	uint64_t flags = spin_lock_irq(&tty->raw_lock);
	size_t taken = 0;

	while (taken < size && tty->raw_tail != tty->raw_head)
		bytes[taken++] = tty->raw[tty->raw_tail++ & RAW_MASK];
	spin_unlock_irq(&tty->raw_lock, flags);
	return taken;
}

static bool raw_waits(struct tty *tty)
{
	uint64_t flags = spin_lock_irq(&tty->raw_lock);
	bool some = tty->raw_head != tty->raw_tail;

	spin_unlock_irq(&tty->raw_lock, flags);
	return some;
}

static bool line_full(struct tty *tty)
{
	bool full;

	spin_lock(&tty->lock);
	full = tty_line_full(&tty->line);
	spin_unlock(&tty->lock);
	return full;
}

void tty_flush_input(struct tty *tty)
{
	uint64_t flags = spin_lock_irq(&tty->raw_lock);

	tty->raw_tail = tty->raw_head;
	spin_unlock_irq(&tty->raw_lock, flags);
	spin_lock(&tty->lock);
	tty_line_flush(&tty->line);
	spin_unlock(&tty->lock);
	/* What came between the two found the line discipline full. */
	wake_up_all(&tty->raw_ready);
}

static void driver_write(struct tty *tty, struct tty_output *output)
{
	const struct tty_driver *driver = atomic_load_explicit(&tty->driver, memory_order_acquire);

	if (driver && output->length > 0)
		driver->write(output->bytes, output->length);
	output->length = 0;
}

/* One byte through the line discipline: its echo is put into `echo`, its signal is sent. */
static void process_byte(struct tty *tty, char byte, struct tty_output *echo)
{
	int signal;

	spin_lock(&tty->lock);
	signal = tty_line_input(&tty->line, byte, echo);
	spin_unlock(&tty->lock);
	if (signal || echo->size - echo->length < TTY_ECHO_MAX)
		driver_write(tty, echo);
	if (signal)
		tty_job_signal(tty, signal);
}

static void process_input(struct tty *tty)
{
	char batch[INPUT_BATCH], echo_bytes[512];
	struct tty_output echo = {.bytes = echo_bytes, .size = sizeof(echo_bytes)};
	size_t length = raw_take(tty, batch, sizeof(batch));

	mutex_lock(&tty->output_lock);
	for (size_t i = 0; i < length; i++)
		process_byte(tty, batch[i], &echo);
	driver_write(tty, &echo);
	mutex_unlock(&tty->output_lock);
	wake_up_all(&tty->readers);
	wake_up_all(&tty->writers);
}

static void tty_task(void *arg)
{
	struct tty *tty = arg;

	for (;;) {
		wait_event(&tty->raw_ready, raw_waits(tty) && !line_full(tty));
		process_input(tty);
	}
}

void tty_init(void)
{
	mutex_init(&tty_console.read_lock, RANK_INODE);
	mutex_init(&tty_console.output_lock, RANK_SLEEP_LEAF);
	tty_line_init(&tty_console.line);
	if (!kernel_task_create("tty", tty_task, &tty_console))
		panic("no memory for the terminal's task");
}

/* Reading */

/* What ends a read, from the settings of the moment. */
struct read_rule {
	bool canonical;
	size_t minimum;      /* not canonical: VMIN */
	uint64_t timeout_ns; /* VTIME; 0: none */
};

static struct read_rule read_rule(struct tty *tty)
{
	const struct termios *termios = &tty->line.termios;
	struct read_rule rule;

	spin_lock(&tty->lock);
	rule.canonical = termios->c_lflag & ICANON;
	rule.minimum = rule.canonical ? 1 : termios->c_cc[VMIN];
	rule.timeout_ns = rule.canonical ? 0 : termios->c_cc[VTIME] * VTIME_UNIT_NS;
	spin_unlock(&tty->lock);
	return rule;
}

/*
 * termios(3), noncanonical mode: with VMIN the timer runs between bytes, from the first one on;
 * without, from the start of the read.
 */
static uint64_t read_deadline(const struct read_rule *rule, uint64_t start_ns, size_t done)
{
	if (rule->minimum == 0)
		return start_ns + rule->timeout_ns;
	if (rule->timeout_ns > 0 && done > 0)
		return time_monotonic_ns() + rule->timeout_ns;
	return UINT64_MAX;
}

static bool input_readable(struct tty *tty)
{
	bool readable;

	spin_lock(&tty->lock);
	readable = tty_line_readable(&tty->line, 1);
	spin_unlock(&tty->lock);
	return readable;
}

/* Moves what can be read now, up to the end of a line. 0 or -EFAULT. */
static int read_available(struct tty *tty, struct io_buffer *io, size_t *done, bool *ended)
{
	char chunk[COPY_CHUNK];
	size_t taken, copied;

	mutex_lock(&tty->read_lock);
	do {
		spin_lock(&tty->lock);
		taken = tty_line_take(&tty->line, chunk, MIN(io->left, sizeof(chunk)), ended);
		spin_unlock(&tty->lock);
		copied = io_put(io, chunk, taken);
		*done += copied;
	} while (taken > 0 && copied == taken && io->left > 0 && !*ended);
	mutex_unlock(&tty->read_lock);
	if (raw_waits(tty))
		wake_up_all(&tty->raw_ready);
	return copied < taken ? -EFAULT : 0;
}

static int read_wait(struct tty *tty, struct file *file, uint64_t deadline_ns)
{
	if (wait_deadline_passed(deadline_ns))
		return -ETIMEDOUT;
	if (atomic_load(&file->flags) & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_timeout(&tty->readers, input_readable(tty), deadline_ns);
}

static ssize_t tty_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct tty *tty = file->data;
	uint64_t start_ns = time_monotonic_ns();
	size_t done = 0;
	bool ended = false;
	int error = tty_job_check(tty, SIGTTIN);

	(void)pos;
	while (!error && io->left > 0) {
		struct read_rule rule = read_rule(tty);

		error = read_available(tty, io, &done, &ended);
		if (error || ended || (done > 0 && done >= rule.minimum))
			break;
		error = read_wait(tty, file, read_deadline(&rule, start_ns, done));
	}
	if (error == -ETIMEDOUT)
		error = 0;
	return done > 0 ? (ssize_t)done : error;
}

/* Writing */

static bool output_stopped(struct tty *tty)
{
	bool stopped;

	spin_lock(&tty->lock);
	stopped = tty->line.stopped;
	spin_unlock(&tty->lock);
	return stopped;
}

static void write_chunk(struct tty *tty, const char *bytes, size_t length)
{
	char processed[COPY_CHUNK];
	struct tty_output output = {.bytes = processed, .size = sizeof(processed)};
	size_t done = 0;

	mutex_lock(&tty->output_lock);
	while (done < length) {
		spin_lock(&tty->lock);
		done += tty_line_output(&tty->line, bytes + done, length - done, &output);
		spin_unlock(&tty->lock);
		driver_write(tty, &output);
	}
	mutex_unlock(&tty->output_lock);
}

static int write_wait(struct tty *tty, struct file *file)
{
	if (!output_stopped(tty))
		return 0;
	if (atomic_load(&file->flags) & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_interruptible(&tty->writers, !output_stopped(tty));
}

static bool write_claim(struct tty *tty)
{
	bool claimed;

	spin_lock(&tty->lock);
	claimed = !tty->writing;
	tty->writing = true;
	spin_unlock(&tty->lock);
	return claimed;
}

/* Waits until no other write(2) is under way: 0, -EAGAIN, -ERESTARTSYS. */
static int write_begin(struct tty *tty, struct file *file)
{
	if (write_claim(tty))
		return 0;
	if (atomic_load(&file->flags) & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_interruptible(&tty->writers, write_claim(tty));
}

static void write_end(struct tty *tty)
{
	spin_lock(&tty->lock);
	tty->writing = false;
	spin_unlock(&tty->lock);
	wake_up_all(&tty->writers);
}

/* TOSTOP: background writers are stopped too. */
static int write_job_check(struct tty *tty)
{
	bool check;

	spin_lock(&tty->lock);
	check = tty->line.termios.c_lflag & TOSTOP;
	spin_unlock(&tty->lock);
	return check ? tty_job_check(tty, SIGTTOU) : 0;
}

/* The caller's turn: bytes written or -errno. */
static ssize_t write_all(struct tty *tty, struct file *file, struct io_buffer *io)
{
	char chunk[COPY_CHUNK];
	ssize_t done = 0;
	int error = 0;

	while (!error && io->left > 0) {
		size_t wanted = MIN(io->left, sizeof(chunk));
		size_t length;

		error = write_wait(tty, file);
		if (error)
			break;
		length = io_get(io, chunk, wanted);
		write_chunk(tty, chunk, length);
		done += (ssize_t)length;
		if (length < wanted)
			error = -EFAULT;
		else if (io->left > 0 && wait_interrupted(WAIT_INTERRUPTIBLE))
			error = -ERESTARTSYS;
	}
	return done > 0 ? done : error;
}

static ssize_t tty_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct tty *tty = file->data;
	ssize_t done = write_job_check(tty);

	(void)pos;
	if (!done)
		done = write_begin(tty, file);
	if (done)
		return done;
	done = write_all(tty, file, io);
	write_end(tty);
	return done;
}

/* The rest */

static unsigned tty_poll(struct file *file, struct poll_table *table)
{
	struct tty *tty = file->data;
	const struct termios *termios = &tty->line.termios;
	size_t minimum;
	unsigned events = 0;

	poll_wait(table, &tty->readers);
	poll_wait(table, &tty->writers);
	spin_lock(&tty->lock);
	minimum = termios->c_cc[VTIME] == 0 && termios->c_cc[VMIN] > 0 ? termios->c_cc[VMIN] : 1;
	if (tty_line_readable(&tty->line, minimum))
		events |= POLLIN | POLLRDNORM;
	if (!tty->line.stopped)
		events |= POLLOUT | POLLWRNORM;
	spin_unlock(&tty->lock);
	return events;
}

/* Opening /dev/console never makes it the controlling terminal; other names of it may. */
static int tty_open(struct inode *inode, struct file *file)
{
	bool console = inode->device == device_number(TTYAUX_MAJOR, 1);

	if (!console && file->readable && !(atomic_load(&file->flags) & O_NOCTTY))
		tty_job_open(file->data);
	return 0;
}

static int tty_controlling_open(struct inode *inode, struct file *file)
{
	struct tty *tty = tty_job_controlling();

	(void)inode;
	if (!tty)
		return -ENXIO;
	file->data = tty;
	file->ops = &tty_file_ops;
	return 0;
}

const struct file_operations tty_file_ops = {
	.read = tty_read,
	.write = tty_write,
	.ioctl = tty_ioctl,
	.poll = tty_poll,
	.open = tty_open,
};

const struct file_operations tty_controlling_file_ops = {
	.open = tty_controlling_open,
};
