/*
 * fs/tmpfs_options.c - reads tmpfs's mount options. Called by tmpfs.c only; pure but for the
 * size of RAM.
 */
#include <fs/tmpfs_options.h>
#include <kernel/base/errno.h>
#include <mm/frame.h>
#include <string.h>

/* A number in `base` at *text, which moves behind it: false if there is none or it is too big. */
static bool parse_number(const char **text, unsigned base, uint64_t *value)
{
	const char *at = *text;
	unsigned digit;

	*value = 0;
	for (; *at >= '0' && (digit = (unsigned)(*at - '0')) < base; at++)
		if (__builtin_mul_overflow(*value, base, value) ||
		    __builtin_add_overflow(*value, digit, value))
			return false;
	if (at == *text)
		return false;
	*text = at;
	return true;
}

/* A number with k, m, g or nothing behind it. */
static bool parse_scaled(const char **text, uint64_t *value)
{
	unsigned shift = 0;

	if (!parse_number(text, 10, value))
		return false;
	switch (**text) {
	case 'k':
	case 'K':
		shift = 10;
		break;
	case 'm':
	case 'M':
		shift = 20;
		break;
	case 'g':
	case 'G':
		shift = 30;
		break;
	}
	if (!shift)
		return true;
	++*text;
	return !__builtin_mul_overflow(*value, 1ull << shift, value);
}

static bool parse_size(const char **text, uint64_t *pages)
{
	uint64_t value;

	if (!parse_scaled(text, &value))
		return false;
	if (**text == '%') {
		++*text;
		return !__builtin_mul_overflow(frame_total_count() / 100, value, pages);
	}
	*pages = value / PAGE_SIZE + (value % PAGE_SIZE != 0);
	return true;
}

static bool parse_word(const char **text, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*text, word, length))
		return false;
	*text += length;
	return true;
}

static bool parse_option(const char **text, struct tmpfs_options *options)
{
	uint64_t value;

	if (parse_word(text, "size="))
		return parse_size(text, &options->pages);
	if (parse_word(text, "nr_blocks="))
		return parse_scaled(text, &options->pages);
	if (parse_word(text, "nr_inodes="))
		return parse_scaled(text, &options->inodes);
	if (parse_word(text, "mode=")) {
		if (!parse_number(text, 8, &value) || value > 07777)
			return false;
		options->permissions = (uint32_t)value;
		return true;
	}
	if (parse_word(text, "uid=")) {
		if (!parse_number(text, 10, &value) || value >= UINT32_MAX)
			return false;
		options->uid = (uint32_t)value;
		return true;
	}
	if (parse_word(text, "gid=")) {
		if (!parse_number(text, 10, &value) || value >= UINT32_MAX)
			return false;
		options->gid = (uint32_t)value;
		return true;
	}
	return false;
}

int tmpfs_parse_options(const char *text, struct tmpfs_options *options)
{
	*options = (struct tmpfs_options){
		.pages = frame_total_count() / 2,
		.inodes = frame_total_count() / 2,
		.permissions = 01777,
	};
	while (*text) {
		if (!parse_option(&text, options))
			return -EINVAL;
		if (*text == ',')
			text++;
		else if (*text)
			return -EINVAL;
	}
	if (options->pages == 0) /* size=0: no limit */
		options->pages = UINT64_MAX;
	if (options->inodes == 0)
		options->inodes = UINT64_MAX;
	return 0;
}
