/*
 * kernel/exec.c - execve: another program in the same process.
 *
 *   exec_open      the file; while it is a script (`#!`), its interpreter instead
 *   exec_build     a whole new space: stack, segments, PT_INTERP's too, the start's contents
 *   -- the point of no return: from here on nothing fails --
 *   exec_commit    other threads end, the new space is switched to, the old one dropped; ids,
 *                  signals, descriptors, name, registers as execve(2) says
 *
 * Before that point a failure leaves the caller as it was.
 *
 * Load addresses are fixed, which makes a program's faults the same in each run: position
 * independent programs at PROGRAM_BASE, their interpreter at the top of the mapping area.
 *
 * Not here: headers and segments (elf.c), strings (exec_args.c), the stack (exec_stack.c).
 */
#include <fs/file.h>
#include <fs/file_table.h>
#include <kernel/base/errno.h>
#include <kernel/cpu.h>
#include <kernel/exec.h>
#include <kernel/exec_stack.h>
#include <kernel/fpu.h>
#include <kernel/futex.h>
#include <kernel/sys_task.h>
#include <kernel/task_id.h>
#include <kernel/task_private.h>
#include <kernel/trap.h>
#include <kernel/usage.h>
#include <linux/binfmts.h>
#include <linux/limits.h>
#include <mm/heap.h>
#include <mm/mem_space.h>
#include <mm/user_copy.h>
#include <string.h>

/* As on Linux without randomisation: two thirds of user space. */
#define PROGRAM_BASE 0x555555554000ul
#define SCRIPT_DEPTH_MAX 5   /* interpreters that are scripts themselves; Linux 6.1 */
#define RFLAGS_START 0x202ul /* IF, and the bit that is always set */

struct exec {
	char *path;	   /* what execve was given: AT_EXECFN, the new name */
	struct file *file; /* the program, in the end */
	struct exec_args args;
	struct elf_image image, interpreter;
	struct mem_space *space; /* the new one, until it is switched to */
	struct start_info start;
	uintptr_t entry, sp;
	bool set_id;		      /* effective ids come from the file */
	char head[BINPRM_BUF_SIZE];   /* the file's first bytes */
	char script[BINPRM_BUF_SIZE]; /* the name of the script that `file` is, if not path */
};

