/*
 * drivers/virtio_port.h - one port of a virtio console: what virtio_console.c (the device and its
 * control queue) and virtio_port.c (the bytes) share.
 */
#pragma once

#include <drivers/virtio.h>
#include <kernel/base/list.h>
#include <kernel/base/lock.h>
#include <kernel/base/wait.h>

struct virtio_console;

#define PORT_NAME_SIZE 64
#define PORT_QUEUE_SIZE 16    /* descriptors; no fewer than the buffers below */
#define PORT_INPUT_BUFFERS 16 /* of a page: QEMU passes on at most 4096 bytes at a time */
#define PORT_OUTPUT_BUFFERS 4
#define PORT_OUTPUT_ORDER 3 /* 32 KiB each */

enum port_host {
	HOST_AWAITED, /* has not opened its side yet */
	HOST_OPEN,
	HOST_GONE, /* had opened it, and has hung up */
};

struct port_buffer {
	uint8_t *bytes;	       /* [I] in the direct map */
	uint32_t size;	       /* [I] bytes */
	uint32_t length;       /* input: bytes that came */
	uint32_t taken;	       /* input: bytes already read */
	struct list_node link; /* output: in free_outputs */
};

struct virtio_port {
	struct virtio_console *console; /* [I] */
	uint32_t id;			/* [I] */
	char name[PORT_NAME_SIZE];	/* [I] once the port is ready; empty: no node */
	struct list_node link;		/* [I] in console->ports */
	unsigned openers;		/* [console->control_lock] open files */

	struct spinlock lock; /* RANK_DRIVER; guards all below and both queues */
	enum port_host host;
	struct virtqueue *input, *output;
	struct port_buffer *current_input; /* partly read */
	bool input_claimed;		   /* a reader is copying from current_input */
	struct list_node free_outputs;
	unsigned outputs_busy; /* claimed by a writer, or the device's */
	struct wait_queue readers, writers;
	struct port_buffer inputs[PORT_INPUT_BUFFERS], outputs[PORT_OUTPUT_BUFFERS];
};

/* virtio_port.c */

/* The port's buffers, and its input queue filled: 0 or -ENOMEM. `port` has its queues, else zero.
 */
must_check int virtio_port_init(struct virtio_port *port);
/* Makes the node, when the name is known: 0 or -errno. */
must_check int virtio_port_register(struct virtio_port *port, unsigned minor);
/* What the host said. Wakes whom it concerns. */
void virtio_port_set_host(struct virtio_port *port, bool open);
/* Callbacks of the queues (`data` is the port); interrupt handler. */
void virtio_port_input_used(void *data);
void virtio_port_output_used(void *data);
/* See virtio_console_drain. */
void virtio_port_drain(struct virtio_port *port);

/* virtio_console.c */

/* Counts the open files and tells the host about the first and the last: 0 or -EIO. Sleeps. */
must_check int virtio_console_port_opened(struct virtio_port *port);
void virtio_console_port_closed(struct virtio_port *port);
