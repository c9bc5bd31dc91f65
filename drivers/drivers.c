/* drivers/drivers.c - the order in which the drivers start and stop, and the virtio drivers. */
#include <drivers/acpi.h>
#include <drivers/drivers.h>
#include <drivers/framebuffer.h>
#include <drivers/interrupt.h>
#include <drivers/pci.h>
#include <drivers/power.h>
#include <drivers/serial.h>
#include <drivers/test_object.h>
#include <drivers/virtio.h>
#include <drivers/virtio_console.h>
#include <kernel/base/log.h>
#include <linux/virtio_ids.h>

static const struct virtio_driver virtio_drivers[] = {
    {VIRTIO_ID_CONSOLE, virtio_console_probe},
};

void drivers_early_init(void)
{
	serial_early_init();
	log_set_sink(serial_write_text);
}

void drivers_init(void)
{
	acpi_init();
	interrupt_lines_init();
	power_init();
	serial_init();
	pci_init();
	framebuffer_init();
	virtio_init(virtio_drivers, ARRAY_SIZE(virtio_drivers));
	test_object_init();
}

void drivers_shutdown(void)
{
	virtio_console_drain();
}
