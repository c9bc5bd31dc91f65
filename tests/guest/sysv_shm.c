/*
 * sysv_shm.c - System V shared memory: shmget, shmat, shmdt, shmctl, and who holds a segment.
 *
 * Each case that makes segments removes them; what a failed case leaves is found by ipcs(1).
 */
#include "tap.h"

#include "helpers.h"

#include <sys/shm.h>

#ifndef SHM_DEST
#define SHM_DEST 01000
#endif
#define SIZE (3 * PAGE)
#define NOBODY 65534

#define make_segment(bytes, mode) tap_make_segment(HERE, bytes, mode)
static int tap_make_segment(struct tap_where where, size_t bytes, int mode)
{
	int id = shmget(IPC_PRIVATE, bytes, mode);

	if (id < 0)
		tap_fail(where, "no segment: %s", tap_errno_name(errno));
	return id;
}

#define attach(id, flags) tap_attach(HERE, id, flags)
static char *tap_attach(struct tap_where where, int id, int flags)
{
	char *memory = shmat(id, NULL, flags);

	if (memory == (char *)-1)
		tap_fail(where, "shmat failed with %s", tap_errno_name(errno));
	return memory;
}

#define stat_of(id) tap_stat(HERE, id)
static struct shmid_ds tap_stat(struct tap_where where, int id)
{
	struct shmid_ds status;

	if (shmctl(id, IPC_STAT, &status) < 0)
		tap_fail(where, "IPC_STAT failed with %s", tap_errno_name(errno));
	return status;
}

/* A key that nobody has. */
static key_t free_key(void)
{
	key_t key = 0x53740000 ^ getpid();

	while (shmget(key, 0, 0) >= 0 || errno != ENOENT)
		key++;
	return key;
}

