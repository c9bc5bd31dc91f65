/*
 * tests/host/test_mem_zone.c - mm/mem_zone.c against an array that says, page by page, whose
 * each page is.
 *
 * The pages of the model lie at the start or at the end of user space, close together, so that
 * a few hundred of them see every neighbourhood. Then the speed: how deep the index of fifty
 * thousand zones is, in several orders of insertion.
 */
#include "host_kernel.h"

#include <mm/mem_zone.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGES = 600, ZONES_MAX = PAGES };

static uintptr_t base; /* of page 0 of the model */
static uintptr_t unit; /* a page of the model */
static struct mem_zones zones;
static struct mem_zone pool[ZONES_MAX];
static struct mem_zone *unused[ZONES_MAX];
static unsigned unused_count;
static struct mem_zone *owner[PAGES]; /* NULL: free */

static void begin_at(uintptr_t where)
{
	host_random_restart();
	base = where;
	unit = PAGE_SIZE;
	mem_zones_init(&zones);
	memset(owner, 0, sizeof(owner));
	unused_count = 0;
	for (unsigned i = 0; i < ZONES_MAX; i++)
		unused[unused_count++] = &pool[i];
}

static uintptr_t address(size_t page)
{
	return base + page * unit;
}

static size_t page_of(uintptr_t addr)
{
	return (addr - base) / unit;
}

static void own(size_t first, size_t end, struct mem_zone *zone)
{
	for (size_t i = first; i < end; i++)
		owner[i] = zone;
}

/* A random zone, or NULL: whoever owns a random page, so large ones more often. */
static struct mem_zone *random_zone(void)
{
	return owner[host_random_below(PAGES)];
}

/* --- operations on both ------------------------------------------------------------------- */

static void insert_random(void)
{
	size_t first = host_random_below(PAGES);
	size_t end = first + 1 + host_random_below(12);
	struct mem_zone *zone;

	for (size_t i = first; i < end; i++) {
		if (i >= PAGES || owner[i])
			return;
	}
	zone = unused[--unused_count];
	memset(zone, 0xee, sizeof(*zone)); /* nothing but the bounds may matter */
	zone->beg = address(first);
	zone->end = address(end);
	mem_zone_insert(&zones, zone);
	own(first, end, zone);
}

static void remove_random(void)
{
	struct mem_zone *zone = random_zone();

	if (!zone)
		return;
	mem_zone_remove(&zones, zone);
	own(page_of(zone->beg), page_of(zone->end), NULL);
	unused[unused_count++] = zone;
}

/* The last pages of both neighbours, or of the model, are as far as it may go. */
static void resize_random(void)
{
	struct mem_zone *zone = random_zone();
	size_t low, high, beg, end;

	if (!zone)
		return;
	low = page_of(zone->beg);
	high = page_of(zone->end);
	own(low, high, NULL);
	while (low > 0 && !owner[low - 1])
		low--;
	while (high < PAGES && !owner[high])
		high++;
	beg = low + host_random_below(high - low);
	end = beg + 1 + host_random_below(high - beg);
	mem_zone_resize(&zones, zone, address(beg), address(end));
	own(beg, end, zone);
}

static void split_random(void)
{
	struct mem_zone *zone = random_zone(), *upper;
	uintptr_t beg, at, end;
	size_t pages;

	if (!zone || zone->end - zone->beg < 2 * unit)
		return;
	beg = zone->beg;
	end = zone->end;
	pages = (end - beg) / unit;
	at = beg + (1 + host_random_below(pages - 1)) * unit;
	zone->flags = ZONE_PRIVATE;
	zone->file = host_random_below(2) ? (struct file *)(uintptr_t)8 : NULL;
	zone->object = NULL;
	zone->ops = NULL;
	zone->space = NULL;
	zone->offset = zone->file ? host_random_below(100) * unit : 0;
	upper = unused[--unused_count];
	memset(upper, 0xdd, sizeof(*upper));
	mem_zone_split(&zones, zone, upper, at);
	assert_true(zone->beg == beg && zone->end == at && upper->beg == at && upper->end == end);
	assert_int_equal(upper->offset, zone->file ? zone->offset + (at - beg) : 0);
	assert_int_equal(mem_zone_can_merge(zone, upper), !(zone->flags & ZONE_APART));
	own(page_of(at), page_of(end), upper);
}

/* --- questions to both -------------------------------------------------------------------- */