static void exec_free(struct exec *exec)
{
	if (!exec)
		return;
	if (exec->file)
		file_put(exec->file);
	if (exec->space)
		mem_space_put_user(exec->space);
	elf_free(&exec->image);
	elf_free(&exec->interpreter);
	exec_args_free(&exec->args);
	kfree(exec->path);
	kfree(exec);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct script_line {
	char *interpreter, *argument; /* argument NULL: none */
};

/*
 * Takes "#! interpreter argument" apart, in place: all that follows the interpreter is one
 * argument, blanks at its ends removed. A line that does not end within the head may have lost part
 * of its argument, but not of its interpreter. No name at all: ENOEXEC, but EACCES at the end of
 * the file, as on Linux.
 */
static int script_parse(char head[BINPRM_BUF_SIZE], struct script_line *line)
{
	char *at = head + 2, *end = memchr(head, '\n', BINPRM_BUF_SIZE);
	bool whole_line = end;

	if (!end) {
		end = head + BINPRM_BUF_SIZE - 1;
		*end = '\0';
		at += strspn(at, " \t");
		if (at + strcspn(at, " \t") == end)
			return -ENOEXEC;
	}
	*end = '\0';
	at += strspn(at, " \t");
	line->interpreter = at;
	at += strcspn(at, " \t");
	if (at == line->interpreter)
		return whole_line ? -ENOEXEC : -EACCES;
	line->argument = NULL;
	if (*at == '\0')
		return 0;
	*at++ = '\0';
	at += strspn(at, " \t");
	if (*at == '\0')
		return 0;
	line->argument = at;
	end = at + strlen(at);
	while (is_blank(end[-1]))
		*--end = '\0';
	return 0;
}

static int exec_open_one(struct exec *exec, const char *path)
{
	struct file *file;
	ssize_t size;
	int error = file_open_exec(path, &file);

	if (error)
		return error;
	if (exec->file)
		file_put(exec->file);
	exec->file = file;
	memset(exec->head, 0, sizeof(exec->head));
	size = file_read_kernel(file, exec->head, sizeof(exec->head), 0);
	return size < 0 ? (int)size : 0;
}

/* The file is a script: its interpreter is the file now. `depth` interpreters came before. */
static int exec_open_interpreter(struct exec *exec, unsigned depth)
{
	struct script_line line;
	int error;

	if (depth == SCRIPT_DEPTH_MAX)
		return -ELOOP;
	error = script_parse(exec->head, &line);
	if (error)
		return error;
	error = exec_args_script(&exec->args, line.interpreter, line.argument,
				 depth ? exec->script : exec->path);
	if (error)
		return error;
	strlcpy(exec->script, line.interpreter, sizeof(exec->script));
	return exec_open_one(exec, exec->script);
}

/* The program that will run: the file itself, or what a chain of scripts ends in. */
static int exec_open(struct exec *exec)
{
	int error = exec_open_one(exec, exec->path);

	for (unsigned depth = 0; !error && exec->head[0] == '#' && exec->head[1] == '!'; depth++)
		error = exec_open_interpreter(exec, depth);
	return error;
}

/* Set-user-id and set-group-id bits (execve(2)); not for scripts' own bits. */
static void exec_choose_ids(struct exec *exec)
{
	const struct process *process = current_process();
	const struct inode *inode = exec->file->inode;

	exec->start.uid = process->uid;
	exec->start.gid = process->gid;
	exec->start.euid = process->euid;
	exec->start.egid = process->egid;
	if (process->no_new_privs)
		return;
	if (inode->mode & S_ISUID)
		exec->start.euid = inode->uid;
	/* Without group execution the bit means mandatory locking. */
	if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		exec->start.egid = inode->gid;
	exec->set_id = exec->start.euid != process->euid || exec->start.egid != process->egid;
}

/* PT_INTERP's program. Whatever is wrong with its contents is ELIBBAD. */
static int load_interpreter(struct exec *exec)
{
	struct mem_space *space = exec->space;
	struct file *file = NULL;
	uintptr_t size, base;
	char *name;
	int error = elf_interpreter_name(exec->file, &exec->image, &name);

	if (error)
		return error;
	error = file_open_exec(name, &file);
	kfree(name);
	if (error)
		return error;
	error = elf_read(file, &exec->interpreter);
	if (error) {
		error = error == -ENOEXEC ? -ELIBBAD : error;
		goto put_file;
	}
	size = exec->interpreter.end - exec->interpreter.beg;
	rw_read_lock(&space->lock);
	base = find_free_mem_range(&space->zones, size, USER_SPACE_BEGIN, space->mmap_top);
	rw_read_unlock(&space->lock);
	if (exec->interpreter.header.e_type == ET_EXEC)
		base = exec->interpreter.beg;
	error = base ? elf_map(space, file, &exec->interpreter, base - exec->interpreter.beg)
		     : -ENOMEM;
	exec->start.interpreter_base = exec->interpreter.bias;
	exec->entry = exec->interpreter.header.e_entry + exec->interpreter.bias;
put_file:
	file_put(file); /* the mappings hold it */
	return error;
}

static int load_program(struct exec *exec)
{
	struct elf_image *image = &exec->image;
	uintptr_t bias = 0;
	int error;

	if (image->header.e_type == ET_DYN)
		bias = ALIGN_DOWN(PROGRAM_BASE, image->alignment) - image->beg;
	error = elf_map(exec->space, exec->file, image, bias);
	if (error)
		return error;
	mem_set_brk(exec->space, image->end + bias);
	exec->entry = image->header.e_entry + bias;
	return image->interpreter ? load_interpreter(exec) : 0;
}

static int exec_build(struct exec *exec)
{
	int error = elf_read(exec->file, &exec->image);

	if (error)
		return error;
	error = mem_space_create(&exec->space);
	if (error)
		return error;
	exec_choose_ids(exec);
	exec->start.args = &exec->args;
	exec->start.name = exec->path;
	exec->start.image = &exec->image;
	error = exec_stack_map(exec->space, &exec->start);
	if (!error)
		error = load_program(exec);
	if (!error && exec->entry >= USER_SPACE_END)
		error = -ENOEXEC;
	if (!error)
		error = exec_stack_fill(exec->space, &exec->start, &exec->sp);
	exec->space->exe = exec->file; /* the reference too */
	exec->file = NULL;
	return error;
}

/* The thread that execs becomes the first one: its number is the process's. */
static void become_leader(struct task *task)
{
	struct process *process = task->process;

	spin_lock(&task_tree_lock);
	if (task->tid != process->pid) {
		task_id_find(task->tid)->task = NULL;
		task_id_find(process->pid)->task = task;
		task->tid = process->pid;
	}
	spin_unlock(&task_tree_lock);
}

static void switch_space(struct exec *exec)
{
	struct task *task = current_task();
	struct mem_space *old = task->space;

	if (old)
		task_leave_space(task);
	(void)task_set_space(exec->space);
	exec->space = NULL;
	futex_task_begin(task);
	task_vfork_release(task);
	if (old) {
		process_note_peak(task->process, old);
		mem_space_put_user(old);
	}
}

static void set_ids(const struct exec *exec)
{
	struct process *process = current_process();

	spin_lock(&process->signal_lock);
	process->euid = process->suid = exec->start.euid;
	process->egid = process->sgid = exec->start.egid;
	process->not_dumpable = exec->set_id;
	if (exec->set_id)
		process->death_signal = 0;
	spin_unlock(&process->signal_lock);
}

static void set_name(struct task *task, const char *path)
{
	const char *slash = strrchr(path, '/');

	strlcpy(task->name, slash ? slash + 1 : path, sizeof(task->name));
}

static void set_registers(struct task *task, const struct exec *exec)
{
	struct trap_frame *frame = task->user_frame;

	*frame = (struct trap_frame){
		.vector = TRAP_VECTOR_REPLACED,
		.rip = exec->entry,
		.cs = SELECTOR_USER_CODE,
		.rflags = RFLAGS_START,
		.rsp = exec->sp,
		.ss = SELECTOR_USER_DATA,
	};
	preempt_disable(); /* a switch in between would save the old state over the new */
	task->fs_base = task->gs_base = 0;
	msr_write(MSR_FS_BASE, 0);
	msr_write(MSR_KERNEL_GS_BASE, 0);
	fpu_reset(task->fpu_state);
	fpu_restore(task->fpu_state);
	preempt_enable();
}

static int exec_commit(struct exec *exec)
{
	struct task *task = current_task();
	struct process *process = task->process;
	int error = process_kill_other_threads();

	if (error)
		return error;
	/*
	 * After the threads, who share it: an owner of record locks keeps them. There is no way
	 * back now.
	 */
	error = file_table_unshare();
	if (error) {
		(void)signal_send_process(process, SIGKILL, NULL);
		return error;
	}
	switch_space(exec); /* robust futexes still know the thread by its old number */
	become_leader(task);
	set_ids(exec);
	set_name(task, exec->path);
	signal_reset_handlers(process);
	task->alt_stack = (struct signal_stack){.flags = SS_DISABLE};
	file_table_close_on_exec(task->files);
	spin_lock(&task_tree_lock);
	process->executed = true;
	process->exit_signal = SIGCHLD; /* whatever clone was told */
	spin_unlock(&task_tree_lock);
	set_registers(task, exec);
	return 0;
}

static int exec_run(struct exec *exec)
{
	int error = exec_open(exec);

	if (!error)
		error = exec_build(exec);
	if (!error)
		error = exec_commit(exec);
	return error;
}

/* NULL: no memory. */
static struct exec *exec_new(void)
{
	struct exec *exec = kzalloc(sizeof(*exec));

	if (!exec)
		return NULL;
	exec->path = kmalloc(PATH_MAX);
	if (!exec->path) {
		kfree(exec);
		return NULL;
	}
	exec_args_init(&exec->args, process_limit(RLIMIT_STACK));
	return exec;
}

int exec_kernel(const char *path, const char *const *argv, const char *const *envp)
{
	struct exec *exec = exec_new();
	int error;

	if (!exec)
		return -ENOMEM;
	strlcpy(exec->path, path, PATH_MAX);
	error = exec_args_set(&exec->args, argv, envp);
	if (!error)
		error = exec_run(exec);
	exec_free(exec);
	return error;
}

long sys_execve(uintptr_t path, uintptr_t argv, uintptr_t envp)
{
	struct exec *exec = exec_new();
	ssize_t length;
	int error = 0;

	if (!exec)
		return -ENOMEM;
	length = copy_string_from_user(exec->path, path, PATH_MAX);
	if (length <= 0)
		error = length ? (int)length : -ENOENT;
	if (!error)
		error = exec_args_read(&exec->args, argv, envp);
	if (!error)
		error = exec_run(exec);
	exec_free(exec);
	return error;
}
