/* poll.h - waiting for several descriptors; struct pollfd and the events are Linux's. */
#pragma once

#include <linux/poll.h>

typedef unsigned int nfds_t;

int poll(struct pollfd *fds, nfds_t count, int timeout_ms); /* negative: without end */
