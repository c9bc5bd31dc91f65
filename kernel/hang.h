/*
 * kernel/hang.h - noticing a processor that stops taking its timer interrupt.
 */
#pragma once

#include <kernel/base/types.h>

/* From the timer interrupt of each processor: looks after its neighbour now and then. */
void hang_watch(uint64_t now_ns);
