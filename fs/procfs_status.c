/*
 * fs/procfs_status.c - the files of /proc/<pid> that ps, top and pgrep read: stat, statm, status,
 * comm, cmdline, environ, limits. Formats: proc(5), and Linux's fs/proc/array.c and base.c.
 *
 * A snapshot of the counters is taken under the locks first (struct proc_state), then printed.
 *
 * Locks: task_tree_lock and signal_lock, one after the other.
 */
#include <drivers/tty.h>
#include <fs/device.h>
#include <fs/fs_context.h>
#include <fs/procfs_private.h>
#include <kernel/time.h>
#include <linux/major.h>
#include <mm/heap.h>
#include <mm/mem_space.h>
#include <string.h>

#define USER_HZ 100ul /* the unit of times in stat: sysconf(_SC_CLK_TCK) */
#define NS_PER_USER_TICK (NS_PER_SEC / USER_HZ)
#define PAGE_KIB (PAGE_SIZE / 1024)
#define PRIORITY_OF_NICE_0 20 /* as stat shows it: proc(5) */

struct proc_state {
	int id, tgid, parent, group, session, terminal_group;
	uint64_t terminal; /* device number */
	char name[TASK_NAME_SIZE];
	char state;
	unsigned threads;
	uint64_t user_ns, system_ns, child_user_ns, child_system_ns, started_ns;
	uint64_t minor_faults, major_faults, child_minor_faults, child_major_faults;
	uint64_t voluntary, involuntary;
	uint32_t uids[4], gids[4]; /* real, effective, saved, file system */
	int exit_signal, exit_status;
	unsigned cpu;
	int nice, policy;
	uint64_t affinity;
	uint64_t pending, shared_pending, blocked, ignored, caught;
	uint64_t queued_limit;
};

static char task_state_letter(struct task *task)
{
	switch ((enum task_state)atomic_load(&task->state)) {
	case TASK_RUNNABLE:
		return 'R';
	case TASK_SLEEPING:
		return task->wait_mode == WAIT_INTERRUPTIBLE ? 'S' : 'D';
	case TASK_STOPPED:
		return 'T';
	case TASK_DEAD:
		return 'X';
	}
	return 'X';
}

/* A zombie's name is its own no more: it is kept from what the process last was. */
static void read_task(struct proc_state *state, struct process *process, struct task *task)
{
	if (!task) {
		state->state = 'Z';
		memcpy(state->name, process->name, sizeof(state->name));
		return;
	}
	memcpy(state->name, task->name, sizeof(state->name));
	state->state = atomic_load(&process->stopped) ? 'T' : task_state_letter(task);
	state->cpu = atomic_load(&task->cpu);
	state->nice = atomic_load(&task->nice);
	state->policy = atomic_load(&task->policy);
	state->affinity = task->affinity;
	state->voluntary = task->voluntary_switches;
	state->involuntary = task->involuntary_switches;
	state->blocked = task->blocked;
	state->pending = task->pending.set;
}

/* Counters of the threads that are alive, or of the one. */
static void add_threads(struct proc_state *state, struct process *process, int tid)
	REQUIRES(task_tree_lock)
{
	struct task *task;

	list_for_each_entry(task, &process->threads, thread_link) {
		if (tid && task->tid != tid)
			continue;
		state->user_ns += task->user_ns;
		state->system_ns += task->system_ns;
		state->minor_faults += task->minor_faults;
		state->major_faults += task->major_faults;
	}
}

static void read_process(struct proc_state *state, struct process *process, int tid)
	REQUIRES(task_tree_lock)
{
	state->tgid = process->pid;
	state->parent = process->parent ? process->parent->pid : 0;
	state->group = process->process_group;
	state->session = process->session;
	state->terminal_group = process->tty ? process->tty->foreground : -1;
	state->terminal = process->tty ? device_number(TTY_MAJOR, 64) : 0;
	state->threads = process->thread_count;
	state->child_user_ns = process->child_user_ns;
	state->child_system_ns = process->child_system_ns;
	state->child_minor_faults = process->child_minor_faults;
	state->child_major_faults = process->child_major_faults;
	state->exit_signal = process->exit_signal;
	state->exit_status = process->zombie ? process->exit_status : 0;
	if (!tid) {
		state->user_ns = process->dead_user_ns;
		state->system_ns = process->dead_system_ns;
		state->minor_faults = process->dead_minor_faults;
		state->major_faults = process->dead_major_faults;
	}
	add_threads(state, process, tid);
}

