/*
 * pkeys.c - protection keys where there may be none: what they answer never depends on the machine
 * but for whether there is a key. stos has none, Linux as many as the processor: pkey_alloc is
 * EINVAL without.
 */
#include "helpers.h"

#define RW (PROT_READ | PROT_WRITE)

#ifndef PKEY_DISABLE_ACCESS
#define PKEY_DISABLE_ACCESS 1
#define PKEY_DISABLE_WRITE 2
#endif

static long allocate(unsigned long flags, unsigned long rights)
{
	errno = 0;
	return syscall(SYS_pkey_alloc, flags, rights);
}

/* The key -1 is none: mprotect. */
static void no_key(void)
{
	char *map = map_alone(4 * PAGE, RW);

	fill_pattern(map, 0, 4 * PAGE);
	expect(syscall(SYS_pkey_mprotect, map, 2 * PAGE, PROT_READ, -1) == 0);
	expect_zone(map, 2 * PAGE, "r--p");
	expect_write_kills(map, SIGSEGV);
	expect(syscall(SYS_pkey_mprotect, map, 2 * PAGE, RW, -1) == 0);
	expect_zone(map, 4 * PAGE, "rw-p");
	expect_pattern(map, 0, 4 * PAGE);
	expect_errno(syscall(SYS_pkey_mprotect, map + 1, PAGE, PROT_READ, -1), EINVAL);
	expect_errno(syscall(SYS_pkey_mprotect, map, PAGE, 0x100, -1), EINVAL);
	expect_errno(syscall(SYS_pkey_mprotect, free_range(PAGE), PAGE, PROT_READ, -1), ENOMEM);
}

static void keys_that_are_none(void)
{
	static const int keys[] = {16, 1000, -2, INT32_MIN, INT32_MAX};
	char *map = map_alone(PAGE, RW);

	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		expect_errno(syscall(SYS_pkey_mprotect, map, PAGE, PROT_READ, keys[i]), EINVAL);
		expect_errno(syscall(SYS_pkey_free, keys[i]), EINVAL);
	}
	expect_errno(syscall(SYS_pkey_mprotect, map, PAGE, PROT_READ, 7),
		     EINVAL); /* not given out */
	expect_errno(syscall(SYS_pkey_free, 7), EINVAL);
	expect_zone(map, PAGE, "rw-p");
}

static void allocation(void)
{
	long key;

	expect_errno(allocate(1, 0), EINVAL);
	expect_errno(allocate(-1UL, 0), EINVAL);
	expect_errno(allocate(0, 16), EINVAL);
	expect_errno(allocate(0, -1UL), EINVAL);
	key = allocate(0, PKEY_DISABLE_WRITE);
	if (key < 0)
		expect_equal(errno, EINVAL);
	else
		expect(syscall(SYS_pkey_free, key) == 0);
	expect_errno(syscall(SYS_pkey_free, key), EINVAL); /* given back, or never there */
}

static const struct tap_case cases[] = {
	{"pkey_mprotect without a key is mprotect", no_key},
	{"keys that are none", keys_that_are_none},
	{"pkey_alloc and pkey_free", allocation},
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, cases, ARRAY_LENGTH(cases));
}
