/* drivers/virtio_private.h - what virtio.c (queues) and virtio_pci.c (transport) share. */
#pragma once

#include <drivers/virtio.h>
#include <kernel/base/list.h>
#include <linux/virtio_pci.h>

struct pci_device;

struct virtqueue {
	struct virtio_device *device; /* [I] */
	unsigned index;		      /* [I] in the device */
	volatile uint16_t *notify;    /* [I] written to tell the device */
	void (*used)(void *data);     /* [I] */
	void *data;		      /* [I] */
	struct vring ring;	      /* [I] pointers; memory shared with the device */
	void **tokens;		      /* by first descriptor */
	uint16_t free_head;	      /* chain of free descriptors, linked by .next */
	uint16_t free_count;
	uint16_t avail_index;  /* next to fill, free running */
	uint16_t used_index;   /* next to take, free running */
	struct list_node link; /* in device->queues */
};

struct virtio_device {
	struct pci_device *pci;			       /* [I] */
	uint16_t type;				       /* [I] VIRTIO_ID_* */
	uint64_t features;			       /* [I] after virtio_negotiate */
	volatile struct virtio_pci_common_cfg *common; /* [I] */
	volatile uint8_t *notify;		       /* [I] */
	uint32_t notify_size, notify_multiplier;       /* [I] bytes */
	volatile uint8_t *config;		       /* [I] may be NULL */
	uint32_t config_size;			       /* [I] */
	struct list_node queues;		       /* [I] after virtio_start */
};

/* A ring in cleared memory, all descriptors free: 0 or -ENOMEM. */
must_check int virtqueue_init(struct virtqueue *queue, unsigned size);
void virtqueue_free(struct virtqueue *queue);
