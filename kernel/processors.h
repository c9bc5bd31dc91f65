/*
 * kernel/processors.h - starting the other processors, and noticing when one hangs.
 */
#pragma once

#include <kernel/trap.h>

/*
 * Starts every processor the firmware names, up to CPU_MAX, each with an idle task. One that does
 * not answer is reported and left out. Once, by the first task, after drivers_init. Sleeps.
 */
void processors_start(void);
