/*
 * file_map_coherence.c - a file has one set of pages, whether they are read, written or mapped.
 *
 * And what truncation does to mappings: SIGBUS past the end, private copies gone too, the tail of
 * the last page zero and not revealed when the file grows again. Classic lab points 8 and 13.
 */
#include "helpers.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#define RW (PROT_READ | PROT_WRITE)

static void write_seen_in_mapping(void)
{
	char *shared, *private;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	shared = map_file(fd, 2 * PAGE, PROT_READ, MAP_SHARED, 0);
	private = map_file(fd, 2 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	expect_pattern(shared, 0, 2 * PAGE); /* all loaded before the write */
	expect_pattern(private, 0, 2 * PAGE);
	expect(pwrite(fd, "across", 6, (off_t)PAGE - 3) == 6);
	expect(memcmp(shared + PAGE - 3, "across", 6) == 0);
	expect(memcmp(private + PAGE - 3, "across", 6) == 0); /* never written through it */
}

static void mapping_seen_by_read(void)
{
	char text[8] = "";
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	map = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	memcpy(map + PAGE - 3, "across", 6);
	expect(pread(fd, text, 6, (off_t)PAGE - 3) == 6 && strcmp(text, "across") == 0);
	for (int i = 0; i < 200; i++) {
		map[i] = (char)i;
		expect(pread(fd, text, 1, i) == 1 && text[0] == (char)i);
		text[0] = (char)(i + 1);
		expect(pwrite(fd, text, 1, i) == 1);
		expect_equal(map[i], (char)(i + 1));
	}
}

static void two_mappings_agree(void)
{
	char *first, *second, *part;
	int fd;

	scratch_enter();
	fd = file_create("file", 3 * PAGE);
	first = map_file(fd, 3 * PAGE, RW, MAP_SHARED, 0);
	second = map_file(open("file", O_RDWR), 3 * PAGE, RW, MAP_SHARED, 0);
	part = map_file(fd, PAGE, RW, MAP_SHARED, (off_t)PAGE);
	first[PAGE] = 'f';
	expect(second[PAGE] == 'f' && part[0] == 'f');
	part[1] = 'p';
	expect(first[PAGE + 1] == 'p' && second[PAGE + 1] == 'p');
	second[2 * PAGE] = 's';
	expect_equal(first[2 * PAGE], 's');
}

static void two_processes_agree(void)
{
	struct gate to_child, to_parent;
	char *map;
	pid_t pid;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	gate_make(&to_child);
	gate_make(&to_parent);
	pid = fork_child();
	map = map_file(open("file", O_RDWR), PAGE, RW, MAP_SHARED, 0); /* each maps for itself */
	for (int i = 0; i < 50; i++) {
		if (pid == 0) {
			gate_pass(&to_child);
			expect_equal(map[i], i);
			map[i + 100] = (char)(i + 1);
			gate_open(&to_parent);
		} else {
			map[i] = (char)i;
			gate_open(&to_child);
			gate_pass(&to_parent);
			expect_equal(map[i + 100], i + 1);
		}
	}
	if (pid == 0)
		child_end();
	expect_exit(pid, 0);
	close(fd);
}

static void private_copy_is_frozen(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	map = map_file(fd, 2 * PAGE, RW, MAP_PRIVATE, 0);
	map[10] = 'm'; /* page 0 is a copy from here on, page 1 still the file's */
	peek(map + PAGE);
	expect(pwrite(fd, "xxxx", 4, 0) == 4 && pwrite(fd, "xxxx", 4, (off_t)PAGE) == 4);
	expect_equal((unsigned char)map[0], pattern(0));
	expect_equal(map[PAGE], 'x');
	expect_equal(file_byte("file", 10), pattern(10));
}

static void shrinking_takes_pages_away(void)
{
	char *shared, *private;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	shared = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	private = map_file(fd, 4 * PAGE, RW, MAP_PRIVATE, 0);
	expect_pattern(shared, 0, 4 * PAGE);
	private[3 * PAGE] = 'p'; /* a private copy goes as well */
	expect(ftruncate(fd, (off_t)PAGE + 100) == 0);
	expect_read_kills(shared + 2 * PAGE, SIGBUS);
	expect_write_kills(shared + 3 * PAGE, SIGBUS);
	expect_read_kills(private + 2 * PAGE, SIGBUS);
	expect_read_kills(private + 3 * PAGE, SIGBUS);
	expect_pattern(shared, 0, PAGE + 100);
	expect_pattern(private, 0, PAGE + 100);
	expect_filled(shared + PAGE + 100, 0, PAGE - 100);
	expect(ftruncate(fd, (off_t)(4 * PAGE)) == 0); /* grown again: zeros, no SIGBUS */
	expect_filled(shared + PAGE + 100, 0, 3 * PAGE - 100);
	expect_filled(private + 2 * PAGE, 0, 2 * PAGE);
	shared[3 * PAGE] = 's';
	expect_equal(file_byte("file", (off_t)(3 * PAGE)), 's');
}

static void emptied_file(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", PAGE);
	map = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	expect_read_kills(map + PAGE, SIGBUS);
	map[0] = 'e';
	close(open("file", O_RDWR | O_TRUNC));
	expect_read_kills(map, SIGBUS);
	expect(write(fd, "new", 3) == 3);
	expect(memcmp(map, "new", 4) == 0); /* and a zero after it */
	expect(munmap(map, 2 * PAGE) == 0);
	expect_equal(fd_size(fd), 3);
	map = map_file(open("none", O_RDWR | O_CREAT, 0600), PAGE, RW, MAP_SHARED, 0);
	expect_read_kills(map, SIGBUS); /* a file that was always empty */
}

static void growing_gives_pages(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 10);
	map = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	expect_read_kills(map + PAGE, SIGBUS);
	expect(ftruncate(fd, (off_t)(2 * PAGE)) == 0);
	expect_equal(map[PAGE], 0);
	expect_read_kills(map + 2 * PAGE, SIGBUS);
	expect(pwrite(fd, "far", 3, (off_t)(4 * PAGE - 3)) == 3);
	expect(memcmp(map + 4 * PAGE - 3, "far", 3) == 0);
	map[2 * PAGE] = 'm';
	expect_equal(file_byte("file", (off_t)(2 * PAGE)), 'm');
}

