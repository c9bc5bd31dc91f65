/*
 * drivers/tty_line.c - what typed bytes become before a program reads them.
 *
 * Way in: tty.c feeds received bytes to tty_line_input, reads take with tty_line_take, writes
 * go through tty_line_output.
 *
 * The input buffer is one ring with three positions:
 *
 *	tail ........ committed ........ head
 *	  whole lines        the line being edited
 *
 * Canonical mode (ICANON) commits at an end of line; a bit for each byte says where lines end.
 * An end of file (^D) is such a byte whose value is TTY_EOF_MARK: it ends a line and is not
 * copied out. In the other mode every byte is committed at once and no ends are marked.
 *
 * Echo goes through the same output processing as written bytes, so the column is always
 * known; erasing a tab needs it.
 *
 * Not here: waiting, job control, ioctls (tty.c). Tests: tests/host/test_tty_line.c.
 */
#include <drivers/tty_line.h>

#include <asm/signal.h>
#include <string.h>

#define TTY_EOF_MARK '\0'
#define DISABLED_CHAR '\0' /* _POSIX_VDISABLE: a c_cc entry of this value is off */
#define DELETE_CHAR '\177'
#define BELL_CHAR '\a'
#define TAB_WIDTH 8
#define INPUT_MASK (TTY_LINE_SIZE - 1)

void tty_line_init(struct tty_line *line)
{
	/* Linux, drivers/tty/tty_io.c: tty_std_termios; INIT_C_CC of <asm-generic/termios.h>. */
	static const struct termios standard = {
		.c_iflag = ICRNL | IXON,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = B38400 | CS8 | CREAD | HUPCL,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.c_cc = {[VINTR] = 'C' & 0x1f,
			 [VQUIT] = '\\' & 0x1f,
			 [VERASE] = DELETE_CHAR,
			 [VKILL] = 'U' & 0x1f,
			 [VEOF] = 'D' & 0x1f,
			 [VMIN] = 1,
			 [VSTART] = 'Q' & 0x1f,
			 [VSTOP] = 'S' & 0x1f,
			 [VSUSP] = 'Z' & 0x1f,
			 [VREPRINT] = 'R' & 0x1f,
			 [VDISCARD] = 'O' & 0x1f,
			 [VWERASE] = 'W' & 0x1f,
			 [VLNEXT] = 'V' & 0x1f},
	};

	memset(line, 0, sizeof(*line));
	line->termios = standard;
}

static bool local_flag(const struct tty_line *line, tcflag_t flag)
{
	return line->termios.c_lflag & flag;
}

static bool is_control(const struct tty_line *line, unsigned char byte, unsigned which)
{
	return byte != DISABLED_CHAR && byte == line->termios.c_cc[which];
}

static char *input_at(struct tty_line *line, uint32_t position)
{
	return &line->input[position & INPUT_MASK];
}

static bool is_line_end(const struct tty_line *line, uint32_t position)
{
	position &= INPUT_MASK;
	return line->line_end[position / 8] & (1u << position % 8);
}

static void mark_line_end(struct tty_line *line, uint32_t position, bool end)
{
	uint8_t bit;

	position &= INPUT_MASK;
	bit = (uint8_t)(1u << position % 8);
	if (end)
		line->line_end[position / 8] |= bit;
	else
		line->line_end[position / 8] &= (uint8_t)~bit;
}

/* Output */

static void emit(struct tty_output *output, char byte)
{
	if (output->length < output->size)
		output->bytes[output->length++] = byte;
}

static unsigned tab_columns(uint32_t column)
{
	return TAB_WIDTH - column % TAB_WIDTH;
}

/* Bytes that stand for no column of their own: controls, and the rest of a UTF-8 character. */
static bool takes_column(const struct tty_line *line, unsigned char byte)
{
	if (byte < ' ' || byte == DELETE_CHAR)
		return false;
	return !(line->termios.c_iflag & IUTF8) || (byte & 0xc0) != 0x80;
}

/* How many bytes output_byte will emit, at most. */
#define OUTPUT_EXPANSION TAB_WIDTH

