/* sys/auxv.h - what the kernel told this process at its start; AT_... of <linux/auxvec.h>. */
#pragma once

#include <linux/auxvec.h>

unsigned long getauxval(unsigned long type); /* 0 when absent */
