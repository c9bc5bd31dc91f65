/*
 * drivers/virtio_console.c - the virtio console device with several ports (VIRTIO 5.3).
 *
 * Way in: virtio_init calls the probe. A kernel task of the device's own, "virtio-console", does
 * the talking on the control queues:
 *
 *   us   DEVICE_READY      host   PORT_ADD for each port
 *   us   PORT_READY        host   PORT_NAME, PORT_OPEN 1 if its side is open
 *   us   PORT_OPEN 1 or 0 when a program has opened the first or closed the last file
 *                          host   PORT_OPEN 1 or 0 when its side comes or goes
 *
 * QEMU answers a message before it gives the message's buffer back, so the ports that exist at
 * boot are all known when the task first finds nothing more to do; the probe waits for that.
 *
 * All queues are made before the device starts, as the specification wants (VIRTIO 3.1.1), for as
 * many ports as it could have; buffers only for ports that are added.
 *
 * Locks: control_lock (sleeping) for sending and the count of open files; control_ring_lock for
 * the two control queues. Not here: the bytes (virtio_port.c).
 */
#include <drivers/virtio_console.h>
#include <drivers/virtio_port.h>
#include <kernel/base/errno.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <linux/virtio_console.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <string.h>

/* Queue numbers: VIRTIO 5.3.2. */
#define CONTROL_INPUT_QUEUE 2
#define CONTROL_OUTPUT_QUEUE 3
#define CONSOLE_PORTS_MAX 64 /* used of one device */
#define CONSOLES_MAX 4

#define CONTROL_INPUTS 32 /* QEMU drops a message for which there is no buffer */
#define CONTROL_INPUT_SIZE 120
#define CONTROL_PATIENCE_NS (5 * NS_PER_SEC)

/* A message from the host: the header, then a name perhaps. */
struct control_input {
	struct virtio_console_control header;
	char text[CONTROL_INPUT_SIZE - sizeof(struct virtio_console_control)];
};

/* What is shared with the device for control, in one piece of the direct map. */
struct control_memory {
	struct control_input inputs[CONTROL_INPUTS];
	struct virtio_console_control output;
};

struct virtio_console {
	struct virtio_device *device;  /* [I] */
	unsigned number;	       /* [I] */
	unsigned port_count;	       /* [I] ports it could have */
	struct virtio_port **ports;    /* [I] by id; each made at the start, ready when added */
	bool added[CONSOLE_PORTS_MAX]; /* the task alone */
	struct list_node ready;	       /* ports with buffers, only ever added to, by the task */
	struct control_memory *memory; /* [I]; inputs [control_ring_lock], output [control_lock] */

	struct mutex control_lock; /* RANK_SLEEP_LEAF: one message at a time */
	bool broken;		   /* [control_lock] the device no longer answers */

	struct spinlock control_ring_lock; /* RANK_DRIVER */
	struct virtqueue *control_in, *control_out;
	struct wait_queue control_event; /* either queue was used */

	_Atomic bool settled; /* the ports of the start are known */
	struct wait_queue settled_event;
};

static struct virtio_console *consoles[CONSOLES_MAX]; /* written at boot by one task */
static unsigned console_count;

/* ------------------------------------------------------------------ the control queues */

static void control_used(void *data)
{
	struct virtio_console *console = data;

	wake_up_all(&console->control_event);
}

static bool control_send_done(struct virtio_console *console)
{
	uint64_t flags = spin_lock_irq(&console->control_ring_lock);
	bool done = virtqueue_take(console->control_out, NULL) != NULL;

	spin_unlock_irq(&console->control_ring_lock, flags);
	return done;
}

/* Sends one message and waits until the device has dealt with it: 0 or -EIO. */
static int control_send_locked(struct virtio_console *console, uint32_t id, uint16_t event,
			       uint16_t value) REQUIRES(console->control_lock)
{
	struct virtio_console_control *message = &console->memory->output;
	struct virtio_segment segment = {virt_to_phys(message), sizeof(*message)};
	uint64_t flags;
	int error;

	if (console->broken)
		return -EIO;
	*message = (struct virtio_console_control){.id = id, .event = event, .value = value};
	flags = spin_lock_irq(&console->control_ring_lock);
	error = virtqueue_add(console->control_out, &segment, 1, 0, message);
	virtqueue_kick(console->control_out);
	spin_unlock_irq(&console->control_ring_lock, flags);
	kassert(!error);
	error = wait_event_mode(&console->control_event, control_send_done(console),
				WAIT_UNINTERRUPTIBLE, time_monotonic_ns() + CONTROL_PATIENCE_NS);
	if (error) {
		log_error("virtio: the console device does not answer");
		console->broken = true; /* and keeps the message's memory */
		return -EIO;
	}
	return 0;
}

