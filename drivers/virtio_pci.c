/*
 * drivers/virtio_pci.c - virtio devices on PCI (VIRTIO 4.1), the modern interface only.
 *
 * Way in: drivers_init calls virtio_init, which matches devices with drivers.
 *
 * A device says by vendor capabilities where in its memory ranges its registers are: common
 * (features, status, queues), notify (a word per queue), device (its own configuration). Its
 * interrupts are MSI-X; one vector serves all its queues and each queue's callback looks for
 * itself. Transitional devices are used in their modern form; legacy-only ones are left alone.
 *
 * Locks: none; a device is set up by one task, and its registers are not touched afterwards but
 * for the notify words.
 */
#include <drivers/pci.h>
#include <drivers/virtio_private.h>
#include <kernel/base/errno.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <kernel/trap.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <string.h>

/* VIRTIO 4.1.2.1. */
#define VIRTIO_VENDOR 0x1af4
#define VIRTIO_DEVICE_TRANSITIONAL 0x1000
#define VIRTIO_DEVICE_MODERN 0x1040
#define VIRTIO_DEVICE_END 0x1080

#define VIRTIO_MSIX_ENTRY 0 /* the only one used */
#define VIRTIO_RESET_POLLS_MAX 1000000u

struct virtio_match {
	const struct virtio_driver *drivers;
	size_t count;
};

static void virtio_interrupt(void *arg)
{
	struct virtio_device *device = arg;
	struct virtqueue *queue;

	list_for_each_entry (queue, &device->queues, link) {
		if (queue->used && virtqueue_has_used(queue))
			queue->used(queue->data);
	}
}

/* Maps the first capability of this type; *at is its offset in configuration space. */
static volatile void *virtio_map(struct pci_device *pci, uint8_t type, uint32_t *size,
				 unsigned *where)
{
	unsigned at = 0;

	while ((at = pci_find_capability(pci, PCI_CAP_ID_VNDR, at)) != 0) {
		if (pci_read8(pci, at + VIRTIO_PCI_CAP_CFG_TYPE) != type)
			continue;
		*size = pci_read32(pci, at + VIRTIO_PCI_CAP_LENGTH);
		*where = at;
		return pci_map_bar(pci, pci_read8(pci, at + VIRTIO_PCI_CAP_BAR),
				   pci_read32(pci, at + VIRTIO_PCI_CAP_OFFSET), *size);
	}
	return NULL;
}

static int virtio_map_all(struct virtio_device *device)
{
	struct pci_device *pci = device->pci;
	uint32_t common_size;
	unsigned at;

	device->common = virtio_map(pci, VIRTIO_PCI_CAP_COMMON_CFG, &common_size, &at);
	if (!device->common || common_size < sizeof(*device->common))
		return -ENODEV;
	device->config = virtio_map(pci, VIRTIO_PCI_CAP_DEVICE_CFG, &device->config_size, &at);
	device->notify = virtio_map(pci, VIRTIO_PCI_CAP_NOTIFY_CFG, &device->notify_size, &at);
	if (!device->notify)
		return -ENODEV;
	device->notify_multiplier = pci_read32(pci, at + VIRTIO_PCI_NOTIFY_CAP_MULT);
	return 0;
}

static int virtio_connect_interrupt(struct virtio_device *device)
{
	int entries = pci_msix_enable(device->pci);
	int vector;

	if (entries < 0)
		return entries;
	vector = interrupt_allocate_vector(virtio_interrupt, device);
	if (vector < 0)
		return vector;
	pci_msix_route(device->pci, VIRTIO_MSIX_ENTRY, (unsigned)vector);
	return 0;
}

/* The type, or 0 when it is no virtio device. */
static uint16_t virtio_type(const struct pci_device *pci)
{
	if (pci->vendor != VIRTIO_VENDOR || pci->device < VIRTIO_DEVICE_TRANSITIONAL ||
	    pci->device >= VIRTIO_DEVICE_END)
		return 0;
	if (pci->device < VIRTIO_DEVICE_MODERN)
		return pci->subsystem;
	return (uint16_t)(pci->device - VIRTIO_DEVICE_MODERN);
}

static int virtio_setup(struct pci_device *pci, const struct virtio_driver *driver)
{
	struct virtio_device *device = kzalloc(sizeof(*device));
	int error;

	if (!device)
		return -ENOMEM;
	device->pci = pci;
	device->type = driver->type;
	list_init(&device->queues);
	pci_enable(pci);
	error = virtio_map_all(device);
	if (error)
		goto free_device;
	/* From here on an interrupt may come: the device is kept even when its driver fails. */
	error = virtio_connect_interrupt(device);
	if (error)
		goto free_device;
	error = driver->probe(device);
	if (error)
		device->common->device_status = VIRTIO_CONFIG_S_FAILED;
	return error;
free_device:
	kfree(device);
	return error;
}