/* OPOST's work on one byte; without OPOST only the column is kept. */
static void output_byte(struct tty_line *line, char byte, struct tty_output *output)
{
	tcflag_t flags = line->termios.c_oflag;
	unsigned columns;

	if (!(flags & OPOST))
		flags = 0;
	switch (byte) {
	case '\n':
		if (flags & ONLRET)
			line->column = 0;
		if (flags & ONLCR) {
			emit(output, '\r');
			line->column = 0;
		}
		break;
	case '\r':
		if ((flags & ONOCR) && line->column == 0)
			return;
		if (flags & OCRNL)
			byte = '\n';
		if (!(flags & OCRNL) || (flags & ONLRET))
			line->column = 0;
		break;
	case '\t':
		columns = tab_columns(line->column);
		line->column += columns;
		if ((flags & TABDLY) == XTABS) {
			while (columns--)
				emit(output, ' ');
			return;
		}
		break;
	case '\b':
		if (line->column > 0)
			line->column--;
		break;
	default:
		if (takes_column(line, (unsigned char)byte))
			line->column++;
		if ((flags & OLCUC) && byte >= 'a' && byte <= 'z')
			byte = (char)(byte - 'a' + 'A');
		break;
	}
	emit(output, byte);
}

size_t tty_line_output(struct tty_line *line, const char *bytes, size_t length,
		       struct tty_output *output)
{
	size_t done = 0;

	while (done < length && output->size - output->length >= OUTPUT_EXPANSION)
		output_byte(line, bytes[done++], output);
	return done;
}

/* Echo */

static bool echoes_as_caret(const struct tty_line *line, unsigned char byte)
{
	return local_flag(line, ECHOCTL) && (byte < ' ' || byte == DELETE_CHAR) && byte != '\t';
}

static void echo_byte(struct tty_line *line, char byte, struct tty_output *echo)
{
	if (echoes_as_caret(line, (unsigned char)byte) && byte != '\n') {
		output_byte(line, '^', echo);
		output_byte(line, (char)(byte ^ 0x40), echo);
	} else {
		output_byte(line, byte, echo);
	}
}

static void echo_if_on(struct tty_line *line, char byte, struct tty_output *echo)
{
	if (!local_flag(line, ECHO))
		return;
	if (line->head == line->committed)
		line->edit_column = line->column;
	echo_byte(line, byte, echo);
}

/* The width on screen of the edited line's last byte, given that it begins at edit_column. */
static unsigned echoed_columns(struct tty_line *line, uint32_t position)
{
	uint32_t column = line->edit_column, before = column;

	for (uint32_t at = line->committed; at != position + 1; at++) {
		unsigned char byte = (unsigned char)*input_at(line, at);

		before = column;
		if (byte == '\t')
			column += tab_columns(column);
		else if (echoes_as_caret(line, byte))
			column += 2;
		else if (takes_column(line, byte))
			column++;
	}
	return column - before;
}

static void erase_columns(struct tty_line *line, unsigned columns, bool blank,
			  struct tty_output *echo)
{
	while (columns--) {
		output_byte(line, '\b', echo);
		if (blank) {
			output_byte(line, ' ', echo);
			output_byte(line, '\b', echo);
		}
	}
}

/* Takes the last byte off the edited line. */
static void erase_byte(struct tty_line *line, struct tty_output *echo)
{
	uint32_t last = line->head - 1;
	char byte = *input_at(line, last);
	unsigned columns = echoed_columns(line, last);

	line->head = last;
	if (!local_flag(line, ECHO))
		return;
	if (local_flag(line, ECHOE))
		erase_columns(line, columns, byte != '\t', echo);
	else
		echo_byte(line, (char)line->termios.c_cc[VERASE], echo);
}

static bool is_continuation(const struct tty_line *line, char byte)
{
	return (line->termios.c_iflag & IUTF8) && ((unsigned char)byte & 0xc0) == 0x80;
}

/* The last character, which in UTF-8 may be several bytes. */
static void erase_character(struct tty_line *line, struct tty_output *echo)
{
	while (line->head != line->committed) {
		char byte = *input_at(line, line->head - 1);

		erase_byte(line, echo);
		if (!is_continuation(line, byte))
			break;
	}
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (unsigned char)c >= 0x80;
}

