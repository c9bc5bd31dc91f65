/*
 * drivers/virtio_console.h - a virtio-serial device: named byte channels to the host, each a
 * character device /dev/virtio-ports/NAME.
 *
 * A port, as a program sees it:
 *   open    always works; several may have it open
 *   read    waits for bytes; 0 (end of file) when the host has hung up and all was read
 *   write   waits until the host is there and there is room; returns when the device has the
 *           bytes; EPIPE and SIGPIPE once the host has hung up
 *   fsync   waits until the host has taken everything written; EIO when it hung up before
 *   poll    POLLIN, POLLOUT, POLLHUP
 * A host that has not come yet is waited for; one that went and came back is welcome again.
 */
#pragma once

#include <drivers/virtio.h>

/* A struct virtio_driver's probe; returns when the ports there are have their nodes. */
must_check int virtio_console_probe(struct virtio_device *device);

/*
 * Waits until the hosts of all ports have taken everything written. Gives a port up when its
 * host hangs up, or takes nothing for some seconds. Sleeps, not interruptible.
 */
void virtio_console_drain(void);