static void virtio_visit(struct pci_device *pci, void *arg)
{
	const struct virtio_match *match = arg;
	uint16_t type = virtio_type(pci);

	for (size_t i = 0; type && i < match->count; i++) {
		int error;

		if (match->drivers[i].type != type)
			continue;
		error = virtio_setup(pci, &match->drivers[i]);
		if (error)
			log_warning("virtio: device %02x:%02x.%x of type %u not usable: error %d",
				    pci->bus, pci->slot, pci->function, type, -error);
	}
}

void virtio_init(const struct virtio_driver *drivers, size_t count)
{
	struct virtio_match match = {.drivers = drivers, .count = count};

	pci_for_each(virtio_visit, &match);
}

/* VIRTIO 4.1.4.3.2: the device is reset when the status reads zero. */
static int virtio_reset(struct virtio_device *device)
{
	device->common->device_status = 0;
	for (unsigned polls = 0; polls < VIRTIO_RESET_POLLS_MAX; polls++)
		if (device->common->device_status == 0)
			return 0;
	return -EIO;
}

static void virtio_add_status(struct virtio_device *device, uint8_t bits)
{
	device->common->device_status = (uint8_t)(device->common->device_status | bits);
}

static uint64_t virtio_offered(struct virtio_device *device)
{
	uint64_t features;

	device->common->device_feature_select = 1;
	features = (uint64_t)device->common->device_feature << 32;
	device->common->device_feature_select = 0;
	return features | device->common->device_feature;
}

/* VIRTIO 3.1.1, steps 1 to 6. */
int virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
	const uint64_t version_1 = 1ul << VIRTIO_F_VERSION_1;
	int error = virtio_reset(device);

	if (error)
		return error;
	virtio_add_status(device, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	device->features = virtio_offered(device) & (wanted | version_1);
	if (!(device->features & version_1))
		return -EOPNOTSUPP;
	device->common->guest_feature_select = 0;
	device->common->guest_feature = (uint32_t)device->features;
	device->common->guest_feature_select = 1;
	device->common->guest_feature = (uint32_t)(device->features >> 32);
	virtio_add_status(device, VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(device->common->device_status & VIRTIO_CONFIG_S_FEATURES_OK))
		return -EOPNOTSUPP;
	device->common->msix_config = VIRTIO_MSIX_ENTRY;
	return 0;
}

bool virtio_has_feature(const struct virtio_device *device, unsigned bit)
{
	return device->features >> bit & 1;
}

/* The device refuses a vector by reading back VIRTIO_MSI_NO_VECTOR (VIRTIO 4.1.5.1.2.1). */
static int virtio_queue_enable(struct virtqueue *queue)
{
	volatile struct virtio_pci_common_cfg *common = queue->device->common;
	phys_t desc = virt_to_phys(queue->ring.desc);
	phys_t avail = virt_to_phys(queue->ring.avail);
	phys_t used = virt_to_phys(queue->ring.used);

	common->queue_size = (uint16_t)queue->ring.num;
	common->queue_desc_lo = (uint32_t)desc;
	common->queue_desc_hi = (uint32_t)(desc >> 32);
	common->queue_avail_lo = (uint32_t)avail;
	common->queue_avail_hi = (uint32_t)(avail >> 32);
	common->queue_used_lo = (uint32_t)used;
	common->queue_used_hi = (uint32_t)(used >> 32);
	common->queue_msix_vector = VIRTIO_MSIX_ENTRY;
	if (common->queue_msix_vector != VIRTIO_MSIX_ENTRY)
		return -EIO;
	common->queue_enable = 1;
	return 0;
}

int virtio_queue_create(struct virtio_device *device, unsigned index, unsigned size,
			void (*used)(void *data), void *data, struct virtqueue **result)
{
	struct virtqueue *queue;
	uint64_t notify_offset;
	uint16_t size_max;
	int error;

	if (index >= device->common->num_queues)
		return -ENOENT;
	device->common->queue_select = (uint16_t)index;
	size_max = device->common->queue_size;
	notify_offset = (uint64_t)device->common->queue_notify_off * device->notify_multiplier;
	if (!size_max || notify_offset + sizeof(uint16_t) > device->notify_size)
		return -ENOENT;
	queue = kzalloc(sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	queue->device = device;
	queue->index = index;
	queue->used = used;
	queue->data = data;
	queue->notify = (volatile uint16_t *)(device->notify + notify_offset);
	error = virtqueue_init(queue, MIN(size, size_max));
	if (error)
		goto free_queue;
	error = virtio_queue_enable(queue);
	if (error)
		goto free_ring;
	list_push_back(&device->queues, &queue->link);
	*result = queue;
	return 0;
free_ring:
	virtqueue_free(queue);
free_queue:
	kfree(queue);
	return error;
}

void virtio_start(struct virtio_device *device)
{
	virtio_add_status(device, VIRTIO_CONFIG_S_DRIVER_OK);
}

void virtio_read_config(const struct virtio_device *device, unsigned offset, void *buf, size_t size)
{
	uint8_t *bytes = buf;

	for (size_t i = 0; i < size; i++)
		bytes[i] = offset + i < device->config_size && device->config
			       ? device->config[offset + i]
			       : 0;
}
