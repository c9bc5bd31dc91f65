/*
 * fs/sys_file.h - the system calls of the file layer: kernel/syscall.c calls them.
 *
 * Contracts: the man pages (section 2) of their names. uintptr_t are the user's addresses. Each
 * returns >= 0 or -errno and may sleep.
 */
#pragma once

#include <kernel/base/types.h>

/* sys_open.c */
long sys_open(uintptr_t name, uint32_t flags, uint32_t mode);
long sys_openat(int dirfd, uintptr_t name, uint32_t flags, uint32_t mode);
long sys_creat(uintptr_t name, uint32_t mode);
long sys_close(int fd);
long sys_close_range(unsigned first, unsigned last, unsigned flags);

/* sys_rw.c */
long sys_read(int fd, uintptr_t buf, size_t count);
long sys_write(int fd, uintptr_t buf, size_t count);
long sys_pread64(int fd, uintptr_t buf, size_t count, int64_t offset);
long sys_pwrite64(int fd, uintptr_t buf, size_t count, int64_t offset);
long sys_lseek(int fd, int64_t offset, int whence);

/* sys_vector.c; the last argument of preadv and pwritev is unused on 64-bit machines */
long sys_readv(int fd, uintptr_t vector, size_t count);
long sys_writev(int fd, uintptr_t vector, size_t count);
long sys_preadv(int fd, uintptr_t vector, size_t count, int64_t offset, uint64_t unused);
long sys_pwritev(int fd, uintptr_t vector, size_t count, int64_t offset, uint64_t unused);

/* sys_stat.c */
long sys_stat(uintptr_t name, uintptr_t buf);
long sys_fstat(int fd, uintptr_t buf);
long sys_lstat(uintptr_t name, uintptr_t buf);
long sys_newfstatat(int dirfd, uintptr_t name, uintptr_t buf, int flags);
long sys_statx(int dirfd, uintptr_t name, int flags, unsigned mask, uintptr_t buf);

/* sys_attribute.c */
long sys_access(uintptr_t name, int mode);
long sys_faccessat(int dirfd, uintptr_t name, int mode);
long sys_faccessat2(int dirfd, uintptr_t name, int mode, int flags);
long sys_chmod(uintptr_t name, uint32_t mode);
long sys_fchmod(int fd, uint32_t mode);
long sys_fchmodat(int dirfd, uintptr_t name, uint32_t mode);
long sys_chown(uintptr_t name, uint32_t uid, uint32_t gid);
long sys_fchown(int fd, uint32_t uid, uint32_t gid);
long sys_lchown(uintptr_t name, uint32_t uid, uint32_t gid);
long sys_fchownat(int dirfd, uintptr_t name, uint32_t uid, uint32_t gid, int flags);
long sys_truncate(uintptr_t name, int64_t length);
long sys_ftruncate(int fd, int64_t length);

/* sys_utimes.c */
long sys_utime(uintptr_t name, uintptr_t times);
long sys_utimes(uintptr_t name, uintptr_t times);
long sys_futimesat(int dirfd, uintptr_t name, uintptr_t times);
long sys_utimensat(int dirfd, uintptr_t name, uintptr_t times, int flags);

/* sys_dir.c */
long sys_getdents64(int fd, uintptr_t buf, unsigned size);
long sys_getcwd(uintptr_t buf, size_t size);
long sys_chdir(uintptr_t name);
long sys_fchdir(int fd);
long sys_chroot(uintptr_t name);
long sys_umask(uint32_t mask);

/* sys_name.c */
long sys_mkdir(uintptr_t name, uint32_t mode);
long sys_mkdirat(int dirfd, uintptr_t name, uint32_t mode);
long sys_mknod(uintptr_t name, uint32_t mode, uint32_t device);
long sys_mknodat(int dirfd, uintptr_t name, uint32_t mode, uint32_t device);
long sys_symlink(uintptr_t target, uintptr_t name);
long sys_symlinkat(uintptr_t target, int dirfd, uintptr_t name);
long sys_link(uintptr_t old_name, uintptr_t new_name);
long sys_linkat(int old_dirfd, uintptr_t old_name, int new_dirfd, uintptr_t new_name, int flags);
long sys_unlink(uintptr_t name);
long sys_rmdir(uintptr_t name);
long sys_unlinkat(int dirfd, uintptr_t name, int flags);
long sys_rename(uintptr_t old_name, uintptr_t new_name);
long sys_renameat(int old_dirfd, uintptr_t old_name, int new_dirfd, uintptr_t new_name);
long sys_renameat2(int old_dirfd, uintptr_t old_name, int new_dirfd, uintptr_t new_name,
		   unsigned flags);
long sys_readlink(uintptr_t name, uintptr_t buf, int size);
long sys_readlinkat(int dirfd, uintptr_t name, uintptr_t buf, int size);

/* sys_fd.c */
long sys_dup(int fd);
long sys_dup2(int old_fd, int new_fd);
long sys_dup3(int old_fd, int new_fd, uint32_t flags);
long sys_ioctl(int fd, unsigned command, uintptr_t arg);

/* sys_fcntl.c */
long sys_fcntl(int fd, unsigned command, uintptr_t arg);
long sys_flock(int fd, int operation);

/* memfd.c */
long sys_memfd_create(uintptr_t name, unsigned flags);

/* sysv_shm.c */
long sys_shmget(int key, size_t size, int flags);
long sys_shmat(int id, uintptr_t addr, int flags);
long sys_shmdt(uintptr_t addr);
long sys_shmctl(int id, int command, uintptr_t buf);

/* sys_fs.c */
long sys_statfs(uintptr_t name, uintptr_t buf);
long sys_fstatfs(int fd, uintptr_t buf);
long sys_mount(uintptr_t source, uintptr_t target, uintptr_t type, unsigned long flags,
	       uintptr_t data);
long sys_umount2(uintptr_t target, int flags);

/* fs/sys_xattr.c */
long sys_setxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size, int flags);
long sys_lsetxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size, int flags);
long sys_fsetxattr(int fd, uintptr_t name, uintptr_t value, size_t size, int flags);
long sys_getxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size);
long sys_lgetxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size);
long sys_fgetxattr(int fd, uintptr_t name, uintptr_t value, size_t size);
long sys_listxattr(uintptr_t path, uintptr_t list, size_t size);
long sys_llistxattr(uintptr_t path, uintptr_t list, size_t size);
long sys_flistxattr(int fd, uintptr_t list, size_t size);
long sys_removexattr(uintptr_t path, uintptr_t name);
long sys_lremovexattr(uintptr_t path, uintptr_t name);
long sys_fremovexattr(int fd, uintptr_t name);

/* fs/sys_sync.c */
long sys_fsync(int fd);
long sys_fdatasync(int fd);
long sys_sync_file_range(int fd, int64_t offset, int64_t length, unsigned flags);
long sys_sync(void);
long sys_syncfs(int fd);

/* fs/sys_advise.c */
long sys_fadvise64(int fd, int64_t offset, int64_t length, int advice);
long sys_readahead(int fd, int64_t offset, size_t count);

/* fs/sys_allocate.c */
long sys_fallocate(int fd, int mode, int64_t offset, int64_t length);

/* fs/sys_copy.c */
long sys_sendfile(int out_fd, int in_fd, uintptr_t offset, size_t count);
long sys_copy_file_range(int in_fd, uintptr_t in_offset, int out_fd, uintptr_t out_offset,
			 size_t count, unsigned flags);