static void erase_word(struct tty_line *line, struct tty_output *echo)
{
	bool in_word = false;

	while (line->head != line->committed) {
		if (is_word_byte(*input_at(line, line->head - 1)))
			in_word = true;
		else if (in_word)
			break;
		erase_byte(line, echo);
	}
}

static void erase_line(struct tty_line *line, struct tty_output *echo)
{
	bool redraw = local_flag(line, ECHO) && local_flag(line, ECHOKE) && local_flag(line, ECHOE);

	if (redraw) {
		while (line->head != line->committed)
			erase_byte(line, echo);
		return;
	}
	line->head = line->committed;
	echo_if_on(line, (char)line->termios.c_cc[VKILL], echo);
	if (local_flag(line, ECHOK))
		echo_if_on(line, '\n', echo);
}

static void reprint(struct tty_line *line, struct tty_output *echo)
{
	echo_byte(line, (char)line->termios.c_cc[VREPRINT], echo);
	output_byte(line, '\n', echo);
	line->edit_column = line->column;
	for (uint32_t at = line->committed; at != line->head; at++)
		echo_byte(line, *input_at(line, at), echo);
}

/* Input */

/* One place is kept for the byte that ends a line, so that a full line can always be ended. */
static bool input_has_room(const struct tty_line *line, bool end)
{
	return line->head - line->tail < (uint32_t)(end ? TTY_LINE_SIZE : TTY_LINE_SIZE - 1);
}

static void store(struct tty_line *line, char byte, bool end)
{
	*input_at(line, line->head) = byte;
	mark_line_end(line, line->head, end);
	line->head++;
}

static void end_line(struct tty_line *line, char byte, struct tty_output *echo)
{
	if (!input_has_room(line, true)) {
		emit(echo, BELL_CHAR);
		return;
	}
	store(line, byte, true);
	line->committed = line->head;
	line->lines++;
}

static void store_ordinary(struct tty_line *line, char byte, struct tty_output *echo)
{
	if (!input_has_room(line, false)) {
		if (local_flag(line, ICANON) && (line->termios.c_iflag & IMAXBEL))
			emit(echo, BELL_CHAR);
		return;
	}
	echo_if_on(line, byte, echo);
	store(line, byte, false);
	if (!local_flag(line, ICANON))
		line->committed = line->head;
}

/* ISIG. Returns the signal, or 0 when the byte is none of its characters. */
static int input_signal(struct tty_line *line, unsigned char byte, struct tty_output *echo)
{
	int signal = 0;

	if (!local_flag(line, ISIG))
		return 0;
	if (is_control(line, byte, VINTR))
		signal = SIGINT;
	else if (is_control(line, byte, VQUIT))
		signal = SIGQUIT;
	else if (is_control(line, byte, VSUSP))
		signal = SIGTSTP;
	if (!signal)
		return 0;
	if (!local_flag(line, NOFLSH))
		tty_line_flush(line);
	line->stopped = false;
	echo_if_on(line, (char)byte, echo);
	return signal;
}

/* IXON. True when the byte was one of its characters. */
static bool input_flow(struct tty_line *line, unsigned char byte)
{
	if (!(line->termios.c_iflag & IXON))
		return false;
	if (is_control(line, byte, VSTART)) {
		line->stopped = false;
		return true;
	}
	if (is_control(line, byte, VSTOP)) {
		line->stopped = true;
		return true;
	}
	if (line->termios.c_iflag & IXANY)
		line->stopped = false;
	return false;
}

/* IEXTEN's characters of canonical mode. */
static bool input_extended(struct tty_line *line, unsigned char byte, struct tty_output *echo)
{
	if (!local_flag(line, IEXTEN))
		return false;
	if (is_control(line, byte, VWERASE)) {
		erase_word(line, echo);
		return true;
	}
	if (is_control(line, byte, VREPRINT) && local_flag(line, ECHO)) {
		reprint(line, echo);
		return true;
	}
	if (is_control(line, byte, VLNEXT)) {
		line->literal_next = true;
		if (local_flag(line, ECHO) && local_flag(line, ECHOCTL)) {
			if (line->head == line->committed)
				line->edit_column = line->column;
			output_byte(line, '^', echo);
			output_byte(line, '\b', echo);
		}
		return true;
	}
	return false;
}

