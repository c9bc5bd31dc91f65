/*
 * files_names.c - the tree of names: directories, links, rename, unlink, listing.
 */
#include "helpers.h"

/* The number of links to the file of that name. */
static long links(const char *name)
{
	struct stat status;

	expect(lstat(name, &status) == 0);
	return (long)status.st_nlink;
}

static void make(const char *name)
{
	expect(close(file_create(name, 10)) == 0);
}

static bool exists(const char *name)
{
	struct stat status;

	return lstat(name, &status) == 0;
}

static void hard_links(void)
{
	struct stat first, second;
	int fd;

	scratch_enter();
	fd = file_create("one", 10);
	expect(link("one", "two") == 0 && links("one") == 2);
	expect(stat("one", &first) == 0 && stat("two", &second) == 0);
	expect_equal(first.st_ino, second.st_ino);
	expect(pwrite(fd, "X", 1, 0) == 1);
	expect_equal(file_byte("two", 0), 'X');
	expect(unlink("one") == 0 && links("two") == 1 && !exists("one"));
	expect_errno(link("two", "two"), EEXIST);
	expect_errno(link("nothing", "three"), ENOENT);
	expect(mkdir("directory", 0755) == 0);
	expect_errno(link("directory", "other"), EPERM);
	expect(symlink("two", "soft") == 0);
	expect(link("soft", "hard") == 0); /* of the link itself, not of its target */
	expect(lstat("hard", &first) == 0 && S_ISLNK(first.st_mode));
}

static void symbolic_links(void)
{
	char text[300], long_name[20];

	scratch_enter();
	make("file");
	expect(mkdir("directory", 0755) == 0);
	make("directory/inner");
	expect(symlink("file", "link") == 0 && symlink("directory", "way") == 0);
	expect(symlink("../file", "directory/up") == 0);
	expect_equal(file_byte("link", 0), pattern(0));
	expect_equal(file_byte("way/inner", 0), pattern(0));
	expect_equal(file_byte("way/up", 0), pattern(0));
	expect_equal(readlink("link", text, sizeof(text)), 4);
	expect(memcmp(text, "file", 4) == 0);
	expect_equal(readlink("link", text, 2), 2); /* cut off, no error */
	expect_errno(readlink("file", text, sizeof(text)), EINVAL);
	expect_errno(readlink("nothing", text, sizeof(text)), ENOENT);
	expect_errno(symlink("x", "link"), EEXIST);
	expect_errno(symlink("", "empty"), ENOENT);
	expect(unlink("link") == 0 && exists("file"));
	/* Forty links in a row can be followed, forty-one cannot. */
	expect(symlink("file", "chain0") == 0);
	for (int i = 1; i <= 40; i++) {
		snprintf(text, sizeof(text), "chain%d", i - 1);
		snprintf(long_name, sizeof(long_name), "chain%d", i);
		expect(symlink(text, long_name) == 0);
	}
	expect_equal(file_byte("chain39", 0), pattern(0));
	expect_errno(open("chain40", O_RDONLY), ELOOP);
}

static void directories(void)
{
	struct stat status, parent;

	scratch_enter();
	expect(mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0);
	expect(stat("a/b/..", &parent) == 0 && stat("a", &status) == 0);
	expect_equal(parent.st_ino, status.st_ino);
	expect(stat("a/b/.", &parent) == 0 && stat("a//b///", &status) == 0);
	expect_equal(parent.st_ino, status.st_ino);
	make("file");
	expect_errno(mkdir("a", 0755), EEXIST);
	expect_errno(mkdir("file", 0755), EEXIST);
	expect_errno(mkdir("x/y", 0755), ENOENT);
	expect_errno(mkdir("file/y", 0755), ENOTDIR);
	expect_errno(rmdir("a"), ENOTEMPTY);
	expect_errno(rmdir("file"), ENOTDIR);
	expect_errno(rmdir("nothing"), ENOENT);
	expect_errno(rmdir("a/."), EINVAL);
	expect_errno(rmdir("a/b/.."), ENOTEMPTY);
	expect_errno(unlink("a"), EISDIR);
	expect(rmdir("a/b") == 0 && rmdir("a") == 0 && !exists("a"));
	expect(stat("/..", &parent) == 0 && stat("/", &status) == 0);
	expect_equal(parent.st_ino, status.st_ino);
	expect(mkdir("slash/", 0755) == 0 && exists("slash"));
}

