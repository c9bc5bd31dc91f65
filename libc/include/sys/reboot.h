/* sys/reboot.h - the end of everything; LINUX_REBOOT_CMD_... of <linux/reboot.h>. */
#pragma once

#include <linux/reboot.h>

int reboot(unsigned int command); /* does not sync */