static void one_memory_for_all(void)
{
	int id = make_segment(SIZE - 5, 0600);
	char *one = attach(id, 0), *two = attach(id, 0), *reader = attach(id, SHM_RDONLY);
	pid_t pid;

	expect_filled(one, 0, SIZE);
	poke(one + PAGE, 7);
	expect_equal(peek(two + PAGE), 7);
	expect_equal(peek(reader + PAGE), 7);
	expect_write_kills(reader, SIGSEGV);
	expect_errno(mprotect(reader, PAGE, PROT_READ | PROT_WRITE), EACCES);
	pid = fork_child();
	if (pid == 0) {
		poke(one, 9);
		/* By its number it is found from anywhere. */
		expect_equal(peek(attach(id, 0) + PAGE), 7);
		_exit(0);
	}
	expect_exit(pid, 0);
	expect_equal(peek(two), 9);
	expect(shmdt(one) == 0 && shmdt(two) == 0 && shmdt(reader) == 0);
	/* Without an attach it keeps its contents. */
	one = attach(id, 0);
	expect_equal(peek(one), 9);
	expect_write_kills(one + SIZE, SIGSEGV);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void keys(void)
{
	key_t key = free_key();
	int id, other;

	expect_errno(shmget(key, SIZE, 0600), ENOENT);
	expect_errno(shmget(key, 0, IPC_CREAT | 0600), EINVAL);
	expect_errno(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	expect_errno(shmget(IPC_PRIVATE, SIZE_MAX, 0600), EINVAL);
	id = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600);
	expect(id >= 0);
	expect_equal(shmget(key, SIZE, 0600), id);
	expect_equal(shmget(key, 1, IPC_CREAT | 0600), id);
	expect_equal(shmget(key, 0, 0), id);
	expect_errno(shmget(key, SIZE + 1, 0600), EINVAL);
	expect_errno(shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	other = make_segment(SIZE, 0600);
	expect(other != id);
	expect(shmctl(other, IPC_RMID, NULL) == 0);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
	expect_errno(shmget(key, SIZE, 0600), ENOENT);
	expect_errno(shmctl(id, IPC_RMID, NULL), EINVAL);
}

static void a_number_is_not_used_again_at_once(void)
{
	int first = make_segment(PAGE, 0600), second;

	expect(shmctl(first, IPC_RMID, NULL) == 0);
	second = make_segment(PAGE, 0600);
	expect(second != first);
	expect_errno(shmat(first, NULL, 0), EINVAL);
	expect(shmctl(second, IPC_RMID, NULL) == 0);
}

static void where_to_attach(void)
{
	int id = make_segment(SIZE, 0600);
	char *place = free_range(8 * PAGE), *blocked;

	expect_errno(shmat(-1, NULL, 0), EINVAL);
	expect_errno(shmat(id, place + 1, 0), EINVAL);
	expect_errno(shmat(id, NULL, SHM_REMAP), EINVAL);
	expect_errno(shmat(id, (void *)-1, SHM_RND), EINVAL); /* the end would wrap around */
	expect_errno(shmat(id, (void *)(-16 * PAGE), 0), ENOMEM);
	expect(shmat(id, place + PAGE, 0) == place + PAGE);
	expect(shmdt(place + PAGE) == 0);
	expect(shmat(id, place + PAGE + 99, SHM_RND) == place + PAGE);
	expect_errno(shmat(id, place + 3 * PAGE, 0), EINVAL);
	expect_errno(shmat(id, place, 0), EINVAL);
	expect(shmdt(place + PAGE) == 0);
	blocked = map_fixed(place + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	poke(blocked, 1);
	expect_errno(shmat(id, place, 0), EINVAL);
	expect(shmat(id, place, SHM_REMAP) == place);
	expect_equal(peek(blocked), 0);
	expect_zone(place, SIZE, "rw-s");
	expect_errno(shmdt(place + 1), EINVAL);
	expect_errno(shmdt(place + PAGE), EINVAL);
	expect(shmdt(place) == 0);
	expect_errno(shmdt(place), EINVAL);
	expect_errno(shmdt(NULL), EINVAL);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void rights_of_an_attach(void)
{
	int id = make_segment(SIZE, 0700);
	char *reader = attach(id, SHM_RDONLY), *program = attach(id, SHM_EXEC);

	expect_zone(reader, SIZE, "r--s");
	expect_zone(program, SIZE, "rwxs");
	expect(shmdt(reader) == 0);
	reader = attach(id, SHM_RDONLY | SHM_EXEC);
	expect_zone(reader, SIZE, "r-xs");
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void what_is_left_is_detached(void)
{
	int id = make_segment(4 * PAGE, 0600);
	char *memory = attach(id, 0), *other;

	expect(munmap(memory + PAGE, PAGE) == 0);
	expect(mprotect(memory + 3 * PAGE, PAGE, PROT_READ) == 0);
	expect_equal(stat_of(id).shm_nattch, 3);
	other = map_fixed(memory + PAGE, PAGE, PROT_READ);
	expect(shmdt(memory) == 0);
	expect_equal(stat_of(id).shm_nattch, 0);
	expect_equal(peek(other), 0);
	expect_read_kills(memory, SIGSEGV);
	expect_read_kills(memory + 3 * PAGE, SIGSEGV);
	/* The beginning is gone, the address is still the right one. */
	memory = attach(id, 0);
	expect(munmap(memory, PAGE) == 0);
	expect(shmdt(memory) == 0);
	expect_equal(stat_of(id).shm_nattch, 0);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

/* Parts that were made alike again still count each. */
static void parts_stay_parts(void)
{
	int id = make_segment(4 * PAGE, 0600);
	char *memory = attach(id, 0);

	expect(mprotect(memory + PAGE, PAGE, PROT_READ) == 0);
	expect_equal(stat_of(id).shm_nattch, 3);
	expect(mprotect(memory + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	expect_equal(stat_of(id).shm_nattch, 3);
	expect_zone(memory + PAGE, PAGE, "rw-s");
	expect(mlock(memory, 2 * PAGE) == 0 && munlock(memory, 4 * PAGE) == 0);
	expect_equal(stat_of(id).shm_nattch, 3);
	expect(mremap(memory, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, free_range(PAGE)) !=
	       MAP_FAILED);
	expect_equal(stat_of(id).shm_nattch, 3);
	expect(munmap(memory + PAGE, 2 * PAGE) == 0);
	expect_equal(stat_of(id).shm_nattch, 2);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void attaches_are_counted(void)
{
	int id = make_segment(SIZE, 0600);
	char *memory = attach(id, 0);
	struct gate ready, end;
	pid_t pid;

	expect_equal(stat_of(id).shm_nattch, 1);
	gate_make(&ready);
	gate_make(&end);
	pid = fork_child();
	if (pid == 0) {
		gate_open(&ready);
		gate_pass(&end);
		_exit(0);
	}
	gate_pass(&ready);
	expect_equal(stat_of(id).shm_nattch, 2);
	gate_open(&end);
	expect_exit(pid, 0);
	expect_equal(stat_of(id).shm_nattch, 1);
	expect_equal(stat_of(id).shm_lpid, pid);
	pid = fork_child();
	if (pid == 0) {
		char *const none[] = {NULL};

		execve("/proc/self/exe", (char *[]){"sysv_shm", "exec", NULL}, none);
		_exit(99);
	}
	expect_exit(pid, 0);
	expect_equal(stat_of(id).shm_nattch, 1);
	expect(shmdt(memory) == 0);
	expect_equal(stat_of(id).shm_nattch, 0);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void removed_with_the_last_detach(void)
{
	key_t key = free_key();
	int id = shmget(key, SIZE, IPC_CREAT | 0600), other;
	char *memory = attach(id, 0), *again;

	poke(memory, 5);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
	/* Found no more by its key, but by its number. */
	expect_errno(shmget(key, SIZE, 0), ENOENT);
	expect_equal(stat_of(id).shm_perm.mode, SHM_DEST | 0600);
	expect_equal(stat_of(id).shm_perm.__key, IPC_PRIVATE);
	again = attach(id, 0);
	expect_equal(peek(again), 5);
	other = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600);
	expect(other >= 0 && other != id);
	expect(shmctl(other, IPC_RMID, NULL) == 0);
	expect(shmdt(memory) == 0);
	expect_equal(peek(again), 5);
	expect(shmdt(again) == 0);
	expect_errno(shmctl(id, IPC_STAT, &(struct shmid_ds){0}), EINVAL);
	expect_errno(shmat(id, NULL, 0), EINVAL);
}

static void what_stat_tells(void)
{
	time_t before = time(NULL);
	int id = make_segment(SIZE - 1, 0640);
	struct shmid_ds status = stat_of(id);
	char *memory;

	expect_equal(status.shm_segsz, SIZE - 1);
	expect_equal(status.shm_perm.mode, 0640);
	expect_equal(status.shm_perm.uid, geteuid());
	expect_equal(status.shm_perm.cuid, geteuid());
	expect_equal(status.shm_perm.gid, getegid());
	expect_equal(status.shm_perm.__key, IPC_PRIVATE);
	expect_equal(status.shm_cpid, getpid());
	expect_equal(status.shm_lpid, 0);
	expect_equal(status.shm_nattch, 0);
	expect_equal(status.shm_atime, 0);
	expect_equal(status.shm_dtime, 0);
	expect(status.shm_ctime >= before && status.shm_ctime <= time(NULL));
	memory = attach(id, 0);
	status = stat_of(id);
	expect_equal(status.shm_lpid, getpid());
	expect(status.shm_atime >= before && status.shm_dtime == 0);
	expect(shmdt(memory) == 0);
	expect(stat_of(id).shm_dtime >= before);
	status.shm_perm.mode = 0604;
	status.shm_perm.uid = 12;
	status.shm_perm.gid = 34;
	expect(shmctl(id, IPC_SET, &status) == 0);
	status = stat_of(id);
	expect_equal(status.shm_perm.mode, 0604);
	expect_equal(status.shm_perm.uid, 12);
	expect_equal(status.shm_perm.gid, 34);
	expect_equal(status.shm_perm.cuid, geteuid());
	status.shm_perm.uid = (uid_t)-1;
	expect_errno(shmctl(id, IPC_SET, &status), EINVAL);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void bad_control_calls(void)
{
	int id = make_segment(SIZE, 0600);
	struct shmid_ds status;

	expect_errno(shmctl(-1, IPC_STAT, &status), EINVAL);
	expect_errno(shmctl(id + 1, IPC_STAT, &status), EINVAL);
	expect_errno(shmctl(id, 77, &status), EINVAL);
	expect_errno(shmctl(id, -1, &status), EINVAL);
	expect_errno(shmctl(id, IPC_STAT, (struct shmid_ds *)8), EFAULT);
	expect_errno(shmctl(id, IPC_SET, (struct shmid_ds *)8), EFAULT);
	expect_errno(shmctl(0, IPC_INFO, (struct shmid_ds *)8), EFAULT);
	expect_errno(shmctl(0, SHM_INFO, (struct shmid_ds *)8), EFAULT);
	expect_errno(shmctl(4095, SHM_STAT, &status), EINVAL);
	expect(shmctl(id, SHM_LOCK, NULL) == 0);
	expect_equal(stat_of(id).shm_perm.mode, 02600);
	expect(shmctl(id, SHM_UNLOCK, NULL) == 0);
	expect_equal(stat_of(id).shm_perm.mode, 0600);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void limits_and_sums(void)
{
	struct shminfo limits;
	struct shm_info before, now;
	struct shmid_ds status;
	int id, highest;
	bool found = false;
	char *memory;

	expect(shmctl(0, IPC_INFO, (struct shmid_ds *)&limits) >= 0);
	expect_equal(limits.shmmni, 4096);
	expect_equal(limits.shmmin, 1);
	expect_equal(limits.shmmax, -1 - (1l << 24));
	expect_equal(limits.shmall, -1 - (1l << 24));
	expect(shmctl(0, SHM_INFO, (struct shmid_ds *)&before) >= 0);
	id = make_segment(SIZE - 1, 0600);
	memory = attach(id, 0);
	poke(memory, 1);
	highest = shmctl(0, SHM_INFO, (struct shmid_ds *)&now);
	expect(highest >= 0);
	expect_equal(now.used_ids - before.used_ids, 1);
	expect_equal(now.shm_tot - before.shm_tot, 3);
	expect_equal(now.shm_rss - before.shm_rss, 1);
	for (int i = 0; i <= highest; i++)
		found |= shmctl(i, SHM_STAT, &status) == id && status.shm_segsz == SIZE - 1;
	expect(found);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void as_nobody(int id)
{
	struct shmid_ds status;

	expect(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	expect_errno(shmat(id, NULL, 0), EACCES);
	expect_errno(shmat(id, NULL, SHM_RDONLY | SHM_EXEC), EACCES);
	expect(peek(attach(id, SHM_RDONLY)) == 0);
	expect(shmctl(id, IPC_STAT, &status) == 0);
	expect_errno(shmctl(id, IPC_SET, &status), EPERM);
	expect_errno(shmctl(id, IPC_RMID, NULL), EPERM);
	expect_errno(shmctl(id, SHM_LOCK, NULL), EPERM);
	expect_errno(shmctl(id, SHM_UNLOCK, NULL), EPERM);
}

static void permissions(void)
{
	key_t key = free_key();
	int id = shmget(key, SIZE, IPC_CREAT | 0604);
	struct shmid_ds status;
	pid_t pid;

	if (geteuid() != 0)
		tap_skip("not root");
	pid = fork_child();
	if (pid == 0) {
		as_nobody(id);
		expect_errno(shmget(key, 0, 0600), EACCES);
		expect_equal(shmget(key, 0, 0400), id);
		_exit(0);
	}
	expect_exit(pid, 0);
	status = stat_of(id);
	status.shm_perm.mode = 0060;
	expect(shmctl(id, IPC_SET, &status) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect(setresgid(NOBODY, NOBODY, NOBODY) == 0);
		expect(setresuid(NOBODY, NOBODY, NOBODY) == 0);
		expect_errno(shmctl(id, IPC_STAT, &status), EACCES);
		expect_errno(shmat(id, NULL, SHM_RDONLY), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
	status.shm_perm.gid = NOBODY;
	expect(shmctl(id, IPC_SET, &status) == 0);
	pid = fork_child();
	if (pid == 0) {
		expect(setresgid(NOBODY, NOBODY, NOBODY) == 0);
		expect(setresuid(NOBODY, NOBODY, NOBODY) == 0);
		poke(attach(id, 0), 1);
		_exit(0);
	}
	expect_exit(pid, 0);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void in_proc(void)
{
	static char text[65536];
	int id = make_segment(SIZE, 0600), seen;
	char *memory = attach(id, 0), *line, name[32];
	struct map_line map;
	unsigned long size;

	expect(maps_find(memory, &map));
	expect_equal(map.inode, id);
	check(map.path, strcmp(map.path, "/SYSV00000000") == 0);
	proc_read("/proc/sysvipc/shm", text, sizeof(text));
	snprintf(name, sizeof(name), " %d  %4o ", id, 0600);
	line = strstr(text, name);
	expect(line != NULL);
	expect(sscanf(line, "%d %*o %lu %*d %*d %d", &seen, &size, &seen) == 3);
	expect_equal(size, SIZE);
	expect_equal(seen, 1);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void too_many(void)
{
	static int ids[4097];
	int count = 0;

	while (count < 4097 && (ids[count] = shmget(IPC_PRIVATE, 1, 0600)) >= 0)
		count++;
	check("errno", errno == ENOSPC);
	check("count", count <= 4096 && count > 4000);
	for (int i = 0; i < count; i++)
		check("remove", shmctl(ids[i], IPC_RMID, NULL) == 0);
}

static const struct tap_case cases[] = {
	{"all attaches show one memory", one_memory_for_all},
	{"keys", keys},
	{"a number does not come again at once", a_number_is_not_used_again_at_once},
	{"addresses: SHM_RND, SHM_REMAP, EINVAL", where_to_attach},
	{"SHM_RDONLY and SHM_EXEC", rights_of_an_attach},
	{"shmdt takes what is left of an attach", what_is_left_is_detached},
	{"parts of an attach stay parts", parts_stay_parts},
	{"nattch over fork, exit and exec", attaches_are_counted},
	{"IPC_RMID waits for the last detach", removed_with_the_last_detach},
	{"IPC_STAT and IPC_SET", what_stat_tells},
	{"shmctl's errors", bad_control_calls},
	{"IPC_INFO, SHM_INFO, SHM_STAT", limits_and_sums},
	{"who may do what", permissions},
	{"maps and /proc/sysvipc/shm", in_proc},
	{"no more than 4096", too_many},
};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "exec") == 0)
		return 0;
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
