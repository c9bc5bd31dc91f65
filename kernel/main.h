/* kernel/main.h - where boot.asm lands. */
#pragma once

#include <kernel/base/types.h>

/* magic: the loader's; information: its structure. Does not return. */
noreturn_fn void kernel_main(uint32_t magic, phys_t information);