/* Linux does reveal the tail on its tmpfs; on its disk file systems and on stos it must not. */
static void skip_on_linux_tmpfs(void)
{
	struct statfs status;

	expect(statfs(".", &status) == 0);
	if (status.f_type == TMPFS_MAGIC && !on_stos())
		tap_skip("Linux's tmpfs reveals the tail");
}

/* What a program stores behind the end of the file, in its last page, is in no file. */
static void tail_is_not_revealed(void)
{
	static char buffer[4096];
	char *map;
	int fd;

	scratch_enter();
	skip_on_linux_tmpfs();
	fd = file_create("file", 100);
	map = map_file(fd, PAGE, RW, MAP_SHARED, 0);
	expect_filled(map + 100, 0, PAGE - 100);
	memset(map + 90, 'T', 1000);
	expect(msync(map, PAGE, MS_SYNC) == 0);
	expect_equal(fd_size(fd), 100);
	expect_equal(pread(fd, buffer, sizeof(buffer), 0), 100);
	expect(ftruncate(fd, 2000) == 0);
	expect_equal(pread(fd, buffer, sizeof(buffer), 0), 2000);
	expect_filled(buffer + 90, 'T', 10);
	expect_filled(buffer + 100, 0, 1900);
	expect_filled(map + 100, 0, 1900);
}

static void tail_after_a_gap(void)
{
	static char buffer[4096];
	char *map;
	int fd;

	scratch_enter();
	skip_on_linux_tmpfs();
	fd = file_create("file", 100);
	map = map_file(fd, PAGE, RW, MAP_SHARED, 0);
	memset(map + 100, 'T', 1000);
	expect(pwrite(fd, "end", 3, 3000) == 3); /* grows over the tail without writing it */
	expect_equal(pread(fd, buffer, sizeof(buffer), 0), 3003);
	expect_filled(buffer + 100, 0, 2900);
}