static void control_send(struct virtio_console *console, uint32_t id, uint16_t event,
			 uint16_t value)
{
	mutex_lock(&console->control_lock);
	(void)control_send_locked(console, id, event, value);
	mutex_unlock(&console->control_lock);
}

int virtio_console_port_opened(struct virtio_port *port)
{
	struct virtio_console *console = port->console;
	int error = 0;

	mutex_lock(&console->control_lock);
	if (port->openers == 0)
		error = control_send_locked(console, port->id, VIRTIO_CONSOLE_PORT_OPEN, 1);
	if (!error)
		port->openers++;
	mutex_unlock(&console->control_lock);
	return error;
}

void virtio_console_port_closed(struct virtio_port *port)
{
	struct virtio_console *console = port->console;

	mutex_lock(&console->control_lock);
	if (--port->openers == 0)
		(void)control_send_locked(console, port->id, VIRTIO_CONSOLE_PORT_OPEN, 0);
	mutex_unlock(&console->control_lock);
}

static void control_offer(struct virtio_console *console, struct control_input *input)
    REQUIRES(console->control_ring_lock)
{
	struct virtio_segment segment = {virt_to_phys(input), sizeof(*input)};
	int error = virtqueue_add(console->control_in, &segment, 0, 1, input);

	kassert(!error); /* as many descriptors as buffers */
}

/* Copies the oldest message out and gives its buffer back; false when there is none. */
static bool control_receive(struct virtio_console *console, struct control_input *message)
{
	uint64_t flags = spin_lock_irq(&console->control_ring_lock);
	uint32_t length;
	struct control_input *input = virtqueue_take(console->control_in, &length);

	if (input) {
		memset(message, 0, sizeof(*message));
		memcpy(message, input, MIN((size_t)length, sizeof(*message) - 1));
		control_offer(console, input);
		virtqueue_kick(console->control_in);
	}
	spin_unlock_irq(&console->control_ring_lock, flags);
	return input;
}

/* ------------------------------------------------------------------ what the host says */

static void port_added(struct virtio_console *console, struct virtio_port *port)
{
	if (console->added[port->id])
		return;
	if (virtio_port_init(port)) {
		log_error("virtio: no memory for port %u", port->id);
		control_send(console, port->id, VIRTIO_CONSOLE_PORT_READY, 0);
		return;
	}
	console->added[port->id] = true;
	list_push_back(&console->ready, &port->link);
	control_send(console, port->id, VIRTIO_CONSOLE_PORT_READY, 1);
}

static void port_named(struct virtio_console *console, struct virtio_port *port, const char *name)
{
	int error;

	if (port->name[0])
		return;
	strlcpy(port->name, name, sizeof(port->name));
	error = virtio_port_register(port, console->number * CONSOLE_PORTS_MAX + port->id);
	if (error)
		log_error("virtio: port %u, \"%s\": no node: error %d", port->id, port->name,
			  -error);
}

static void control_handle(struct virtio_console *console, const struct control_input *message)
{
	uint32_t id = message->header.id;
	struct virtio_port *port;

	if (id >= console->port_count) {
		log_warning("virtio: a message for port %u, which is too many", id);
		return;
	}
	port = console->ports[id];
	if (message->header.event == VIRTIO_CONSOLE_PORT_ADD) {
		port_added(console, port);
		return;
	}
	if (!console->added[id])
		return;
	switch (message->header.event) {
	case VIRTIO_CONSOLE_PORT_NAME:
		port_named(console, port, message->text);
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		virtio_port_set_host(port, message->header.value);
		break;
	case VIRTIO_CONSOLE_PORT_REMOVE:
		virtio_port_set_host(port, false);
		break;
	case VIRTIO_CONSOLE_CONSOLE_PORT: /* a terminal, and its size: no node for those */
	case VIRTIO_CONSOLE_RESIZE:
	default:
		break;
	}
}

