/*
 * fs/file_table.h - descriptors: small numbers to open files. Shared by CLONE_FILES.
 *
 * task->files belongs to its task, which alone changes the pointer, under task_tree_lock (so
 * that file_table_of may look at other tasks). What fork, exec and exit need is in fs/file.h.
 */
#pragma once

#include <fs/file.h>

struct process;

struct file_table {
	_Atomic uint32_t users;  /* tasks; with the last all files are closed */
	_Atomic uint32_t holders; /* /proc's readers, and the users as one: the last frees it */
	struct spinlock lock;    /* RANK_FILES: everything below */
	unsigned capacity;       /* slots, a multiple of 64 */
	unsigned lowest_free;    /* no free slot below it */
	struct file **files;     /* NULL: free, or reserved */
	uint64_t *used;          /* bitmap: open or reserved */
	uint64_t *close_on_exec; /* bitmap */
};

must_check int file_table_create(struct file_table **table);

/* All of the following but the last group are about the calling task's table. */

/*
 * The lowest free descriptor >= min becomes `file` (takes over the caller's reference). flags:
 * O_CLOEXEC. The descriptor, -EMFILE (RLIMIT_NOFILE; the caller keeps the reference), -ENOMEM.
 */
must_check int file_table_install(struct file *file, uint32_t flags, unsigned min);
/* The same in two steps, so that nothing has to be undone: reserve, then fill or give back. */
must_check int file_table_reserve(uint32_t flags, unsigned min);
void file_table_fill(int descriptor, struct file *file);
void file_table_unreserve(int descriptor);
/* dup2: `descriptor` becomes `file` (takes over the reference on success), closing what it was. */
must_check int file_table_replace(int descriptor, struct file *file, uint32_t flags);
/* close(2): 0 or -EBADF. */
must_check int file_table_close(int descriptor);
/* close_range(2): closes first..last; with cloexec, marks them instead. */
void file_table_close_range(unsigned first, unsigned last, bool cloexec);
/* The calling task gets a table of its own (CLOSE_RANGE_UNSHARE): 0 or -ENOMEM. */
must_check int file_table_unshare(void);
/* FD_CLOEXEC: 0 or 1, -EBADF. */
must_check int file_table_get_cloexec(int descriptor);
must_check int file_table_set_cloexec(int descriptor, bool cloexec);

/*
 * A file for the length of one system call, without touching its count where no other task
 * shares the table. file_borrow: false is EBADF. O_PATH files too.
 */
struct borrowed_file {
	struct file *file;
	bool counted;
};
must_check bool file_borrow(int descriptor, struct borrowed_file *borrowed);
static inline void file_return(struct borrowed_file *borrowed)
{
	if (borrowed->counted)
		file_put(borrowed->file);
}

/*
 * For /proc: the table of a process's first living thread, held, or NULL. Its files are closed when
 * its users are gone, however long it is held. Never sleeps.
 */
struct file_table *file_table_of(struct process *process);
void file_table_drop(struct file_table *table);
/* An open file of that table with a reference, or NULL. */
struct file *file_table_find(struct file_table *table, unsigned descriptor);
/* The lowest open descriptor >= from, or -1. */
int file_table_next(struct file_table *table, unsigned from);
/* Whether it is close-on-exec (O_CLOEXEC or 0), for fdinfo. */
uint32_t file_table_flags(struct file_table *table, unsigned descriptor);
