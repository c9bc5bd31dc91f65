/*
 * cost.c - what one system call, one fault, one fork costs: in instructions, on stos and on Linux.
 *
 * `./stos bench` boots both kernels with this program as process 1, in the same QEMU, and makes the
 * table (tools/stoslib/bench.py). It says on the console, each line after "cost: ":
 *
 *   ROW UNITS TICKS TICKS ...     the ticks of each sample, of UNITS units
 *   end                           all is done; then the machine is powered off
 *   failed WHERE: WHY             instead of the end
 *
 * Which rows is written in the file /cost.rows, one name in a line; behind it, after a space, may
 * be how many samples (tools/profile.py). When it is not process 1, the arguments are the rows;
 * none means all. Without QEMU's -icount ticks are those of the processor's counter.
 *
 * It runs with one thread, one processor and transparent huge pages off but for the row about them.
 */
#include "cost.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define SELECTION "/cost.rows"
#define SAMPLES 5

uint64_t clock_cost;

/* The counter at this program's very first instruction, before the C library has begun. */
uint64_t first_instruction;
__asm__(".globl cost_start\n"
	"cost_start:\n\t"
	"mov %rdx, %r8\n\t" /* what _start is handed */
	"rdtsc\n\t"
	"mov %eax, first_instruction(%rip)\n\t"
	"mov %edx, first_instruction + 4(%rip)\n\t"
	"mov %r8, %rdx\n\t"
	"jmp _start\n");

/* Lets the console's driver send all, or its interrupts would be part of the next row. */
static void flush(void)
{
	fflush(stdout);
	(void)tcdrain(STDOUT_FILENO);
}

static _Noreturn void end(int status)
{
	flush();
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	exit(status);
}

_Noreturn void cost_failed(const char *file, int line, const char *expression, int error)
{
	printf("cost: failed %s:%d: %s: %s\n", file, line, expression, strerror(error));
	end(EXIT_FAILURE);
}

void child_wait(pid_t pid)
{
	int status;

	must(pid > 0 && waitpid(pid, &status, 0) == pid);
	must(status == 0);
}

/* --- what is told of the boot ----------------------------------------------------------------- */

/* The number behind the key, in lines like "MemFree:  12 kB" or "pgfault 12"; 0: no such line. */
static unsigned long proc_number(const char *path, const char *key)
{
	FILE *file = fopen(path, "r");
	size_t length = strlen(key);
	unsigned long number = 0;
	char line[128];

	must(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, length) == 0 && strchr(": ", line[length]))
			number = strtoul(line + length + 1, NULL, 10);
	}
	fclose(file);
	return number;
}

static uint64_t boot(const struct cost_row *row)
{
	(void)row;
	return first_instruction;
}

static uint64_t memory_free(const struct cost_row *row)
{
	(void)row;
	return proc_number("/proc/meminfo", "MemFree");
}

/* Files' pages: the initrd's, since there are no other files yet. */
static uint64_t memory_cached(const struct cost_row *row)
{
	(void)row;
	return proc_number("/proc/meminfo", "Cached");
}

static uint64_t memory_total(const struct cost_row *row)
{
	(void)row;
	return proc_number("/proc/meminfo", "MemTotal");
}

/* The array that describes the frames. Linux tells since 6.12. */
static uint64_t memory_frames(const struct cost_row *row)
{
	(void)row;
	return proc_number("/proc/vmstat", "nr_memmap_boot_pages") * PAGE / 1024;
}

static const struct cost_row boot_table[] = {
	{.name = "boot", .sample = boot, .units = 1, .once = true},
	{.name = "memory_total_kib", .sample = memory_total, .units = 1, .once = true},
	{.name = "memory_free_kib", .sample = memory_free, .units = 1, .once = true},
	{.name = "memory_cached_kib", .sample = memory_cached, .units = 1, .once = true},
	{.name = "memory_frames_kib", .sample = memory_frames, .units = 1, .once = true},
};

static const struct cost_rows boot_rows = {boot_table, sizeof(boot_table) / sizeof(*boot_table)};

/* --- running rows ----------------------------------------------------------------------------- */

static void row_run(const struct cost_row *row, unsigned samples)
{
	uint64_t taken[16];

	must(samples <= sizeof(taken) / sizeof(*taken));
	if (row->begin)
		row->begin(row);
	if (!row->once)
		(void)row->sample(row);
	for (unsigned i = 0; i < samples; i++)
		taken[i] = row->sample(row);
	if (row->end)
		row->end(row);
	printf("cost: %s %u", row->name, row->units);
	for (unsigned i = 0; i < samples; i++)
		printf(" %lu", taken[i]);
	printf("\n");
	flush();
}

/* How many samples of this row are wanted; 0: none. A name may have the number behind it. */
static unsigned samples_wanted(const struct cost_row *row, char **names, int count)
{
	unsigned usual = row->once ? 1 : SAMPLES;
	size_t length = strlen(row->name);

	for (int i = 0; i < count; i++) {
		if (strncmp(row->name, names[i], length) != 0)
			continue;
		if (names[i][length] == ' ')
			return (unsigned)atoi(names[i] + length);
		if (names[i][length] == '\0')
			return usual;
	}
	return count == 0 ? usual : 0;
}

static void rows_run(char **names, int count)
{
	const struct cost_rows *tables[] = {&boot_rows, &memory_rows, &file_rows, &task_rows};

	for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct cost_row *row = &tables[t]->first[i];
			unsigned samples = samples_wanted(row, names, count);

			if (samples)
				row_run(row, samples);
		}
	}
}

/* --- as process 1 ----------------------------------------------------------------------------- */

/* Linux hands over an empty root; stos has /proc mounted already, which is as good. */
static void root_prepare(void)
{
	(void)mkdir("/proc", 0555);
	(void)mount("proc", "/proc", "proc", 0, NULL);
}

#define MOST_NAMES 64

static int selection_read(char **names)
{
	static char text[4096];
	int fd = open(SELECTION, O_RDONLY), count = 0;

	if (fd < 0)
		return 0;
	must(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	for (char *name = strtok(text, "\n"); name; name = strtok(NULL, "\n")) {
		must(count < MOST_NAMES);
		names[count++] = name;
	}
	return count;
}

static void clock_measure(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 100; i++) {
		uint64_t begin = ticks(), taken = ticks() - begin;

		least = taken < least ? taken : least;
	}
	clock_cost = least;
}

int main(int argc, char **argv)
{
	char *selected[MOST_NAMES], **names = argv + 1;
	int count = argc - 1;

	if (argc == 2 && strcmp(argv[1], "exit") == 0) /* executed by the row fork_exec_wait */
		_exit(EXIT_SUCCESS);
	if (getpid() == 1) {
		root_prepare();
		names = selected;
		count = selection_read(selected);
	}
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* a kernel without huge pages may refuse */
	clock_measure();
	rows_run(names, count);
	printf("cost: end\n");
	end(EXIT_SUCCESS);
}
