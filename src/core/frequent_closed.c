/*-------------------------------------------------------------------------
 * frequent_closed.c
 *	  Which of the found sequences are explained by a longer one.
 *
 * Without a gap every part of a found sequence is found, so it is enough to
 * look at what is left of each when one event is deleted.  Under a gap those
 * that remain are compared with the longer ones of the same cases.
 *-------------------------------------------------------------------------
 */
#include "core/frequent_private.h"

#include <math.h>

#include "core/rng.h"

/* Hash of the events but the one at place "without" (UINT32_MAX: of all). */
uint64_t
wf_frequent_hash(const uint32_t *events, uint32_t n, uint32_t without)
{
	uint64_t	h = n - (without < n);

	for (uint32_t i = 0; i < n; i++)
		if (i != without)
			h = wf_rng(h, events[i]);
	return h;
}

bool
wf_is_subsequence(const uint32_t *needle, uint32_t n_needle, const uint32_t *haystack, uint32_t n_haystack)
{
	uint32_t	i = 0;

	for (uint32_t j = 0; i < n_needle && j < n_haystack; j++)
		i += needle[i] == haystack[j];
	return i == n_needle;
}

/* ---- by what is left without one event ---- */

typedef struct Index
{
	uint32_t	mask;
	uint32_t   *slot;			/* 1 + number of the sequence, 0: free */
} Index;

static Index
make_index(WfFrequentData *data, const WfFoundList *list)
{
	const WfFound *found = wf_found(list);
	uint32_t	size = 16;
	Index		index;

	while (size / 2 < list->n)
		size *= 2;
	index.mask = size - 1;
	index.slot = wf_alloc_zero(data->host, size, sizeof(uint32_t));
	for (uint32_t i = 0; i < list->n; i++)
	{
		uint32_t	at = (uint32_t) found[i].hash & index.mask;

		while (index.slot[at])
			at = (at + 1) & index.mask;
		index.slot[at] = i + 1;
		wf_frequent_work(data, 4);
	}
	return index;
}

/* Is that the sequence f, but for the event at place "without"? */
static bool
is_rest(const uint32_t *rest, const uint32_t *events, uint32_t n, uint32_t without)
{
	for (uint32_t i = 0, j = 0; i < n; i++)
		if (i != without && rest[j++] != events[i])
			return false;
	return true;
}

/* The found sequence that is left of f without one event; NULL: none. */
static WfFound *
find_rest(const WfFoundList *list, const Index *index, const WfFound *f, uint32_t without)
{
	const uint32_t *events = wf_found_events(list, f);
	uint64_t	hash = wf_frequent_hash(events, f->length, without);

	for (uint32_t at = (uint32_t) hash & index->mask; index->slot[at]; at = (at + 1) & index->mask)
	{
		WfFound    *r = &wf_found(list)[index->slot[at] - 1];

		if (r->hash == hash && r->length == f->length - 1 &&
			is_rest(wf_found_events(list, r), events, f->length, without))
			return r;
	}
	return NULL;
}

static bool
same_cases(const WfFound *a, const WfFound *b)
{
	return a->n_cases == b->n_cases && a->cases_hash == b->cases_hash;
}

static void
delete_one(const WfFrequentData *data, const WfFoundList *list, const Index *index, WfFound *f)
{
	const uint32_t *events = wf_found_events(list, f);

	f->gain = INFINITY;
	for (uint32_t i = 0; i < f->length; i++)
	{
		double		with_rest = data->params->min_cases;
		double		gain;

		if (f->length == 2)
			with_rest = data->n_having[events[1 - i]];
		else
		{
			WfFound    *rest = find_rest(list, index, f, i);

			if (rest)
			{
				with_rest = rest->n_cases;
				rest->open |= same_cases(rest, f);
			}
		}
		gain = (double) f->n_cases * data->cases->n_cases / (with_rest * data->n_having[events[i]]);
		if (gain < f->gain)
			f->gain = gain;
	}
}

/* ---- by comparing those of the same cases ---- */

/* By cases, longer ones first. */
static bool
stands_before(const WfFound *a, const WfFound *b)
{
	if (a->n_cases != b->n_cases)
		return a->n_cases > b->n_cases;
	if (a->cases_hash != b->cases_hash)
		return a->cases_hash < b->cases_hash;
	return a->length > b->length;
}

/* Merge sort, bottom up; the result is in a or in b. */
static uint32_t *
sort_by_cases(WfFrequentData *data, const WfFound *found, uint32_t *a, uint32_t *b, uint32_t n)
{
	for (uint32_t width = 1; width < n; width *= 2)
	{
		uint32_t   *swap = a;

		for (uint32_t low = 0; low < n; low += 2 * width)
		{
			uint32_t	middle = n - low < width ? n : low + width;
			uint32_t	high = n - low < 2 * width ? n : low + 2 * width;
			uint32_t	i = low,
						j = middle;

			for (uint32_t k = low; k < high; k++)
				b[k] = j >= high || (i < middle && !stands_before(&found[a[j]], &found[a[i]])) ? a[i++] : a[j++];
			wf_frequent_work(data, high - low);
		}
		a = b;
		b = swap;
	}
	return a;
}

static void
compare_rest(WfFrequentData *data, const WfFoundList *list)
{
	WfFound    *found = wf_found(list);
	uint32_t   *a = wf_alloc(data->host, list->n, sizeof(uint32_t));
	uint32_t   *b = wf_alloc(data->host, list->n, sizeof(uint32_t));
	uint32_t   *order;
	uint32_t	n = 0;
	uint32_t	group = 0;		/* where those of the same cases begin */

	for (uint32_t i = 0; i < list->n; i++)
		if (!found[i].open)
			a[n++] = i;
	order = sort_by_cases(data, found, a, b, n);
	for (uint32_t i = 0; i < n; i++)
	{
		WfFound    *f = &found[order[i]];

		if (!same_cases(f, &found[order[group]]))
			group = i;
		for (uint32_t j = group; j < i && !f->open; j++)
		{
			const WfFound *longer = &found[order[j]];

			/* what an open one would explain, the one that explains it does too */
			if (longer->length == f->length)
				break;
			f->open = !longer->open && wf_is_subsequence(wf_found_events(list, f), f->length,
														 wf_found_events(list, longer), longer->length);
			wf_frequent_work(data, 8);
		}
	}
	wf_release(data->host, a);
	wf_release(data->host, b);
}

void
wf_frequent_close(WfFrequentData *data, WfFoundList *list)
{
	Index		index = make_index(data, list);

	for (uint32_t i = 0; i < list->n; i++)
	{
		delete_one(data, list, &index, &wf_found(list)[i]);
		wf_frequent_work(data, 64);
	}
	wf_release(data->host, index.slot);
	if (isfinite(data->params->max_gap))
		compare_rest(data, list);
}
