/*-------------------------------------------------------------------------
 * smallsort.h
 *	  Sorting few 32-bit keys where they lie, without memory of its own.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SMALLSORT_H
#define WF_SMALLSORT_H

#include <stddef.h>
#include <stdint.h>

/* For a few dozen. */
static inline void
wf_insertion_sort(uint32_t *a, size_t n)
{
	for (size_t i = 1; i < n; i++)
	{
		uint32_t	v = a[i];
		size_t		j = i;

		for (; j > 0 && a[j - 1] > v; j--)
			a[j] = a[j - 1];
		a[j] = v;
	}
}

static inline void
wf_sift_down(uint32_t *a, size_t root, size_t n)
{
	uint32_t	v = a[root];
	size_t		child;

	while ((child = 2 * root + 1) < n)
	{
		if (child + 1 < n && a[child + 1] > a[child])
			child++;
		if (a[child] <= v)
			break;
		a[root] = a[child];
		root = child;
	}
	a[root] = v;
}

/* Insertion for a short list, else a heap: never more than n log n. */
static inline void
wf_small_sort(uint32_t *a, size_t n)
{
	if (n <= 32)
	{
		wf_insertion_sort(a, n);
		return;
	}
	for (size_t i = n / 2; i-- > 0;)
		wf_sift_down(a, i, n);
	for (size_t i = n - 1; i > 0; i--)
	{
		uint32_t	top = a[0];

		a[0] = a[i];
		a[i] = top;
		wf_sift_down(a, 0, i);
	}
}

#endif							/* WF_SMALLSORT_H */
