/*
 * fs/name.h - making, removing and opening names, with kernel strings.
 *
 * The bodies of open(2), mkdir(2), link(2), ... : the system calls copy the user's strings and
 * apply the umask, the kernel itself (unpacking the root) calls these directly, with AT_FDCWD.
 * All check the caller's rights (the first task is root), sleep, and return 0 or -errno as the
 * man page of the call says. `mode` is used as given: no umask here.
 */
#pragma once

#include <fs/path.h>
#include <kernel/base/types.h>
#include <linux/fcntl.h>

/* open(2): the file with one reference, the caller's. flags O_*; mode for O_CREAT. */
must_check int name_open(int dirfd, const char *name, uint32_t flags, uint32_t mode,
			 struct file **file);
/* A place that is known already, opened: permissions are checked. */
must_check int path_open(const struct path *path, uint32_t flags, struct file **file);

must_check int name_mkdir(int dirfd, const char *name, uint32_t permissions);
/* mode: type (S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK) and permission bits. */
must_check int name_mknod(int dirfd, const char *name, uint32_t mode, uint64_t device);
must_check int name_symlink(const char *target, int dirfd, const char *name);
/* at_flags: AT_SYMLINK_FOLLOW, AT_EMPTY_PATH. */
must_check int name_link(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
			 int at_flags);
must_check int name_unlink(int dirfd, const char *name);
must_check int name_rmdir(int dirfd, const char *name);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE. */
must_check int name_rename(int old_dirfd, const char *old_name, int new_dirfd,
			   const char *new_name, unsigned flags);