static void read_signals(struct proc_state *state, struct process *process)
{
	spin_lock(&process->signal_lock);
	state->shared_pending = process->pending.set;
	for (unsigned signal = 1; signal <= _NSIG; signal++) {
		uintptr_t handler = process->actions[signal].handler;
		uint64_t bit = 1ull << (signal - 1);

		if (handler == (uintptr_t)SIG_IGN)
			state->ignored |= bit;
		else if (handler != (uintptr_t)SIG_DFL)
			state->caught |= bit;
	}
	state->queued_limit = process->limits[RLIMIT_SIGPENDING].rlim_cur;
	spin_unlock(&process->signal_lock);
}

/* A thread's own time of birth; the process's is its first thread's. */
static uint64_t started_ns(const struct proc_node *node, const struct task *task)
{
	return node->tid && task ? task->started_ns : node->process->started_ns;
}

static void state_read(struct proc_state *state, const struct proc_node *node)
{
	struct process *process = node->process;
	struct task *task = proc_node_task(node);

	memset(state, 0, sizeof(*state));
	state->id = node->tid ? node->tid : process->pid;
	spin_lock(&task_tree_lock);
	read_process(state, process, node->tid);
	spin_unlock(&task_tree_lock);
	read_task(state, process, task);
	state->started_ns = started_ns(node, task);
	read_signals(state, process);
	state->uids[0] = process->uid;
	state->uids[1] = state->uids[3] = process->euid;
	state->uids[2] = process->suid;
	state->gids[0] = process->gid;
	state->gids[1] = state->gids[3] = process->egid;
	state->gids[2] = process->sgid;
	if (task)
		task_put(task);
}

/* stat */

static unsigned long long ticks(uint64_t ns)
{
	return ns / NS_PER_USER_TICK;
}

/* Columns as numbered in proc(5). */
int proc_show_stat(struct text *text, const struct proc_node *node)
{
	struct proc_state state;
	struct proc_memory memory;

	state_read(&state, node);
	proc_memory_read(node->process, &memory);
	/* (1) pid .. (8) tpgid, (9) flags */
	text_print(text, "%d (%s) %c %d %d %d %llu %d 0 ", state.id, state.name, state.state,
		   state.parent, state.group, state.session, (unsigned long long)state.terminal,
		   state.terminal_group);
	/* (10) minflt .. (13) cmajflt */
	text_print(text, "%lu %lu %lu %lu ", state.minor_faults, state.child_minor_faults,
		   state.major_faults, state.child_major_faults);
	/*
	 * (14) utime .. (17) cstime, (18) priority, (19) nice, (20) threads, (21), (22) starttime
	 */
	text_print(text, "%llu %llu %llu %llu %d %d %u 0 %llu ", ticks(state.user_ns),
		   ticks(state.system_ns), ticks(state.child_user_ns), ticks(state.child_system_ns),
		   PRIORITY_OF_NICE_0 + state.nice, state.nice, state.threads,
		   ticks(state.started_ns));
	/* (23) vsize, bytes; (24) rss, pages; (25) rsslim; (26) startcode .. (30) kstkeip */
	text_print(text, "%lu %lu %llu %lu %lu %lu 0 0 ", memory.total_pages * PAGE_SIZE,
		   memory.anon_pages + memory.file_pages, ~0ull, memory.code_beg, memory.code_end,
		   memory.stack_top);
	/* (31) signal .. (34) sigcatch: the first 31 signals; (35) wchan .. (37) */
	text_print(text, "%u %u %u %u 0 0 0 ", (uint32_t)state.pending & INT32_MAX,
		   (uint32_t)state.blocked & INT32_MAX, (uint32_t)state.ignored & INT32_MAX,
		   (uint32_t)state.caught & INT32_MAX);
	/* (38) exit_signal, (39) processor, (40) rt_priority, (41) policy, (42) .. (44) */
	text_print(text, "%d %u 0 %d 0 0 0 ", state.exit_signal, state.cpu, state.policy);
	/* (45) start_data .. (52) exit_code */
	text_print(text, "%lu %lu %lu %lu %lu %lu %lu %d\n", memory.data_beg, memory.data_end,
		   memory.brk_beg, memory.arg_beg, memory.arg_end, memory.env_beg, memory.env_end,
		   state.exit_status);
	return 0;
}