static void removed_working_directory(void)
{
	char text[300];

	scratch_enter();
	expect(mkdir("gone", 0755) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
	expect_errno(open("file", O_RDWR | O_CREAT, 0600), ENOENT);
	expect_errno(syscall(SYS_getcwd, text, sizeof(text)), ENOENT);
	expect_errno(mkdir("x", 0755), ENOENT);
	expect(chdir("..") == 0);
}

static void renaming(void)
{
	struct stat before, after;
	int fd;

	scratch_enter();
	fd = file_create("one", 10);
	expect(fstat(fd, &before) == 0);
	expect(rename("one", "two") == 0 && !exists("one"));
	expect(stat("two", &after) == 0 && after.st_ino == before.st_ino);
	make("three");
	expect(rename("two", "three") == 0 && !exists("two")); /* replaces */
	expect(stat("three", &after) == 0 && after.st_ino == before.st_ino);
	expect(rename("three", "three") == 0 && exists("three"));
	expect(link("three", "four") == 0);
	expect(rename("three", "four") == 0); /* two names of one file: nothing happens */
	expect(exists("three") && exists("four"));
	expect(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0 && mkdir("empty", 0755) == 0);
	expect(rename("three", "d/moved") == 0 && exists("d/moved"));
	expect_errno(rename("nothing", "x"), ENOENT);
	expect_errno(rename("four", "nothing/x"), ENOENT);
	expect_errno(rename("four", "d"), EISDIR);
	expect_errno(rename("d", "four"), ENOTDIR);
	expect_errno(rename("empty", "d"), ENOTEMPTY);
	expect_errno(rename("d", "d/e/f"), EINVAL); /* into itself */
	expect(rename("d", "empty") == 0 && exists("empty/moved") && exists("empty/e"));
	expect(rename("empty/e", "top") == 0 && stat("top/..", &after) == 0);
	expect(stat(".", &before) == 0 && after.st_ino == before.st_ino);
}

static void rename_flags(void)
{
	scratch_enter();
	make("one");
	make("two");
	expect(truncate("two", 5) == 0);
	expect_errno(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_NOREPLACE), EEXIST);
	expect(renameat2(AT_FDCWD, "one", AT_FDCWD, "three", RENAME_NOREPLACE) == 0);
	expect(exists("three") && !exists("one"));
	expect_errno(renameat2(AT_FDCWD, "two", AT_FDCWD, "one", 0x1000), EINVAL);
}

static void unlinked_but_open(void)
{
	struct stat status;
	int fd;

	scratch_enter();
	fd = file_create("file", 5000);
	expect(unlink("file") == 0);
	expect(fstat(fd, &status) == 0 && status.st_nlink == 0 && status.st_size == 5000);
	make("file"); /* another file of the same name */
	expect(pwrite(fd, "old", 3, 6000) == 3 && fd_size(fd) == 6003);
	expect_equal(file_byte("file", 10), -1);
	expect_errno(unlink("nothing"), ENOENT);
	expect_errno(unlink("file/x"), ENOTDIR);
}

/* How many entries the directory lists, with `seen` counting those named file0 to file99. */
static int list(DIR *directory, int seen[100])
{
	struct dirent *entry;
	int count = 0, number;

	while ((entry = readdir(directory)) != NULL) {
		count++;
		expect(entry->d_ino != 0);
		if (sscanf(entry->d_name, "file%d", &number) == 1 && number < 100) {
			expect(entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
			seen[number]++;
		}
	}
	return count;
}

static void make_hundred(void)
{
	char name[20];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		make(name);
	}
}

static void listing(void)
{
	int seen[100] = {0};
	DIR *directory;

	scratch_enter();
	make_hundred();
	directory = opendir(".");
	expect_equal(list(directory, seen), 102); /* "." and ".." too */
	expect_equal(list(directory, seen), 0);
	rewinddir(directory);
	expect_equal(list(directory, seen), 102);
	for (int i = 0; i < 100; i++)
		expect_equal(seen[i], 2);
	rewinddir(directory);
	expect_errno(syscall(SYS_getdents64, dirfd(directory), seen, 1), EINVAL); /* too small */
	expect_errno(syscall(SYS_getdents64, open("file1", O_RDONLY), seen, 400), ENOTDIR);
}

/* Remove each file as soon as it is listed, through a buffer that holds only a few. */
static void deleting_while_listing(void)
{
	char *buffer = map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), name[20];
	long got;
	int fd, removed = 0;

	scratch_enter();
	make_hundred();
	fd = open(".", O_RDONLY | O_DIRECTORY);
	while ((got = syscall(SYS_getdents64, fd, buffer, 200)) > 0)
		for (long at = 0; at < got;) {
			struct dirent64 *entry = (struct dirent64 *)(buffer + at);

			if (entry->d_name[0] != '.') {
				expect(unlink(entry->d_name) == 0);
				removed++;
			}
			at += entry->d_reclen;
		}
	expect_equal(got, 0);
	expect_equal(removed, 100);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		expect(!exists(name));
	}
}

static void deep_tree(void)
{
	enum { DEPTH = 100 };

	scratch_enter();
	for (int i = 0; i < DEPTH; i++)
		expect(mkdir("d", 0755) == 0 && chdir("d") == 0);
	make("file");
	for (int i = 0; i < DEPTH; i++)
		expect(chdir("..") == 0);
	expect(access("d/d/d/d/d/d/d/d/d/d", F_OK) == 0);
	expect(chdir(tap_scratch) == 0 && exists("d"));
}

static const struct tap_case cases[] = {
	{"hard links are one file", hard_links},
	{"symbolic links, also many in a row", symbolic_links},
	{"mkdir, rmdir, dot and dot-dot", directories},
	{"a removed working directory", removed_working_directory},
	{"rename: replace, move, each error", renaming},
	{"renameat2 with RENAME_NOREPLACE", rename_flags},
	{"an unlinked file lives while it is open", unlinked_but_open},
	{"a listing has each name once, again after rewinddir", listing},
	{"deleting while listing misses nothing", deleting_while_listing},
	{"a hundred directories deep", deep_tree},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
