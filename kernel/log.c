/*
 * kernel/log.c - the kernel's messages. Every line goes to the sink (COM1); also kept in a ring in
 * memory for a debugger (log_ring) when nobody listens.
 */
#include <kernel/base/lock.h>
#include <kernel/base/log.h>
#include <stdarg.h>
#include <string.h>
#include <vsnprintf.h>

#define LOG_LINE_MAX 512
#define LOG_RING_SIZE 16384

static struct spinlock log_lock = SPINLOCK_INIT(RANK_LOG);
static void (*log_sink)(const char *bytes, size_t length);
static enum log_level log_threshold = LOG_WARNING;
static bool panicking;
static char log_ring[LOG_RING_SIZE];
static size_t log_ring_next;

void log_set_level(enum log_level level)
{
	log_threshold = level;
}

void log_set_sink(void (*write)(const char *bytes, size_t length))
{
	log_sink = write;
}

void log_panic_mode(void)
{
	panicking = true;
}

static void log_emit(const char *line, size_t length, bool show)
{
	for (size_t i = 0; i < length; i++)
		log_ring[log_ring_next++ % LOG_RING_SIZE] = line[i];
	if (show && log_sink)
		log_sink(line, length);
}

void log_print(enum log_level level, const char *format, ...)
{
	static const char *const prefixes[] = {
		[LOG_ERROR] = "stos: error: ",
		[LOG_WARNING] = "stos: ",
		[LOG_INFO] = "stos: ",
		[LOG_DEBUG] = "stos: debug: ",
	};
	char line[LOG_LINE_MAX];
	size_t length = panicking ? 0 : strlcpy(line, prefixes[level], sizeof(line));
	uint64_t flags;
	va_list args;
	int written;

	va_start(args, format);
	written = vsnprintf(line + length, sizeof(line) - 1 - length, format, args);
	va_end(args);
	if (written > 0)
		length = MIN(length + (size_t)written, sizeof(line) - 2);
	line[length++] = '\n';
	if (panicking) {
		log_emit(line, length, true);
		return;
	}
	flags = spin_lock_irq(&log_lock);
	log_emit(line, length, level <= log_threshold);
	spin_unlock_irq(&log_lock, flags);
}
