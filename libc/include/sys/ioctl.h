/* sys/ioctl.h - device requests. Numbers and structures are Linux's. */
#pragma once

#include <asm/ioctls.h>
#include <asm/termios.h>

int ioctl(int fd, unsigned long request, ...); /* takes a long or a pointer */
