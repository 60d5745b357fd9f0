/*-------------------------------------------------------------------------
 * sample.c
 *	  A small frame drawn from a large one.
 *-------------------------------------------------------------------------
 */
#include "core/sample.h"

#include <stdlib.h>
#include <string.h>

#include "core/frame_private.h"

/* Rows looked at between two calls of host->check(). */
#define CHECK_EVERY 65536

static int
compare_hashes(const void *a, const void *b)
{
	uint64_t	x = *(const uint64_t *) a;
	uint64_t	y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

/*
 * A hash that n rows do not exceed (more where rows are equal).  Hashes are
 * uniform, so only those below about 1.5 n / rows need sorting.
 */
static uint64_t
nth_hash(WfHost *host, const WfFrame *frame, uint32_t n)
{
	uint64_t	n_rows = wf_frame_n_rows(frame);
	size_t		room = 2 * (size_t) n + 1000;
	uint64_t	share = UINT64_MAX;
	uint64_t   *hashes;
	size_t		kept = 0;
	uint64_t	result;

	if (n_rows <= n)
		return UINT64_MAX;
	if (n_rows > room)
		share = (uint64_t) (18446744073709549568.0 / (double) n_rows * 0.75 * (double) room);
	hashes = wf_alloc(host, room, sizeof(uint64_t));
	for (uint64_t row = 0; row < n_rows && kept < room; row++)
	{
		uint64_t	h = wf_frame_hash(frame, row);

		if (h <= share)
			hashes[kept++] = h;
		if (row % CHECK_EVERY == 0)
			host->check(host);
	}
	qsort(hashes, kept, sizeof(uint64_t), compare_hashes);
	result = kept <= n ? share : hashes[n - 1];
	wf_release(host, hashes);
	return result;
}

static WfFrame *
empty_copy(WfHost *host, const WfFrame *frame)
{
	WfFrame    *copy = wf_frame_create(host, SIZE_MAX, wf_frame_has_weight(frame),
									   wf_frame_has_group(frame), wf_frame_has_time(frame));

	for (int c = 0; c < frame->n_columns; c++)
		(void) wf_frame_add_column(copy, frame->columns[c].kind, frame->columns[c].dict);
	return copy;
}

/* A tag list of the sample with the same tags. */
static uint32_t
copy_tags(WfHost *host, const WfFrame *frame, WfFrame *sample, int cell, uint32_t list)
{
	int			n;
	const uint32_t *tags;
	uint32_t   *codes;
	uint32_t	copy;

	if (list == WF_CODE_MISSING)
		return list;
	tags = wf_frame_tags(frame, cell, list, &n);
	codes = wf_alloc(host, (size_t) n + 1, sizeof(uint32_t));
	memcpy(codes, tags, (size_t) n * sizeof(uint32_t));
	copy = wf_frame_tag_list(sample, cell, codes, n);
	wf_release(host, codes);
	return copy;
}

static void
append_copy(WfHost *host, const WfFrame *frame, const WfFrameScan *scan, uint32_t at,
			WfFrame *sample, WfCell *cells)
{
	uint64_t	row = scan->first_row + at;
	/* The label's hash is gone; the row's own tells rows apart as well. */
	WfRowExtra	extra = {
		.target = wf_frame_target(frame, row),
		.target_hash = wf_frame_hash(frame, row) | 1,
		.weight = wf_frame_weight(frame, row),
		.group = wf_frame_group(frame, row),
		.time = wf_frame_time(frame, row),
	};

	for (int c = 0; c < wf_frame_n_cells(frame); c++)
	{
		cells[c] = scan->cells[c][at];
		if (wf_frame_cell_kind(frame, c) == WF_CELL_TAGS)
			cells[c].code = copy_tags(host, frame, sample, c, cells[c].code);
	}
	wf_frame_append(sample, cells, &extra);
}

WfFrame *
wf_frame_sample(WfHost *host, WfFrame *frame, uint32_t n)
{
	uint64_t	limit = nth_hash(host, frame, n);
	WfFrame    *sample = empty_copy(host, frame);
	WfCell	   *cells = wf_alloc(host, (size_t) wf_frame_n_cells(frame) + 1, sizeof(WfCell));
	WfFrameScan scan;
	uint32_t	count;

	wf_frame_scan_begin(frame, &scan);
	while ((count = wf_frame_scan_next(&scan)) > 0)
	{
		for (uint32_t i = 0; i < count && wf_frame_n_rows(sample) < n; i++)
			if (wf_frame_hash(frame, scan.first_row + i) <= limit)
				append_copy(host, frame, &scan, i, sample, cells);
		host->check(host);
	}
	wf_frame_scan_end(&scan);
	wf_release(host, cells);
	return sample;
}
