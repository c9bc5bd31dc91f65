/*
 * mm/mem_zone.c - the zones of one address space: the sorted list, and the index over it.
 *
 * The list alone says what the space is. The index makes finding fast: a treap, a binary
 * search tree by address in which no zone has a larger priority than the one above it. The
 * priorities are random, so the tree is about as deep as a random one: some 20 levels for
 * fifty thousand zones. Each zone knows of its subtree
 *
 *   subtree_beg, subtree_end   from the first zone's beg to the last one's end
 *   largest_gap                between neighbours within it
 *
 * which is enough to find the highest gap of a size going down one path (find_free_mem_range).
 * A change is carried upward only until a zone's three values stay what they were. Rotations
 * leave the set of zones below them as it is, so they concern the two rotated zones alone.
 *
 *         p               z
 *        / \             / \
 *       z   c   <-->    a   p      in order: a z b p c
 *      / \                 / \
 *     a   b               b   c
 *
 * Way in: mmap.c, mem_space.c (changes), fault.c (mem_zone_find).
 * Locks: the space's, see the header.
 * Not here: merging and splitting policy, references to files and objects (mmap.c).
 * Tests: tests/host/test_mem_zone.c.
 */
#include <kernel/base/panic.h>
#include <mm/mem_zone.h>

/* --- the index ---------------------------------------------------------------------------- */

/* Computes the zone's three values from its children's. True: one of them changed. */
static bool zone_update(struct mem_zone *zone)
{
	const struct mem_zone *left = zone->left, *right = zone->right;
	uintptr_t beg = zone->beg, end = zone->end, gap = 0;
	bool changed;

	if (left) {
		beg = left->subtree_beg;
		gap = MAX(left->largest_gap, zone->beg - left->subtree_end);
	}
	if (right) {
		end = right->subtree_end;
		gap = MAX(gap, right->largest_gap);
		gap = MAX(gap, right->subtree_beg - zone->end);
	}
	changed = zone->subtree_beg != beg || zone->subtree_end != end || zone->largest_gap != gap;
	zone->subtree_beg = beg;
	zone->subtree_end = end;
	zone->largest_gap = gap;
	return changed;
}

static void zone_update_upward(struct mem_zone *zone)
{
	while (zone && zone_update(zone))
		zone = zone->parent;
}

/* Puts `with` (or NULL) where `zone` hangs. */
static void zone_replace(struct mem_zones *zones, struct mem_zone *zone, struct mem_zone *with)
{
	struct mem_zone *parent = zone->parent;

	if (!parent)
		zones->root = with;
	else if (parent->left == zone)
		parent->left = with;
	else
		parent->right = with;
	if (with)
		with->parent = parent;
}

/*
 * Turns `zone` and its parent, so that it is the upper one. Their values are the caller's business.
 */
static void zone_rotate_up(struct mem_zones *zones, struct mem_zone *zone)
{
	struct mem_zone *parent = zone->parent;
	struct mem_zone *between;

	zone_replace(zones, parent, zone);
	if (parent->left == zone) {
		between = zone->right;
		parent->left = between;
		zone->right = parent;
	} else {
		between = zone->left;
		parent->right = between;
		zone->left = parent;
	}
	parent->parent = zone;
	if (between)
		between->parent = parent;
}

/* xorshift64: any state but 0 goes through all others. */
static uint32_t next_priority(struct mem_zones *zones)
{
	uint64_t x = zones->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	zones->random = x;
	return (uint32_t)(x >> 32);
}

/* Hangs the zone below `parent` (NULL: it is the root), at *link, and turns it up to its level. */
static void index_hang(struct mem_zones *zones, struct mem_zone *zone, struct mem_zone *parent,
		       struct mem_zone **link)
{
	zone->left = zone->right = NULL;
	zone->parent = parent;
	zone->priority = next_priority(zones);
	*link = zone;
	for (; parent && parent->priority < zone->priority; parent = zone->parent) {
		zone_rotate_up(zones, zone);
		zone_update(parent);
	}
	zone_update(zone);
	zone_update_upward(parent);
}

/* Returns the next zone by address, or NULL: the last one the way down went left at. */
static struct mem_zone *index_insert(struct mem_zones *zones, struct mem_zone *zone)
{
	struct mem_zone **link = &zones->root;
	struct mem_zone *parent = NULL, *after = NULL;

	while (*link) {
		parent = *link;
		if (zone->beg < parent->beg) {
			after = parent;
			link = &parent->left;
		} else {
			link = &parent->right;
		}
	}
	index_hang(zones, zone, parent, link);
	return after;
}

/*
 * Without a way down: of two neighbours, the lower has no right child or the upper no left one. The
 * way up from the new zone goes through `prev`: each subtree in between now begins at the new zone.
 */