static struct mem_zone *model_from(size_t page)
{
	while (page < PAGES && !owner[page])
		page++;
	return page < PAGES ? owner[page] : NULL;
}

static void compare_finds(void)
{
	size_t first = host_random_below(PAGES), end = first + 1 + host_random_below(20);
	uintptr_t addr = address(first) + host_random_below(3) * (unit / 2 - 1);
	struct mem_zone *from = model_from(first);
	struct mem_zone *zone = owner[first];

	assert_ptr_equal(mem_zone_find(&zones, addr), zone);
	assert_ptr_equal(mem_zone_find_from(&zones, addr), from);
	assert_ptr_equal(mem_zone_find_overlap(&zones, addr, address(end)),
			 from && from->beg < address(end) ? from : NULL);
	if (zone) {
		size_t before = page_of(zone->beg);

		while (before > 0 && !owner[before - 1])
			before--;
		assert_ptr_equal(mem_zone_next(&zones, zone), model_from(page_of(zone->end)));
		assert_ptr_equal(mem_zone_prev(&zones, zone), before ? owner[before - 1] : NULL);
	}
}

/* From the top, page by page. */
static uintptr_t model_free_range(size_t pages, size_t low, size_t high)
{
	size_t run = 0;

	for (size_t i = high; i > low; i--) {
		run = owner[i - 1] ? 0 : run + 1;
		if (run == pages)
			return address(i - 1);
	}
	return 0;
}

static void compare_free_range(void)
{
	size_t low = host_random_below(PAGES), high = host_random_below(PAGES + 1);
	size_t pages = 1 + host_random_below(host_random_below(2) ? 8 : 60);

	if (host_random_below(2)) {
		low = 0;
		high = PAGES;
	}
	assert_int_equal(
	    find_free_mem_range(&zones, pages * unit, address(low), address(high)),
	    model_free_range(pages, low, high));
}

/* Mostly inserting, then mostly removing; from nearly empty to nearly full. */
static void random_operations(void)
{
	for (unsigned step = 0; step < 2000000; step++) {
		bool growing = step / 20000 % 2 == 0;

		switch (host_random_below(8)) {
		case 0:
			remove_random();
			break;
		case 1:
			if (unused_count > 0)
				split_random();
			break;
		case 2:
			resize_random();
			break;
		case 3:
		case 4:
			compare_finds();
			break;
		case 5:
			compare_free_range();
			break;
		default:
			if (growing && unused_count > 0)
				insert_random();
			else
				remove_random();
		}
		if (step % 64 == 0)
			mem_zones_check(&zones);
	}
	while (!list_empty(&zones.list))
		remove_random();
	mem_zones_check(&zones);
	assert_int_equal(zones.count, 0);
	assert_null(zones.root);
}

static void random_low(void **state)
{
	(void)state;
	begin_at(USER_SPACE_BEGIN);
	random_operations();
}

static void random_high(void **state)
{
	(void)state;
	begin_at(USER_SPACE_END - PAGES * PAGE_SIZE);
	random_operations();
}

/* Pages of 128 GiB: most gaps are larger than the index tells apart. */
static void random_far(void **state)
{
	(void)state;
	begin_at(USER_SPACE_BEGIN);
	unit = 1ul << 37;
	random_operations();
}

/* --- corners ------------------------------------------------------------------------------ */

static void empty_space(void **state)
{
	(void)state;
	begin_at(USER_SPACE_BEGIN);
	assert_null(mem_zone_find(&zones, 0));
	assert_null(mem_zone_find_from(&zones, UINTPTR_MAX));
	assert_null(mem_zone_find_overlap(&zones, 0, UINTPTR_MAX));
	assert_int_equal(find_free_mem_range(&zones, PAGE_SIZE, PAGE_SIZE, USER_SPACE_END),
			 USER_SPACE_END - PAGE_SIZE);
	assert_int_equal(find_free_mem_range(&zones, 0, PAGE_SIZE, USER_SPACE_END), 0);
	assert_int_equal(find_free_mem_range(&zones, UINTPTR_MAX, PAGE_SIZE, USER_SPACE_END), 0);
	assert_int_equal(find_free_mem_range(&zones, PAGE_SIZE, USER_SPACE_END, PAGE_SIZE), 0);
	assert_int_equal(
	    find_free_mem_range(&zones, USER_SPACE_END - PAGE_SIZE, PAGE_SIZE, USER_SPACE_END),
	    PAGE_SIZE);
	mem_zones_check(&zones);
}