static void input_canonical(struct tty_line *line, unsigned char byte, struct tty_output *echo)
{
	if (is_control(line, byte, VERASE)) {
		erase_character(line, echo);
	} else if (is_control(line, byte, VKILL)) {
		erase_line(line, echo);
	} else if (input_extended(line, byte, echo)) {
		return;
	} else if (is_control(line, byte, VEOF)) {
		end_line(line, TTY_EOF_MARK, echo);
	} else if (byte == '\n') {
		if (local_flag(line, ECHO) || local_flag(line, ECHONL))
			output_byte(line, '\n', echo);
		end_line(line, '\n', echo);
	} else if (is_control(line, byte, VEOL) ||
		   (is_control(line, byte, VEOL2) && local_flag(line, IEXTEN))) {
		echo_if_on(line, (char)byte, echo);
		end_line(line, (char)byte, echo);
	} else {
		store_ordinary(line, (char)byte, echo);
	}
}

int tty_line_input(struct tty_line *line, char raw, struct tty_output *echo)
{
	unsigned char byte = (unsigned char)raw;
	tcflag_t flags = line->termios.c_iflag;
	int signal;

	if (flags & ISTRIP)
		byte &= 0x7f;
	if (line->literal_next) {
		line->literal_next = false;
		store_ordinary(line, (char)byte, echo);
		return 0;
	}
	if ((flags & IUCLC) && local_flag(line, IEXTEN) && byte >= 'A' && byte <= 'Z')
		byte = (unsigned char)(byte - 'A' + 'a');
	if (input_flow(line, byte))
		return 0;
	signal = input_signal(line, byte, echo);
	if (signal)
		return signal;
	if (byte == '\r') {
		if (flags & IGNCR)
			return 0;
		if (flags & ICRNL)
			byte = '\n';
	} else if (byte == '\n' && (flags & INLCR)) {
		byte = '\r';
	}
	if (local_flag(line, ICANON))
		input_canonical(line, byte, echo);
	else
		store_ordinary(line, (char)byte, echo);
	return 0;
}

/* Reading */

bool tty_line_full(const struct tty_line *line)
{
	return !input_has_room(line, false) && line->committed != line->tail;
}

bool tty_line_readable(const struct tty_line *line, size_t minimum)
{
	if (local_flag(line, ICANON))
		return line->lines > 0;
	return line->committed - line->tail >= minimum;
}

size_t tty_line_count(const struct tty_line *line)
{
	size_t count = 0;

	for (uint32_t at = line->tail; at != line->committed; at++)
		count += !(is_line_end(line, at) && line->input[at & INPUT_MASK] == TTY_EOF_MARK);
	return count;
}

size_t tty_line_take(struct tty_line *line, char *dst, size_t size, bool *ended)
{
	bool canonical = local_flag(line, ICANON);
	size_t done = 0;

	*ended = false;
	while (line->tail != line->committed && !*ended) {
		char byte = *input_at(line, line->tail);
		bool end = is_line_end(line, line->tail);
		bool end_of_file = end && byte == TTY_EOF_MARK;

		if (done == size && !end_of_file)
			break;
		if (!end_of_file)
			dst[done++] = byte;
		line->tail++;
		if (end)
			line->lines--;
		*ended = end && canonical;
	}
	return done;
}

void tty_line_flush(struct tty_line *line)
{
	line->tail = line->committed = line->head = 0;
	line->lines = 0;
	line->literal_next = false;
	memset(line->line_end, 0, sizeof(line->line_end));
}

/* Between the modes, what was typed becomes readable at once: as one line, or byte by byte. */
static void change_mode(struct tty_line *line, bool canonical)
{
	line->committed = line->head;
	line->literal_next = false;
	if (!canonical || line->head == line->tail || is_line_end(line, line->head - 1))
		return;
	mark_line_end(line, line->head - 1, true);
	line->lines++;
}

void tty_line_set(struct tty_line *line, const struct termios *termios)
{
	bool was_canonical = local_flag(line, ICANON);
	bool canonical = termios->c_lflag & ICANON;

	line->termios = *termios;
	if (was_canonical != canonical)
		change_mode(line, canonical);
	if (!(termios->c_iflag & IXON))
		line->stopped = false;
}
