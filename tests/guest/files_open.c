/*
 * files_open.c - open's flags, permissions, and what fstat and its relatives tell.
 *
 * Names (rename, link, directories) are in files_names.c, bytes (read, write, seek, truncate) in
 * files_data.c.
 */
#include "helpers.h"

#include <sys/sysmacros.h>

static void creating(void)
{
	int fd;

	scratch_enter();
	expect_errno(open("file", O_RDONLY), ENOENT);
	fd = open("file", O_RDWR | O_CREAT, 0640);
	expect(fd >= 0 && write(fd, "12345", 5) == 5);
	expect_errno(open("file", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	expect_equal(fd_size(open("file", O_RDWR | O_CREAT, 0600)), 5);
	expect_equal(fd_size(open("file", O_RDWR | O_TRUNC)), 0);
	expect_equal(fd_size(fd), 0);
	expect_equal(creat("file", 0600), fd + 3);
	expect_errno(read(fd + 3, &fd, 1), EBADF); /* creat opens for writing only */
}

static void existing_link_and_exclusive(void)
{
	scratch_enter();
	expect(symlink("nowhere", "dangling") == 0);
	expect_errno(open("dangling", O_RDONLY), ENOENT);
	expect_errno(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	expect_errno(open("dangling", O_RDONLY | O_NOFOLLOW), ELOOP);
	expect(open("dangling", O_RDWR | O_CREAT, 0600) >= 0); /* creates what it points to */
	expect(access("nowhere", F_OK) == 0);
}

static void errors(void)
{
	static char component[257], path[4097];
	int fd;
	const struct {
		const char *name, *path;
		int flags, error;
	} rows[] = {
		{"no such file", "nothing", O_RDONLY, ENOENT},
		{"empty path", "", O_RDONLY, ENOENT},
		{"no such directory", "nothing/file", O_RDWR | O_CREAT, ENOENT},
		{"a file as a directory", "file/x", O_RDONLY, ENOTDIR},
		{"a file with a slash", "file/", O_RDONLY, ENOTDIR},
		{"O_DIRECTORY on a file", "file", O_RDONLY | O_DIRECTORY, ENOTDIR},
		{"a directory for writing", "directory", O_WRONLY, EISDIR},
		{"a directory for both", "directory", O_RDWR, EISDIR},
		{"O_CREAT on a directory", "directory", O_RDWR | O_CREAT, EISDIR},
		{"O_CREAT with a slash", "new/", O_RDWR | O_CREAT, EISDIR},
		{"circle of links", "circle", O_RDONLY, ELOOP},
		{"through a circle", "circle/file", O_RDONLY, ELOOP},
		{"component of 256 bytes", component, O_RDONLY, ENAMETOOLONG},
		{"path of 4096 bytes", path, O_RDONLY, ENAMETOOLONG},
	};

	scratch_enter();
	file_create("file", 10);
	expect(mkdir("directory", 0755) == 0);
	expect(symlink("circle2", "circle") == 0 && symlink("circle", "circle2") == 0);
	memset(component, 'c', 256);
	for (int i = 0; i < 4096; i++)
		path[i] = i % 2 == 0 ? '.' : '/';
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		check_errno(rows[i].name, open(rows[i].path, rows[i].flags, 0600), rows[i].error);
	component[255] = '\0'; /* one less is a name */
	fd = open(component, O_RDWR | O_CREAT, 0600);
	expect(fd >= 0);
	path[4095] = '\0';
	expect(open(path, O_RDONLY | O_DIRECTORY) >= 0);
	expect_errno(open("file", O_RDONLY | O_DIRECTORY | O_NOFOLLOW), ENOTDIR);
}

static void access_modes(void)
{
	char byte = 'b';
	int read_only, write_only, directory;

	scratch_enter();
	close(file_create("file", 10));
	read_only = open("file", O_RDONLY);
	write_only = open("file", O_WRONLY);
	directory = open(".", O_RDONLY);
	expect_errno(write(read_only, &byte, 1), EBADF);
	expect_errno(read(write_only, &byte, 1), EBADF);
	expect_errno(read(directory, &byte, 1), EISDIR);
	expect_errno(write(directory, &byte, 1), EBADF);
	expect_errno(ftruncate(read_only, 0), EINVAL);
	expect_errno(read(-1, &byte, 1), EBADF);
	expect_errno(close(999), EBADF);
	expect(close(read_only) == 0);
	expect_errno(close(read_only), EBADF);
}

static void append(void)
{
	char text[20] = "";
	int first, second;

	scratch_enter();
	first = open("log", O_RDWR | O_CREAT | O_APPEND, 0600);
	second = open("log", O_WRONLY | O_APPEND);
	expect(write(first, "one,", 4) == 4 && write(second, "two,", 4) == 4);
	expect(lseek(first, 0, SEEK_SET) == 0);
	expect(write(first, "three", 5) == 5); /* at the end, wherever the position was */
	expect_equal(lseek(first, 0, SEEK_CUR), 13);
	expect_equal(pread(first, text, sizeof(text), 0), 13);
	expect(strcmp(text, "one,two,three") == 0);
	expect(fcntl(first, F_SETFL, 0) == 0); /* the flag can be taken away */
	expect(pwrite(first, "ONE", 3, 0) == 3);
	expect_equal(file_byte("log", 0), 'O');
}

static void descriptor_numbers(void)
{
	int first, second;

	scratch_enter();
	first = file_create("file", 10);
	second = dup(first);
	expect_equal(second, first + 1); /* the lowest that is free */
	expect(lseek(second, 4, SEEK_SET) == 4 && lseek(first, 0, SEEK_CUR) == 4);
	expect_equal(open("file", O_RDONLY), first + 2);
	expect(close(second) == 0);
	expect_equal(open("file", O_RDONLY), second);
	expect_equal(dup2(first, 50), 50);
	expect_equal(dup2(first, first), first);
	expect_equal(fcntl(first, F_DUPFD, 40), 40);
	expect_equal(fcntl(first, F_DUPFD_CLOEXEC, 40), 41);
	expect_equal(fcntl(40, F_GETFD), 0);
	expect_equal(fcntl(41, F_GETFD), FD_CLOEXEC);
	expect_equal(dup3(first, 51, O_CLOEXEC), 51);
	expect_equal(fcntl(51, F_GETFD), FD_CLOEXEC);
	expect_errno(dup3(first, first, 0), EINVAL);
	expect_errno(dup(999), EBADF);
	expect_errno(dup2(999, 5), EBADF);
	expect_errno(dup2(first, -1), EBADF);
	expect_errno(fcntl(first, F_DUPFD, -1), EINVAL);
	expect_equal(fcntl(first, F_GETFL) & O_ACCMODE, O_RDWR);
}

static void descriptors_run_out(void)
{
	struct rlimit limit;
	int fd, last = -1;

	scratch_enter();
	close(file_create("file", 1));
	expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 64;
	expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	while ((fd = open("file", O_RDONLY)) >= 0)
		last = fd;
	expect_equal(errno, EMFILE);
	expect_equal(last, 63);
	expect_errno(dup(last), EMFILE);
	expect_errno(pipe((int[2]){0, 0}), EMFILE);
	expect_errno(dup2(last, 64), EBADF);
}

/* Become an ordinary user, in a child. */
static void become_ordinary(void)
{
	expect(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
}

static void permissions(void)
{
	static const struct {
		mode_t mode;
		bool read, write;
	} rows[] = {{0600, false, false},
		    {0644, true, false},
		    {0622, false, true},
		    {0606, true, true},
		    {0660, false, false}};
	pid_t pid;

	scratch_enter();
	file_create("file", 10);
	expect(mkdir("closed", 0700) == 0);
	close(open("closed/file", O_RDWR | O_CREAT, 0666));
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		expect(chmod("file", rows[i].mode) == 0);
		pid = fork_child();
		if (pid == 0) {
			become_ordinary();
			expect((open("file", O_RDONLY) >= 0) == rows[i].read);
			expect((open("file", O_WRONLY) >= 0) == rows[i].write);
			expect_errno(open("closed/file", O_RDONLY), EACCES);
			expect_errno(open("new", O_RDWR | O_CREAT, 0600), EACCES);
			expect_errno(unlink("file"), EACCES);
			expect_errno(chmod("file", 0777), EPERM);
			expect_errno(chown("file", 1000, 1000), EPERM);
			expect_errno(access("file", X_OK), EACCES);
			child_end();
		}
		expect_exit(pid, 0);
	}
	expect(chmod("file", 0) == 0);
	expect(open("file", O_RDWR) >= 0); /* root may */
	expect(access("file", R_OK | W_OK) == 0);
	expect_errno(access("file", X_OK), EACCES); /* but nobody runs what is not executable */
}

static void owner_and_mask(void)
{
	struct stat status;
	int fd;

	scratch_enter();
	umask(027);
	fd = open("file", O_RDWR | O_CREAT, 0777);
	expect(fstat(fd, &status) == 0 && (status.st_mode & 07777) == 0750);
	expect(mkdir("directory", 0777) == 0);
	expect(stat("directory", &status) == 0);
	expect_equal(status.st_mode, S_IFDIR | 0750);
	expect_equal(umask(0), 027);
	expect(fchmod(fd, 04711) == 0 && fstat(fd, &status) == 0);
	expect_equal(status.st_mode, S_IFREG | 04711);
	expect(fchown(fd, 12, 34) == 0 && fstat(fd, &status) == 0);
	expect(status.st_uid == 12 && status.st_gid == 34);
	expect(chown("file", (uid_t)-1, 56) == 0 && stat("file", &status) == 0);
	expect(status.st_uid == 12 && status.st_gid == 56);
	expect_errno(chmod("nothing", 0600), ENOENT);
}

static void what_stat_tells(void)
{
	struct stat by_name, by_fd, link;
	struct statx extended;
	int fd;

	scratch_enter();
	fd = file_create("file", 5000);
	expect(symlink("file", "link") == 0);
	expect(stat("link", &by_name) == 0 && fstat(fd, &by_fd) == 0 && lstat("link", &link) == 0);
	expect(by_name.st_ino == by_fd.st_ino && by_name.st_dev == by_fd.st_dev);
	expect(S_ISREG(by_fd.st_mode) && by_fd.st_size == 5000 && by_fd.st_nlink == 1);
	expect(S_ISLNK(link.st_mode) && link.st_size == 4 && link.st_ino != by_fd.st_ino);
	expect(by_fd.st_uid == 0 && by_fd.st_blksize > 0);
	expect(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &extended) == 0);
	expect(extended.stx_ino == by_fd.st_ino && extended.stx_size == 5000);
	expect(extended.stx_mode == by_fd.st_mode);
	expect(fstatat(fd, "", &by_name, AT_EMPTY_PATH) == 0 && by_name.st_size == 5000);
	expect_errno(fstatat(fd, "", &by_name, 0), ENOENT);
	expect_errno(fstat(999, &by_fd), EBADF);
	expect_errno(stat("file/x", &by_fd), ENOTDIR);
	expect(stat("/dev/null", &by_fd) == 0 && S_ISCHR(by_fd.st_mode));
	expect_equal(by_fd.st_rdev, makedev(1, 3));
}

static void relative_to_directories(void)
{
	int directory, path_only;
	char text[300];

	scratch_enter();
	expect(mkdir("directory", 0755) == 0);
	close(file_create("directory/file", 10));
	directory = open("directory", O_RDONLY | O_DIRECTORY);
	expect(openat(directory, "file", O_RDONLY) >= 0);
	expect(openat(999, "/dev/null", O_RDONLY) >= 0); /* absolute: no matter */
	expect_errno(openat(999, "file", O_RDONLY), EBADF);
	expect_errno(openat(openat(directory, "file", O_RDONLY), "x", O_RDONLY), ENOTDIR);
	expect(fchdir(directory) == 0 && access("file", F_OK) == 0);
	expect(chdir("..") == 0 && access("directory", F_OK) == 0);
	expect(getcwd(text, sizeof(text)) != NULL && strcmp(text, tap_scratch) == 0);
	expect_errno(syscall(SYS_getcwd, text, 3), ERANGE);
	expect_errno(chdir("directory/file"), ENOTDIR);
	expect_errno(chdir("nothing"), ENOENT);
	path_only = open("directory/file", O_PATH);
	expect(path_only >= 0 && fd_size(path_only) == 10);
	expect_errno(read(path_only, text, 1), EBADF);
}

static const struct tap_case cases[] = {
	{"O_CREAT, O_EXCL, O_TRUNC and creat", creating},
	{"symbolic links with O_CREAT, O_EXCL and O_NOFOLLOW", existing_link_and_exclusive},
	{"each error of open", errors},
	{"access modes hold", access_modes},
	{"O_APPEND writes at the end", append},
	{"descriptor numbers: lowest free, dup, dup2, dup3, fcntl", descriptor_numbers},
	{"descriptors run out with EMFILE", descriptors_run_out},
	{"permissions of owner, group and others", permissions},
	{"umask, chmod and chown", owner_and_mask},
	{"stat, lstat, fstat and statx agree", what_stat_tells},
	{"openat, fchdir, getcwd and O_PATH", relative_to_directories},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
