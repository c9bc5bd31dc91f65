/*
 * drivers/virtio_port.c - the bytes of one virtio console port: read, write, poll, fsync.
 *
 * Way in: the file system, through port_file_ops; the queues' callbacks; virtio_console.c.
 *
 * Both directions move whole buffers between a program and a queue, and copy with no lock held,
 * for copying touches user memory and may sleep: a buffer is claimed under the lock, copied, and
 * handed on under the lock.
 *
 *   output   free -> claimed (a writer fills it) -> the device's -> free
 *   input    the device's -> current (claimed while a reader empties it) -> the device's
 *
 * Several buffers are in flight, so that the host takes one while the next is being filled. An
 * input buffer goes back to the device only when it is empty: a slow reader holds the host up.
 *
 * Locks: port->lock, also taken by the callbacks. Not here: the control queue (virtio_console.c).
 * Tests: tests/guest through `./stos run`, whose channels these are.
 */
#include <asm/signal.h>
#include <drivers/virtio_port.h>
#include <fs/device.h>
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <kernel/signal.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <linux/poll.h>
#include <linux/stat.h>
#include <mm/frame.h>
#include <string.h>

#define PORT_MAJOR 242 /* of the range for dynamic use: Linux, admin-guide/devices.txt */
#define PORT_NODE_MODE (S_IFCHR | 0600)
#define PORT_NODE_PREFIX "virtio-ports/"
#define PORT_DRAIN_PATIENCE_NS (5 * NS_PER_SEC)

static const struct file_operations port_file_ops;

/* ------------------------------------------------------------------ setting up */

static int port_buffer_init(struct port_buffer *buffer, unsigned order)
{
	struct frame *block = frame_alloc_block(order);

	if (!block)
		return -ENOMEM;
	buffer->bytes = frame_virt(block);
	buffer->size = (uint32_t)(PAGE_SIZE << order);
	return 0;
}

static void port_buffer_free(struct port_buffer *buffer, unsigned order)
{
	if (buffer->bytes)
		frame_free_block(virt_to_frame(buffer->bytes), order);
}

static int port_alloc_buffers(struct virtio_port *port)
{
	int error = 0;

	for (unsigned i = 0; !error && i < PORT_INPUT_BUFFERS; i++)
		error = port_buffer_init(&port->inputs[i], 0);
	for (unsigned i = 0; !error && i < PORT_OUTPUT_BUFFERS; i++)
		error = port_buffer_init(&port->outputs[i], PORT_OUTPUT_ORDER);
	if (!error)
		return 0;
	for (unsigned i = 0; i < PORT_INPUT_BUFFERS; i++)
		port_buffer_free(&port->inputs[i], 0);
	for (unsigned i = 0; i < PORT_OUTPUT_BUFFERS; i++)
		port_buffer_free(&port->outputs[i], PORT_OUTPUT_ORDER);
	return error;
}

/* Gives the device a buffer to fill. */
static void port_offer_input(struct virtio_port *port, struct port_buffer *buffer)
    REQUIRES(port->lock)
{
	struct virtio_segment segment = {virt_to_phys(buffer->bytes), buffer->size};
	int error = virtqueue_add(port->input, &segment, 0, 1, buffer);

	kassert(!error); /* as many descriptors as buffers */
}

int virtio_port_init(struct virtio_port *port)
{
	uint64_t flags;
	int error = port_alloc_buffers(port);

	if (error)
		return error;
	list_init(&port->free_outputs);
	wait_queue_init(&port->readers);
	wait_queue_init(&port->writers);
	flags = spin_lock_irq(&port->lock);
	for (unsigned i = 0; i < PORT_OUTPUT_BUFFERS; i++)
		list_push_back(&port->free_outputs, &port->outputs[i].link);
	for (unsigned i = 0; i < PORT_INPUT_BUFFERS; i++)
		port_offer_input(port, &port->inputs[i]);
	virtqueue_kick(port->input);
	spin_unlock_irq(&port->lock, flags);
	return 0;
}

int virtio_port_register(struct virtio_port *port, unsigned minor)
{
	char path[sizeof(PORT_NODE_PREFIX) + PORT_NAME_SIZE];

	if (!port->name[0] || strchr(port->name, '/') || port->name[0] == '.')
		return -EINVAL;
	strlcpy(path, PORT_NODE_PREFIX, sizeof(path));
	strlcat(path, port->name, sizeof(path));
	return device_register(PORT_MAJOR, minor, path, PORT_NODE_MODE, &port_file_ops, port);
}

void virtio_port_set_host(struct virtio_port *port, bool open)
{
	uint64_t flags = spin_lock_irq(&port->lock);

	if (open)
		port->host = HOST_OPEN;
	else if (port->host == HOST_OPEN)
		port->host = HOST_GONE;
	spin_unlock_irq(&port->lock, flags);
	wake_up_all(&port->readers);
	wake_up_all(&port->writers);
}

