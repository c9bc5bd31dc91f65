/*
 * kernel/cmdline.h - the kernel's command line: the loader's, then what `./stos run --append`
 * added (QEMU fw_cfg opt/stos/append). Words are separated by blanks; a later word wins.
 */
#pragma once

#include <kernel/base/types.h>

#define CMDLINE_SIZE 4096

/* Copies the loader's line and the addition. Early, once. */
void cmdline_init(const char *loader, const char *addition);
/*
 * The value of the last `key=value`, "" for a bare `key`, NULL without it. Into a buffer of the
 * caller.
 */
const char *cmdline_get(const char *key, char *buf, size_t size);
/* The whole line. */
const char *cmdline(void);
