/*
 * tests/host/include_tasks/kernel/task.h - the host's stand-in for kernel/task.h where the tasks
 * of a test are threads that sleep and wake each other (test_sleep_locks.c).
 */
#pragma once

#include <kernel/base/wait.h>
#include <pthread.h>

enum task_state { TASK_RUNNABLE, TASK_SLEEPING };

struct task {
	_Atomic uint32_t state;
	enum wait_mode wait_mode;
	pthread_mutex_t mutex; /* with `woken`: how the thread sleeps */
	pthread_cond_t woken;
} __attribute__((aligned(16)));
