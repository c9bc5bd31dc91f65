/*
 * tests/host/test_path.c - path walking and what stands on it, case by case: what the random test
 * (test_fs_linux.c) cannot reach, because it needs mounts, another root, or limits of its own.
 */
#define _GNU_SOURCE
#include "host_fs.h"
#include "host_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <fs/sys_file.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>

#define P(pointer) ((uintptr_t)(pointer))
#define OK(call) assert_int_equal(call, 0)
#define FAILS(error, call) assert_int_equal(call, -(error))

static int setup(void **state)
{
	(void)state;
	host_fs_begin(16 << 20);
	return 0;
}

/* Everything must have been let go of: the heap says so. */
static int teardown(void **state)
{
	(void)state;
	host_fs_become(0, 0);
	host_fs_end();
	return 0;
}

static int make_file(const char *name)
{
	long fd = sys_open(P(name), O_CREAT | O_RDWR, 0644);

	assert_true(fd >= 0);
	return (int)fd;
}

static void assert_cwd(const char *expected)
{
	char name[4096];

	assert_int_equal(sys_getcwd(P(name), sizeof(name)), strlen(expected) + 1);
	assert_string_equal(name, expected);
}

static void test_components(void **state)
{
	char name[300], path[5000];
	struct stat stat;

	(void)state;
	OK(sys_mkdir(P("/d"), 0755));
	OK(sys_close(make_file("/d/f")));
	OK(sys_stat(P("//d/.//./f"), P(&stat)));
	OK(sys_stat(P("/d/../../../d/f"), P(&stat)));
	FAILS(ENOENT, sys_stat(P(""), P(&stat)));
	FAILS(ENOTDIR, sys_stat(P("/d/f/"), P(&stat)));
	FAILS(ENOTDIR, sys_stat(P("/d/f/."), P(&stat)));
	FAILS(ENOTDIR, sys_stat(P("/d/f/.."), P(&stat)));
	FAILS(ENOENT, sys_stat(P("/d/none/.."), P(&stat)));
	FAILS(EFAULT, sys_stat(0, P(&stat)));
	FAILS(EFAULT, sys_stat(P("/d"), 0));
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	OK(sys_mkdir(P(name), 0755));
	name[255] = 'n';
	name[256] = '\0';
	FAILS(ENAMETOOLONG, sys_mkdir(P(name), 0755));
	memset(path, '/', sizeof(path));
	path[4095] = '\0';
	OK(sys_stat(P(path), P(&stat)));
	path[4095] = '/';
	path[4096] = '\0';
	FAILS(ENAMETOOLONG, sys_stat(P(path), P(&stat)));
}

/* A chain l0 -> l1 -> ... -> f of n links. */
static void test_links(void **state)
{
	char from[16], to[16];
	struct stat stat;

	(void)state;
	OK(sys_close(make_file("/l0")));
	for (int i = 1; i <= 41; i++) {
		snprintf(from, sizeof(from), "/l%d", i);
		snprintf(to, sizeof(to), "l%d", i - 1);
		OK(sys_symlink(P(to), P(from)));
	}
	OK(sys_stat(P("/l40"), P(&stat)));
	FAILS(ELOOP, sys_stat(P("/l41"), P(&stat)));
	OK(sys_lstat(P("/l41"), P(&stat)));
	OK(sys_symlink(P("."), P("/here")));
	OK(sys_stat(P("/here/here/here/l0"), P(&stat)));
	FAILS(ENOENT, sys_symlink(P(""), P("/empty")));
	OK(sys_symlink(P("/made"), P("/dangling")));
	FAILS(EEXIST, sys_open(P("/dangling"), O_CREAT | O_EXCL, 0644));
	OK(sys_close((int)sys_open(P("/dangling"), O_CREAT, 0644)));
	OK(sys_stat(P("/made"), P(&stat)));
}

static void test_another_root(void **state)
{
	struct stat stat;

	(void)state;
	OK(sys_mkdir(P("/jail"), 0755));
	OK(sys_mkdir(P("/jail/in"), 0755));
	OK(sys_close(make_file("/outside")));
	OK(sys_symlink(P("/in"), P("/jail/absolute")));
	OK(sys_chdir(P("/jail/in")));
	OK(sys_chroot(P("/jail")));
	assert_cwd("/in");
	FAILS(ENOENT, sys_stat(P("/outside"), P(&stat)));
	FAILS(ENOENT, sys_stat(P("../../../outside"), P(&stat)));
	OK(sys_chdir(P("/absolute/../absolute")));
	assert_cwd("/in");
	host_fs_become(1000, 1000);
	FAILS(EPERM, sys_chroot(P("/in")));
}

