/*
 * tests/host/test_tty_line.c - the terminal's line discipline: typed bytes in, read bytes and
 * echo out (termios(3)).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above. */
#include <asm/signal.h>
#include <cmocka.h>
#include <drivers/tty_line.h>
#include <string.h>

static struct tty_line line;
static char echoed[8192];
static struct tty_output echo;

static int reset(void **state)
{
	(void)state;
	tty_line_init(&line);
	echo = (struct tty_output){.bytes = echoed, .size = sizeof(echoed)};
	return 0;
}

/* Types the bytes; the last signal. */
static int type_bytes(const char *bytes, size_t length)
{
	int signal = 0;

	for (size_t i = 0; i < length; i++) {
		int now = tty_line_input(&line, bytes[i], &echo);

		signal = now ? now : signal;
	}
	return signal;
}

static int type(const char *text)
{
	return type_bytes(text, strlen(text));
}

static void expect_read(const char *expected, bool expected_end)
{
	char buf[TTY_LINE_SIZE];
	bool ended;
	size_t length = tty_line_take(&line, buf, sizeof(buf), &ended);

	assert_int_equal(length, strlen(expected));
	assert_memory_equal(buf, expected, length);
	assert_int_equal(ended, expected_end);
}

static void expect_echo(const char *expected)
{
	assert_int_equal(echo.length, strlen(expected));
	assert_memory_equal(echoed, expected, echo.length);
	echo.length = 0;
}

static void set_local(tcflag_t on, tcflag_t off)
{
	struct termios termios = line.termios;

	termios.c_lflag = (termios.c_lflag | on) & ~off;
	tty_line_set(&line, &termios);
}

static void a_line_is_read_when_it_ends(void **state)
{
	(void)state;
	type("hello");
	assert_false(tty_line_readable(&line, 1));
	assert_int_equal(tty_line_count(&line), 0);
	type("\r"); /* ICRNL */
	assert_true(tty_line_readable(&line, 1));
	assert_int_equal(tty_line_count(&line), 6);
	expect_echo("hello\r\n");
	expect_read("hello\n", true);
	assert_false(tty_line_readable(&line, 1));
}

static void reads_stop_at_line_ends(void **state)
{
	char buf[4];
	bool ended;

	(void)state;
	type("abcdef\nxy\n");
	assert_int_equal(tty_line_take(&line, buf, 4, &ended), 4);
	assert_false(ended);
	expect_read("ef\n", true);
	expect_read("xy\n", true);
}

static void erase_takes_one_character_back(void **state)
{
	(void)state;
	type("ab\x7f");
	expect_echo("ab\b \b");
	type("\x7f\x7f\x7f"); /* one too many does nothing */
	expect_echo("\b \b");
	type("c\n");
	expect_read("c\n", true);
}

static void erase_knows_widths(void **state)
{
	(void)state;
	type("\x01\x7f"); /* shown as ^A: two columns */
	expect_echo("^A\b \b\b \b");
	type("ab\t\x7f"); /* from column 2 to 8 */
	expect_echo("ab\t\b\b\b\b\b\b");
	type("\x15");
	echo.length = 0;
	line.termios.c_iflag |= IUTF8;
	type("\xc3\xa9\x7f"); /* one character of two bytes */
	expect_echo("\xc3\xa9\b \b");
	type("z\n");
	expect_read("z\n", true);
}

static void word_and_line_erase(void **state)
{
	(void)state;
	type("one two  \x17");
	type("2\n");
	expect_read("one 2\n", true);
	echo.length = 0;
	type("abc\x15");
	expect_echo("abc\b \b\b \b\b \b");
	type("d\n");
	expect_read("d\n", true);
}

static void end_of_file_is_an_empty_line(void **state)
{
	(void)state;
	type("\x04");
	assert_true(tty_line_readable(&line, 1));
	assert_int_equal(tty_line_count(&line), 0);
	expect_read("", true);
	type("abc\x04"); /* only ends the line */
	expect_read("abc", true);
	assert_false(tty_line_readable(&line, 1));
	expect_echo("abc");
}

/* A reader whose buffer is exactly full does not find the end of file in its next read. */
static void end_of_file_goes_with_a_full_read(void **state)
{
	char buf[3];
	bool ended;

	(void)state;
	type("abc\x04");
	assert_int_equal(tty_line_take(&line, buf, 3, &ended), 3);
	assert_true(ended);
	assert_false(tty_line_readable(&line, 1));
}

static void signals_flush_and_echo(void **state)
{
	(void)state;
	assert_int_equal(type("abc\x03"), SIGINT);
	expect_echo("abc^C");
	type("d\n");
	expect_read("d\n", true);
	assert_int_equal(type("\x1c"), SIGQUIT);
	assert_int_equal(type("\x1a"), SIGTSTP);
	set_local(NOFLSH, 0);
	assert_int_equal(type("abc\x03"), SIGINT);
	type("\n");
	expect_read("abc\n", true);
	set_local(0, ISIG);
	assert_int_equal(type("\x03\n"), 0);
	expect_read("\x03\n", true);
}

static void literal_next_takes_anything(void **state)
{
	(void)state;
	assert_int_equal(type("\x16\x03\x16\x7f\n"), 0);
	expect_read("\x03\x7f\n", true);
}

