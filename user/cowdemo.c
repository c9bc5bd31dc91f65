/*
 * user/cowdemo.c - which frames are shared after which writes: fork, copy on write.
 *
 * Three processes, the parent, its child and the child's child, have the same five pages, two
 * only ever read, two written, one shared on purpose. After each step every process reports the
 * frame (/proc/self/pagemap) and the first byte of each page. A table shows them, and
 * check_step compares with what follows from the step before by the rules of copy on write:
 *
 *     fork                   the new process has its parent's frames
 *     write, frame shared    the writer gets a frame nobody had; nobody else's changes
 *     write, sole owner      nothing changes: the last one does not copy
 *     write, shared page     nothing changes, and all see it
 *
 * Linux is allowed to copy for a sole owner (now and then it holds a page for itself); stos is not.
 */
#include "demo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char help[] =
	"usage: cowdemo\n"
	"\n"
	"Forks a child and a grandchild that share five pages with the parent, lets them\n"
	"write one after another, and shows after each step which frame (piece of real\n"
	"memory) each page is in. Run it as root: others may not see frame numbers.\n"
	"Exit status: 0 all as explained, 1 something was not, 2 could not be tried.\n";

/* Pages a and b are never written before the fork, c and d are; e is a shared mapping. */
enum { PAGE_A, PAGE_B, PAGE_C, PAGE_D, PAGE_E, PAGES };
enum { PARENT, CHILD, GRANDCHILD, PROCESSES };

static const char *const names[PROCESSES] = {"parent", "child", "grandchild"};

struct report {
	uint64_t frames[PAGES];
	char bytes[PAGES];
};

/* Everybody's report after a step. */
struct view {
	struct report of[PROCESSES];
	int alive; /* the first so many processes are there */
};

enum action { ACTION_LOOK = 'l', ACTION_WRITE = 'w', ACTION_FORK = 'f' };

struct step {
	const char *text;
	enum action action;
	int process; /* who acts */
	int page;
	char letter;
	bool copies; /* a write that must get a new frame */
	const char *why;
};

static const struct step steps[] = {
	{"the parent read a and b, wrote c, d and e", ACTION_LOOK, PARENT, 0, 0, false,
	 "a and b are the same frame of zeros, for nothing was written to them"},
	{"the parent forks a child", ACTION_FORK, PARENT, 0, 0, false,
	 "nothing was copied: the child has the parent's frames, all of them"},
	{"the child writes c", ACTION_WRITE, CHILD, PAGE_C, 'C', true,
	 "the child got a copy of c; the parent's c is as it was"},
	{"the parent writes c", ACTION_WRITE, PARENT, PAGE_C, 'P', false,
	 "the parent is alone with its c now: no copy, it just writes"},
	{"the child forks a grandchild", ACTION_FORK, CHILD, 0, 0, false,
	 "d has three owners, the child's c two, the parent's c one"},
	{"the parent writes d", ACTION_WRITE, PARENT, PAGE_D, 'P', true,
	 "the parent leaves; child and grandchild keep sharing the old d"},
	{"the child writes d", ACTION_WRITE, CHILD, PAGE_D, 'C', true,
	 "the child leaves as well: the old d is the grandchild's alone"},
	{"the grandchild writes d", ACTION_WRITE, GRANDCHILD, PAGE_D, 'G', false,
	 "the last owner needs no copy: it has the frame all three began with"},
	{"the child writes a", ACTION_WRITE, CHILD, PAGE_A, 'C', true,
	 "a frame of its own; its b, and the others' a, are still the zeros"},
	{"the grandchild writes e, which is shared", ACTION_WRITE, GRANDCHILD, PAGE_E, 'G', false,
	 "no copy, and all three see the G: MAP_SHARED is not copied on write"},
};

static volatile char *pages[PAGES];

static void make_pages(void)
{
	for (int i = 0; i < PAGES; i++) {
		int sharing = i == PAGE_E ? MAP_SHARED : MAP_PRIVATE;
		void *page = mmap(NULL, page_bytes(), PROT_READ | PROT_WRITE,
				  sharing | MAP_ANONYMOUS, -1, 0);

		if (page == MAP_FAILED)
			give_up("mmap: %s", strerror(errno));
		pages[i] = page;
	}
	*pages[PAGE_C] = 'c';
	*pages[PAGE_D] = 'd';
	*pages[PAGE_E] = 'e';
}

/* Reads each page first: a page that fork left out comes back by that. */
static struct report report(void)
{
	struct report result;

	for (int i = 0; i < PAGES; i++) {
		struct page_look look;

		result.bytes[i] = *pages[i];
		look = page_look((const void *)(uintptr_t)pages[i]);
		if (!look.present || !look.frame)
			give_up("frame numbers are not shown (they are to root)");
		result.frames[i] = look.frame;
	}
	return result;
}

/* ---- the processes ---- */

static struct channel channels[PROCESSES]; /* the parent's own is not used */

static void follow(int process) __attribute__((noreturn));

/*
 * Forks `process` off its parent, which calls this. Each process keeps only its own ends of the
 * pipes, and the child the grandchild's until then, so that nobody waits for one that is gone.
 */
static void start(int process)
{
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork: %s", strerror(errno));
	if (pid == 0) {
		if (process > CHILD)
			channel_close_follower(&channels[process - 1]);
		for (int i = process; process == CHILD && i < PROCESSES; i++)
			channel_close_leader(&channels[i]);
		follow(process);
	}
	for (int i = process; i < PROCESSES; i++)
		channel_close_follower(&channels[i]);
}