static void test_unlinked_directory(void **state)
{
	char buf[256];
	int fd;

	(void)state;
	OK(sys_mkdir(P("/d"), 0755));
	OK(sys_chdir(P("/d")));
	OK(sys_rmdir(P("/d")));
	FAILS(ENOENT, sys_getcwd(P(buf), sizeof(buf)));
	FAILS(ENOENT, sys_open(P("f"), O_CREAT, 0644));
	FAILS(ENOENT, sys_mkdir(P("d"), 0755));
	fd = (int)sys_open(P("."), O_RDONLY, 0);
	assert_true(fd >= 0);
	FAILS(ENOENT, sys_getdents64(fd, P(buf), sizeof(buf)));
	OK(sys_chdir(P("..")));
	assert_cwd("/");
}

static void test_mounts(void **state)
{
	struct stat below, above, parent;
	struct statfs statfs_result;

	(void)state;
	OK(sys_mkdir(P("/m"), 0755));
	OK(sys_close(make_file("/m/hidden")));
	OK(sys_stat(P("/m"), P(&below)));
	FAILS(ENODEV, sys_mount(P("none"), P("/m"), P("nofs"), 0, 0));
	FAILS(EINVAL, sys_mount(P("none"), P("/m"), P("tmpfs"), 0, P("size=x")));
	FAILS(ENOTDIR, sys_mount(P("none"), P("/m/hidden"), P("tmpfs"), 0, 0));
	OK(sys_mount(P("none"), P("/m"), P("tmpfs"), 0, P("size=8k,mode=700")));
	OK(sys_stat(P("/m"), P(&above)));
	assert_true(above.st_dev != below.st_dev);
	assert_int_equal(above.st_mode, S_IFDIR | 0700);
	OK(sys_stat(P("/m/.."), P(&parent)));
	assert_true(parent.st_dev == below.st_dev);
	OK(sys_statfs(P("/m"), P(&statfs_result)));
	assert_int_equal(statfs_result.f_blocks, 2);
	FAILS(ENOENT, sys_stat(P("/m/hidden"), P(&below)));
	FAILS(EBUSY, sys_rmdir(P("/m")));
	FAILS(EBUSY, sys_rename(P("/m"), P("/n")));
	OK(sys_close(make_file("/f")));
	FAILS(EXDEV, sys_rename(P("/f"), P("/m/f")));
	FAILS(EXDEV, sys_link(P("/f"), P("/m/f")));
	OK(sys_chdir(P("/m")));
	assert_cwd("/m");
	FAILS(EBUSY, sys_umount2(P("/m"), 0));
	OK(sys_chdir(P("..")));
	assert_cwd("/");
	OK(sys_umount2(P("/m"), 0));
	OK(sys_stat(P("/m/hidden"), P(&below)));
	FAILS(EINVAL, sys_umount2(P("/m"), 0));
	host_fs_become(1000, 1000);
	FAILS(EPERM, sys_mount(P("none"), P("/m"), P("tmpfs"), 0, 0));
}

static void test_stacked_and_bound(void **state)
{
	struct stat stat;

	(void)state;
	OK(sys_mkdir(P("/m"), 0755));
	OK(sys_mkdir(P("/b"), 0755));
	OK(sys_mount(P("one"), P("/m"), P("tmpfs"), 0, 0));
	OK(sys_close(make_file("/m/one")));
	OK(sys_mount(P("two"), P("/m"), P("tmpfs"), 0, 0));
	FAILS(ENOENT, sys_stat(P("/m/one"), P(&stat)));
	OK(sys_umount2(P("/m"), 0));
	OK(sys_mount(P("/m"), P("/b"), 0, MS_BIND, 0));
	OK(sys_stat(P("/b/one"), P(&stat)));
	OK(sys_mkdir(P("/b/deep"), 0755));
	OK(sys_chdir(P("/b/deep")));
	assert_cwd("/b/deep");
	OK(sys_umount2(P("/b"), MNT_DETACH));
	OK(sys_stat(P("../one"), P(&stat)));
	OK(sys_chdir(P("/")));
	OK(sys_umount2(P("/m"), 0));
}

static void test_read_only(void **state)
{
	(void)state;
	OK(sys_mkdir(P("/m"), 0755));
	OK(sys_mount(P("ro"), P("/m"), P("tmpfs"), 0, 0));
	OK(sys_close(make_file("/m/f")));
	OK(sys_mount(P("ro"), P("/m"), P("tmpfs"), MS_REMOUNT | MS_RDONLY, 0));
	FAILS(EROFS, sys_open(P("/m/f"), O_WRONLY, 0));
	FAILS(EROFS, sys_open(P("/m/g"), O_CREAT, 0644));
	FAILS(EEXIST, sys_mkdir(P("/m/f"), 0755));
	FAILS(EROFS, sys_mkdir(P("/m/g"), 0755));
	FAILS(EROFS, sys_unlink(P("/m/f")));
	FAILS(EROFS, sys_chmod(P("/m/f"), 0600));
	FAILS(EROFS, sys_truncate(P("/m/f"), 0));
	FAILS(EROFS, sys_access(P("/m/f"), 2));
	OK(sys_access(P("/m/f"), 4));
	OK(sys_umount2(P("/m"), 0));
}