static void without_echo_nothing_is_shown(void **state)
{
	(void)state;
	set_local(0, ECHO);
	type("secret\x7f\n");
	expect_echo("");
	expect_read("secre\n", true);
	set_local(ECHONL, 0);
	type("x\n");
	expect_echo("\r\n");
}

static void raw_bytes_are_readable_at_once(void **state)
{
	(void)state;
	set_local(0, ICANON | ISIG | ECHO);
	type("a\x04");
	assert_true(tty_line_readable(&line, 2));
	assert_false(tty_line_readable(&line, 3));
	assert_int_equal(tty_line_count(&line), 2);
	expect_read("a\x04", false);
}

static void typed_ahead_survives_mode_changes(void **state)
{
	(void)state;
	type("half");
	set_local(0, ICANON);
	expect_read("half", false);
	type("raw");
	set_local(ICANON, 0);
	assert_true(tty_line_readable(&line, 1));
	expect_read("raw", true);
	type("whole\n");
	set_local(0, ICANON);
	type("\x04");
	set_local(ICANON, 0);
	expect_read("whole\n", true);
	expect_read("\x04", true);
}

static void flow_control_holds_output(void **state)
{
	(void)state;
	type("\x13");
	assert_true(line.stopped);
	type("a");
	assert_true(line.stopped);
	type("\x11\n");
	assert_false(line.stopped);
	expect_read("a\n", true);
}

static void a_full_line_can_still_be_ended(void **state)
{
	char buf[TTY_LINE_SIZE];
	bool ended;

	(void)state;
	for (unsigned i = 0; i < TTY_LINE_SIZE + 100; i++)
		type("x");
	assert_false(tty_line_full(&line)); /* nobody could read: it has to take more */
	type("\n");
	assert_true(tty_line_full(&line));
	assert_int_equal(tty_line_take(&line, buf, sizeof(buf), &ended), TTY_LINE_SIZE);
	assert_true(ended);
	assert_int_equal(buf[TTY_LINE_SIZE - 1], '\n');
	assert_false(tty_line_full(&line));
}

static void output_is_processed(void **state)
{
	char buf[64];
	struct tty_output output = {.bytes = buf, .size = sizeof(buf)};

	(void)state;
	assert_int_equal(tty_line_output(&line, "a\nb\tc", 5, &output), 5);
	assert_int_equal(output.length, 6);
	assert_memory_equal(buf, "a\r\nb\tc", 6);
	assert_int_equal(line.column, 9);
	line.termios.c_oflag |= XTABS;
	output.length = 0;
	assert_int_equal(tty_line_output(&line, "\t", 1, &output), 1);
	assert_int_equal(output.length, 7);
	line.termios.c_oflag &= ~(tcflag_t)OPOST;
	output.length = 0;
	assert_int_equal(tty_line_output(&line, "\n\t", 2, &output), 2);
	assert_memory_equal(buf, "\n\t", 2);
}

static void output_stops_when_there_is_no_room(void **state)
{
	char buf[16];
	struct tty_output output = {.bytes = buf, .size = sizeof(buf)};
	size_t done;

	(void)state;
	done = tty_line_output(&line, "\n\n\n\n\n\n\n\n\n\n", 10, &output);
	assert_in_range(done, 1, 8);
	assert_int_equal(output.length, 2 * done);
}

/* Deterministic: <stdlib.h> does not go together with the kernel's <asm/signal.h>. */
static unsigned random_number(void)
{
	static uint64_t seed = 1;

	seed = seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
	return (unsigned)(seed >> 33);
}

/* Any bytes in any mode: the positions stay in order, and what is read was typed. */
static void random_typing_keeps_the_buffer_sound(void **state)
{
	char buf[64];
	bool ended;

	(void)state;
	for (unsigned i = 0; i < 500000; i++) {
		char byte =
			(char)(random_number() % 3 ? 'a' + random_number() % 26 : random_number());

		type_bytes(&byte, 1);
		echo.length = 0;
		if (random_number() % 16 == 0)
			(void)tty_line_take(&line, buf, random_number() % sizeof(buf) + 1, &ended);
		if (random_number() % 256 == 0)
			set_local(random_number() % 2 ? ICANON : IEXTEN,
				  random_number() % 2 ? ICANON : 0);
		assert_true(line.committed - line.tail <= line.head - line.tail);
		assert_true(line.head - line.tail <= TTY_LINE_SIZE);
		assert_true(tty_line_count(&line) <= line.committed - line.tail);
		assert_true(line.lines <= line.committed - line.tail);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_is_read_when_it_ends),
		TEST(reads_stop_at_line_ends),
		TEST(erase_takes_one_character_back),
		TEST(erase_knows_widths),
		TEST(word_and_line_erase),
		TEST(end_of_file_is_an_empty_line),
		TEST(end_of_file_goes_with_a_full_read),
		TEST(signals_flush_and_echo),
		TEST(literal_next_takes_anything),
		TEST(without_echo_nothing_is_shown),
		TEST(raw_bytes_are_readable_at_once),
		TEST(typed_ahead_survives_mode_changes),
		TEST(flow_control_holds_output),
		TEST(a_full_line_can_still_be_ended),
		TEST(output_is_processed),
		TEST(output_stops_when_there_is_no_room),
		TEST(random_typing_keeps_the_buffer_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