/* What the child and the grandchild do. */
static void follow(int process)
{
	struct channel *channel = &channels[process];
	struct order order;
	struct report result;

	while (channel_next(channel, &order)) {
		if (order.what == ACTION_WRITE)
			*pages[order.place] = order.value;
		if (order.what == ACTION_FORK)
			start(process + 1);
		result = report();
		channel_answer(channel, &result, sizeof(result));
	}
	while (wait(NULL) > 0)
		continue;
	_exit(0);
}

static void act(const struct step *step)
{
	struct order order = {(char)step->action, (unsigned char)step->page, step->letter};
	struct report unused;

	if (step->process != PARENT)
		channel_ask(&channels[step->process], order, &unused, sizeof(unused));
	else if (step->action == ACTION_FORK)
		start(CHILD);
	else if (step->action == ACTION_WRITE)
		*pages[step->page] = step->letter;
}

static void look_at_all(struct view *view)
{
	view->of[PARENT] = report();
	for (int i = CHILD; i < view->alive; i++)
		channel_ask(&channels[i], (struct order){ACTION_LOOK, 0, 0}, &view->of[i],
			    sizeof(view->of[i]));
}

/* ---- what it should be ---- */

static bool anybody_had(const struct view *view, uint64_t frame)
{
	for (int i = 0; i < view->alive; i++) {
		for (int page = 0; page < PAGES; page++) {
			if (view->of[i].frames[page] == frame)
				return true;
		}
	}
	return false;
}

static bool frame_is_right(const struct step *step, const struct view *old, const struct view *new,
			   int process, int page)
{
	int origin = process < old->alive ? process : process - 1; /* forked just now */
	uint64_t before = old->of[origin].frames[page], now = new->of[process].frames[page];

	if (step->action != ACTION_WRITE || process != step->process || page != step->page)
		return now == before;
	if (step->copies)
		return !anybody_had(old, now);
	return now == before || (!on_stos() && page != PAGE_E && !anybody_had(old, now));
}

static char expected_byte(const struct step *step, const struct view *old, int process, int page)
{
	int origin = process < old->alive ? process : process - 1;

	if (step->action == ACTION_WRITE && page == step->page &&
	    (process == step->process || page == PAGE_E))
		return step->letter;
	return old->of[origin].bytes[page];
}

static bool check_step(const struct step *step, const struct view *old, const struct view *new)
{
	for (int process = 0; process < new->alive; process++) {
		for (int page = 0; page < PAGES; page++) {
			if (!frame_is_right(step, old, new, process, page) ||
			    new->of[process].bytes[page] != expected_byte(step, old, process, page))
				return false;
		}
	}
	return true;
}

/* The first view has none before it: a and b are alike and zero, the others all different. */
static bool check_first(const struct view *view)
{
	const struct report *seen = &view->of[PARENT];

	for (int page = PAGE_B; page < PAGES; page++) {
		for (int other = PAGE_B; other < page; other++) {
			if (seen->frames[page] == seen->frames[other])
				return false;
		}
	}
	return seen->frames[PAGE_A] == seen->frames[PAGE_B] &&
	       memcmp(seen->bytes, "\0\0cde", PAGES) == 0;
}

/* ---- showing it ---- */

static void print_cell(const struct view *old, const struct view *new, int process, int page)
{
	const struct report *seen = &new->of[process];
	char byte = seen->bytes[page] ? seen->bytes[page] : '0';
	bool changed = process < old->alive && old->of[process].frames[page] != seen->frames[page];

	printf(" %c%8llx %c ", changed ? '*' : ' ', (unsigned long long)seen->frames[page], byte);
}

static void print_view(const struct view *old, const struct view *new)
{
	for (int process = 0; process < new->alive; process++) {
		printf("   %-10s", names[process]);
		for (int page = 0; page < PAGES; page++)
			print_cell(old, new, process, page);
		putchar('\n');
	}
}

static void run_step(int number, struct view *view, bool *all)
{
	const struct step *step = &steps[number];
	struct view old = *view;
	bool holds;

	fflush(stdout); /* or a forked process would have it, too */
	act(step);
	view->alive += step->action == ACTION_FORK || number == 0; /* first the parent itself */
	look_at_all(view);
	printf("\n%d. %c%s\n", number + 1, step->text[0] - 'a' + 'A', step->text + 1);
	print_view(&old, view);
	holds = old.alive ? check_step(step, &old, view) : check_first(view);
	claim(holds, all, "%s", step->why);
}

int main(int count, char **arguments)
{
	struct view view = {.alive = 0};
	bool all = true;

	demo_begin(count, arguments, "cowdemo", 0, help);
	make_pages();
	for (int i = CHILD; i < PROCESSES; i++)
		channel_open(&channels[i]);
	printf("Five pages. A cell is the number of the page's frame and its first byte (0 is\n"
	       "the byte zero); * marks a frame that is not the one it was.\n\n%13s",
	       "");
	for (int page = 0; page < PAGES; page++)
		printf(" %8s%c   ", page == PAGE_E ? "shared " : "", 'a' + page);
	putchar('\n');
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		run_step((int)i, &view, &all);
	for (int i = CHILD; i < PROCESSES; i++)
		channel_close_leader(&channels[i]); /* their pipes end, and so they do */
	while (wait(NULL) > 0)
		continue;
	printf("\nFrames are copied when they are written, by the writer, and only while they are\n"
	       "shared. %s\n",
	       all ? "All as explained." : "Something was NOT as explained.");
	return all ? EXIT_SUCCESS : EXIT_NOT_SO;
}
