/*-------------------------------------------------------------------------
 * partition.c
 *	  Block partition of records (moved physically) and of row references.
 *-------------------------------------------------------------------------
 */
#include "core/partition.h"

#include <string.h>

#define BLOCK 128
/* Blocks between two polls of the host: a few hundred microseconds. */
#define BLOCKS_PER_CHECK 256

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#endif

/* The rows being split: records, or references into the data set. */
typedef struct Rows
{
	uint8_t    *at;
	size_t		size;			/* of an element, a multiple of 8 */
	const uint8_t *bins;		/* references: the data set's rows, shifted by the feature */
	size_t		stride;
} Rows;

ALWAYS_INLINE uint8_t
row_bin(const Rows *rows, size_t i, bool refs, uint32_t feature)
{
	if (refs)
		return rows->bins[(size_t) ((const WfRowRef *) rows->at)[i].row * rows->stride];
	return rows->at[i * rows->size + feature];
}

/*
 * Adding missing_left makes 255 wrap to 0, so that one comparison covers both
 * directions of missing values.
 */
ALWAYS_INLINE unsigned
goes_left(const Rows *rows, size_t i, bool refs, bool category, const WfRoute *route)
{
	uint8_t		bin = row_bin(rows, i, refs, route->feature);

	if (category)
		return route->side[bin];
	return (uint8_t) (bin + route->missing_left) <= (uint8_t) (route->cut + route->missing_left);
}

ALWAYS_INLINE void
row_swap(const Rows *rows, size_t i, size_t j, bool refs)
{
	uint64_t   *a;
	uint64_t   *b;
	size_t		words = refs ? 1 : rows->size / 8;

	a = (uint64_t *) (rows->at + i * (refs ? sizeof(WfRowRef) : rows->size));
	b = (uint64_t *) (rows->at + j * (refs ? sizeof(WfRowRef) : rows->size));
	for (size_t w = 0; w < words; w++)
	{
		uint64_t	x;
		uint64_t	y;

		memcpy(&x, a + w, 8);
		memcpy(&y, b + w, 8);
		memcpy(a + w, &y, 8);
		memcpy(b + w, &x, 8);
	}
}

/* Fewer than 2 * BLOCK rows from "from" on: count first, so that every swap is final. */
ALWAYS_INLINE size_t
split_few(const Rows *rows, size_t from, size_t n, bool refs, bool category, const WfRoute *route)
{
	uint8_t		left[2 * BLOCK];
	uint8_t		front[2 * BLOCK];
	uint8_t		back[2 * BLOCK];
	size_t		n_left = 0;
	size_t		n_front = 0;
	size_t		n_back = 0;

	for (size_t i = 0; i < n; i++)
	{
		left[i] = (uint8_t) goes_left(rows, from + i, refs, category, route);
		n_left += left[i];
	}
	for (size_t i = 0; i < n_left; i++)
	{
		front[n_front] = (uint8_t) i;
		n_front += !left[i];
	}
	for (size_t i = n_left; i < n; i++)
	{
		back[n_back] = (uint8_t) i;
		n_back += left[i];
	}
	for (size_t k = 0; k < n_front; k++)
		row_swap(rows, from + front[k], from + back[k], refs);
	return n_left;
}

ALWAYS_INLINE size_t
split_rows(WfHost *host, const Rows *rows, size_t n, bool refs, bool category, const WfRoute *route)
{
	uint8_t		front[BLOCK];
	uint8_t		back[BLOCK];
	size_t		n_front = 0;
	size_t		n_back = 0;
	size_t		first_front = 0;
	size_t		first_back = 0;
	size_t		low = 0;
	size_t		high = n;
	unsigned	blocks = 0;

	while (high - low >= 2 * BLOCK)
	{
		size_t		m;

		if (n_front == 0)
		{
			first_front = 0;
			for (size_t i = 0; i < BLOCK; i++)
			{
				front[n_front] = (uint8_t) i;
				n_front += !goes_left(rows, low + i, refs, category, route);
			}
		}
		if (n_back == 0)
		{
			first_back = 0;
			for (size_t i = 0; i < BLOCK; i++)
			{
				back[n_back] = (uint8_t) i;
				n_back += goes_left(rows, high - 1 - i, refs, category, route);
			}
		}
		m = n_front < n_back ? n_front : n_back;
		for (size_t k = 0; k < m; k++)
			row_swap(rows, low + front[first_front + k], high - 1 - back[first_back + k], refs);
		first_front += m;
		first_back += m;
		n_front -= m;
		n_back -= m;
		if (n_front == 0)
			low += BLOCK;
		if (n_back == 0)
			high -= BLOCK;
		if (++blocks % BLOCKS_PER_CHECK == 0)
			host->check(host);
	}
	/* A block not used up is looked at again with the rest. */
	return low + split_few(rows, low, high - low, refs, category, route);
}

size_t
wf_partition_records(WfHost *host, uint8_t *records, size_t n, size_t size, const WfRoute *route)
{
	Rows		rows = {.at = records, .size = size};

	if (route->side)
		return split_rows(host, &rows, n, false, true, route);
	if (size == 24)				/* twenty features and a class: worth constant offsets */
	{
		rows.size = 24;
		return split_rows(host, &rows, n, false, false, route);
	}
	return split_rows(host, &rows, n, false, false, route);
}

size_t
wf_partition_refs(WfHost *host, WfRowRef *refs, size_t n, const WfDataset *data, const WfRoute *route)
{
	Rows		rows = {
		.at = (uint8_t *) refs, .size = sizeof(WfRowRef),
		.bins = data->rows + route->feature, .stride = data->stride
	};

	return split_rows(host, &rows, n, true, route->side != NULL, route);
}