/* ------------------------------------------------------------------ reading */

void virtio_port_input_used(void *data)
{
	struct virtio_port *port = data;

	wake_up_all(&port->readers);
}

/* A buffer with unread bytes, for the caller alone, or NULL. */
static struct port_buffer *port_claim_input(struct virtio_port *port)
{
	struct port_buffer *buffer = NULL;
	uint64_t flags = spin_lock_irq(&port->lock);

	while (!port->current_input) {
		uint32_t written;
		struct port_buffer *used = virtqueue_take(port->input, &written);

		if (!used)
			break;
		used->length = MIN(written, used->size);
		used->taken = 0;
		if (used->length)
			port->current_input = used;
		else
			port_offer_input(port, used);
	}
	if (port->current_input && !port->input_claimed) {
		port->input_claimed = true;
		buffer = port->current_input;
	}
	spin_unlock_irq(&port->lock, flags);
	return buffer;
}

static void port_release_input(struct virtio_port *port, struct port_buffer *buffer, size_t taken)
{
	uint64_t flags = spin_lock_irq(&port->lock);

	port->input_claimed = false;
	buffer->taken += (uint32_t)taken;
	if (buffer->taken == buffer->length) {
		port->current_input = NULL;
		port_offer_input(port, buffer);
		virtqueue_kick(port->input);
	}
	spin_unlock_irq(&port->lock, flags);
	wake_up_all(&port->readers);
}

/* Nothing more will come: the device handed over all bytes before it said that the host went. */
static bool port_input_ended(struct virtio_port *port)
{
	uint64_t flags = spin_lock_irq(&port->lock);
	bool ended =
	    port->host == HOST_GONE && !port->current_input && !virtqueue_has_used(port->input);

	spin_unlock_irq(&port->lock, flags);
	return ended;
}

/* Waits for a claimed buffer; *result is NULL at the end of the input. 0 or -errno. */
static int port_wait_input(struct virtio_port *port, const struct file *file,
			   struct port_buffer **result)
{
	*result = port_claim_input(port);
	if (*result || port_input_ended(port))
		return 0;
	if (atomic_load_explicit(&file->flags, memory_order_relaxed) & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_interruptible(&port->readers, (*result = port_claim_input(port)) ||
							    port_input_ended(port));
}

static ssize_t port_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct virtio_port *port = file->data;
	struct port_buffer *buffer;
	ssize_t done = 0;
	int error;

	(void)pos;
	if (!io->left)
		return 0;
	error = port_wait_input(port, file, &buffer);
	if (error)
		return error;
	while (buffer) {
		size_t want = MIN(io->left, (size_t)(buffer->length - buffer->taken));
		size_t copied = io_put(io, buffer->bytes + buffer->taken, want);

		port_release_input(port, buffer, copied);
		done += (ssize_t)copied;
		if (copied < want)
			return done ? done : -EFAULT;
		buffer = io->left ? port_claim_input(port) : NULL;
	}
	return done;
}

/* ------------------------------------------------------------------ writing */

static void port_free_output(struct virtio_port *port, struct port_buffer *buffer)
    REQUIRES(port->lock)
{
	list_push_back(&port->free_outputs, &buffer->link);
	port->outputs_busy--;
}

void virtio_port_output_used(void *data)
{
	struct virtio_port *port = data;
	struct port_buffer *buffer;
	uint64_t flags = spin_lock_irq(&port->lock);

	while ((buffer = virtqueue_take(port->output, NULL)) != NULL)
		port_free_output(port, buffer);
	spin_unlock_irq(&port->lock, flags);
	wake_up_all(&port->writers);
}

/* A free buffer, when the host is there to take it; else NULL. */
static struct port_buffer *port_claim_output(struct virtio_port *port)
{
	struct port_buffer *buffer = NULL;
	uint64_t flags = spin_lock_irq(&port->lock);

	if (port->host == HOST_OPEN && !list_empty(&port->free_outputs)) {
		buffer = list_first(&port->free_outputs, struct port_buffer, link);
		list_remove(&buffer->link);
		port->outputs_busy++;
	}
	spin_unlock_irq(&port->lock, flags);
	return buffer;
}

static void port_unclaim_output(struct virtio_port *port, struct port_buffer *buffer)
{
	uint64_t flags = spin_lock_irq(&port->lock);

	port_free_output(port, buffer);
	spin_unlock_irq(&port->lock, flags);
	wake_up_all(&port->writers);
}

