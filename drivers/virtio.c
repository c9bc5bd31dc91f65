/*
 * drivers/virtio.c - split virtqueues (VIRTIO 2.7).
 *
 * A queue is three arrays in memory shared with the device: descriptors (address, length, next),
 * the available ring (the driver writes indices of chains) and the used ring (the device gives
 * them back). Each ring has an index that only its writer moves, and runs freely.
 *
 * The order in which the other side sees the writes is everything:
 *   - descriptors before the available index: a release store;
 *   - the available index before the look at the device's "no notification" flag: a full fence,
 *     or both sides miss each other;
 *   - the used index before the used entry: an acquire load.
 *
 * Way in: the device's driver. Locks: the driver's own (virtio.h). Not here: where the registers
 * are (virtio_pci.c).
 */
#include <drivers/virtio_private.h>
#include <kernel/base/errno.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <mm/frame.h>
#include <mm/heap.h>

#define VIRTQUEUE_ALIGN                                                                            \
	4 /* of the used ring: VIRTIO 2.7; heap memory has the 16 of descriptors                   \
	   */

int virtqueue_init(struct virtqueue *queue, unsigned size)
{
	void *memory = kzalloc(vring_size(size, VIRTQUEUE_ALIGN));

	queue->tokens = kzalloc_array(size, sizeof(*queue->tokens));
	if (!memory || !queue->tokens) {
		kfree(memory);
		kfree(queue->tokens);
		return -ENOMEM;
	}
	vring_init(&queue->ring, size, memory, VIRTQUEUE_ALIGN);
	for (unsigned i = 0; i < size; i++)
		queue->ring.desc[i].next = (uint16_t)(i + 1);
	queue->free_count = (uint16_t)size;
	return 0;
}

void virtqueue_free(struct virtqueue *queue)
{
	kfree(queue->ring.desc);
	kfree(queue->tokens);
}

void virtqueue_set_data(struct virtqueue *queue, void *data)
{
	queue->data = data;
}

/* The index fields are plain in the uapi structures; these are their ordered forms. */
static uint16_t ring_load(const uint16_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void ring_store(uint16_t *index, uint16_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

int virtqueue_add(struct virtqueue *queue, const struct virtio_segment *segments, unsigned out,
		  unsigned in, void *token)
{
	unsigned count = out + in;
	uint16_t head = queue->free_head, at = head;
	struct vring_avail *avail = queue->ring.avail;

	kassert(count && token);
	if (queue->free_count < count)
		return -ENOSPC;
	for (unsigned i = 0; i < count; i++) {
		struct vring_desc *desc = &queue->ring.desc[at];

		desc->addr = segments[i].phys;
		desc->len = segments[i].length;
		desc->flags = (uint16_t)((i >= out ? VRING_DESC_F_WRITE : 0) |
					 (i + 1 < count ? VRING_DESC_F_NEXT : 0));
		at = desc->next;
	}
	queue->free_head = at;
	queue->free_count = (uint16_t)(queue->free_count - count);
	queue->tokens[head] = token;
	avail->ring[queue->avail_index % queue->ring.num] = head;
	ring_store(&avail->idx, ++queue->avail_index);
	return 0;
}

void virtqueue_kick(struct virtqueue *queue)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (!(ring_load(&queue->ring.used->flags) & VRING_USED_F_NO_NOTIFY))
		*queue->notify = (uint16_t)queue->index;
}

bool virtqueue_has_used(const struct virtqueue *queue)
{
	return ring_load(&queue->ring.used->idx) !=
	       __atomic_load_n(&queue->used_index, __ATOMIC_RELAXED);
}

/* Gives a chain back to the free ones. */
static void virtqueue_release(struct virtqueue *queue, uint16_t head)
{
	uint16_t last = head;
	uint16_t count = 1;

	for (; queue->ring.desc[last].flags & VRING_DESC_F_NEXT; count++)
		last = queue->ring.desc[last].next;
	queue->ring.desc[last].next = queue->free_head;
	queue->free_head = head;
	queue->free_count = (uint16_t)(queue->free_count + count);
}

void *virtqueue_take(struct virtqueue *queue, uint32_t *written)
{
	const struct vring_used_elem *used;
	void *token;

	if (!virtqueue_has_used(queue))
		return NULL;
	used = &queue->ring.used->ring[queue->used_index % queue->ring.num];
	__atomic_store_n(&queue->used_index, (uint16_t)(queue->used_index + 1), __ATOMIC_RELAXED);
	if (used->id >= queue->ring.num || !queue->tokens[used->id]) {
		log_error("virtio: queue %u: the device gives back what it did not have",
			  queue->index);
		return NULL;
	}
	token = queue->tokens[used->id];
	queue->tokens[used->id] = NULL;
	if (written)
		*written = used->len;
	virtqueue_release(queue, (uint16_t)used->id);
	return token;
}
