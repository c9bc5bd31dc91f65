/*
 * fs/procfs_private.h - between the files of procfs (proc(5)).
 *
 * Every name in /proc is a row of a table (struct proc_entry). Its inode's data is a struct
 * proc_node: the row, and which process, thread or descriptor the inode is about.
 */
#pragma once

#include <fs/dentry.h>
#include <fs/file.h>
#include <fs/mount.h>
#include <fs/text.h>
#include <kernel/task.h>

struct mem_zone;
struct proc_node;

struct proc_entry {
	const char *name;
	uint32_t mode; /* type and permission bits */
	/* A text file: writes what it shows. 0 or -errno. NULL: see the operations. */
	int (*show)(struct text *text, const struct proc_node *node);
	const struct file_operations *file_ops; /* files that are no text, directories */
	const struct inode_operations *ops;     /* directories, links */
	bool guarded; /* a text for those alone who may access the process's memory: else EACCES */
};

struct proc_node {
	const struct proc_entry *entry; /* [I] NULL: a directory or link made by the code */
	struct process *process;        /* [I] a reference; NULL: about the whole system */
	int tid;                        /* [I] a thread of it; 0: the process as a whole */
	unsigned descriptor;            /* [I] of fd/N and fdinfo/N */
};

static inline struct proc_node *proc_node_of(const struct inode *inode)
{
	return inode->data;
}

/* procfs.c */

/*
 * An inode for a name below /proc/<pid>, about the same process and thread as `dir` is. Becomes
 * `dentry`'s. 0 or -ENOMEM.
 */
must_check int proc_attach(struct dentry *dentry, const struct proc_node *node, uint32_t mode,
			   const struct inode_operations *ops,
			   const struct file_operations *file_ops);
/* The same for a row of a table. */
must_check int proc_attach_entry(struct dentry *dentry, const struct proc_node *dir,
				 const struct proc_entry *entry);
/* inode_operations.release of everything proc_attach made. */
void proc_node_release(struct inode *inode);
/* A decimal number without sign or leading zeros, below INT_MAX; else -1. */
int proc_parse_number(const struct dentry *dentry);
/* Puts "N" and moves on; false when there is no more room. */
bool proc_put_number(struct dir_context *context, unsigned number, uint64_t inode, unsigned type,
		     uint64_t next_position);
/* "." and "..": false when there is no more room. Positions below 2 are theirs. */
bool proc_put_dots(struct file *file, struct dir_context *context);
/* Fixed files of the whole system below `parent`. 0 or -ENOMEM. */
must_check int proc_add_files(struct dentry *parent, const struct proc_entry *entries,
			      size_t count);
/* file_operations of text files. */
extern const struct file_operations proc_text_operations;

/* procfs_process.c */
extern const struct inode_operations proc_process_dir_operations;
extern const struct file_operations proc_process_dir_file_operations;
extern const struct inode_operations proc_threads_dir_operations;
extern const struct file_operations proc_threads_dir_file_operations;
/* The name still leads to that process. */
bool proc_process_valid(const struct inode *inode);
/* The thread a node is about, the first one for a process; with a reference, or NULL. */
struct task *proc_node_task(const struct proc_node *node);

/* procfs_fd.c */
extern const struct inode_operations proc_fd_dir_operations;
extern const struct file_operations proc_fd_dir_file_operations;
extern const struct inode_operations proc_fdinfo_dir_operations;
extern const struct file_operations proc_fdinfo_dir_file_operations;
extern const struct inode_operations proc_exe_operations, proc_cwd_operations, proc_root_operations;

/* procfs_status.c */
int proc_show_stat(struct text *text, const struct proc_node *node);
int proc_show_statm(struct text *text, const struct proc_node *node);
int proc_show_status(struct text *text, const struct proc_node *node);
int proc_show_comm(struct text *text, const struct proc_node *node);
int proc_show_cmdline(struct text *text, const struct proc_node *node);
int proc_show_environ(struct text *text, const struct proc_node *node);
int proc_show_limits(struct text *text, const struct proc_node *node);

/* procfs_memory.c */
struct proc_memory {
	uint64_t total_pages, peak_pages, locked_pages;     /* mapped */
	uint64_t anon_pages, file_pages, table_pages;       /* resident */
	uint64_t shmem_pages;                               /* of file_pages */
	uint64_t peak_resident_pages;
	uint64_t data_pages, stack_pages, text_pages, library_pages; /* mapped, by kind */
	uintptr_t code_beg, code_end, data_beg, data_end;   /* the program's, by its zones */
	uintptr_t stack_top, brk_beg, arg_beg, arg_end, env_beg, env_end;
};
/* All zero for a process without memory. */
void proc_memory_read(struct process *process, struct proc_memory *memory);
/* Called with the space locked for reading. */
typedef void (*proc_zone_usage_fn)(struct text *text, struct mem_space *space,
				   const struct mem_zone *zone);
/* A line of maps for each zone and, unless NULL, what `show_usage` adds to it. 0 or -ENOMEM. */
int proc_show_zones(struct text *text, struct process *process, proc_zone_usage_fn show_usage);
int proc_show_maps(struct text *text, const struct proc_node *node);
int proc_show_faults(struct text *text, const struct proc_node *node);
extern const struct file_operations proc_pagemap_operations;

/* procfs_smaps.c */
int proc_show_smaps(struct text *text, const struct proc_node *node);
int proc_show_smaps_rollup(struct text *text, const struct proc_node *node);

/* procfs_vmstat.c */
int proc_show_meminfo(struct text *text, const struct proc_node *node);
int proc_show_vmstat(struct text *text, const struct proc_node *node);

/* procfs_mem.c */
extern const struct file_operations proc_mem_operations;

/* sysv_shm.c: /proc/sysvipc/shm */
int proc_show_sysv_shm(struct text *text, const struct proc_node *node);

/* procfs_processors.c: interrupts taken by all processors since boot. */
uint64_t proc_interrupt_count(void);

/* procfs_mounts.c */
int proc_show_mounts(struct text *text, const struct proc_node *node);
int proc_show_mountinfo(struct text *text, const struct proc_node *node);
int proc_show_filesystems(struct text *text, const struct proc_node *node);

/*
 * procfs_system.c, procfs_processors.c, procfs_sys.c: their part of the fixed tree. 0 or -ENOMEM.
 */
must_check int proc_system_init(struct dentry *root);
must_check int proc_processors_init(struct dentry *root);
must_check int proc_sys_init(struct dentry *root);
