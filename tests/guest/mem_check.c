/*
 * mem_check.c - each rule that the checking kernel of stos watches is broken once, through
 * /dev/mem-check (kernel/mem_test.h), and the check says so in the words expected. In other
 * kernels, which have no such device, everything is skipped.
 */
#include "helpers.h"

#define RW (PROT_READ | PROT_WRITE)

static int device_open(void)
{
	int fd = open("/dev/mem-check", O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		tap_skip("the kernel has no /dev/mem-check");
	expect(fd >= 0);
	return fd;
}

struct row {
	const char *rule;
	const char *said; /* a part of what the check says */
};

/* Each row's rule is broken at the page. */
#define break_rules(rows, page) tap_break_rules(HERE, rows, ARRAY_LENGTH(rows), page)
static void tap_break_rules(struct tap_where where, const struct row *rows, size_t count,
			    const char *page)
{
	int fd = device_open();

	for (size_t i = 0; i < count; i++) {
		char text[160] = "";
		int length =
			snprintf(text, sizeof(text), "%s %lx", rows[i].rule, (unsigned long)page);

		if (pwrite(fd, text, (size_t)length, 0) != length) {
			tap_note(where, "%s: %s", rows[i].rule, tap_errno_name(errno));
			tap_failed = true;
			continue;
		}
		memset(text, 0, sizeof(text));
		expect(pread(fd, text, sizeof(text) - 1, 0) > 0);
		if (strstr(text, rows[i].said) == NULL) {
			tap_note(where, "%s: said \"%s\"", rows[i].rule, text);
			tap_failed = true;
		}
	}
	close(fd);
}

/* A file in memory of two pages. */
static int make_file(void)
{
	int fd = memfd_create("mem_check", MFD_CLOEXEC);

	expect(fd >= 0 && ftruncate(fd, 2 * (off_t)PAGE) == 0);
	return fd;
}

/* --- cases ------------------------------------------------------------------------------------ */

static void own_page(void)
{
	static const struct row rows[] = {
		{"lost_reference", "is writable but its frame has 0 references"},
		{"stray_reference", "is writable but its frame has 2 references"},
		{"stray_table_reference", "table of level 1"},
		{"stray_root_reference", "table of level 4"},
		{"held_reference", "leaves the kernel with 1 references"},
		{"wrong_kind", "is marked wrongly as a private page or not"},
		{"executable", "is executable, its zone is not"},
		{"device", "is a device page in a zone without one"},
		{"withheld", "is held wrongly"},
		{"outside", "is mapped outside all zones"},
		{"read_only_table", "is reached through an entry without rights"},
		{"miscounted_table", "entries, has"},
		{"stray_zone", "belongs to another space"},
		{"anon_pages", "anonymous pages, counted"},
		{"file_pages", "file pages, counted"},
		{"shmem_pages", "pages of shared memory, counted"},
		{"table_pages", "tables, counted"},
		{"mapped_pages", "pages mapped"},
		{"data_pages", "pages of data"},
		{"locked_pages", "locked"},
	};
	char *page = map_alone(PAGE, RW);

	poke(page, 1);
	break_rules(rows, page);
	expect(peek(page) == 1);
}

static void zero_frame(void)
{
	static const struct row rows[] = {
		{"writable", "is writable and maps the zero frame"},
		{"counted_zero_frame", "the zero frame is counted"},
	};
	char *page = map_alone(PAGE, RW);

	expect(peek(page) == 0);
	break_rules(rows, page);
}

/* What only a look at all spaces and frames finds. */
static void counts(void)
{
	static const struct row rows[] = {
		{"lost_reference", "has 0 references, of entries and its cache 1"},
		{"stray_reference", "are no entry's and no cache's"},
		{"lost_page", "are no entry's and no cache's"},
		{"writable", "is writable, its zone is not"},
		{"forbidden", "is present, its zone allows nothing"},
	};
	char *page = map_alone(PAGE, RW);

	poke(page, 1);
	expect(mprotect(page, PAGE, PROT_READ) == 0);
	break_rules(rows, page);
}

static void held_page(void)
{
	static const struct row rows[] = {
		{"lost_reference", "has 0 references, of entries and its cache 1"},
		{"stray_reference", "are no entry's and no cache's"},
	};
	char *page = map_alone(PAGE, RW);

	poke(page, 1);
	expect(mprotect(page, PAGE, PROT_NONE) == 0);
	break_rules(rows, page);
}

/* A child has it too. */
static void copied_on_write(void)
{
	static const struct row rows[] = {
		{"writable", "is writable but its frame has 2 references"},
		{"lost_reference", "has 1 references, of entries and its cache 2"},
		{"stray_reference", "are no entry's and no cache's"},
	};
	char *page = map_alone(PAGE, RW);
	int gate[2];
	pid_t child;

	poke(page, 1);
	expect(pipe(gate) == 0);
	child = fork_child();
	if (child == 0) {
		char byte;

		close(gate[1]);
		_exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
	}
	break_rules(rows, page);
	close(gate[1]);
	expect_exit(child, 0);
}

static void shared_file(void)
{
	static const struct row rows[] = {
		{"wrong_kind", "maps a frame of kind 1"},
		{"clean", "is writable but its cached frame is clean"},
		{"foreign_page", "of another object or place"},
		{"misplaced_page", "is not in the cache it names"},
		{"unmarked_table", "table of level 1"},
		{"unmarked_directory", "table of level 2"},
		{"unmarked_root", "table of level 4"},
		{"lost_reference", "maps a cached frame with 1 references"},
		{"stray_reference", "are no entry's and no cache's"},
	};
	int fd = make_file();
	char *page = map_file(fd, PAGE, RW, MAP_SHARED, 0);

	poke(page, 1);
	break_rules(rows, page);
	close(fd);
}

static void private_file(void)
{
	static const struct row rows[] = {
		{"writable", "writes to a cached frame of a private zone"},
	};
	int fd = make_file();
	char *page = map_file(fd, PAGE, RW, MAP_PRIVATE, 0);

	expect(pwrite(fd, "x", 1, 0) == 1 && peek(page) == 'x');
	break_rules(rows, page);
	close(fd);
}

static void neighbours(void)
{
	static const struct row rows[] = {{"equal_neighbour", "equal neighbours"}};
	char *page = map_alone(2 * PAGE, RW);

	poke(page, 1);
	expect(mprotect(page + PAGE, PAGE, PROT_READ) == 0);
	break_rules(rows, page);
}

static void kernel_half(void)
{
	static const struct row rows[] = {
		{"writable_text", "of the kernel is writable and executable"},
		{"executable_data", "of the kernel is writable and executable"},
		{"executable_stack", "of the kernel is writable and executable"},
		{"user_text", "of the kernel is open to user mode"},
		{"changed_kernel_half", "a root table has lost the kernel's half"},
		{"unprotected_processor", "ignores protection"},
	};
	char *page = map_alone(PAGE, RW);

	poke(page, 1);
	break_rules(rows, page);
}

static void bad_requests(void)
{
	char *page = map_alone(2 * PAGE, RW), text[64];
	int fd = device_open();

	expect_errno(pwrite(fd, "nothing", 7, 0), EINVAL);
	expect_errno(pwrite(fd, "no-such-rule 1000", 17, 0), EINVAL);
	snprintf(text, sizeof(text), "lost_reference %lx", (unsigned long)page);
	expect_errno(pwrite(fd, text, strlen(text), 0), EINVAL); /* never touched */
	expect(peek(page) == 0);
	snprintf(text, sizeof(text), "executable %lx", (unsigned long)page + 1);
	expect(pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
	close(fd);
}

/* All was put back: a panic otherwise. */
static void everything_holds(void)
{
	int fd = device_open();

	for (int i = 0; i < 10; i++)
		expect(pwrite(fd, "all", 3, 0) == 3);
	close(fd);
}

static const struct tap_case cases[] = {
	{"broken rules about a page of one's own are noticed", own_page},
	{"a writable or counted zero frame is noticed", zero_frame},
	{"wrong counts and rights are noticed", counts},
	{"wrong counts of a page kept by PROT_NONE are noticed", held_page},
	{"a writable page of two processes and wrong counts are noticed", copied_on_write},
	{"broken rules about a shared page of a file are noticed", shared_file},
	{"a writable private page of a file is noticed", private_file},
	{"equal neighbours are noticed", neighbours},
	{"broken rules about the kernel's half are noticed", kernel_half},
	{"a wrong request changes nothing", bad_requests},
	{"after all that everything holds", everything_holds},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