/* In pages: size, resident, shared, text, lib (0), data + stack, dirty (0). */
int proc_show_statm(struct text *text, const struct proc_node *node)
{
	struct proc_memory memory;

	proc_memory_read(node->process, &memory);
	text_print(text, "%lu %lu %lu %lu 0 %lu 0\n", memory.total_pages,
		   memory.anon_pages + memory.file_pages, memory.file_pages, memory.text_pages,
		   memory.data_pages + memory.stack_pages);
	return 0;
}

/* status */

static const char *state_word(char letter)
{
	switch (letter) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'D':
		return "disk sleep";
	case 'T':
		return "stopped";
	case 'Z':
		return "zombie";
	default:
		return "dead";
	}
}

static unsigned process_umask(struct process *process)
{
	struct fs_context *context = fs_context_of(process);
	unsigned mask = 0;

	if (context) {
		mask = atomic_load(&context->umask);
		fs_context_put(context);
	}
	return mask;
}

static void print_groups(struct text *text, const struct process *process)
{
	text_print(text, "Groups:\t");
	for (unsigned i = 0; i < process->group_count && i < PROCESS_GROUPS_MAX; i++)
		text_print(text, "%u ", process->groups[i]);
	text_print(text, "\n");
}

static void print_identity(struct text *text, const struct proc_state *state,
			   struct process *process)
{
	text_print(text, "Name:\t");
	text_append_escaped(text, state->name, "\n\\");
	text_print(text, "\nUmask:\t%04o\nState:\t%c (%s)\n", process_umask(process), state->state,
		   state_word(state->state));
	text_print(text, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", state->tgid,
		   state->id, state->parent);
	text_print(text, "Uid:\t%u\t%u\t%u\t%u\n", state->uids[0], state->uids[1], state->uids[2],
		   state->uids[3]);
	text_print(text, "Gid:\t%u\t%u\t%u\t%u\n", state->gids[0], state->gids[1], state->gids[2],
		   state->gids[3]);
	print_groups(text, process);
	text_print(text, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", state->tgid,
		   state->id, state->group, state->session);
}

static void print_size(struct text *text, const char *key, uint64_t pages)
{
	text_print(text, "%s:\t%8lu kB\n", key, pages * PAGE_KIB);
}

static void print_memory(struct text *text, const struct proc_memory *memory)
{
	uint64_t resident = memory->anon_pages + memory->file_pages;

	print_size(text, "VmPeak", memory->peak_pages);
	print_size(text, "VmSize", memory->total_pages);
	print_size(text, "VmLck", memory->locked_pages);
	print_size(text, "VmPin", 0);
	print_size(text, "VmHWM", MAX(memory->peak_resident_pages, resident));
	print_size(text, "VmRSS", resident);
	print_size(text, "RssAnon", memory->anon_pages);
	print_size(text, "RssFile", memory->file_pages - memory->shmem_pages);
	print_size(text, "RssShmem", memory->shmem_pages);
	print_size(text, "VmData", memory->data_pages);
	print_size(text, "VmStk", memory->stack_pages);
	print_size(text, "VmExe", memory->text_pages);
	print_size(text, "VmLib", memory->library_pages);
	print_size(text, "VmPTE", memory->table_pages);
	print_size(text, "VmSwap", 0);
}

