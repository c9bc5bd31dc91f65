/*
 * user/demo.c - what mmapdemo and cowdemo share; demo.h says how to use it.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Linux: Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_OBJECT (UINT64_C(1) << 61)
#define PAGEMAP_FRAME ((UINT64_C(1) << 55) - 1)

static const char *demo_name;

/* ---- beginning and ending ---- */

void give_up(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "%s: ", demo_name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\n", stderr);
	exit(EXIT_NOT_TRIED);
}

void demo_begin(int count, char **arguments, const char *name, int wanted, const char *help)
{
	demo_name = name;
	if (count > 1 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
		fputs(help, stdout);
		exit(EXIT_SUCCESS);
	}
	if (count != wanted + 1 || (count > 1 && arguments[1][0] == '-')) {
		fputs(help, stderr);
		exit(EXIT_NOT_TRIED);
	}
}

void claim(bool holds, bool *all, const char *format, ...)
{
	va_list arguments;

	printf("  %s  ", holds ? "ok    " : "NOT SO");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	*all &= holds;
}

/* ---- memory ---- */

size_t page_bytes(void)
{
	return (size_t)getpagesize();
}

/* Opened for each look: a descriptor kept over fork would show the parent's pages. */
struct page_look page_look(const void *address)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t offset = (off_t)((uintptr_t)address / page_bytes() * sizeof(uint64_t));
	uint64_t entry;

	if (fd < 0 || pread(fd, &entry, sizeof(entry), offset) != (ssize_t)sizeof(entry))
		give_up("/proc/self/pagemap: %s", strerror(errno));
	close(fd);
	return (struct page_look){
		.present = entry & PAGEMAP_PRESENT,
		.of_object = entry & PAGEMAP_OBJECT,
		.frame = entry & PAGEMAP_PRESENT ? entry & PAGEMAP_FRAME : 0,
	};
}

size_t count_present(const void *address, size_t pages)
{
	size_t count = 0;

	for (size_t i = 0; i < pages; i++)
		count += page_look((const char *)address + i * page_bytes()).present;
	return count;
}

long free_pages(void)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		give_up("sysinfo: %s", strerror(errno));
	return (long)(info.freeram * info.mem_unit / page_bytes());
}

bool on_stos(void)
{
	struct utsname names;

	return uname(&names) == 0 && strstr(names.version, "stos");
}

/* ---- leader and followers ---- */

void channel_open(struct channel *channel)
{
	signal(SIGPIPE, SIG_IGN); /* channel_ask says it better when the other side is gone */
	if (pipe(channel->orders) < 0 || pipe(channel->reports) < 0)
		give_up("pipe: %s", strerror(errno));
}

void channel_close_leader(struct channel *channel)
{
	close(channel->orders[1]);
	close(channel->reports[0]);
}

void channel_close_follower(struct channel *channel)
{
	close(channel->orders[0]);
	close(channel->reports[1]);
}

/* Reports are smaller than PIPE_BUF, so each is written and read whole. */
void channel_ask(struct channel *channel, struct order order, void *report, size_t bytes)
{
	if (write(channel->orders[1], &order, sizeof(order)) != (ssize_t)sizeof(order) ||
	    read(channel->reports[0], report, bytes) != (ssize_t)bytes)
		give_up("a child is gone");
}

bool channel_next(struct channel *channel, struct order *order)
{
	return read(channel->orders[0], order, sizeof(*order)) == (ssize_t)sizeof(*order);
}

void channel_answer(struct channel *channel, const void *report, size_t bytes)
{
	if (write(channel->reports[1], report, bytes) != (ssize_t)bytes)
		_exit(EXIT_NOT_TRIED);
}