static void port_send(struct virtio_port *port, struct port_buffer *buffer, size_t length)
{
	struct virtio_segment segment = {virt_to_phys(buffer->bytes), (uint32_t)length};
	uint64_t flags = spin_lock_irq(&port->lock);
	int error = virtqueue_add(port->output, &segment, 1, 0, buffer);

	kassert(!error); /* as many descriptors as buffers */
	virtqueue_kick(port->output);
	spin_unlock_irq(&port->lock, flags);
}

static enum port_host port_host(struct virtio_port *port)
{
	uint64_t flags = spin_lock_irq(&port->lock);
	enum port_host host = port->host;

	spin_unlock_irq(&port->lock, flags);
	return host;
}

/* Waits for a claimed buffer: 0, -EPIPE when the host has hung up, -EAGAIN, -ERESTARTSYS. */
static int port_wait_output(struct virtio_port *port, const struct file *file,
			    struct port_buffer **result)
{
	int error = 0;

	*result = port_claim_output(port);
	if (!*result && port_host(port) != HOST_GONE) {
		if (atomic_load_explicit(&file->flags, memory_order_relaxed) & O_NONBLOCK)
			return -EAGAIN;
		error =
		    wait_event_interruptible(&port->writers, (*result = port_claim_output(port)) ||
								 port_host(port) == HOST_GONE);
	}
	if (error || *result)
		return error;
	return -EPIPE;
}

/* As much of `io` as one buffer holds: bytes sent, or -errno. */
static ssize_t port_write_buffer(struct virtio_port *port, const struct file *file,
				 struct io_buffer *io)
{
	struct port_buffer *buffer;
	size_t copied;
	int error = port_wait_output(port, file, &buffer);

	if (error)
		return error;
	copied = io_get(io, buffer->bytes, buffer->size);
	if (!copied) {
		port_unclaim_output(port, buffer);
		return -EFAULT;
	}
	port_send(port, buffer, copied);
	return (ssize_t)copied;
}

static ssize_t port_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct virtio_port *port = file->data;
	ssize_t done = 0;

	(void)pos;
	while (io->left) {
		ssize_t sent = port_write_buffer(port, file, io);

		if (sent == -EPIPE)
			signal_send_task(current_task(), SIGPIPE, NULL);
		if (sent < 0)
			return done ? done : sent;
		done += sent;
	}
	return done;
}

/* ------------------------------------------------------------------ waiting for the host */

static unsigned port_outputs_busy(struct virtio_port *port)
{
	uint64_t flags = spin_lock_irq(&port->lock);
	unsigned busy = port->outputs_busy;

	spin_unlock_irq(&port->lock, flags);
	return busy;
}

static int port_fsync(struct file *file, uint64_t beg, uint64_t end, bool data_only)
{
	struct virtio_port *port = file->data;
	int error;

	(void)beg;
	(void)end;
	(void)data_only;
	error = wait_event_interruptible(&port->writers,
					 !port_outputs_busy(port) || port_host(port) == HOST_GONE);
	if (error)
		return error;
	return port_outputs_busy(port) ? -EIO : 0;
}

void virtio_port_drain(struct virtio_port *port)
{
	unsigned busy;

	while ((busy = port_outputs_busy(port)) != 0 && port_host(port) == HOST_OPEN) {
		uint64_t deadline = time_monotonic_ns() + PORT_DRAIN_PATIENCE_NS;
		int error = wait_event_mode(
		    &port->writers, port_outputs_busy(port) < busy || port_host(port) != HOST_OPEN,
		    WAIT_UNINTERRUPTIBLE, deadline);

		if (error) {
			log_warning("virtio: port %s: the host does not read", port->name);
			return;
		}
	}
}

/* ------------------------------------------------------------------ the file */

static unsigned port_poll(struct file *file, struct poll_table *table)
{
	struct virtio_port *port = file->data;
	unsigned events = 0;
	uint64_t flags;

	poll_wait(table, &port->readers);
	poll_wait(table, &port->writers);
	flags = spin_lock_irq(&port->lock);
	if (port->current_input || virtqueue_has_used(port->input))
		events |= POLLIN | POLLRDNORM;
	if (port->host == HOST_GONE)
		events |= POLLIN | POLLRDNORM | POLLHUP | POLLERR;
	else if (port->host == HOST_OPEN && !list_empty(&port->free_outputs))
		events |= POLLOUT | POLLWRNORM;
	spin_unlock_irq(&port->lock, flags);
	return events;
}

static int port_open(struct inode *inode, struct file *file)
{
	(void)inode;
	return virtio_console_port_opened(file->data);
}

static void port_release(struct file *file)
{
	virtio_console_port_closed(file->data);
}

static const struct file_operations port_file_ops = {
    .read = port_read,
    .write = port_write,
    .poll = port_poll,
    .open = port_open,
    .release = port_release,
    .fsync = port_fsync,
};
