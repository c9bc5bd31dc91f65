/* fs/sys_rw.h - what sys_rw.c and sys_vector.c share. */
#pragma once

#include <fs/file_table.h>

#define RW_COUNT_MAX 0x7ffff000ul /* Linux transfers no more at once: read(2), NOTES */

/* Locks the position if there is one and others share the open file; the result goes to unlock. */
must_check bool position_lock(struct borrowed_file *borrowed);
void position_unlock(struct borrowed_file *borrowed, bool locked);
