/*
 * mm/mem_zone.c - the zones of one address space: the sorted list, and the index over it.
 *
 * The list alone says what the space is. The index makes finding fast: a treap, a binary
 * search tree by address in which no zone has a larger priority than the one above it. The
 * priorities are random, so the tree is about as deep as a random one: some 20 levels for
 * fifty thousand zones. Each zone knows the gap before it, up to the zone before, and
 *
 *   largest_gap   the largest of these gaps in its subtree
 *
 * which is enough to find the highest gap of a size going down one path (find_free_mem_range).
 * A change is carried upward only until a zone's largest_gap stays what it was. Rotations leave the
 * set of zones below them as it is, so they concern the two rotated zones alone.
 *
 *         p               z
 *        / \             / \
 *       z   c   <-->    a   p      in order: a z b p c
 *      / \                 / \
 *     a   b               b   c
 *
 * Gaps from GAP_MAX on count as GAP_MAX. The gap that new mappings go to is mostly one of these: it
 * can shrink and grow without a word to anybody above. There are few, so who needs more than that
 * looks at one after the other.
 *
 * Way in: mem_map.c, zone_life.c, mem_space.c (changes), fault.c (mem_zone_find).
 * Locks: the space's, see the header.
 * Not here: merging and splitting policy, references to files and objects (zone_life.c).
 * Tests: tests/host/test_mem_zone.c.
 */
#include <kernel/base/panic.h>
#include <mm/mem_zone.h>

/* --- the index ---------------------------------------------------------------------------- */

#define GAP_MAX (1ul << 40) /* user space has room for 128 of them */

static uintptr_t gap_before(const struct mem_zones *zones, const struct mem_zone *zone)
{
	const struct mem_zone *prev = mem_zone_prev(zones, zone);

	return MIN(zone->beg - (prev ? prev->end : 0), GAP_MAX);
}

/* Computes the zone's largest_gap from its own gap and its children's. True: it changed. */
static bool zone_update(struct mem_zone *zone)
{
	uintptr_t largest = zone->gap;
	bool changed;

	if (zone->left)
		largest = MAX(largest, zone->left->largest_gap);
	if (zone->right)
		largest = MAX(largest, zone->right->largest_gap);
	changed = zone->largest_gap != largest;
	zone->largest_gap = largest;
	return changed;
}

static void zone_update_upward(struct mem_zone *zone)
{
	while (zone && zone_update(zone))
		zone = zone->parent;
}

/* The zone or the one before it has other bounds, or is another. */
static void gap_update(const struct mem_zones *zones, struct mem_zone *zone)
{
	uintptr_t gap = gap_before(zones, zone);

	if (gap == zone->gap)
		return;
	zone->gap = gap;
	zone_update_upward(zone);
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

/*
 * Hangs the zone below `parent` (NULL: it is the root), at *link, and turns it up to its level. It
 * is in the list.
 */
static void index_hang(struct mem_zones *zones, struct mem_zone *zone, struct mem_zone *parent,
		       struct mem_zone **link)
{
	zone->left = zone->right = NULL;
	zone->parent = parent;
	zone->priority = next_priority(zones);
	zone->gap = gap_before(zones, zone);
	*link = zone;
	for (; parent && parent->priority < zone->priority; parent = zone->parent) {
		zone_rotate_up(zones, zone);
		zone_update(parent);
	}
	zone_update(zone);
	zone_update_upward(parent);
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

/* The last zone of a subtree that has one with such a gap before it. */
static const struct mem_zone *last_within(const struct mem_zone *zone, uintptr_t gap)
{
	for (;;) {
		if (zone->right && zone->right->largest_gap >= gap)
			zone = zone->right;
		else if (zone->gap >= gap)
			return zone;
		else
			zone = zone->left;
		kassert(zone);
	}
}

/* The last zone with such a gap before it that is `zone` or lies before it; NULL: there is none. */
static const struct mem_zone *last_with_gap(const struct mem_zone *zone, uintptr_t gap)
{
	while (zone) {
		if (zone->gap >= gap)
			return zone;
		if (zone->left && zone->left->largest_gap >= gap)
			return last_within(zone->left, gap);
		/* Nothing in this subtree: on to the zone before it, a parent to the left. */
		while (zone->parent && zone->parent->left == zone)
			zone = zone->parent;
		zone = zone->parent;
	}
	return NULL;
}

/* The end of the highest gap of `length` that ends at `zone` or before it; 0: there is none. */
static uintptr_t highest_gap(const struct mem_zones *zones, const struct mem_zone *zone,
			     uintptr_t length)
{
	zone = last_with_gap(zone, MIN(length, GAP_MAX));
	while (zone) {
		const struct mem_zone *prev = mem_zone_prev(zones, zone);

		if (zone->beg - (prev ? prev->end : 0) >= length)
			return zone->beg;
		zone = last_with_gap(prev, GAP_MAX);
	}
	return 0;
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
	end = highest_gap(zones, last, length);
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
	struct mem_zone **link = &zones->root;
	struct mem_zone *parent = NULL, *next = NULL; /* next: where the way last went left */
	const struct mem_zone *prev;

	while (*link) {
		parent = *link;
		if (zone->beg < parent->beg) {
			next = parent;
			link = &parent->left;
		} else {
			link = &parent->right;
		}
	}
	list_insert_before(next ? &next->next : &zones->list, &zone->next);
	prev = mem_zone_prev(zones, zone);
	kassert(zone->beg < zone->end);
	kassert((!prev || prev->end <= zone->beg) && (!next || zone->end <= next->beg));
	index_hang(zones, zone, parent, link);
	if (next)
		gap_update(zones, next);
	zones->count++;
}

void mem_zone_remove(struct mem_zones *zones, struct mem_zone *zone)
{
	struct mem_zone *next = mem_zone_next(zones, zone);

	list_remove(&zone->next);
	index_remove(zones, zone);
	if (next)
		gap_update(zones, next);
	zones->count--;
}

void mem_zone_resize(struct mem_zones *zones, struct mem_zone *zone, uintptr_t beg, uintptr_t end)
{
	const struct mem_zone *prev = mem_zone_prev(zones, zone);
	struct mem_zone *next = mem_zone_next(zones, zone);

	kassert(beg < end && (!prev || prev->end <= beg) && (!next || end <= next->beg));
	zone->beg = beg;
	zone->end = end;
	gap_update(zones, zone);
	if (next)
		gap_update(zones, next);
}

/* Whether the offset means something: it stays with the address, not with the zone's start. */
static bool zone_has_offset(const struct mem_zone *zone)
{
	return zone->file || zone->object;
}

/*
 * The index needs no way down: of two neighbours, the lower has no right child or the upper no left
 * one. No gap changes.
 */
void mem_zone_split(struct mem_zones *zones, struct mem_zone *zone, struct mem_zone *upper,
		    uintptr_t at)
{
	struct mem_zone *next = mem_zone_next(zones, zone);

	kassert(zone->beg < at && at < zone->end);
	*upper = *zone;
	list_init(&upper->object_link);
	upper->beg = at;
	if (zone_has_offset(zone))
		upper->offset += at - zone->beg;
	zone->end = at;
	list_insert_after(&zone->next, &upper->next);
	if (zone->right)
		index_hang(zones, upper, next, &next->left);
	else
		index_hang(zones, upper, zone, &zone->right);
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
	kassert(zone->gap == gap_before(zones, zone));
	kassert(!zone_update(&copy)); /* its largest_gap is what its children make it */
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
