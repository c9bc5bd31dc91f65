/* fs/tmpfs_options.h - what mount -o says to a tmpfs: tmpfs(5). */
#pragma once

#include <kernel/base/types.h>

struct tmpfs_options {
	uint64_t pages, inodes; /* limits */
	uint32_t permissions;
	uint32_t uid, gid; /* of the root directory */
};

/*
 * "size=64m,mode=755,...": size (bytes, with k, m, g, or % of RAM), nr_blocks, nr_inodes, mode
 * (octal), uid, gid; the rest as by default: half of RAM, as many inodes, mode 1777, owner 0.
 * 0, or -EINVAL for an unknown word or a number that is none.
 */
must_check int tmpfs_parse_options(const char *text, struct tmpfs_options *options);
