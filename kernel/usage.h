/*
 * kernel/usage.h - what threads, processes and waited-for children used: getrusage(2), wait4(2),
 * times(2).
 */
#pragma once

#include <kernel/task.h>

struct mem_space;

struct usage {
	struct cpu_time time;
	uint64_t minor_faults, major_faults;
	uint64_t voluntary, involuntary; /* switches */
	uint64_t peak_pages;		 /* resident */
};

/* Of all threads of a process, the ended ones too; without its children. */
struct usage usage_of_process(struct process *process) REQUIRES(task_tree_lock);
/* Of a process's waited-for children. */
struct usage usage_of_children(const struct process *process) REQUIRES(task_tree_lock);
/* Of the calling thread. */
struct usage usage_of_thread(void);
/* A child was waited for: its usage and its children's are now among the parent's children's. */
void usage_add_child(struct process *parent, struct process *child) REQUIRES(task_tree_lock);
/* The process is about to leave `space`: what is resident in it counts. */
void process_note_peak(struct process *process, struct mem_space *space);

void usage_to_abi(const struct usage *usage, struct rusage *rusage);
