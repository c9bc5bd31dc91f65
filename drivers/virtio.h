/*
 * drivers/virtio.h - virtio devices and their queues (Virtual I/O Device Specification 1.2, below
 * "VIRTIO"). A driver for one kind of device sees this header alone.
 *
 * The start of a device, in a driver's probe: virtio_negotiate, virtio_queue_create for each
 * queue, virtio_start. A driver's callbacks run in the interrupt handler.
 */
#pragma once

#include <kernel/base/types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

struct virtio_device;
struct virtqueue;

struct virtio_segment {
	phys_t phys;
	uint32_t length; /* bytes */
};

/* Which driver is for which kind of device (VIRTIO_ID_*); drivers.c has the table. */
struct virtio_driver {
	uint16_t type;
	/* 0 or -errno, with a log line by the caller. Sleeps. */
	int (*probe)(struct virtio_device *device);
};

/* Calls the drivers for all virtio devices on PCI. After pci_init; sleeps. */
void virtio_init(const struct virtio_driver *drivers, size_t count);

/*
 * Resets the device and settles the features: VIRTIO_F_VERSION_1, and of `wanted` (1 << bit)
 * what it offers. 0, -EOPNOTSUPP.
 */
must_check int virtio_negotiate(struct virtio_device *device, uint64_t wanted);
bool virtio_has_feature(const struct virtio_device *device, unsigned bit);

/*
 * Queue `index` with at most `size` (a power of two) descriptors. `used` (may be NULL) is called
 * in the interrupt handler with `data` when the device has given buffers back, and perhaps when
 * it has not. 0, -ENOMEM, -ENOENT when the device has no such queue.
 */
must_check int virtio_queue_create(struct virtio_device *device, unsigned index, unsigned size,
				   void (*used)(void *data), void *data, struct virtqueue **queue);
/* The callback's argument, where it is known only after the queue was made. Before its first use.
 */
void virtqueue_set_data(struct virtqueue *queue, void *data);
/* All queues are made: the device may work. */
void virtio_start(struct virtio_device *device);

/* The device's own configuration: `offset` and `size` in bytes. Zeros past its end. */
void virtio_read_config(const struct virtio_device *device, unsigned offset, void *buf,
			size_t size);

/*
 * Queues. The owner serialises all calls for one queue (a spinlock taken with spin_lock_irq where
 * `used` takes it too); none sleeps.
 */

/*
 * Offers a buffer: `out` segments the device reads, then `in` segments it writes. They and `token`
 * (not NULL) are the device's until virtqueue_take returns the token. 0 or -ENOSPC.
 */
must_check int virtqueue_add(struct virtqueue *queue, const struct virtio_segment *segments,
			     unsigned out, unsigned in, void *token);
/* Tells the device about what was added. */
void virtqueue_kick(struct virtqueue *queue);
/* A buffer the device is done with, oldest first, and how many bytes it wrote; NULL: none. */
void *virtqueue_take(struct virtqueue *queue, uint32_t *written);
/* virtqueue_take would return one. May be called without the owner's lock, as a hint. */
bool virtqueue_has_used(const struct virtqueue *queue);
