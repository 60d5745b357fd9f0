/*-------------------------------------------------------------------------
 * taglist.c
 *	  The distinct lists of tags of a cell column, one code each.
 *-------------------------------------------------------------------------
 */
#include "core/frame_private.h"

#include <string.h>

#include "core/rng.h"
#include "core/smallsort.h"

#define FIRST_LISTS 16
#define CHUNK_CODES 4096

WfTagLists *
wf_taglists_create(WfHost *host)
{
	WfTagLists *tags = wf_alloc_zero(host, 1, sizeof(WfTagLists));

	tags->lists = wf_alloc(host, FIRST_LISTS, sizeof(WfTagList));
	tags->slots = wf_alloc_zero(host, 2 * FIRST_LISTS, sizeof(uint32_t));
	tags->capacity = FIRST_LISTS;
	tags->mask = 2 * FIRST_LISTS - 1;
	tags->bytes = sizeof(WfTagLists) + FIRST_LISTS * (sizeof(WfTagList) + 2 * sizeof(uint32_t));
	return tags;
}

/* The codes' chunks go with the host's arena. */
void
wf_taglists_free(WfHost *host, WfTagLists *tags)
{
	wf_release(host, tags->lists);
	wf_release(host, tags->slots);
	wf_release(host, tags);
}

static void
grow(WfHost *host, WfTagLists *tags)
{
	uint32_t	capacity = tags->capacity * 2;
	uint32_t	mask = 2 * capacity - 1;
	WfTagList  *lists = wf_alloc(host, capacity, sizeof(WfTagList));
	uint32_t   *slots = wf_alloc_zero(host, 2 * (size_t) capacity, sizeof(uint32_t));

	memcpy(lists, tags->lists, tags->n * sizeof(WfTagList));
	for (uint32_t i = 0; i < tags->n; i++)
	{
		uint32_t	at = (uint32_t) lists[i].hash & mask;

		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = i + 1;
	}
	wf_release(host, tags->lists);
	wf_release(host, tags->slots);
	tags->bytes += tags->capacity * (sizeof(WfTagList) + 2 * sizeof(uint32_t));
	tags->lists = lists;
	tags->slots = slots;
	tags->capacity = capacity;
	tags->mask = mask;
}

static uint32_t
find_slot(const WfTagLists *tags, const uint32_t *codes, uint32_t n, uint64_t hash)
{
	uint32_t	at = (uint32_t) hash & tags->mask;

	for (;; at = (at + 1) & tags->mask)
	{
		const WfTagList *list;

		if (tags->slots[at] == 0)
			return at;
		list = &tags->lists[tags->slots[at] - 1];
		if (list->hash == hash && list->n == n &&
			(n == 0 || memcmp(list->codes, codes, n * sizeof(uint32_t)) == 0))
			return at;
	}
}

static const uint32_t *
keep_codes(WfHost *host, WfTagLists *tags, const uint32_t *codes, uint32_t n)
{
	uint32_t   *copy;

	if (n > tags->chunk_left)
	{
		size_t		size = n > CHUNK_CODES ? n : CHUNK_CODES;

		tags->chunk = wf_alloc(host, size, sizeof(uint32_t));
		tags->chunk_left = size;
		tags->bytes += size * sizeof(uint32_t);
	}
	copy = tags->chunk;
	if (n)
		memcpy(copy, codes, n * sizeof(uint32_t));
	tags->chunk += n;
	tags->chunk_left -= n;
	return copy;
}

uint32_t
wf_frame_tag_list(WfFrame *frame, int cell, uint32_t *codes, int n)
{
	WfCellColumn *column = &frame->columns[cell];
	WfTagLists *tags = column->tags;
	uint64_t	hash = 0;
	uint32_t	kept = 0;
	uint32_t	at;
	WfTagList  *list;

	wf_small_sort(codes, (size_t) n);

	/*
	 * Codes come in the order of rows, so the sum over the elements must not
	 * depend on theirs.  Elements that a full dictionary refused fall out.
	 */
	for (int i = 0; i < n; i++)
		if (codes[i] != WF_CODE_MISSING && (kept == 0 || codes[kept - 1] != codes[i]))
		{
			hash += wf_mix(wf_dict_hash(column->dict, codes[i]));
			codes[kept++] = codes[i];
		}
	hash = wf_rng(hash, kept);
	at = find_slot(tags, codes, kept, hash);
	if (tags->slots[at])
		return tags->slots[at] - 1;
	if (tags->n == tags->capacity)
	{
		grow(frame->host, tags);
		at = find_slot(tags, codes, kept, hash);
	}
	list = &tags->lists[tags->n];
	list->codes = keep_codes(frame->host, tags, codes, kept);
	list->n = kept;
	list->hash = hash;
	list->rows = 0;
	tags->slots[at] = ++tags->n;
	return tags->n - 1;
}

const uint32_t *
wf_frame_tags(const WfFrame *frame, int cell, uint32_t list, int *n)
{
	const WfTagList *l = &frame->columns[cell].tags->lists[list];

	*n = (int) l->n;
	return l->codes;
}

uint32_t
wf_frame_n_tag_lists(const WfFrame *frame, int cell)
{
	return frame->columns[cell].tags->n;
}

uint64_t
wf_frame_tag_list_rows(const WfFrame *frame, int cell, uint32_t list)
{
	return frame->columns[cell].tags->lists[list].rows;
}
