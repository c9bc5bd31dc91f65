/*
 * proc.c - /proc tells the truth about this process and about memory.
 */
#include "helpers.h"

#include <sys/sysinfo.h>

#define RW (PROT_READ | PROT_WRITE)

static void maps_show_what_is_mapped(void)
{
	struct map_line line;
	struct stat status;
	char *map, path[300];
	int fd;

	scratch_enter();
	fd = file_create("file", 4 * PAGE);
	map = map_file(fd, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, (off_t)PAGE);
	expect(maps_find(map, &line));
	expect_equal(line.begin, map);
	expect_equal(line.end, map + 2 * PAGE);
	expect(strcmp(line.rights, "r-xs") == 0);
	expect_equal(line.offset, PAGE);
	expect(fstat(fd, &status) == 0);
	expect_equal(line.inode, status.st_ino);
	snprintf(path, sizeof(path), "%s/file", tap_scratch);
	expect(strcmp(line.path, path) == 0);
	expect(mprotect(map + PAGE, PAGE, PROT_READ) == 0);
	expect(maps_find(map + PAGE, &line));
	expect(line.begin == (uintptr_t)map + PAGE && line.offset == 2 * PAGE);
	expect(munmap(map, PAGE) == 0);
	expect(maps_find(map, &line) && line.begin > (uintptr_t)map);
	map = map_alone(PAGE, PROT_NONE);
	expect_zone(map, PAGE, "---p");
	expect(maps_find(map, &line) && line.inode == 0 && line.path[0] == '\0');
}

static void maps_are_sorted(void)
{
	static char text[65536];
	uintptr_t begin, end, last = 0;
	int lines = 0, stacks = 0;

	for (int i = 0; i < 50; i++)
		map_anon(PAGE, i % 2 == 0 ? PROT_READ : RW, MAP_PRIVATE);
	proc_read("/proc/self/maps", text, sizeof(text));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		expect(sscanf(line, "%lx-%lx", &begin, &end) == 2);
		expect(begin >= last && end > begin && begin % PAGE == 0 && end % PAGE == 0);
		last = end;
		lines++;
		stacks += strstr(line, "[stack]") != NULL;
	}
	expect(lines >= 50 && stacks == 1);
}

static void maps_in_small_pieces(void)
{
	static char whole[65536], pieces[65536];
	size_t length = 0, expected;
	ssize_t got;
	int fd = open("/proc/self/maps", O_RDONLY);

	expected = proc_read("/proc/self/maps", whole, sizeof(whole));
	while ((got = read(fd, pieces + length, 7)) > 0)
		length += (size_t)got;
	expect_equal(length, expected);
	expect(memcmp(whole, pieces, length) == 0);
	expect(lseek(fd, 0, SEEK_SET) == 0 && read(fd, pieces, 20) > 0);
	expect(memcmp(whole, pieces, 16) == 0);
}

static void another_process(void)
{
	static char mine[65536], theirs[65536];
	struct gate ready, go;
	char path[40];
	pid_t pid;

	gate_make(&ready);
	gate_make(&go);
	pid = fork_child();
	if (pid == 0) {
		map_anon(5 * PAGE, PROT_READ, MAP_SHARED);
		gate_open(&ready);
		gate_pass(&go);
		child_end();
	}
	gate_pass(&ready);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	proc_read("/proc/self/maps", mine, sizeof(mine));
	proc_read(path, theirs, sizeof(theirs));
	expect(strcmp(mine, theirs) != 0 && strstr(theirs, "r--s") != NULL);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	expect_equal(proc_number(path, "PPid"), getpid());
	gate_open(&go);
	expect_exit(pid, 0);
	expect_errno(open(path, O_RDONLY), ENOENT); /* gone with the process */
}

static void status_numbers(void)
{
	static const char *const keys[] = {"VmPeak", "VmSize", "VmHWM", "VmRSS",
					   "VmData", "VmStk",  "VmExe", "Threads"};
	const size_t bytes = 16 * MIB;
	long size, resident;

	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
		check(keys[i], proc_number("/proc/self/status", keys[i]) > 0);
	expect_equal(proc_number("/proc/self/status", "Pid"), getpid());
	expect_equal(proc_number("/proc/self/status", "PPid"), getppid());
	expect_equal(proc_number("/proc/self/status", "Uid"), getuid());
	size = proc_number("/proc/self/status", "VmSize");
	resident = proc_number("/proc/self/status", "VmRSS");
	map_anon(bytes, RW, MAP_PRIVATE | MAP_POPULATE);
	expect_equal(proc_number("/proc/self/status", "VmSize") - size, bytes / 1024);
	expect(proc_number("/proc/self/status", "VmRSS") - resident > (long)(bytes / 2048));
}

