/* kernel/init_task.c - from the kernel's first task to the first program: see init_task.h. */
#include <fs/fs.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <kernel/cmdline.h>
#include <kernel/exec.h>
#include <kernel/init_task.h>
#include <kernel/task_private.h>
#include <linux/limits.h>
#include <mm/heap.h>

#define INIT_DEFAULT "/sbin/init"

static const char *const environment[] = {
	"HOME=/",
	"TERM=linux",
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	NULL,
};

/* As after a trap: trap_entry.asm:trap_return_user takes the frame at the stack pointer. */
static noreturn_fn void enter_user_mode(void)
{
	irq_disable();
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "jmp trap_return_user"
			 :
			 : "r"(current_task()->user_frame)
			 : "memory");
	__builtin_unreachable();
}

void init_start(void)
{
	char *path = kmalloc(PATH_MAX);
	const char *program;
	int error;

	if (!path)
		panic("no memory to start init");
	itimer_init();
	program = cmdline_get("init", path, PATH_MAX);
	if (!program || !*program)
		program = INIT_DEFAULT;
	error = fs_open_console();
	if (error)
		panic("/dev/console cannot be opened: error %d", -error);

	const char *argv[] = {program, NULL};

	log_info("starting %s", program);
	error = exec_kernel(program, argv, environment);
	if (error)
		panic("init: %s cannot be started: error %d (init= names another)", program,
		      -error);
	kfree(path);
	enter_user_mode();
}
