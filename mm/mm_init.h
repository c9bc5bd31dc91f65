/* mm/mm_init.h - what kernel_main sets up, in this order, after frame_init and heap_init. */
#pragma once

void zones_init(void);
void mem_spaces_init(void);
void mem_objects_init(void);