/* A zone across `high`, one across `low`, one that fills everything. */
static void zones_across_the_limits(void **state)
{
	struct mem_zone a = {.beg = 0x100000, .end = 0x200000};
	struct mem_zone b = {.beg = 0x300000, .end = 0x400000};

	(void)state;
	begin_at(USER_SPACE_BEGIN);
	mem_zone_insert(&zones, &b);
	mem_zone_insert(&zones, &a);
	assert_int_equal(find_free_mem_range(&zones, 0x1000, 0x180000, 0x380000), 0x2ff000);
	assert_int_equal(find_free_mem_range(&zones, 0x100000, 0x180000, 0x380000), 0x200000);
	assert_int_equal(find_free_mem_range(&zones, 0x101000, 0x180000, 0x380000), 0);
	assert_int_equal(find_free_mem_range(&zones, 0x1000, 0x310000, 0x320000), 0);
	assert_int_equal(find_free_mem_range(&zones, 0x1000, 0x200000, 0x300000), 0x2ff000);
	assert_int_equal(find_free_mem_range(&zones, 0x100000, 0x201000, 0x300000), 0);
	assert_int_equal(find_free_mem_range(&zones, 0x80000, 0x1000, 0x300000), 0x280000);
	assert_int_equal(find_free_mem_range(&zones, 0x100000, 0x1000, 0x2f0000), 0);
	assert_int_equal(find_free_mem_range(&zones, 0xff000, 0x1000, 0x2f0000), 0x1000);
}

static void merging_needs_all_attributes(void **state)
{
	struct mem_zone a = {.beg = 0x1000,
			     .end = 0x3000,
			     .prot = PROT_READ,
			     .max_prot = PROT_READ | PROT_WRITE,
			     .flags = ZONE_PRIVATE,
			     .file = (struct file *)(uintptr_t)8,
			     .object = (struct mem_object *)(uintptr_t)16,
			     .offset = 0x5000};
	struct mem_zone good = a, b;

	(void)state;
	good.beg = 0x3000;
	good.end = 0x4000;
	good.offset = 0x7000;
	assert_true(mem_zone_can_merge(&a, &good));
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		b = good;                                                                          \
		b.change;                                                                          \
		assert_false(mem_zone_can_merge(&a, &b));                                          \
	} while (0)
	REFUSED(beg = 0x3800);
	REFUSED(prot = PROT_READ | PROT_EXEC);
	REFUSED(max_prot = PROT_READ);
	REFUSED(flags = ZONE_SHARED);
	REFUSED(flags = ZONE_PRIVATE | ZONE_STACK);
	REFUSED(file = NULL);
	REFUSED(object = NULL);
	REFUSED(ops = (const struct mem_operations *)(uintptr_t)8);
	REFUSED(space = (struct mem_space *)(uintptr_t)8);
	REFUSED(offset = 0x8000);
	REFUSED(offset = 0x5000);
	assert_false(mem_zone_can_merge(&good, &a));
	a.file = good.file = NULL;
	a.object = good.object = NULL;
	good.offset = 0; /* of anonymous memory it says nothing */
	assert_true(mem_zone_can_merge(&a, &good));
	a.flags = good.flags = ZONE_SHARED | ZONE_APART;
	assert_false(mem_zone_can_merge(&a, &good));
}

static void mistakes_panic(void **state)
{
	struct mem_zone a = {.beg = 0x4000, .end = 0x8000}, b = {.beg = 0x8000, .end = 0x9000};
	struct mem_zone c = {.beg = 0x7000, .end = 0x8000}, upper;

	(void)state;
	begin_at(USER_SPACE_BEGIN);
	mem_zone_insert(&zones, &a);
	mem_zone_insert(&zones, &b);
	assert_panics("assertion", mem_zone_resize(&zones, &a, 0x4000, 0x9000));
	assert_panics("assertion", mem_zone_resize(&zones, &b, 0x7000, 0x9000));
	assert_panics("assertion", mem_zone_split(&zones, &a, &upper, 0x4000));
	assert_panics("assertion", mem_zone_split(&zones, &a, &upper, 0x8000));
	mem_zones_check(&zones);
	assert_panics("assertion", mem_zone_insert(&zones, &c));
}