static void print_signals(struct text *text, const struct proc_state *state)
{
	text_print(text, "Threads:\t%u\nSigQ:\t0/%llu\n", state->threads,
		   (unsigned long long)state->queued_limit);
	text_print(text, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n", state->pending,
		   state->shared_pending, state->blocked);
	text_print(text, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", state->ignored, state->caught);
}

/* "0-3,5" */
static void print_cpu_list(struct text *text, uint64_t mask)
{
	const char *comma = "";

	for (unsigned first = 0, last; first < CPU_MAX; first = last + 1) {
		last = first;
		if (!(mask & 1ull << first))
			continue;
		while (last + 1 < CPU_MAX && (mask & 1ull << (last + 1)))
			last++;
		text_print(text, "%s%u", comma, first);
		if (last > first)
			text_print(text, "-%u", last);
		comma = ",";
	}
	text_print(text, "\n");
}

static void print_scheduling(struct text *text, const struct proc_state *state)
{
	uint64_t allowed = state->affinity & ((1ull << cpu_count()) - 1);

	text_print(text, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", allowed);
	print_cpu_list(text, allowed);
	text_print(text, "Mems_allowed:\t1\nMems_allowed_list:\t0\n");
	text_print(text, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		   state->voluntary, state->involuntary);
}

int proc_show_status(struct text *text, const struct proc_node *node)
{
	struct proc_state state;
	struct proc_memory memory;

	state_read(&state, node);
	proc_memory_read(node->process, &memory);
	print_identity(text, &state, node->process);
	/* Kernel tasks and zombies have no memory. */
	if (memory.total_pages > 0)
		print_memory(text, &memory);
	print_signals(text, &state);
	text_print(text, "NoNewPrivs:\t%d\nSeccomp:\t0\n", node->process->no_new_privs);
	print_scheduling(text, &state);
	return 0;
}

int proc_show_comm(struct text *text, const struct proc_node *node)
{
	struct proc_state state;

	state_read(&state, node);
	text_print(text, "%s\n", state.name);
	return 0;
}

/* cmdline and environ: the strings as they lie in the process's memory */

typedef void (*choose_range)(const struct proc_memory *memory, uintptr_t *beg, uintptr_t *end);

static void argument_range(const struct proc_memory *memory, uintptr_t *beg, uintptr_t *end)
{
	*beg = memory->arg_beg;
	*end = memory->arg_end;
}

static void environment_range(const struct proc_memory *memory, uintptr_t *beg, uintptr_t *end)
{
	*beg = memory->env_beg;
	*end = memory->env_end;
}

static int show_range(struct text *text, const struct proc_node *node, choose_range choose)
{
	struct mem_space *space;
	struct proc_memory memory;
	uintptr_t at, end;
	char *page;

	proc_memory_read(node->process, &memory);
	choose(&memory, &at, &end);
	space = process_hold_space(node->process);
	if (!space)
		return 0;
	page = kmalloc(PAGE_SIZE);
	while (page && at < end) {
		size_t wanted = MIN(end - at, PAGE_SIZE);
		size_t length = mem_space_peek(space, at, page, wanted);

		text_append(text, page, length);
		at += length;
		if (length < wanted)
			break;
	}
	mem_space_drop(space);
	kfree(page);
	return page ? 0 : -ENOMEM;
}

int proc_show_cmdline(struct text *text, const struct proc_node *node)
{
	return show_range(text, node, argument_range);
}

int proc_show_environ(struct text *text, const struct proc_node *node)
{
	return show_range(text, node, environment_range);
}

/* limits */

static void print_limit(struct text *text, uint64_t limit)
{
	if (limit == RLIM_INFINITY)
		text_print(text, "%-20s ", "unlimited");
	else
		text_print(text, "%-20llu ", (unsigned long long)limit);
}

int proc_show_limits(struct text *text, const struct proc_node *node)
{
	static const struct {
		const char *name, *unit;
	} rows[RLIM_NLIMITS] = {
		[RLIMIT_CPU] = {"Max cpu time", "seconds"},
		[RLIMIT_FSIZE] = {"Max file size", "bytes"},
		[RLIMIT_DATA] = {"Max data size", "bytes"},
		[RLIMIT_STACK] = {"Max stack size", "bytes"},
		[RLIMIT_CORE] = {"Max core file size", "bytes"},
		[RLIMIT_RSS] = {"Max resident set", "bytes"},
		[RLIMIT_NPROC] = {"Max processes", "processes"},
		[RLIMIT_NOFILE] = {"Max open files", "files"},
		[RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
		[RLIMIT_AS] = {"Max address space", "bytes"},
		[RLIMIT_LOCKS] = {"Max file locks", "locks"},
		[RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
		[RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
		[RLIMIT_NICE] = {"Max nice priority", ""},
		[RLIMIT_RTPRIO] = {"Max realtime priority", ""},
		[RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
	};

	text_print(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit;

		spin_lock(&node->process->signal_lock);
		limit = node->process->limits[i];
		spin_unlock(&node->process->signal_lock);
		text_print(text, "%-25s ", rows[i].name);
		print_limit(text, limit.rlim_cur);
		print_limit(text, limit.rlim_max);
		text_print(text, "%-10s\n", rows[i].unit);
	}
	return 0;
}