static void write_from_its_own_page(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	map = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	/* Never touched: the buffer's page is loaded while the same page is being written. */
	expect_equal(pwrite(fd, map, PAGE, 0), PAGE);
	expect_pattern(map, 0, PAGE);
	expect_equal(pwrite(fd, map + 2 * PAGE, PAGE, (off_t)PAGE), PAGE);
	expect_pattern(map + PAGE, 2 * PAGE, PAGE);
	expect_equal(pwrite(fd, map + 3 * PAGE - 50, 100, (off_t)(3 * PAGE)), 100);
	expect_pattern(map + 3 * PAGE, 3 * PAGE - 50, 50);
}

static void read_into_its_own_page(void)
{
	char *map;
	int fd;

	scratch_enter();
	fd = file_create("file", 3 * PAGE);
	map = map_file(fd, 3 * PAGE, RW, MAP_SHARED, 0);
	expect_equal(pread(fd, map, PAGE, 0), PAGE); /* onto itself */
	expect_pattern(map, 0, PAGE);
	expect_equal(pread(fd, map + 2 * PAGE, PAGE, 0), PAGE);
	expect_pattern(map + 2 * PAGE, 0, PAGE);
	expect_equal(file_byte("file", (off_t)(2 * PAGE)), pattern(0));
}

static void buffers_from_files_being_cut(void)
{
	char *map;
	int fd, other;

	scratch_enter();
	fd = file_create("file", 2 * PAGE);
	other = file_create("other", 0);
	map = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	expect(ftruncate(fd, (off_t)PAGE) == 0);
	/* Past the end of the mapped file a program gets SIGBUS, a system call EFAULT. */
	expect_errno(pwrite(other, map + PAGE, 100, 0), EFAULT);
	expect_errno(pread(fd, map + PAGE, 100, 0), EFAULT);
	expect_errno(open(map + PAGE, O_RDONLY), EFAULT);
	expect_equal(fd_size(other), 0);
}

/* One process cuts and grows the file while another reads its mapping: old, zero or SIGBUS. */
static void truncation_race(void)
{
	char *map;
	pid_t pid;
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	map = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	pid = fork_child();
	if (pid == 0) {
		for (int i = 0; i < 300; i++) {
			expect(ftruncate(fd, (off_t)PAGE) == 0);
			expect(ftruncate(fd, (off_t)(4 * PAGE)) == 0);
		}
		child_end();
	}
	for (int i = 0; i < 30; i++) {
		pid_t reader = fork_child();
		int status;

		if (reader == 0) {
			for (size_t j = 0; j < 200; j++) {
				unsigned char byte = peek(map + PAGE * (1 + j % 3) + 1);

				expect(byte == 0 || byte == pattern(PAGE * (1 + j % 3) + 1));
			}
			child_end();
		}
		status = wait_child(reader);
		expect(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS));
	}
	expect_exit(pid, 0);
	expect_pattern(map, 0, PAGE);
	expect_filled(map + PAGE, 0, 3 * PAGE);
}

static const struct tap_case cases[] = {
	{"write() is seen in mappings (lab 8)", write_seen_in_mapping},
	{"a mapping's stores are seen by read()", mapping_seen_by_read},
	{"two mappings of a file agree", two_mappings_agree},
	{"two processes that mapped on their own agree", two_processes_agree},
	{"a private copy is frozen, its neighbour is not (lab 2)", private_copy_is_frozen},
	{"truncate takes pages from mappings: SIGBUS, then zeros", shrinking_takes_pages_away},
	{"an emptied file, a file that was always empty", emptied_file},
	{"a file that grows gives pages to its mappings", growing_gives_pages},
	{"the last page's tail is zero and not revealed by truncate", tail_is_not_revealed},
	{"the last page's tail is not revealed by a write behind it", tail_after_a_gap},
	{"write() from a mapping of the same page", write_from_its_own_page},
	{"read() into a mapping of the same page", read_into_its_own_page},
	{"buffers past the end of a mapped file are EFAULT", buffers_from_files_being_cut},
	{"truncate against page faults", truncation_race},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
