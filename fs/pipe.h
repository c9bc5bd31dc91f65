/*
 * fs/pipe.h - pipes: a stream of bytes between files, pipe(7). Named ones (FIFOs) are opened
 * through fifo_file_operations (fs/file.h).
 */
#pragma once

#include <fs/file.h>

/*
 * A new pipe: two files with one reference each, the caller's. `flags`: O_NONBLOCK, for both.
 * 0, -ENOMEM.
 */
must_check int pipe_create(uint32_t flags, struct file **reader, struct file **writer);
