"""Threads as each C library makes them: the same program, built in every way, here and in stos."""

import subprocess

import pytest
from command import run

THREADS = r"""
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 500 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_key_t key;
static sem_t semaphore;
static long counter, turn, destroyed, cleaned;
static __thread long local = 7;

static void destroy(void *value) { __atomic_add_fetch(&destroyed, (long)value, __ATOMIC_SEQ_CST); }
static void clean(void *unused) { __atomic_add_fetch(&cleaned, 1, __ATOMIC_SEQ_CST); (void)unused; }

static void *work(void *number)
{
	long own = (long)number;
	int status;
	pid_t pid;

	local += own;
	pthread_setspecific(key, (void *)(own + 1));
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
		pthread_rwlock_rdlock(&rwlock);
		pthread_rwlock_unlock(&rwlock);
		char *memory = malloc(100 + own * 1000 + i);
		memset(memory, (int)own, 100);
		if (memory[99] != own)
			abort();
		free(memory);
	}
	pthread_mutex_lock(&mutex);
	while (turn != own)
		pthread_cond_wait(&changed, &mutex);
	printf("thread %ld has %ld\n", own, local);
	turn++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	pid = fork();
	if (pid == 0)
		_exit((int)local);
	waitpid(pid, &status, 0);
	sem_post(&semaphore);
	return (void *)(long)(WEXITSTATUS(status) == local ? own * own : -1);
}

static void *sleep_forever(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	for (;;)
		pause();
	pthread_cleanup_pop(1);
	return unused;
}

static void *quick(void *number) { return number; }

static int run(void)
{
	pthread_t threads[THREADS], thread;
	pthread_attr_t attributes;
	void *result;
	long sum = 0;

	pthread_key_create(&key, destroy);
	sem_init(&semaphore, 0, 0);
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i))
			return 1;
	for (int i = 0; i < THREADS; i++)
		sem_wait(&semaphore);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		sum += (long)result;
	}
	printf("%ld counted, %ld destroyed, sum %ld, own %ld\n", counter, destroyed, sum, local);
	pthread_create(&thread, NULL, sleep_forever, NULL);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	printf("cancelled: %d\n", result == PTHREAD_CANCELED);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 1 << 20);
	for (long i = 0; i < 1000; i++)
		if (pthread_create(&thread, &attributes, quick, (void *)i) ||
		    pthread_join(thread, &result) || (long)result != i)
			return 2;
	printf("a thousand in turn\n");
	return 0;
}

static void *leave(void *unused)
{
	fflush(stdout);
	exit(run() ?: 42);
	return unused;
}

/* The first thread leaves; all is done, and ended, by another. */
int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, leave, NULL);
	pthread_exit(NULL);
}
"""
BUILDS = {
    # pthread_exit and pthread_cancel load this library by name.
    "glibc": ["gcc", "-Wl,--no-as-needed", "-lgcc_s"],
    "glibc-static": ["gcc", "-static"],
    "glibc-static-pie": ["gcc", "-static-pie"],
    "musl": ["musl-gcc"],
    "musl-static": ["musl-gcc", "-static"],
}


@pytest.mark.parametrize("build", BUILDS)
def test_threads(build, tmp_path):
    (tmp_path / "threads.c").write_text(THREADS)
    threads = tmp_path / "threads"
    compiler, *options = BUILDS[build]
    subprocess.run([compiler, "-O2", "-pthread", "-o", threads, tmp_path / "threads.c", *options],
                   check=True)
    here = subprocess.run([threads], capture_output=True)
    assert here.returncode == 42
    there = run("--add", f"{threads}:/threads", "--add-libs", threads, program=["/threads"])
    assert (there.returncode, there.stdout) == (here.returncode, here.stdout), there.stderr