static void check_finds_damage(void **state)
{
	struct mem_zone a = {.beg = 0x4000, .end = 0x8000}, b = {.beg = 0xa000, .end = 0xb000};
	struct mem_zone c = {.beg = 0x10000, .end = 0x11000};

	(void)state;
	begin_at(USER_SPACE_BEGIN);
	mem_zone_insert(&zones, &a);
	mem_zone_insert(&zones, &b);
	mem_zone_insert(&zones, &c);
	mem_zones_check(&zones);
	assert_int_equal(zones.root->largest_gap, 0x5000);
#define DAMAGED(field, value)                                                                      \
	do {                                                                                       \
		__typeof__(field) kept_ = (field);                                                 \
		(field) = (value);                                                                 \
		assert_panics("assertion", mem_zones_check(&zones));                               \
		(field) = kept_;                                                                   \
		mem_zones_check(&zones);                                                           \
	} while (0)
	DAMAGED(zones.root->largest_gap, 0x4000);
	DAMAGED(b.gap, 0x1000);
	DAMAGED(a.end, 0xa800);
	DAMAGED(b.beg, 0xa001);
	DAMAGED(c.end, USER_SPACE_END + PAGE_SIZE);
	DAMAGED(zones.count, 2);
	DAMAGED(zones.root->priority, 0);
	DAMAGED(b.next.next, &zones.list);
}

/* --- fifty thousand zones ------------------------------------------------------------------ */

enum { MANY = 50000 };

static unsigned depth_of(const struct mem_zone *zone)
{
	unsigned depth = 0;

	for (; zone; zone = zone->parent)
		depth++;
	return depth;
}

/* Of a random search tree: about 1.39 log2 n on average; the deepest is some 3 log2 n. */
static void assert_shallow(const struct mem_zone *many)
{
	uint64_t sum = 0;
	unsigned deepest = 0;

	for (size_t i = 0; i < MANY; i++) {
		sum += depth_of(&many[i]);
		deepest = MAX(deepest, depth_of(&many[i]));
	}
	assert_in_range(sum / MANY, 10, 24);
	assert_in_range(deepest, 17, 60);
}

/* Two pages used, two free, and so on; `order` says which comes when. */
static void insert_many(struct mem_zone *many, const size_t *order)
{
	begin_at(USER_SPACE_BEGIN);
	for (size_t i = 0; i < MANY; i++) {
		struct mem_zone *zone = &many[order[i]];

		zone->beg = base + order[i] * 4 * PAGE_SIZE;
		zone->end = zone->beg + 2 * PAGE_SIZE;
		mem_zone_insert(&zones, zone);
	}
	mem_zones_check(&zones);
	assert_shallow(many);
}

static void many_zones(void **state)
{
	struct mem_zone *many = calloc(MANY, sizeof(*many));
	size_t *order = calloc(MANY, sizeof(*order));
	const uintptr_t high = USER_SPACE_BEGIN + MANY * 4 * PAGE_SIZE;
	uintptr_t found;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		order[i] = i;
	insert_many(many, order);
	for (size_t i = 0; i < MANY; i++)
		order[i] = MANY - 1 - i;
	insert_many(many, order);
	for (size_t i = MANY - 1; i > 0; i--) {
		size_t j = host_random_below(i + 1), kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
	insert_many(many, order);

	/* The one gap of three pages, wherever it is. */
	for (unsigned round = 0; round < 1000; round++) {
		struct mem_zone *zone = &many[1 + host_random_below(MANY - 2)];

		mem_zone_resize(&zones, zone, zone->beg, zone->end - PAGE_SIZE);
		found = find_free_mem_range(&zones, 3 * PAGE_SIZE, USER_SPACE_BEGIN, high);
		assert_int_equal(found, zone->end);
		assert_int_equal(find_free_mem_range(&zones, 4 * PAGE_SIZE, USER_SPACE_BEGIN, high),
				 0);
		mem_zone_resize(&zones, zone, zone->beg, zone->end + PAGE_SIZE);
	}
	mem_zones_check(&zones);
	for (size_t i = 0; i < MANY; i++)
		mem_zone_remove(&zones, &many[order[MANY - 1 - i]]);
	mem_zones_check(&zones);
	free(many);
	free(order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_low),
	    cmocka_unit_test(random_high),
	    cmocka_unit_test(random_far),
		cmocka_unit_test(random_far),
	    cmocka_unit_test(empty_space),
	    cmocka_unit_test(zones_across_the_limits),
	    cmocka_unit_test(merging_needs_all_attributes),
	    cmocka_unit_test(mistakes_panic),
	    cmocka_unit_test(check_finds_damage),
	    cmocka_unit_test(many_zones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
