/*
 * libc/sort.c - qsort and bsearch (C17 7.22.5).
 *
 * Heapsort: in place, no recursion, and never slow on unlucky input.
 */
#include <stdlib.h>

#include <stdint.h>

struct array {
	char *base;
	size_t bytes; /* of one element */
	int (*compare)(const void *, const void *);
};

static char *element(const struct array *array, size_t index)
{
	return array->base + index * array->bytes;
}

static void swap(const struct array *array, size_t left, size_t right)
{
	char *l = element(array, left), *r = element(array, right);

	for (size_t i = 0; i < array->bytes; i++) {
		char byte = l[i];

		l[i] = r[i];
		r[i] = byte;
	}
}

/* Moves the element at `root` down until both its children, below `count`, are smaller. */
static void sift_down(const struct array *array, size_t root, size_t count)
{
	for (;;) {
		size_t child = 2 * root + 1;

		if (child >= count)
			return;
		if (child + 1 < count &&
		    array->compare(element(array, child), element(array, child + 1)) < 0)
			child++;
		if (array->compare(element(array, root), element(array, child)) >= 0)
			return;
		swap(array, root, child);
		root = child;
	}
}

void qsort(void *base, size_t count, size_t bytes, int (*compare)(const void *, const void *))
{
	struct array array = {.base = base, .bytes = bytes, .compare = compare};

	for (size_t root = count / 2; root-- > 0;)
		sift_down(&array, root, count);
	for (size_t last = count; last-- > 1;) {
		swap(&array, 0, last);
		sift_down(&array, 0, last);
	}
}

void *bsearch(const void *key, const void *base, size_t count, size_t bytes,
	      int (*compare)(const void *, const void *))
{
	const char *low = base;

	while (count) {
		const char *middle = low + count / 2 * bytes;
		int order = compare(key, middle);

		if (order == 0)
			return (void *)(uintptr_t)middle;
		if (order > 0) {
			low = middle + bytes;
			count -= count / 2 + 1;
		} else {
			count /= 2;
		}
	}
	return NULL;
}