static void console_task(void *arg)
{
	struct virtio_console *console = arg;
	struct control_input message;

	control_send(console, VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	for (;;) {
		while (control_receive(console, &message))
			control_handle(console, &message);
		atomic_store_explicit(&console->settled, true, memory_order_release);
		wake_up_all(&console->settled_event);
		wait_event(&console->control_event, virtqueue_has_used(console->control_in));
	}
}

/* ------------------------------------------------------------------ starting */

/* VIRTIO 5.3.2: port 0 has queues 0 and 1, port n from 1 on has 2n + 2 and 2n + 3. */
static int port_create(struct virtio_console *console, uint32_t id)
{
	unsigned queue = id ? 2 * id + 2 : 0;
	struct virtio_port *port = kzalloc(sizeof(*port));
	int error;

	if (!port)
		return -ENOMEM;
	port->console = console;
	port->id = id;
	spin_init(&port->lock, RANK_DRIVER);
	error = virtio_queue_create(console->device, queue, PORT_QUEUE_SIZE, virtio_port_input_used,
				    port, &port->input);
	if (!error)
		error = virtio_queue_create(console->device, queue + 1, PORT_QUEUE_SIZE,
					    virtio_port_output_used, port, &port->output);
	console->ports[id] = port;
	return error;
}

static int console_create_queues(struct virtio_console *console)
{
	int error;

	for (uint32_t id = 0; id < console->port_count; id++) {
		error = port_create(console, id);
		if (error)
			return error;
	}
	error = virtio_queue_create(console->device, CONTROL_INPUT_QUEUE, CONTROL_INPUTS,
				    control_used, console, &console->control_in);
	if (error)
		return error;
	return virtio_queue_create(console->device, CONTROL_OUTPUT_QUEUE, CONTROL_INPUTS,
				   control_used, console, &console->control_out);
}

static void console_offer_all(struct virtio_console *console)
{
	uint64_t flags = spin_lock_irq(&console->control_ring_lock);

	for (unsigned i = 0; i < CONTROL_INPUTS; i++)
		control_offer(console, &console->memory->inputs[i]);
	virtqueue_kick(console->control_in);
	spin_unlock_irq(&console->control_ring_lock, flags);
}

static int console_create(struct virtio_device *device, struct virtio_console **result)
{
	struct virtio_console *console = kzalloc(sizeof(*console));
	uint32_t port_count;

	if (!console)
		return -ENOMEM;
	virtio_read_config(device, offsetof(struct virtio_console_config, max_nr_ports),
			   &port_count, sizeof(port_count));
	console->device = device;
	console->number = console_count;
	console->port_count = MIN(port_count, (uint32_t)CONSOLE_PORTS_MAX);
	console->ports = kzalloc_array(console->port_count, sizeof(struct virtio_port *));
	console->memory = kzalloc(sizeof(*console->memory));
	list_init(&console->ready);
	mutex_init(&console->control_lock, RANK_SLEEP_LEAF);
	spin_init(&console->control_ring_lock, RANK_DRIVER);
	wait_queue_init(&console->control_event);
	wait_queue_init(&console->settled_event);
	*result = console;
	return console->ports && console->memory ? 0 : -ENOMEM;
}

/* What was made stays when a later step fails: the device may still know of it. */
int virtio_console_probe(struct virtio_device *device)
{
	struct virtio_console *console;
	int error;

	if (console_count == CONSOLES_MAX)
		return -ENOSPC;
	error = virtio_negotiate(device, 1ul << VIRTIO_CONSOLE_F_MULTIPORT);
	if (error)
		return error;
	if (!virtio_has_feature(device, VIRTIO_CONSOLE_F_MULTIPORT))
		return -EOPNOTSUPP;
	error = console_create(device, &console);
	if (!error)
		error = console_create_queues(console);
	if (error)
		return error;
	virtio_start(device);
	console_offer_all(console);
	if (!kernel_task_create("virtio-console", console_task, console))
		return -ENOMEM;
	consoles[console_count++] = console;
	return wait_event_mode(&console->settled_event,
			       atomic_load_explicit(&console->settled, memory_order_acquire),
			       WAIT_UNINTERRUPTIBLE, time_monotonic_ns() + CONTROL_PATIENCE_NS);
}

void virtio_console_drain(void)
{
	for (unsigned i = 0; i < console_count; i++) {
		struct virtio_port *port;

		list_for_each_entry (port, &consoles[i]->ready, link)
			virtio_port_drain(port);
	}
}