static void index_insert_after(struct mem_zones *zones, struct mem_zone *zone,
			       struct mem_zone *prev)
{
	struct mem_zone *next = mem_zone_next(zones, prev);

	if (prev->right)
		index_hang(zones, zone, next, &next->left);
	else
		index_hang(zones, zone, prev, &prev->right);
}

/* Turns the zone down until it has one child at most, which takes its place. */
static void index_remove(struct mem_zones *zones, struct mem_zone *zone)
{
	struct mem_zone *above = zone->parent, *changed;

	while (zone->left && zone->right) {
		struct mem_zone *upper = zone->left;

		if (zone->right->priority > upper->priority)
			upper = zone->right;
		zone_rotate_up(zones, upper);
	}
	zone_replace(zones, zone, zone->left ? zone->left : zone->right);
	for (changed = zone->parent; changed != above; changed = changed->parent)
		zone_update(changed);
	zone_update_upward(above);
	zone->left = zone->right = zone->parent = NULL;
}

/* --- finding ------------------------------------------------------------------------------ */

struct mem_zone *mem_zone_find(const struct mem_zones *zones, uintptr_t addr)
{
	struct mem_zone *zone = zones->root;

	while (zone) {
		if (addr < zone->beg)
			zone = zone->left;
		else if (addr >= zone->end)
			zone = zone->right;
		else
			return zone;
	}
	return NULL;
}

struct mem_zone *mem_zone_find_from(const struct mem_zones *zones, uintptr_t addr)
{
	struct mem_zone *zone = zones->root;
	struct mem_zone *found = NULL;

	while (zone) {
		if (addr >= zone->end) {
			zone = zone->right;
		} else {
			if (addr >= zone->beg)
				return zone;
			found = zone;
			zone = zone->left;
		}
	}
	return found;
}

struct mem_zone *mem_zone_find_overlap(const struct mem_zones *zones, uintptr_t beg, uintptr_t end)
{
	struct mem_zone *zone = mem_zone_find_from(zones, beg);

	return zone && zone->beg < end ? zone : NULL;
}

struct mem_zone *mem_zone_next(const struct mem_zones *zones, const struct mem_zone *zone)
{
	if (zone->next.next == &zones->list)
		return NULL;
	return list_entry(zone->next.next, struct mem_zone, next);
}

struct mem_zone *mem_zone_prev(const struct mem_zones *zones, const struct mem_zone *zone)
{
	if (zone->next.prev == &zones->list)
		return NULL;
	return list_entry(zone->next.prev, struct mem_zone, next);
}

/* The last zone that begins below addr, or NULL. */
static const struct mem_zone *zone_last_below(const struct mem_zones *zones, uintptr_t addr)
{
	const struct mem_zone *zone = zones->root;
	const struct mem_zone *found = NULL;

	while (zone) {
		if (zone->beg >= addr) {
			zone = zone->left;
		} else {
			found = zone;
			zone = zone->right;
		}
	}
	return found;
}

/* The end of the highest gap of `length` within a subtree that has one. */
static uintptr_t highest_gap_within(const struct mem_zone *zone, uintptr_t length)
{
	for (;;) {
		const struct mem_zone *left = zone->left, *right = zone->right;

		if (right && right->largest_gap >= length) {
			zone = right;
			continue;
		}
		if (right && right->subtree_beg - zone->end >= length)
			return right->subtree_beg;
		kassert(left);
		if (zone->beg - left->subtree_end >= length)
			return zone->beg;
		zone = left;
	}
}

/*
 * The end of the highest gap of `length` below `zone`, its upper neighbour being `zone` or one
 * before it; the gap before the first zone of all counts as unlimited.
 */
static uintptr_t highest_gap_below(const struct mem_zone *zone, uintptr_t length)
{
	for (;;) {
		const struct mem_zone *left = zone->left;

		if (left && zone->beg - left->subtree_end >= length)
			return zone->beg;
		if (left && left->largest_gap >= length)
			return highest_gap_within(left, length);
		/* Nothing in this subtree: on to the zone before it, the first parent to the left.
		 */
		while (zone->parent && zone->parent->left == zone)
			zone = zone->parent;
		if (!zone->parent)
			return zone->subtree_beg;
		if (zone->subtree_beg - zone->parent->end >= length)
			return zone->subtree_beg;
		zone = zone->parent;
	}
}

/*
 * The gap above the last zone below `high` is cut off by `high`; all others end at a zone. The
 * highest of these that is long enough decides: if `low` cuts it too short, lower ones lie
 * below `low` altogether.
 */