static void own_program(void)
{
	char path[512], also[512], link[40];
	struct stat by_link, by_path;
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	expect(length > 0 && path[0] == '/');
	path[length] = '\0';
	expect(stat("/proc/self/exe", &by_link) == 0 && stat(path, &by_path) == 0);
	expect(by_link.st_ino == by_path.st_ino && by_link.st_size == by_path.st_size);
	snprintf(link, sizeof(link), "/proc/%d/exe", getpid());
	expect_equal(readlink(link, also, sizeof(also)), length);
	expect(memcmp(path, also, (size_t)length) == 0);
	length = readlink("/proc/self", also, sizeof(also) - 1);
	expect(length > 0);
	also[length] = '\0';
	expect_equal(atoi(also), getpid());
}

static void own_descriptors(void)
{
	char link[40], path[300], wanted[300];
	bool listed = false;
	struct dirent *entry;
	DIR *directory;
	ssize_t length;
	int fd;

	scratch_enter();
	fd = file_create("file", 10);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	expect(length > 0);
	path[length] = '\0';
	snprintf(wanted, sizeof(wanted), "%s/file", tap_scratch);
	expect(strcmp(path, wanted) == 0);
	expect(unlink("file") == 0);
	expect_equal(fd_size(open(link, O_RDWR)), 10); /* opens the file itself, not its name */
	directory = opendir("/proc/self/fd");
	expect(directory != NULL);
	while ((entry = readdir(directory)) != NULL)
		listed |= entry->d_name[0] != '.' && atoi(entry->d_name) == fd;
	expect(listed);
	expect(close(fd) == 0);
	expect_errno(readlink(link, path, sizeof(path)), ENOENT);
}

static void memory_information(void)
{
	struct sysinfo memory;
	long total = proc_number("/proc/meminfo", "MemTotal");
	long available = proc_number("/proc/meminfo", "MemAvailable");
	char *map;

	expect(sysinfo(&memory) == 0);
	expect(labs(total - (long)(memory.totalram * memory.mem_unit / 1024)) < 1024);
	expect(proc_number("/proc/meminfo", "MemFree") <= total);
	expect(available > 0 && available <= total);
	expect(proc_number("/proc/meminfo", "Cached") >= 0);
	expect(proc_number("/proc/meminfo", "Buffers") >= 0);
	map = map_anon(64 * MIB, RW, MAP_PRIVATE | MAP_POPULATE);
	expect(proc_number("/proc/meminfo", "MemFree") > 0);
	expect_equal(map[64 * MIB - 1], 0);
}

static void mounts(void)
{
	static char text[65536];

	proc_read("/proc/mounts", text, sizeof(text));
	expect(strstr(text, " / ") != NULL);
	expect(strstr(text, " /proc proc ") != NULL);
}

static void read_only_things(void)
{
	expect_errno(open("/proc/nothing", O_RDONLY), ENOENT);
	expect_errno(open("/proc/999999999/maps", O_RDONLY), ENOENT);
	expect_errno(mkdir("/proc/directory", 0755), ENOENT);
	expect(open("/proc", O_RDONLY | O_DIRECTORY) >= 0);
	expect_errno(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open("/proc/meminfo", O_RDONLY), 0),
		     EIO);
}

static void lists_processes(void)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	bool mine = false, first = false, meminfo = false;

	expect(directory != NULL);
	while ((entry = readdir(directory)) != NULL) {
		mine |= atoi(entry->d_name) == getpid();
		first |= strcmp(entry->d_name, "1") == 0;
		meminfo |= strcmp(entry->d_name, "meminfo") == 0;
	}
	expect(mine && first && meminfo);
}

static const struct tap_case cases[] = {
	{"maps shows range, rights, offset, inode and path", maps_show_what_is_mapped},
	{"maps is sorted and has one stack", maps_are_sorted},
	{"maps read seven bytes at a time", maps_in_small_pieces},
	{"maps and status of another process", another_process},
	{"status counts memory", status_numbers},
	{"self/exe is this program", own_program},
	{"self/fd shows and opens descriptors", own_descriptors},
	{"meminfo and sysinfo agree", memory_information},
	{"mounts lists the root and /proc", mounts},
	{"nothing can be made or mapped there", read_only_things},
	{"/proc lists this process and the first", lists_processes},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