static void test_sticky(void **state)
{
	(void)state;
	OK(sys_mkdir(P("/t"), 0));
	OK(sys_chmod(P("/t"), 01777));
	OK(sys_close(make_file("/t/roots")));
	host_fs_become(1000, 1000);
	FAILS(EPERM, sys_unlink(P("/t/roots")));
	FAILS(EPERM, sys_rename(P("/t/roots"), P("/t/mine")));
	OK(sys_close(make_file("/t/mine")));
	FAILS(EPERM, sys_rename(P("/t/mine"), P("/t/roots")));
	OK(sys_unlink(P("/t/mine")));
}

/* rm -r: names go while the directory is read, in small pieces. */
static void test_removal_while_reading(void **state)
{
	struct dirent64_record {
		uint64_t inode, position;
		uint16_t length;
		uint8_t type;
		char name[];
	} * entry;
	char buf[128], name[32];
	unsigned removed = 0;
	long got;
	int fd;

	(void)state;
	OK(sys_mkdir(P("/d"), 0755));
	OK(sys_chdir(P("/d")));
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		OK(sys_close(make_file(name)));
	}
	fd = (int)sys_open(P("."), O_RDONLY | O_DIRECTORY, 0);
	while ((got = sys_getdents64(fd, P(buf), sizeof(buf))) > 0)
		for (long at = 0; at < got; at += entry->length) {
			entry = (void *)(buf + at);
			if (entry->name[0] == '.')
				continue;
			OK(sys_unlink(P(entry->name)));
			removed++;
		}
	assert_int_equal(got, 0);
	assert_int_equal(removed, 500);
	FAILS(EINVAL, (sys_lseek(fd, 0, SEEK_SET), sys_getdents64(fd, P(buf), 10)));
	OK(sys_rmdir(P("/d")));
}

static void test_descriptors(void **state)
{
	int fd = make_file("/f");

	(void)state;
	assert_int_equal(fd, 0);
	assert_int_equal(sys_dup(fd), 1);
	assert_int_equal(sys_dup2(fd, 200), 200);
	assert_int_equal(sys_dup2(fd, fd), fd);
	FAILS(EINVAL, sys_dup3(fd, fd, 0));
	FAILS(EBADF, sys_dup2(fd, 1024));
	FAILS(EBADF, sys_dup2(7, 8));
	assert_int_equal(sys_fcntl(fd, F_DUPFD_CLOEXEC, 150), 150);
	assert_int_equal(sys_fcntl(150, F_GETFD, 0), FD_CLOEXEC);
	FAILS(EINVAL, sys_fcntl(fd, F_DUPFD, 1024));
	assert_int_equal(sys_dup(fd), 2);
	OK(sys_close_range(1, 160, CLOSE_RANGE_CLOEXEC));
	assert_int_equal(sys_fcntl(2, F_GETFD, 0), FD_CLOEXEC);
	OK(sys_close_range(1, UINT32_MAX, 0));
	FAILS(EBADF, sys_close(200));
	host_fs_limit(RLIMIT_NOFILE, 3);
	assert_int_equal(sys_dup(fd), 1);
	assert_int_equal(sys_dup(fd), 2);
	FAILS(EMFILE, sys_dup(fd));
	FAILS(EMFILE, sys_open(P("/not-made"), O_CREAT, 0644));
	FAILS(ENOENT, sys_access(P("/not-made"), 0));
	OK(sys_close(1));
	assert_int_equal(sys_dup(fd), 1);
}

static void test_positions_and_append(void **state)
{
	struct iovec vector[3] = {{(char[]){"ab"}, 2}, {NULL, 0}, {(char[]){"cde"}, 3}};
	char buf[16];
	int fd = make_file("/f"), append;

	(void)state;
	assert_int_equal(sys_writev(fd, P(vector), 3), 5);
	append = (int)sys_open(P("/f"), O_WRONLY | O_APPEND, 0);
	assert_int_equal(sys_write(append, P("X"), 1), 1);
	assert_int_equal(sys_lseek(append, 0, SEEK_CUR), 6);
	assert_int_equal(sys_pread64(fd, P(buf), sizeof(buf), 0), 6);
	assert_memory_equal(buf, "abcdeX", 6);
	assert_int_equal(sys_lseek(fd, 0, SEEK_CUR), 5);
	OK(sys_ftruncate(fd, 8192));
	assert_int_equal(sys_pread64(fd, P(buf), 3, 8190), 2);
	assert_int_equal(buf[0] | buf[1], 0);
	FAILS(EBADF, sys_read(append, P(buf), 1));
	FAILS(EINVAL, sys_pread64(fd, P(buf), 1, -1));
	FAILS(EINVAL, sys_writev(fd, P(vector), 1025));
	FAILS(EFAULT, sys_write(fd, 0, 1));
	vector[0].iov_len = SIZE_MAX / 2;
	vector[2].iov_len = SIZE_MAX / 2;
	assert_true(sys_writev(fd, P(vector), 3) < 0);
	assert_int_equal(sys_sendfile(append, fd, 0, 10), -EINVAL);
}