uintptr_t find_free_mem_range(const struct mem_zones *zones, uintptr_t length, uintptr_t low,
			      uintptr_t high)
{
	const struct mem_zone *last;
	uintptr_t end;

	if (length == 0 || low >= high || high - low < length)
		return 0;
	last = zone_last_below(zones, high);
	if (!last || (last->end <= high && high - last->end >= length))
		return high - length;
	end = highest_gap_below(last, length);
	if (end < low || end - low < length)
		return 0;
	return end - length;
}

/* --- changing ----------------------------------------------------------------------------- */

void mem_zones_init(struct mem_zones *zones)
{
	list_init(&zones->list);
	zones->root = NULL;
	zones->count = 0;
	zones->random = 0x9e3779b97f4a7c15ul; /* the golden ratio's bits: any but 0 will do */
}

void mem_zone_insert(struct mem_zones *zones, struct mem_zone *zone)
{
	struct mem_zone *after = index_insert(zones, zone);
	const struct mem_zone *prev;

	list_insert_before(after ? &after->next : &zones->list, &zone->next);
	zones->count++;
	prev = mem_zone_prev(zones, zone);
	kassert(zone->beg < zone->end);
	kassert((!prev || prev->end <= zone->beg) && (!after || zone->end <= after->beg));
}

void mem_zone_remove(struct mem_zones *zones, struct mem_zone *zone)
{
	list_remove(&zone->next);
	index_remove(zones, zone);
	zones->count--;
}

void mem_zone_resize(struct mem_zones *zones, struct mem_zone *zone, uintptr_t beg, uintptr_t end)
{
	const struct mem_zone *prev = mem_zone_prev(zones, zone);
	const struct mem_zone *next = mem_zone_next(zones, zone);

	kassert(beg < end && (!prev || prev->end <= beg) && (!next || end <= next->beg));
	zone->beg = beg;
	zone->end = end;
	zone_update_upward(zone);
}

/* Whether the offset means something: it stays with the address, not with the zone's start. */
static bool zone_has_offset(const struct mem_zone *zone)
{
	return zone->file || zone->object;
}

void mem_zone_split(struct mem_zones *zones, struct mem_zone *zone, struct mem_zone *upper,
		    uintptr_t at)
{
	kassert(zone->beg < at && at < zone->end);
	*upper = *zone;
	list_init(&upper->next);
	list_init(&upper->object_link);
	upper->beg = at;
	if (zone_has_offset(zone))
		upper->offset += at - zone->beg;
	zone->end = at;
	index_insert_after(zones, upper, zone); /* corrects `zone` too: it is on the way up */
	list_insert_after(&zone->next, &upper->next);
	zones->count++;
}

bool mem_zone_can_merge(const struct mem_zone *a, const struct mem_zone *b)
{
	if (a->end != b->beg || a->space != b->space || (a->flags & ZONE_APART))
		return false;
	if (a->prot != b->prot || a->max_prot != b->max_prot || a->flags != b->flags)
		return false;
	if (a->file != b->file || a->object != b->object || a->ops != b->ops)
		return false;
	return !zone_has_offset(a) || a->offset + (a->end - a->beg) == b->offset;
}

/* --- checking ----------------------------------------------------------------------------- */

static void zone_check(const struct mem_zones *zones, const struct mem_zone *zone)
{
	struct mem_zone copy = *zone;

	kassert(zone->beg < zone->end && zone->end <= USER_SPACE_END);
	kassert(((zone->beg | zone->end) & ~PAGE_MASK) == 0);
	kassert(zone->parent || zones->root == zone);
	kassert(!zone->left || (zone->left->parent == zone && zone->left->end <= zone->beg &&
				zone->left->priority <= zone->priority));
	kassert(!zone->right || (zone->right->parent == zone && zone->right->beg >= zone->end &&
				 zone->right->priority <= zone->priority));
	kassert(!zone_update(&copy)); /* its three values are what its children make them */
}

static const struct mem_zone *index_first(const struct mem_zones *zones)
{
	const struct mem_zone *zone = zones->root;

	while (zone && zone->left)
		zone = zone->left;
	return zone;
}

static const struct mem_zone *index_next(const struct mem_zone *zone)
{
	if (zone->right) {
		for (zone = zone->right; zone->left; zone = zone->left)
			;
		return zone;
	}
	while (zone->parent && zone->parent->right == zone)
		zone = zone->parent;
	return zone->parent;
}

/* Walks the list and the index in step, so that both hold the same zones in the same order. */
void mem_zones_check(const struct mem_zones *zones)
{
	const struct mem_zone *indexed = index_first(zones);
	const struct mem_zone *zone;
	uintptr_t end = 0;
	uint64_t count = 0;

	list_for_each_entry (zone, &zones->list, next) {
		kassert(zone == indexed);
		kassert(zone->beg >= end);
		zone_check(zones, zone);
		end = zone->end;
		indexed = index_next(indexed);
		count++;
	}
	kassert(!indexed);
	kassert(count == zones->count);
}
