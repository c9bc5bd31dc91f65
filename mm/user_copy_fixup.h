/* mm/user_copy_fixup.h - what trap.c needs of the user copy functions. */
#pragma once

#include <kernel/base/types.h>

/* Where to go on when the instruction at rip faulted for good; 0 if it may not fault at all. */
uintptr_t user_copy_fixup(uintptr_t rip);