static void test_limits(void **state)
{
	static char data[65536];
	struct statfs statfs_result;
	int fd;

	(void)state;
	OK(sys_mkdir(P("/m"), 0755));
	OK(sys_mount(P("small"), P("/m"), P("tmpfs"), 0, P("size=20480,nr_inodes=3")));
	fd = make_file("/m/f");
	assert_int_equal(sys_write(fd, P(data), sizeof(data)), 20480);
	FAILS(ENOSPC, sys_write(fd, P(data), 1));
	OK(sys_ftruncate(fd, 4096));
	OK(sys_fstatfs(fd, P(&statfs_result)));
	assert_int_equal(statfs_result.f_bfree, 4);
	OK(sys_mkdir(P("/m/d"), 0755));
	FAILS(ENOSPC, sys_mkdir(P("/m/e"), 0755));
	OK(sys_rmdir(P("/m/d")));
	OK(sys_unlink(P("/m/f")));
	assert_int_equal(sys_pwrite64(fd, P(data), 5, 5), 5); /* unlinked, still open */
	OK(sys_close(fd));
	OK(sys_statfs(P("/m"), P(&statfs_result)));
	assert_int_equal(statfs_result.f_bfree, 5);
	OK(sys_umount2(P("/m"), 0));
	host_fs_limit(RLIMIT_FSIZE, 1000);
	fd = make_file("/f");
	assert_int_equal(sys_write(fd, P(data), 4096), 1000);
	assert_int_equal(host_fs_signals(), 0);
	FAILS(EFBIG, sys_write(fd, P(data), 1));
	FAILS(EFBIG, sys_ftruncate(fd, 1001));
	assert_int_equal(host_fs_signals(), 2);
}

static void test_locks(void **state)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
	int a = make_file("/f"), b = make_file("/f");

	(void)state;
	OK(sys_fcntl(a, F_OFD_SETLK, P(&lock)));
	FAILS(EAGAIN, sys_fcntl(b, F_SETLK, P(&lock)));
	lock.l_start = 20;
	OK(sys_fcntl(b, F_SETLK, P(&lock)));
	lock.l_start = 12;
	lock.l_len = 2;
	lock.l_type = F_UNLCK;
	OK(sys_fcntl(a, F_OFD_SETLK, P(&lock))); /* splits it: 10-11, 14-19 */
	lock.l_type = F_WRLCK;
	OK(sys_fcntl(b, F_SETLK, P(&lock)));
	lock.l_start = 13;
	lock.l_len = 0;
	OK(sys_fcntl(b, F_GETLK, P(&lock)));
	assert_int_equal(lock.l_type, F_WRLCK);
	assert_int_equal(lock.l_start, 14);
	assert_int_equal(lock.l_len, 6);
	assert_int_equal(lock.l_pid, -1);
	OK(sys_close(a)); /* the OFD locks go, and the record locks of this process */
	a = make_file("/f");
	lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
	OK(sys_fcntl(a, F_OFD_SETLK, P(&lock)));
	FAILS(EINVAL, sys_fcntl(a, F_OFD_SETLK, (lock.l_pid = 1, P(&lock))));
	OK(sys_flock(a, LOCK_SH));
	OK(sys_flock(b, LOCK_SH | LOCK_NB));
	FAILS(EWOULDBLOCK, sys_flock(a, LOCK_EX | LOCK_NB));
	OK(sys_flock(b, LOCK_UN));
	OK(sys_flock(a, LOCK_EX | LOCK_NB));
	FAILS(EINVAL, sys_flock(a, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_components),
		TEST(test_links),
		TEST(test_another_root),
		TEST(test_unlinked_directory),
		TEST(test_mounts),
		TEST(test_stacked_and_bound),
		TEST(test_read_only),
		TEST(test_sticky),
		TEST(test_removal_while_reading),
		TEST(test_descriptors),
		TEST(test_positions_and_append),
		TEST(test_limits),
		TEST(test_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
