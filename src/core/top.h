/*-------------------------------------------------------------------------
 * top.h
 *	  The n best of many, by a heap whose root is the worst kept.
 *
 * Higher scores are better, ties go to the lower item, so the result does not
 * depend on the order of offers.  Scores are no NaN.
 *-------------------------------------------------------------------------
 */
#ifndef WF_TOP_H
#define WF_TOP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct WfTop
{
	float		score;
	uint32_t	item;
} WfTop;

static inline bool
wf_top_worse(WfTop a, WfTop b)
{
	return a.score < b.score || (a.score == b.score && a.item > b.item);
}

/* Put v where the root was. */
static inline void
wf_top_sift(WfTop *heap, uint32_t n, WfTop v)
{
	uint32_t	at = 0;

	for (uint32_t child = 1; child < n; child = 2 * at + 1)
	{
		if (child + 1 < n && wf_top_worse(heap[child + 1], heap[child]))
			child++;
		if (!wf_top_worse(heap[child], v))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = v;
}

/* One more candidate; heap holds *n of at most max (max > 0). */
static inline void
wf_top_offer(WfTop *heap, uint32_t *n, uint32_t max, float score, uint32_t item)
{
	WfTop		v = {score, item};

	if (*n == max)
	{
		if (wf_top_worse(heap[0], v))
			wf_top_sift(heap, max, v);
		return;
	}
	for (uint32_t at = (*n)++;;)
	{
		uint32_t	parent = at ? (at - 1) / 2 : 0;

		if (at == 0 || !wf_top_worse(v, heap[parent]))
		{
			heap[at] = v;
			return;
		}
		heap[at] = heap[parent];
		at = parent;
	}
}

/* The heap becomes a list, best first. */
static inline void
wf_top_sort(WfTop *heap, uint32_t n)
{
	while (n > 1)
	{
		WfTop		last = heap[--n];

		heap[n] = heap[0];
		wf_top_sift(heap, n, last);
	}
}

#endif							/* WF_TOP_H */
