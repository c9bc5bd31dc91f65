/* kernel/cmdline.c - words of the kernel's command line. */
#include <kernel/cmdline.h>
#include <string.h>

static char line[CMDLINE_SIZE];

void cmdline_init(const char *loader, const char *addition)
{
	size_t length = strlcpy(line, loader, sizeof(line) - 1);

	length = MIN(length, sizeof(line) - 2);
	if (addition[0]) {
		if (length)
			line[length++] = ' ';
		strlcpy(line + length, addition, sizeof(line) - length);
	}
}

const char *cmdline(void)
{
	return line;
}

const char *cmdline_get(const char *key, char *buf, size_t size)
{
	size_t key_length = strlen(key);
	const char *found = NULL;

	for (const char *word = line; *word;) {
		size_t length = 0;

		while (word[length] && word[length] != ' ')
			length++;
		if (strncmp(word, key, key_length) == 0 &&
		    (length == key_length || word[key_length] == '=')) {
			size_t value = MIN(key_length + 1, length);

			strlcpy(buf, word + value, MIN(size, length - value + 1));
			found = buf;
		}
		word += length;
		while (*word == ' ')
			word++;
	}
	return found;
}
